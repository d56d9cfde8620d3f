"""Admission: may this room go on air, and if not, everything that stands against it."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias, assert_never
from uuid import UUID

from greenroom.law.attempts import Attempt, Finding, counting, last_used
from greenroom.law.checks import BASES, GATE, Appearance, Blocker, Question, blocker, cell_of, counting_of, facts_of
from greenroom.law.policies import InForce, OnRejectWhileLive, Policy
from greenroom.law.reasons import BLOCKERS
from greenroom.law.terms import AdmissionBlockerCode, VerificationStatus

__all__ = [
    "BASES",
    "Admission",
    "Admitted",
    "Appearance",
    "Attempt",
    "Blocker",
    "Finding",
    "LiveEffect",
    "Question",
    "Refused",
    "admit",
    "blockers_of",
    "cell_of",
    "counting",
    "counting_of",
    "last_used",
    "while_live",
]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The room may go on air. `would_block` is what enforcement would refuse (R30)."""

    would_block: tuple[Blocker, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The room may not go on air, for every reason given, at least one. `would_block`: what enforcement would add."""

    blockers: tuple[Blocker, ...]
    would_block: tuple[Blocker, ...] = ()


Admission: TypeAlias = Admitted | Refused

# Law of its own, whatever the phase: consent (X1), a bar (X10), a minimum age (X9).
IN_ANY_PHASE: Final = frozenset(
    {
        AdmissionBlockerCode.CONSENT_WITHDRAWN,
        AdmissionBlockerCode.REJECTED,
        AdmissionBlockerCode.UNDER_MINIMUM_AGE,
    }
)


def admit(question: Question, *, in_force: InForce, now: datetime) -> Admission:
    """Decide at `now` (UTC). Everyone who appears must be ready (R20), and someone must appear (R21)."""
    found = tuple(blockers_of(question, policy=in_force.policy, now=now))
    if in_force.is_enforced(now):
        return Refused(found) if found else Admitted()
    refusing = tuple(blocker for blocker in found if blocker.code in IN_ANY_PHASE)
    recorded = tuple(blocker for blocker in found if blocker.code not in IN_ANY_PHASE)
    return Refused(refusing, recorded) if refusing else Admitted(recorded)


def blockers_of(question: Question, *, policy: Policy, now: datetime) -> Iterator[Blocker]:
    """Yield all that this policy, enforced, holds against the room: in the order of the cast, then of the gate."""
    if not question.cast:
        empty = AdmissionBlockerCode.CAST_EMPTY
        yield Blocker(code=empty, basis=BASES[empty], words=BLOCKERS[empty])
    for appearance in question.cast:
        facts = facts_of(appearance, question=question, policy=policy, now=now)
        yield from (blocker(code, facts) for check in GATE if (code := check(facts)))


class LiveEffect(StrEnum):
    """What the gate's answer does to a broadcast that is running (A14)."""

    NONE = "NONE"
    FLAG = "FLAG"
    CUT = "CUT"


def while_live(admission: Admission, *, question: Question, policy: Policy, since: datetime) -> LiveEffect:
    """Return the gravest effect on a broadcast that runs `since` then; what is only recorded flags at most (A14)."""
    fallen = {member.member_id for member in question.cast if has_fallen(member, since=since)}
    refusing = admission.blockers if isinstance(admission, Refused) else ()
    effects = {effect_of(blocker, fallen, policy) for blocker in refusing}
    if LiveEffect.CUT in effects:
        return LiveEffect.CUT
    effects |= {effect_of(blocker, fallen, policy) for blocker in admission.would_block}
    return LiveEffect.FLAG if effects - {LiveEffect.NONE} else LiveEffect.NONE


def has_fallen(member: Appearance, *, since: datetime) -> bool:
    """Say whether something of this anchor was refused in the broadcast, and nothing approved on that path since."""
    refused = (VerificationStatus.REJECTED, VerificationStatus.REVOKED)
    return any(
        fall.status in refused
        and fall.decided_at is not None
        and fall.decided_at >= since
        and not any(
            made_good.path is fall.path
            and made_good.status is VerificationStatus.APPROVED
            and made_good.decided_at is not None
            and made_good.decided_at >= fall.decided_at
            for made_good in member.attempts
        )
        for fall in member.attempts
    )


def effect_of(blocker: Blocker, fallen: Set[UUID | None], policy: Policy) -> LiveEffect:
    """Return what a blocker does: one that hides a refusal behind a new attempt or path does what the refusal did.

    What can be submitted again and was refused before the broadcast began is for the next start alone (A14, R32).
    """
    if blocker.code not in FALLS:
        return live_effect(blocker.code, policy)
    return live_effect(AdmissionBlockerCode.RESUBMIT, policy) if blocker.member_id in fallen else LiveEffect.NONE


FALLS: Final = frozenset(
    {
        AdmissionBlockerCode.RESUBMIT,
        AdmissionBlockerCode.ATTEMPTS_EXHAUSTED,
        AdmissionBlockerCode.REVOKED,
        AdmissionBlockerCode.NOT_SUBMITTED,
        AdmissionBlockerCode.PATH_CHANGED,
        AdmissionBlockerCode.AWAITING_REVIEW,
    }
)


def live_effect(code: AdmissionBlockerCode, policy: Policy) -> LiveEffect:
    """Return what one blocker does to a running broadcast, once enforced (A14)."""
    match code:
        case AdmissionBlockerCode.REJECTED | AdmissionBlockerCode.UNDER_MINIMUM_AGE:
            return LiveEffect.CUT
        case AdmissionBlockerCode.RESUBMIT | AdmissionBlockerCode.ATTEMPTS_EXHAUSTED | AdmissionBlockerCode.REVOKED:
            return LiveEffect.CUT if policy.on_reject_while_live is OnRejectWhileLive.CUT else LiveEffect.FLAG
        case AdmissionBlockerCode.CONSENT_WITHDRAWN:
            return LiveEffect.FLAG
        case (
            AdmissionBlockerCode.CAST_EMPTY
            | AdmissionBlockerCode.NOT_SUBMITTED
            | AdmissionBlockerCode.PATH_CHANGED
            | AdmissionBlockerCode.AWAITING_REVIEW
            | AdmissionBlockerCode.EXPIRED
            | AdmissionBlockerCode.DOCUMENT_EXPIRES_BEFORE_BROADCAST
            | AdmissionBlockerCode.NOT_CONFIRMED
        ):
            return LiveEffect.NONE  # asked when a broadcast starts; time alone ends none
        case _:
            assert_never(code)
