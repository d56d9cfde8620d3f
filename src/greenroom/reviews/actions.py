"""What can be done with a review task: claimed for a while, given back, and looked into for a stated purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from greenroom.access import Actor, Key, Permission, acts_for, own
from greenroom.anchors.tables import AnchorKey
from greenroom.columns import table
from greenroom.db import Record, Transaction
from greenroom.errors import (
    CLAIM_LACKING,
    CLAIMED_BY_ANOTHER,
    NOT_YOUR_OWN,
    REVIEW_CLOSED,
    InvalidState,
    NotFound,
    Path,
    PermissionDenied,
    Refused,
)
from greenroom.events.actions import record
from greenroom.law.terms import ReviewTaskState, VerificationPath, VerificationStatus
from greenroom.reviews.reads import REVIEWED_PATHS
from greenroom.reviews.tables import ReviewTask
from greenroom.text import one_line
from greenroom.verifications.reads import ATTACHED
from greenroom.verifications.tables import Verification

REVIEWERS = frozenset({Permission.REVIEW, Permission.REVIEW_LEAD})
CLAIMED_FOR = timedelta(minutes=20)
# From the hand-in on. Who waits to be admitted by it is told at the gate; these are for the order of the day.
DUE_WITHIN = {VerificationPath.PASSPORT_VISA: timedelta(days=1), VerificationPath.CONTACT: timedelta(days=3)}
PURPOSE_LENGTH_MAX = 500
TASK, ATTEMPT = ("input", "reviewTaskId"), ("input", "verificationId")


def state_of(row: Record, *, now: datetime) -> ReviewTaskState | None:
    """Return where a task stands; None where there is nothing to decide: a draft, or withdrawn."""
    if row["path"] not in REVIEWED_PATHS or row["status"] in (VerificationStatus.DRAFT, VerificationStatus.CANCELED):
        return None
    if row["status"] != VerificationStatus.SUBMITTED:
        return ReviewTaskState.DECIDED
    return ReviewTaskState.CLAIMED if is_claimed(row, now=now) else ReviewTaskState.OPEN


def is_claimed(row: Record, *, now: datetime) -> bool:
    """Say whether the lease holds."""
    return row["claim_expires_at"] is not None and row["claim_expires_at"] > now


def reviews(by: Actor) -> Refused | None:
    """Return the refusal of somebody who may not review."""
    is_lacking = not by.permissions & REVIEWERS
    return Refused.of(PermissionDenied(permission=Permission.REVIEW.value)) if is_lacking else None


async def attempt_to_review(tx: Transaction, key: Key, *, by: Actor, at: Path) -> Verification | Refused:
    """Return an attempt that staff decide, to one who may: nobody reviews their own account."""
    if refused := reviews(by):
        return refused
    found = await own(tx, Verification, key, at=at)
    if isinstance(found, Refused):
        return found
    if acts_for(by, key.account_id):
        return Refused.of(InvalidState(at, sentence=NOT_YOUR_OWN))
    return found if found.path in REVIEWED_PATHS else Refused.of(NotFound(at))


async def claim_review(tx: Transaction, key: Key, *, by: Actor, now: datetime) -> UUID | Refused:
    """Take a task for a while, alone; whoever has it already has it for as long again. Of many at once, one succeeds.

    Leaves no event: nothing was read or decided.
    """
    attempt = await attempt_to_review(tx, key, by=by, at=TASK)
    if isinstance(attempt, Refused):
        return attempt
    if attempt.status is not VerificationStatus.SUBMITTED:
        return Refused.of(InvalidState(TASK, sentence=REVIEW_CLOSED))
    lease = {"assignee": by.subject, "claim_expires_at": now + CLAIMED_FOR}
    wanted = upsert(ReviewTask).values(account_id=key.account_id, id=key.id, is_escalated=False, **lease)
    is_free = or_(
        col(ReviewTask.claim_expires_at).is_(None),
        col(ReviewTask.claim_expires_at) <= now,
        col(ReviewTask.assignee) == by.subject,
    )
    taken = wanted.on_conflict_do_update(index_elements=["account_id", "id"], set_=lease, where=is_free)
    if (await tx.exec(taken.returning(table(ReviewTask).c.id))).one_or_none() is None:
        return Refused.of(InvalidState(TASK, sentence=CLAIMED_BY_ANOTHER))
    return key.id


async def release_review(tx: Transaction, key: Key, *, by: Actor, now: datetime) -> UUID | Refused:
    """Give a claim back: one's own, or a lead anybody's. Doing it twice is fine."""
    attempt = await attempt_to_review(tx, key, by=by, at=TASK)
    if isinstance(attempt, Refused):
        return attempt
    task = await task_of(tx, key)
    if task and task.assignee:
        is_anothers = task.assignee != by.subject and is_claimed(task.model_dump(), now=now)
        if is_anothers and Permission.REVIEW_LEAD not in by.permissions:
            return Refused.of(InvalidState(TASK, sentence=CLAIMED_BY_ANOTHER))
        task.assignee = task.claim_expires_at = None
    return key.id


async def task_of(tx: Transaction, key: Key) -> ReviewTask | None:
    """Return what staff did about an attempt, locked; None before the first claim."""
    found = await own(tx, ReviewTask, key, at=(), lock=True)
    return None if isinstance(found, Refused) else found


def claim_of(task: ReviewTask | None, *, by: Actor, now: datetime, at: Path) -> Refused | None:
    """Return the refusal of one who has not claimed a task, or whose claim has lapsed."""
    is_theirs = task is not None and task.assignee == by.subject and is_claimed(task.model_dump(), now=now)
    return None if is_theirs else Refused.of(InvalidState(at, sentence=CLAIM_LACKING))


@dataclass(frozen=True, slots=True)
class Revealed:
    """What an attempt holds, still sealed, with the wrapped key that opens it; None once that was erased."""

    attempt: Verification
    key: AnchorKey | None
    photos: Sequence[Record]


async def reveal_verification(
    tx: Transaction, key: Key, *, purpose: str, by: Actor, now: datetime
) -> Revealed | Refused:
    """Read what was handed in, for a purpose that the subject can read in turn (X5).

    Needs a claim on the attempt's review; a lead needs none.
    """
    attempt = await attempt_to_review(tx, key, by=by, at=ATTEMPT)
    if isinstance(attempt, Refused):
        return attempt
    why, problems = one_line(purpose, at=("input", "purpose"), most=PURPOSE_LENGTH_MAX)
    if problems:
        return Refused(tuple(problems))
    if Permission.REVIEW_LEAD not in by.permissions:
        is_closed = attempt.status is not VerificationStatus.SUBMITTED
        if refused := claim_of(None if is_closed else await task_of(tx, key), by=by, now=now, at=ATTEMPT):
            return refused
    photos = await tx.rows(ATTACHED, account_id=key.account_id, verification_ids=[key.id])
    of_anchor = select(AnchorKey).where(
        AnchorKey.account_id == key.account_id, AnchorKey.anchor_id == attempt.anchor_id
    )
    wrapped = (await tx.exec(of_anchor)).one_or_none()
    shown = [str(photo["document_id"]) for photo in photos]
    await record(tx, "VERIFICATION_REVEALED", attempt, by=by, now=now, purpose=why, documents=shown)
    return Revealed(attempt, wrapped, photos)
