"""Attempts: what an anchor has handed in, and which attempt counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

from greenroom.law.days import day_of, months_after
from greenroom.law.policies import ACCOUNT_REJECTIONS_MAX, PerRoom, Policy
from greenroom.law.reasons import REASONS, ForAnchor
from greenroom.law.terms import DocumentKind, FindingCode, RequirementKind, VerificationPath, VerificationStatus

WARNED_DAYS: Final = (30, 7)  # ahead of an end, where a broadcast is planned


@dataclass(frozen=True, slots=True)
class Finding:
    """What was wrong with one item. The message is for people: no decision and no record depends on it."""

    code: FindingCode
    requirement: RequirementKind
    message: ForAnchor = field(default=ForAnchor(""), compare=False)
    document_kind: DocumentKind | None = field(default=None, compare=False)  # which of the item's; None: all of it


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
    as_they_stand = [standing(a, policy=policy, now=now, airs_at=airs_at) for a in attempts]
    own = [a for a in as_they_stand if a.path is path and was_handed_in(a)]
    covering = [a for a in as_they_stand if covers(a, path)]
    if not covering and len(own) < 2:
        return own[0] if own else None  # nearly always: no rival, nothing to weigh
    good = {a.id for a in own + covering if is_good(a, policy=policy, airs_at=airs_at, picked_at=picked_at)}
    rivals = sorted((a for a in own + covering if a.path is path or a.id in good), key=handed_in_order, reverse=True)
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
    return counting(attempts, max(handed_in, key=handed_in_order).path, policy=policy, now=now)


def newest(attempts: Sequence[Attempt], path: VerificationPath) -> Attempt | None:
    """Return the newest ever handed in on `path`, whatever counts: what a rejection of it left is kept (R37)."""
    own = (attempt for attempt in attempts if attempt.path is path and was_handed_in(attempt))
    return max(own, key=handed_in_order, default=None)


def standing(attempt: Attempt, *, policy: Policy, now: datetime, airs_at: datetime | None = None) -> Attempt:
    """Return the attempt as it stands at `now`: an approval that has run out is EXPIRED before any job says so.

    Its documents are judged by the start, where that is behind: who was good then stays so on air, also once a job
    wrote EXPIRED (X2). A start that is ahead is for `outlasts` to judge.
    """
    if attempt.status not in (VerificationStatus.APPROVED, VerificationStatus.EXPIRED):
        return attempt
    refresh_at = refresh_due(attempt, policy=policy)
    is_stale = refresh_at is not None and now >= refresh_at
    has_ended = attempt.ends_at is not None and min(now, airs_at or now) >= attempt.ends_at
    if attempt.status is VerificationStatus.APPROVED:
        return replace(attempt, status=VerificationStatus.EXPIRED) if is_stale or has_ended else attempt
    is_by_documents = attempt.ends_at is not None and now >= attempt.ends_at
    is_good = is_by_documents and not (is_stale or has_ended)
    return replace(attempt, status=VerificationStatus.APPROVED) if is_good else attempt


def validity_end(attempt: Attempt, *, policy: Policy) -> datetime | None:
    """Return the first instant at which this approval admits no more: by its documents or by the refresh (A9)."""
    ends = (attempt.ends_at, refresh_due(attempt, policy=policy))
    return min((end for end in ends if end is not None), default=None)


def expiry(attempt: Attempt, *, policy: Policy) -> datetime | None:
    """Return when an attempt stops to admit, by itself, or did; None for one that does not admit for other reasons.

    Such as one whose successor was approved. The refresh counts from an approval, and ends nothing else.
    """
    if attempt.status is VerificationStatus.SUBMITTED:
        return attempt.ends_at
    is_by_time = attempt.status in (VerificationStatus.APPROVED, VerificationStatus.EXPIRED)
    return validity_end(attempt, policy=policy) if is_by_time else None


def warning_due(attempt: Attempt, *, policy: Policy, now: datetime, warned_days: int | None) -> int | None:
    """Return how many days ahead of its end people are to be warned now: 30, later 7, each once; None: not now.

    What is first seen within 7 days gets that warning alone. `warned_days`: of the last one given.
    """
    if attempt.status not in (VerificationStatus.SUBMITTED, VerificationStatus.APPROVED):
        return None
    end = expiry(attempt, policy=policy)
    if end is None or end <= now:
        return None
    days = min((days for days in WARNED_DAYS if end - now <= timedelta(days=days)), default=None)
    is_new = days is not None and (warned_days is None or days < warned_days)
    return days if is_new else None


def refresh_due(attempt: Attempt, *, policy: Policy) -> datetime | None:
    """Return when an approval must be refreshed (A9); None where it lasts."""
    approved_at = attempt.decided_at or attempt.submitted_at
    if policy.freshness_months is None or approved_at is None:
        return None
    return months_after(approved_at, months=policy.freshness_months)


def is_exhausted(handed_in: int, *, account_rejections: int, policy: Policy) -> bool:
    """Say whether no attempt is left until a lead unlocks: of the person on a path (A15), or of the account (X10)."""
    return handed_in >= policy.max_attempts or account_rejections >= ACCOUNT_REJECTIONS_MAX


def handed_in_by_person(attempt: Attempt, others: Sequence[Attempt]) -> int:
    """Return how many attempts the person has used on the path of `attempt`, its newest one on this row.

    Those before it were counted when it was handed in; since then the same person can be refused under another row
    (X10). What a lead unlocked counts for 0.
    """
    return attempt.attempts + sum(other.attempts > 0 for other in refused_since(attempt, others))


def refused_since(attempt: Attempt, others: Sequence[Attempt]) -> Iterator[Attempt]:
    """Yield what was rejected on the same path, of the same person's other rows, since this attempt was handed in."""
    for other in others:
        is_rejected = other.path is attempt.path and other.status is VerificationStatus.REJECTED
        if is_rejected and other.decided_at and attempt.submitted_at and other.decided_at > attempt.submitted_at:
            yield other


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
    if attempt.ends_at is not None and airs_at >= attempt.ends_at:
        return False
    return attempt.documents_last_day is None or day_of(airs_at) <= attempt.documents_last_day


