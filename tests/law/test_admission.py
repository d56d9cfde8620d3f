"""The gate, row by row: what blocks, in which order, and what is only recorded before the launch."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from greenroom.law.admission import (
    Admitted,
    Appearance,
    Blocker,
    LiveEffect,
    Refused,
    admit,
    blockers_of,
    while_live,
)
from greenroom.law.announcement import line
from greenroom.law.days import end_of
from greenroom.law.paths import CASES, Case, cell_for
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026, InForce, OnRejectWhileLive, PerRoom, Policy
from greenroom.law.reasons import AUTHENTICATE_ANEW, BLOCKERS
from greenroom.law.terms import VerificationPath, VerificationStatus

from .cases import (
    APPROVED,
    CANCELED,
    CONTACT,
    DRAFT,
    ENFORCED,
    EXPIRED,
    IN_CHINA,
    LAUNCH,
    NOW,
    OBSERVED,
    OUTSIDE_CHINA,
    PASSPORT_VISA,
    REJECTED,
    REVOKED,
    STRICT,
    SUBMITTED,
    TAOBAO_APP,
    B,
    F,
    ago,
    appearance,
    attempt,
    in_china,
    ready,
    recorded,
    refused_for,
    room,
)

LAST_DAY = date(2026, 3, 2)  # today in Shanghai
OWN_LAW = {B.CONSENT_WITHDRAWN, B.REJECTED, B.UNDER_MINIMUM_AGE}

GATE = [
    # attempt
    pytest.param(appearance(), [B.NOT_SUBMITTED], id="R20, L6: nothing"),
    pytest.param(appearance(attempt(DRAFT)), [B.NOT_SUBMITTED], id="R34: started is not submitted"),
    pytest.param(appearance(attempt(CANCELED)), [B.NOT_SUBMITTED], id="attempt: canceled"),
    pytest.param(in_china(attempt(APPROVED)), [B.PATH_CHANGED], id="attempt: another path was covered"),
    pytest.param(
        appearance(attempt(SUBMITTED, PASSPORT_VISA)), [B.PATH_CHANGED], id="attempt: a submitted one covers its own"
    ),
    pytest.param(
        appearance(attempt(SUBMITTED, is_for_nationality=False), anchor_is_chinese=True),
        [B.PATH_CHANGED],
        id="attempt: another nationality, another path",
    ),
    pytest.param(
        appearance(attempt(APPROVED, is_for_nationality=False)),
        [B.NOT_SUBMITTED],
        id="attempt: another nationality, the same path",
    ),
    pytest.param(
        in_china(attempt(REJECTED)), [B.NOT_SUBMITTED], id="attempt: what was rejected elsewhere covered nothing"
    ),
    pytest.param(
        appearance(attempt(APPROVED, PASSPORT_VISA, has_email=True)), [], id="attempt: photos with e-mail cover contact"
    ),
    pytest.param(
        in_china(attempt(APPROVED, PASSPORT_VISA, has_email=True, is_for_nationality=False)),
        [B.NOT_SUBMITTED],
        id="attempt: another nationality, the same path, which covers contact as well",
    ),
    pytest.param(
        appearance(attempt(APPROVED, is_for_nationality=False, ends_at=NOW)),
        [B.NOT_SUBMITTED],
        id="attempt: another nationality, run out",
    ),
    pytest.param(
        appearance(attempt(EXPIRED, is_for_nationality=False)),
        [B.NOT_SUBMITTED],
        id="attempt: another nationality, run out, and a job wrote so",
    ),
    # review
    pytest.param(appearance(attempt(SUBMITTED)), [], id="R33, L12, L34: having submitted is enough"),
    pytest.param(appearance(attempt(SUBMITTED, strikes=1)), [], id="A15: one rejection before"),
    pytest.param(appearance(attempt(SUBMITTED, strikes=2)), [B.AWAITING_REVIEW], id="A15: two rejections in a row"),
    pytest.param(appearance(attempt(APPROVED, strikes=2)), [], id="A15: approved all the same"),
    # rejection
    pytest.param(appearance(attempt(REJECTED)), [B.RESUBMIT], id="R38, L11: rejected"),
    pytest.param(appearance(attempt(REJECTED, attempts=8)), [B.RESUBMIT], id="A15: eight attempts"),
    pytest.param(appearance(attempt(REJECTED, attempts=9)), [B.ATTEMPTS_EXHAUSTED], id="A15: nine attempts"),
    pytest.param(appearance(attempt(SUBMITTED, attempts=9)), [], id="A15: the ninth, not rejected"),
    # end
    pytest.param(appearance(attempt(EXPIRED)), [B.EXPIRED], id="end: expired"),
    pytest.param(appearance(attempt(APPROVED, ends_at=NOW)), [B.EXPIRED], id="end: ran out this instant"),
    pytest.param(appearance(attempt(REVOKED)), [B.REVOKED], id="end: the approval was taken back"),
    pytest.param(ready(consent_withdrawn=True), [B.CONSENT_WITHDRAWN], id="X1: consent withdrawn"),
    # documents
    pytest.param(
        in_china(attempt(APPROVED, PASSPORT_VISA, documents_last_day=LAST_DAY)), [], id="X2: good on its last day"
    ),
    pytest.param(
        in_china(attempt(APPROVED, PASSPORT_VISA, documents_last_day=LAST_DAY - timedelta(days=1))),
        [B.DOCUMENT_EXPIRES_BEFORE_BROADCAST],
        id="X2: ended the day before, approved",
    ),
    pytest.param(
        in_china(attempt(SUBMITTED, PASSPORT_VISA, documents_last_day=LAST_DAY - timedelta(days=1))),
        [B.DOCUMENT_EXPIRES_BEFORE_BROADCAST],
        id="X2: ended the day before, submitted",
    ),
    pytest.param(
        in_china(attempt(REJECTED, PASSPORT_VISA, documents_last_day=LAST_DAY - timedelta(days=1))),
        [B.RESUBMIT],
        id="X2: of a rejected one nothing is asked",
    ),
    # confirmation
    pytest.param(ready(confirmed_at=None), [B.NOT_CONFIRMED], id="R29, A9, A10: not confirmed for this room"),
    # bar
    pytest.param(appearance(attempt(REJECTED, is_retryable=False)), [B.REJECTED], id="bar: rejected for good"),
    pytest.param(
        appearance(attempt(REJECTED, found=(F.FORGED_DOCUMENT,))), [B.REJECTED], id="bar: final by its finding"
    ),
    pytest.param(ready(is_barred=True), [B.REJECTED], id="X10: the person is barred"),
    pytest.param(
        appearance(attempt(APPROVED), attempt(REJECTED, PASSPORT_VISA, found=(F.FORGED_DOCUMENT,))),
        [B.REJECTED],
        id="X10: a forger is one on every path",
    ),
    pytest.param(
        appearance(attempt(APPROVED), attempt(REJECTED, PASSPORT_VISA, is_retryable=False)),
        [],
        id="bar: another path's final decision for a lesser reason",
    ),
    pytest.param(
        appearance(attempt(REJECTED, days_ago=9, is_retryable=False), attempt(SUBMITTED, days_ago=1)),
        [B.REJECTED],
        id="bar: no newer attempt undoes a final one",
    ),
    pytest.param(
        appearance(attempt(REVOKED, found=(F.IMPERSONATION,))), [B.REVOKED, B.REJECTED], id="bar: revoked for good"
    ),
    # age
    pytest.param(ready(is_under_age=True), [B.UNDER_MINIMUM_AGE], id="X9: under sixteen"),
    pytest.param(ready(is_under_age=False), [], id="X9: old enough"),
    pytest.param(ready(is_under_age=None), [], id="X9: not known"),
]


@pytest.mark.parametrize(("member", "expected"), GATE)
def test_a_check_blocks_as_the_gate_says(member: Appearance, expected: list[B]) -> None:
    answer = admit(room(member), in_force=ENFORCED, now=NOW)
    assert refused_for(answer) == expected
    assert isinstance(answer, Refused) is bool(expected)


@pytest.mark.parametrize(("member", "expected"), GATE)
def test_before_the_launch_it_is_recorded_unless_it_is_law_of_its_own(member: Appearance, expected: list[B]) -> None:
    # R30, L1, L21: admitted, and recorded; a bar, an age and a withdrawn consent refuse in any phase
    answer = admit(room(member), in_force=OBSERVED, now=NOW)
    assert refused_for(answer) == [code for code in expected if code in OWN_LAW]
    assert recorded(answer) == [code for code in expected if code not in OWN_LAW]


@pytest.mark.parametrize(
    ("now", "is_refused"), [(LAUNCH - timedelta(microseconds=1), False), (LAUNCH, True)], ids=["before", "at"]
)
def test_refusals_begin_with_the_launch_instant(now: datetime, is_refused: bool) -> None:
    # R31, R32: L11, L22, L33
    answer = admit(room(appearance(), airs_at=now), in_force=ENFORCED, now=now)
    assert isinstance(answer, Refused) is is_refused


def test_an_empty_cast_is_refused_once_for_the_room() -> None:
    # R21: L6, L10
    answer = admit(room(), in_force=ENFORCED, now=NOW)
    assert refused_for(answer) == [B.CAST_EMPTY]
    assert isinstance(answer, Refused)
    assert (answer.blockers[0].member_id, answer.blockers[0].cell) == (None, None)
    assert recorded(admit(room(), in_force=OBSERVED, now=NOW)) == [B.CAST_EMPTY]


def test_everyone_on_camera_must_be_ready_and_who_is_not_is_named() -> None:
    # R20: L6, L10, L14: N-1 of N ready is refused
    missing = appearance()
    answer = admit(room(ready(), missing, ready()), in_force=ENFORCED, now=NOW)
    assert isinstance(answer, Refused)
    assert [(each.code, each.member_id, each.anchor_id) for each in answer.blockers] == [
        (B.NOT_SUBMITTED, missing.member_id, missing.anchor_id)
    ]
    assert admit(room(ready(), ready()), in_force=ENFORCED, now=NOW) == Admitted()


def test_all_that_blocks_is_told_in_the_order_of_the_cast_and_of_the_gate() -> None:
    yesterday = LAST_DAY - timedelta(days=1)
    worst = in_china(
        attempt(SUBMITTED, PASSPORT_VISA, strikes=2, documents_last_day=yesterday),
        consent_withdrawn=True,
        confirmed_at=None,
        is_barred=True,
        is_under_age=True,
    )
    answer = admit(room(worst, appearance(confirmed_at=None)), in_force=ENFORCED, now=NOW)
    assert refused_for(answer) == [
        B.AWAITING_REVIEW,
        B.CONSENT_WITHDRAWN,
        B.DOCUMENT_EXPIRES_BEFORE_BROADCAST,
        B.NOT_CONFIRMED,
        B.REJECTED,
        B.UNDER_MINIMUM_AGE,
        B.NOT_SUBMITTED,
        B.NOT_CONFIRMED,
    ]


def test_a_refusal_before_the_launch_keeps_apart_what_is_only_recorded() -> None:
    answer = admit(room(appearance(is_barred=True)), in_force=OBSERVED, now=NOW)
    assert (refused_for(answer), recorded(answer)) == ([B.REJECTED], [B.NOT_SUBMITTED])


def test_where_approval_is_needed_having_submitted_is_not_enough() -> None:
    # A12: cn-2026
    assert refused_for(admit(room(ready()), in_force=STRICT, now=NOW)) == [B.AWAITING_REVIEW]
    assert admit(room(appearance(attempt(APPROVED))), in_force=STRICT, now=NOW) == Admitted()


def test_an_old_approval_is_expired_where_it_must_be_refreshed() -> None:
    # A9: freshness of cn-2026
    old = appearance(attempt(APPROVED, days_ago=190))
    answer = admit(room(old), in_force=STRICT, now=NOW)
    assert refused_for(answer) == [B.EXPIRED]
    assert isinstance(answer, Refused)
    assert answer.blockers[0].basis.reading == "A9"
    assert admit(room(old), in_force=ENFORCED, now=NOW) == Admitted()


@pytest.mark.parametrize(
    ("handed_in", "expected"),
    [(ago(2), [B.NOT_CONFIRMED]), (ago(1), []), (ago(0.5), [])],
    ids=["before", "at", "after"],
)
def test_a_fresh_attempt_is_one_handed_in_since_the_pick(handed_in: datetime, expected: list[B]) -> None:
    # A9: per_room = FRESH; picked a day ago
    fresh = InForce(replace(ALIEXPRESS_2021, per_room=PerRoom.FRESH), launch_at=LAUNCH)
    member = appearance(attempt(APPROVED, submitted_at=handed_in))
    assert refused_for(admit(room(member), in_force=fresh, now=NOW)) == expected
    assert admit(room(member), in_force=ENFORCED, now=NOW) == Admitted()


def test_a_document_is_judged_by_the_day_in_shanghai_of_the_start() -> None:
    # X2: 15:59 UTC is still the 2nd in Shanghai, 16:00 the 3rd
    member = in_china(attempt(APPROVED, PASSPORT_VISA, documents_last_day=LAST_DAY))
    evening = datetime.fromisoformat("2026-03-02T15:59:00+00:00")
    assert refused_for(admit(room(member, airs_at=evening), in_force=ENFORCED, now=NOW)) == []
    midnight = evening + timedelta(minutes=1)
    late = admit(room(member, airs_at=midnight), in_force=ENFORCED, now=NOW)
    assert refused_for(late) == [B.DOCUMENT_EXPIRES_BEFORE_BROADCAST]


def test_one_anchor_of_an_account_needs_the_app_and_another_the_photos() -> None:
    # R2, R22: L3, L10, L15
    chinese = in_china(anchor_is_chinese=True)
    answer = admit(room(chinese, in_china()), in_force=ENFORCED, now=NOW)
    assert isinstance(answer, Refused)
    assert [(each.cell, each.path) for each in answer.blockers] == [(1, TAOBAO_APP), (3, PASSPORT_VISA)]


@pytest.mark.parametrize("handed_in", VerificationPath)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"cell {CASES.index(case) + 1}")
def test_the_system_decides_the_path_and_what_is_handed_in_on_another_admits_nobody(
    case: Case, handed_in: VerificationPath
) -> None:
    # R16: L2-L9 按系统提示
    given = attempt(SUBMITTED, handed_in, has_email=True)
    member = appearance(given, anchor_is_chinese=case.anchor_is_chinese, location=case.location)
    asked = room(member, kind=case.account_kind, is_chinese=case.account_is_chinese)
    asks_for_it = handed_in is cell_for(case, policy=ALIEXPRESS_2021).path
    assert refused_for(admit(asked, in_force=ENFORCED, now=NOW)) == ([] if asks_for_it else [B.PATH_CHANGED])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(DRAFT, [B.NOT_SUBMITTED], id="opened is nothing"),
        pytest.param(SUBMITTED, [], id="finished, the result open"),
        pytest.param(APPROVED, [], id="passed"),
        pytest.param(REJECTED, [B.RESUBMIT], id="failed"),
    ],
)
def test_in_the_app_finished_is_submitted_and_opened_is_nothing(status: VerificationStatus, expected: list[B]) -> None:
    # A13, R34
    chinese = appearance(attempt(status, TAOBAO_APP), anchor_is_chinese=True)
    assert refused_for(admit(room(chinese), in_force=ENFORCED, now=NOW)) == expected


@pytest.mark.parametrize("failed", [F.ID_NAME_MISMATCH, F.FACE_NOT_PASSED], ids=["name", "face"])
def test_in_the_app_one_of_name_and_face_passed_admits_nobody(failed: F) -> None:
    # R4: L18
    chinese = appearance(attempt(REJECTED, TAOBAO_APP, found=(failed,)), anchor_is_chinese=True)
    answer = admit(room(chinese), in_force=ENFORCED, now=NOW)
    assert isinstance(answer, Refused)
    assert [(each.code, each.findings[0].code) for each in answer.blockers] == [(B.RESUBMIT, failed)]


STARTS = {"scheduled": NOW + timedelta(days=1), "live": ago(1), "planned long ago": ago(9)}


@pytest.mark.parametrize("airs_at", STARTS.values(), ids=list(STARTS))
@pytest.mark.parametrize("decided", [APPROVED, REJECTED])
def test_a_review_may_come_at_any_time_after_the_hand_in(decided: VerificationStatus, airs_at: datetime) -> None:
    # R36: L12, L34 后置
    given = attempt(SUBMITTED, days_ago=5)
    asked = room(appearance(given), airs_at=airs_at)
    assert admit(asked, in_force=ENFORCED, now=NOW) == Admitted(), "handed in, not reviewed"
    for decided_at in (ago(4), ago(0.5), NOW):
        reviewed = replace(given, status=decided, decided_at=decided_at, is_retryable=True)
        answer = admit(room(appearance(reviewed), airs_at=airs_at), in_force=ENFORCED, now=NOW)
        assert refused_for(answer) == ([] if decided is APPROVED else [B.RESUBMIT])


def test_a_room_waits_for_its_own_cast_and_for_no_other_room_s() -> None:
    # A16
    ana, ben = ready(), appearance()
    both, alone = (admit(room(*cast), in_force=ENFORCED, now=NOW) for cast in ((ana, ben), (ana,)))
    assert isinstance(both, Refused)
    assert [each.anchor_id for each in both.blockers] == [ben.anchor_id]
    assert alone == Admitted()


def test_who_joins_a_broadcast_that_runs_passes_the_same_gate() -> None:
    # A17: the whole cast is asked about, as at the start
    ana, ben = ready(), appearance(confirmed_at=NOW)
    answers = [
        admit(room(ana, joining, airs_at=airs_at), in_force=ENFORCED, now=NOW)
        for joining in (ben, replace(ben, attempts=(attempt(SUBMITTED),)))
        for airs_at in (ago(0.1), NOW)
    ]
    assert [refused_for(answer) for answer in answers] == [[B.NOT_SUBMITTED], [B.NOT_SUBMITTED], [], []]


@pytest.mark.parametrize("airs_at", STARTS.values(), ids=list(STARTS))
def test_a_room_may_start_before_its_planned_start_or_after_it(airs_at: datetime) -> None:
    # A28
    assert admit(room(ready(), airs_at=airs_at), in_force=ENFORCED, now=NOW) == Admitted()


@pytest.mark.parametrize("status", VerificationStatus)
def test_what_the_same_person_handed_in_elsewhere_admits_them_nowhere_else(status: VerificationStatus) -> None:
    # A18: a refusal follows a person (X10), a hand-in does not
    asked = room(appearance(others=(attempt(status),)))
    assert refused_for(admit(asked, in_force=ENFORCED, now=NOW)) == [B.NOT_SUBMITTED]


@pytest.mark.parametrize("policy", [ALIEXPRESS_2021, CN_2026], ids=lambda policy: policy.name)
def test_contact_data_are_reviewed_like_photos(policy: Policy) -> None:
    # A27: L12; what the address did not answer is asked again, and that alone
    assert policy.review_contact
    unverified = attempt(REJECTED, found=(F.EMAIL_UNVERIFIED,))
    (blocker,) = blockers_of(room(appearance(unverified)), policy=policy, now=NOW)
    assert (blocker.code, [finding.requirement for finding in blocker.findings]) == (B.RESUBMIT, ["EMAIL"])


def test_a_traveller_is_asked_by_where_they_stand_in_this_broadcast() -> None:
    # A8, R29: L6, L13
    given = (attempt(APPROVED, PASSPORT_VISA), attempt(SUBMITTED))
    for location in (IN_CHINA, OUTSIDE_CHINA):
        assert admit(room(appearance(*given, location=location)), in_force=ENFORCED, now=NOW) == Admitted()


def test_an_account_that_becomes_chinese_is_answered_by_the_new_value_at_once() -> None:
    # R1: the answer is computed, never stored
    assert [
        admit(room(appearance(), is_chinese=is_chinese), in_force=ENFORCED, now=NOW).blockers[0].cell  # type: ignore[union-attr]  # nothing was handed in
        for is_chinese in (True, False)
    ] == [4, 8]


def test_a_rejected_one_is_told_what_was_refused() -> None:
    # R37: L12
    refused = attempt(REJECTED, found=(F.EMAIL_UNVERIFIED,))
    answer = admit(room(appearance(refused)), in_force=ENFORCED, now=NOW)
    assert isinstance(answer, Refused)
    assert answer.blockers[0].findings == refused.findings


def test_a_barred_one_is_told_of_the_final_findings_and_not_of_others() -> None:
    forged = attempt(REJECTED, PASSPORT_VISA, found=(F.FORGED_DOCUMENT,))
    cast = appearance(forged, attempt(REJECTED, found=(F.EMAIL_UNVERIFIED,)))
    answer = admit(room(cast), in_force=ENFORCED, now=NOW)
    assert isinstance(answer, Refused)
    assert [each.findings[0].code for each in answer.blockers] == [F.EMAIL_UNVERIFIED, F.FORGED_DOCUMENT]


@pytest.mark.parametrize(("member", "expected"), [case for case in GATE if case.values[1]])
@pytest.mark.parametrize("policy", [ALIEXPRESS_2021, CN_2026], ids=lambda policy: policy.name)
def test_every_blocker_rests_on_real_lines(policy: object, member: Appearance, expected: list[B]) -> None:
    # X8
    in_force = {ALIEXPRESS_2021: ENFORCED, CN_2026: STRICT}[policy]  # type: ignore[index]  # one of the two
    for blocker in blockers_of(room(member), policy=in_force.policy, now=NOW):
        assert blocker.basis.lines or blocker.code in OWN_LAW, "law of its own needs no line"
        assert blocker.basis.rule[0] == (
            "X" if blocker.code in {*OWN_LAW, B.DOCUMENT_EXPIRES_BEFORE_BROADCAST} else "R"
        )
        assert all(line(number) for number in blocker.basis.lines + blocker.basis.overrides)
        assert blocker.basis.cell == blocker.cell is not None


def test_a_changed_path_rests_on_the_case_that_applies_now() -> None:
    (blocker,) = blockers_of(room(in_china(attempt(APPROVED))), policy=ALIEXPRESS_2021, now=NOW)
    assert (blocker.basis.rule, blocker.basis.lines) == ("R9", ("L3", "L25"))


def test_a_review_awaited_is_against_the_lines_that_say_otherwise() -> None:
    # R32, A12, X8: L12 and L34 say that having submitted suffices
    (blocker,) = blockers_of(room(ready()), policy=CN_2026, now=NOW)
    assert (blocker.basis.lines, blocker.basis.overrides) == (("L11", "L33"), ("L12", "L34"))


def test_an_expiry_is_put_down_to_the_refresh_where_it_is_the_refresh() -> None:
    # A9, X8
    ended = attempt(APPROVED, PASSPORT_VISA, ends_at=ago(1), documents_last_day=LAST_DAY - timedelta(days=2))
    (blocker,) = blockers_of(room(in_china(ended)), policy=CN_2026, now=NOW)
    assert (blocker.code, blocker.basis.reading) == (B.EXPIRED, None)


def test_an_approval_older_than_the_pick_is_told_to_authenticate_anew() -> None:
    # A9 FRESH: to confirm once more is no remedy
    fresh = replace(ALIEXPRESS_2021, per_room=PerRoom.FRESH)
    said = [
        next(blockers_of(room(member), policy=fresh, now=NOW)).words
        for member in (appearance(attempt(APPROVED)), appearance(attempt(APPROVED), confirmed_at=None))
    ]
    assert said == [AUTHENTICATE_ANEW, BLOCKERS[B.NOT_CONFIRMED]]


@pytest.mark.parametrize("status", [APPROVED, EXPIRED])
@pytest.mark.parametrize("ends_on", [LAST_DAY - timedelta(days=1), LAST_DAY])
def test_documents_are_judged_by_the_start_while_on_air(ends_on: date, status: VerificationStatus) -> None:
    # X2, A17: began at 23:00 in Shanghai on the 1st, asked about at noon of the 2nd; a job may have written EXPIRED
    began = datetime.fromisoformat("2026-03-01T15:00:00+00:00")
    given = attempt(status, PASSPORT_VISA, ends_at=end_of(ends_on), documents_last_day=ends_on)
    if status is APPROVED or ends_on < LAST_DAY:
        answer = admit(room(in_china(given), airs_at=began), in_force=ENFORCED, now=NOW)
        assert answer == Admitted()
    next_start = admit(room(in_china(given), airs_at=NOW), in_force=ENFORCED, now=NOW)
    assert refused_for(next_start) == ([B.EXPIRED] if ends_on < LAST_DAY or status is EXPIRED else [])


def test_the_refresh_is_judged_by_now_whenever_it_began() -> None:
    # A9: freshness
    old = appearance(attempt(APPROVED, days_ago=190))
    assert refused_for(admit(room(old, airs_at=ago(30)), in_force=STRICT, now=NOW)) == [B.EXPIRED]


def test_an_approval_that_ends_before_the_start_is_told_as_its_documents_do() -> None:
    # X2: whichever of the two columns says so
    member = in_china(attempt(APPROVED, PASSPORT_VISA, ends_at=NOW + timedelta(days=1)))
    answer = admit(room(member, airs_at=NOW + timedelta(days=1)), in_force=ENFORCED, now=NOW)
    assert refused_for(answer) == [B.DOCUMENT_EXPIRES_BEFORE_BROADCAST]


def test_contact_data_that_nobody_reviews_wait_for_no_approval() -> None:
    # A27: review_contact; photos wait all the same
    policy = replace(CN_2026, review_contact=False)
    cast = appearance(attempt(SUBMITTED, strikes=2)), in_china(attempt(SUBMITTED, PASSPORT_VISA))
    assert [(each.code, each.path) for each in blockers_of(room(*cast), policy=policy, now=NOW)] == [
        (B.AWAITING_REVIEW, PASSPORT_VISA)
    ]


def test_attempts_under_another_row_since_use_up_those_of_the_person() -> None:
    # A15, X10: five here, then four there; what was unlocked (0) and what lies before was counted or does not count
    fifth = attempt(REJECTED, days_ago=3, attempts=5)
    before, after = attempt(REJECTED, days_ago=4), [attempt(REJECTED, days_ago=2) for _ in range(4)]
    unlocked, elsewhere = attempt(REJECTED, days_ago=1, attempts=0), attempt(REJECTED, PASSPORT_VISA, days_ago=1)
    for others, code in (
        ([before, *after], B.ATTEMPTS_EXHAUSTED),
        ([before, unlocked, elsewhere, *after[1:]], B.RESUBMIT),
    ):
        member = appearance(fifth, others=tuple(others))
        assert refused_for(admit(room(member), in_force=ENFORCED, now=NOW)) == [code]


def test_a_refused_or_revoked_contact_is_not_made_good_by_older_photos() -> None:
    # R24, ADR 10: as an older approval on the same path would not
    photos = attempt(APPROVED, PASSPORT_VISA, days_ago=9, has_email=True)
    for newer, expected in (
        (attempt(REJECTED, found=(F.OTHER,)), [B.RESUBMIT]),
        (attempt(REVOKED), [B.REVOKED]),
        (attempt(REJECTED, found=(F.EMAIL_UNVERIFIED,)), []),
    ):
        assert refused_for(admit(room(appearance(photos, newer)), in_force=ENFORCED, now=NOW)) == expected


def test_awaiting_review_says_whether_the_policy_or_the_strikes_ask_for_it() -> None:
    # A12, A15
    member = appearance(attempt(SUBMITTED, strikes=2))
    readings = [next(blockers_of(room(member), policy=p, now=NOW)).basis.reading for p in (ALIEXPRESS_2021, CN_2026)]
    assert readings == ["A15", "A12"]


FELL: dict[str, Any] = {"days_ago": 2.0, "decided_at": ago(0.5)}  # handed in before the broadcast, refused in it
CUTTING = InForce(replace(ALIEXPRESS_2021, on_reject_while_live=OnRejectWhileLive.CUT), launch_at=LAUNCH)


@pytest.mark.parametrize(
    ("member", "keep", "cut"),
    [
        pytest.param(ready(), LiveEffect.NONE, LiveEffect.NONE, id="ready"),
        pytest.param(appearance(attempt(REJECTED, **FELL)), LiveEffect.FLAG, LiveEffect.CUT, id="R39, A14: retryable"),
        pytest.param(
            appearance(attempt(REJECTED, attempts=9, **FELL)),
            LiveEffect.FLAG,
            LiveEffect.CUT,
            id="A14: attempts used up",
        ),
        pytest.param(appearance(attempt(REVOKED, **FELL)), LiveEffect.FLAG, LiveEffect.CUT, id="A14: revoked"),
        pytest.param(
            appearance(attempt(REJECTED)), LiveEffect.NONE, LiveEffect.NONE, id="A14, R32: retryable, before it began"
        ),
        pytest.param(
            appearance(attempt(REJECTED, attempts=9)), LiveEffect.NONE, LiveEffect.NONE, id="A14: used up before"
        ),
        pytest.param(appearance(attempt(REVOKED)), LiveEffect.NONE, LiveEffect.NONE, id="A14: revoked before"),
        pytest.param(
            appearance(attempt(REJECTED, days_ago=3, decided_at=ago(1))),
            LiveEffect.FLAG,
            LiveEffect.CUT,
            id="A14: at the instant of the start",
        ),
        pytest.param(
            appearance(attempt(REJECTED, is_retryable=False)), LiveEffect.CUT, LiveEffect.CUT, id="A14: for good"
        ),
        pytest.param(ready(is_barred=True), LiveEffect.CUT, LiveEffect.CUT, id="A14: barred"),
        pytest.param(ready(is_under_age=True), LiveEffect.CUT, LiveEffect.CUT, id="A14: under age"),
        pytest.param(ready(consent_withdrawn=True), LiveEffect.FLAG, LiveEffect.FLAG, id="A14: consent withdrawn"),
        pytest.param(ready(confirmed_at=None), LiveEffect.NONE, LiveEffect.NONE, id="asked only at the start"),
        pytest.param(appearance(attempt(EXPIRED)), LiveEffect.NONE, LiveEffect.NONE, id="time alone ends none"),
    ],
)
def test_what_a_decision_does_to_a_running_broadcast(member: Appearance, keep: LiveEffect, cut: LiveEffect) -> None:
    for in_force, effect in ((ENFORCED, keep), (CUTTING, cut)):
        assert on_air(member, in_force) is effect


def on_air(member: Appearance, in_force: InForce) -> LiveEffect:
    """What the gate's answer does to a broadcast that began a day ago."""
    asked = room(member, airs_at=ago(1))
    answer = admit(asked, in_force=in_force, now=NOW)
    return while_live(answer, question=asked, policy=in_force.policy, since=ago(1))


