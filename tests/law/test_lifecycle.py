"""The state machines: no transition outside the table."""

from itertools import product

import pytest

from greenroom.law.lifecycle import TRANSITIONS, may, may_pass
from greenroom.law.terms import LiveRoomStatus, ReviewTaskState, TaobaoSessionStatus, VerificationStatus

from .cases import APPROVED, CANCELED, DRAFT, EXPIRED, REJECTED, REVOKED, SUBMITTED, SUPERSEDED

VERIFICATIONS = {
    (DRAFT, SUBMITTED),
    (DRAFT, CANCELED),
    (SUBMITTED, APPROVED),
    (SUBMITTED, REJECTED),
    (SUBMITTED, CANCELED),
    (APPROVED, EXPIRED),
    (APPROVED, REVOKED),
    (APPROVED, SUPERSEDED),
}
SESSION = TaobaoSessionStatus
ROOM = LiveRoomStatus


@pytest.mark.parametrize(
    "pair", list(product(VerificationStatus, repeat=2)), ids=lambda pair: f"{pair[0]} to {pair[1]}"
)
def test_a_verification_takes_no_other_step_than_those_of_the_rules(
    pair: tuple[VerificationStatus, VerificationStatus],
) -> None:
    assert may(*pair) is (pair in VERIFICATIONS)


@pytest.mark.parametrize("pair", list(product(LiveRoomStatus, repeat=2)), ids=lambda pair: f"{pair[0]} to {pair[1]}")
def test_a_room_starts_once_and_ends_once(pair: tuple[LiveRoomStatus, LiveRoomStatus]) -> None:
    # A28
    steps = {(ROOM.SCHEDULED, ROOM.LIVE), (ROOM.LIVE, ROOM.ENDED), (ROOM.SCHEDULED, ROOM.CANCELED)}
    assert may(*pair) is (pair in steps)


@pytest.mark.parametrize("machine", TRANSITIONS, ids=lambda machine: machine.__name__)
def test_every_state_of_every_machine_has_its_row(machine: type) -> None:
    assert set(TRANSITIONS[machine]) == set(machine)
    assert all(before not in after for before, after in TRANSITIONS[machine].items())


def test_machines_with_states_of_one_name_are_kept_apart() -> None:
    assert may(SESSION.EXPIRED, SESSION.PASSED)
    assert not may(VerificationStatus.EXPIRED, VerificationStatus.APPROVED)


@pytest.mark.parametrize("left", [SESSION.DECLINED, SESSION.ABANDONED, SESSION.EXPIRED, SESSION.UNAVAILABLE])
def test_a_late_result_still_counts_after_a_session_was_left(left: TaobaoSessionStatus) -> None:
    assert may(left, SESSION.PASSED)
    assert may(left, SESSION.FAILED)
    assert may(SESSION.CREATED, left)


def test_opening_the_app_decides_nothing_and_finishing_leaves_the_result_open() -> None:
    # A13, R4: of name and face together the provider says one thing, passed or failed; there is no state between
    assert set(SESSION) - {after for after in SESSION if may(SESSION.OPENED, after)} == {
        SESSION.CREATED,
        SESSION.OPENED,
    }
    undecided = {SESSION.EXPIRED, SESSION.UNAVAILABLE}
    assert {after for after in SESSION if may(SESSION.PENDING, after)} == {SESSION.PASSED, SESSION.FAILED} | undecided


def test_a_passed_session_stays_passed() -> None:
    assert not any(may(SESSION.PASSED, after) for after in SESSION)
    assert [after for after in SESSION if may(SESSION.FAILED, after)] == [SESSION.PASSED]


@pytest.mark.parametrize(
    ("status", "circumstances", "passes"),
    [
        (DRAFT, {}, True),
        (SUBMITTED, {}, True),
        (REJECTED, {}, True),
        (REJECTED, {"is_final": True}, False),
        (REJECTED, {"consent_withdrawn": True}, False),
        (SUBMITTED, {"consent_withdrawn": True}, False),
        (CANCELED, {}, False),
        (REVOKED, {}, False),
        (EXPIRED, {}, False),
        (SUPERSEDED, {}, False),
        (APPROVED, {}, False),
    ],
)
def test_a_late_pass_approves_unless_canceled_withdrawn_or_final(
    status: VerificationStatus, circumstances: dict[str, bool], passes: bool
) -> None:
    assert may_pass(status, **circumstances) is passes


def test_only_the_provider_turns_a_rejection_round() -> None:
    assert not may(REJECTED, APPROVED)


def test_deciding_needs_the_claim() -> None:
    decided_from = {before for before in ReviewTaskState if may(before, ReviewTaskState.DECIDED)}
    assert decided_from == {ReviewTaskState.CLAIMED}
    assert may(ReviewTaskState.DECIDED, ReviewTaskState.CLAIMED)  # by a lead, for a revocation
