"""What is read of reviews: the queue over all accounts, notes, and who else is the same person."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Integer,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    false,
    func,
    literal_column,
    or_,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import col

from greenroom.anchors.actions import IDS
from greenroom.anchors.tables import Anchor, AnchorKey
from greenroom.columns import INSTANT, table
from greenroom.db import Read, Scope
from greenroom.law.terms import ReviewTaskState, VerificationPath
from greenroom.paging import Listing
from greenroom.reviews.tables import ReviewNote, ReviewTask
from greenroom.verifications.reads import SHOWN, newest
from greenroom.verifications.tables import Verification

EVERYWHERE = Scope(reading="review")
SAME_PERSON_MAX = 20  # shown of one task
REVIEWED_PATHS = (VerificationPath.PASSPORT_VISA, VerificationPath.CONTACT)  # the provider decides the third
ONE: Any = literal_column("1")
NOUGHT: Any = literal_column("0")
# Contact data comes last (A27). The index `verifications_to_review` has this very order.
RANK = type_coerce(case((col(Verification.path) == literal_column("'CONTACT'"), ONE), else_=NOUGHT), Integer)
IS_SUBMITTED = col(Verification.status) == literal_column("'SUBMITTED'")
IS_CLAIMED = col(ReviewTask.claim_expires_at) > bindparam("now", type_=INSTANT)


def tasks() -> Any:
    """Attempts with their newest review, each with what staff did about it."""
    attempt, anchor, task = table(Verification), table(Anchor), table(ReviewTask)
    of_anchor = and_(anchor.c.account_id == attempt.c.account_id, anchor.c.id == attempt.c.anchor_id)
    of_task = and_(task.c.account_id == attempt.c.account_id, task.c.id == attempt.c.id)
    return (
        select_columns(
            *SHOWN,
            (attempt.c.nationality == anchor.c.nationality).label("is_for_nationality"),
            RANK.label("rank"),
            task.c.assignee,
            task.c.claim_expires_at,
            task.c.is_escalated,
        )
        .select_from(attempt.join(anchor, of_anchor).outerjoin(task, of_task).outerjoin(newest, true()))
        .where(attempt.c.path == any_(bindparam("paths", type_=ARRAY(Text()))))
    )


def queue(*conditions: Any, order: tuple[Any, ...], descending: bool = False) -> Listing:
    """Return a list of tasks over all accounts."""
    is_escalated = func.coalesce(col(ReviewTask.is_escalated), false())
    asked = is_escalated == any_(bindparam("escalations", type_=ARRAY(Boolean())))
    return Listing(tasks().where(asked, *conditions), *order, descending=descending)


WAITING = (RANK.label("rank"), col(Verification.queued_at), col(Verification.account_id), col(Verification.id))
DECIDED = (col(Verification.decided_at), col(Verification.account_id), col(Verification.id))
QUEUES = {
    ReviewTaskState.OPEN: queue(IS_SUBMITTED, func.coalesce(IS_CLAIMED, false()).is_(false()), order=WAITING),
    ReviewTaskState.CLAIMED: queue(IS_SUBMITTED, IS_CLAIMED, order=WAITING),
    ReviewTaskState.HALF_DECIDED: queue(false(), order=WAITING),  # no policy asks for four eyes yet
    ReviewTaskState.DECIDED: queue(col(Verification.decided_at).is_not(None), order=DECIDED, descending=True),
}
# What is asked for, by the whole key: of whatever accounts, and still by the index of each table.
ASKED = (
    func.unnest(bindparam("account_ids", type_=IDS), bindparam("ids", type_=IDS))
    .table_valued(column("account_id", Uuid()), column("id", Uuid()))
    .render_derived("asked")
)
ATTEMPT = and_(col(Verification.account_id) == ASKED.c.account_id, col(Verification.id) == ASKED.c.id)
BY_IDS = Read(tasks().where(ATTEMPT))
ANCHORS = Read(
    select_columns(*table(Anchor).c).where(col(Anchor.account_id) == ASKED.c.account_id, col(Anchor.id) == ASKED.c.id)
)
# Whose anchor was erased has no key any more, and no notes.
NOTES = Read(
    select_columns(
        *table(ReviewNote).c,
        col(Verification.anchor_id),
        *(table(AnchorKey).c[n] for n in ("master_key_id", "wrapped")),
    )
    .join(
        Verification,
        and_(col(Verification.account_id) == ReviewNote.account_id, col(Verification.id) == ReviewNote.task_id),
    )
    .join(
        AnchorKey,
        and_(col(AnchorKey.account_id) == Verification.account_id, col(AnchorKey.anchor_id) == Verification.anchor_id),
    )
    .where(ATTEMPT)
    .order_by(col(ReviewNote.account_id), col(ReviewNote.id))
)


def same_person() -> Any:
    """For each attempt the other anchors that handed in the same passport anywhere, or in the account the same name."""
    mine, other, anchor = aliased(Verification), aliased(Verification), table(Anchor)
    is_same = or_(
        col(other.passport_fingerprint) == mine.passport_fingerprint,
        and_(col(other.account_id) == mine.account_id, col(other.name_fingerprint) == mine.name_fingerprint),
    )
    ids = select_columns(col(other.account_id), col(other.anchor_id)).where(is_same).correlate(mine)
    found = (
        select_columns(*anchor.c)
        .where(
            tuple_(anchor.c.account_id, anchor.c.id).in_(ids),
            tuple_(anchor.c.account_id, anchor.c.id) != tuple_(col(mine.account_id), col(mine.anchor_id)),
        )
        .order_by(anchor.c.account_id, anchor.c.id)
        .limit(SAME_PERSON_MAX)
        .correlate(mine)
        .lateral()
    )
    return (
        select_columns(*found.c, col(mine.account_id).label("of_account_id"), col(mine.id).label("of_id"))
        .join(found, true())
        .where(col(mine.account_id) == ASKED.c.account_id, col(mine.id) == ASKED.c.id)
    )


SAME_PERSON = Read(same_person())
