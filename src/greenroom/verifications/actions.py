"""What can be done with a verification: handed in, withdrawn; and which attempts the gate looks at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    LargeBinary,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from greenroom.access import Actor, Key, own
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import IDS, agree, has_agreed, record_consent, remembered, roster, stands
from greenroom.anchors.tables import Anchor, AnchorKey
from greenroom.columns import INSTANT, table
from greenroom.db import Read, Record, Transaction
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
from greenroom.law.attempts import Attempt, Finding, counting
from greenroom.law.paths import Case, cell_for
from greenroom.law.policies import ACCOUNT_REJECTIONS_MAX, ACCOUNT_REJECTIONS_WINDOW, Policy
from greenroom.law.reasons import REASONS
from greenroom.law.requirements import items
from greenroom.law.terms import (
    AccountKind,
    BroadcastLocation,
    DataState,
    EntryPoint,
    FindingCode,
    RequirementKind,
    RequirementStatus,
    VerificationPath,
    VerificationStatus,
    is_chinese,
)
from greenroom.paging import Listing
from greenroom.sealing import KeyWrapping, Pepper, Seal, context_of, new_data_key
from greenroom.text import country, email_address, folded, one_line
from greenroom.verifications.tables import Review, Verification

LEGAL_NAME_LENGTH_MAX = 150
SUBMITTED, APPROVED = VerificationStatus.SUBMITTED, VerificationStatus.APPROVED
REJECTED: Any = literal_column("'REJECTED'")
REFUSED = (VerificationStatus.REJECTED, VerificationStatus.REVOKED)
# What was handed in and not withdrawn; a superseded one has its successor beside it.
COUNTED = (SUBMITTED, APPROVED, *REFUSED, VerificationStatus.EXPIRED)
CONTACT = ("input", "evidence", "contact")


@dataclass(frozen=True, slots=True)
class ContactEvidence:
    """What is handed in on the path CONTACT, as typed; None where it was left out."""

    legal_name: str | None
    nationality: str | None
    email: str | None

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
    if problem := off_path(account, anchor, begun.location, policy):
        return Refused.of(problem)
    had_agreed = has_agreed(anchor, policy)
    kept = await accepted(tx, anchor, policy=policy, now=now) if evidence.is_partial else NOTHING_KEPT
    taken, problems = read_contact(evidence, anchor, kept)
    if problem := consented(anchor, consent_version, policy=policy, now=now):
        problems = [problem, *problems]
    if problems:
        return Refused(tuple(problems))
    attempt = handed_in_now(taken, anchor, id=id, begun=begun, now=now)
    await seal_contact(tx, attempt, taken, anchor, kept=kept, safe=safe)
    past = await past_of(tx, attempt, now=now)
    if problem := exhausted(past, policy):
        return Refused.of(problem)
    await replace_waiting(tx, anchor, VerificationPath.CONTACT)
    attempt.strikes, attempt.attempts = past["strikes"], past["attempts"] + 1
    tx.add(attempt)
    anchor.remembered_at, anchor.last_used_at = anchor.remembered_at or now, now
    account.first_submitted_at = account.first_submitted_at or now
    if not had_agreed:
        await record_consent(tx, anchor, by=by, now=now)
    if past["waiting"]:
        replaced = Subject("Verification", anchor.account_id, past["waiting"], anchor.id)
        canceled = VerificationStatus.CANCELED
        await record_status(tx, replaced, VerificationPath.CONTACT, was=SUBMITTED, status=canceled, by=by, now=now)
    await record_status(tx, attempt, attempt.path, was=None, status=SUBMITTED, by=by, now=now)
    return id


def name_mark(pepper: Pepper, account_id: UUID, legal_name: str, nationality: str) -> bytes:
    """Return the mark of a name with its nationality; no other account's comes out the same."""
    return pepper.fingerprint("name", str(account_id), folded(legal_name), nationality)


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
        since=now - ACCOUNT_REJECTIONS_WINDOW,
    )
    return found[0]


def exhausted(past: Record, policy: Policy) -> Problem | None:
    """Say whether nothing more may be handed in: rejected for good, or attempts used up (A15, X10)."""
    at = ("input", "anchorId")
    if past["finals"]:
        return InvalidState(at, sentence=REJECTED_FOR_GOOD)
    is_over = past["attempts"] >= policy.max_attempts or past["account_rejections"] >= ACCOUNT_REJECTIONS_MAX
    return TooManyAttempts(at) if is_over else None


def handed_in_now(taken: Contact, anchor: Anchor, *, id: UUID, begun: Begun, now: datetime) -> Verification:
    """Return the row of an attempt that is handed in now, without its personal data."""
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
    )


