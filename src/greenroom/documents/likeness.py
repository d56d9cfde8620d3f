"""Likeness: knows an image again that was scaled or compressed anew, and takes no other for it.

Other is the same page photographed again, as it should be, and the next passport of the same country. One hash of 64
bits can't tell that one: between pages of one country, scanned alike, its least distance is 0 bits, for it sees the
template alone. So the picture is laid out in 32 x 32 cells, and of each is kept how much brighter or darker its right
neighbour is, in seven levels. Another name or face moves dozens of cells by two levels or more, compression few by one.
Counted are the cells that are two levels apart (tests/documents/measure.py, 24 people):

    the same image: 0.3 to 1.4 times the size, JPEG 30 to 95, WebP, five times over, brighter, in grey     0 to   5
    the same image, halved by leaving out pixels                                                           0 to   9
    another person's page, scanned alike                                                                  44 to 149
    another person's page, photographed without noise from the very same place                            16 to  72
    the same page, photographed again by hand                                                             61 to 298
    the same image, cut by 0.5 % at each side                                                             12 to  52

It is a picture of 32 pixels in which nobody can be seen and nothing read; and it is data of a person all the same.
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
