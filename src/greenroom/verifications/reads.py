"""What is read of attempts: which the gate looks at, which clients see, and each as the law sees it."""

from collections.abc import Callable, Sequence
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
    exists,
    func,
    literal,
    literal_column,
    or_,
    text,
    true,
    union_all,
)
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from greenroom.anchors.actions import IDS, remembered, roster
from greenroom.anchors.tables import Anchor, AnchorKey
from greenroom.columns import INSTANT, table
from greenroom.db import Read, Record
from greenroom.documents.tables import Document
from greenroom.law.attempts import Attempt, Finding
from greenroom.law.paths import Case
from greenroom.law.policies import Policy
from greenroom.law.reasons import REASONS
from greenroom.law.terms import (
    AccountKind,
    BroadcastLocation,
    DocumentKind,
    FindingCode,
    RequirementKind,
    VerificationPath,
    VerificationStatus,
    is_chinese,
)
from greenroom.paging import Listing
from greenroom.verifications.tables import Bar, Review, Verification, VerificationDocument

REJECTED: Any = literal_column("'REJECTED'")
WERE_APPROVED = (
    VerificationStatus.APPROVED,
    VerificationStatus.SUPERSEDED,
    VerificationStatus.EXPIRED,
    VerificationStatus.REVOKED,
)
REFUSED = (VerificationStatus.REJECTED, VerificationStatus.REVOKED)
# What was handed in and not withdrawn; a superseded one has its successor beside it.
COUNTED = (VerificationStatus.SUBMITTED, VerificationStatus.APPROVED, *REFUSED, VerificationStatus.EXPIRED)


def case_of(account: Record, nationality: str, location: BroadcastLocation, policy: Policy) -> Case:
    """Return what the decision table asks about one appearance. `account`: its kind and nationality."""
    return Case(
        AccountKind(account["kind"]),
        is_chinese(account["nationality"], regions=policy.regions),
        is_chinese(nationality, regions=policy.regions),
        location,
    )


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
    return tuple(
        Finding(
            FindingCode(f["code"]),
            RequirementKind(f["requirement"]),
            f["message"],
            DocumentKind(f["document_kind"]) if f.get("document_kind") else None,
        )
        for f in found
    )


# What this person did before, by their row or by the marks of name and e-mail: a strike or a bar follows the person,
# not a row that can be made anew (X10, A15). Colleagues may share a mailbox: of another row only refusals count, and
# an approval ends the strikes of a row or a name, not of an address.
FINAL_CODES = [code.value for code, reason in REASONS.items() if reason.is_final]
PAST = Read(
    text("""
    WITH own AS (
        SELECT v.*, v.anchor_id = :anchor_id AS is_this_row,
            v.path = :path AND v.status = 'REJECTED' AS is_rejected,
            v.path = :path AND v.status = 'SUBMITTED' AND v.anchor_id = :anchor_id AS is_waiting,
            v.submitted_at > coalesce(a.unlocked_at, '-infinity') AS is_counted
        FROM verifications v JOIN anchors a ON a.account_id = v.account_id AND a.id = :anchor_id
        WHERE v.account_id = :account_id AND v.status NOT IN ('DRAFT', 'CANCELED')
          AND (v.anchor_id = :anchor_id OR v.name_fingerprint = :name OR v.email_fingerprint = :email
               OR v.passport_fingerprint = ANY (:passports))
    )
    SELECT
        count(*) FILTER (WHERE is_counted AND (
            is_rejected OR (is_this_row AND path = :path AND status <> 'SUBMITTED')  -- which this one replaces
        ))::int AS attempts,
        count(*) FILTER (WHERE is_rejected AND submitted_at > coalesce(
            (SELECT max(submitted_at) FROM own WHERE path = :path
             AND (is_this_row OR name_fingerprint = :name OR passport_fingerprint = ANY (:passports))
             AND status = ANY (:were_approved)), '-infinity'
        ))::int AS strikes,
        count(*) FILTER (WHERE (is_rejected AND NOT is_retryable) OR status IN ('REJECTED', 'REVOKED') AND EXISTS (
            SELECT FROM reviews f, jsonb_array_elements(f.findings) found
            WHERE f.account_id = own.account_id AND f.verification_id = own.id AND found ->> 'code' = ANY (:final_codes)
        ))::int AS finals,
        (SELECT count(*)::int FROM verifications r
         WHERE r.account_id = :account_id AND r.status = 'REJECTED' AND r.decided_at > greatest(:since, (
            SELECT max(u.unlocked_at) FROM anchors u WHERE u.account_id = :account_id
         ))) AS account_rejections,
        (array_agg(id) FILTER (WHERE is_waiting))[1] AS waiting,
        max(queued_at) FILTER (WHERE is_waiting) AS queued_at,
        EXISTS (SELECT FROM verifications y WHERE y.account_id = :account_id AND y.anchor_id = :anchor_id
                AND y.is_under_age) AS was_under_age,
        EXISTS (SELECT FROM bars WHERE mark = ANY (:passports)) OR EXISTS (
            SELECT FROM verifications s JOIN bars ON mark = s.passport_fingerprint
            WHERE s.account_id = :account_id AND s.anchor_id = :anchor_id AND (s.status <> 'CANCELED' OR NOT EXISTS (
                SELECT FROM verifications later
                WHERE later.account_id = s.account_id AND later.anchor_id = s.anchor_id AND later.path = s.path
                  AND later.status = ANY (:were_approved) AND later.decided_at > s.submitted_at
            ))
        ) AS is_barred
    FROM own
    """).bindparams(
        bindparam("account_id", type_=Uuid()),
        bindparam("anchor_id", type_=Uuid()),
        bindparam("name", type_=LargeBinary()),
        bindparam("email", type_=LargeBinary()),
        bindparam("passports", type_=ARRAY(LargeBinary())),
        bindparam("path", type_=Text()),
        bindparam("since", type_=INSTANT),
        bindparam("final_codes", FINAL_CODES, type_=ARRAY(Text())),
        bindparam("were_approved", [status.value for status in WERE_APPROVED], type_=ARRAY(Text())),
    )
)