def is_fresh(attempt: Attempt, picked_at: datetime) -> bool:
    """Say whether it was handed in for this room: not before the anchor was picked (A9, FRESH)."""
    return attempt.submitted_at is not None and attempt.submitted_at >= picked_at


def was_handed_in(attempt: Attempt) -> bool:
    """Say whether the attempt can count: a draft or a canceled one never displaces another; a superseded one is out.

    One for another nationality than the anchor's counts for nothing, ended or not; what was refused stays refused.
    """
    match attempt.status:
        case VerificationStatus.DRAFT | VerificationStatus.CANCELED | VerificationStatus.SUPERSEDED:
            return False
        case VerificationStatus.SUBMITTED | VerificationStatus.APPROVED | VerificationStatus.EXPIRED:
            return attempt.is_for_nationality
        case VerificationStatus.REJECTED | VerificationStatus.REVOKED:
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
        case VerificationStatus.SUBMITTED | VerificationStatus.APPROVED | VerificationStatus.EXPIRED:
            return True  # not decided yet, or ended with time: that says nothing of the older one
        case VerificationStatus.DRAFT | VerificationStatus.CANCELED | VerificationStatus.SUPERSEDED:
            raise AssertionError(f"{attempt.status} never counts")
        case _:
            assert_never(attempt.status)


def only_itself(findings: Sequence[Finding]) -> Iterator[bool]:
    """Yield for each finding whether it concerns only what was handed in with it."""
    return (REASONS[finding.code].concerns_only_itself for finding in findings)


def handed_in_order(attempt: Attempt) -> tuple[datetime, UUID]:
    """Return what attempts are ordered by: when they were handed in."""
    assert attempt.submitted_at is not None, "handed in, without an instant"
    return attempt.submitted_at, attempt.id
