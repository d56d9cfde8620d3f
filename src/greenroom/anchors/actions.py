"""What can be done with an anchor: added, changed, forgotten; and what they agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from greenroom.access import Actor, Key, own
from greenroom.accounts.tables import Account
from greenroom.anchors.tables import Anchor, AnchorKey
from greenroom.db import Database, Read, Scope, Transaction
from greenroom.errors import (
    ANCHOR_FORGOTTEN,
    NOTICE_UNKNOWN,
    InvalidState,
    NotFound,
    Path,
    Problem,
    Refused,
    Stale,
    invalid,
)
from greenroom.events.actions import record
from greenroom.inforce import in_force
from greenroom.law.policies import Policy
from greenroom.law.terms import RequirementKind
from greenroom.sealing import KeyWrapping, context_of, new_data_key
from greenroom.text import country, folded, one_line

NAME_LENGTH_MAX = 80
IDS = ARRAY(Uuid())
KEY = Read(
    select(AnchorKey).where(
        col(AnchorKey.account_id) == bindparam("account_id"), col(AnchorKey.anchor_id) == bindparam("anchor_id")
    )
)
BY_IDS = Read(
    select(Anchor).where(
        col(Anchor.account_id) == bindparam("account_id"), col(Anchor.id) == any_(bindparam("ids", type_=IDS))
    )
)


@dataclass(frozen=True, slots=True)
class NewAnchor:
    """An anchor that the account does not know yet, as typed."""

    display_name: str
    nationality: str


def remembered(*, is_search: bool) -> SelectOfScalar[Anchor]:
    """The anchors that handed in under an account: this account's only, never forgotten ones (R25, R26)."""
    return roster(is_search=is_search).where(col(Anchor.remembered_at).is_not(None))


def roster(*, is_search: bool) -> SelectOfScalar[Anchor]:
    """Everyone whom an account offers."""
    found = select(Anchor).where(col(Anchor.account_id) == bindparam("account_id"), col(Anchor.forgotten_at).is_(None))
    return found.where(col(Anchor.search_name).like(bindparam("pattern"))) if is_search else found


async def create_anchor(
    tx: Transaction, account_id: UUID, *, id: UUID, new: NewAnchor, by: Actor, now: datetime
) -> UUID | Refused:
    """Add an anchor to the account's roster. Returns its id."""
    if await tx.get(Account, account_id) is None:
        return Refused.of(NotFound(("input", "accountId")))
    row, problems = drawn(account_id, id, new, at=("input", "anchor"), now=now)
    if problems:
        return Refused(tuple(problems))
    tx.add(row)
    await record(tx, "ANCHOR_CREATED", row, by=by, now=now)
    return id


def drawn(account_id: UUID, id: UUID, new: NewAnchor, *, at: Path, now: datetime) -> tuple[Anchor, list[Problem]]:
    """Return the row of a new anchor, not yet added, with what is wrong with it."""
    name, of_name = one_line(new.display_name, at=(*at, "displayName"), most=NAME_LENGTH_MAX)
    nationality, of_nationality = country(new.nationality, at=(*at, "nationality"))
    row = Anchor(
        account_id=account_id,
        id=id,
        display_name=name,
        search_name=folded(name),
        nationality=nationality,
        last_used_at=now,
        created_at=now,
    )
    return row, [*of_name, *of_nationality]


async def update_anchor(
    tx: Transaction,
    key: Key,
    *,
    display_name: str | None,
    nationality: str | None,
    expected_version: int | None,
    by: Actor,
    now: datetime,
) -> UUID | Refused:
    """Change what the account knows of an anchor.

    The path follows the nationality from now on; what was handed in for another nationality proves nothing any more.
    """
    row = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(row, Refused):
        return row
    if refused := stands(row, expected_version):
        return refused
    name, problems = row.display_name, list[Problem]()
    country_now = row.nationality
    if display_name is not None:
        name, problems = one_line(display_name, at=("input", "displayName"), most=NAME_LENGTH_MAX)
    if nationality is not None:
        country_now, of_nationality = country(nationality, at=("input", "nationality"))
        problems = [*problems, *of_nationality]
    if problems:
        return Refused(tuple(problems))
    if (name, country_now) == (row.display_name, row.nationality):
        return row.id
    has_moved = country_now != row.nationality
    row.display_name, row.search_name, row.nationality, row.version = name, folded(name), country_now, row.version + 1
    await record(tx, "ANCHOR_CHANGED", row, by=by, now=now, is_nationality_changed=has_moved)
    return row.id