async def seal_contact(
    tx: Transaction, attempt: Verification, taken: Contact, anchor: Anchor, *, kept: Kept, safe: Safe
) -> None:
    """Put name and e-mail on an attempt, sealed and marked; what is kept stays sealed as it lies."""
    place, pepper = {"account_id": anchor.account_id, "anchor_id": anchor.id}, safe.pepper
    seal = await seal_of(tx, anchor, keys=safe.keys)
    if taken.legal_name is not None:
        attempt.legal_name = seal.seal(taken.legal_name, **place, column="legal_name")
        attempt.name_fingerprint = name_mark(pepper, anchor.account_id, taken.legal_name, taken.nationality)
    elif kept.attempt:
        attempt.legal_name, attempt.name_fingerprint = kept.attempt.legal_name, kept.attempt.name_fingerprint
    if taken.email is not None:
        attempt.email = seal.seal(taken.email, **place, column="email")
        attempt.email_fingerprint = email_mark(pepper, anchor.account_id, taken.email)
    elif kept.attempt:
        attempt.email, attempt.email_fingerprint = kept.attempt.email, kept.attempt.email_fingerprint


async def accepted(tx: Transaction, anchor: Anchor, *, policy: Policy, now: datetime) -> Kept:
    """Return what the attempt that counts leaves to the next one, where it was rejected and can be submitted again."""
    rows = await tx.rows(CANDIDATES, account_id=anchor.account_id, anchor_ids=[anchor.id])
    path = VerificationPath.CONTACT
    counted = counting([attempt_of(row) for row in rows], path, policy=policy, now=now)
    if counted is None or counted.status is not VerificationStatus.REJECTED or not counted.is_for_nationality:
        return NOTHING_KEPT
    found = await tx.get(Verification, (anchor.account_id, counted.id))
    if found is None or found.path is not path or found.data_state is not DataState.ACTIVE:
        return NOTHING_KEPT
    listed = items(path, policy=policy, attempt=counted)
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


def attempt_of(row: Record) -> Attempt:
    """Return a row of `CANDIDATES` or `GATE_CANDIDATES` as the law sees it."""
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
        is_for_nationality=row["is_for_nationality"],
    )


def findings_of(stored: str | list[dict[str, Any]] | None) -> tuple[Finding, ...]:
    """Read the findings of a review: JSON arrives as text from the read pool, and read already in a transaction."""
    found = orjson.loads(stored) if isinstance(stored, str) else stored or []
    return tuple(Finding(FindingCode(f["code"]), RequirementKind(f["requirement"]), f["message"]) for f in found)