AGAIN = attempt(SUBMITTED, days_ago=0.25)


@pytest.mark.parametrize(
    ("member", "effect"),
    [
        pytest.param(appearance(attempt(REJECTED, **FELL), AGAIN), LiveEffect.CUT, id="handed in again"),
        pytest.param(
            appearance(attempt(REVOKED, **FELL), AGAIN), LiveEffect.CUT, id="an approval taken back, handed in again"
        ),
        pytest.param(
            appearance(attempt(REJECTED, **FELL), anchor_is_chinese=True), LiveEffect.CUT, id="another nationality"
        ),
        pytest.param(
            appearance(attempt(REJECTED, **FELL), attempt(APPROVED, days_ago=0.25)), LiveEffect.NONE, id="made good"
        ),
        pytest.param(
            appearance(attempt(REJECTED, days_ago=3), AGAIN), LiveEffect.NONE, id="refused before it went on air"
        ),
        pytest.param(
            in_china(attempt(REJECTED, **FELL), attempt(APPROVED, PASSPORT_VISA)),
            LiveEffect.NONE,
            id="refused on a path that does not apply here",
        ),
    ],
)
def test_what_was_refused_on_air_is_not_hidden_by_a_new_attempt(member: Appearance, effect: LiveEffect) -> None:
    # A14: under CUT, where approval is needed
    assert on_air(member, InForce(replace(CUTTING.policy, submission_suffices=False), launch_at=LAUNCH)) is effect


