"""Checking: hands photos to processes that decode them, and comes back with an answer whatever becomes of these.

Whatever a decoder does over a photo, crash, starve or never end, the answer is a value. `sandbox.py` is the other side.
Not concurrent.futures: one process that dies breaks its pool for all, and one that hangs can't be ended. And no process
per photo from here, which would load the decoders each time.

CheckingError
├── Busy             as many wait as may: come again
├── CannotStart      the decoding process does not start: the operator's to mend
└── Closing          the server stops
"""

import asyncio
import json
import math
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import structlog

from greenroom.documents.findings import STANDARD, Examined, Fault, Form, Limits, Measure, Unusable
from greenroom.documents.likeness import BYTES as LIKENESS_BYTES
from greenroom.law.terms import DocumentKind

PIECE_BYTES: Final = 256 * 1024
TOLD_BYTES_MAX: Final = 64 * 1024
KEPT_BYTES_MAX: Final = 32 * 1024 * 1024  # 4,096 pixels square of noise take 12 MB
START_S: Final = 30.0
END_S: Final = 10.0
TRIES: Final = 2  # a crash may be an accident, or somebody's kill; twice is no accident
LENGTH_BYTES: Final = 4
DIED: Final = 128  # as sandbox.py has it
COSTLY: Final = {DIED + signal.SIGXCPU, DIED + signal.SIGALRM}

Content = bytes | Callable[[], AsyncIterator[bytes]]
"""A photo, or what yields it in pieces, from its beginning each time it is called."""

T = TypeVar("T")
log = structlog.get_logger()


class CheckingError(Exception):
    """No answer about this photo now; says nothing against it."""


class Busy(CheckingError):
    """As many photos wait as may. Come again later."""


class CannotStart(CheckingError):
    """The decoding process does not start: memory, processes or an installed library may be lacking."""


class Closing(CheckingError):
    """The server stops. Whoever takes up the photo next starts over."""


