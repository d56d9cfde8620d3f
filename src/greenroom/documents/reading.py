"""Reading: asks a process with an OCR engine for the zone that a checked photo shows; with the extra `ocr` alone.

Nothing depends on an answer: whatever becomes of the process, a photo without a zone is as READY as before, and its
fields are asked for. The engine takes hundreds of megabytes, so its process starts when needed and ends when idle.
"""

import asyncio
import json
from contextlib import suppress
from datetime import date
from functools import partial
from importlib.util import find_spec
from types import TracebackType
from typing import Final, Self

import structlog

from greenroom.documents.children import TOLD_BYTES_MAX, CannotStart, Child, Content, Lost, told_of
from greenroom.documents.findings import KEPT_BYTES_MAX, Limits
from greenroom.documents.zones import FORMS, ReadZone
from greenroom.law.mrz import Zone, read
from greenroom.law.terms import DocumentKind

IDLE_S: Final = 60.0
LIMITS: Final = Limits(photo_bytes_max=KEPT_BYTES_MAX, memory_bytes=2 << 30, cpu_s=20, wall_s=60.0)
NEEDED: Final = ("rapidocr", "onnxruntime", "cv2")

log = structlog.get_logger()


def is_installed() -> bool:
    """Say whether the extra `ocr` is here; it is not imported, so that this process stays free of it."""
    return all(find_spec(name) is not None for name in NEEDED)


class Reader:
    """A process that reads zones, started when first needed; used by `async with`, which leaves none behind."""

    def __init__(self, *, limits: Limits = LIMITS, idle_s: float = IDLE_S) -> None:
        self._child, self._idle_s = Child("greenroom.documents.recognition", limits), idle_s
        self._resting: asyncio.Task[None] | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def read(self, content: Content, *, kind: DocumentKind, today: date) -> ReadZone | None:
        """Return the zone in a checked photo's JPEG, if one can be read. Raises Closing, and what `content` raises."""
        if kind not in FORMS:
            return None
        head = json.dumps({"kind": kind, "today": today.isoformat()}).encode()
        self._wake()
        try:
            reader = partial(zone_told, kind=kind, today=today)
            return await self._child.ask(head, content, frames_max=(TOLD_BYTES_MAX,), read=reader)
        except Lost:
            return None
        except CannotStart:
            log.error("zones are not read: the engine does not start")
            return None
        finally:
            self._wake()
            if not self._is_closed:
                self._resting = asyncio.create_task(self._rest())

    async def close(self) -> None:
        """End the process. Whoever waits for an answer gets Closing."""
        self._is_closed = True
        await self._child.close()
        if self._resting is not None:
            self._resting.cancel()
            with suppress(asyncio.CancelledError):
                await self._resting

    def _wake(self) -> None:
        if self._resting is not None:
            self._resting.cancel()

    async def _rest(self) -> None:
        await asyncio.sleep(self._idle_s)
        await self._child.rest()


def zone_told(told: bytes, *, kind: DocumentKind, today: date) -> ReadZone | None:
    """Return the zone that an answer has; ValueError where it is none, as every word of it may be a photo's."""
    answer = told_of(told)
    if not answer.get("lines"):
        return None
    zone = read("\n".join(map(str, answer["lines"])), today=today)
    if not (isinstance(zone, Zone) and zone.is_sound and zone.form in FORMS[kind]):
        raise ValueError
    return ReadZone(zone.lines, is_certain=answer["is_certain"] is True)
