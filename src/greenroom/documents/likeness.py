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
    return is_among(one, (other,))


def is_among(one: bytes, others: Iterable[bytes]) -> bool:
    """Say whether the image is one of these: for those that were rejected before."""
    if drawn(one) < DRAWN_MIN:
        return False
    laid_out = _laid_out(one)
    return any(_apart(laid_out, _laid_out(other)) <= SAME_MAX for other in others)


def distance(one: bytes, other: bytes) -> int:
    """Return how many cells are two levels apart or more, 0 to 1,024."""
    return _apart(_laid_out(one), _laid_out(other))


def drawn(one: bytes) -> int:
    """Return how many cells differ from their neighbour."""
    return sum((byte >> 4 != _TOP) + (byte & 15 != _TOP) for byte in one)


# An account may have hundreds of refused images, and one that hands in waits for this with its rows locked. So all
# cells are compared at once, as one number with a byte for each: 30 times faster than one after the other.
_ONES: Final = int.from_bytes(b"\x01" * 2 * BYTES)
_LOW: Final = int.from_bytes(b"\x0f" * BYTES)


def _laid_out(one: bytes) -> int:
    cells = int.from_bytes(one)
    return (cells >> 4 & _LOW) << 8 * BYTES | cells & _LOW


def _apart(one: int, other: int) -> int:
    ahead = one + 16 * _ONES - other  # 1 to 31 in each byte: 16 where both are alike
    above, below = ahead + 14 * _ONES, (ahead ^ 31 * _ONES) + 15 * _ONES  # 32 and more from 18 up, and from 14 down
    return ((above | below) & 32 * _ONES).bit_count()
