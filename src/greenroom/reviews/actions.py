"""What can be done with a review task: claimed for a while, given back, and looked into for a stated purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col

from greenroom.access import Actor, Key, Permission, acts_for, own
from greenroom.anchors.tables import AnchorKey
from greenroom.columns import table
from greenroom.db import Record, Transaction
from greenroom.errors import (
    CLAIM_LACKING,
    CLAIMED_BY_ANOTHER,
    NOT_YOUR_OWN,
    REVIEW_CLOSED,
    REVIEW_OVER,
    InvalidState,
    NotFound,
    Path,
    PermissionDenied,
    Refused,
)
from greenroom.events.actions import record
from greenroom.law.terms import ReviewTaskState, VerificationPath, VerificationStatus
from greenroom.reviews.masking import masked
from greenroom.reviews.reads import REVIEWED_PATHS
from greenroom.reviews.tables import ReviewTask
from greenroom.sealing import KeyWrapping, Seal, context_of
from greenroom.text import one_line
from greenroom.verifications.kept import zones_at
from greenroom.verifications.reads import ATTACHED, SEALED_COLUMNS
from greenroom.verifications.tables import Verification

REVIEWERS = frozenset({Permission.REVIEW, Permission.REVIEW_LEAD})
CLAIMED_FOR = timedelta(minutes=20)
# From `queued_at` on. Who waits to be admitted by it is told at the gate; these are for the order of the day.
DUE_WITHIN = {VerificationPath.PASSPORT_VISA: timedelta(days=1), VerificationPath.CONTACT: timedelta(days=3)}
PURPOSE_LENGTH_MAX = 500
TASK, ATTEMPT, PURPOSE = ("input", "reviewTaskId"), ("input", "verificationId"), ("input", "purpose")


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
    """What an attempt holds, opened; nothing of it once the anchor's key was erased."""

    attempt: Verification
    said: Mapping[str, str]
    """Values by their column."""
    photos: Sequence[tuple[Record, tuple[str, ...]]]
    """Each with its machine-readable zones: as typed, then as read with certainty."""


async def reveal_verification(
    tx: Transaction, key: Key, *, purpose: str, keys: KeyWrapping, by: Actor, now: datetime
) -> Revealed | Refused:
    """Read what was handed in, for a purpose that the subject can read in turn (X5).

    The log keeps the purpose for good, and what it repeats of what was handed in is masked there: a refusal would
    answer guesses, and leave no trace of them. Needs a claim on the attempt's review; a lead needs none.
    """
    attempt = await attempt_to_review(tx, key, by=by, at=ATTEMPT)
    if isinstance(attempt, Refused):
        return attempt
    why, problems = one_line(purpose, at=PURPOSE, most=PURPOSE_LENGTH_MAX)
    if problems:
        return Refused(tuple(problems))
    if Permission.REVIEW_LEAD not in by.permissions:
        if attempt.status is not VerificationStatus.SUBMITTED:
            return Refused.of(InvalidState(ATTEMPT, sentence=REVIEW_OVER))
        if refused := claim_of(await task_of(tx, key), by=by, now=now, at=ATTEMPT):
            return refused
    revealed = await opened(tx, attempt, keys=keys)
    why = masked(why, revealed.said)
    shown = [str(photo["document_id"]) for photo, _ in revealed.photos]
    await record(tx, "VERIFICATION_REVEALED", attempt, by=by, now=now, purpose=why, documents=shown)
    return revealed


async def opened(tx: Transaction, attempt: Verification, *, keys: KeyWrapping) -> Revealed:
    """Open an attempt with its anchor's key."""
    place = {"account_id": attempt.account_id, "anchor_id": attempt.anchor_id}
    wrapped = await tx.get(AnchorKey, (attempt.account_id, attempt.anchor_id))
    if wrapped is None:
        return Revealed(attempt, {}, ())
    seal = Seal(await keys.unwrap(wrapped.master_key_id, wrapped.wrapped, context=context_of(**place)))
    sealed = {column: getattr(attempt, column) for column in SEALED_COLUMNS}
    said = {column: seal.open(value, **place, column=column) for column, value in sealed.items() if value}
    photos = await tx.rows(ATTACHED, account_id=attempt.account_id, verification_ids=[attempt.id])
    return Revealed(attempt, said, tuple((p, zones_at(p, anchor_id=attempt.anchor_id, seal=seal)) for p in photos))
