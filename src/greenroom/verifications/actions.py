"""What can be done with a verification: handed in, withdrawn; and which attempts the gate looks at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    LargeBinary,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    literal_column,
    or_,
    text,
    true,
    update,
)
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from greenroom.access import Actor, Key, own
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import IDS, agree, has_agreed, record_consent, stands
from greenroom.anchors.tables import Anchor, AnchorKey
from greenroom.columns import INSTANT, table
from greenroom.db import Read, Record, Transaction
from greenroom.errors import (
    NATIONALITY_DIFFERS,
    InvalidState,
    Problem,
    Refused,
    Required,
    Stale,
    TooManyAttempts,
    WrongPath,
    invalid,
)
from greenroom.events.actions import record
from greenroom.inforce import in_force
from greenroom.law import lifecycle
from greenroom.law.admission import Attempt, Finding
from greenroom.law.paths import Case, cell_for
from greenroom.law.policies import ACCOUNT_REJECTIONS_MAX, ACCOUNT_REJECTIONS_WINDOW, Policy
from greenroom.law.reasons import REASONS
from greenroom.law.terms import (
    AccountKind,
    BroadcastLocation,
    EntryPoint,
    FindingCode,
    RequirementKind,
    VerificationPath,
    VerificationStatus,
    is_chinese,
)
from greenroom.sealing import KeyWrapping, Pepper, Seal, context_of, new_data_key
from greenroom.text import country, email_address, one_line
from greenroom.verifications.tables import Review, Verification

LEGAL_NAME_LENGTH_MAX = 150
SUBMITTED, APPROVED = VerificationStatus.SUBMITTED, VerificationStatus.APPROVED
# What was handed in and not withdrawn; a superseded one has its successor beside it.
ADMITTING = (SUBMITTED, APPROVED)
COUNTED = (SUBMITTED, APPROVED, VerificationStatus.REJECTED, VerificationStatus.EXPIRED, VerificationStatus.REVOKED)
CONTACT = ("input", "evidence", "contact")


@dataclass(frozen=True, slots=True)
class ContactEvidence:
    """What is handed in on the path CONTACT, as typed; None where it was left out."""

    legal_name: str | None
    nationality: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Contact:
    """Checked contact data."""

    legal_name: str
    nationality: str
    email: str


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


async def submit_contact(
    tx: Transaction,
    key: Key,
    *,
    id: UUID,
    evidence: ContactEvidence,
    begun: Begun,
    consent_version: str | None,
    safe: Safe,
    by: Actor,
    now: datetime,
) -> UUID | Refused:
    """Hand in name, nationality and e-mail: complete, or refused whole with every problem at once (R6, R35).

    An earlier attempt that awaits review is replaced; an approved one keeps counting until this one is decided (R24).
    Returns the attempt's id.
    """
    anchor = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(anchor, Refused):
        return anchor
    if refused := stands(anchor, None):
        return refused
    account = (await tx.exec(select(Account).where(Account.account_id == key.account_id))).one()
    policy = (await in_force(tx)).policy
    if problem := off_path(account, anchor, begun.location, policy):
        return Refused.of(problem)
    taken, problems = read_contact(evidence, anchor)
    if problem := consented(anchor, consent_version, policy=policy, now=now):
        problems = [problem, *problems]
    if problems:
        return Refused(tuple(problems))
    marks = marks_of(taken, anchor, safe.pepper)
    past = await past_of(tx, anchor, marks, now=now)
    if problem := exhausted(past, policy):
        return Refused.of(problem)
    seal = await seal_of(tx, anchor, keys=safe.keys)
    await replace_waiting(tx, anchor, VerificationPath.CONTACT)
    attempt = sealed_attempt(taken, anchor, id=id, begun=begun, seal=seal, marks=marks, now=now)
    attempt.strikes, attempt.attempts = past["strikes"], past["attempts"] + 1
    tx.add(attempt)
    anchor.remembered_at, anchor.last_used_at = anchor.remembered_at or now, now
    account.first_submitted_at = account.first_submitted_at or now
    if anchor.consented_at == now:
        await record_consent(tx, anchor, by=by, now=now)
    if past["waiting"]:
        replaced = (past["waiting"], anchor.id, VerificationPath.CONTACT)
        await record_status(tx, *replaced, was=SUBMITTED, status=VerificationStatus.CANCELED, key=key, by=by, now=now)
    this = (id, anchor.id, VerificationPath.CONTACT)
    await record_status(tx, *this, was=None, status=SUBMITTED, key=key, by=by, now=now)
    return id


@dataclass(frozen=True, slots=True)
class Marks:
    """Keyed hashes that know a person again within the account (X10)."""

    name: bytes
    email: bytes


def marks_of(taken: Contact, anchor: Anchor, pepper: Pepper) -> Marks:
    """Return the marks of contact data; no other account's come out the same."""
    account = str(anchor.account_id)
    return Marks(
        name=pepper.fingerprint("name", account, taken.legal_name, taken.nationality),
        email=pepper.fingerprint("email", account, taken.email),
    )


