"""Machine-readable zones: specimens, what is put right or refused, dates, codes, and what sees a change (X2, X3)."""

from datetime import date
from time import perf_counter
from typing import Any

import pytest
from babel.core import get_global
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom.law.comparing import Given, contradicted
from greenroom.law.mrz import (
    CHECKS,
    FAULTS_MAX,
    PLACES,
    VALUES,
    FaultKind,
    Field,
    Form,
    Sex,
    Span,
    Unreadable,
    Zone,
    check_digit,
    part_of,
    read,
)
from greenroom.law.states import ISO, STATES
from greenroom.text import countries

from .mrz_specimens import DIGIT, LETTER, PASSPORT, PUBLISHED, TODAY, VISA_A, VISA_B, printed, seen, zone


def refused(text: str) -> list[tuple[FaultKind, tuple[int, int, int]]]:
    """Why there is no zone, and where."""
    found = read(text, today=TODAY)
    assert isinstance(found, Unreadable)
    return [(fault.kind, (fault.span.line, fault.span.first, fault.span.last)) for fault in found.faults]


# Specimens


def test_the_passport_of_utopia() -> None:
    anna = seen(PASSPORT)
    assert (anna.form, anna.code, anna.issuer, anna.nationality) == (Form.TD3, "P", "UTO", "UTO")
    assert (anna.names.primary, anna.names.secondary, anna.names.is_cut) == (("ERIKSSON",), ("ANNA", "MARIA"), False)
    assert (anna.number, anna.optional, anna.sex) == ("L898902C3", "ZE184226B", Sex.FEMALE)
    assert anna.born
    assert anna.born.earliest == anna.born.latest == date(1974, 8, 12)
    assert (anna.expires_on, anna.failures) == (date(2012, 4, 15), ())


@pytest.mark.parametrize(
    ("text", "form", "optional"), [(VISA_A, Form.MRV_A, "6ZE184226B"), (VISA_B, Form.MRV_B, "")], ids=["A", "B"]
)
def test_the_visas_of_utopia(text: str, form: Form, optional: str) -> None:
    anna = seen(text)
    assert (anna.form, anna.number, anna.nationality, anna.optional) == (form, "L8988901C", "XXX", optional)
    assert anna.born
    assert anna.born.latest == date(1940, 9, 7)
    assert (anna.expires_on, anna.failures) == (date(1996, 12, 10), ())


@pytest.mark.parametrize("text", PUBLISHED.values(), ids=PUBLISHED)
def test_published_specimens(text: str) -> None:
    assert seen(text).is_sound


def test_the_examples_of_check_digits() -> None:
    # Doc 9303-3, appendix A, examples 1 to 3
    assert (check_digit("520727"), check_digit("AB2134<<<"), check_digit("HA672242<")) == ("3", "5", "6")
    lower = "HA672242<6YTO5802254M9601086<<<<<<<<<<<<<<08"
    assert {failure.field for failure in seen(f"P<UTOA\n{lower}").failures} == {Field.NATIONALITY}  # YTO is no code


@given(printed())
def test_what_is_printed_is_read(document: dict[str, Any]) -> None:
    found = seen(zone(**document))
    assert found.is_sound
    said = (found.form, found.code, found.issuer, found.number, found.nationality, found.optional)
    fields = ("issuer", "number", "nationality", "optional")
    assert said == (document["form"], document["code"].strip("<"), *(document[f].strip("<") for f in fields))
    assert "<<".join(filter(None, map("<".join, (found.names.primary, found.names.secondary)))) == document["name"]
    assert found.expires_on
    assert f"{found.expires_on:%y%m%d}" == document["expiry"]
    if found.born:
        born = document["birth"].replace("<", "")
        assert f"{found.born.earliest:%y%m%d}".startswith(born[:2])
        assert (found.born.earliest == found.born.latest == TODAY) or found.born.latest <= TODAY
        assert "<" in document["birth"] or f"{found.born.earliest:%y%m%d}" == f"{found.born.latest:%y%m%d}" == born
    else:
        assert document["birth"].startswith("<<")


