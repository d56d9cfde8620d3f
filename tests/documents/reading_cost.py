"""Cost: what reading a zone from photos of 12 megapixels takes: `PYTHONPATH=tests python -m documents.reading_cost`."""

import asyncio
import os
from pathlib import Path

from law.mrz_specimens import PASSPORT, TODAY

from documents.cost import below, cpu_s
from documents.papers import Shot, jpeg, page, photographed
from documents.processes import family
from greenroom.documents import photos
from greenroom.documents.findings import Examined
from greenroom.documents.reading import Reader
from greenroom.law.terms import DocumentKind

COUNT = 20
PAGE = DocumentKind.PASSPORT_DATA_PAGE


async def main() -> None:
    """CPU and memory of a row of readings, as /proc tells them; the fork's memory is looked at while it reads."""
    checked = photos.examine(jpeg(photographed(page(1, zone=PASSPORT).image, Shot(size=(4000, 3000))), 92), kind=PAGE)
    assert isinstance(checked, Examined)
    async with Reader() as reader:
        await reader.read(checked.jpeg, kind=PAGE, today=TODAY)
        pid, peak = below(os.getpid()), 0
        await asyncio.sleep(1)  # until the fork counts
        before = cpu_s(pid)
        print(f"start and first reading: {before:.2f} s of CPU; idle it holds {status(pid, 'VmRSS'):.0f} MB")
        for _ in range(COUNT):
            asked = asyncio.create_task(reader.read(checked.jpeg, kind=PAGE, today=TODAY))
            while not asked.done():
                await asyncio.sleep(0.01)
                peak = max([peak, *(status(fork, "VmHWM") for fork in family(pid))])
            assert await asked
        await asyncio.sleep(1)
        each = (cpu_s(pid) - before) / COUNT
        print(f"each of {COUNT} more: {each:.2f} s of CPU; a fork holds {peak:.0f} MB at most, much of it shared")
        print(f"idle it holds {status(pid, 'VmRSS'):.0f} MB then")


def status(pid: int, name: str) -> float:
    """A line of a process's status, in MB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    asyncio.run(main())
