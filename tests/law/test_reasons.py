"""Every code has its words in both languages, and says what it rests on (X8)."""

from collections.abc import Iterator

import pytest

from greenroom.explain import HEADINGS, KINDS, NATIONALITIES, PLACES
from greenroom.law.admission import BASES
from greenroom.law.announcement import line
from greenroom.law.notices import NOTICES
from greenroom.law.policies import CN_2026
from greenroom.law.reasons import (
    ASKED,
    BLOCKERS,
    PATHS,
    REASONS,
    REQUIREMENTS,
    Words,
    needs_message,
    requirement_of,
)
from greenroom.law.requirements import OPTIONAL, kinds
from greenroom.law.terms import AdmissionBlockerCode, FindingCode, RequirementKind, VerificationPath

F = FindingCode
FINAL = {
    FindingCode.UNDER_MINIMUM_AGE,
    FindingCode.IMPERSONATION,
    FindingCode.FORGED_DOCUMENT,
    FindingCode.BLOCKLISTED_PERSON,
}


def all_words() -> Iterator[tuple[str, Words]]:
    tables = (BLOCKERS, REQUIREMENTS, PATHS, NOTICES, HEADINGS, KINDS, PLACES, NATIONALITIES)
    for table in tables:
        yield from ((str(key), words) for key, words in table.items())
    yield from ((code, reason.words) for code, reason in REASONS.items())


def test_no_code_is_without_words() -> None:
    assert list(BLOCKERS) == list(AdmissionBlockerCode)
    assert list(REASONS) == list(FindingCode)
    assert list(REQUIREMENTS) == list(RequirementKind)
    assert list(PATHS) == list(VerificationPath)


@pytest.mark.parametrize("words", [pytest.param(words, id=key) for key, words in all_words()])
def test_both_languages_are_there_and_are_their_own(words: Words) -> None:
    assert words.said_in("zh").strip()
    assert words.said_in("en").strip()
    assert any("一" <= letter <= "鿿" for letter in words.zh), "Chinese"
    assert words.en.isascii(), "English"


def test_no_two_codes_say_the_same() -> None:
    for table in (BLOCKERS, REQUIREMENTS, PATHS, {code: reason.words for code, reason in REASONS.items()}):
        assert len({words.zh for words in table.values()}) == len(table)
        assert len({words.en for words in table.values()}) == len(table)


@pytest.mark.parametrize("code", FindingCode)
def test_every_reason_rests_on_real_lines_and_names_what_it_concerns(code: FindingCode) -> None:
    reason = REASONS[code]
    assert reason.basis.lines or code in {F.UNDER_MINIMUM_AGE, F.BLOCKLISTED_PERSON}, "law of its own needs no line"
    assert all(line(number) for number in reason.basis.lines)
    assert reason.concerns
    assert RequirementKind.CONSENT not in reason.concerns


@pytest.mark.parametrize("code", FindingCode)
@pytest.mark.parametrize("path", VerificationPath)
def test_a_reason_names_an_item_that_the_path_asks_for(path: VerificationPath, code: FindingCode) -> None:
    assert requirement_of(code, path=path) in {*kinds(path, policy=CN_2026), *OPTIONAL[path]}


@pytest.mark.parametrize("path", VerificationPath)
def test_reasons_and_requirements_agree_on_what_a_path_asks_for(path: VerificationPath) -> None:
    asked = {*kinds(path, policy=CN_2026), *OPTIONAL[path]} - {RequirementKind.CONSENT}
    assert set(ASKED[path]) == asked


@pytest.mark.parametrize("code", [F.NAME_MISMATCH, F.NATIONALITY_MISMATCH, F.DATE_OF_BIRTH_MISMATCH, F.OTHER])
def test_what_can_be_found_on_every_path_rests_on_the_line_for_every_path(code: FindingCode) -> None:
    # X8, R37
    assert (REASONS[code].basis.rule, REASONS[code].basis.lines) == ("R37", ("L12",))


def test_four_reasons_are_final_and_none_of_those_concerns_only_itself() -> None:
    assert {code for code, reason in REASONS.items() if reason.is_final} == FINAL
    assert not any(REASONS[code].concerns_only_itself for code in FINAL)


def test_only_other_needs_a_message() -> None:
    assert [code for code in FindingCode if needs_message(code)] == [FindingCode.OTHER]


def test_every_blocker_but_one_has_grounds_of_its_own() -> None:
    # a changed path rests on the cell that applies now
    assert set(AdmissionBlockerCode) - set(BASES) == {AdmissionBlockerCode.PATH_CHANGED}
    assert all(line(number) for basis in BASES.values() for number in basis.lines)
