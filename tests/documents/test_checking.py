"""Whatever becomes of a process that decodes, its photo gets an answer, the next one too, and none is left running."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hostile_files.make import encoded, frames, halved, heic, multi_picture, picture, telling
from PIL import Image
from structlog.testing import capture_logs

from documents.processes import LINUX, Processes, end, family, gone, in_pieces
from greenroom.documents import checking, photos
from greenroom.documents.checking import Checker
from greenroom.documents.children import Busy, CannotStart, Closing
from greenroom.documents.findings import Examined, Fault, Form, Limits, Measure, Unusable
from greenroom.documents.likeness import BYTES
from greenroom.law.terms import DocumentKind

VISA = DocumentKind.WORK_VISA
PHOTO = encoded(picture(), "JPEG")


def both_below(pid: int) -> list[int]:
    """A process that decodes, and its fork that waits for a photo."""
    while len(found := family(pid)) != 2:
        time.sleep(0.01)
    return found


def environment(pid: int) -> bytes:
    with contextlib.suppress(OSError):  # a fork that has just ended
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


def held_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def fine(checker: Checker) -> bool:
    return isinstance(await checker.examine(PHOTO, kind=VISA), Examined)


async def test_many_at_once_get_the_answer_that_examining_here_gives() -> None:
    here = photos.examine(PHOTO, kind=VISA)
    async with Checker(processes=2) as checker:
        there = await asyncio.gather(
            *(checker.examine(PHOTO, kind=VISA) for _ in range(4)),
            *(checker.examine(in_pieces(PHOTO), kind=VISA) for _ in range(4)),
        )
    assert there == [here] * 8


TURNED = Image.Exif()
TURNED[0x0112] = 6
KINDS = {
    "JPEG that tells much": telling(),
    "CMYK": encoded(picture("CMYK"), "JPEG", exif=TURNED),
    "two pictures": multi_picture(),
    "palette": encoded(picture().quantize(16), "PNG", transparency=3, exif=TURNED),
    "16 bits": encoded(picture("I").convert("I;16"), "PNG"),
    "WebP": encoded(picture("RGBA"), "WEBP", exif=TURNED),
    "HEIC": heic(exif=TURNED.tobytes()),
    "cut": halved(encoded(picture(), "PNG")),
    "moving": frames("WEBP"),
}


@pytest.mark.parametrize("name", KINDS)
async def test_a_process_that_can_open_no_file_lacks_none(name: str) -> None:
    """What a decoder loads at its first use has to be there before."""
    async with Checker() as checker:
        assert await checker.examine(KINDS[name], kind=VISA) == photos.examine(KINDS[name], kind=VISA)


async def test_of_too_many_bytes_no_more_are_read_than_show_it() -> None:
    asked, closed = 0, False

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked, closed
        try:
            while True:
                asked += 1
                yield PHOTO[:10_000]
        finally:
            closed = True

    async with Checker(limits=Limits(photo_bytes_max=45_000)) as checker:
        assert await checker.examine(endless, kind=VISA) == Unusable(Fault.TOO_MANY_BYTES)
        assert (asked, closed) == (5, True)
        assert await fine(checker)


@LINUX
async def test_a_decoder_killed_once_is_an_accident_and_killed_again_the_photo_s_doing(processes: Processes) -> None:
    kills = 0

    def kill() -> None:
        nonlocal kills
        if kills != 1:
            end(processes())
        kills += 1

    async with Checker() as checker:
        assert await fine(checker)
        assert isinstance(await checker.examine(in_pieces(PHOTO, kill), kind=VISA), Examined)
        kills = 2
        assert await checker.examine(in_pieces(PHOTO, kill), kind=VISA) == Unusable(Fault.CRASHED)
        assert await fine(checker)


@LINUX
async def test_one_that_was_killed_while_it_idled_is_started_anew(processes: Processes) -> None:
    async with Checker() as checker:
        assert await fine(checker)
        end(idle := processes())
        await gone(idle)
        assert await fine(checker)


@LINUX
async def test_one_that_hangs_is_ended_and_its_photo_given_up(processes: Processes) -> None:
    def stop() -> None:
        end(processes(), signal.SIGSTOP)

    async with Checker(limits=Limits(wall_s=1)) as checker:
        assert await fine(checker)
        assert await checker.examine(in_pieces(PHOTO, stop), kind=VISA) == Unusable(Fault.TOO_COSTLY)
        assert await fine(checker)


async def test_a_photo_that_can_t_be_fetched_says_so_to_who_asked() -> None:
    class Unreachable(Exception):
        pass

    def fail() -> None:
        raise Unreachable

    async with Checker() as checker:
        with pytest.raises(Unreachable):
            await checker.examine(in_pieces(PHOTO, fail), kind=VISA)
        assert await fine(checker)


async def test_who_gives_up_waiting_leaves_nothing_in_the_way() -> None:
    begun = asyncio.Event()

    async def never() -> AsyncIterator[bytes]:
        yield PHOTO[:1000]
        begun.set()
        await asyncio.Event().wait()

    async with Checker() as checker:
        asked = asyncio.create_task(checker.examine(never, kind=VISA))
        await begun.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await fine(checker)


async def test_no_more_wait_than_may() -> None:
    async with Checker(waiting_max=1) as checker:
        answers = await asyncio.gather(*(fine(checker) for _ in range(3)), return_exceptions=True)
        assert [answer for answer in answers if answer is not True] == [answers[2]]
        assert isinstance(answers[2], Busy)
        assert await fine(checker)


@LINUX
async def test_closing_leaves_no_process_and_answers_who_waits(processes: Processes) -> None:
    checker, begun = Checker(processes=2), asyncio.Event()
    async with checker:
        assert await fine(checker)
        asked = asyncio.create_task(checker.examine(in_pieces(PHOTO, begun.set), kind=VISA))
        await begun.wait()
        running = processes()
        assert running
    with pytest.raises(Closing):
        await asked
    with pytest.raises(Closing):
        await fine(checker)
    await gone(running)


SERVER = """
import asyncio
from greenroom.documents.checking import Checker
from greenroom.law.terms import DocumentKind

