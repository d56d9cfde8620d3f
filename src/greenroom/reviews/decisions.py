"""Decisions: an attempt approved or rejected, and what follows from it for the person in every row and account."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, or_, select

from greenroom.access import Actor, Key
from greenroom.anchors.actions import data_key_of, locked
from greenroom.anchors.tables import Anchor
from greenroom.db import Transaction
from greenroom.documents.actions import REQUIREMENT
from greenroom.documents.tables import Document
from greenroom.errors import (
    FINDING_ELSEWHERE,
    FINDING_OTHER_ITEM,
    FINDINGS_OF_APPROVAL,
    FINDINGS_TOO_MANY,
    REVIEW_CLOSED,
    InvalidState,
    Path,
    Problem,
    Refused,
    Required,
    Stale,
    invalid,
)
from greenroom.events.actions import Entry, record_each
from greenroom.law import lifecycle
from greenroom.law.attempts import Finding
from greenroom.law.reasons import ASKED, REASONS, ForAnchor, ForStaff, needs_message
from greenroom.law.terms import DocumentKind, ReviewDecision, VerificationPath, VerificationStatus
from greenroom.reviews.actions import ATTEMPT, attempt_to_review, claim_of, task_of
from greenroom.reviews.tables import ReviewNote
from greenroom.rooms.effects import SETTLE
from greenroom.sealing import KeyWrapping, Seal
from greenroom.text import one_line
from greenroom.verifications.actions import became
from greenroom.verifications.reads import ATTACHED
from greenroom.verifications.tables import Bar, Review, Verification

FINDINGS_MAX = 20
TEXT_LENGTH_MAX = 1_000
FINDINGS, NOTE = ("input", "findings"), ("input", "internalNote")
APPROVED, REJECTED, SUPERSEDED = (
    VerificationStatus.APPROVED,
    VerificationStatus.REJECTED,
    VerificationStatus.SUPERSEDED,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reviewer says: the outcome, what was wrong with which item, and a note for colleagues."""

    decision: ReviewDecision
    findings: tuple[Finding, ...] = ()
    is_retryable: bool = True
    note: ForStaff | None = None


async def decide_review(
    tx: Transaction,
    key: Key,
    judgement: Judgement,
    *,
    id: UUID,
    expected_version: int,
    keys: KeyWrapping,
    by: Actor,
    clock: Callable[[], datetime],
) -> UUID | Refused:
    """Approve an attempt, or reject it item by item (R36, R37). Needs the claim. Returns the review's id.

    Locks every row of the person in the account, so that a go-live sees the decision or comes before it. An approval
    replaces the one before it. A rejection refuses the images it is about, bars the person where its finding is final,
    and what is on air follows by a job (A14).
    """
    attempt = await attempt_to_review(tx, key, by=by, at=ATTEMPT)
    if isinstance(attempt, Refused):
        return attempt
    judgement, problems = read_judgement(judgement, path=attempt.path)
    if problems:
        return Refused(tuple(problems))
    anchors = await locked(tx, key.account_id, await rows_of_person(tx, attempt))
    await tx.refresh(attempt, with_for_update=True)
    now = clock()  # once all is locked: a start that was waited for is before it
    if expected_version != attempt.version:
        return Refused.of(Stale(("input", "expectedVersion"), current_version=attempt.version))
    status = APPROVED if judgement.decision is ReviewDecision.APPROVE else REJECTED
    if not lifecycle.may(attempt.status, status):
        return Refused.of(InvalidState(ATTEMPT, sentence=REVIEW_CLOSED))
    task = await task_of(tx, key)
    if refused := claim_of(task, by=by, now=now, at=ATTEMPT):
        return refused
    assert task is not None  # else it is not claimed
    entries = [became(attempt, status)]
    if status is APPROVED:
        entries = [*await supersede(tx, attempt), *entries]
    attempt.status, attempt.decided_at, attempt.version = status, now, attempt.version + 1
    attempt.is_retryable = judgement.is_retryable if status is REJECTED else None
    task.assignee = task.claim_expires_at = None
    tx.add(review_of(attempt, judgement, id=id, now=now))
    if judgement.note:
        await write_note(tx, anchors[attempt.anchor_id], key, judgement.note, keys=keys, by=by, now=now)
    if status is REJECTED:
        await refuse_images(tx, attempt, judgement.findings, now=now)
        await bar(tx, attempt, judgement.findings, now=now)
        await SETTLE.enqueue(tx, account_id=str(key.account_id), verification_id=str(key.id))
    await record_each(tx, entries, by=by, now=now)
    return id


def read_judgement(judgement: Judgement, *, path: VerificationPath) -> tuple[Judgement, list[Problem]]:
    """Return a judgement as it is kept, with all that is wrong with it. A final finding allows no other attempt."""
    findings, problems = judgement.findings, list[Problem]()
    if judgement.decision is ReviewDecision.APPROVE and findings:
        problems.append(invalid(FINDINGS, FINDINGS_OF_APPROVAL))
    elif judgement.decision is ReviewDecision.REJECT and not findings:
        problems.append(Required(FINDINGS))
    elif len(findings) > FINDINGS_MAX:
        problems.append(invalid(FINDINGS, FINDINGS_TOO_MANY, most=FINDINGS_MAX, given=len(findings)))
    else:
        read = [read_finding(each, path=path, at=(*FINDINGS, str(i))) for i, each in enumerate(findings)]
        findings, problems = tuple(f for f, _ in read), [problem for _, found in read for problem in found]
    note: str | None = None
    if judgement.note and judgement.note.strip():
        note, wrong = one_line(judgement.note, at=NOTE, most=TEXT_LENGTH_MAX)
        problems += wrong
    is_final = any(REASONS[finding.code].is_final for finding in findings)
    kept = replace(judgement, findings=findings, is_retryable=judgement.is_retryable and not is_final)
    return replace(kept, note=ForStaff(note) if note else None), problems


