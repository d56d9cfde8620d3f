"""Mending: a zone as character recognition read it, put right if one mend alone makes all check digits hold (X3).

Letters where only digits can stand, and digits where only letters can, are look-alikes. Where both can stand (numbers)
the check digit decides, if it leaves no choice. Fillers are counted anew where the line has the wrong length.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, islice, product
from typing import Final

from greenroom.law.mrz import (
    ALLOWED,
    DIGITS,
    LETTERS,
    PLACES,
    WIDTHS,
    FaultKind,
    Field,
    Form,
    Span,
    Unreadable,
    Zone,
    fitted,
    form_of,
    holds,
    lines_of,
    part_of,
    read,
    unreadable,
)
from greenroom.law.states import STATES

# What a swap costs where both characters can stand. Recognition mixes up 0 and O wherever they are, other look-alikes
# now and then: a field may have any number of the first and one of the others. Two would leave a choice nearly always.
MIX, SWAP, PURSE = 1, 100, 199
READINGS_MAX: Final = 1_000  # of one field; one with ten zeros has more, and is not mended


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """What mending changed: positions in the mended zone, and what was read there."""

    span: Span
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Mended:
    """The one reading in which nothing fails; without changes if the text was that already."""

    zone: Zone
    changes: tuple[Change, ...]
    unproven: tuple[Span, ...]
    """Characters of the number that a look-alike could stand for, all check digits holding: 6 and G, at its end K and a
    filler, and 0 and O where several make up for each other."""


def mend(text: str, *, today: date) -> Mended | Unreadable:
    """Return the reading in which nothing fails, and what was changed for it; or why there is not exactly one.

    A text in which nothing fails is left alone. A number with any of its zeros misread, and one other look-alike, is
    mended or refused, never taken for another; a change in a number is to be confirmed all the same, since more
    misreads, or of another kind, can come out as that. Names are under no check digit at all.
    """
    zone = read(text, today=today)
    if isinstance(zone, Zone) and zone.is_sound:
        return Mended(zone, (), unproven_in(zone))
    lines = lines_of(text)
    if isinstance(lines, Unreadable):
        return lines
    if (form := form_of(lines)) is None:
        return unreadable(FaultKind.FORM, Span(1, 1, 1))
    width = WIDTHS[form]
    upper = mended_upper(lines[0], width)
    in_upper = changes_of(lines[0].ljust(width, "<"), upper, line=1)
    found = dict[str, Mended]()
    for spaced, respaced in spacings(lines[1], width):
        for lower in (spaced, mended_lower(spaced, form)):
            zone = read(f"{upper}\n{lower}", today=today)
            if isinstance(zone, Zone) and zone.is_sound:
                changes = (*in_upper, *respaced, *changes_of(spaced, lower, line=2))
                found.setdefault(lower, Mended(zone, changes, unproven_in(zone)))
                break
    return found.popitem()[1] if len(found) == 1 else unreadable(FaultKind.UNMENDABLE, Span(2, 1, width))


def mended_upper(line: str, width: int) -> str:
    """Return line 1 with letters for digits, a known issuer, and fillers after the name's end."""
    name = "".join(AS_LETTERS.get(character, character)[0] for character in line[5:])
    known = NAME_BEGINS.match(name)
    end = known.end() if known else len(name)
    rest = "<" * len(name[end:]) if not name[end:].strip("<KLC") else name[end:]
    return fitted(line[:2] + code_of(line[2:5]) + name[:end] + rest, width)


def mended_lower(line: str, form: Form) -> str:
    """Return line 2 with every field as it can be, or nothing if some field can be several ways or none."""
    said = {field: part_of(("", line), span) for field, span in PLACES[form].items() if span.line == 2}
    said[Field.NATIONALITY] = code_of(said[Field.NATIONALITY])
    said[Field.SEX] = "<" if said[Field.SEX] in set("KLC") else said[Field.SEX]
    if form is Form.TD3:
        said[Field.COMPOSITE_CHECK] = AS_DIGIT.get(said[Field.COMPOSITE_CHECK], said[Field.COMPOSITE_CHECK])
        unused = UNUSED.search(said[Field.OPTIONAL])
        used = unused.start() if unused else len(said[Field.OPTIONAL])
        said[Field.OPTIONAL] = said[Field.OPTIONAL][:used].ljust(len(said[Field.OPTIONAL]), "<")
    for field, check in ONE_BY_ONE.items():
        if check in said:
            fit = fitting(said, field, check, purse=0) or fitting(said, field, check, purse=PURSE)
            if len(fit) != 1:
                return ""
            said[field], said[check] = fit.pop()
    return "".join(said.values())


