"""Processes that a test started, as /proc tells of them, and photos that come while something happens to these."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
Processes = Callable[[], list[int]]


def family(pid: int) -> list[int]:
    """The processes below one, which its death must end too."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                found += [int(entry.parent.name), *family(int(entry.parent.name))]
    return found


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def gone(pids: list[int]) -> None:
    """Wait for their end."""

    def watch() -> None:
        while any(map(is_alive, pids)):
            time.sleep(0.01)

    await asyncio.to_thread(watch)


def end(pids: list[int], how: int = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def in_pieces(content: bytes, between: Callable[[], object] = lambda: None) -> Callable[[], AsyncIterator[bytes]]:
    """Something that yields `content`, and does something in the midst of it."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content[:1000]
        between()
        await asyncio.sleep(0)
        yield content[1000:]

    return pieces