async def past_of(tx: Transaction, anchor: Anchor, marks: Marks, *, now: datetime) -> Record:
    """Return what this person did before, and how the account fares."""
    found = await tx.rows(
        PAST,
        account_id=anchor.account_id,
        anchor_id=anchor.id,
        name=marks.name,
        email=marks.email,
        since=now - ACCOUNT_REJECTIONS_WINDOW,
    )
    return found[0]


def exhausted(past: Record, policy: Policy) -> Problem | None:
    """Say whether nothing more may be handed in: rejected for good, or attempts used up (A15, X10)."""
    at = ("input", "anchorId")
    if past["finals"]:
        return InvalidState(at, state=VerificationStatus.REJECTED.value)
    is_over = past["attempts"] >= policy.max_attempts or past["account_rejections"] >= ACCOUNT_REJECTIONS_MAX
    return TooManyAttempts(at) if is_over else None


def sealed_attempt(
    taken: Contact, anchor: Anchor, *, id: UUID, begun: Begun, seal: Seal, marks: Marks, now: datetime
) -> Verification:
    """Return the row of an attempt that is handed in now, its personal data sealed."""
    place = {"account_id": anchor.account_id, "anchor_id": anchor.id}
    return Verification(
        account_id=anchor.account_id,
        anchor_id=anchor.id,
        id=id,
        path=VerificationPath.CONTACT,
        status=SUBMITTED,
        entry_point=begun.entry_point,
        location=begun.location,
        consent_version=anchor.consent_version or "",
        nationality=taken.nationality,
        created_at=now,
        submitted_at=now,
        legal_name=seal.seal(taken.legal_name, **place, column="legal_name"),
        email=seal.seal(taken.email, **place, column="email"),
        name_fingerprint=marks.name,
        email_fingerprint=marks.email,
    )


def read_contact(evidence: ContactEvidence, anchor: Anchor) -> tuple[Contact, list[Problem]]:
    """Check each item on its own, so that all that is missing or wrong is told at once (R6)."""
    name, of_name = one_line(
        evidence.legal_name,
        at=(*CONTACT, "legalName"),
        most=LEGAL_NAME_LENGTH_MAX,
        requirement=RequirementKind.LEGAL_NAME,
    )
    at = (*CONTACT, "nationality")
    nationality, of_nationality = country(evidence.nationality, at=at, requirement=RequirementKind.NATIONALITY)
    if not of_nationality and nationality != anchor.nationality:
        of_nationality = [invalid(at, NATIONALITY_DIFFERS, requirement=RequirementKind.NATIONALITY)]
    email, of_email = email_address(evidence.email, at=(*CONTACT, "email"))
    return Contact(name, nationality, email), [*of_name, *of_nationality, *of_email]


def off_path(account: Account, anchor: Anchor, location: BroadcastLocation, policy: Policy) -> Problem | None:
    """The system decides the path: contact data where another one applies are refused (R16)."""
    cell = cell_for(case_of(account.model_dump(), anchor.nationality, location, policy), policy=policy)
    return None if cell.path is VerificationPath.CONTACT else WrongPath(CONTACT, path=cell.path.value)


def case_of(account: Record, nationality: str, location: BroadcastLocation, policy: Policy) -> Case:
    """Return what the decision table asks about one appearance. `account`: its kind and nationality."""
    return Case(
        AccountKind(account["kind"]),
        is_chinese(account["nationality"], regions=policy.regions),
        is_chinese(nationality, regions=policy.regions),
        location,
    )


def consented(anchor: Anchor, version: str | None, *, policy: Policy, now: datetime) -> Problem | None:
    """Nothing sensitive is taken without consent to the notice in force, given before or in this very step (X1)."""
    at = ("input", "consentVersion")
    if version is not None:
        return agree(anchor, version, policy=policy, at=at, now=now)
    return None if has_agreed(anchor, policy) else Required(at, RequirementKind.CONSENT)


