"""Photos damaged at random, some in many places: every one gets an answer, and no process is lost for good.

`GREENROOM_FUZZ=10000 pytest tests/documents/test_fuzz.py` tries more of them.
"""

import asyncio
import os
import random
from collections import Counter

from hostile_files.make import encoded, heic, picture
from PIL import Image

from greenroom.documents.checking import Checker
from greenroom.documents.findings import Examined, Fault, Limits, Unusable
from greenroom.law.terms import DocumentKind

COUNT = int(os.environ.get("GREENROOM_FUZZ", "2500"))
SMALL = (48, 36)
TINY = Limits(long_side_min_px=8, short_side_min_px=8)  # small pictures, so that many can be tried


def seeds() -> list[bytes]:
    """One small file of each make."""
    small, turned = picture(size=SMALL), Image.Exif()
    turned[0x0112] = 6
    return [
        encoded(small, "JPEG"),
        encoded(small, "JPEG", progressive=True),
        encoded(small, "JPEG", exif=turned),
        encoded(small.convert("CMYK"), "JPEG"),
        encoded(small, "PNG"),
        encoded(small.quantize(16), "PNG", transparency=3, exif=turned),
        encoded(small.convert("I").convert("I;16"), "PNG"),
        encoded(small, "WEBP"),
        encoded(small.convert("RGBA"), "WEBP", lossless=True, exif=turned),
        heic(size=(64, 64)),
    ]


def damaged(number: int, sources: list[bytes]) -> bytes:
    """The same bytes for the same number."""
    rng = random.Random(number)
    content = bytearray(rng.choice(sources))
    for _ in range(rng.choice((1, 2, 4, 16))):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(5):
            case 0:
                content[at : at + 1] = rng.randbytes(1)
            case 1:
                content[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
            case 2:
                del content[at : at + rng.randrange(1, 40)]
            case 3:
                content[at:at] = rng.randbytes(rng.randrange(1, 20))
            case _:
                other = rng.choice(sources)
                start = rng.randrange(len(other))
                content[at : at + 16] = other[start : start + 16]
    return bytes(content)


async def test_no_damage_takes_a_process_for_good() -> None:
    sources, numbers, found = seeds(), iter(range(COUNT)), Counter[Fault | None]()
    async with Checker(processes=2, limits=TINY) as checker:

        async def examine_next() -> None:
            for number in numbers:
                result = await checker.examine(damaged(number, sources), kind=DocumentKind.WORK_VISA)
                found[result.fault if isinstance(result, Unusable) else None] += 1

        await asyncio.gather(*(examine_next() for _ in range(4)))
        for source in sources:
            assert isinstance(await checker.examine(source, kind=DocumentKind.WORK_VISA), Examined)
    assert found.total() == COUNT
    assert found[None] > COUNT / 10, "damage that goes unnoticed is tried as well"
    assert found[Fault.BROKEN] > COUNT / 10
