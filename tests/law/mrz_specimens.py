"""Zones for the tests: specimens that ICAO and states publish, a builder, and Doc 9303's own tables of letters."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from greenroom.law.mrz import WIDTHS, Form, Zone, check_digit, read
from greenroom.law.names import TITLES
from greenroom.law.states import STATES

TODAY = date(2026, 3, 2)

# The State of Utopia: Doc 9303-4, appendix B; 9303-7, figures.
PASSPORT = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
VISA_A = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<"
VISA_B = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nL8988901C4XXX4009078F9612109<<<<<<<<"
# 9303-7, figures B-1 and B-2; specimens of the Netherlands (2014) and the Czech Republic (2007); two that the library
# JMRTD tests with.
PUBLISHED = {
    "MRV-A": "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C<3UTO6908061F9406236ZE184226B<<<<<<<",
    "MRV-B": "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nL898902C<3UTO6908061F9406236ZE184226",
    "NLD": "P<NLDDE<BRUIJN<<WILLEKE<LISELOTTE<<<<<<<<<<<\nSPECI20142NLD6503101F2403096999999990<<<<<84",
    "CZE": "P<CZESPECIMEN<<VZOR<<<<<<<<<<<<<<<<<<<<<<<<<\n99003853<1CZE1101018M1207046110101111<<<<<94",
    "ARG": "P<ARGFERNANDEZ<<LORENA<<<<<<<<<<<<<<<<<<<<<<\n00000000A0ARG7903122F081210212300004<<<<<<86",
    "HKG": "P<CHNCHUNG<<KWOK<SUM<<<<<<<<<<<<<<<<<<<<<<<<\nK123455994CHN8008080F1702057HK8888888<<<<<36",
}


def zone(
    form: Form = Form.TD3,
    *,
    code: str | None = None,
    issuer: str = "UTO",
    name: str = "ERIKSSON<<ANNA<MARIA",
    number: str = "L898902C3",
    nationality: str = "UTO",
    birth: str = "740812",
    sex: str = "F",
    expiry: str = "120415",
    optional: str = "",
    has_optional_check: bool = True,
) -> str:
    """Two lines as an issuer would print them."""
    width = WIDTHS[form]
    code = code or ("P" if form is Form.TD3 else "V")
    upper = f"{code:<<2}{issuer:<<3}{name}".ljust(width, "<")
    fields = [f"{number:<<9}", birth, expiry]
    checked = [field + check_digit(field) for field in fields]
    if form is not Form.TD3:
        return f"{upper}\n" + f"{checked[0]}{nationality:<<3}{checked[1]}{sex}{checked[2]}{optional}".ljust(width, "<")
    own = f"{optional:<<14}"
    own += check_digit(own) if optional or has_optional_check else "<"
    lower = f"{checked[0]}{nationality:<<3}{checked[1]}{sex}{checked[2]}{own}"
    return f"{upper}\n{lower}{check_digit(checked[0] + checked[1] + checked[2] + own)}"


def seen(text: str, today: date = TODAY) -> Zone:
    """What the zone says."""
    found = read(text, today=today)
    assert isinstance(found, Zone), found
    return found


LETTER, DIGIT = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
words = st.text(LETTER, min_size=1, max_size=6).filter(lambda word: word not in TITLES)
births = st.dates(date(1927, 1, 1), TODAY).map(lambda day: f"{day:%y%m%d}")
unknowns = st.tuples(births, st.sampled_from(["000000", "000011", "001111", "111111", "110000"])).map(
    lambda pair: "".join("<" if hidden == "1" else digit for digit, hidden in zip(*pair, strict=True))
)


@st.composite
def printed(draw: st.DrawFn, forms: tuple[Form, ...] = tuple(Form)) -> dict[str, Any]:
    """What `zone` takes, for a document that could exist."""
    form = draw(st.sampled_from(forms))
    primary, secondary = draw(st.lists(words, min_size=1, max_size=2)), draw(st.lists(words, max_size=2))
    name = "<".join(primary) + ("<<" + "<".join(secondary) if secondary else "")
    return {
        "form": form,
        "code": ("P" if form is Form.TD3 else "V") + draw(st.sampled_from(["<", *LETTER])),
        "issuer": draw(st.sampled_from(sorted(STATES))),
        "name": name,
        "number": draw(st.from_regex("[A-Z0-9]([A-Z0-9<]{0,7}[A-Z0-9])?", fullmatch=True)),
        "nationality": draw(st.sampled_from(sorted(STATES))),
        "birth": draw(births | unknowns),
        "sex": draw(st.sampled_from("FM<")),
        "expiry": draw(st.dates(date(1976, 1, 1), date(2075, 12, 31)).map(lambda day: f"{day:%y%m%d}")),
        "optional": draw(st.text(LETTER + DIGIT, max_size=14 if form is not Form.MRV_B else 8)),
        "has_optional_check": draw(st.booleans()),
    }


# Doc 9303-3 (8th ed.), 6.A, whole: the letters by what is recommended for them.
LATIN = {
    "A": "ÀÁÂÃĀĂĄ",
    "AE or A": "Ä",
    "AA or A": "Å",
    "AE": "Æ",
    "C": "ÇĆĈĊČ",
    "D": "ÐĎĐ",
    "E": "ÈÉÊËĒĔĖĘĚ",
    "G": "ĜĞĠĢ",
    "H": "ĤĦ",
    "I": "ÌÍÎÏĨĪĬĮİı",
    "IJ": "Ĳ",
    "J": "Ĵ",
    "K": "Ķ",
    "L": "ĹĻĽĿŁ",
    "N or NXX": "Ñ",
    "N": "ŃŅŇŊ",
    "O": "ÒÓÔÕŌŎŐ",
    "OE or O": "Ö",
    "OE": "ØŒ",
    "R": "ŔŖŘ",
    "S": "ŚŜŞŠ",
    "SS": "ẞß",
    "T": "ŢŤŦ",
    "TH": "Þ",
    "U": "ÙÚÛŨŪŬŮŰŲ",
    "UE or UXX or U": "Ü",
    "W": "Ŵ",
    "Y": "ÝŶŸ",
    "Z": "ŹŻŽ",
}
# 6.B, whole, but for three rows printed with the wrong letter, which have the one meant here: Ђ, Ћ, Ѓ.
CYRILLIC = {
    "A": "А",
    "B": "Б",
    "C": "Ћ",
    "CH or C": "Ч",
    "D": "ДЂ",
    "DZ": "Ѕ",
    "DZ or DJ": "Џ",
    "E": "ЕЭ",
    "E or IO": "Ё",
    "F": "Ф",
    "G": "ҐҒ",
    "G or GJ": "Ѓ",
    "G or H": "Г",
    "I": "І",
    "I or Y": "ИЙ",
    "I or YI": "Ї",
    "IA or YA": "Я",
    "IE": "Ъ",
    "IE or YE": "Є",
    "IU or YU": "Ю",
    "J": "Ј",
    "K": "К",
    "K or KJ": "Ќ",
    "KH or H": "Х",
    "L": "Л",
    "LJ": "Љ",
    "M": "М",
    "N": "Н",
    "NJ": "Њ",
    "O": "О",
    "P": "П",
    "R": "Р",
    "S": "С",
    "SH or S": "Ш",
    "SHCH or SHT": "Щ",
    "T": "Т",
    "TS or C": "Ц",
    "U": "УЎѪ",
    "V": "В",
    "Y": "ЫѴ",
    "Z": "З",
    "ZH or Z": "Ж",
}
