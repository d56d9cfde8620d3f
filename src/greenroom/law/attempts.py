"""Attempts: what an anchor has handed in, and which attempt counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import assert_never
from uuid import UUID

from greenroom.law.days import day_of, months_after
from greenroom.law.policies import PerRoom, Policy
from greenroom.law.reasons import REASONS, ForAnchor
from greenroom.law.terms import FindingCode, RequirementKind, VerificationPath, VerificationStatus


@dataclass(frozen=True, slots=True)
class Finding:
    """What was wrong with one item. The message is for people: no decision and no record depends on it."""

    code: FindingCode
    requirement: RequirementKind
    message: ForAnchor = field(default=ForAnchor(""), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One verification attempt, as far as the law cares. Instants are UTC; free of personal data."""

    id: UUID
    path: VerificationPath
    status: VerificationStatus
    submitted_at: datetime | None = None
    decided_at: datetime | None = None
    ends_at: datetime | None = None  # first instant at which it admits no more, by its own documents
    documents_last_day: date | None = None  # the earliest last day of its documents, a day in Shanghai
    is_retryable: bool | None = None  # after a rejection: may it be submitted again
    strikes: int = 0  # rejections in a row before this attempt
    attempts: int = 1  # handed-in attempts on this path so far, this one included; canceled ones do not count
    findings: tuple[Finding, ...] = ()
    has_email: bool = False
    is_for_nationality: bool = True  # handed in for the nationality that the anchor has now
    provided: frozenset[RequirementKind] = frozenset()  # of a draft: the items that are in already (A26)


def counting(
    attempts: Sequence[Attempt],
    path: VerificationPath,
    *,
    policy: Policy,
    now: datetime,
    airs_at: datetime | None = None,
    picked_at: datetime | None = None,
) -> Attempt | None:
    """Return the attempt that counts on `path`, as it stands at `now`; None if nothing was ever handed in.

    It is the newest ever handed in; but an approved one keeps counting while each newer one is submitted, or rejected
    for a reason that concerns only itself (R24). It keeps counting only while it would admit: until it ends, for a
    broadcast at `airs_at` while its documents last, and where every room wants a fresh attempt (A9), if handed in
    since `picked_at`. Else a renewed visa would not help until reviewed, against R33.
    """
    own = [standing(a, policy=policy, now=now) for a in attempts if a.path is path and was_handed_in(a)]
    covering = [standing(a, policy=policy, now=now) for a in attempts if covers(a, path)]
    if not covering and len(own) < 2:
        return own[0] if own else None  # nearly always: no rival, nothing to weigh
    good = {a.id for a in own + covering if is_good(a, policy=policy, airs_at=airs_at, picked_at=picked_at)}
    rivals = sorted((a for a in own + covering if a.path is path or a.id in good), key=age, reverse=True)
    for attempt in rivals:
        if attempt.id in good:
            return attempt
        if not concerns_only_itself(attempt):
            break
    return rivals[0] if rivals else None


def last_used(attempts: Sequence[Attempt], *, policy: Policy, now: datetime) -> Attempt | None:
    """Return the attempt that counts on the path used last; None if nothing was ever handed in."""
    if not (handed_in := [attempt for attempt in attempts if was_handed_in(attempt)]):
        return None
    return counting(attempts, max(handed_in, key=age).path, policy=policy, now=now)


def standing(attempt: Attempt, *, policy: Policy, now: datetime) -> Attempt:
    """Return the attempt as it stands at `now`: an approval that has run out is EXPIRED before any job says so."""
    ends_at = validity_end(attempt, policy=policy)
    if attempt.status is VerificationStatus.APPROVED and ends_at is not None and now >= ends_at:
        return replace(attempt, status=VerificationStatus.EXPIRED)
    return attempt