# What is put right


@pytest.mark.parametrize(
    "typed",
    [
        PASSPORT.replace("\n", "\r\n"),
        PASSPORT.replace("\n", "\n\n") + "\n",
        PASSPORT.lower(),
        PASSPORT.replace("\n", ""),
        PASSPORT.replace("\n", " "),
        " ".join(PASSPORT),
        PASSPORT.replace("<<<<<<<<<<<<<<<<<<<\n", "\n"),
        PASSPORT.replace("<<<<<<<<<<<<<<<<<<<\n", ""),
        PASSPORT.replace("\n", "<<<\n"),
        PASSPORT + "<<",
        PASSPORT.replace("<<", "«"),
        PASSPORT.replace("<", "‹"),
        "".join(chr(ord(c) + 0xFEE0) if c != "\n" else c for c in PASSPORT),
        PASSPORT.replace("MARIA", "\u3000MARIA\u00a0").replace("UTO", "U\tT\u200bO"),
        PASSPORT[:20] + "\n" + PASSPORT[20:60] + "\n" + PASSPORT[60:],
    ],
)
def test_how_people_and_machines_write_it(typed: str) -> None:
    assert seen(typed).lines == tuple(PASSPORT.split("\n"))


def test_a_visa_may_lack_all_fillers_at_its_lines_ends() -> None:
    typed = "\n".join(line.rstrip("<") for line in VISA_B.split("\n"))
    assert seen(typed).lines == tuple(VISA_B.split("\n"))


def test_the_check_digit_of_nothing_is_a_zero_or_a_filler() -> None:
    for has_check in (True, False):
        text = zone(optional="", has_optional_check=has_check)
        assert text[-2] == "<0"[has_check]
        assert seen(text).is_sound


def test_the_check_digit_of_something_is_no_filler() -> None:
    broken = PASSPORT[:-2] + "<" + check_digit("L898902C36" + "7408122" + "1204159ZE184226B<<<<<<")
    assert [failure.field for failure in seen(broken).failures] == [Field.OPTIONAL_CHECK]


# What is refused, and where

BAD = {
    "nothing": (" \n ", [(FaultKind.EMPTY, (1, 1, 1))]),
    "an identity card": ("I<UTOD231458907<<<<<<<<<<<<<<<\n" * 3, [(FaultKind.LINES, (1, 1, 90))]),
    "a card of two lines": ("I" + VISA_B[1:], [(FaultKind.FORM, (1, 1, 1))]),
    "emoji and NUL": (PASSPORT.replace("ANNA", "A🙂\x00A"), [(FaultKind.CHARACTER, (1, 17, 18))]),
    "Chinese": ("护照\n" + PASSPORT, [(FaultKind.CHARACTER, (1, 1, 2))]),
    "a character short": (PASSPORT[:-1], [(FaultKind.LENGTH, (2, 44, 44))]),
    "too many": (PASSPORT + "7", [(FaultKind.LENGTH, (2, 45, 45))]),
    "a visa that ends early": (VISA_A[: 45 + 20], [(FaultKind.LENGTH, (2, 21, 44))]),
    "a digit in the name": (PASSPORT.replace("ANNA", "4NN4"), [(FaultKind.MISPLACED, (1, n, n)) for n in (16, 19)]),
    "letters in dates": (PASSPORT.replace("7408122", "74OB122"), [(FaultKind.MISPLACED, (2, 16, 17))]),
    "no last day": (PASSPORT.replace("1204159", "<<<<<<0"), [(FaultKind.MISPLACED, (2, 22, 27))]),
    "no such sex": (PASSPORT.replace("F12", "Q12"), [(FaultKind.MISPLACED, (2, 21, 21))]),
    "no name": (zone(name=""), [(FaultKind.NO_NAME, (1, 6, 44))]),
}


