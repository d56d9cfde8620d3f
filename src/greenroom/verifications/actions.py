"""What can be done with a verification: handed in, withdrawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from greenroom.access import Actor, Key, own
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import agree, has_agreed, record_consent, stands
from greenroom.anchors.tables import Anchor
from greenroom.db import Record, Transaction
from greenroom.documents.actions import REJECTED as REJECTED_IMAGES
from greenroom.documents.tables import Document
from greenroom.errors import (
    ATTEMPT_CLOSED,
    BEING_DECIDED,
    NOTHING_NEW,
    REJECTED_FOR_GOOD,
    InvalidState,
    Problem,
    Refused,
    Required,
    Stale,
    TooManyAttempts,
    WrongPath,
)
from greenroom.events.actions import Entry, Subject, record
from greenroom.inforce import in_force
from greenroom.law import lifecycle
from greenroom.law.attempts import is_exhausted
from greenroom.law.paths import cell_for
from greenroom.law.policies import ACCOUNT_REJECTIONS_WINDOW, Policy
from greenroom.law.terms import (
    BroadcastLocation,
    EntryPoint,
    FindingCode,
    RequirementKind,
    VerificationPath,
    VerificationStatus,
)
from greenroom.sealing import Pepper, Seal
from greenroom.verifications.contact import Contact, ContactEvidence, read_contact
from greenroom.verifications.keeping import Safe, attach, passport_mark, put_days_on, put_on, seal_of, zones_of
from greenroom.verifications.kept import NOTHING_KEPT, Kept, kept_for, opened
from greenroom.verifications.papers import Papers, PassportVisaEvidence, read_papers
from greenroom.verifications.reads import CLAIMED, PAST, case_of
from greenroom.verifications.tables import Verification

SUBMITTED = VerificationStatus.SUBMITTED
# For whoever reviews, where the person was too young by an earlier attempt of theirs (X9).
GAVE_ANOTHER_BIRTHDAY = {
    "code": FindingCode.DATE_OF_BIRTH_MISMATCH.value,
    "requirement": RequirementKind.DATE_OF_BIRTH.value,
}


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an attempt was begun: in which part of the console (R17), and where the anchor will stand."""

    entry_point: EntryPoint
    location: BroadcastLocation


async def submit(
    tx: Transaction,
    key: Key,
    *,
    id: UUID,
    evidence: ContactEvidence | PassportVisaEvidence,
    begun: Begun,
    consent_version: str | None,
    safe: Safe,
    by: Actor,
    now: datetime,
) -> UUID | Refused:
    """Hand in the evidence of one path: complete, or refused whole with every problem at once (R5, R6, R35).

    After a rejection what it did not name need not be sent again (R37). An earlier attempt that awaits review is
    replaced, and leaves its place in the queue, unless a reviewer has claimed it: else nothing that is about to be
    refused ever would be. An approved one keeps counting until this one is decided (R24).
    Returns the attempt's id.
    """
    anchor = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(anchor, Refused):
        return anchor
    if refused := stands(anchor, None):
        return refused
    account = (await tx.exec(select(Account).where(Account.account_id == key.account_id))).one()
    policy = (await in_force(tx, is_held=False)).policy  # the account is written below: held, it would be out of order
    if problem := off_path(account, anchor, begun.location, evidence, policy):
        return Refused.of(problem)
    had_agreed = has_agreed(anchor, policy)
    seal = await seal_of(tx, anchor, keys=safe.keys)
    kept = NOTHING_KEPT
    if evidence.is_partial:
        kept = opened(await kept_for(tx, anchor, evidence.path, policy=policy, now=now), seal=seal)
    taken, problems = await read_evidence(tx, evidence, anchor, kept, seal=seal, policy=policy, now=now)
    if problem := consented(anchor, consent_version, policy=policy, now=now):
        problems = [problem, *problems]
    if problems:
        return Refused(tuple(problems))
    attempt = handed_in_now(evidence.path, taken.nationality, anchor, id=id, begun=begun, now=now)
    put_on(attempt, taken, kept, seal=seal, pepper=safe.pepper)
    if isinstance(taken, Papers):
        put_days_on(attempt, taken, kept, policy=policy, now=now)
    past = await past_of(tx, attempt, others=marks_of(taken, pepper=safe.pepper), now=now)
    if problem := exhausted(past, policy) or await held(tx, evidence, attempt, past["waiting"], now=now):
        return Refused.of(problem)
    await replace_waiting(tx, anchor, evidence.path)
    put_past_on(attempt, past)
    tx.add(attempt)
    anchor.remembered_at, anchor.last_used_at = anchor.remembered_at or now, now
    account.first_submitted_at = account.first_submitted_at or now
    if isinstance(taken, Papers):
        await attach(tx, attempt, taken, seal=seal, now=now)
    if not had_agreed:
        await record_consent(tx, anchor, by=by, now=now)
    if past["waiting"]:
        replaced = Subject("Verification", anchor.account_id, past["waiting"], anchor.id)
        canceled = VerificationStatus.CANCELED
        await record_status(tx, replaced, evidence.path, was=SUBMITTED, status=canceled, by=by, now=now)
    await record_status(tx, attempt, attempt.path, was=None, status=SUBMITTED, by=by, now=now)
    return id


