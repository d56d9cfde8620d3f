"""Children: processes beside ours that read hostile bytes, each answered for, whatever becomes of it.

A child loads its libraries once and forks for each photo (forks.py). Not concurrent.futures: one process that dies
breaks its pool for all, and one that hangs can't be ended. And no process per photo from here, which would load the
libraries each time.

ChildError
├── Busy             as many wait as may: come again
├── CannotStart      the process does not start: the operator's to mend
└── Closing          the server stops
"""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import Any, Final, TypeVar

import structlog

from greenroom.documents.findings import Fault, Limits

PIECE_BYTES: Final = 256 * 1024
TOLD_BYTES_MAX: Final = 64 * 1024
START_S: Final = 30.0
END_S: Final = 10.0
STARTS: Final = 2  # one that idled may have been killed meanwhile
LENGTH_BYTES: Final = 4
DIED: Final = 128  # as forks.py has it
COSTLY: Final = {DIED + signal.SIGXCPU, DIED + signal.SIGALRM}

Content = bytes | Callable[[], AsyncIterator[bytes]]
"""A photo, or what yields it in pieces, from its beginning each time it is called."""

T = TypeVar("T")
log = structlog.get_logger()


class ChildError(Exception):
    """No answer about this photo now; says nothing against it."""


class Busy(ChildError):
    """As many photos wait as may. Come again later."""


class CannotStart(ChildError):
    """The process does not start: memory, processes or an installed library may be lacking."""


class Closing(ChildError):
    """The server stops. Whoever takes up the photo next starts over."""


class Lost(Exception):
    """This photo ended its process, took too long, or was answered with nonsense."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class _Gone(Exception):
    """The process died."""


class _Nonsense(Exception):
    """The process said what can't be read."""


class _Late(Exception):
    """The process took too long."""


class Child:
    """One process that runs `module`, started when first needed and anew after it has died; for one photo at a time."""

    def __init__(self, module: str, limits: Limits) -> None:
        self._module, self._limits = module, limits
        self._process: Process | None = None
        self._in_use = asyncio.Lock()
        self._is_closed = False

    async def ask(self, head: bytes, content: Content, *, frames_max: Sequence[int], read: Callable[..., T]) -> T:
        """Send a photo, and return what `read` makes of the answer's frames, of which each has so many bytes at most.

        Raises Lost, also where `read` raises ValueError, TypeError, KeyError or AttributeError: no word of the answer
        is trusted unread, as it comes from where hostile bytes were. Raises CannotStart, Closing, and what `content`
        raises.
        """
        async with self._in_use:
            process, is_whole = await self._ready(), False
            try:
                await self._send(process, head, content)
                frames = [await _within(self._limits.wall_s, _frame(process, most)) for most in frames_max]
                answer = _read(read, frames)
                is_whole = True
                return answer
            except _Gone:
                fault = await self._why_gone(process)
            except _Nonsense:
                log.error("photo answered with nonsense", module=self._module)
                fault = Fault.CRASHED
            except _Late:
                fault = Fault.TOO_COSTLY
            finally:
                if not is_whole:  # cancelled, too: what is left in the pipes would be taken for another photo's
                    await self._end()
            raise Closing if self._is_closed else Lost(fault)

    async def rest(self) -> None:
        """End the process until it is needed again."""
        async with self._in_use:
            await self._end()

    async def close(self) -> None:
        """End the process for good. Whoever waits for an answer gets Closing."""
        self._is_closed = True
        self._kill()
        with suppress(TimeoutError):  # a photo that is being fetched may take its time
            async with asyncio.timeout(END_S), self._in_use:
                await self._end()

    async def _ready(self) -> Process:
        """Return the process, once it waits for a photo."""
        for _ in range(STARTS):
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
                log.warning("photos read without a filter of system calls", module=self._module)
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
                self._module,
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

    async def _send(self, process: Process, head: bytes, content: Content) -> None:
        await self._put(process, head)
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
        log.warning("photo ended its process", module=self._module, code=code, fault=fault)
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


def _read(read: Callable[..., T], frames: Sequence[bytes]) -> T:
    try:
        return read(*frames)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _Nonsense from None


def told_of(frame: bytes) -> dict[str, Any]:
    """Return an answer's first frame; a fault of ours that it tells is logged by its place."""
    answer: dict[str, Any] = json.loads(frame)
    if "place" in answer:
        log.error("photo could not be examined", place=re.sub(r"[^\w .:]", "", str(answer["place"]))[:80])
    return answer
