"""Terminal: what all commands share: settings, the database, progress, and how a user's mistake is told."""

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from greenroom import embedded
from greenroom.embedded import APP, DATABASE, OWNER
from greenroom.settings import Setting, Settings

if TYPE_CHECKING:  # slow to import, and needed by few commands
    from rich.progress import Progress

    from greenroom.db import Database

out, err = Console(), Console(stderr=True)


class Exit(IntEnum):
    """How a command ends."""

    FOUND = 1
    USAGE = 2
    NOT_MIGRATED = 3
    DATABASE = 4
    PORT = 5


def fail(sentence: str, code: Exit) -> NoReturn:
    """End with a sentence that says what to do."""
    err.print("[red]error[/]  ", end="")
    err.print(sentence, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(code)


def read_settings(*, demo: bool = False, **given: object) -> Settings:
    """Read the environment; an option that was given wins, but for one: production is never made a demo."""
    said = next((value for name, value in os.environ.items() if name.upper() == "GREENROOM_SETTING"), None)
    if demo and said == Setting.PRODUCTION:
        fail("GREENROOM_SETTING says production, and this is for the demo setting alone.", Exit.USAGE)
    chosen = {"setting": Setting.DEMO if demo else None, **given}
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks each
    except ValidationError as wrong:
        told = [f"{'_'.join(('GREENROOM', *map(str, e['loc']))).upper()}: {e['msg']}" for e in wrong.errors()]
        hint = "" if demo else "\nOn your own machine the demo needs none of this: add --demo."
        fail("\n".join(line.removeprefix("GREENROOM: Value error, ") for line in told) + hint, Exit.USAGE)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the database is for the role that serves, and for the role that owns the tables."""

    app: str
    owner: str


@contextmanager
def database(settings: Settings, *, migrated: bool = True) -> Iterator[Urls]:
    """Yield the given database as it is, or the embedded PostgreSQL, started, and migrated unless told otherwise.

    However we end, it is stopped. Raises PostgresUnavailable.
    """
    with ending_in_order(), faults_explained():
        if settings.database_url is not None:
            app = settings.database_url.get_secret_value()
            yield Urls(app, settings.migration_url.get_secret_value() if settings.migration_url else app)
            return
        with embedded.start(settings.data_dir) as running:
            urls = Urls(running.cluster.url(APP, DATABASE), running.cluster.url(OWNER, DATABASE))
            if migrated:
                from greenroom import migrations

                migrations.migrate(urls.owner)
            yield urls


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C unwind what is open, so that PostgreSQL is stopped; a second one does not disturb that."""

    def leave(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, leave)
    yield


# SQLSTATE, or how it begins -> what to do. Others are faults of ours, and keep their traceback.
ADVICE = {
    "28": "Are role and password in GREENROOM_DATABASE_URL and GREENROOM_MIGRATION_URL right?",
    "3D000": "Create the database first, or correct its name in GREENROOM_DATABASE_URL.",
    "42501": "This needs the role that owns the tables: GREENROOM_MIGRATION_URL.",
    "42P01": "The database is empty. Run: greenroom migrate",
    "53300": "Too many connections: end some, or raise max_connections.",
    "55P03": "Others hold the tables: try again when they are done.",
    "57P": "PostgreSQL is starting or stopping: try again in a moment.",
}


@contextmanager
def faults_explained() -> Iterator[None]:
    """End with a sentence where the database can't be had; a fault of ours goes on as it is."""
    try:
        yield
    except (ConnectionError, TimeoutError, FileNotFoundError) as fault:
        fail(
            f"The database does not answer: {fault}\nIs it running, and is GREENROOM_DATABASE_URL right?", Exit.DATABASE
        )
    except Exception as fault:
        state, said = sqlstate(fault)
        advice = next((todo for sign, todo in ADVICE.items() if state.startswith(sign)), None)
        if advice is None:
            raise
        fail(f"The database refuses: {said}\n{advice}", Exit.NOT_MIGRATED if state == "42P01" else Exit.DATABASE)


def sqlstate(fault: BaseException) -> tuple[str, str]:
    """Return PostgreSQL's code and words from whatever wraps them."""
    inner: BaseException | None = getattr(fault, "orig", fault)
    while inner is not None and inner.__cause__ is not None:
        inner = inner.__cause__
    return str(getattr(inner, "sqlstate", "")), str(inner)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator["Database"]:
    """Yield a small pair of pools."""
    from greenroom.db import connect

    db = await connect(url, writes_max=1, reads_max=1, statement_timeout_ms=60_000, lock_timeout_ms=10_000)
    try:
        yield db
    finally:
        await db.close()


def progress_bar(*, hidden: bool = False) -> "Progress":
    """Return a progress bar on standard error; nothing where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=hidden or not err.is_terminal)


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def called() -> str:
    """Return how this program is called, so that what we print can be copied."""
    own = Path(sys.argv[0])
    if own.name != "greenroom":
        return "python -m greenroom"
    return "greenroom" if shutil.which("greenroom") == str(own) else str(own)
