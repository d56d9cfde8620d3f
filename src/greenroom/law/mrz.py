"""MRZ: the machine-readable zone of a passport or visa, read as ICAO Doc 9303 lays it out (X3).

Source: Doc 9303 (8th ed., 2021), part 3 for check digits, dates and codes, part 4 for passports, part 7 for visas.
Lines and positions are counted from 1, as there; spaces between characters do not count.

What no check digit sees: line 1, nationality and sex (`comparing` does), a visa's optional data, and one character for
another whose values differ by ten: 0 A K U and the filler, 1 B L V, and so on to 6 G Q.
"""

import re
from calendar import monthrange
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby, islice
from typing import Final

from greenroom.law.names import Names, names_of
from greenroom.law.states import STATES

TEXT_LENGTH_MAX: Final = 512  # two lines of 44 with a space after each character are 176
FAULTS_MAX: Final = 8
EXPIRY_PAST_YEARS: Final = 50  # and 49 to come: no passport or visa is good for longer, nor handed in so long after


class Form(StrEnum):
    """Which document the zone is of, by ICAO's name for its form."""

    TD3 = "TD3"
    """Passport booklet: two lines of 44."""
    MRV_A = "MRV_A"
    """Visa: two lines of 44."""
    MRV_B = "MRV_B"
    """Visa: two lines of 36."""


class Field(StrEnum):
    """One field of a zone."""

    CODE = "CODE"
    """What kind of document: P or V, and a letter of the issuer's choice."""
    ISSUER = "ISSUER"
    """Who issued it."""
    NAME = "NAME"
    """Name."""
    NUMBER = "NUMBER"
    """Passport number; on a visa the passport's or its own, as the issuer chooses."""
    NUMBER_CHECK = "NUMBER_CHECK"
    """Check digit of the number."""
    NATIONALITY = "NATIONALITY"
    """Nationality."""
    BIRTH = "BIRTH"
    """Date of birth."""
    BIRTH_CHECK = "BIRTH_CHECK"
    """Check digit of the date of birth."""
    SEX = "SEX"
    """Sex."""
    EXPIRY = "EXPIRY"
    """Last day; of most visas the last day to enter, of some the last to stay."""
    EXPIRY_CHECK = "EXPIRY_CHECK"
    """Check digit of the last day."""
    OPTIONAL = "OPTIONAL"
    """What the issuer likes."""
    OPTIONAL_CHECK = "OPTIONAL_CHECK"
    """Check digit of the issuer's own data."""
    COMPOSITE_CHECK = "COMPOSITE_CHECK"
    """Check digit of all fields of line 2 that have one."""


class FaultKind(StrEnum):
    """Why a text cannot be read as a zone."""

    EMPTY = "EMPTY"
    """There is nothing."""
    TOO_LONG = "TOO_LONG"
    """Far longer than two lines."""
    LINES = "LINES"
    """Not two lines, nor one that divides into two."""
    CHARACTER = "CHARACTER"
    """Not one of A to Z, 0 to 9 and <."""
    FORM = "FORM"
    """Begins neither with P (passport) nor with V (visa)."""
    LENGTH = "LENGTH"
    """Characters are missing, or there are too many."""
    MISPLACED = "MISPLACED"
    """A character that cannot stand in this field."""
    NO_NAME = "NO_NAME"
    """The name is empty."""
    UNMENDABLE = "UNMENDABLE"
    """No mend, or more than one, makes all check digits hold."""


