"""Each hostile file gets its own clear answer, and the process that hands them on survives them all."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from hostile_files.make import CORPUS, encoded, picture, scans_without_end
from PIL import Image

from greenroom.documents.checking import Checker
from greenroom.documents.findings import Examined, Fault, Limits, Unusable
from greenroom.law.terms import DocumentKind

PERMIT = DocumentKind.RESIDENCE_PERMIT


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[Checker]:
    """One process for the whole corpus."""
    async with Checker() as checker:
        yield checker


@pytest.mark.parametrize("name", CORPUS)
async def test_a_hostile_file_gets_its_answer(name: str, checker: Checker) -> None:
    hostile = CORPUS[name]
    result = await checker.examine(hostile.content(), kind=PERMIT)
    match result:
        case Unusable(fault):
            assert fault is hostile.fault
        case Examined():
            assert hostile.fault is None
            for planted in (b"PLANTED", b"script", b"Exif", b"ICC_PROFILE", b"http://"):
                assert planted not in result.jpeg
            image = Image.open(BytesIO(result.jpeg))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (result.width, result.height))


async def test_all_that_survived_them_still_examines_a_photo(checker: Checker) -> None:
    assert isinstance(await checker.examine(encoded(picture(), "JPEG"), kind=PERMIT), Examined)


async def test_a_photo_that_takes_too_long_or_too_much_is_given_up() -> None:
    slow, large = scans_without_end(10_000), CORPUS["just-allowed.png"].content()
    async with Checker(limits=Limits(cpu_s=1)) as checker:
        assert await checker.examine(slow, kind=PERMIT) == Unusable(Fault.TOO_COSTLY)
        assert isinstance(await checker.examine(encoded(picture(), "JPEG"), kind=PERMIT), Examined)
    async with Checker(limits=Limits(memory_bytes=384 << 20)) as checker:
        assert await checker.examine(large, kind=PERMIT) == Unusable(Fault.TOO_COSTLY)
        assert isinstance(await checker.examine(encoded(picture(), "JPEG"), kind=PERMIT), Examined)
