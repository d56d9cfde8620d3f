"""Text: what people type, checked and made comparable."""

import re
import unicodedata
from functools import cache

from babel import Locale
from email_validator import EmailNotValidError, validate_email

from greenroom.errors import (
    BLANK,
    CONTROL_CHARACTERS,
    COUNTRY_UNKNOWN,
    EMAIL_IMPOSSIBLE,
    TOO_LONG,
    Path,
    Problem,
    Required,
    invalid,
)
from greenroom.law.terms import RequirementKind

EMAIL_LENGTH_MAX = 254
MARKS_MAX = 4  # characters that one is typed with, accents apart: more is no name
STATELESS = frozenset({"XXA", "XXB", "XXC"})  # ICAO 9303: stateless person, refugee, other refugee
NOT_TYPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters, marks and a sign that leave no ink
JOINERS = frozenset("\u200c\u200d")  # between letters of Persian or Sinhala, between the faces of a family
SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # choose the form of what they follow


def one_line(
    value: str | None, *, at: Path, most: int, requirement: RequirementKind | None = None
) -> tuple[str, list[Problem]]:
    """Return a name or title without outer spaces, in NFC, with what is wrong with it; "" then."""
    if value is None or (requirement and not value.strip()):
        return "", [Required(at, requirement)]
    bare = value.strip()
    typed = bare if len(bare) > most * MARKS_MAX else unicodedata.normalize("NFC", bare)  # slow for long ones
    if len(typed) > most:
        return "", [invalid(at, TOO_LONG, requirement=requirement, most=most, given=len(typed))]
    if any(is_hidden(typed[i - 1 : i], c, typed[i + 1 : i + 2]) for i, c in enumerate(typed)):
        return "", [invalid(at, CONTROL_CHARACTERS, requirement=requirement)]
    if not any(is_visible(c) for c in typed):
        return "", [invalid(at, BLANK, requirement=requirement)]
    return typed, []


def is_hidden(before: str, character: str, after: str) -> bool:
    """Nobody sees it, and it shapes neither of its neighbours: it could make one name look like another."""
    if character in JOINERS:
        return not (is_visible(before) or unicodedata.category(before or " ") == "Mn") or not is_visible(after)
    if SELECTORS.match(character):
        return not is_visible(before)
    return unicodedata.category(character) in NOT_TYPED or character in UNSEEN


def is_visible(character: str) -> bool:
    """A name of joiners and spaces alone shows nothing; no character, as before the first, neither."""
    return unicodedata.category(character or " ") not in {"Cf", "Zs", "Mn"}


def email_address(value: str | None, *, at: Path) -> tuple[str, list[Problem]]:
    """Return a normalised address; no mail is sent and no name server asked (A27)."""
    if value is None or not value.strip():
        return "", [Required(at, RequirementKind.EMAIL)]
    if len(value) > EMAIL_LENGTH_MAX:
        return "", [invalid(at, TOO_LONG, requirement=RequirementKind.EMAIL, most=EMAIL_LENGTH_MAX, given=len(value))]
    try:
        return validate_email(value.strip(), check_deliverability=False).normalized, []
    except EmailNotValidError:
        return "", [invalid(at, EMAIL_IMPOSSIBLE, requirement=RequirementKind.EMAIL)]


def country(value: str | None, *, at: Path, requirement: RequirementKind | None = None) -> tuple[str, list[Problem]]:
    """Return a country code in capitals."""
    if value is None or not value.strip():
        return "", [Required(at, requirement)]
    typed = value.strip().upper()
    is_known = value.isascii() and typed in countries()  # ß in capitals would be South Sudan
    return typed, [] if is_known else [invalid(at, COUNTRY_UNKNOWN, requirement=requirement)]


@cache
def countries() -> frozenset[str]:
    """Return every code that a nationality can have: ISO 3166-1 alpha-2, and ICAO's for the stateless."""
    known = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in known if len(code) == 2 and code not in NO_COUNTRIES) | STATELESS


# Codes that Unicode keeps for itself: unions, outlying islands that issue no passport, and the unknown.
NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})


def folded(text: str) -> str:
    """Return a name as a search compares it: without case, accents or width; Chinese and Cyrillic stay themselves."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def searched(search: str) -> str:
    """Return what is searched for, bounded, without the one character that PostgreSQL keeps in no text."""
    return search[:SEARCH_LENGTH_MAX].replace("\x00", "").strip()


def pattern(search: str) -> str:
    """Return a LIKE pattern that finds the folded text anywhere, taking its own wildcards literally."""
    text = folded(searched(search))
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"


SEARCH_LENGTH_MAX = 200
