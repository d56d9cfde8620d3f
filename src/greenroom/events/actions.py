"""Writing the log, the last thing that a verb does; and proving that nobody rewrote it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, bindparam, column, func, insert, literal, literal_column
from sqlalchemy import select as select_columns
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from greenroom.access import STAFF, Actor, Permission, acts_for
from greenroom.columns import table
from greenroom.db import Database, Read, Record, Scope, Transaction
from greenroom.events.tables import ActorKind, Event, EventHead
from greenroom.law.evidence import canonical

GENESIS = bytes(32)  # what the first event of a chain is linked to


@dataclass(frozen=True, slots=True)
class Link:
    """Where an event stands in its account's chain."""

    seq: int
    hash: bytes


async def record(
    tx: Transaction,
    action: str,
    subject_type: str,
    subject_id: UUID,
    *,
    account_id: UUID,
    by: Actor,
    now: datetime,
    anchor_id: UUID | None = None,
    purpose: str | None = None,
    **detail: Any,
) -> Link:
    """Append one event in the verb's own transaction, in one statement: both are there, or neither.

    `detail` holds codes, ids and instants only. Holds the account's head until commit, so it comes last.
    """
    values = {
        "account_id": account_id,
        "action": action,
        "subject_type": subject_type,
        "subject_id": subject_id,
        "anchor_id": anchor_id,
        "actor": by.subject,
        "actor_kind": kind_of(by, account_id),
        "purpose": purpose,
        "occurred_at": now,
        "detail": detail,
    }
    await tx.flush()
    said = body(values)
    first = upsert(EventHead).values(account_id=account_id, seq=1, hash=sha256(GENESIS + said).digest())
    head: Any = first.on_conflict_do_update(
        index_elements=["account_id"],
        set_={
            "seq": EventHead.seq + 1,
            "hash": func.sha256(col(EventHead.hash).op("||")(bindparam("said", said, LargeBinary))),
        },
    ).returning(col(EventHead.seq).label("seq"), col(EventHead.hash).label("hash"))
    link = head.cte("link")
    names = [*values, "seq", "hash"]
    columns = [literal(v, table(Event).c[n].type).label(n) for n, v in values.items()]
    statement: Any = (
        insert(Event)
        .from_select(names, select_columns(*columns, link.c.seq, link.c.hash).select_from(link))
        .returning(column("seq"), column("hash"))
    )
    seq, link_hash = (await tx.execute(statement)).one()
    return Link(seq, link_hash)


def kind_of(actor: Actor, account_id: UUID) -> ActorKind:
    """Say on whose side the actor stood."""
    if acts_for(actor, account_id):
        return ActorKind.OWNER
    return ActorKind.STAFF if actor.permissions & STAFF else ActorKind.SERVICE


def body(event: Record) -> bytes:
    """Return what an event's hash covers: all but its place in the chain, which the chain itself gives."""
    return canonical(
        {
            "account_id": str(event["account_id"]),
            "action": event["action"],
            "subject_type": event["subject_type"],
            "subject_id": str(event["subject_id"]),
            "anchor_id": str(event["anchor_id"]) if event["anchor_id"] else None,
            "actor": event["actor"],
            "actor_kind": str(event["actor_kind"]),
            "purpose": event["purpose"],
            "occurred_at": event["occurred_at"].astimezone(UTC).isoformat(timespec="microseconds"),
            "detail": event["detail"],
        }
    )


def digest(evidence: Mapping[str, Any]) -> str:
    """Return the digest by which an event vouches for an admission record."""
    return sha256(canonical(dict(evidence))).hexdigest()


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link of an account's chain that does not hold."""

    account_id: UUID
    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class Unbroken:
    """An account's chain, whole."""

    account_id: UUID
    events: int


AUDIT = Scope(reading="audit")
BATCH = 1000
HEADS = Read(
    select(EventHead)
    .where(col(EventHead.account_id) > bindparam("beyond"))
    .order_by(col(EventHead.account_id))
    .limit(BATCH)
)
CHAIN = Read(
    select(Event)
    .where(col(Event.account_id) == bindparam("account_id"), col(Event.seq) > bindparam("beyond"))
    .order_by(col(Event.seq))
    .limit(BATCH)
)


async def verify_chains(db: Database) -> AsyncIterator[Broken | Unbroken]:
    """Walk every account's chain from its first event; yields one answer per account."""
    beyond = UUID(int=0)
    heads = [*await db.rows(HEAD_OF_PLATFORM, AUDIT), *await db.rows(HEADS, AUDIT, beyond=beyond)]
    while heads:
        for head in heads:
            yield await verify_chain(db, head)
        beyond = heads[-1]["account_id"]
        heads = await db.rows(HEADS, AUDIT, beyond=beyond)


HEAD_OF_PLATFORM = Read(
    select(EventHead).where(col(EventHead.account_id) == literal_column("'" + str(UUID(int=0)) + "'::uuid"))
)


async def verify_chain(db: Database, head: Record) -> Broken | Unbroken:
    """Recompute one account's chain and hold it against its head."""
    account_id, last, seq = head["account_id"], GENESIS, 0
    while found := await db.rows(CHAIN, AUDIT, account_id=account_id, beyond=seq):
        for event in found:
            seq += 1
            if event["seq"] != seq:
                return Broken(account_id, seq, "an event is missing")
            last = sha256(last + body(event)).digest()
            if event["hash"] != last:
                return Broken(account_id, seq, "the event was changed")
    if (head["seq"], head["hash"]) != (seq, last):
        return Broken(account_id, seq + 1, "the log ends before its head")
    return Unbroken(account_id, seq)


def may_see_who(actor: Actor) -> bool:
    """Staff see who of the staff acted; accounts see that it was staff."""
    return bool(actor.permissions & {Permission.AUDIT, Permission.ADMINISTER, Permission.REVIEW_LEAD})
