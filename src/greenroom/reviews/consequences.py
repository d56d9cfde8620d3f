"""Consequences: what a decision means for images, for the person in other rows and accounts, and for what is on air."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, or_, select

from greenroom.access import Actor, Permission
from greenroom.db import Record, Transaction
from greenroom.documents.actions import REQUIREMENT
from greenroom.documents.tables import Document
from greenroom.law.attempts import Finding
from greenroom.law.days import is_under_age
from greenroom.law.policies import Policy
from greenroom.law.reasons import REASONS
from greenroom.law.terms import DocumentKind, FindingCode, VerificationStatus
from greenroom.reviews.actions import opened
from greenroom.reviews.reads import EVERYWHERE
from greenroom.reviews.tables import ReviewTask
from greenroom.rooms.effects import SETTLE
from greenroom.sealing import KeyWrapping
from greenroom.verifications.tables import Bar, Verification

APPROVED = VerificationStatus.APPROVED
NO_START_LASTS = timedelta(minutes=1)  # a request is cut off after 15 s


async def refuse_images(
    tx: Transaction, attempt: Verification, photos: Sequence[Record], findings: Sequence[Finding], *, now: datetime
) -> None:
    """Mark the photos whose image was refused: the same one is not taken again, also rescaled.

    Of several photos of one kind a finding does not say which it is about: then any of them may come again.
    """
    kinds_held = Counter(photo["kind"] for photo in photos)
    lone = [photo for photo in photos if kinds_held[photo["kind"]] == 1]
    refused = [p["document_id"] for p in lone if any(concerned(DocumentKind(p["kind"]), findings))]
    if refused:
        ours = (col(Document.account_id) == attempt.account_id, col(Document.id).in_(refused))
        await tx.exec(update(Document).where(*ours).values(rejected_at=now))


def concerned(kind: DocumentKind, findings: Sequence[Finding]) -> Iterator[bool]:
    """Yield for each finding whether it refuses the image of a document of this kind."""
    for finding in findings:
        is_item = finding.requirement is REQUIREMENT[kind] and finding.document_kind in (None, kind)
        yield is_item and REASONS[finding.code].is_of_image


async def came_of_age(
    tx: Transaction, attempt: Verification, *, keys: KeyWrapping, policy: Policy, now: datetime
) -> bool:
    """Say whether a person is old enough, by the date that was given; then no other attempt of theirs says otherwise.

    Whoever approves has seen the document: a birthday that was mistyped or misread before, and one that was too late
    for its day, hold nobody off any more (X9).
    """
    if attempt.is_under_age:  # by a zone, or by the date itself when it was handed in
        given = (await opened(tx, attempt, keys=keys)).said.get("date_of_birth")
        if not given or is_under_age(date.fromisoformat(given), minimum_age=policy.minimum_age, airs_at=now):
            return False
        attempt.is_under_age = False
    ours = (col(Verification.account_id) == attempt.account_id, col(Verification.anchor_id) == attempt.anchor_id)
    await tx.exec(
        update(Verification)
        .where(*ours, col(Verification.is_under_age).is_(True))
        .values(is_under_age=False)
        .execution_options(synchronize_session=False)
    )
    return True


async def bar(
    tx: Transaction,
    attempt: Verification,
    findings: Sequence[Finding],
    *,
    task: ReviewTask,
    by: Actor,
    now: datetime,
) -> bool:
    """Bar a person for what is final, in every account, where their passport is known (X10); says whether it did.

    Who shows another's passport bars nobody by its number, whatever else is final (IMPERSONATION). And one that was
    approved in another place is barred by a lead alone, for whom the task is escalated: else a forgery with a
    stranger's number would take the stranger off the air.
    """
    mark, final = attempt.passport_fingerprint, {f.code for f in findings if REASONS[f.code].is_final}
    if mark is None or not final or FindingCode.IMPERSONATION in final:
        return False
    if Permission.REVIEW_LEAD not in by.permissions and await is_approved_elsewhere(tx, attempt):
        task.is_escalated = True
        return False
    row = upsert(Bar).values(mark=mark, barred_at=now)
    await tx.exec(row.on_conflict_do_nothing())
    return True


async def is_approved_elsewhere(tx: Transaction, attempt: Verification) -> bool:
    """Say whether another row, of whatever account, has an approval with the same passport."""
    await tx.exec(select(func.greenroom_scope(attempt.account_id, [], EVERYWHERE.reading)))
    query = select(Verification.id).where(
        Verification.passport_fingerprint == attempt.passport_fingerprint,
        Verification.status == APPROVED,
        or_(Verification.account_id != attempt.account_id, Verification.anchor_id != attempt.anchor_id),
    )
    found = (await tx.exec(query.limit(1))).first()
    await tx.exec(select(func.greenroom_scope(attempt.account_id, [], "")))
    return found is not None


async def settle_later(tx: Transaction, attempt: Verification, *, is_barred: bool) -> None:
    """Have broadcasts that run already looked at once this is committed.

    A start in another account locks nothing that this decision locks, and may have asked the gate just before: where a
    bar was set, they are looked at again once no such start can still be under way.
    """
    for after in (None, NO_START_LASTS) if is_barred else (None,):
        await SETTLE.enqueue(tx, after=after, account_id=str(attempt.account_id), verification_id=str(attempt.id))
