"""Zones: the two lines of a machine-readable zone among all that character recognition read in a photo (X3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain, combinations, permutations
from typing import Final

from greenroom.law.mending import EITHER, Mended, mend
from greenroom.law.mrz import PLACES, VALUES, Field, Form, check_digit, plain
from greenroom.law.terms import DocumentKind

FORMS: Final[Mapping[DocumentKind, frozenset[Form]]] = {
    DocumentKind.PASSPORT_DATA_PAGE: frozenset({Form.TD3}),
    DocumentKind.WORK_VISA: frozenset({Form.MRV_A, Form.MRV_B}),
}
"""Which documents have a zone that is read, and its forms."""

LENGTH_MAX: Final = 60  # fillers are counted long, too
UPPER_MIN: Final = 8  # fillers at a line's end are counted short
LOWER_MIN: Final = 28  # so is a visa's last field where it is empty
DIGITS_MIN: Final = 10  # of a lower line, after all that is misread: two dates and three check digits are fifteen
LINES_MAX: Final = 8
# What recognition makes of characters that no zone has; in the upper line alone, where no number can come out wrong.
LOOKS: Final = str.maketrans({"|": "I", "!": "I", "(": "<", "[": "<", "{": "<"})


@dataclass(frozen=True, slots=True, repr=False)
class ReadZone:
    """A zone as read from a photo, its check digits right; no `repr`, so that no log shows it."""

    lines: tuple[str, str]
    is_certain: bool
    """Nothing in its number was mended, nor could a look-alike stand there unseen: it may stand for a typed one."""


def zone_in(texts: Iterable[str], *, kind: DocumentKind, today: date) -> ReadZone | None:
    """Return the only zone of this kind of document that lines of text make, mended where that is possible one way."""
    lines, found = [plain(text) for text in texts][:LINES_MAX], dict[tuple[str, str], Mended]()
    for upper, lower in permutations(lines, 2):
        upper = upper.translate(LOOKS)
        if can_be_upper(upper) and can_be_lower(lower):
            mended = mend(f"{upper}\n{lower}", today=today)
            if isinstance(mended, Mended) and mended.zone.form in FORMS.get(kind, frozenset()):
                found.setdefault(mended.zone.lines, mended)
    if len(found) != 1:
        return None
    (mended,) = found.values()
    return ReadZone(mended.zone.lines, is_certain=is_certain(mended))


def can_be_upper(line: str) -> bool:
    """Say whether this can be the line with the name."""
    return line[:1] in ("P", "V") and "<" in line and is_of_a_zone(line, at_least=UPPER_MIN)


def can_be_lower(line: str) -> bool:
    """Say whether this can be the line with number and dates."""
    return sum(map(str.isdigit, line)) >= DIGITS_MIN and is_of_a_zone(line, at_least=LOWER_MIN)


def is_of_a_zone(line: str, *, at_least: int) -> bool:
    """Say whether a line has the characters of a zone, and about as many."""
    return at_least <= len(line) <= LENGTH_MAX and all(map(VALUES.__contains__, line))


def is_certain(mended: Mended) -> bool:
    """Say whether the number stands as it was read, and no other could have been."""
    number = range(1, PLACES[mended.zone.form][Field.NUMBER_CHECK].last + 1)
    changed = (change.span for change in mended.changes if change.span.line == 2)
    is_as_read = not any(span.first in number for span in changed)
    return is_as_read and not mended.unproven and not has_rival(mended.zone.lines[1][: number.stop - 1])


def has_rival(number: str) -> bool:
    """Say whether a number's check digit would hold as well if one kind of look-alike was read wrong several times.

    An engine that takes I for 1 once does so again, and two such mistakes can make up for each other.
    """
    read, check = number[:-1], number[-1]
    for pair in {frozenset(pair) for pair in EITHER.items()}:
        places = [i for i, character in enumerate(read) if character in pair]
        for wrong in chain.from_iterable(combinations(places, count) for count in range(1, len(places) + 1)):
            if check_digit("".join(EITHER[c] if i in wrong else c for i, c in enumerate(read))) == check:
                return True
    return False
