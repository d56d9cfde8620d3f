"""Cost: what photos of 12 megapixels cost the processes of checking.py: `PYTHONPATH=tests python -m documents.cost`."""

import asyncio
import os
from io import BytesIO
from pathlib import Path

import pillow_heif
from PIL import Image, ImageCms

from documents.papers import Shot, encoded, jpeg, page, photographed
from greenroom.documents.checking import Checker
from greenroom.law.terms import DocumentKind

COUNT = 100


async def main() -> None:
    """CPU and memory of a hundred photos in a row, as /proc tells them."""
    whole = photographed(page(1).image, Shot(size=(4000, 3000)))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, content in {
        "JPEG": jpeg(whole, 92),
        "JPEG with a profile": jpeg(whole, 92, icc_profile=profile),
        "WebP": encoded(whole, "WEBP", quality=80, method=0),
        "HEIC": heic(whole),
    }.items():
        async with Checker() as checker:
            await checker.examine(content, kind=DocumentKind.PASSPORT_DATA_PAGE)
            pid = below(os.getpid())
            before, first = cpu_s(pid), held_mb(pid)
            for _ in range(COUNT):
                await checker.examine(content, kind=DocumentKind.PASSPORT_DATA_PAGE)
            cpu_ms = (cpu_s(pid) - before) / COUNT * 1000
            size = f"{name:20} {len(content) / 1e6:5.2f} MB"
            print(
                f"{size} {cpu_ms:5.0f} ms of CPU; held {first:.1f} MB, after {COUNT} {held_mb(pid):.1f} MB", flush=True
            )


def heic(image: Image.Image) -> bytes:
    file = BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=60, enc_params={"preset": "ultrafast"})
    return file.getvalue()


def below(pid: int) -> int:
    """The process that this one started."""
    (found,) = (int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if fields(stat)[1:2] == [str(pid)])
    return found


def cpu_s(pid: int) -> float:
    """Of a process and of its children that have ended."""
    return sum(map(int, fields(Path(f"/proc/{pid}/stat"))[11:15])) / os.sysconf("SC_CLK_TCK")


def held_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def fields(stat: Path) -> list[str]:
    """What stands behind the name, from the state on."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []


if __name__ == "__main__":
    asyncio.run(main())
