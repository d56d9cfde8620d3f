"""Zones as recognition reads them: what is mended, what is refused, and that no number becomes another (X3)."""

import re
from time import perf_counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greenroom.law.mending import AS_LETTERS, EITHER, Mended, mend
from greenroom.law.mrz import ALLOWED, DIGITS, LETTERS, PLACES, FaultKind, Field, Form, Unreadable, Zone, read
from greenroom.law.states import STATES

from .mrz_specimens import PASSPORT, TODAY, VISA_A, VISA_B, printed, zone

UPPER, LOWER = PASSPORT.split("\n")


def mended(text: str) -> Mended:
    """The one reading."""
    found = mend(text, today=TODAY)
    assert isinstance(found, Mended), found
    return found


def changed(found: Mended) -> list[tuple[int, int, int, str, str]]:
    """What was mended, and where."""
    return [(c.span.line, c.span.first, c.span.last, c.was, c.now) for c in found.changes]


@pytest.mark.parametrize("text", [PASSPORT, VISA_A, VISA_B, PASSPORT.lower()])
def test_what_is_sound_is_left_alone(text: str) -> None:
    found = mended(text)
    assert (found.changes, found.zone.lines) == ((), tuple(text.upper().split("\n")))


MISREAD = {
    "letters in dates and check digits": (
        PASSPORT,
        f"{UPPER}\nL898902C36UTO74O8I2ZFIZ0415gZEI84Z26B<<<<<lO".upper().replace("G", "9").replace("EI84Z2", "E18422"),
        [
            (2, 16, 16, "O", "0"),
            (2, 18, 18, "I", "1"),
            (2, 20, 20, "Z", "2"),
            (2, 22, 23, "IZ", "12"),
            (2, 43, 44, "LO", "10"),
        ],
    ),
    "digits in names and codes": (
        PASSPORT,
        f"{UPPER.replace('UTOERIKSSON', 'UT0ERIK550N')}\n{LOWER.replace('UTO', 'UT0')}",
        [(1, 5, 5, "0", "O"), (1, 10, 12, "550", "SSO"), (2, 13, 13, "0", "O")],
    ),
    "one look-alike in the number": (PASSPORT, PASSPORT.replace("L898902", "L8989O2"), [(2, 6, 6, "O", "0")]),
    "all zeros of the number": (
        zone(number="C01X00T47"),
        zone(number="C01X00T47").replace("C01X00T47", "CO1XOOT47"),
        [(2, 2, 2, "O", "0"), (2, 5, 6, "OO", "00")],
    ),
    "fillers counted short": (PASSPORT, PASSPORT.replace("B<<<<<10", "B<<10"), [(2, 38, 42, "<<", "<<<<<")]),
    "fillers counted long": (PASSPORT, PASSPORT.replace("B<<<", "B<<<<<<"), [(2, 38, 42, "<" * 8, "<" * 5)]),
    "fillers of the number short": (
        zone(number="AB1234"),
        zone(number="AB1234").replace("AB1234<<<", "AB1234<"),
        [(2, 7, 9, "<", "<<<")],
    ),
    "fillers read as letters": (
        PASSPORT,
        PASSPORT.replace("MARIA<<<<<<<<", "MARIA<<KKL<<C").replace("B<<<<<10", "B<K<C<10"),
        [(1, 28, 30, "KKL", "<<<"), (1, 33, 33, "C", "<"), (2, 39, 39, "K", "<"), (2, 41, 41, "C", "<")],
    ),
    "Germany": (
        zone(issuer="D", nationality="D"),
        zone(issuer="D", nationality="D").replace("P<D<<", "P<DKC").replace("6D<<7", "6DL<7"),
        [(1, 4, 5, "KC", "<<"), (2, 12, 12, "L", "<")],
    ),
    "a code with one meaning": (
        zone(nationality="MLI"),
        zone(nationality="MLI").replace("MLI", "M11"),
        [(2, 12, 13, "11", "LI")],
    ),
    "a sex left open": (zone(sex="<"), zone(sex="<").replace("7408122<", "7408122K"), [(2, 21, 21, "K", "<")]),
    "an unknown birthday": (
        zone(birth="74<<<<"),
        zone(birth="74<<<<").replace("74<<<<", "74<CL<"),
        [(2, 17, 18, "CL", "<<")],
    ),
    "a visa": (
        VISA_B,
        VISA_B.replace("XXX4009", "XXX4OO9").replace("109<<<<<<<<", "1O9<<<"),
        [(2, 29, 36, "<<<", "<<<<<<<<"), (2, 15, 16, "OO", "00"), (2, 27, 27, "O", "0")],
    ),
}