async def seal_of(tx: Transaction, anchor: Anchor, *, keys: KeyWrapping) -> Seal:
    """Return the seal of an anchor's data key, made on first use."""
    context = context_of(anchor.account_id, anchor.id)
    row = await tx.get(AnchorKey, (anchor.account_id, anchor.id))
    if row is not None:
        return Seal(await keys.unwrap(row.master_key_id, row.wrapped, context=context))
    data_key = new_data_key()
    master_key_id, wrapped = await keys.wrap(data_key, context=context)
    tx.add(AnchorKey(account_id=anchor.account_id, anchor_id=anchor.id, master_key_id=master_key_id, wrapped=wrapped))
    return Seal(data_key)


async def record_status(
    tx: Transaction,
    id: UUID,
    anchor_id: UUID,
    path: VerificationPath,
    *,
    was: VerificationStatus | None,
    status: VerificationStatus,
    key: Key,
    by: Actor,
    now: datetime,
) -> None:
    """Leave the event of an attempt's new status, such as VERIFICATION_SUBMITTED."""
    await record(
        tx,
        f"VERIFICATION_{status.value}",
        "Verification",
        id,
        account_id=key.account_id,
        by=by,
        now=now,
        anchor_id=anchor_id,
        path=path.value,
        previous_status=was.value if was else None,
        status=status.value,
    )


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
        return Refused.of(InvalidState(("input", "verificationId"), state=was.value))
    found.status, found.version = VerificationStatus.CANCELED, found.version + 1
    await record_status(
        tx, found.id, found.anchor_id, found.path, was=was, status=found.status, key=key, by=by, now=now
    )
    return found.id


def attempt_of(row: Record) -> Attempt:
    """Return a row of `CANDIDATES` as the law sees it."""
    return Attempt(
        id=row["id"],
        path=VerificationPath(row["path"]),
        status=VerificationStatus(row["status"]),
        submitted_at=row["submitted_at"],
        decided_at=row["decided_at"],
        ends_at=row["ends_at"],
        documents_last_day=row["documents_last_day"],
        is_retryable=row["is_retryable"],
        strikes=row["strikes"],
        attempts=row["attempts"],
        findings=findings_of(row["findings"]),
        has_email=row["has_email"],
    )


def findings_of(stored: str | list[dict[str, Any]] | None) -> tuple[Finding, ...]:
    """Read the findings of a review: JSON arrives as text from the read pool, and read already in a transaction."""
    found = orjson.loads(stored) if isinstance(stored, str) else stored or []
    return tuple(Finding(FindingCode(f["code"]), RequirementKind(f["requirement"]), f["message"]) for f in found)


# What this person did before, by their row or by the marks of name and e-mail: a strike or a bar follows the person,
# not a row that can be made anew (X10, A15).
FINAL_CODES = [code.value for code, reason in REASONS.items() if reason.is_final]
PAST = Read(
    text("""
    WITH own AS (
        SELECT v.*, v.submitted_at > coalesce(a.unlocked_at, '-infinity') AS is_counted,
            v.anchor_id = :anchor_id AND v.status = 'SUBMITTED' AS is_replaced  -- by this very one
        FROM verifications v JOIN anchors a ON a.account_id = v.account_id AND a.id = :anchor_id
        WHERE v.account_id = :account_id AND v.status NOT IN ('DRAFT', 'CANCELED')
          AND (v.anchor_id = :anchor_id OR v.name_fingerprint = :name OR v.email_fingerprint = :email)
    )
    SELECT
        count(*) FILTER (WHERE path = 'CONTACT' AND is_counted AND NOT is_replaced)::int AS attempts,
        count(*) FILTER (WHERE path = 'CONTACT' AND is_counted AND status = 'REJECTED' AND submitted_at > coalesce(
            (SELECT max(submitted_at) FROM own
             WHERE path = 'CONTACT' AND status IN ('APPROVED', 'SUPERSEDED', 'EXPIRED', 'REVOKED')), '-infinity'
        ))::int AS strikes,
        count(*) FILTER (WHERE status IN ('REJECTED', 'REVOKED') AND (NOT is_retryable OR EXISTS (
            SELECT FROM reviews f, jsonb_array_elements(f.findings) found
            WHERE f.account_id = own.account_id AND f.verification_id = own.id AND found ->> 'code' = ANY (:final_codes)
        )))::int AS finals,
        (SELECT count(*)::int FROM verifications r
         WHERE r.account_id = :account_id AND r.status = 'REJECTED' AND r.decided_at > :since) AS account_rejections,
        (SELECT w.id FROM verifications w WHERE w.account_id = :account_id AND w.anchor_id = :anchor_id
         AND w.path = 'CONTACT' AND w.status = 'SUBMITTED') AS waiting
    FROM own
    """).bindparams(
        bindparam("account_id", type_=Uuid()),
        bindparam("anchor_id", type_=Uuid()),
        bindparam("name", type_=LargeBinary()),
        bindparam("email", type_=LargeBinary()),
        bindparam("since", type_=INSTANT),
        bindparam("final_codes", FINAL_CODES, type_=ARRAY(Text())),
    )
)

