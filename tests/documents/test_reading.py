"""The engine reads zones from drawn photos in a process of its own; whatever becomes of it, only the zone is lost."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from law.mrz_specimens import PASSPORT, PUBLISHED, TODAY, VISA_A, VISA_B, zone
from PIL import Image
from structlog.testing import capture_logs

from documents.papers import Shot, jpeg, page, photographed
from documents.processes import LINUX, Processes, end, gone, in_pieces
from documents.test_checking import forger
from greenroom.documents import photos, reading
from greenroom.documents.children import Closing
from greenroom.documents.findings import Examined
from greenroom.documents.reading import LIMITS, Reader
from greenroom.law.terms import DocumentKind

PAGE, VISA = DocumentKind.PASSPORT_DATA_PAGE, DocumentKind.WORK_VISA
UPRIGHT, TURNS = 0, {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


@cache
def photo(text: str, turn: int = UPRIGHT) -> bytes:
    """A page with this zone, photographed and checked."""
    taken = photographed(page(1, zone=text).image, Shot(size=(2000, 1500)))
    checked = photos.examine(jpeg(taken.transpose(TURNS[turn]) if turn else taken), kind=PAGE)
    assert isinstance(checked, Examined)
    return checked.jpeg


@pytest.fixture(scope="module")
async def reader() -> AsyncIterator[Reader]:
    """One process for several photos."""
    async with Reader() as reader:
        yield reader


async def reads(reader: Reader, text: str = PASSPORT, *, kind: DocumentKind = PAGE, turn: int = UPRIGHT) -> bool:
    found = await reader.read(photo(text, turn), kind=kind, today=TODAY)
    return found is not None and "\n".join(found.lines) == text


def test_the_engine_is_here() -> None:
    """Else what follows would tell nothing."""
    assert reading.is_installed()
    assert "rapidocr" not in sys.modules, "never in this process"


@pytest.mark.parametrize(("text", "kind"), [(PASSPORT, PAGE), (PUBLISHED["HKG"], PAGE), (VISA_A, VISA), (VISA_B, VISA)])
async def test_each_form_of_zone_is_read(reader: Reader, text: str, kind: DocumentKind) -> None:
    assert await reads(reader, text, kind=kind)


@pytest.mark.parametrize("turn", TURNS)
async def test_on_its_side_or_upside_down_it_is_read_as_well(reader: Reader, turn: int) -> None:
    assert await reads(reader, turn=turn)


async def test_a_line_that_is_found_without_its_end_is_read_longer(reader: Reader) -> None:
    text = zone(number="PS6771756", issuer="RUS", name="DE<LA<CRUZ<<MARIA", birth="610406", expiry="341021")
    tilted = Shot(seed=11, size=(3000, 4000), fill=0.9, tilt=0.08)
    checked = photos.examine(jpeg(photographed(page(11, template=11, zone=text).image, tilted)), kind=PAGE)
    assert isinstance(checked, Examined)
    found = await reader.read(checked.jpeg, kind=PAGE, today=TODAY)
    assert found is not None
    assert "\n".join(found.lines) == text


async def test_a_photo_of_something_else_has_none(reader: Reader) -> None:
    assert not await reads(reader, PASSPORT, kind=VISA)
    assert not await reads(reader, PASSPORT, kind=DocumentKind.WORK_PERMIT)
    empty = jpeg(Image.new("RGB", (1600, 1200), "white"))
    assert await reader.read(empty, kind=PAGE, today=TODAY) is None
    assert await reader.read(b"no photo at all", kind=PAGE, today=TODAY) is None
    assert await reads(reader), "the next one is read all the same"


@LINUX
async def test_a_crash_loses_the_zone_and_nothing_more(processes: Processes) -> None:
    async with Reader() as reader:
        dying = in_pieces(photo(PASSPORT), lambda: end(processes()))
        assert await reader.read(dying, kind=PAGE, today=TODAY) is None
        assert await reads(reader)


@LINUX
async def test_one_that_hangs_is_ended(processes: Processes) -> None:
    async with Reader(limits=replace(LIMITS, wall_s=0.5)) as reader:
        hanging = in_pieces(photo(PASSPORT), lambda: end(processes(), signal.SIGSTOP))
        assert await reader.read(hanging, kind=PAGE, today=TODAY) is None
        assert processes() == []


@pytest.mark.parametrize("limit", [{"cpu_s": 0}, {"memory_bytes": 64 << 20}])
async def test_what_takes_more_than_it_may_is_given_up(limit: dict[str, int]) -> None:
    async with Reader(limits=replace(LIMITS, **limit)) as reader:
        assert not await reads(reader)


@LINUX
async def test_one_that_idles_ends_and_starts_again_when_needed(processes: Processes) -> None:
    async with Reader(idle_s=0.05) as reader:
        assert await reads(reader)
        await gone(processes())
        assert await reads(reader)


@LINUX
async def test_closing_leaves_no_process(processes: Processes) -> None:
    begun = asyncio.Event()
    async with Reader() as reader:
        asked = asyncio.create_task(reader.read(in_pieces(photo(PASSPORT), begun.set), kind=PAGE, today=TODAY))
        await begun.wait()
    with pytest.raises(Closing):
        await asked
    assert processes() == []


async def test_an_engine_that_does_not_start_is_told_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with capture_logs() as lines:
        async with Reader() as reader:
            assert not await reads(reader)
    assert "zones are not read: the engine does not start" in [line["event"] for line in lines]


FORGERIES = {
    "no zone": b'{"lines": ["P<UTO", "1"], "is_certain": true}',
    "wrong digits": b'{"lines": ["%s", "%s"], "is_certain": true}'
    % tuple(line.encode() for line in PASSPORT.replace("L898902C3", "L898902C4").split("\n")),
    "another form": b'{"lines": ["%s", "%s"], "is_certain": true}'
    % tuple(line.encode() for line in VISA_A.split("\n")),
    "no list": b'{"lines": 7}',
    "no word on whether it is certain": b'{"lines": ["%s", "%s"]}'
    % tuple(line.encode() for line in PASSPORT.split("\n")),
    "no JSON": b"{",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_no_answer_is_believed_unread(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", forger(tmp_path, told=FORGERIES[name]))
    async with Reader() as reader:
        assert await reader.read(b"x", kind=PAGE, today=TODAY) is None