@pytest.mark.parametrize(("printed_so", "read_so", "changes"), MISREAD.values(), ids=MISREAD)
def test_what_is_mended_and_what_is_said_of_it(
    printed_so: str, read_so: str, changes: list[tuple[int, int, int, str, str]]
) -> None:
    assert read_so != printed_so
    found = mended(read_so)
    assert "\n".join(found.zone.lines) == printed_so
    assert changed(found) == changes


def test_a_line_in_which_nothing_fails_is_left_alone() -> None:
    text = zone(optional="AB<K")
    assert changed(mended(text.replace("ANNA", "0NN0"))) == [(1, 16, 16, "0", "O"), (1, 19, 19, "0", "O")]


def why_not(text: str) -> FaultKind:
    """Why there is not one reading."""
    found = mend(text, today=TODAY)
    assert isinstance(found, Unreadable)
    return found.faults[0].kind


UNMENDABLE = {
    "another check digit": PASSPORT.replace("L898902C36", "L898902C37"),
    "two ways to read the number": zone(number="O0O0O0O0O").replace("O0O0O0O0O", "OOO0O0O0O"),
    "6 and G weigh the same": zone(number="X6").replace("X6<<<<<<<", "XG<<<<<<<").replace("7408122", "7408123"),
    "two runs of fillers short": zone(number="AB1").replace("<<<<<<", "<<", 2).replace("UTO", "UTO")[:-4] + "<<0",
    "an unknown code": PASSPORT.replace("6UTO", "6QQQ"),
    "no such day": zone(birth="740230"),
    "too many zeros": zone(number="0" * 9, optional="0" * 14).replace("0" * 14, "0" * 13 + "O"),
}


@pytest.mark.parametrize("text", UNMENDABLE.values(), ids=UNMENDABLE)
def test_what_is_not_mended(text: str) -> None:
    assert why_not(text) is FaultKind.UNMENDABLE


@pytest.mark.parametrize(
    ("text", "why"),
    [("", FaultKind.EMPTY), ("X" * 88, FaultKind.FORM), ("P🙂\nP", FaultKind.CHARACTER), ("P\n" * 9, FaultKind.LINES)],
)
def test_what_is_no_zone_says_why(text: str, why: FaultKind) -> None:
    assert why_not(text) is why


def test_what_no_check_digit_tells_apart_is_pointed_at() -> None:
    assert [span.first for span in mended(zone(number="6KG1K<")).unproven] == [1, 3, 5]
    assert [span.first for span in mended(zone(number="00AB1CD5E")).unproven] == [1, 2]
    assert [span.first for span in mended(zone(number="OOAB1CD5E")).unproven] == [1, 2]
    assert mended(PASSPORT).unproven == ()


TO_DIGIT = {"S": "5", "O": "0", "I": "1", "B": "8", "Z": "2", "G": "6"}


def misread(text: str, line: int, position: int, now: str) -> str:
    """The text with one character read as another."""
    lines = text.split("\n")
    lines[line - 1] = lines[line - 1][: position - 1] + now + lines[line - 1][position:]
    return "\n".join(lines)