class Sex(StrEnum):
    """Sex, as documents give it."""

    FEMALE = "FEMALE"
    """F."""
    MALE = "MALE"
    """M."""
    UNSPECIFIED = "UNSPECIFIED"
    """Not specified: a filler, or X as the page has it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some positions of one line, the first and the last included."""

    line: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text cannot be read, and where."""

    kind: FaultKind
    span: Span


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No zone: all that is wrong with the text, up to `FAULTS_MAX`."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """What fails in a zone that can be read: a check digit, a day of no calendar, an unknown code, a broken name."""

    field: Field
    span: Span


@dataclass(frozen=True, slots=True, repr=False)
class Born:
    """Between which days someone was born; the same day where all of the date is known."""

    earliest: date
    latest: date


@dataclass(frozen=True, slots=True, repr=False)
class Zone:
    """What a zone says; no `repr`, so that no log shows it."""

    form: Form
    code: str
    issuer: str
    names: Names
    number: str
    nationality: str
    born: Born | None
    """None: the year is unknown, or the date is none."""
    sex: Sex
    expires_on: date | None
    """The last day it is good for; None: the date is none."""
    optional: str
    failures: tuple[Failure, ...]
    lines: tuple[str, str]

    @property
    def is_sound(self) -> bool:
        """Nothing failed."""
        return not self.failures


def read(text: str, *, today: date) -> Zone | Unreadable:
    """Return what the zone says, or why it cannot be read; check digits that do not hold stand in its `failures`.

    Put right without a word: spaces, lower case, full-width letters, quotation marks for fillers, fillers missing or
    too many at a line's end, and both lines in one. The last line of a passport ends in check digits: it must be whole.
    """
    lines = lines_of(text)
    if isinstance(lines, Unreadable):
        return lines
    if (form := form_of(lines)) is None:
        return unreadable(FaultKind.FORM, Span(1, 1, 1))
    width, least = WIDTHS[form], WIDTHS[form] if form is Form.TD3 else PLACES[form][Field.EXPIRY_CHECK].last
    lines = fitted(lines[0], width), fitted(lines[1], width) if len(lines[1]) >= least else lines[1]
    if faults := tuple(islice(faults_of(lines, form), FAULTS_MAX)):
        return Unreadable(faults)
    return zone_of(lines, form, today=today)


def check_digit(text: str) -> str:
    """Return the check digit of some characters (9303-3, 4.9): weights 7, 3, 1, modulus 10."""
    return str(sum(VALUES[character] * (7, 3, 1)[i % 3] for i, character in enumerate(text)) % 10)


def lines_of(text: str) -> tuple[str, str] | Unreadable:
    """Return the two lines as they are written, spaces gone, letters A to Z in capitals, or why there are none."""
    if len(text) > TEXT_LENGTH_MAX:
        return unreadable(FaultKind.TOO_LONG, Span(1, TEXT_LENGTH_MAX + 1, len(text)))
    lines = [line for line in map(plain, LINE_BREAK.split(text)) if line]
    if not lines:
        return unreadable(FaultKind.EMPTY, Span(1, 1, 1))
    strange = (
        fault
        for number, line in enumerate(lines, 1)
        for fault in strange_in(line, Span(number, 1, len(line)), allowed=VALUES, kind=FaultKind.CHARACTER)
    )
    if faults := tuple(islice(strange, FAULTS_MAX)):
        return Unreadable(faults)
    return (lines[0], lines[1]) if len(lines) == 2 else halves("".join(lines))


def plain(line: str) -> str:
    """Return a line without spaces, in capitals and of normal width; other characters stay, to be refused."""
    kept = (c for c in line if not (c.isspace() or c in "\u200b\ufeff"))
    ascii_width = (chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in kept)
    return "".join(FILLERS.get(c, c.upper() if c.isascii() else c) for c in ascii_width)


def halves(joined: str) -> tuple[str, str] | Unreadable:
    """Return two lines that came as one, or in pieces: by their length, or where alone a second line can begin."""
    if len(joined) in (88, 72):
        middle = len(joined) // 2
        return joined[:middle], joined[middle:]
    starts = [start for start in range(6, len(joined)) if LOWER_LINE.fullmatch(joined, start)]
    if len(starts) != 1:
        return unreadable(FaultKind.LINES, Span(1, 1, len(joined)))
    return joined[: starts[0]], joined[starts[0] :]


def form_of(lines: tuple[str, str]) -> Form | None:
    """Return which document this is: by its first letter, a visa's size by its longer line."""
    if lines[0].startswith("P"):
        return Form.TD3
    visa = Form.MRV_B if max(map(len, lines)) <= WIDTHS[Form.MRV_B] else Form.MRV_A
    return visa if lines[0].startswith("V") else None


def fitted(line: str, width: int) -> str:
    """Return a line with as many fillers at its end as belong there; what else is too long stays."""
    return line[:width].ljust(width, "<") + line[width:].rstrip("<")