async def read_evidence(
    tx: Transaction,
    evidence: ContactEvidence | PassportVisaEvidence,
    anchor: Anchor,
    kept: Kept,
    *,
    seal: Seal,
    policy: Policy,
    now: datetime,
) -> tuple[Contact | Papers, list[Problem]]:
    """Check what was handed in, with the anchor's photos where it names some."""
    if isinstance(evidence, ContactEvidence):
        return read_contact(evidence, anchor, kept=kept.items)
    ids = [photo.document.id for photo in evidence.photos]
    found = await photos_of(tx, anchor, ids)
    zones = zones_of(found.values(), seal=seal)
    rejected = await tx.rows(REJECTED_IMAGES, account_id=anchor.account_id) if ids else []
    refused = [row["likeness"] for row in rejected]
    return read_papers(evidence, anchor, found, zones, kept=kept, refused_images=refused, policy=policy, now=now)


def marks_of(taken: Contact | Papers, *, pepper: Pepper) -> list[bytes]:
    """Return the marks of all passports that are known of, by zones and as typed: a bar on any of them holds."""
    if isinstance(taken, Contact):
        return []
    return [passport_mark(pepper, number, issuer) for number, issuer in taken.passports]


async def past_of(tx: Transaction, attempt: Verification, *, others: Sequence[bytes], now: datetime) -> Record:
    """Return what the person of this attempt did before, and how the account fares; `others`: marks of passports."""
    passports = [*others, *([attempt.passport_fingerprint] if attempt.passport_fingerprint else [])]
    found = await tx.rows(
        PAST,
        account_id=attempt.account_id,
        anchor_id=attempt.anchor_id,
        name=attempt.name_fingerprint,
        email=attempt.email_fingerprint,
        passports=passports,
        path=attempt.path.value,
        since=now - ACCOUNT_REJECTIONS_WINDOW,
    )
    return found[0]


def exhausted(past: Record, policy: Policy) -> Problem | None:
    """Say whether nothing more may be handed in: rejected for good, or attempts used up (A15, X10)."""
    at = ("input", "anchorId")
    if past["finals"] or past["is_barred"]:
        return InvalidState(at, sentence=REJECTED_FOR_GOOD)
    is_over = is_exhausted(past["attempts"], account_rejections=past["account_rejections"], policy=policy)
    return TooManyAttempts(at) if is_over else None


def put_past_on(attempt: Verification, past: Record) -> None:
    """Put on an attempt what comes from those before it; one that replaces another has its place in the queue."""
    attempt.queued_at = past["queued_at"] or attempt.queued_at
    attempt.strikes, attempt.attempts = past["strikes"], past["attempts"] + 1
    if past["was_under_age"] and attempt.mrz_findings is not None:
        attempt.mrz_findings = [*attempt.mrz_findings, GAVE_ANOTHER_BIRTHDAY]


async def held(
    tx: Transaction,
    evidence: ContactEvidence | PassportVisaEvidence,
    attempt: Verification,
    waiting: UUID | None,
    *,
    now: datetime,
) -> Problem | None:
    """Return why the attempt that waits may not be replaced: there is nothing new, or a reviewer is deciding."""
    if waiting is None:
        return None
    if evidence.is_empty:
        return InvalidState(evidence.at, sentence=NOTHING_NEW)
    is_claimed = await tx.rows(CLAIMED, account_id=attempt.account_id, id=waiting, now=now)
    return InvalidState(("input", "anchorId"), sentence=BEING_DECIDED) if is_claimed else None