def look_alikes(text: str, form: Form) -> list[tuple[int, int, str]]:
    """Every character that can be read as a look-alike, but for those that no check digit sees."""
    found = []
    for field, span in PLACES[form].items():
        row = text.split("\n")[span.line - 1]
        for position in range(span.first, span.last + 1):
            was = row[position - 1]
            if ALLOWED[field] >= LETTERS | DIGITS:
                ways = EITHER.get(was, "") if field is Field.NUMBER or form is Form.TD3 else ""
            elif field in (Field.NAME, Field.ISSUER, Field.NATIONALITY):
                ways = TO_DIGIT.get(was, "")
            else:
                ways = AS_LETTERS.get(was, "")
            found += [(span.line, position, way) for way in ways]
    return found


documents = printed().filter(lambda document: all(document[f] != "MII" for f in ("issuer", "nationality")))


@given(documents, st.data())
def test_one_misread_is_mended_rightly_or_refused(document: dict[str, Any], data: st.DataObject) -> None:
    text = zone(**document)
    original = read(text, today=TODAY)
    assert isinstance(original, Zone)
    places = look_alikes(text, original.form)
    assume(places)
    found = mend(misread(text, *data.draw(st.sampled_from(places))), today=TODAY)
    assert isinstance(found, Unreadable) or found.zone.lines == original.lines


@given(documents, st.data())
def test_zeros_and_one_other_never_make_another_number(document: dict[str, Any], data: st.DataObject) -> None:
    number = data.draw(st.text("0O0O12ABX", min_size=3, max_size=9))
    text = zone(**{**document, "number": number})
    original = read(text, today=TODAY)
    assert isinstance(original, Zone)
    places = [place for place in look_alikes(text, original.form) if place[0] == 2 and place[1] <= 9]
    zeros = [place for place in places if number[place[1] - 1] in "0O" and data.draw(st.booleans())]
    others = [place for place in places if number[place[1] - 1] not in "0O"]
    other = data.draw(st.sampled_from(others)) if others and data.draw(st.booleans()) else None
    wrong = [*zeros, other] if other else zeros
    damaged = text
    for place in wrong:
        damaged = misread(damaged, *place)
    found = mend(damaged, today=TODAY)
    if isinstance(found, Unreadable) or found.zone.number == number:
        return
    assert not found.changes, "misreads that make up for each other, so that all check digits hold"
    assert other or {place[1] for place in wrong} <= {span.first for span in found.unproven}


@given(documents, st.data())
def test_fillers_counted_wrong_never_make_another_number(document: dict[str, Any], data: st.DataObject) -> None:
    text = zone(**document)
    original = read(text, today=TODAY)
    assert isinstance(original, Zone)
    upper, lower = original.lines
    runs = [run.span() for run in re.finditer("<+", lower)]
    assume(runs)
    first, end = data.draw(st.sampled_from(runs))
    size = data.draw(st.integers(1, 20))  # of a run that is gone altogether, nobody knows where it was
    found = mend(f"{upper}\n{lower[:first]}{'<' * size}{lower[end:]}", today=TODAY)
    assert isinstance(found, Unreadable) or found.zone.number == original.number


@given(documents, st.data())
def test_only_what_is_sound_is_returned(document: dict[str, Any], data: st.DataObject) -> None:
    upper, lower = zone(**document).split("\n")
    noise = st.text("".join(AS_LETTERS) + "OIZSGBLKC<", min_size=1, max_size=4)
    position = data.draw(st.integers(0, len(lower)))
    found = mend(
        f"{upper}\n{lower[:position]}{data.draw(noise)}{lower[position + data.draw(st.integers(0, 5)) :]}", today=TODAY
    )
    if isinstance(found, Mended):
        assert found.zone.is_sound
        assert found.zone.nationality in STATES


@given(st.text(max_size=600) | st.text("PV<0OIL1KC\n", max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(mend(text, today=TODAY), Mended | Unreadable)


@pytest.mark.parametrize(
    "lower",
    ["O0" * 22, "L" * 44, "<O" * 30, "L" * 13 + "L" * 7 + "<" + "L" * 23, "8B" * 10 + "<", "<8" * 60, "1I0O2Z5S8" * 4],
)
def test_mending_is_bounded(lower: str) -> None:
    began = perf_counter()
    mend(f"{UPPER}\n{lower}", today=TODAY)
    assert perf_counter() - began < 2