def spacings(line: str, width: int) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """Yield the line at its width: as it is, or with one run of fillers as much longer or shorter as it takes."""
    missing = width - len(line)
    if not missing:
        yield line, ()
        return
    for run in re.finditer("<+|$", line):
        was, size = run.group(), len(run.group()) + missing
        if size >= 0:
            span = Span(2, run.start() + 1, run.start() + size)
            yield line[: run.start()] + "<" * size + line[run.end() :], (Change(span, was, "<" * size),)


def code_of(text: str) -> str:
    """Return the only known code that three characters can be read as; else the characters."""
    ways = (AS_LETTERS.get(c, c) + ("<" if c in "KLC" else "") for c in text)
    known = {code for code in map("".join, product(*ways)) if code.rstrip("<") in STATES}
    return known.pop() if len(known) == 1 and text.rstrip("<") not in STATES else text


def fitting(said: Mapping[Field, str], field: Field, check: Field, *, purse: int) -> set[tuple[str, str]]:
    """Return the readings of a field and its check digit that hold; none if there are too many to try."""
    size = len(said[field])
    ways = [*ways_to_read(said[field], field), *ways_to_read(said[check], check)]
    readings = list(islice(spelled(ways, purse), READINGS_MAX + 1))
    pairs = ((text[:size], text[size:]) for text in readings if len(readings) <= READINGS_MAX)
    return {(value, digit) for value, digit in pairs if holds(check, {field: value, check: digit})}


def ways_to_read(text: str, field: Field) -> Iterator[tuple[tuple[str, int], ...]]:
    """Yield for each character how it can be read, each way with its price: nothing if what was read cannot stand."""
    allowed = ALLOWED[field]
    for i, character in enumerate(text):
        if character not in allowed:
            filler = "<" if character in "KLC" and "<" in allowed else ""
            yield tuple((way, 0) for way in AS_DIGIT.get(character, "") + filler)
        elif allowed >= LETTERS | DIGITS:
            filler = "<" if character in "LC" and not text[i:].strip("<KLC") else ""
            price = MIX if character in "0O" else SWAP
            yield (character, 0), *((way, price) for way in EITHER.get(character, "") + filler)
        else:
            yield ((character, 0),)


def spelled(ways: Sequence[tuple[tuple[str, int], ...]], purse: int) -> Iterator[str]:
    """Yield every reading that the purse can pay."""
    if not ways:
        yield ""
        return
    for way, price in ways[0]:
        if price <= purse:
            yield from (way + rest for rest in spelled(ways[1:], purse - price))


def changes_of(was: str, now: str, *, line: int) -> tuple[Change, ...]:
    """Return the runs of positions in which two lines differ."""
    runs, at = list[Change](), 1
    for is_same, pairs in groupby(zip(was, now, strict=False), key=lambda pair: pair[0] == pair[1]):
        before, after = map("".join, zip(*pairs, strict=True))
        if not is_same:
            runs.append(Change(Span(line, at, at + len(after) - 1), before, after))
        at += len(after)
    return tuple(runs)


def unproven_in(zone: Zone) -> tuple[Span, ...]:
    """Return where in the number a look-alike could stand unseen."""
    number, check = (part_of(zone.lines, PLACES[zone.form][field]) for field in (Field.NUMBER, Field.NUMBER_CHECK))
    said = {Field.NUMBER: number, Field.NUMBER_CHECK: check}
    rivals = [rival for rival, _ in fitting(said, Field.NUMBER, Field.NUMBER_CHECK, purse=SWAP - MIX)]
    doubtful = (
        character in "6G" or (character == "K" and not number[i:].strip("<K")) or any(r[i] != character for r in rivals)
        for i, character in enumerate(number)
    )
    return tuple(Span(2, i, i) for i, is_doubtful in enumerate(doubtful, 1) if is_doubtful)


# What OCR-B is misread as. A filler is read as K, L or C.
AS_DIGIT: Final = {"O": "0", "Q": "0", "D": "0", "I": "1", "L": "1", "Z": "2", "S": "5", "G": "6", "B": "8"}
AS_LETTERS: Final = {"0": "ODQ", "1": "IL", "2": "Z", "5": "S", "6": "G", "8": "B"}
# Where both can stand. Not 6 and G: their values differ by ten, which no check digit sees, nor K and a filler.
EITHER: Final = {"0": "O", "O": "0", "1": "I", "I": "1", "2": "Z", "Z": "2", "5": "S", "S": "5", "8": "B", "B": "8"}
NAME_BEGINS: Final = re.compile("[A-Z]+(?:<[A-Z]+)*(?:<<[A-Z]+(?:<[A-Z]+)*)?")
UNUSED: Final = re.compile("<[<KLC]*$")  # of the issuer's own data: after a filler, to the field's end
ONE_BY_ONE: Final[Mapping[Field, Field]] = {
    Field.NUMBER: Field.NUMBER_CHECK,
    Field.BIRTH: Field.BIRTH_CHECK,
    Field.EXPIRY: Field.EXPIRY_CHECK,
    Field.OPTIONAL: Field.OPTIONAL_CHECK,
}