def read_finding(finding: Finding, *, path: VerificationPath, at: Path) -> tuple[Finding, list[Problem]]:
    """Return a finding with its words, and what is wrong with it: an item of another path, a reason left open."""
    problems, words = list[Problem](), finding.message
    if finding.requirement not in ASKED[path]:
        problems.append(invalid((*at, "requirement"), FINDING_ELSEWHERE, known=", ".join(ASKED[path])))
    own = [kind for kind in DocumentKind if REQUIREMENT[kind] is finding.requirement]
    if finding.document_kind and finding.document_kind not in own:
        known = ", ".join(own) or "–"
        problems.append(invalid((*at, "documentKind"), FINDING_OTHER_ITEM, known=known))
    if words.strip():
        said, wrong = one_line(words, at=(*at, "message"), most=TEXT_LENGTH_MAX)
        words, problems = ForAnchor(said), [*problems, *wrong]
    elif needs_message(finding.code):
        problems.append(Required((*at, "message")))
    return replace(finding, message=ForAnchor(words.strip())), problems


async def rows_of_person(tx: Transaction, attempt: Verification) -> Sequence[UUID]:
    """Return the anchors of the account whom a decision about this attempt concerns: all that share a mark (X10)."""
    marks = ("name_fingerprint", "email_fingerprint", "passport_fingerprint")
    shared = [col(getattr(Verification, m)) == getattr(attempt, m) for m in marks if getattr(attempt, m) is not None]
    found = select(Verification.anchor_id).where(
        Verification.account_id == attempt.account_id, or_(Verification.anchor_id == attempt.anchor_id, *shared)
    )
    return (await tx.exec(found.distinct())).all()


async def supersede(tx: Transaction, attempt: Verification) -> list[Entry]:
    """Let the approval before this one give way (R24); returns what the log says of it."""
    query = select(Verification).where(
        Verification.account_id == attempt.account_id,
        Verification.anchor_id == attempt.anchor_id,
        Verification.path == attempt.path,
        Verification.status == APPROVED,
    )
    entries = list[Entry]()
    for earlier in await tx.exec(query.with_for_update()):
        entries.append(became(earlier, SUPERSEDED))
        earlier.status, earlier.version = SUPERSEDED, earlier.version + 1
    await tx.flush()  # before the next one: a path has one approval
    return entries


def review_of(attempt: Verification, judgement: Judgement, *, id: UUID, now: datetime) -> Review:
    """Return the decision's row."""
    return Review(
        account_id=attempt.account_id,
        id=id,
        verification_id=attempt.id,
        decision=judgement.decision,
        is_retryable=judgement.decision is ReviewDecision.REJECT and judgement.is_retryable,
        findings=[told(finding) for finding in judgement.findings],
        created_at=now,
    )


def told(finding: Finding) -> dict[str, Any]:
    """Return a finding as its row has it."""
    said = {"code": finding.code.value, "requirement": finding.requirement.value, "message": finding.message}
    return said | ({"document_kind": finding.document_kind.value} if finding.document_kind else {})


async def write_note(
    tx: Transaction, anchor: Anchor, key: Key, note: ForStaff, *, keys: KeyWrapping, by: Actor, now: datetime
) -> None:
    """Keep what staff wrote for themselves, sealed under the anchor's key."""
    seal = Seal(await data_key_of(tx, anchor, keys=keys))
    sealed = seal.seal(note, account_id=key.account_id, anchor_id=anchor.id, column="note")
    tx.add(ReviewNote(account_id=key.account_id, task_id=key.id, author=by.subject, text=sealed, created_at=now))


async def refuse_images(tx: Transaction, attempt: Verification, findings: Sequence[Finding], *, now: datetime) -> None:
    """Mark the photos whose image was refused: the same one is not taken again, also rescaled."""
    photos = await tx.rows(ATTACHED, account_id=attempt.account_id, verification_ids=[attempt.id])
    refused = [p["document_id"] for p in photos if any(concerned(DocumentKind(p["kind"]), findings))]
    if refused:
        ours = (col(Document.account_id) == attempt.account_id, col(Document.id).in_(refused))
        await tx.exec(update(Document).where(*ours).values(rejected_at=now))


def concerned(kind: DocumentKind, findings: Sequence[Finding]) -> Iterator[bool]:
    """Yield for each finding whether it refuses the image of a document of this kind."""
    for finding in findings:
        is_item = finding.requirement is REQUIREMENT[kind] and finding.document_kind in (None, kind)
        yield is_item and REASONS[finding.code].is_of_image


async def bar(tx: Transaction, attempt: Verification, findings: Sequence[Finding], *, now: datetime) -> None:
    """Bar a person for what is final, in every account, where their passport is known (X10)."""
    if attempt.passport_fingerprint and any(REASONS[finding.code].is_final for finding in findings):
        row = upsert(Bar).values(mark=attempt.passport_fingerprint, barred_at=now)
        await tx.exec(row.on_conflict_do_nothing())
