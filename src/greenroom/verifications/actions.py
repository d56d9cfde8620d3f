"""What can be done with a verification: handed in, withdrawn."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from greenroom.access import Actor, Key, own
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import agree, data_key_of, has_agreed, record_consent, stands
from greenroom.anchors.tables import Anchor
from greenroom.db import Record, Transaction
from greenroom.documents.actions import REQUIREMENT
from greenroom.documents.tables import Document
from greenroom.errors import (
    ATTEMPT_CLOSED,
    NATIONALITY_DIFFERS,
    REJECTED_FOR_GOOD,
    InvalidState,
    Problem,
    Refused,
    Required,
    Stale,
    TooManyAttempts,
    WrongPath,
    invalid,
)
from greenroom.events.actions import Subject, record
from greenroom.inforce import in_force
from greenroom.law import lifecycle
from greenroom.law.attempts import is_exhausted, newest
from greenroom.law.days import end_of
from greenroom.law.paths import cell_for
from greenroom.law.policies import ACCOUNT_REJECTIONS_WINDOW, Policy
from greenroom.law.requirements import items
from greenroom.law.terms import (
    BroadcastLocation,
    DataState,
    DocumentKind,
    EntryPoint,
    RequirementKind,
    RequirementStatus,
    VerificationPath,
    VerificationStatus,
)
from greenroom.sealing import KeyWrapping, Pepper, Seal, normal
from greenroom.text import country, email_address, one_line
from greenroom.verifications.papers import AT as PAPERS
from greenroom.verifications.papers import Papers, PassportVisaEvidence, read_papers
from greenroom.verifications.reads import ATTACHED, CANDIDATES, PAST, attempt_of, case_of
from greenroom.verifications.tables import Verification, VerificationDocument

LEGAL_NAME_LENGTH_MAX = 150
SUBMITTED, APPROVED = VerificationStatus.SUBMITTED, VerificationStatus.APPROVED
CONTACT = ("input", "evidence", "contact")


@dataclass(frozen=True, slots=True)
class ContactEvidence:
    """What is handed in on the path CONTACT, as typed; None where it was left out."""

    legal_name: str | None
    nationality: str | None
    email: str | None

    path = VerificationPath.CONTACT

    @property
    def is_partial(self) -> bool:
        """Something was left out."""
        return None in (self.legal_name, self.nationality, self.email)


@dataclass(frozen=True, slots=True)
class Contact:
    """Checked contact data; None for what stays as it was accepted."""

    legal_name: str | None
    nationality: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a rejected attempt leaves to the next one: the items that were not refused (R37)."""

    items: frozenset[RequirementKind] = frozenset()
    attempt: Verification | None = None


NOTHING_KEPT = Kept()


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an attempt was begun: in which part of the console (R17), and where the anchor will stand."""

    entry_point: EntryPoint
    location: BroadcastLocation


@dataclass(frozen=True, slots=True)
class Safe:
    """What seals personal data and knows it again."""

    keys: KeyWrapping
    pepper: Pepper


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
    replaced; an approved one keeps counting until this one is decided (R24).
    Returns the attempt's id.
    """
    anchor = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(anchor, Refused):
        return anchor
    if refused := stands(anchor, None):
        return refused
    account = (await tx.exec(select(Account).where(Account.account_id == key.account_id))).one()
    policy = (await in_force(tx, is_held=False)).policy  # the account is written below: held, it would be out of order
    if problem := off_path(account, anchor, begun.location, evidence.path, policy):
        return Refused.of(problem)
    had_agreed = has_agreed(anchor, policy)
    kept = await accepted(tx, anchor, evidence.path, policy=policy) if evidence.is_partial else NOTHING_KEPT
    taken, problems = await read_evidence(tx, evidence, anchor, kept, policy=policy, now=now)
    if problem := consented(anchor, consent_version, policy=policy, now=now):
        problems = [problem, *problems]
    if problems:
        return Refused(tuple(problems))
    attempt = handed_in_now(evidence.path, taken.nationality, anchor, id=id, begun=begun, now=now)
    await seal_evidence(tx, attempt, taken, anchor, kept=kept, safe=safe, policy=policy, now=now)
    past = await past_of(tx, attempt, now=now)
    if problem := exhausted(past, policy):
        return Refused.of(problem)
    await replace_waiting(tx, anchor, evidence.path)
    attempt.strikes, attempt.attempts = past["strikes"], past["attempts"] + 1
    tx.add(attempt)
    anchor.remembered_at, anchor.last_used_at = anchor.remembered_at or now, now
    account.first_submitted_at = account.first_submitted_at or now
    if isinstance(taken, Papers):
        await attach(tx, attempt, taken, kept, seal=await seal_of(tx, anchor, keys=safe.keys), now=now)
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
    policy: Policy,
    now: datetime,
) -> tuple[Contact | Papers, list[Problem]]:
    """Check what was handed in, with the anchor's photos where it names some."""
    if isinstance(evidence, ContactEvidence):
        return read_contact(evidence, anchor, kept)
    ids = [photo.document.id for photo in evidence.photos]
    found = await photos_of(tx, anchor, ids)
    return read_papers(evidence, anchor, found, kept=kept.items, policy=policy, now=now)


