"""Checks: what the gate asks about each appearance, every check on its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from greenroom.law.attempts import (
    Attempt,
    Finding,
    counting,
    handed_in_by_person,
    has_final_finding,
    is_exhausted,
    is_final,
    is_fresh,
    outlasts,
    refresh_due,
    refused_since,
)
from greenroom.law.basis import RuleBasis
from greenroom.law.paths import Case, Cell, cell_for
from greenroom.law.policies import PerRoom, Policy
from greenroom.law.reasons import AUTHENTICATE_ANEW, BLOCKERS, Words
from greenroom.law.terms import (
    AccountKind,
    AdmissionBlockerCode,
    BroadcastLocation,
    VerificationPath,
    VerificationStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """One anchor's part in one room, as far as the law cares. Instants are UTC; free of personal data."""

    member_id: UUID
    anchor_id: UUID
    anchor_is_chinese: bool
    location: BroadcastLocation
    confirmed_at: datetime | None = None  # None: never confirmed for this room, or undone (A10)
    has_consent: bool = False  # to the notice in force
    consent_withdrawn: bool = False
    attempts: tuple[Attempt, ...] = ()  # in any order, on any path
    others: tuple[Attempt, ...] = ()  # refused ones of the same person under another row of the account (X10)
    is_barred: bool = False  # the person is, in whatever account (X10)
    is_under_age: bool | None = None  # on the day of the broadcast; None: no date of birth is known (X9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May this room go on air? `airs_at`: the planned start until it starts, the instant of the start when it does."""

    account_kind: AccountKind
    account_is_chinese: bool
    airs_at: datetime
    account_rejections: int = 0  # of the account, in the days that its ceiling looks back (X10)
    cast: tuple[Appearance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """One reason against a broadcast; without ids it concerns the whole room."""

    code: AdmissionBlockerCode
    basis: RuleBasis
    member_id: UUID | None = None
    anchor_id: UUID | None = None
    cell: int | None = None
    path: VerificationPath | None = None
    words: Words
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One appearance with what follows from it: its cell, and the attempt that counts."""

    appearance: Appearance
    cell: Cell
    attempt: Attempt | None
    question: Question
    policy: Policy
    now: datetime


def facts_of(appearance: Appearance, *, question: Question, policy: Policy, now: datetime) -> Facts:
    """Return what the checks look at."""
    cell = cell_of(appearance, question=question, policy=policy)
    attempt = counting(
        appearance.attempts,
        cell.path,
        policy=policy,
        now=now,
        airs_at=question.airs_at,
        picked_at=appearance.confirmed_at,
    )
    return Facts(appearance, cell, attempt, question, policy, now)


def cell_of(appearance: Appearance, *, question: Question, policy: Policy) -> Cell:
    """Return the cell of the decision table that this appearance falls into."""
    case = Case(question.account_kind, question.account_is_chinese, appearance.anchor_is_chinese, appearance.location)
    return cell_for(case, policy=policy)


def counting_of(appearance: Appearance, *, question: Question, policy: Policy, now: datetime) -> Attempt | None:
    """Return the attempt that counts for this appearance."""
    return facts_of(appearance, question=question, policy=policy, now=now).attempt


def verification(facts: Facts) -> AdmissionBlockerCode | None:
    """Four rows of the gate, of which one at most can hold: attempt, review, rejection, end."""
    attempt = facts.attempt
    if attempt is None:  # nothing, a draft, a link opened, canceled (R34)
        is_covered = is_covered_elsewhere(facts)
        return AdmissionBlockerCode.PATH_CHANGED if is_covered else AdmissionBlockerCode.NOT_SUBMITTED
    match attempt.status:
        case VerificationStatus.APPROVED:
            return None
        case VerificationStatus.SUBMITTED:  # R33, unless approval is needed (A12, A15)
            return AdmissionBlockerCode.AWAITING_REVIEW if needs_approval(attempt, facts) else None
        case VerificationStatus.REJECTED:  # R38
            if is_final(attempt):
                return None  # the bar's
            handed_in = handed_in_by_person(attempt, facts.appearance.others)
            rejections = facts.question.account_rejections
            is_over = is_exhausted(handed_in, account_rejections=rejections, policy=facts.policy)
            return AdmissionBlockerCode.ATTEMPTS_EXHAUSTED if is_over else AdmissionBlockerCode.RESUBMIT
        case VerificationStatus.EXPIRED:
            return AdmissionBlockerCode.EXPIRED
        case VerificationStatus.REVOKED:
            return AdmissionBlockerCode.REVOKED
        case VerificationStatus.DRAFT | VerificationStatus.CANCELED | VerificationStatus.SUPERSEDED:
            raise AssertionError(f"{attempt.status} never counts")
        case _:
            assert_never(attempt.status)


def is_covered_elsewhere(facts: Facts) -> bool:
    """Say whether the anchor has what another path asks for: then place or nationality, and so the path, changed."""
    path, airs_at = facts.cell.path, facts.question.airs_at
    attempts = [replace(a, is_for_nationality=True) for a in facts.appearance.attempts if a.path is not path]
    if not attempts:
        return False
    others = (other for other in VerificationPath if other is not path)
    held = (counting(attempts, other, policy=facts.policy, now=facts.now, airs_at=airs_at) for other in others)
    valid = (VerificationStatus.SUBMITTED, VerificationStatus.APPROVED)
    return any(attempt.status in valid for attempt in held if attempt)


def needs_approval(attempt: Attempt, facts: Facts) -> bool:
    """Say whether having submitted is not enough: by the policy (A12, A27), or after too many rejections (A15).

    Its strikes were counted when it was handed in; since then the same person can be refused under another row (X10).
    """
    if attempt.path is VerificationPath.CONTACT and not facts.policy.review_contact:
        return False  # an approval that never comes is not waited for
    strikes = attempt.strikes + sum(1 for _ in refused_since(attempt, facts.appearance.others))
    return not facts.policy.submission_suffices or strikes >= facts.policy.strikes


def consent(facts: Facts) -> AdmissionBlockerCode | None:
    """Was consent withdrawn (X1)?"""
    return AdmissionBlockerCode.CONSENT_WITHDRAWN if facts.appearance.consent_withdrawn else None


def documents(facts: Facts) -> AdmissionBlockerCode | None:
    """Does a document end before the day of the broadcast (X2)?"""
    attempt = facts.attempt
    if attempt is None or attempt.status not in (VerificationStatus.SUBMITTED, VerificationStatus.APPROVED):
        return None
    if outlasts(attempt, facts.question.airs_at):
        return None
    return AdmissionBlockerCode.DOCUMENT_EXPIRES_BEFORE_BROADCAST


def confirmation(facts: Facts) -> AdmissionBlockerCode | None:
    """Was this anchor picked for this room as it stands now, and handed in afresh if the policy asks (R29, A9)?"""
    is_confirmed = facts.appearance.confirmed_at is not None and not is_older_than_pick(facts)
    return None if is_confirmed else AdmissionBlockerCode.NOT_CONFIRMED


def is_older_than_pick(facts: Facts) -> bool:
    """Say whether every room wants a fresh attempt, and this one was handed in before the anchor was picked (A9)."""
    picked_at, attempt = facts.appearance.confirmed_at, facts.attempt
    if facts.policy.per_room is not PerRoom.FRESH or picked_at is None or attempt is None:
        return False
    return not is_fresh(attempt, picked_at)


def bar(facts: Facts) -> AdmissionBlockerCode | None:
    """Is the person barred, or rejected for good? What bars a person follows them to every path (X10)."""
    return AdmissionBlockerCode.REJECTED if facts.appearance.is_barred or any(final_ones(facts)) else None


def final_ones(facts: Facts) -> Iterator[Attempt]:
    """Yield what was rejected for good, of this row or another of the same person: on this path, or for what bars them
    on any."""
    for attempt in (*facts.appearance.attempts, *facts.appearance.others):
        if has_final_finding(attempt) or (attempt.path is facts.cell.path and is_final(attempt)):
            yield attempt


def age(facts: Facts) -> AdmissionBlockerCode | None:
    """Is the anchor known to be too young (X9)?"""
    return AdmissionBlockerCode.UNDER_MINIMUM_AGE if facts.appearance.is_under_age else None


# Independent checks, in the order of the rules: each that blocks is reported.
GATE: Final[tuple[Callable[[Facts], AdmissionBlockerCode | None], ...]] = (
    verification,
    consent,
    documents,
    confirmation,
    bar,
    age,
)


# Without lines: what the announcement does not say, and the law requires all the same.
# fmt: off
BASES: Final = {
    AdmissionBlockerCode.CAST_EMPTY:         RuleBasis("R21", ("L6", "L10")),
    AdmissionBlockerCode.NOT_SUBMITTED:      RuleBasis("R20", ("L6", "L10", "L14")),
    AdmissionBlockerCode.AWAITING_REVIEW:    RuleBasis("R32", ("L11", "L33"), overrides=("L12", "L34"), reading="A12"),
    AdmissionBlockerCode.RESUBMIT:           RuleBasis("R38", ("L11", "L12")),
    AdmissionBlockerCode.ATTEMPTS_EXHAUSTED: RuleBasis("R37", ("L12",), reading="A15"),
    AdmissionBlockerCode.EXPIRED:            RuleBasis("R32", ("L11", "L33")),
    AdmissionBlockerCode.REVOKED:            RuleBasis("R36", ("L12", "L34")),
    AdmissionBlockerCode.CONSENT_WITHDRAWN:  RuleBasis("X1",  ()),
    AdmissionBlockerCode.DOCUMENT_EXPIRES_BEFORE_BROADCAST: RuleBasis("X2", ("L3", "L8", "L25", "L30")),
    AdmissionBlockerCode.NOT_CONFIRMED:      RuleBasis("R29", ("L6", "L13"), reading="A9"),
    AdmissionBlockerCode.REJECTED:           RuleBasis("X10", ()),
    AdmissionBlockerCode.UNDER_MINIMUM_AGE:  RuleBasis("X9",  ()),
}
# fmt: on


def blocker(code: AdmissionBlockerCode, facts: Facts) -> Blocker:
    """Return the blocker with whom it concerns, what it rests on and what was found."""
    return Blocker(
        code=code,
        basis=basis_of(code, facts),
        member_id=facts.appearance.member_id,
        anchor_id=facts.appearance.anchor_id,
        cell=facts.cell.number,
        path=facts.cell.path,
        words=words_of(code, facts),
        findings=findings_of(code, facts),
    )


def basis_of(code: AdmissionBlockerCode, facts: Facts) -> RuleBasis:
    """Return what a blocker rests on. Of a changed path: the case that applies now."""
    if code is AdmissionBlockerCode.PATH_CHANGED:
        return facts.cell.basis
    return replace(BASES[code], reading=reading(code, facts), cell=facts.cell.number)


def reading(code: AdmissionBlockerCode, facts: Facts) -> str | None:
    """Return the reading behind a blocker: two depend on what the policy asks for."""
    if code is AdmissionBlockerCode.AWAITING_REVIEW and facts.policy.submission_suffices:
        return "A15"  # then it is the strikes
    if code is AdmissionBlockerCode.EXPIRED and facts.attempt:
        due = refresh_due(facts.attempt, policy=facts.policy)
        return "A9" if due is not None and facts.now >= due else None  # else its documents ended
    return BASES[code].reading


def words_of(code: AdmissionBlockerCode, facts: Facts) -> Words:
    """Return what is told of a blocker: confirming once more is no remedy where a fresh attempt is wanted (A9)."""
    is_stale = code is AdmissionBlockerCode.NOT_CONFIRMED and is_older_than_pick(facts)
    return AUTHENTICATE_ANEW if is_stale else BLOCKERS[code]


def findings_of(code: AdmissionBlockerCode, facts: Facts) -> tuple[Finding, ...]:
    """Return what the refused attempts were refused for."""
    match code:
        case AdmissionBlockerCode.RESUBMIT | AdmissionBlockerCode.ATTEMPTS_EXHAUSTED | AdmissionBlockerCode.REVOKED:
            return facts.attempt.findings if facts.attempt else ()
        case AdmissionBlockerCode.REJECTED:
            return tuple(finding for attempt in final_ones(facts) for finding in attempt.findings)
        case (
            AdmissionBlockerCode.CAST_EMPTY
            | AdmissionBlockerCode.NOT_SUBMITTED
            | AdmissionBlockerCode.PATH_CHANGED
            | AdmissionBlockerCode.AWAITING_REVIEW
            | AdmissionBlockerCode.EXPIRED
            | AdmissionBlockerCode.CONSENT_WITHDRAWN
            | AdmissionBlockerCode.DOCUMENT_EXPIRES_BEFORE_BROADCAST
            | AdmissionBlockerCode.NOT_CONFIRMED
            | AdmissionBlockerCode.UNDER_MINIMUM_AGE
        ):
            return ()
        case _:
            assert_never(code)
