"""Names: how a passport spells a name in A to Z, and whether what someone typed can be that name (X3).

Source: ICAO Doc 9303-3 (8th ed., 2021), 4.6 on punctuation and titles, 6.A and 6.B on letters; 9303-4, 4.2.3 and
9303-7 on names cut short.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Final, TypeAlias

NAME_LENGTH_MAX: Final = 200
STATES_MAX: Final = 5_000  # of one comparison; twenty initials, each skipped or not, would make a million


class Agreement(StrEnum):
    """Whether a typed name can be the name in a zone."""

    AGREES = "AGREES"
    """It can: the same name, perhaps in another order, without middle names, or spelt another allowed way."""
    DIFFERS = "DIFFERS"
    """It cannot."""
    CANNOT_TELL = "CANNOT_TELL"
    """Nothing to compare: a script without a table, such as Chinese, or no letters at all."""


@dataclass(frozen=True, slots=True, repr=False)
class Names:
    """The name field of a zone, by its components; no `repr`, so that no log shows a name."""

    primary: tuple[str, ...]
    """Mostly the family name; the whole name where the issuer does not divide it."""
    secondary: tuple[str, ...] = ()
    is_cut: bool = False
    """The field is full to its last position: any component may be shortened, and the last ones left out."""


def names_of(field: str) -> Names:
    """Return the names in a name field: two fillers divide the identifiers, one divides components."""
    primary, _, secondary = field.strip("<").partition("<<")
    return Names(components(primary), components(secondary), is_cut=field[-1:] not in ("", "<"))


def components(text: str) -> tuple[str, ...]:
    """Return what stands between fillers."""
    return tuple(part for part in text.split("<") if part)


def names_agree(typed: str, names: Names) -> Agreement:
    """Say whether someone who typed this can be named so.

    Tolerated: order, case, spaces and hyphens; titles; any spelling that the tables allow; a given name after the
    first left out; and where the field is full, whatever may have been cut. The primary identifier and the first given
    name must be there. A name typed plainly (Muller for MUELLER) differs: nothing says that an umlaut was meant.
    """
    words = words_of(typed)
    if not words or not names.primary:
        return Agreement.CANNOT_TELL
    untitled = [word for word in words if plainest(word) not in TITLES]
    verdicts = [fits(words, names), fits(untitled, names)]
    if True in verdicts:
        return Agreement.AGREES
    return Agreement.CANNOT_TELL if None in verdicts else Agreement.DIFFERS


def can_be_same(one: Names, other: Names) -> bool:
    """Say whether two documents can name one person: visas have shorter fields than passports, and cut elsewhere."""
    if is_cut_alike(one, other):
        return True
    both_ways = ((one, other), (other, one))
    return any(names_agree(" ".join((*a.primary, *a.secondary)), b) is Agreement.AGREES for a, b in both_ways)


def spelt(name: str) -> str | None:
    """Return a name as the tables recommend it first, components separated by a space; None: no table for a letter."""
    words = words_of(name)
    return None if words is None else " ".join(plainest(word) for word in words)


Word: TypeAlias = list[tuple[str, ...]]
"""A word as its letters, each by the ways to spell it."""


def words_of(typed: str) -> list[Word] | None:
    """Return the words of a name; None: too long, or a letter that no table has."""
    if len(typed) > NAME_LENGTH_MAX:
        return None
    words: list[Word] = [[]]
    for character in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).upper()):
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp", "Pd", "Cc") or character in ",<":
            words.append([])
        elif ways := ways_to_spell(character):
            words[-1].append(ways)
        elif category[0] not in "PSMC" and category != "Lm":  # all other punctuation is omitted (9303-3, 4.6)
            return None
    return [word for word in words if word]


def ways_to_spell(character: str) -> tuple[str, ...]:
    """Return how a capital letter can be spelt, the recommended way first; nothing if no table has it."""
    base = unicodedata.normalize("NFD", character)[0]  # 6.A gives all other accented letters as the bare one
    return SPELLINGS.get(character) or SPELLINGS.get(base) or ((base,) if "A" <= base <= "Z" else ())


def plainest(word: Word) -> str:
    """Return a word as recommended first."""
    return "".join(ways[0] for ways in word)


def fits(words: Sequence[Word], names: Names) -> bool | None:
    """Say whether the components, in any order and joined or not, make up the typed words; None: too much to try.

    A state is how many typed letters are used up and which components; each step uses one more component, or skips a
    word that may have been cut.
    """
    letters = [ways for word in words for ways in word]
    next_word = [sum(map(len, words[: i + 1])) for i, word in enumerate(words) for _ in word] + [len(letters)]
    parts = (*names.primary, *names.secondary)
    needed = (1 << len(names.primary) + bool(names.secondary)) - 1
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        if len(seen) > STATES_MAX:
            return None
        at, used = todo.pop()
        if at == len(letters) and used & needed == needed:
            return True
        steps = {(next_word[at], used)} if names.is_cut and (at == 0 or next_word[at - 1] == at) else set()
        tried = set[str]()
        for i, part in enumerate(parts):
            if used >> i & 1 or part in tried:  # of two alike, the first goes first
                continue
            tried.add(part)
            for end in ends_of(part, letters, start=at, is_cut=names.is_cut):
                steps |= {(end, used | 1 << i)}
                if names.is_cut and end:
                    steps |= {(next_word[end - 1], used | 1 << i)}
        todo += steps - seen
        seen |= steps
    return False


def ends_of(part: str, letters: Sequence[tuple[str, ...]], *, start: int, is_cut: bool) -> Iterator[int]:
    """Yield where the letters from `start` on have spelt the component, whichever way each is spelt."""
    offsets = {0}
    for at in range(start, len(letters)):
        ways = letters[at]
        if is_cut and any(offset < len(part) and way.startswith(part[offset:]) for way in ways for offset in offsets):
            yield at + 1  # perhaps cut between the two letters that stand for one
        offsets = {offset + len(way) for way in ways for offset in offsets if part.startswith(way, offset)}
        if len(part) in offsets:
            yield at + 1
        if not offsets:
            return


def is_cut_alike(one: Names, other: Names) -> bool:
    """Say whether, component by component, whichever name was cut is a beginning of the other."""
    pairs = [*zip_longest(one.primary, other.primary), *zip_longest(one.secondary, other.secondary)]
    return all(
        a == b
        or (one.is_cut and (a is None or (b is not None and b.startswith(a))))
        or (other.is_cut and (b is None or (a is not None and a.startswith(b))))
        for a, b in pairs
    )


# Not part of a name (9303-3, 4.6), unless the issuer prints them.
TITLES: Final = frozenset({"DR", "SIR", "JR", "SR", "II", "III"})

# 6.A, where a letter is more than its base letter. Not in 6.A: ə (Azerbaijani, both are printed).
LATIN: Final = """
Ä AE A / Å AA A / Æ AE / Ð D / Đ D / Ħ H / Ł L / Ñ N NXX / Ŋ N / Ö OE O / Ø OE / Œ OE / ẞ SS / Ŧ T / Ü UE UXX U / Þ TH
Ə A E
"""
# 6.B: the general spelling, then the languages that differ: Belarusian, Bulgarian, Macedonian, Serbian, Ukrainian. A
# person does not say which, so that any of them can be meant anywhere. Three rows are printed with the wrong letter and
# stand here with the one meant: Ћ C (printed Һ), Ђ D (its code, with the picture of Ћ), Ѓ G or GJ (printed Ғ).
# Not in 6.B, but met with: Й Y, Ю YU, Я YA (Russia 1997-2010, Bulgaria), Ц TC (Russia 2010-2013), Х H and Ъ A
# (Bulgaria), Ё YO (by request), and Ь, which is left out.
CYRILLIC: Final = """
А A / Б B / В V / Г G H / Ґ G / Ғ G / Ѓ G GJ / Д D / Ђ D / Е E / Ё E IO YO / Є IE YE / Ж ZH Z / З Z / Ѕ DZ / И I Y
І I / Ї I YI / Й I Y / Ј J / К K / Ќ K KJ / Л L / Љ LJ / М M / Н N / Њ NJ / О O / П P / Р R / С S / Т T / Ћ C / У U
Ў U / Ф F / Х KH H / Һ H C / Ц TS C TC / Ч CH C / Џ DZ DJ / Ш SH S / Щ SHCH SHT / Ъ IE A / Ы Y / Э E / Ю IU YU / Я IA YA
Ѫ U / Ѵ Y
"""
SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    letter: tuple(ways)
    for row in (LATIN + CYRILLIC).replace("\n", " / ").split(" / ")
    if row.strip()
    for letter, *ways in [row.split()]
} | {"Ь": ("",)}
