"""Which attempt counts: the newest ever handed in on the path, with what keeps counting behind it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from greenroom.law.admission import Attempt, counting, last_used
from greenroom.law.attempts import expiry, newest, standing, warning_due
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026, PerRoom, Policy
from greenroom.law.terms import VerificationPath, VerificationStatus

from .cases import (
    APPROVED,
    CANCELED,
    CONTACT,
    DRAFT,
    EXPIRED,
    NOW,
    PASSPORT_VISA,
    REJECTED,
    REVOKED,
    SUBMITTED,
    SUPERSEDED,
    TAOBAO_APP,
    F,
    ago,
    attempt,
)

FRESH = replace(ALIEXPRESS_2021, per_room=PerRoom.FRESH)


def counts(*attempts: Attempt, path: VerificationPath = CONTACT, policy: Policy = ALIEXPRESS_2021) -> Attempt | None:
    found = counting(attempts, path, policy=policy, now=NOW)
    assert found == counting(attempts[::-1], path, policy=policy, now=NOW), "in any order"
    return found


@pytest.mark.parametrize("status", [DRAFT, CANCELED, SUPERSEDED])
def test_what_was_not_handed_in_or_is_gone_counts_for_nothing(status: VerificationStatus) -> None:
    # R34
    assert counts() is None
    assert counts(attempt(status)) is None


@pytest.mark.parametrize("status", [DRAFT, CANCELED])
@pytest.mark.parametrize("older", [SUBMITTED, APPROVED, REJECTED, EXPIRED, REVOKED])
def test_a_draft_or_a_canceled_one_never_displaces_another(
    older: VerificationStatus, status: VerificationStatus
) -> None:
    kept = attempt(older, days_ago=9)
    assert counts(kept, attempt(status, days_ago=1)) == kept


@pytest.mark.parametrize("newer", [SUBMITTED, APPROVED, REJECTED, EXPIRED, REVOKED])
@pytest.mark.parametrize("older", [SUBMITTED, REJECTED, EXPIRED, REVOKED])
def test_the_newest_handed_in_counts(older: VerificationStatus, newer: VerificationStatus) -> None:
    newest = attempt(newer, days_ago=1)
    assert counts(attempt(older, days_ago=9), newest) == newest


def test_an_approved_one_keeps_counting_while_a_newer_one_is_submitted() -> None:
    # R24: L15
    approved = attempt(APPROVED, days_ago=9)
    assert counts(approved, attempt(SUBMITTED, days_ago=1)) == approved


def test_an_approved_one_keeps_counting_behind_a_rejection_that_concerns_only_the_newer() -> None:
    # R24
    approved = attempt(APPROVED, PASSPORT_VISA, days_ago=9)
    blurred = attempt(REJECTED, PASSPORT_VISA, days_ago=3, found=(F.IMAGE_UNREADABLE, F.PAGE_MISSING))
    again = attempt(SUBMITTED, PASSPORT_VISA, days_ago=1)
    assert counts(approved, blurred, again, path=PASSPORT_VISA) == approved


@pytest.mark.parametrize("code", [F.NATIONALITY_MISMATCH, F.WRONG_PATH, F.OTHER, F.IMPERSONATION, F.FORGED_DOCUMENT])
def test_a_reason_that_touches_the_person_displaces_an_older_approval(code: F) -> None:
    newer = attempt(REJECTED, days_ago=1, found=(F.IMAGE_GLARE, code))
    assert counts(attempt(APPROVED, days_ago=9), newer) == newer


def test_a_rejection_without_a_reason_or_for_good_displaces_an_older_approval() -> None:
    approved = attempt(APPROVED, days_ago=9)
    for newer in (attempt(REJECTED), attempt(REJECTED, found=(F.IMAGE_GLARE,), is_retryable=False)):
        assert counts(approved, newer) == newer


def test_a_newer_submission_hides_no_rejection_that_touched_the_person() -> None:
    mismatch = attempt(REJECTED, days_ago=3, found=(F.NATIONALITY_MISMATCH,))
    again = attempt(SUBMITTED, days_ago=1)
    assert counts(attempt(APPROVED, days_ago=9), mismatch, again) == again


def test_a_late_pass_of_an_older_attempt_counts_while_the_newer_one_is_open() -> None:
    # L34: late results are not lost
    late = attempt(APPROVED, TAOBAO_APP, days_ago=5, decided_at=ago(0.1))
    assert counts(late, attempt(SUBMITTED, TAOBAO_APP, days_ago=1), path=TAOBAO_APP) == late


def test_a_superseded_one_never_comes_back() -> None:
    newer = attempt(REVOKED, days_ago=1, found=(F.EMAIL_UNVERIFIED,))
    assert counts(attempt(SUPERSEDED, days_ago=9), newer) == newer


@pytest.mark.parametrize("other", [PASSPORT_VISA, CONTACT])
def test_nothing_else_covers_another_path(other: VerificationPath) -> None:
    assert counts(attempt(APPROVED, other, has_email=True), path=TAOBAO_APP) is None
    assert counts(attempt(APPROVED, CONTACT), path=PASSPORT_VISA) is None


def test_an_approved_passport_and_visa_with_an_e_mail_covers_contact() -> None:
    covering = attempt(APPROVED, PASSPORT_VISA, has_email=True)
    assert counts(covering) == covering


@pytest.mark.parametrize(
    "other",
    [
        attempt(APPROVED, PASSPORT_VISA, has_email=False),
        attempt(SUBMITTED, PASSPORT_VISA, has_email=True),
        attempt(APPROVED, PASSPORT_VISA, has_email=True, ends_at=NOW),
        attempt(APPROVED, TAOBAO_APP, has_email=True),
    ],
    ids=["without e-mail", "not approved", "run out", "another path"],
)
def test_no_lesser_attempt_covers_contact(other: Attempt) -> None:
    assert counts(other) is None


def test_supersession_is_within_one_path() -> None:
    # a traveller holds two
    abroad, at_home = attempt(APPROVED, CONTACT, days_ago=9), attempt(REJECTED, PASSPORT_VISA, days_ago=1)
    assert counts(abroad, at_home, path=CONTACT) == abroad
    assert counts(abroad, at_home, path=PASSPORT_VISA) == at_home


def test_what_covers_contact_is_only_ever_an_advantage() -> None:
    contact = attempt(SUBMITTED, CONTACT, days_ago=9)
    covering = attempt(APPROVED, PASSPORT_VISA, days_ago=1, has_email=True, documents_last_day=date(2026, 3, 2))
    found = counting((contact, covering), CONTACT, policy=ALIEXPRESS_2021, now=NOW, airs_at=NOW + timedelta(days=1))
    assert found == contact


def test_an_approval_that_ran_out_counts_as_expired_before_any_job_says_so() -> None:
    approved = attempt(APPROVED, ends_at=NOW)
    assert counts(approved) == replace(approved, status=EXPIRED)
    still = replace(approved, ends_at=NOW + timedelta(microseconds=1))
    assert counts(still) == still


def test_an_approval_older_than_six_months_has_ended_in_the_stricter_pack() -> None:
    # A9 freshness: approved on 2 September, noon in Shanghai; now it is 2 March, noon
    approved = attempt(APPROVED, decided_at=NOW.replace(year=2025, month=9), days_ago=300)
    assert counts(approved, policy=CN_2026) == replace(approved, status=EXPIRED)
    assert counts(approved) == approved
    later = replace(approved, decided_at=NOW.replace(year=2025, month=9, minute=1))
    assert counts(later, policy=CN_2026) == later


def test_what_ended_with_time_gives_way_to_a_newer_submission() -> None:
    newer = attempt(SUBMITTED, days_ago=1)
    assert counts(attempt(APPROVED, days_ago=9, ends_at=ago(1)), newer) == newer


def test_a_renewed_visa_counts_once_the_approved_one_is_too_short() -> None:
    # R33, X2: else handing in the renewed one would not help until it is reviewed
    old = attempt(APPROVED, PASSPORT_VISA, days_ago=9, documents_last_day=date(2026, 3, 4))
    new = attempt(SUBMITTED, PASSPORT_VISA, days_ago=1, documents_last_day=date(2027, 3, 4))
    for days, expected in ((2, old), (3, new)):
        airs_at = NOW + timedelta(days=days)
        assert counting((old, new), PASSPORT_VISA, policy=ALIEXPRESS_2021, now=NOW, airs_at=airs_at) == expected


def test_where_each_room_wants_a_fresh_attempt_an_older_approval_gives_way_to_it() -> None:
    # A9 FRESH
    old, new = attempt(APPROVED, days_ago=9), attempt(SUBMITTED, days_ago=1)
    assert counting((old, new), CONTACT, policy=FRESH, now=NOW, picked_at=ago(3)) == new
    assert counting((old, new), CONTACT, policy=FRESH, now=NOW, picked_at=ago(10)) == old


def test_what_was_rejected_last_is_newest_whatever_counts() -> None:
    # R37: an approval behind it, a draft, another path and a withdrawn one do not hide what may be kept
    approved, rejected = attempt(APPROVED, days_ago=9), attempt(REJECTED, days_ago=3, found=(F.EMAIL_UNVERIFIED,))
    given = (rejected, approved, attempt(DRAFT), attempt(CANCELED, days_ago=1), attempt(SUBMITTED, PASSPORT_VISA))
    assert counts(*given) == approved
    assert newest(given, CONTACT) == rejected
    assert newest((attempt(DRAFT),), CONTACT) is None


def test_an_expiry_by_the_refresh_or_of_no_document_is_not_undone_by_an_earlier_start() -> None:
    # A9, X2
    for given in (attempt(EXPIRED), attempt(EXPIRED, ends_at=NOW + timedelta(days=1))):
        found = counting((given,), CONTACT, policy=ALIEXPRESS_2021, now=NOW, airs_at=ago(1))
        assert found == given


@pytest.mark.parametrize("policy", [ALIEXPRESS_2021, CN_2026], ids=lambda policy: policy.name)
@pytest.mark.parametrize("days_ago", [2, 190])
@pytest.mark.parametrize("ended_days_ago", [0, 1])
@pytest.mark.parametrize("airs_days_ago", [None, -1, 0, 0.5, 1, 1.5, 3])
def test_an_ended_approval_stands_alike_before_and_after_a_job_marked_it(
    policy: Policy, days_ago: float, ended_days_ago: float, airs_days_ago: float | None
) -> None:
    # X2, A9
    approved = attempt(APPROVED, PASSPORT_VISA, days_ago=days_ago, ends_at=ago(ended_days_ago))
    marked = replace(approved, status=EXPIRED)
    airs_at = None if airs_days_ago is None else ago(airs_days_ago)
    before, after = (standing(each, policy=policy, now=NOW, airs_at=airs_at) for each in (approved, marked))
    assert before == after


AHEAD = timedelta(days=30)


@pytest.mark.parametrize(
    ("ends_in", "warned_days", "due"),
    [
        (AHEAD + timedelta(seconds=1), None, None),
        (AHEAD, None, 30),
        (AHEAD, 30, None),
        (timedelta(days=7, seconds=1), 30, None),
        (timedelta(days=7), 30, 7),
        (timedelta(days=7), None, 7),
        (timedelta(days=7), 7, None),
        (timedelta(seconds=1), None, 7),
        (timedelta(0), None, None),
        (AHEAD, 7, None),
    ],
)
@pytest.mark.parametrize("status", [SUBMITTED, APPROVED])
def test_an_end_is_warned_of_at_30_and_at_7_days_each_once(
    status: VerificationStatus, ends_in: timedelta, warned_days: int | None, due: int | None
) -> None:
    given = attempt(status, PASSPORT_VISA, ends_at=NOW + ends_in)
    assert warning_due(given, policy=ALIEXPRESS_2021, now=NOW, warned_days=warned_days) == due


@pytest.mark.parametrize("status", [DRAFT, REJECTED, EXPIRED, REVOKED, SUPERSEDED, CANCELED])
def test_what_admits_nobody_is_warned_of_by_nobody(status: VerificationStatus) -> None:
    given = attempt(status, PASSPORT_VISA, ends_at=NOW + AHEAD)
    assert warning_due(given, policy=ALIEXPRESS_2021, now=NOW, warned_days=None) is None


def test_an_end_by_time_is_told_of_what_admits_until_then_alone() -> None:
    ends_at = NOW + AHEAD
    told = {
        each: expiry(attempt(each, PASSPORT_VISA, ends_at=ends_at), policy=ALIEXPRESS_2021)
        for each in VerificationStatus
    }
    assert {status for status, end in told.items() if end} == {SUBMITTED, APPROVED, EXPIRED}
    assert set(told.values()) == {ends_at, None}


def test_the_refresh_is_an_end_of_approvals_alone() -> None:
    # A9: freshness
    old = {"days_ago": 170, "ends_at": NOW + timedelta(days=400)}
    assert warning_due(attempt(APPROVED, **old), policy=CN_2026, now=NOW, warned_days=None) == 30
    assert warning_due(attempt(SUBMITTED, **old), policy=CN_2026, now=NOW, warned_days=None) is None
    assert warning_due(attempt(APPROVED, **old), policy=ALIEXPRESS_2021, now=NOW, warned_days=None) is None


def test_an_approval_for_another_nationality_counts_for_nothing_before_and_after_its_end() -> None:
    # the gate, ADR 10: the same state, one answer, whether a job wrote EXPIRED or not
    for status, ends_at in ((APPROVED, None), (APPROVED, NOW), (EXPIRED, NOW)):
        assert counts(attempt(status, ends_at=ends_at, is_for_nationality=False)) is None


def test_without_a_place_the_attempt_on_the_path_used_last_counts() -> None:
    approved = attempt(APPROVED, PASSPORT_VISA, days_ago=5)
    given = (attempt(SUBMITTED, CONTACT, days_ago=7), approved, attempt(SUBMITTED, PASSPORT_VISA, days_ago=1))
    assert last_used((*given, attempt(DRAFT, TAOBAO_APP)), policy=ALIEXPRESS_2021, now=NOW) == approved
    assert last_used((attempt(DRAFT),), policy=ALIEXPRESS_2021, now=NOW) is None
