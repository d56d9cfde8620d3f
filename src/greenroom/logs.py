"""Logs: structured lines with ids, codes and places in the code; never a message that may quote what a caller sent."""

import logging
import traceback
from collections.abc import Iterator
from itertools import islice
from typing import Any

import structlog

CAUSES_MAX = 5
FRAMES_MAX = 20


def configure(*, for_people: bool) -> None:
    """Write lines for people, or as JSON; what libraries log goes the same way, from warnings on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[Library()], level=logging.WARNING, force=True)


class Library(logging.Handler):
    """Passes on what a library logs: its words without the values in them, and of an exception the kind and place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        fault = record.exc_info[1] if record.exc_info else None
        said = str(record.msg).partition("\n")[0] if record.args or fault is None else ""
        where = {"logger": record.name, "said": said} | (described(fault) if fault else {})
        structlog.get_logger("greenroom").log(record.levelno, "library", **where)


def described(fault: BaseException) -> dict[str, Any]:
    """Return the kinds and places of an exception and its causes, as a line holds them."""
    chain = list(islice(causes(fault), CAUSES_MAX))
    return {
        "exceptions": [f"{type(one).__module__}.{type(one).__qualname__}" for one in chain],
        "traceback": [frames(one) for one in chain],
    }


def frames(fault: BaseException) -> list[str]:
    """Return where an exception came from, `module:line function` for each call, the last ones."""
    walked = list(traceback.walk_tb(fault.__traceback__))[-FRAMES_MAX:]
    return [f"{f.f_globals.get('__name__')}:{line} {f.f_code.co_name}" for f, line in walked]


def causes(fault: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what led to it."""
    link: BaseException | None = fault
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
