"""Every code has its words in Chinese and in English, with the same places for values (X8).

The codes of the law are held to the same in tests/law/test_reasons.py; here is what the API itself says.
"""

import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from clients import newcomer
from worlds import World

from greenroom import answers, db, errors, limits, requests, tokens
from greenroom.errors import Problem, UserErrorCode, Words
from greenroom.jwts import Fault
from greenroom.law.reasons import BLOCKERS, PATHS, REASONS, REQUIREMENTS
from greenroom.law.terms import AdmissionBlockerCode, FindingCode, RequirementKind, VerificationPath
from greenroom.limits import Exceeded, Limits

HAN = re.compile("[一-鿿]")
GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
PLACES = re.compile(r"\{(\w+)")


def problems() -> list[type[Problem]]:
    """Every kind of problem whose words are its own; `Invalid` brings the words of what is wrong."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Problem)]
    return [kind for kind in kinds if kind not in (Problem, errors.Invalid)]


def said() -> Iterator[tuple[str, Words]]:
    """Everything that the API says, by where it is written."""
    for module in (answers, db, errors, limits, requests):
        for name, value in vars(module).items():
            found = value if isinstance(value, Words) else getattr(value, "words", None)
            if isinstance(found, Words):
                yield f"{module.__name__.split('.')[-1]}.{name}", found
            if isinstance(value, dict):
                of_table = [(key, words) for key, words in value.items() if isinstance(words, Words)]
                yield from ((f"{module.__name__.split('.')[-1]}.{name}.{key}", words) for key, words in of_table)
    yield from ((f"tokens.{fault}", Words(*words)) for fault, words in tokens.SAID.items())


@pytest.mark.parametrize("words", [pytest.param(words, id=name) for name, words in said()])
def test_both_languages_say_it(words: Words) -> None:
    assert HAN.search(words.zh), "Chinese"
    assert words.en
    assert not HAN.search(words.en), "English"
    assert sorted(PLACES.findall(words.zh)) == sorted(PLACES.findall(words.en)), "the same values in both"


def test_every_code_of_a_user_error_has_a_problem_with_words() -> None:
    assert sorted({errors.Invalid.code, *(kind.code for kind in problems())}) == sorted(UserErrorCode)
    for kind in problems():
        assert set(PLACES.findall(kind.words.en)) <= {field.name for field in fields(kind)}, kind.__name__


@pytest.mark.parametrize("path", VerificationPath)
def test_the_path_that_applies_is_called_as_people_call_it(path: VerificationPath) -> None:
    problem = errors.WrongPath(path=path.value)
    assert PATHS[path].zh in problem.said("zh")
    assert PATHS[path].en[1:] in problem.said("en")
    assert path.value not in problem.said("zh") + problem.said("en")


def test_missing_consent_says_how_it_is_asked_for_and_sent() -> None:
    for language in ("zh", "en"):
        asked = errors.Required(requirement=RequirementKind.CONSENT).said(language)
        assert all(name in asked for name in ("admissionPolicy.notice", "consentVersion", "anchorConsentGive"))
        assert errors.Required(requirement=RequirementKind.EMAIL).said(language) == errors.Required().said(language)


def test_one_thing_has_one_name_in_chinese() -> None:
    everything = "".join(words.zh for _, words in said())
    assert "隐私声明" in everything
    assert not re.search("隐私告知|最终拒绝|平台主管", everything)


def test_every_code_of_the_law_has_words() -> None:
    assert set(BLOCKERS) == set(AdmissionBlockerCode)
    assert set(REASONS) == set(FindingCode)
    assert set(REQUIREMENTS) == set(RequirementKind)


def test_every_fault_of_a_token_has_words() -> None:
    assert set(tokens.SAID) == set(Fault)


def test_the_guide_names_every_reason_why_a_ticket_may_not_stand() -> None:
    told = GUIDE.read_text().partition("`POST /tickets/check`")[2]
    of_tickets = set(Fault) - {Fault.ISSUER_UNREACHABLE}  # the issuer of tickets is here
    assert {*of_tickets, "UNKNOWN_ROOM", "NOT_FOUND", "NOT_LIVE", "ADMISSION_REFUSED"} <= set(
        re.findall("`(.+?)`", told)
    )


def test_every_limit_says_which_how_much_was_asked_and_how_much_is_allowed() -> None:
    elsewhere = {"page_size", "time_s"}  # refused by the connections, and by the clock
    assert set(limits.WORDS) == {field.name for field in fields(Limits)} - elsewhere
    for name in limits.WORDS:
        for language in ("zh", "en"):
            text = Exceeded(name, 1_234_567, 7_654_321).said(language)
            assert "1234567" in text.replace(",", ""), name
            assert "7654321" in text.replace(",", ""), name


async def test_the_same_request_gets_the_same_codes_in_both_languages(world: World) -> None:
    shop = await world.seller()
    await world.launch()
    room = await shop.room(newcomer(), start=world.tonight())
    answers_by_language = {}
    for language in ("zh-CN", "en-US"):
        shop.language = language
        (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
        (blocker,) = error["blockers"]
        labels = [item["label"] for item in blocker["requirement"]["items"]]
        answers_by_language[language] = (
            (error["code"], blocker["code"]),
            [error["message"], blocker["message"], *labels],
        )
    (zh_codes, zh), (en_codes, en) = answers_by_language.values()
    assert zh_codes == en_codes == ("ADMISSION_REFUSED", "NOT_SUBMITTED")
    assert all(HAN.search(text) for text in zh)
    assert not any(HAN.search(text) for text in en)


def test_the_scan_sees_all_modules_that_speak() -> None:
    """A module with words of its own must be looked at above."""
    from greenroom.schema import TOO_MANY  # the one table that is no `Words`

    assert set(TOO_MANY) == {"zh", "en"}
    assert import_module("greenroom.paging").BadPage.__annotations__.keys() >= {"en", "zh"}