def name_mark(pepper: Pepper, account_id: UUID, legal_name: str, nationality: str) -> bytes:
    """Return the mark of a name with its nationality; no other account's comes out the same."""
    return pepper.fingerprint("name", str(account_id), identifying(legal_name), nationality)


def identifying(legal_name: str) -> str:
    """Return a name as it tells people apart (X10): without case, spaces and accents.

    An accent is a mark on a Latin or Greek letter, and on a Cyrillic one what makes no letter of its own (й is one).
    Elsewhere marks are letters: กุ้ง is not กง, and かわだ not かわた.
    """
    kept, is_on_accented = list[str](), False
    for character in normal(legal_name):
        if unicodedata.category(character).startswith("M"):
            kept += [] if is_on_accented else [character]
            continue
        script = unicodedata.name(character, "").partition(" ")[0]
        is_on_accented = script in ("LATIN", "GREEK", "CYRILLIC")
        kept.append(unicodedata.normalize("NFD", character)[0] if script in ("LATIN", "GREEK") else character)
    return "".join(kept)


def passport_mark(pepper: Pepper, number: str, issuer: str) -> bytes:
    """Return the mark of a passport, the same in every account: a person is one person for staff (X10, X11)."""
    return pepper.fingerprint("passport", number, issuer)


def email_mark(pepper: Pepper, account_id: UUID, email: str) -> bytes:
    """Return the mark of an address; no other account's comes out the same."""
    return pepper.fingerprint("email", str(account_id), email)


async def past_of(tx: Transaction, attempt: Verification, *, now: datetime) -> Record:
    """Return what the person of this attempt did before, and how the account fares."""
    found = await tx.rows(
        PAST,
        account_id=attempt.account_id,
        anchor_id=attempt.anchor_id,
        name=attempt.name_fingerprint,
        email=attempt.email_fingerprint,
        passport=attempt.passport_fingerprint,
        path=attempt.path.value,
        since=now - ACCOUNT_REJECTIONS_WINDOW,
    )
    return found[0]


def exhausted(past: Record, policy: Policy) -> Problem | None:
    """Say whether nothing more may be handed in: rejected for good, or attempts used up (A15, X10)."""
    at = ("input", "anchorId")
    if past["finals"]:
        return InvalidState(at, sentence=REJECTED_FOR_GOOD)
    is_over = is_exhausted(past["attempts"], account_rejections=past["account_rejections"], policy=policy)
    return TooManyAttempts(at) if is_over else None


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
    )


