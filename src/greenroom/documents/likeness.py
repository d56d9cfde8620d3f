"""Likeness: knows an image again that was scaled or compressed anew, and no other: not the same page photographed again,
not the next passport of the same country.

One hash of 64 bits can't: between pages of one country, drawn, scanned and cut alike, its least distance is 0 bits, for
the template is all that it sees. So the picture is laid out in 32 x 32 cells, and of each cell is kept how much darker
or brighter its right neighbour is, in seven levels. A line of text that differs moves a dozen cells by two levels or
more; what compression does moves a cell by one. Counted are cells that are two levels apart (tests/documents/measure.py):

    the same image, 0.3 to 1.4 times the size, JPEG 30 to 95, WebP, five times over       0 to SAME_MAX
    the same, halved by leaving out pixels                                                OTHER
    another person's page, scanned and cut alike                                          from
    another person's page, photographed from the very same place                          from
    the same page, photographed again                                                     from
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

GRID: Final = 32  # cells each way
BYTES: Final = GRID * GRID // 2  # two cells a byte
SAME_MAX: Final = 10  # cells that may be two levels apart
DRAWN_MIN: Final = 60  # cells with anything in them: below, the image says too little to be known again
_STEP, _TOP = 0.08, 3  # a level, in standard deviations of the picture; levels to each side


def likeness(cells: Sequence[float]) -> bytes:
    """Return what is remembered of an image: 512 bytes, from the means of 33 columns in each of 32 rows of cells."""
    width, mean = GRID + 1, sum(cells) / len(cells)
    level = _STEP * (sum((cell - mean) ** 2 for cell in cells) / len(cells)) ** 0.5 or 1
    levels = [
        max(-_TOP, min(_TOP, round((cells[at + 1] - cells[at]) / level))) + _TOP
        for row in range(GRID)
        for at in range(row * width, row * width + GRID)
    ]
    return bytes(left << 4 | right for left, right in zip(levels[::2], levels[1::2], strict=True))


def is_same(one: bytes, other: bytes) -> bool:
    """Say whether two likenesses are of one image."""
    return drawn(one) >= DRAWN_MIN and distance(one, other) <= SAME_MAX


def is_among(one: bytes, others: Iterable[bytes]) -> bool:
    """Say whether the image is one of these: for those that were rejected before."""
    return any(is_same(one, other) for other in others)


def distance(one: bytes, other: bytes) -> int:
    """Return how many cells are two levels apart or more, 0 to 1,024."""
    return sum(abs(a - b) > 1 for a, b in zip(_levels(one), _levels(other), strict=True))


def drawn(one: bytes) -> int:
    """Return how many cells differ from their neighbour."""
    return sum(level != _TOP for level in _levels(one))


def _levels(one: bytes) -> Iterable[int]:
    return chain.from_iterable((byte >> 4, byte & 15) for byte in one)
