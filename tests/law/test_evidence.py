"""The frozen record: free of personal data, and enough to decide again (X4)."""

import json
from dataclasses import replace
from datetime import date

import pytest

from greenroom.law.admission import Admitted, Finding, Refused, admit
from greenroom.law.evidence import answered, canonical, freeze, thaw
from greenroom.law.policies import CN_2026, InForce
from greenroom.law.reasons import ForAnchor
from greenroom.law.terms import RequirementKind

from .cases import (
    APPROVED,
    CONTACT,
    ENFORCED,
    IN_CHINA,
    LAUNCH,
    NOW,
    OBSERVED,
    PASSPORT_VISA,
    REJECTED,
    SUBMITTED,
    F,
    an_id,
    appearance,
    attempt,
    in_china,
    ready,
    room,
)

ADMITTED = room(
    appearance(attempt(SUBMITTED, id=an_id(3)), member_id=an_id(1), anchor_id=an_id(2)),
    in_china(
        attempt(APPROVED, PASSPORT_VISA, id=an_id(6), documents_last_day=date(2026, 5, 1), strikes=1),
        member_id=an_id(4),
        anchor_id=an_id(5),
        is_under_age=False,
    ),
)


def test_the_same_answer_comes_from_the_record_alone() -> None:
    thawed = thaw(json.loads(canonical(freeze(ADMITTED, in_force=ENFORCED, now=NOW))))
    assert (thawed.question, thawed.in_force, thawed.now) == (ADMITTED, ENFORCED, NOW)
    assert admit(thawed.question, in_force=thawed.in_force, now=thawed.now) == Admitted()


def test_another_policy_can_be_asked_from_the_record_alone() -> None:
    thawed = thaw(freeze(ADMITTED, in_force=ENFORCED, now=NOW))
    answer = admit(thawed.question, in_force=InForce(CN_2026, launch_at=LAUNCH), now=thawed.now)
    assert isinstance(answer, Refused)
    assert [(each.code, each.member_id) for each in answer.blockers] == [("AWAITING_REVIEW", an_id(1))]


def test_a_record_says_what_was_decided_about_whom_and_why() -> None:
    record = freeze(ADMITTED, in_force=ENFORCED, now=NOW)
    assert (record["is_admitted"], record["policy"], record["revision"]) == (True, "aliexpress-2021", 3)
    assert (record["phase"], record["now"]) == ("ENFORCED", "2026-03-02T04:00:00+00:00")
    assert [(entry["cell"], entry["path"], entry["location"]) for entry in record["cast"]] == [
        (4, "CONTACT", "OUTSIDE_CHINA"),
        (3, "PASSPORT_VISA", "IN_CHINA"),
    ]
    # a submitted attempt admits provisionally; the record says so by its status
    assert record["cast"][0]["counting"] == {"id": str(an_id(3)), "status": "SUBMITTED"}


def test_before_the_launch_the_record_lists_what_would_block() -> None:
    # R30
    member = appearance(member_id=an_id(1), anchor_id=an_id(2))
    record = freeze(room(member), in_force=OBSERVED, now=NOW)
    assert record["is_admitted"]
    assert record["cast"][0]["counting"] is None
    assert record["would_block"] == [
        {
            "code": "NOT_SUBMITTED",
            "rule": "R20",
            "cell": 4,
            "member_id": str(an_id(1)),
            "anchor_id": str(an_id(2)),
        }
    ]


def test_what_was_answered_is_read_from_the_record_as_it_was_written_then() -> None:
    question = replace(ADMITTED, cast=(*ADMITTED.cast, appearance(anchor_id=an_id(7))))
    told = answered(json.loads(canonical(freeze(question, in_force=OBSERVED, now=NOW))))
    assert (told.phase, told.policy, told.revision) == ("AWAITING_LAUNCH", "aliexpress-2021", 2)
    assert [(entry.anchor_id, entry.path, entry.attempt_id, entry.status) for entry in told.entries] == [
        (an_id(2), CONTACT, an_id(3), SUBMITTED),
        (an_id(5), PASSPORT_VISA, an_id(6), APPROVED),
        (an_id(7), CONTACT, None, None),
    ]
    assert [(each.code, each.rule, each.cell, each.anchor_id) for each in told.would_block] == [
        ("NOT_SUBMITTED", "R20", 4, an_id(7))
    ]


def test_no_text_of_a_finding_is_recorded() -> None:
    told = Finding(F.NAME_MISMATCH, RequirementKind.LEGAL_NAME, ForAnchor("PLANTED NAME differs"))
    question = room(appearance(attempt(REJECTED, findings=(told,))))
    spelled = canonical(freeze(question, in_force=OBSERVED, now=NOW))
    assert b"PLANTED" not in spelled
    assert b"NAME_MISMATCH" in spelled


def test_a_record_has_one_spelling() -> None:
    assert canonical({"b": [1, None, True], "a": "主播"}) == '{"a":"主播","b":[1,null,true]}'.encode()
    record = freeze(ADMITTED, in_force=ENFORCED, now=NOW)
    assert canonical(json.loads(json.dumps(record))) == canonical(record)


@pytest.mark.parametrize(
    ("changed", "error"), [({"form": 99}, ValueError), ({"policy": "never-was"}, KeyError)], ids=["form", "policy"]
)
def test_a_record_that_cannot_be_read_is_refused(changed: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        thaw(freeze(ADMITTED, in_force=ENFORCED, now=NOW) | changed)


def test_a_record_names_neither_nationality_nor_anything_but_ids_codes_and_instants() -> None:
    record = freeze(room(ready(location=IN_CHINA)), in_force=ENFORCED, now=NOW)
    assert set(record["cast"][0]) == {
        *("member_id", "anchor_id", "anchor_is_chinese", "location", "confirmed_at", "has_consent"),
        *("consent_withdrawn", "is_barred", "is_under_age", "attempts", "others", "cell", "path", "counting"),
    }
