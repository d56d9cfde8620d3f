"""Decisions: an attempt approved or rejected, and what follows from it for the person in every row and account."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, or_, select

from greenroom.access import Actor, Key
from greenroom.anchors.actions import data_key_of, locked
from greenroom.db import Record, Transaction
from greenroom.documents.actions import REQUIREMENT
from greenroom.errors import (
    FINDING_ELSEWHERE,
    FINDING_NO_SUCH_PHOTO,
    FINDING_OTHER_ITEM,
    FINDINGS_OF_APPROVAL,
    FINDINGS_TOO_MANY,
    REVIEW_CLOSED,
    UNDER_AGE,
    InvalidState,
    Path,
    Problem,
    Refused,
    Required,
    Stale,
    invalid,
)
from greenroom.events.actions import Entry, record_each
from greenroom.inforce import in_force
from greenroom.law import lifecycle
from greenroom.law.attempts import Finding
from greenroom.law.policies import Policy
from greenroom.law.reasons import REASONS, ForAnchor, ForStaff, is_about, needs_message
from greenroom.law.requirements import OPTIONAL, kinds
from greenroom.law.terms import DocumentKind, RequirementKind, ReviewDecision, VerificationStatus
from greenroom.reviews.actions import ATTEMPT, attempt_to_review, claim_of, task_of
from greenroom.reviews.consequences import bar, came_of_age, refuse_images, settle_later
from greenroom.reviews.tables import ReviewNote
from greenroom.sealing import KeyWrapping, Seal
from greenroom.text import one_line
from greenroom.verifications.actions import became
from greenroom.verifications.reads import ATTACHED
from greenroom.verifications.tables import Review, Verification

FINDINGS_MAX = 20
TEXT_LENGTH_MAX = 1_000
FINDINGS, NOTE = ("input", "findings"), ("input", "internalNote")
# Consent is no reviewer's, and no face check is taken yet (A26).
NEVER_HANDED_IN = frozenset({RequirementKind.CONSENT, RequirementKind.FACE_CHECK})
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
    policy = (await in_force(tx, is_held=False)).policy
    photos = await tx.rows(ATTACHED, account_id=key.account_id, verification_ids=[key.id])
    judgement, problems = read_judgement(judgement, handed_in(attempt, photos, policy=policy))
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
        knows_age = attempt.is_under_age is not None
        if knows_age and not await came_of_age(tx, attempt, keys=keys, policy=policy, now=now):
            return Refused.of(InvalidState(ATTEMPT, sentence=UNDER_AGE))
        entries = [*await supersede(tx, attempt), *entries]
    attempt.status, attempt.decided_at, attempt.version = status, now, attempt.version + 1
    attempt.is_retryable = judgement.is_retryable if status is REJECTED else None
    task.assignee = task.claim_expires_at = None
    tx.add(review_of(attempt, judgement, id=id, now=now))
    if judgement.note:
        place = {"account_id": key.account_id, "anchor_id": attempt.anchor_id}
        seal = Seal(await data_key_of(tx, anchors[attempt.anchor_id], keys=keys))
        text = seal.seal(judgement.note, **place, column="note")
        tx.add(ReviewNote(account_id=key.account_id, task_id=key.id, author=by.subject, text=text, created_at=now))
    if status is REJECTED:
        await refuse_images(tx, attempt, photos, judgement.findings, now=now)
        is_barred = await bar(tx, attempt, judgement.findings, task=task, by=by, now=now)
        await settle_later(tx, attempt, is_barred=is_barred)
    await record_each(tx, entries, by=by, now=now)
    return id


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What of an attempt a finding can be about."""

    items: tuple[RequirementKind, ...]
    documents: tuple[DocumentKind, ...]


def handed_in(attempt: Verification, photos: Sequence[Record], *, policy: Policy) -> HandedIn:
    """Return the items and documents that an attempt holds; an address may be missing."""
    asked = [kind for kind in kinds(attempt.path, policy=policy) if kind not in NEVER_HANDED_IN]
    optional = OPTIONAL[attempt.path] if attempt.email else ()
    return HandedIn((*asked, *optional), tuple({DocumentKind(photo["kind"]): None for photo in photos}))


def read_judgement(judgement: Judgement, held: HandedIn) -> tuple[Judgement, list[Problem]]:
    """Return a judgement as it is kept, with all that is wrong with it. A final finding allows no other attempt."""
    findings, problems = judgement.findings, list[Problem]()
    if judgement.decision is ReviewDecision.APPROVE and findings:
        problems.append(invalid(FINDINGS, FINDINGS_OF_APPROVAL))
    elif judgement.decision is ReviewDecision.REJECT and not findings:
        problems.append(Required(FINDINGS))
    elif len(findings) > FINDINGS_MAX:
        problems.append(invalid(FINDINGS, FINDINGS_TOO_MANY, most=FINDINGS_MAX, given=len(findings)))
    else:
        read = [read_finding(each, held, at=(*FINDINGS, str(i))) for i, each in enumerate(findings)]
        findings, problems = tuple(f for f, _ in read), [problem for _, found in read for problem in found]
    note: str | None = None
    if judgement.note and judgement.note.strip():
        note, wrong = one_line(judgement.note, at=NOTE, most=TEXT_LENGTH_MAX)
        problems += wrong
    is_final = any(REASONS[finding.code].is_final for finding in findings)
    kept = replace(judgement, findings=findings, is_retryable=judgement.is_retryable and not is_final)
    return replace(kept, note=ForStaff(note) if note else None), problems


def read_finding(finding: Finding, held: HandedIn, *, at: Path) -> tuple[Finding, list[Problem]]:
    """Return a finding with its words, and what is wrong with it: about what was not handed in, or without a reason."""
    about, problems, words = finding.requirement, list[Problem](), finding.message
    if about not in held.items:
        problems.append(invalid((*at, "requirement"), FINDING_ELSEWHERE, known=", ".join(held.items)))
    elif not is_about(finding.code, about):
        known = ", ".join(kind for kind in held.items if is_about(finding.code, kind)) or "–"
        problems.append(invalid((*at, "requirement"), FINDING_OTHER_ITEM, known=known))
    own = [kind for kind in held.documents if REQUIREMENT[kind] is about]
    if finding.document_kind and finding.document_kind not in own:
        problems.append(invalid((*at, "documentKind"), FINDING_NO_SUCH_PHOTO, known=", ".join(own) or "–"))
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