async def main():
    checker = Checker()
    await checker.examine(b"no photo", kind=DocumentKind.WORK_VISA)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@LINUX
async def test_a_server_that_is_killed_takes_them_along() -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert await server.stdout.readline() == b"ready\n"
        below = await asyncio.to_thread(both_below, server.pid)
    finally:
        server.kill()
        await server.wait()
    await gone(below)


UVLOOP = """
import asyncio, uvloop
from greenroom.documents.checking import Checker
from greenroom.law.terms import DocumentKind

async def never():
    yield b"no"
    await asyncio.Event().wait()

async def main():
    async with Checker(processes=2) as checker:
        print((await checker.examine(b"no photo", kind=DocumentKind.WORK_VISA)).fault)
        asked = asyncio.create_task(checker.examine(never, kind=DocumentKind.WORK_VISA))
        await asyncio.sleep(0.1)
        asked.cancel()
        await asyncio.wait([asked])

uvloop.run(main())
"""


def test_a_loop_of_the_server_s_kind_ends_clean() -> None:
    ran = subprocess.run([sys.executable, "-W", "error", "-c", UVLOOP], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"NOT_A_PHOTO\n", b"")


@LINUX
async def test_they_know_nothing_of_the_server_s_environment(
    monkeypatch: pytest.MonkeyPatch, processes: Processes
) -> None:
    monkeypatch.setenv("GREENROOM_MASTER_KEY_FILE", "/PLANTED")
    async with Checker() as checker:
        assert await fine(checker)
        known = [environment(pid) for pid in processes()]
    assert any(known)
    assert not [one for one in known if b"PLANTED" in one or b"PATH" in one]