def test_before_the_launch_a_rejection_flags_and_never_cuts() -> None:
    # R30
    assert on_air(appearance(attempt(REJECTED, **FELL)), replace(CUTTING, launch_at=None)) is LiveEffect.FLAG


# The same person under another row of the account (X10)


def test_what_was_refused_for_good_elsewhere_in_the_account_bars_here() -> None:  # X10
    forged = attempt(REJECTED, PASSPORT_VISA, found=(F.FORGED_DOCUMENT,), is_retryable=False)
    assert refused_for(admit(room(ready(others=(forged,))), in_force=OBSERVED, now=NOW)) == [B.REJECTED]


def test_a_lesser_refusal_elsewhere_bars_on_its_own_path_alone() -> None:  # X10
    for path, stands in ((CONTACT, [B.REJECTED]), (PASSPORT_VISA, [])):
        lesser = attempt(REJECTED, path, found=(F.OTHER,), is_retryable=False)
        assert refused_for(admit(room(ready(others=(lesser,))), in_force=ENFORCED, now=NOW)) == stands


def test_strikes_elsewhere_since_it_was_handed_in_ask_for_approval() -> None:  # A15, X10
    before, after = (tuple(attempt(REJECTED, days_ago=days) for _ in range(2)) for days in (3, 1))
    handed_in = attempt(SUBMITTED, days_ago=2)
    assert refused_for(admit(room(appearance(handed_in, others=before)), in_force=ENFORCED, now=NOW)) == []
    answer = admit(room(appearance(handed_in, others=after)), in_force=ENFORCED, now=NOW)
    assert refused_for(answer) == [B.AWAITING_REVIEW]


@pytest.mark.parametrize(("rejections", "code"), [(29, B.RESUBMIT), (30, B.ATTEMPTS_EXHAUSTED)])
def test_at_the_account_s_ceiling_no_attempt_is_left(rejections: int, code: B) -> None:  # X10
    asked = replace(room(appearance(attempt(REJECTED))), account_rejections=rejections)
    assert refused_for(admit(asked, in_force=ENFORCED, now=NOW)) == [code]


@pytest.mark.parametrize("status", VerificationStatus)
def test_no_status_is_left_undecided(status: VerificationStatus) -> None:
    found = tuple(blockers_of(room(appearance(attempt(status))), policy=ALIEXPRESS_2021, now=NOW))
    assert all(isinstance(each, Blocker) for each in found)
    assert bool(found) is (status not in (SUBMITTED, APPROVED))
