"""Lifecycle: which state may follow which. What is not in a table does not happen."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from greenroom.law.terms import (
    LiveRoomStatus,
    ReviewTaskState,
    TaobaoSessionStatus,
    VerificationStatus,
)

State = TypeVar("State", VerificationStatus, TaobaoSessionStatus, LiveRoomStatus, ReviewTaskState)


def may(before: State, after: State) -> bool:
    """Say whether `after` may follow `before`. A provider's late pass is a rule of its own: see `may_pass`."""
    return after in TRANSITIONS[type(before)][before]


def may_pass(status: VerificationStatus, *, is_final: bool = False, consent_withdrawn: bool = False) -> bool:
    """Say whether the provider's "passed", however late, approves an attempt in this state.

    A draft goes through SUBMITTED in the same step. A rejection that can be submitted again gives way, since the
    provider alone knows better; a final one, a cancellation and a withdrawn consent do not.
    """
    return status in PASSABLE and not is_final and not consent_withdrawn


PASSABLE: Final = (VerificationStatus.DRAFT, VerificationStatus.SUBMITTED, VerificationStatus.REJECTED)

VERIFICATION: Final[Mapping[VerificationStatus, frozenset[VerificationStatus]]] = {
    VerificationStatus.DRAFT: frozenset({VerificationStatus.SUBMITTED, VerificationStatus.CANCELED}),
    VerificationStatus.SUBMITTED: frozenset(
        {VerificationStatus.APPROVED, VerificationStatus.REJECTED, VerificationStatus.CANCELED}
    ),
    VerificationStatus.APPROVED: frozenset(
        {VerificationStatus.EXPIRED, VerificationStatus.REVOKED, VerificationStatus.SUPERSEDED}
    ),
    VerificationStatus.REJECTED: frozenset(),  # a new attempt is a new row
    VerificationStatus.EXPIRED: frozenset(),
    VerificationStatus.REVOKED: frozenset(),
    VerificationStatus.SUPERSEDED: frozenset(),
    VerificationStatus.CANCELED: frozenset(),
}

# Results may skip steps that were never seen, and come late: after a link ran out, an outage, or a failure.
DECIDED: Final = frozenset({TaobaoSessionStatus.PASSED, TaobaoSessionStatus.FAILED})
LEFT: Final = frozenset({TaobaoSessionStatus.DECLINED, TaobaoSessionStatus.ABANDONED, TaobaoSessionStatus.EXPIRED})
REPORTED: Final = DECIDED | {TaobaoSessionStatus.PENDING}

SESSION: Final[Mapping[TaobaoSessionStatus, frozenset[TaobaoSessionStatus]]] = {
    TaobaoSessionStatus.CREATED: REPORTED | LEFT | {TaobaoSessionStatus.OPENED, TaobaoSessionStatus.UNAVAILABLE},
    TaobaoSessionStatus.OPENED: REPORTED | LEFT | {TaobaoSessionStatus.UNAVAILABLE},
    TaobaoSessionStatus.PENDING: DECIDED | {TaobaoSessionStatus.EXPIRED, TaobaoSessionStatus.UNAVAILABLE},
    TaobaoSessionStatus.PASSED: frozenset(),
    TaobaoSessionStatus.FAILED: frozenset({TaobaoSessionStatus.PASSED}),
    TaobaoSessionStatus.DECLINED: REPORTED,
    TaobaoSessionStatus.ABANDONED: REPORTED,
    TaobaoSessionStatus.EXPIRED: REPORTED,
    TaobaoSessionStatus.UNAVAILABLE: REPORTED | LEFT | {TaobaoSessionStatus.OPENED},
}

ROOM: Final[Mapping[LiveRoomStatus, frozenset[LiveRoomStatus]]] = {
    LiveRoomStatus.SCHEDULED: frozenset({LiveRoomStatus.LIVE, LiveRoomStatus.CANCELED}),
    LiveRoomStatus.LIVE: frozenset({LiveRoomStatus.ENDED}),  # a room starts once (A28)
    LiveRoomStatus.ENDED: frozenset(),
    LiveRoomStatus.CANCELED: frozenset(),
}

TASK: Final[Mapping[ReviewTaskState, frozenset[ReviewTaskState]]] = {
    ReviewTaskState.OPEN: frozenset({ReviewTaskState.CLAIMED}),
    ReviewTaskState.CLAIMED: frozenset(  # back to where it was when the lease lapses; deciding needs the claim
        {ReviewTaskState.OPEN, ReviewTaskState.HALF_DECIDED, ReviewTaskState.DECIDED}
    ),
    ReviewTaskState.HALF_DECIDED: frozenset({ReviewTaskState.CLAIMED}),
    ReviewTaskState.DECIDED: frozenset({ReviewTaskState.CLAIMED}),  # by a lead, for a revocation
}

# By type: members of two machines with the same name are equal as text, so one flat table would mix them up.
TRANSITIONS: Final[Mapping[type, Mapping[Any, frozenset[Any]]]] = {
    VerificationStatus: VERIFICATION,
    TaobaoSessionStatus: SESSION,
    LiveRoomStatus: ROOM,
    ReviewTaskState: TASK,
}