def faults_of(lines: tuple[str, str], form: Form) -> Iterator[Fault]:
    """Yield what is too long, too short, or stands where it cannot."""
    width, name = WIDTHS[form], PLACES[form][Field.NAME]
    for number, line in enumerate(lines, 1):
        if len(line) != width:
            yield Fault(FaultKind.LENGTH, Span(number, min(len(line), width) + 1, max(len(line), width)))
    if all(len(line) == width for line in lines):
        for field, span in PLACES[form].items():
            yield from strange_in(part_of(lines, span), span, allowed=ALLOWED[field], kind=FaultKind.MISPLACED)
        if not part_of(lines, name).strip("<"):
            yield Fault(FaultKind.NO_NAME, name)


def strange_in(text: str, span: Span, *, allowed: Container[str], kind: FaultKind) -> Iterator[Fault]:
    """Yield the runs of characters that are not allowed in a text that begins where the span does."""
    at = span.first
    for is_allowed, run in groupby(text, key=allowed.__contains__):
        first, at = at, at + len(list(run))
        if not is_allowed:
            yield Fault(kind, Span(span.line, first, at - 1))


def zone_of(lines: tuple[str, str], form: Form, *, today: date) -> Zone:
    """Return what two lines without a fault say."""
    said = {field: part_of(lines, span) for field, span in PLACES[form].items()}
    born, expires_on = born_of(said[Field.BIRTH], today=today), expiry_of(said[Field.EXPIRY], today=today)
    issuer, nationality = said[Field.ISSUER].strip("<"), said[Field.NATIONALITY].strip("<")
    is_right = {check: holds(check, said) for check in CHECKS if check in said} | {
        Field.ISSUER: issuer in STATES,
        Field.NATIONALITY: nationality in STATES,
        Field.NAME: NAME.fullmatch(said[Field.NAME]) is not None,
        Field.BIRTH: born is not None or YEAR_UNKNOWN.fullmatch(said[Field.BIRTH]) is not None,
        Field.EXPIRY: expires_on is not None,
    }
    return Zone(
        form=form,
        code=said[Field.CODE].strip("<"),
        issuer=issuer,
        names=names_of(said[Field.NAME]),
        number=said[Field.NUMBER].strip("<"),
        nationality=nationality,
        born=born,
        sex=SEXES[said[Field.SEX]],
        expires_on=expires_on,
        optional=said[Field.OPTIONAL].strip("<"),
        failures=tuple(Failure(field, span) for field, span in PLACES[form].items() if not is_right.get(field, True)),
        lines=lines,
    )


def holds(check: Field, said: Mapping[Field, str]) -> bool:
    """Say whether a check digit holds. That of empty optional data may be a filler instead of 0 (9303-4, 4.2.2.2)."""
    covered = "".join(said[field] for field in CHECKS[check])
    is_left_out = check is Field.OPTIONAL_CHECK and said[check] == "<" and not covered.strip("<")
    return is_left_out or said[check] == check_digit(covered)