def validity_end(attempt: Attempt, *, policy: Policy) -> datetime | None:
    """Return the first instant at which this approval admits no more: by its documents or by the refresh (A9)."""
    ends = [attempt.ends_at] if attempt.ends_at else []
    approved_at = attempt.decided_at or attempt.submitted_at
    if policy.freshness_months is not None and approved_at is not None:
        ends.append(months_after(approved_at, months=policy.freshness_months))
    return min(ends, default=None)


def is_final(attempt: Attempt) -> bool:
    """Say whether this attempt was rejected for good: the decision says so, or one of its findings does."""
    is_refused_for_good = attempt.status is VerificationStatus.REJECTED and attempt.is_retryable is False
    return is_refused_for_good or has_final_finding(attempt)


def has_final_finding(attempt: Attempt) -> bool:
    """Say whether a rejection or revocation found what bars a person, whatever the path: forgery, impersonation …"""
    was_refused = attempt.status in (VerificationStatus.REJECTED, VerificationStatus.REVOKED)
    return was_refused and any(REASONS[finding.code].is_final for finding in attempt.findings)


def outlasts(attempt: Attempt, airs_at: datetime) -> bool:
    """Say whether its documents are good for a broadcast at `airs_at`: one on their last day counts (X2)."""
    return attempt.documents_last_day is None or day_of(airs_at) <= attempt.documents_last_day


def is_fresh(attempt: Attempt, picked_at: datetime) -> bool:
    """Say whether it was handed in for this room: not before the anchor was picked (A9, FRESH)."""
    return attempt.submitted_at is not None and attempt.submitted_at >= picked_at


def was_handed_in(attempt: Attempt) -> bool:
    """Say whether the attempt can count: a draft or a canceled one never displaces another; a superseded one is out.

    One for another nationality than the anchor's admits nobody, but what was refused stays refused.
    """
    match attempt.status:
        case VerificationStatus.DRAFT | VerificationStatus.CANCELED | VerificationStatus.SUPERSEDED:
            return False
        case VerificationStatus.SUBMITTED | VerificationStatus.APPROVED:
            return attempt.is_for_nationality
        case VerificationStatus.REJECTED | VerificationStatus.EXPIRED | VerificationStatus.REVOKED:
            return True
        case _:
            assert_never(attempt.status)


def covers(attempt: Attempt, path: VerificationPath) -> bool:
    """Say whether an attempt on another path covers this one: only PASSPORT_VISA with an e-mail does, for CONTACT."""
    return (
        path is VerificationPath.CONTACT
        and attempt.path is VerificationPath.PASSPORT_VISA
        and attempt.status is VerificationStatus.APPROVED
        and attempt.has_email
        and attempt.is_for_nationality
    )


def is_good(attempt: Attempt, *, policy: Policy, airs_at: datetime | None, picked_at: datetime | None) -> bool:
    """Say whether this approval would admit to the broadcast in question."""
    return (
        attempt.status is VerificationStatus.APPROVED
        and (airs_at is None or outlasts(attempt, airs_at))
        and (policy.per_room is PerRoom.CONFIRM or picked_at is None or is_fresh(attempt, picked_at))
    )


def concerns_only_itself(attempt: Attempt) -> bool:
    """Say whether an older approval keeps counting behind this attempt (R24)."""
    match attempt.status:
        case VerificationStatus.REJECTED:
            return not is_final(attempt) and bool(attempt.findings) and all(only_itself(attempt.findings))
        case VerificationStatus.REVOKED:
            return False  # an approval taken back: nothing older, passed late, brings it back
        case _:  # not decided yet, or ended with time: that says nothing of the older one
            return True


def only_itself(findings: Sequence[Finding]) -> Iterator[bool]:
    """Yield for each finding whether it concerns only what was handed in with it."""
    return (REASONS[finding.code].concerns_only_itself for finding in findings)


def age(attempt: Attempt) -> tuple[datetime, UUID]:
    """Return what attempts are ordered by: when they were handed in."""
    assert attempt.submitted_at is not None, "handed in, without an instant"
    return attempt.submitted_at, attempt.id