def stands(row: Anchor, expected_version: int | None) -> Refused | None:
    """Return the refusal of a change to an anchor that was forgotten or changed meanwhile."""
    if row.forgotten_at is not None:
        return Refused.of(InvalidState(("input", "anchorId"), sentence=ANCHOR_FORGOTTEN))
    if expected_version not in (None, row.version):
        return Refused.of(Stale(("input", "expectedVersion"), current_version=row.version))
    return None


async def forget_anchor(tx: Transaction, account_id: UUID, key: Key, *, by: Actor, now: datetime) -> UUID | Refused:
    """Stop offering an anchor. Rooms that have them keep them, and past rooms their record. Doing it twice is fine."""
    if key.account_id != account_id:
        return Refused.of(NotFound(("input", "anchorId")))
    row = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(row, Refused):
        return row
    if row.forgotten_at is None:
        row.forgotten_at, row.version = now, row.version + 1
        await record(tx, "ANCHOR_FORGOTTEN", row, by=by, now=now)
    return row.id


async def give_consent(tx: Transaction, key: Key, *, notice_version: str, by: Actor, now: datetime) -> UUID | Refused:
    """Record that the anchor agreed to the privacy notice in force (X1). Once per version."""
    row = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(row, Refused):
        return row
    if refused := stands(row, None):
        return refused
    policy = (await in_force(tx)).policy
    had_agreed = has_agreed(row, policy)
    if problem := agree(row, notice_version, policy=policy, at=("input", "noticeVersion"), now=now):
        return Refused.of(problem)
    if not had_agreed:
        await record_consent(tx, row, by=by, now=now)
    return row.id


def agree(row: Anchor, version: str, *, policy: Policy, at: Path, now: datetime) -> Problem | None:
    """Put consent to this version on file, where it is not there yet."""
    if version != policy.notice_version:
        return invalid(at, NOTICE_UNKNOWN, requirement=RequirementKind.CONSENT, version=policy.notice_version)
    if not has_agreed(row, policy):
        row.consent_version, row.consented_at, row.consent_withdrawn_at = version, now, None
        row.version += 1
    return None


def has_agreed(row: Anchor, policy: Policy) -> bool:
    """Say whether consent to the notice in force is on file."""
    return row.consent_version == policy.notice_version and row.consent_withdrawn_at is None


async def record_consent(tx: Transaction, row: Anchor, *, by: Actor, now: datetime) -> None:
    """Leave the event of a consent that was just given."""
    await record(tx, "CONSENT_GIVEN", row, by=by, now=now, notice_version=row.consent_version)


async def data_key_of(tx: Transaction, anchor: Anchor, *, keys: KeyWrapping) -> bytes:
    """Return the key that an anchor's personal data is sealed under, made on first use; the anchor is locked."""
    context = context_of(anchor.account_id, anchor.id)
    row = await tx.get(AnchorKey, (anchor.account_id, anchor.id))
    if row is not None:
        return await keys.unwrap(row.master_key_id, row.wrapped, context=context)
    data_key = new_data_key()
    master_key_id, wrapped = await keys.wrap(data_key, context=context)
    tx.add(AnchorKey(account_id=anchor.account_id, anchor_id=anchor.id, master_key_id=master_key_id, wrapped=wrapped))
    return data_key


async def data_key_at(db: Database, account_id: UUID, anchor_id: UUID, *, keys: KeyWrapping) -> bytes | None:
    """Return an anchor's data key; None before the first use, and once it was erased."""
    for row in await db.rows(KEY, Scope(account_id), account_id=account_id, anchor_id=anchor_id):
        return await keys.unwrap(row["master_key_id"], row["wrapped"], context=context_of(account_id, anchor_id))
    return None


async def locked(tx: Transaction, account_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Anchor]:
    """Return these anchors of the account, locked in the one order that all lockers keep."""
    query = (
        select(Anchor)
        .where(Anchor.account_id == account_id, col(Anchor.id).in_(ids))
        .order_by(col(Anchor.id))
        .with_for_update(key_share=True)
    )
    return {row.id: row for row in await tx.exec(query)}