async def seal_evidence(
    tx: Transaction,
    attempt: Verification,
    taken: Contact | Papers,
    anchor: Anchor,
    *,
    kept: Kept,
    safe: Safe,
    policy: Policy,
    now: datetime,
) -> None:
    """Put what was taken on an attempt, sealed and marked; what is kept stays sealed as it lies."""
    place, pepper = {"account_id": anchor.account_id, "anchor_id": anchor.id}, safe.pepper
    seal = await seal_of(tx, anchor, keys=safe.keys)
    values: dict[str, str | None] = {"legal_name": taken.legal_name, "email": taken.email}
    marks: dict[str, bytes] = {}
    if isinstance(taken, Papers):
        values |= {
            "date_of_birth": taken.born_on.isoformat() if taken.born_on else None,
            "passport_number": taken.passport_number,
            "passport_issuer": taken.passport_issuer,
        }
        days(attempt, taken, kept, policy=policy, now=now)
    if taken.legal_name is not None:
        marks["name_fingerprint"] = name_mark(pepper, anchor.account_id, taken.legal_name, taken.nationality)
    if taken.email is not None:
        marks["email_fingerprint"] = email_mark(pepper, anchor.account_id, taken.email)
    if isinstance(taken, Papers) and taken.passport_number and taken.passport_issuer:
        marks["passport_fingerprint"] = passport_mark(pepper, taken.passport_number, taken.passport_issuer)
    for column, value in values.items():
        if value is not None:
            setattr(attempt, column, seal.seal(value, **place, column=column))
        elif kept.attempt:
            setattr(attempt, column, getattr(kept.attempt, column))
    for column in ("name_fingerprint", "email_fingerprint", "passport_fingerprint"):
        setattr(attempt, column, marks.get(column) or (kept.attempt and getattr(kept.attempt, column)))


def days(attempt: Verification, taken: Papers, kept: Kept, *, policy: Policy, now: datetime) -> None:
    """Put on an attempt until when its documents are good (X2), and whether the person is too young (X9)."""
    before = kept.attempt
    attempt.passport_last_day = taken.passport_last_day or (before.passport_last_day if before else None)
    attempt.work_last_day = taken.work_last_day or (before.work_last_day if before else None)
    last_days = [day for day in (attempt.passport_last_day, attempt.work_last_day) if day]
    attempt.documents_last_day = min(last_days)
    attempt.ends_at = end_of(attempt.documents_last_day)
    is_under_age = taken.is_under_age(policy=policy, now=now)
    attempt.is_under_age = before.is_under_age if is_under_age is None and before else is_under_age
    attempt.mrz_findings = [{"code": code.value, "requirement": about.value} for code, about in taken.findings]


async def attach(
    tx: Transaction, attempt: Verification, taken: Papers, kept: Kept, *, seal: Seal, now: datetime
) -> None:
    """Hand the photos in with the attempt; those of an item that was accepted before stay handed in."""
    place = {"account_id": attempt.account_id, "anchor_id": attempt.anchor_id}
    await tx.flush()
    anew = {REQUIREMENT[paper.document.kind] for paper in taken.papers}
    for paper in taken.papers:
        paper.document.handed_in_at = now
        assert paper.last_day is not None  # else it was refused
        tx.add(
            VerificationDocument(
                account_id=attempt.account_id,
                verification_id=attempt.id,
                document_id=paper.document.id,
                last_day=paper.last_day,
                mrz=seal.seal(paper.mrz, **place, column="mrz") if paper.mrz else None,
            )
        )
    for row in await attached(tx, kept.attempt) if kept.attempt else []:
        if REQUIREMENT[DocumentKind(row["kind"])] not in anew:
            earlier = {name: row[name] for name in ("account_id", "document_id", "last_day", "mrz")}
            tx.add(VerificationDocument(verification_id=attempt.id, **earlier))


async def attached(tx: Transaction, attempt: Verification) -> list[Record]:
    """Return the photos of an attempt, each with its kind."""
    return await tx.rows(ATTACHED, account_id=attempt.account_id, verification_ids=[attempt.id])