def handed_in_now(
    path: VerificationPath, nationality: str, anchor: Anchor, *, id: UUID, begun: Begun, now: datetime
) -> Verification:
    """Return the row of an attempt that is handed in now, without its personal data."""
    return Verification(
        account_id=anchor.account_id,
        anchor_id=anchor.id,
        id=id,
        path=path,
        status=SUBMITTED,
        entry_point=begun.entry_point,
        location=begun.location,
        consent_version=anchor.consent_version or "",
        nationality=nationality,
        created_at=now,
        submitted_at=now,
        queued_at=now,
    )


async def photos_of(tx: Transaction, anchor: Anchor, ids: Sequence[UUID]) -> dict[UUID, Document]:
    """Return these photos of an anchor, locked."""
    query = select(Document).where(
        Document.account_id == anchor.account_id, Document.anchor_id == anchor.id, col(Document.id).in_(ids)
    )
    found = await tx.exec(query.order_by(col(Document.id)).with_for_update())
    return {row.id: row for row in found}


def off_path(
    account: Account,
    anchor: Anchor,
    location: BroadcastLocation,
    evidence: ContactEvidence | PassportVisaEvidence,
    policy: Policy,
) -> Problem | None:
    """The system decides the path: evidence of another one than applies is refused (R16)."""
    cell = cell_for(case_of(account.model_dump(), anchor.nationality, location, policy), policy=policy)
    return None if cell.path is evidence.path else WrongPath(evidence.at, path=cell.path.value)


def consented(anchor: Anchor, version: str | None, *, policy: Policy, now: datetime) -> Problem | None:
    """Nothing sensitive is taken without consent to the notice in force, given before or in this very step (X1)."""
    at = ("input", "consentVersion")
    if version is not None:
        return agree(anchor, version, policy=policy, at=at, now=now)
    return None if has_agreed(anchor, policy) else Required(at, RequirementKind.CONSENT)


async def record_status(
    tx: Transaction,
    about: Subject | Verification,
    path: VerificationPath,
    *,
    was: VerificationStatus | None,
    status: VerificationStatus,
    by: Actor,
    now: datetime,
) -> None:
    """Leave the event of an attempt's new status, such as VERIFICATION_SUBMITTED."""
    await record(tx, f"VERIFICATION_{status.value}", about, by=by, now=now, **moved(path, was=was, status=status))


def became(attempt: Verification, status: VerificationStatus) -> Entry:
    """Return what the log will say of an attempt that takes another status; ask before it has it."""
    return f"VERIFICATION_{status.value}", attempt, moved(attempt.path, was=attempt.status, status=status)


def moved(path: VerificationPath, *, was: VerificationStatus | None, status: VerificationStatus) -> dict[str, Any]:
    """Return the detail of an event about a status."""
    return {"path": path.value, "previous_status": was and was.value, "status": status.value}


async def replace_waiting(tx: Transaction, anchor: Anchor, path: VerificationPath) -> None:
    """Withdraw the attempt that still awaits review: a newer one stands in its place."""
    await tx.exec(
        update(Verification)
        .where(
            col(Verification.account_id) == anchor.account_id,
            col(Verification.anchor_id) == anchor.id,
            col(Verification.path) == path,
            col(Verification.status) == SUBMITTED,
        )
        .values(status=VerificationStatus.CANCELED, version=Verification.version + 1)
        .execution_options(synchronize_session=False)
    )


async def cancel_verification(
    tx: Transaction, key: Key, *, expected_version: int, by: Actor, now: datetime
) -> UUID | Refused:
    """Withdraw an open attempt, unless a reviewer is deciding about it. What was decided stays decided."""
    found = await own(tx, Verification, key, at=("input", "verificationId"))
    if isinstance(found, Refused):
        return found
    await own(tx, Anchor, Key(key.account_id, found.anchor_id), at=("input",), lock=True)  # as a go-live does
    await tx.refresh(found, with_for_update=True)
    if expected_version != found.version:
        return Refused.of(Stale(("input", "expectedVersion"), current_version=found.version))
    was = found.status
    if not lifecycle.may(was, VerificationStatus.CANCELED):
        return Refused.of(InvalidState(("input", "verificationId"), sentence=ATTEMPT_CLOSED))
    if was is SUBMITTED and await tx.rows(CLAIMED, account_id=key.account_id, id=key.id, now=now):
        return Refused.of(InvalidState(("input", "verificationId"), sentence=BEING_DECIDED))
    found.status, found.version = VerificationStatus.CANCELED, found.version + 1
    await record_status(tx, found, found.path, was=was, status=found.status, by=by, now=now)
    return found.id
