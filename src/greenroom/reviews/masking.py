"""Masking: a purpose as the log keeps it for good, without what it repeats of the person it is about (X5)."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

MASK = "…"
NUMBER_ANYWHERE_MIN = 5  # characters: a shorter number is masked where it stands alone
WORD_MIN = 2  # letters
WIDE = 0xFEE0  # from a sign to its wide form, which input methods type
GAP = r"[\W_年月日]*"
# Words stand without spaces between them, or take endings on.
SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def masked(purpose: str, said: Mapping[str, str]) -> str:
    """Return a purpose with each name, address, passport number and birthday in it replaced. `said`: by column."""
    anywhere, words = [*data_of(said)], [*names_of(said.get("legal_name", ""))]
    for pattern in (*anywhere, *filter(is_spaceless, words)):
        purpose = re.sub(pattern, MASK, purpose, flags=re.IGNORECASE)
    for pattern in words:
        purpose = re.sub(pattern, of_word, purpose, flags=re.IGNORECASE)
    return purpose


def data_of(said: Mapping[str, str]) -> Iterator[str]:
    """Yield patterns of what else was handed in; the address first, which may hold a name."""
    if email := said.get("email"):
        yield re.escape(email)
    if number := "".join(filter(str.isalnum, said.get("passport_number", ""))):
        spelled = GAP.join(map(typed, number))
        yield spelled if len(number) >= NUMBER_ANYWHERE_MIN else rf"(?<![0-9A-Z]){spelled}(?![0-9A-Z])"
    if born_on := said.get("date_of_birth"):
        yield birthday(born_on)


def typed(character: str) -> str:
    """Return the pattern of a letter or digit, narrow or wide."""
    return f"[{re.escape(character)}{chr(ord(character) + WIDE) if character.isascii() else ''}]"


def birthday(born_on: str) -> str:
    """Return the pattern of a date that is given as in ISO 8601: in any order, whatever stands between its parts."""
    year, *rest = ("".join(map(typed, part)) for part in born_on.split("-"))
    month, day = (re.sub(f"^{re.escape(typed('0'))}", f"{typed('0')}?", part) for part in rest)
    orders = ((year, month, day), (day, month, year), (month, day, year), (year, day, month))
    return r"(?<!\d)(?:" + "|".join(GAP.join(order) for order in orders) + r")(?!\d)日?"


def names_of(legal_name: str) -> Iterator[str]:
    """Yield patterns of a name: the whole first, then its words and their parts."""
    words = legal_name.split()
    parts = [part for word in words for part in re.split(r"\W+", word)]
    for name in sorted({"".join(words), *words, *parts}, key=len, reverse=True):
        if len(name) >= WORD_MIN:
            yield "|".join(map(re.escape, sorted({name, name.upper(), name.casefold()}, key=len, reverse=True)))


def of_word(found: re.Match[str]) -> str:
    """Return what stands for a name that was found: itself, where it is part of another word."""
    start, end = found.span()
    around = found.string[max(start - 1, 0) : start] + found.string[end : end + 1]
    is_part = any(unicodedata.category(each)[0] in "LMN" and not is_spaceless(each) for each in around)
    return found[0] if is_part else MASK


def is_spaceless(text: str) -> bool:
    """Say whether any of these characters is of a script without spaces."""
    return any(unicodedata.name(character, "").startswith(SPACELESS) for character in text)