class Checker:
    """Some processes that decode, started when first needed; used by `async with`, which leaves none behind."""

    def __init__(self, *, processes: int = 1, waiting_max: int = 64, limits: Limits = STANDARD) -> None:
        self._waiting, self._waiting_max = 0, waiting_max
        self._decoders = [_Decoder(limits) for _ in range(processes)]
        self._free: asyncio.LifoQueue[_Decoder] = asyncio.LifoQueue()  # those already started first
        for decoder in self._decoders:
            self._free.put_nowait(decoder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def examine(self, content: Content, *, kind: DocumentKind) -> Examined | Unusable:
        """Return what became of a photo. Raises CheckingError, and what `content` raises."""
        if self._waiting >= self._waiting_max:
            raise Busy
        self._waiting += 1
        try:
            decoder = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            for _ in range(TRIES):
                result = await decoder.examine(content, kind=kind)
                if result != Unusable(Fault.CRASHED):
                    break
            return result
        finally:
            self._free.put_nowait(decoder)

    async def close(self) -> None:
        """End every process. Whoever waits for an answer gets Closing."""
        for decoder in self._decoders:
            await decoder.close()


class _Gone(Exception):
    """The process died."""


class _Nonsense(Exception):
    """The process said what can't be read."""


class _Late(Exception):
    """The process took too long."""


class _Decoder:
    """One decoding process, started anew after it has died; used by one photo at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: Process | None = None
        self._in_use = asyncio.Lock()
        self._is_closed = False

    async def examine(self, content: Content, *, kind: DocumentKind) -> Examined | Unusable:
        async with self._in_use:
            return await self._examine(content, kind)

    async def close(self) -> None:
        self._is_closed = True
        self._kill()
        with suppress(TimeoutError):  # a photo that is being fetched may take its time
            async with asyncio.timeout(END_S), self._in_use:
                await self._end()

    async def _examine(self, content: Content, kind: DocumentKind) -> Examined | Unusable:
        process = await self._ready()
        is_whole = False
        try:
            await self._send(process, content, kind)
            told = await _within(self._limits.wall_s, _frame(process, TOLD_BYTES_MAX))
            jpeg = await _within(self._limits.wall_s, _frame(process, KEPT_BYTES_MAX))
            result = _result(told, jpeg, self._limits)
            is_whole = True
        except _Gone:
            result = Unusable(await self._why_gone(process))
        except _Nonsense:
            log.error("photo answered with nonsense")
            result = Unusable(Fault.CRASHED)
        except _Late:
            result = Unusable(Fault.TOO_COSTLY)
        finally:
            if not is_whole:  # cancelled, too: what is left in the pipes would be taken for another photo's
                await self._end()
        if self._is_closed and not is_whole:
            raise Closing
        return result

    async def _ready(self) -> Process:
        """Return the process, once it waits for a photo."""
        for _ in range(TRIES):  # one that idled may have been killed meanwhile
            process = self._process = self._process or await self._started()
            try:
                is_confined = json.loads(await _within(START_S, _frame(process, TOLD_BYTES_MAX)))["confined"]
            except (_Gone, _Late, _Nonsense, ValueError, TypeError, KeyError):
                await self._end()
                continue
            if self._is_closed:  # meanwhile
                await self._end()
                raise Closing
            if not is_confined and sys.platform == "linux":
                log.warning("photos decoded without a filter of system calls")
            return process
        raise CannotStart

    async def _started(self) -> Process:
        if self._is_closed:
            raise Closing
        limits = json.dumps(asdict(self._limits))
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",  # nothing from the working directory or the environment
                "-m",
                "greenroom.documents.sandbox",
                limits,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # libraries quote what they read
                env={"MALLOC_ARENA_MAX": "1"},  # no secret of the server's; and a thread reserves no memory of its own
                limit=PIECE_BYTES,
                start_new_session=True,  # killed with its fork, and not by a terminal's Ctrl-C before the photo is done
            )
        except OSError as error:
            raise CannotStart from error

    async def _send(self, process: Process, content: Content, kind: DocumentKind) -> None:
        await self._put(process, kind.encode())
        left = self._limits.photo_bytes_max + 1  # one more shows that it is too much
        async with aclosing(_pieces(content)) as pieces:
            async for piece in pieces:
                if piece := piece[:left]:
                    await self._put(process, piece)
                    left -= len(piece)
                if not left:
                    break
        await self._put(process, b"")

    async def _put(self, process: Process, piece: bytes | memoryview) -> None:
        assert process.stdin is not None
        process.stdin.write(len(piece).to_bytes(LENGTH_BYTES, "big"))
        process.stdin.write(piece)
        await _within(self._limits.wall_s, process.stdin.drain())

    async def _why_gone(self, process: Process) -> Fault:
        try:
            code = await _within(1.0, process.wait())
        except _Late:  # it only closed its output
            code = None
        fault = Fault.TOO_COSTLY if code in COSTLY else Fault.CRASHED
        log.warning("photo ended its decoder", code=code, fault=fault)
        return fault

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self) -> None:
        self._kill()
        process, self._process = self._process, None
        if process is not None:
            await asyncio.shield(_buried(process))


async def _buried(process: Process) -> None:
    """Wait until a process and its pipes are gone: a loop that closes before them complains, and uvloop breaks."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    with suppress(_Late, _Gone):
        await _within(END_S, process.stdin.wait_closed())
    with suppress(_Late, _Gone):
        while await _within(END_S, process.stdout.read(PIECE_BYTES)):
            pass
    await process.wait()


async def _within(seconds: float, awaited: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await awaited
    except TimeoutError:
        raise _Late from None
    except (asyncio.IncompleteReadError, ConnectionError):
        raise _Gone from None


async def _frame(process: Process, bytes_max: int) -> bytes:
    assert process.stdout is not None
    length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big")
    if length > bytes_max:
        raise _Nonsense
    return await process.stdout.readexactly(length)


async def _pieces(content: Content) -> AsyncGenerator[bytes | memoryview, None]:
    if callable(content):
        source = content()
        try:
            async for piece in source:
                yield piece
        finally:
            if isinstance(source, AsyncGenerator):  # whatever it reads from is closed now, not when it is collected
                await source.aclose()
        return
    whole = memoryview(content)  # sliced without a copy
    for at in range(0, len(whole), PIECE_BYTES):
        yield whole[at : at + PIECE_BYTES]


def _result(told: bytes, jpeg: bytes, limits: Limits) -> Examined | Unusable:
    """Return the answer as a value. It comes from where hostile bytes were read, so no word of it is trusted unread."""
    try:
        answer = json.loads(told)
        if "fault" in answer:
            if "place" in answer:
                log.error("photo could not be examined", place=re.sub(r"[^\w .:]", "", str(answer["place"]))[:80])
            return Unusable(Fault(answer["fault"]))
        return _examined(answer, jpeg, limits)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _Nonsense from None


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