async def photos_of(tx: Transaction, anchor: Anchor, ids: Sequence[UUID]) -> dict[UUID, Document]:
    """Return these photos of an anchor, locked."""
    query = select(Document).where(
        Document.account_id == anchor.account_id, Document.anchor_id == anchor.id, col(Document.id).in_(ids)
    )
    found = await tx.exec(query.order_by(col(Document.id)).with_for_update())
    return {row.id: row for row in found}


async def accepted(tx: Transaction, anchor: Anchor, path: VerificationPath, *, policy: Policy) -> Kept:
    """Return what the newest attempt handed in leaves to the next one, where it was rejected, whatever else counts."""
    rows = await tx.rows(CANDIDATES, account_id=anchor.account_id, anchor_ids=[anchor.id])
    last = newest([attempt_of(row) for row in rows], path)
    if last is None or last.status is not VerificationStatus.REJECTED or not last.is_for_nationality:
        return NOTHING_KEPT
    found = await tx.get(Verification, (anchor.account_id, last.id))
    if found is None or found.data_state is not DataState.ACTIVE:
        return NOTHING_KEPT
    listed = items(path, policy=policy, attempt=last)
    return Kept(frozenset(item.kind for item in listed if item.status is RequirementStatus.ACCEPTED), found)


def read_contact(evidence: ContactEvidence, anchor: Anchor, kept: Kept) -> tuple[Contact, list[Problem]]:
    """Check each item on its own, so that all that is missing or wrong is told at once (R6)."""
    problems, name, email, nationality = list[Problem](), None, None, anchor.nationality
    if evidence.legal_name is not None or RequirementKind.LEGAL_NAME not in kept.items:
        at, kind = (*CONTACT, "legalName"), RequirementKind.LEGAL_NAME
        name, wrong = one_line(evidence.legal_name, at=at, most=LEGAL_NAME_LENGTH_MAX, requirement=kind)
        problems += wrong
    if evidence.nationality is not None or RequirementKind.NATIONALITY not in kept.items:
        at, kind = (*CONTACT, "nationality"), RequirementKind.NATIONALITY
        nationality, wrong = country(evidence.nationality, at=at, requirement=kind)
        if not wrong and nationality != anchor.nationality:
            wrong = [invalid(at, NATIONALITY_DIFFERS, requirement=kind)]
        problems += wrong
    if evidence.email is not None or RequirementKind.EMAIL not in kept.items:
        email, wrong = email_address(evidence.email, at=(*CONTACT, "email"))
        problems += wrong
    return Contact(name, nationality, email), problems


def off_path(
    account: Account, anchor: Anchor, location: BroadcastLocation, path: VerificationPath, policy: Policy
) -> Problem | None:
    """The system decides the path: evidence of another one than applies is refused (R16)."""
    cell = cell_for(case_of(account.model_dump(), anchor.nationality, location, policy), policy=policy)
    at = CONTACT if path is VerificationPath.CONTACT else PAPERS
    return None if cell.path is path else WrongPath(at, path=cell.path.value)


def consented(anchor: Anchor, version: str | None, *, policy: Policy, now: datetime) -> Problem | None:
    """Nothing sensitive is taken without consent to the notice in force, given before or in this very step (X1)."""
    at = ("input", "consentVersion")
    if version is not None:
        return agree(anchor, version, policy=policy, at=at, now=now)
    return None if has_agreed(anchor, policy) else Required(at, RequirementKind.CONSENT)


async def seal_of(tx: Transaction, anchor: Anchor, *, keys: KeyWrapping) -> Seal:
    """Return the seal of an anchor's data key, made on first use."""
    return Seal(await data_key_of(tx, anchor, keys=keys))


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
    detail = {"path": path.value, "previous_status": was and was.value, "status": status.value}
    await record(tx, f"VERIFICATION_{status.value}", about, by=by, now=now, **detail)


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
    """Withdraw an open attempt. What was decided stays decided."""
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
    found.status, found.version = VerificationStatus.CANCELED, found.version + 1
    await record_status(tx, found, found.path, was=was, status=found.status, by=by, now=now)
    return found.id
