"""Checking: hands photos to processes that decode them, and comes back with an answer whatever becomes of these.

Whatever a decoder does over a photo, crash, starve or never end, the answer is a value. `sandbox.py` is the other side.
"""

import asyncio
import math
from types import TracebackType
from typing import Any, Final, Self

from greenroom.documents.children import TOLD_BYTES_MAX, Busy, Child, Content, Lost, told_of
from greenroom.documents.findings import KEPT_BYTES_MAX, STANDARD, Examined, Fault, Form, Limits, Measure, Unusable
from greenroom.documents.likeness import BYTES as LIKENESS_BYTES
from greenroom.law.terms import DocumentKind

TRIES: Final = 2  # a crash may be an accident, or somebody's kill; twice is no accident


class Checker:
    """Some processes that decode, started when first needed; used by `async with`, which leaves none behind."""

    def __init__(self, *, processes: int = 1, waiting_max: int = 64, limits: Limits = STANDARD) -> None:
        self._waiting, self._waiting_max, self._limits = 0, waiting_max, limits
        self._decoders = [Child("greenroom.documents.sandbox", limits) for _ in range(processes)]
        self._free: asyncio.LifoQueue[Child] = asyncio.LifoQueue()  # those already started first
        for decoder in self._decoders:
            self._free.put_nowait(decoder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def examine(self, content: Content, *, kind: DocumentKind) -> Examined | Unusable:
        """Return what became of a photo. Raises ChildError, and what `content` raises."""
        if self._waiting >= self._waiting_max:
            raise Busy
        self._waiting += 1
        try:
            decoder = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            for _ in range(TRIES):
                result = await self._examine(decoder, content, kind)
                if result != Unusable(Fault.CRASHED):
                    break
            return result
        finally:
            self._free.put_nowait(decoder)

    async def _examine(self, decoder: Child, content: Content, kind: DocumentKind) -> Examined | Unusable:
        def read(told: bytes, jpeg: bytes) -> Examined | Unusable:
            answer = told_of(told)
            return Unusable(Fault(answer["fault"])) if "fault" in answer else _examined(answer, jpeg, self._limits)

        try:
            return await decoder.ask(kind.encode(), content, frames_max=(TOLD_BYTES_MAX, KEPT_BYTES_MAX), read=read)
        except Lost as lost:
            return Unusable(lost.fault)

    async def close(self) -> None:
        """End every process. Whoever waits for an answer gets Closing."""
        for decoder in self._decoders:
            await decoder.close()


def _examined(answer: dict[str, Any], jpeg: bytes, limits: Limits) -> Examined:
    width, height, likeness = answer["width"], answer["height"], bytes.fromhex(answer["likeness"])
    measures = {Measure(name): float(value) for name, value in answer["measures"].items()}
    is_sound = (
        jpeg.startswith(b"\xff\xd8\xff")
        and all(isinstance(side, int) and 0 < side <= limits.kept_side_max_px for side in (width, height))
        and all(map(math.isfinite, measures.values()))
        and len(likeness) == LIKENESS_BYTES
    )
    if not is_sound:
        raise ValueError
    return Examined(jpeg, width, height, Form(answer["form"]), likeness, measures)