@LINUX
async def test_memory_does_not_grow_with_the_photos(processes: Processes) -> None:
    content = encoded(picture(size=(1600, 1200)), "JPEG")
    async with Checker() as checker:
        await checker.examine(content, kind=VISA)
        first, *_ = processes()
        before = held_bytes(first)
        for _ in range(30):
            await checker.examine(content, kind=VISA)
        assert processes()[0] == first, "the same process all the time"
        assert held_bytes(first) <= before + (1 << 20)


@pytest.mark.parametrize("executable", ["/nonexistent/python", "/bin/false"])
async def test_one_that_does_not_start_is_not_held_against_the_photo(
    executable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Checker() as checker:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", executable)
            with pytest.raises(CannotStart):
                await checker.examine(PHOTO, kind=VISA)
        assert await fine(checker)


GOOD: dict[str, Any] = {
    "width": 4,
    "height": 3,
    "form": "JPEG",
    "likeness": "00" * BYTES,
    "measures": {"GLARE": 1.0},
}


def told(**changes: Any) -> bytes:
    """A good answer, but for `changes`."""
    return json.dumps(GOOD | changes).encode()


FORGER = """#!{python}
import sys
def say(frame, length=None):
    sys.stdout.buffer.write((len(frame) if length is None else length).to_bytes(4, "big") + frame)
say(b'{{"confined": true}}')
sys.stdout.flush()
while length := int.from_bytes(sys.stdin.buffer.read(4), "big"):
    sys.stdin.buffer.read(length)
say({told!r}, {length})
say({jpeg!r})
"""


def forger(directory: Path, told: bytes, jpeg: bytes = b"\xff\xd8\xff", length: int | None = None) -> str:
    """A decoder that was taken over, and answers as its photo wants."""
    path = directory / "forger"
    path.write_text(FORGER.format(python=sys.executable, told=told, jpeg=jpeg, length=length))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def forged(directory: Path, monkeypatch: pytest.MonkeyPatch, **answer: Any) -> Examined | Unusable:
    monkeypatch.setattr(sys, "executable", forger(directory, **answer))
    async with Checker() as checker:
        return await checker.examine(PHOTO, kind=VISA)


async def test_an_answer_of_the_right_form_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = await forged(tmp_path, monkeypatch, told=told())
    assert result == Examined(b"\xff\xd8\xff", 4, 3, Form.JPEG, bytes(BYTES), {Measure.GLARE: 1.0})


FORGERIES: dict[str, dict[str, Any]] = {
    "no text": {"told": b"\xff"},
    "no JSON": {"told": b"{"},
    "no object": {"told": b"[]"},
    "nothing in it": {"told": b"{}"},
    "a fault that is none": {"told": b'{"fault": "NO_SUCH_FAULT"}'},
    "too wide": {"told": told(width=1_000_000)},
    "a height in words": {"told": told(height="3")},
    "another form": {"told": told(form="SVG")},
    "half a likeness": {"told": told(likeness="00")},
    "no number": {"told": told(measures={"GLARE": float("nan")})},
    "another measure": {"told": told(measures={"NAME": 1})},
    "no JPEG": {"told": told(), "jpeg": b"<script>"},
    "four gigabytes": {"told": b"{}", "length": 0xFFFFFFFF},
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_no_answer_is_believed_unread(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await forged(tmp_path, monkeypatch, **FORGERIES[name]) == Unusable(Fault.CRASHED)


async def test_a_fault_of_ours_is_logged_by_its_place_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"fault": "CRASHED", "place": "KeyError photos.py:7\n\x1b[31m" + "x" * 999}
    with capture_logs() as lines:
        await forged(tmp_path, monkeypatch, told=json.dumps(answer).encode())
    places = {line["place"] for line in lines if "place" in line}
    assert places == {"KeyError photos.py:7" + "31m" + "x" * 57}
    assert sum("place" in line for line in lines) == checking.TRIES