@pytest.mark.parametrize(("text", "faults"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_says_why_and_where(
    text: str, faults: list[tuple[FaultKind, tuple[int, int, int]]]
) -> None:
    assert refused(text) == faults


def test_no_more_faults_are_told_than_help() -> None:
    assert len(refused("P?" * 44)) == FAULTS_MAX


@given(st.text(max_size=600) | st.text("PV<0A\n ", max_size=200))
@example("P" * 512)
@example("P<" * 256)
@example("P<UTO" + "<" * 500)
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(read(text, today=TODAY), Zone | Unreadable)


@pytest.mark.parametrize(
    "text", ["<" * 10_000, "P" * 10_000, "🙂" * 10_000, "\0" * 10_000, "\n" * 10_000, "P<\n" * 5000]
)
def test_endless_text_is_refused_at_once(text: str) -> None:
    began = perf_counter()
    assert refused(text)[0][0] is FaultKind.TOO_LONG
    assert perf_counter() - began < 1


@pytest.mark.parametrize(
    ("was", "now", "failed"),
    [
        ("L898902C36", "L898902C46", [Field.NUMBER_CHECK, Field.COMPOSITE_CHECK]),
        ("7408122", "7408132", [Field.BIRTH_CHECK, Field.COMPOSITE_CHECK]),
        ("7408122", "7413121", [Field.BIRTH, Field.BIRTH_CHECK, Field.COMPOSITE_CHECK]),
        ("1204159", "1204169", [Field.EXPIRY_CHECK, Field.COMPOSITE_CHECK]),
        ("1204159", "1202306", [Field.EXPIRY, Field.COMPOSITE_CHECK]),
        ("ZE184226B", "ZE184226C", [Field.OPTIONAL_CHECK, Field.COMPOSITE_CHECK]),
        ("6UTO7", "6UTX7", [Field.NATIONALITY]),
        ("P<UTO", "P<UTX", [Field.ISSUER]),
        ("MARIA<<<<", "MARIA<<X<", [Field.NAME]),
        ("<10", "<11", [Field.COMPOSITE_CHECK]),
    ],
)
def test_what_fails_is_named_with_its_place(was: str, now: str, failed: list[Field]) -> None:
    found = seen(PASSPORT.replace(was, now))
    assert [failure.field for failure in found.failures] == failed
    assert all(failure.span == PLACES[Form.TD3][failure.field] for failure in found.failures)


# One character changed: X3

ALPHABET = sorted(VALUES)


def everything_of(found: Zone) -> Given:
    """All that someone can say of a document."""
    is_exact = found.born and found.born.earliest == found.born.latest
    return Given(
        name=" ".join((*found.names.primary, *found.names.secondary)),
        nationality=STATES[found.nationality],
        issuer=STATES[found.issuer],
        number=found.number,
        born_on=found.born.latest if found.born and is_exact else None,
        sex=found.sex,
        expires_on=found.expires_on,
    )


def unseen(text: str, line: int, position: int, now: str) -> str | None:
    """Why a changed character stays unseen by check digits, codes, calendar, form and comparison; None: it is seen."""
    original, lines = seen(text), text.split("\n")
    row = lines[line - 1]
    was = row[position - 1]
    lines[line - 1] = row[: position - 1] + now + row[position:]
    changed = read("\n".join(lines), today=TODAY)
    if isinstance(changed, Unreadable) or not changed.is_sound or changed.form is not original.form:
        return None
    if contradicted(changed, everything_of(original)):
        return None
    field = next(f for f, s in PLACES[original.form].items() if s.line == line and s.first <= position <= s.last)
    state = STATES[original.issuer if field is Field.ISSUER else original.nationality]
    match field:
        case Field.CODE if position == 2:
            return "a kind of passport or visa, as the issuer likes"
        case Field.NAME if was == "<" and row[: position - 1] == row[: position - 1].rstrip("<") + "<":
            return "one more given name, which someone may leave out"
        case Field.ISSUER | Field.NATIONALITY if state is None:
            return "an organisation or no nationality, of which nobody can say it"
        case Field.ISSUER | Field.NATIONALITY if state == "GB":
            return "another kind of British nationality"
        case Field.SEX if "<" in (was, now) or "X" in (was, now):
            return "a sex left open"
        case Field.OPTIONAL if original.form is not Form.TD3 or VALUES[was] % 10 == VALUES[now] % 10:
            return "the issuer's own data"
        case Field.OPTIONAL_CHECK if {was, now} == {"0", "<"}:
            return "no check digit for no data, either way"
        case _:
            raise AssertionError(f"{field} {position}: {was} read as {now} is seen by nothing")


@given(printed(), st.data())
def test_any_changed_character_is_seen_or_known_to_be_unseen(document: dict[str, Any], data: st.DataObject) -> None:
    text = zone(**document)
    line, width = data.draw(st.sampled_from((1, 2))), text.index("\n")
    position = data.draw(st.integers(1, width))
    was = text.split("\n")[line - 1][position - 1]
    unseen(text, line, position, data.draw(st.sampled_from([c for c in ALPHABET if c != was])))


# Where a change stays unseen in the specimens; every other position is protected against every other character.
UNSEEN = {
    "passport": (PASSPORT, {(1, 2), (1, 27), (2, 21), *((2, n) for n in range(29, 43))}),
    "visa A": (VISA_A, {(1, 2), (1, 27), (2, 21), *((2, n) for n in range(29, 45))}),
    "visa B": (VISA_B, {(1, 2), (1, 27), (2, 21), *((2, n) for n in range(29, 37))}),
}


@pytest.mark.parametrize(("text", "places"), UNSEEN.values(), ids=UNSEEN)
def test_every_change_of_the_specimens(text: str, places: set[tuple[int, int]]) -> None:
    french = text.replace("UTO", "FRA").replace("XXX", "FRA")  # Utopia's nationals can say nothing of their state
    found = {
        (line, position)
        for line, row in enumerate(french.split("\n"), 1)
        for position, was in enumerate(row, 1)
        for now in ALPHABET
        if now != was and unseen(french, line, position, now)
    }
    assert found == places


@given(printed(), st.data())
def test_check_digits_see_every_change_but_one_by_ten(document: dict[str, Any], data: st.DataObject) -> None:
    text = zone(**document)
    original = seen(text)
    checks = [check for check in CHECKS if check in PLACES[original.form] and check is not Field.COMPOSITE_CHECK]
    check = data.draw(st.sampled_from(checks))
    span = PLACES[original.form][CHECKS[check][0]]
    position = data.draw(st.integers(span.first, span.last))
    lower = original.lines[1]
    was, now = lower[position - 1], data.draw(st.sampled_from(ALPHABET))
    changed = read(f"{original.lines[0]}\n{lower[: position - 1]}{now}{lower[position:]}", today=TODAY)
    if VALUES[was] % 10 != VALUES[now] % 10:
        assert isinstance(changed, Unreadable) or check in {failure.field for failure in changed.failures}


# Dates


@pytest.mark.parametrize(
    ("birth", "earliest", "latest"),
    [
        ("740812", date(1974, 8, 12), date(1974, 8, 12)),
        ("260302", date(2026, 3, 2), date(2026, 3, 2)),
        ("260303", date(1926, 3, 3), date(1926, 3, 3)),
        ("000229", date(2000, 2, 29), date(2000, 2, 29)),
        ("7408<<", date(1974, 8, 1), date(1974, 8, 31)),
        ("7402<<", date(1974, 2, 1), date(1974, 2, 28)),
        ("74<<<<", date(1974, 1, 1), date(1974, 12, 31)),
        ("74<<31", date(1974, 1, 31), date(1974, 12, 31)),
        ("26<<<<", date(2026, 1, 1), date(2026, 3, 2)),
        ("2603<<", date(2026, 3, 1), date(2026, 3, 2)),
        ("2604<<", date(1926, 4, 1), date(1926, 4, 30)),
    ],
)
def test_nobody_is_born_in_the_future(birth: str, earliest: date, latest: date) -> None:
    born = seen(zone(birth=birth)).born
    assert born
    assert (born.earliest, born.latest) == (earliest, latest)


@pytest.mark.parametrize("birth", ["741301", "740230", "010229", "740001", "74<801", "7<0801", "740800"])
def test_a_birthday_that_no_calendar_has_fails(birth: str) -> None:
    found = seen(zone(birth=birth))
    assert (found.born, [failure.field for failure in found.failures]) == (None, [Field.BIRTH])


@pytest.mark.parametrize("birth", ["<<<<<<", "<<0812"])
def test_an_unknown_year_of_birth_is_unknown_and_no_failure(birth: str) -> None:
    found = seen(zone(birth=birth))
    assert (found.born, found.is_sound) == (None, True)


@pytest.mark.parametrize(
    ("expiry", "day"),
    [
        ("260301", date(2026, 3, 1)),
        ("751231", date(2075, 12, 31)),
        ("760101", date(1976, 1, 1)),
        ("280229", date(2028, 2, 29)),
    ],
)
def test_a_last_day_lies_in_the_nearest_century(expiry: str, day: date) -> None:
    assert seen(zone(expiry=expiry)).expires_on == day  # X2


def test_a_last_day_that_no_calendar_has_fails() -> None:
    found = seen(zone(expiry="270229"))
    assert (found.expires_on, [failure.field for failure in found.failures]) == (None, [Field.EXPIRY])


# Codes


def test_iso_codes_are_those_of_babel() -> None:
    aliases = get_global("territory_aliases")
    words = ISO.split()
    ours = dict(zip(words[::2], words[1::2], strict=True))
    assert len(ours) == len(set(ours.values())) == 249
    assert {code: aliases[code] for code in ours} == {code: [country] for code, country in ours.items()}
    assert set(ours.values()) == countries() - {"XK", "XXA", "XXB", "XXC"}


def test_every_nationality_is_one_that_the_product_has() -> None:
    assert {nationality for nationality in STATES.values() if nationality} == countries()


@pytest.mark.parametrize(
    ("code", "nationality"),
    [
        ("D", "DE"),
        ("DEU", "DE"),
        ("RKS", "XK"),
        ("GBN", "GB"),
        ("XXA", "XXA"),
        ("UNO", None),
        ("XOM", None),
        ("UTO", None),
    ],
)
def test_icao_codes(code: str, nationality: str | None) -> None:
    assert STATES[seen(zone(nationality=code)).nationality] == nationality


def test_no_log_shows_what_a_zone_says() -> None:
    found = seen(PASSPORT)
    for part in ("ERIKSSON", "ANNA", "L898902C3", "1974"):
        assert part not in f"{found!r}{found.names!r}{found.born!r}{everything_of(found)!r}"


def test_the_layout_is_icaos() -> None:
    ends = {form: {field.value: (s.first, s.last) for field, s in PLACES[form].items()} for form in Form}
    assert ends[Form.TD3]["OPTIONAL"] == (29, 42)
    assert (ends[Form.MRV_A]["OPTIONAL"], ends[Form.MRV_B]["OPTIONAL"]) == ((29, 44), (29, 36))
    assert [ends[form]["NAME"] for form in Form] == [(6, 44), (6, 44), (6, 36)]
    assert part_of(seen(PASSPORT).lines, Span(2, 11, 13)) == "UTO"
    assert set(LETTER + DIGIT + "<") == set(ALPHABET)