SEALED_COLUMNS = ("legal_name", "email", "date_of_birth", "passport_number", "passport_issuer")
newest = (
    select(Review)
    .where(col(Review.account_id) == Verification.account_id, col(Review.verification_id) == Verification.id)
    .order_by(col(Review.id).desc())
    .limit(1)
    .lateral("newest")
)
SHOWN = (
    *(c for c in table(Verification).c if c.name not in SEALED_COLUMNS and not c.name.endswith("_fingerprint")),
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


def handed_in(anchor: Any, *also: Any) -> Any:
    """For each anchor every attempt that can count or speaks against the person: A15 keeps them few.

    Which of them counts is for the law alone to say.
    """
    speaks = or_(col(Verification.status).in_(literals(COUNTED)), col(Verification.is_under_age).is_(true()), *also)
    return attempts(anchor).where(
        col(Verification.account_id) == anchor.c.account_id, col(Verification.anchor_id) == anchor.c.id, speaks
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
        col(other.passport_fingerprint) == col(mine.passport_fingerprint),
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
    later = aliased(Verification)
    was_settled = exists().where(
        col(later.account_id) == Verification.account_id,
        col(later.anchor_id) == Verification.anchor_id,
        col(later.path) == Verification.path,
        col(later.status).in_(literals(WERE_APPROVED)),
        col(later.decided_at) > Verification.submitted_at,
    )
    # A bar holds for whoever ever showed the passport: nobody gets rid of it by withdrawing what they showed, unless
    # a reviewer saw another one since and approved. `PAST` says the same of whoever hands in.
    is_barred = and_(
        exists().where(col(Bar.mark) == Verification.passport_fingerprint),
        or_(col(Verification.status) != literal_column("'CANCELED'"), ~was_settled),
    )
    parts = []
    for source, is_other in ((handed_in(anchors, is_barred), False), (refused_elsewhere(anchors), True)):
        rows = source.add_columns(is_barred.label("is_barred")).correlate(anchors).lateral()
        asked = (anchors.c.id.label("of_anchor_id"), anchors.c.unlocked_at, literal(is_other).label("is_other"))
        ceiling = case((rows.c.status == REJECTED, account_rejections(anchors)), else_=0).label("account_rejections")
        parts.append(select_columns(*rows.c, *asked, ceiling).select_from(anchors.join(rows, true())))
    return union_all(*parts)


def account_rejections(anchors: Any) -> Any:
    """How many attempts of an account were rejected in the days that its ceiling looks back (X10).

    A lead who unlocks one of its anchors has looked at the account: what was rejected before counts no more.
    """
    counted, unlocked = aliased(Verification), aliased(Anchor)
    unlocked_at = (
        select(func.max(unlocked.unlocked_at))
        .where(col(unlocked.account_id) == anchors.c.account_id)
        .correlate(anchors)
        .scalar_subquery()
    )
    return (
        select(func.count())
        .where(
            col(counted.account_id) == anchors.c.account_id,
            col(counted.status) == REJECTED,
            col(counted.decided_at) > func.greatest(bindparam("since", type_=INSTANT), unlocked_at),
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
# The table is the reviews', which know this slice: by its text alone.
CLAIMED = Read(
    text("SELECT FROM review_tasks WHERE account_id = :account_id AND id = :id AND claim_expires_at > :now").bindparams(
        bindparam("account_id", type_=Uuid()), bindparam("id", type_=Uuid()), bindparam("now", type_=INSTANT)
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
SHOWN_OF_PHOTO = ("id", "kind", "status", "byte_size", "findings")
ATTACHED = Read(
    select(VerificationDocument)
    .add_columns(*(table(Document).c[n] for n in (*SHOWN_OF_PHOTO, "zone", "is_zone_certain")))
    .join(
        Document,
        and_(
            col(Document.account_id) == VerificationDocument.account_id,
            col(Document.id) == VerificationDocument.document_id,
        ),
    )
    .where(
        col(VerificationDocument.account_id) == bindparam("account_id"),
        col(VerificationDocument.verification_id) == any_(bindparam("verification_ids", type_=IDS)),
    )
    .order_by(col(VerificationDocument.document_id))
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
    select_columns(
        col(Verification.id), col(Verification.anchor_id), *(table(Verification).c[n] for n in SEALED_COLUMNS)
    )
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