newest = (
    select(Review)
    .where(col(Review.account_id) == Verification.account_id, col(Review.verification_id) == Verification.id)
    .order_by(col(Review.id).desc())
    .limit(1)
    .lateral("newest")
)
SHOWN = (
    *(
        c
        for c in table(Verification).c
        if c.name not in {"legal_name", "email", "name_fingerprint", "email_fingerprint"}
    ),
    col(Verification.email).is_not(None).label("has_email"),
    newest.c.id.label("review_id"),
    newest.c.decision,
    newest.c.is_retryable.label("review_is_retryable"),
    newest.c.findings,
    newest.c.created_at.label("reviewed_at"),
)
SHOWN_NAMES = tuple(column.name for column in SHOWN)
attempts = select(*SHOWN).outerjoin(newest, true())


def candidates(*, of_account: bool = True) -> Any:
    """What the gate looks at, of several anchors; `of_account=False` is for a read across accounts."""
    found = handed_in(table(Anchor)).where(col(Anchor.id) == any_(bindparam("anchor_ids", type_=IDS)))
    return found.where(col(Anchor.account_id) == bindparam("account_id")) if of_account else found


def handed_in(anchor: Any) -> Any:
    """For each anchor every attempt that can count: A15 keeps them few, and the law alone says which one does.

    An attempt for another nationality than the anchor's admits nobody; what speaks against a person stays, whatever
    is said later.
    """
    return attempts.where(
        col(Verification.account_id) == anchor.c.account_id,
        col(Verification.anchor_id) == anchor.c.id,
        col(Verification.status).in_([literal_column(f"'{status.value}'") for status in COUNTED]),
        or_(
            col(Verification.nationality) == anchor.c.nationality,
            col(Verification.status).not_in([literal_column(f"'{status.value}'") for status in ADMITTING]),
            col(Verification.is_under_age).is_(true()),
        ),
    )


def with_candidates(page: Select[Any], order: Callable[[FromClause], Sequence[ColumnElement[Any]]]) -> Any:
    """A page of anchors, each on as many rows as it has candidates, whose columns are called `v_…`: one statement."""
    anchors = page.subquery("page")
    found = handed_in(anchors).lateral("candidate")
    return (
        select(*anchors.c, *(column.label(f"v_{column.name}") for column in found.c))
        .select_from(anchors.outerjoin(found, true()))
        .order_by(*order(anchors))
    )


def ungrouped(rows: Sequence[Record]) -> list[tuple[Record, list[dict[str, Any]]]]:
    """Return the anchors of a `with_candidates` read, in its order, each with its candidates."""
    found: dict[UUID, tuple[Record, list[dict[str, Any]]]] = {}
    for row in rows:
        _, own_attempts = found.setdefault(row["id"], (row, []))
        if row["v_id"] is not None:
            own_attempts.append({name: row[f"v_{name}"] for name in SHOWN_NAMES})
    return list(found.values())


CANDIDATES = Read(candidates())
BY_IDS = Read(
    attempts.where(
        col(Verification.account_id) == bindparam("account_id"),
        col(Verification.id) == any_(bindparam("ids", type_=IDS)),
    )
)
REVIEWS = Read(
    select_columns(
        col(Review.account_id),
        col(Review.id).label("review_id"),
        col(Review.decision),
        col(Review.is_retryable).label("review_is_retryable"),
        col(Review.findings),
        col(Review.created_at).label("reviewed_at"),
    ).where(col(Review.account_id) == bindparam("account_id"), col(Review.id) == any_(bindparam("ids", type_=IDS)))
)
BY_ANCHOR = attempts.where(
    col(Verification.account_id) == bindparam("account_id"), col(Verification.anchor_id) == bindparam("anchor_id")
)
SEALED = Read(
    select(Verification.id, Verification.anchor_id, Verification.legal_name, Verification.email)
    .add_columns(col(AnchorKey.master_key_id), col(AnchorKey.wrapped))
    .join(
        AnchorKey,
        and_(col(AnchorKey.account_id) == Verification.account_id, col(AnchorKey.anchor_id) == Verification.anchor_id),
    )
    .where(
        col(Verification.account_id) == bindparam("account_id"),
        col(Verification.id) == any_(bindparam("ids", type_=IDS)),
    )
)
