"""Comparing: a zone against what was said of its document, a visa against its passport, and an age (X2, X3, X9)."""

from dataclasses import dataclass
from datetime import date

from greenroom.law.mrz import DIGITS, LETTERS, Born, Field, Form, Sex, Zone, plain
from greenroom.law.names import Agreement, can_be_same, names_agree
from greenroom.law.states import STATES


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """What someone said of a document, or typed from its page; None: did not say."""

    name: str | None = None
    nationality: str | None = None
    """As the product stores it: ISO 3166-1 alpha-2, or XXA, XXB, XXC."""
    issuer: str | None = None
    """As the nationality."""
    number: str | None = None
    """Of a passport; what number a visa's zone carries is the issuer's choice: see `disagreements`."""
    born_on: date | None = None
    sex: Sex | None = None
    expires_on: date | None = None


def contradicted(zone: Zone, given: Given) -> tuple[Field, ...]:
    """Return what was said otherwise than the zone has it. What cannot be compared contradicts nothing: a name in
    Chinese, a sex that one side leaves open, a date that the zone does not give."""
    otherwise = {
        Field.ISSUER: given.issuer is not None and given.issuer != STATES.get(zone.issuer),
        Field.NAME: given.name is not None and names_agree(given.name, zone.names) is Agreement.DIFFERS,
        Field.NUMBER: given.number is not None and principal(given.number) != principal(zone.number),
        Field.NATIONALITY: given.nationality is not None and given.nationality != STATES.get(zone.nationality),
        Field.BIRTH: given.born_on is not None and are_apart(Born(given.born_on, given.born_on), zone.born),
        Field.SEX: given.sex is not None and differ(given.sex, zone.sex),
        Field.EXPIRY: None not in (given.expires_on, zone.expires_on) and given.expires_on != zone.expires_on,
    }
    return tuple(field for field, is_otherwise in otherwise.items() if is_otherwise)


def disagreements(passport: Zone, visa: Zone, *, visa_number: str | None = None) -> tuple[Field, ...]:
    """Return in what the visa belongs to another passport; CODE: they are no passport and visa.

    A visa's zone carries the passport's number or the visa's own, as its issuer chooses (9303-7, 4.2.2.2), and no mark
    says which. So another number than the passport's disagrees only if it is not `visa_number` either, the visa's own
    as printed above the zone; without it the number says nothing unless it is the passport's (`carries_number`).
    """
    is_own_number = visa_number is None or principal(visa_number) == principal(visa.number)
    apart = {
        Field.CODE: passport.form is not Form.TD3 or visa.form is Form.TD3,
        Field.NAME: not can_be_same(passport.names, visa.names),
        Field.NUMBER: not carries_number(visa, passport) and not is_own_number,
        Field.NATIONALITY: state_of(passport) != state_of(visa),
        Field.BIRTH: are_apart(passport.born, visa.born),
        Field.SEX: differ(passport.sex, visa.sex),
    }
    return tuple(field for field, is_apart in apart.items() if is_apart)


def carries_number(visa: Zone, passport: Zone) -> bool:
    """Say whether the visa's zone carries this passport's number, in the number's place or in the issuer's own data."""
    return principal(passport.number) in (principal(visa.number), principal(visa.optional))


def least_age(born: Born, *, on: date) -> int:
    """Return how old someone is at least: born as late as the zone allows; on 29 February: a year older in March.

    For the minimum age (X9) give `born.latest` to `days.is_under_age`, which counts the same way.
    """
    late = born.latest
    return on.year - late.year - ((on.month, on.day) < (late.month, late.day))


def are_apart(one: Born | None, other: Born | None) -> bool:
    """Say whether no day can be the birthday of both."""
    return bool(one and other and (one.latest < other.earliest or other.latest < one.earliest))


def differ(one: Sex, other: Sex) -> bool:
    """Say whether both name a sex, and not the same."""
    return Sex.UNSPECIFIED not in (one, other) and one is not other


def state_of(zone: Zone) -> str:
    """Return the nationality as the product has it, so that D is DEU; else the code itself, such as XXX."""
    return STATES.get(zone.nationality) or zone.nationality


def principal(number: str) -> str:
    """Return the nine characters that a zone has room for, without spaces and signs (9303-7, 4.2.2.2 note j)."""
    return "".join(character for character in plain(number) if character in LETTERS | DIGITS)[:9]