# What this person did before, by their row or by the marks of name and e-mail: a strike or a bar follows the person,
# not a row that can be made anew (X10, A15). Colleagues may share a mailbox: of another row only refusals count, and
# an approval ends the strikes of a row or a name, not of an address.
FINAL_CODES = [code.value for code, reason in REASONS.items() if reason.is_final]
PAST = Read(
    text("""
    WITH own AS (
        SELECT v.*, v.anchor_id = :anchor_id AS is_this_row,
            v.path = 'CONTACT' AND v.status = 'REJECTED' AS is_rejected,
            v.submitted_at > coalesce(a.unlocked_at, '-infinity') AS is_counted
        FROM verifications v JOIN anchors a ON a.account_id = v.account_id AND a.id = :anchor_id
        WHERE v.account_id = :account_id AND v.status NOT IN ('DRAFT', 'CANCELED')
          AND (v.anchor_id = :anchor_id OR v.name_fingerprint = :name OR v.email_fingerprint = :email)
    )
    SELECT
        count(*) FILTER (WHERE is_counted AND (
            is_rejected OR (is_this_row AND path = 'CONTACT' AND status <> 'SUBMITTED')  -- which this one replaces
        ))::int AS attempts,
        count(*) FILTER (WHERE is_rejected AND submitted_at > coalesce(
            (SELECT max(submitted_at) FROM own WHERE path = 'CONTACT' AND (is_this_row OR name_fingerprint = :name)
             AND status IN ('APPROVED', 'SUPERSEDED', 'EXPIRED', 'REVOKED')), '-infinity'
        ))::int AS strikes,
        count(*) FILTER (WHERE (is_rejected AND NOT is_retryable) OR status IN ('REJECTED', 'REVOKED') AND EXISTS (
            SELECT FROM reviews f, jsonb_array_elements(f.findings) found
            WHERE f.account_id = own.account_id AND f.verification_id = own.id AND found ->> 'code' = ANY (:final_codes)
        ))::int AS finals,
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
SHOWN_NAMES = (*(column.name for column in SHOWN), "is_for_nationality")


def attempts(anchor: Any) -> Any:
    """Attempts with their newest review, and whether they fit an anchor's nationality of now."""
    is_for = (col(Verification.nationality) == anchor.c.nationality).label("is_for_nationality")
    return select_columns(*SHOWN, is_for).outerjoin(newest, true())


def handed_in(anchor: Any) -> Any:
    """For each anchor every attempt that can count or speaks against the person: A15 keeps them few.

    Which of them counts is for the law alone to say.
    """
    return attempts(anchor).where(
        col(Verification.account_id) == anchor.c.account_id,
        col(Verification.anchor_id) == anchor.c.id,
        or_(col(Verification.status).in_(literals(COUNTED)), col(Verification.is_under_age).is_(true())),
    )


def literals(statuses: Sequence[VerificationStatus]) -> list[Any]:
    """Return statuses as they stand in a statement, so that partial indexes fit."""
    return [literal_column(f"'{status.value}'") for status in statuses]


def refused_elsewhere(anchor: Any) -> Any:
    """For each anchor what was refused to the same person under another row of the account (X10)."""
    mine, other = aliased(Verification), aliased(Verification)
    same = or_(
        col(other.name_fingerprint) == col(mine.name_fingerprint),
        col(other.email_fingerprint) == col(mine.email_fingerprint),
    )
    ids = (
        select(other.id)
        .join(mine, and_(col(mine.account_id) == other.account_id, same))
        .where(
            col(mine.account_id) == anchor.c.account_id,
            col(mine.anchor_id) == anchor.c.id,
            col(mine.status).in_(literals(COUNTED)),
            col(other.anchor_id) != anchor.c.id,
            col(other.status).in_(literals(REFUSED)),
        )
        .correlate(anchor)
    )
    return attempts(anchor).where(col(Verification.account_id) == anchor.c.account_id, col(Verification.id).in_(ids))


def gate_candidates(*, of_account: bool = True) -> Any:
    """What the gate looks at, of several anchors; `of_account=False` is for a read across accounts."""
    found = select(Anchor.account_id, Anchor.id, Anchor.nationality, Anchor.unlocked_at)
    found = found.where(col(Anchor.id) == any_(bindparam("anchor_ids", type_=IDS)))
    anchors = (found.where(Anchor.account_id == bindparam("account_id")) if of_account else found).cte("anchors")
    parts = []
    for source, is_other in ((handed_in(anchors), False), (refused_elsewhere(anchors), True)):
        rows = source.correlate(anchors).lateral()
        asked = (anchors.c.id.label("of_anchor_id"), anchors.c.unlocked_at, literal(is_other).label("is_other"))
        ceiling = case((rows.c.status == REJECTED, account_rejections(anchors)), else_=0).label("account_rejections")
        parts.append(select_columns(*rows.c, *asked, ceiling).select_from(anchors.join(rows, true())))
    return union_all(*parts)


def account_rejections(anchors: Any) -> Any:
    """How many attempts of an account were rejected in the days that its ceiling looks back (X10)."""
    counted = aliased(Verification)
    return (
        select(func.count())
        .where(
            col(counted.account_id) == anchors.c.account_id,
            col(counted.status) == REJECTED,
            col(counted.decided_at) > bindparam("since", type_=INSTANT),
        )
        .scalar_subquery()
    )


def with_candidates(*order: str) -> Callable[[Select[Any], bool], Select[Any]]:
    """Put around a page of anchors what it takes to get each with its candidates, whose columns are called `v_…`."""

    def around(page: Select[Any], runs_down: bool) -> Any:
        anchors = page.subquery("page")
        found = handed_in(anchors).lateral("candidate")
        columns = [anchors.c[name] for name in order]
        return (
            select(*anchors.c, *(column.label(f"v_{column.name}") for column in found.c))
            .select_from(anchors.outerjoin(found, true()))
            .order_by(*(c.desc() if runs_down else c.asc() for c in columns))
        )

    return around


def ungrouped(rows: Sequence[Record]) -> list[tuple[Record, list[dict[str, Any]]]]:
    """Return the anchors of a `with_candidates` read, in its order, each with its candidates."""
    found: dict[UUID, tuple[Record, list[dict[str, Any]]]] = {}
    for row in rows:
        _, own_attempts = found.setdefault(row["id"], (row, []))
        if row["v_id"] is not None:
            own_attempts.append({name: row[f"v_{name}"] for name in SHOWN_NAMES})
    return list(found.values())


CANDIDATES = Read(
    handed_in(table(Anchor)).where(
        col(Anchor.account_id) == bindparam("account_id"), col(Anchor.id) == any_(bindparam("anchor_ids", type_=IDS))
    )
)
GATE_CANDIDATES = Read(gate_candidates())
BY_IDS = Read(
    attempts(table(Anchor)).where(
        col(Anchor.account_id) == Verification.account_id,
        col(Anchor.id) == Verification.anchor_id,
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
HISTORY = Listing(
    attempts(table(Anchor)).where(
        col(Anchor.account_id) == Verification.account_id,
        col(Anchor.id) == Verification.anchor_id,
        col(Verification.account_id) == bindparam("account_id"),
        col(Verification.anchor_id) == bindparam("anchor_id"),
    ),
    col(Verification.id),
    descending=True,
)


def anchors_listing(base: Any, *order: str, descending: bool = False) -> Listing:
    """Return a list of anchors whose pages bring the candidates."""
    columns = [table(Anchor).c[name] for name in order]
    return Listing(base, *columns, descending=descending, around=with_candidates(*order))


# Each as a whole, and as a search narrows it down.
ROSTER = tuple(anchors_listing(roster(is_search=s), "search_name", "id") for s in (False, True))
REMEMBERED = tuple(
    anchors_listing(remembered(is_search=s), "last_used_at", "id", descending=True) for s in (False, True)
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