def born_of(text: str, *, today: date) -> Born | None:
    """Return when someone was born: in the latest century that puts no day into the future; unknown parts are fillers.

    Someone over a hundred thus reads as a child: that is asked about, the other way round a child would be on air.
    """
    if not BIRTH_DATE.fullmatch(text):
        return None
    months = range(1, 13) if text[2] == "<" else (int(text[2:4]),)
    days = range(1, 32) if text[4] == "<" else (int(text[4:6]),)
    for century in (today.year // 100, today.year // 100 - 1):
        dates = (calendar_day(century * 100 + int(text[:2]), month, day) for month in months for day in days)
        if possible := [each for each in dates if each and each <= today]:
            return Born(min(possible), max(possible))
    return None


def expiry_of(text: str, *, today: date) -> date | None:
    """Return the last day: in the year of these two digits nearest to today's, from 50 before to 49 after it.

    Nothing is handed in that ran out longer ago, or is good for longer: the window is as wide as two digits allow.
    """
    first = today.year - EXPIRY_PAST_YEARS
    return calendar_day(first + (int(text[:2]) - first) % 100, int(text[2:4]), int(text[4:6]))


def calendar_day(year: int, month: int, day: int) -> date | None:
    """Return a day, if a calendar has it."""
    is_day = 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
    return date(year, month, day) if is_day else None


def part_of(lines: tuple[str, str], span: Span) -> str:
    """Return what stands in some positions."""
    return lines[span.line - 1][span.first - 1 : span.last]


def unreadable(kind: FaultKind, span: Span) -> Unreadable:
    """Return the only fault of a text."""
    return Unreadable((Fault(kind, span),))


VALUES: Final = {character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}
DIGITS, LETTERS, FILLER = frozenset("0123456789"), frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), frozenset("<")
SEXES: Final = {"F": Sex.FEMALE, "M": Sex.MALE, "<": Sex.UNSPECIFIED, "X": Sex.UNSPECIFIED}
# What keyboards, phones and character recognition make of one filler or two.
FILLERS: Final = {"\u2039": "<", "\u3008": "<", "\u00ab": "<<", "\u226a": "<<", "\u300a": "<<"}
LINE_BREAK: Final = re.compile("\r\n|[\n\r\u0085\u2028\u2029]")
LOWER_LINE: Final = re.compile("[A-Z0-9<]{9}[0-9][A-Z<]{3}[0-9<]{6}[0-9][MFX<][0-9]{7}[A-Z0-9<]{0,16}")
NAME: Final = re.compile("[A-Z]+(?:<[A-Z]+)*(?:<<[A-Z]+(?:<[A-Z]+)*)?<*")  # 9303-3, 4.6
BIRTH_DATE: Final = re.compile("[0-9]{2}(?:[0-9]{2}|<<){2}")
YEAR_UNKNOWN: Final = re.compile("<<(?:[0-9]{2}|<<){2}")
WIDTHS: Final = {Form.TD3: 44, Form.MRV_A: 44, Form.MRV_B: 36}

# 9303-4, 4.2.2; 9303-7, 4.2.2 and 7.2.2. On a visa the name and the issuer's own data take the rest of their lines.
# fmt: off
UPPER: Final = (
    #   field                size what can stand there
    (Field.CODE,              2,  LETTERS | FILLER),
    (Field.ISSUER,            3,  LETTERS | FILLER),
    (Field.NAME,             39,  LETTERS | FILLER),
)
LOWER: Final = (
    (Field.NUMBER,            9,  LETTERS | DIGITS | FILLER),
    (Field.NUMBER_CHECK,      1,  DIGITS),
    (Field.NATIONALITY,       3,  LETTERS | FILLER),
    (Field.BIRTH,             6,  DIGITS | FILLER),
    (Field.BIRTH_CHECK,       1,  DIGITS),
    (Field.SEX,               1,  frozenset(SEXES)),
    (Field.EXPIRY,            6,  DIGITS),
    (Field.EXPIRY_CHECK,      1,  DIGITS),
    (Field.OPTIONAL,         14,  LETTERS | DIGITS | FILLER),
    (Field.OPTIONAL_CHECK,    1,  DIGITS | FILLER),
    (Field.COMPOSITE_CHECK,   1,  DIGITS),
)
# 9303-4, 4.2.4: what each check digit covers.
CHECKS: Final[Mapping[Field, tuple[Field, ...]]] = {
    Field.NUMBER_CHECK:   (Field.NUMBER,),
    Field.BIRTH_CHECK:    (Field.BIRTH,),
    Field.EXPIRY_CHECK:   (Field.EXPIRY,),
    Field.OPTIONAL_CHECK: (Field.OPTIONAL,),
    Field.COMPOSITE_CHECK: (
        Field.NUMBER, Field.NUMBER_CHECK, Field.BIRTH, Field.BIRTH_CHECK,
        Field.EXPIRY, Field.EXPIRY_CHECK, Field.OPTIONAL, Field.OPTIONAL_CHECK,
    ),
}
# fmt: on
ALLOWED: Final = {field: allowed for field, _, allowed in UPPER + LOWER}


def laid_out(form: Form) -> dict[Field, Span]:
    """Return where each field of a form stands."""
    places, width = dict[Field, Span](), WIDTHS[form]
    for number, line in enumerate((UPPER, LOWER), 1):
        at = 1
        for field, size, _ in line:
            last = at + size - 1 if form is Form.TD3 or field not in (Field.NAME, Field.OPTIONAL) else width
            if last <= width:
                places[field] = Span(number, at, last)
            at = last + 1
    return places


PLACES: Final = {form: laid_out(form) for form in Form}
