"""Writing the log, the last thing that a verb does; and proving that nobody rewrote it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    LargeBinary,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    column,
    exists,
    func,
    insert,
    literal,
    update,
)
from sqlalchemy import select as select_columns
from sqlalchemy import table as lightweight
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import SQLModel, col, select

from greenroom.access import PLATFORM, STAFF, Actor, Permission, acts_for
from greenroom.columns import CODES, INSTANT, table
from greenroom.db import Database, Read, Record, Scope, Transaction
from greenroom.events.tables import ActorKind, Event, EventHead
from greenroom.law.evidence import canonical

GENESIS = bytes(32)  # what the first event of a chain is linked to


@dataclass(frozen=True, slots=True)
class Link:
    """Where an event stands in its account's chain."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about: its GraphQL type, so that a reader can fetch it, its key, and the person concerned."""

    kind: str
    account_id: UUID
    id: UUID
    anchor_id: UUID | None = None

    @classmethod
    def of(cls, row: SQLModel) -> "Subject":
        """Return the subject that a row is: tables are called as their GraphQL types are."""
        kind, held = type(row).__name__, row.model_dump(include={"account_id", "id", "anchor_id"})
        id = held.get("id", held["account_id"])
        return cls(kind, held["account_id"], id, id if kind == "Anchor" else held.get("anchor_id"))


Entry = tuple[str, SQLModel, Mapping[str, Any]]
"""An action, the row that it is about, and the event's detail: codes, ids and instants."""


async def record(
    tx: Transaction,
    action: str,
    about: Subject | SQLModel,
    *,
    by: Actor,
    now: datetime,
    purpose: str | None = None,
    **detail: Any,
) -> Link:
    """Append one event in the verb's own transaction, in one statement: both are there, or neither.

    `detail` holds codes, ids and instants only. Holds the account's head until commit, so it comes last.
    """
    values = told(action, about, by=by, now=now, purpose=purpose, detail=detail)
    tx.recorded.add(values["account_id"])
    await tx.flush()
    said = body(values)
    first = upsert(EventHead).values(account_id=values["account_id"], seq=1, hash=sha256(GENESIS + said).digest())
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
    seq, link_hash = (await tx.exec(statement)).one()
    return Link(seq, link_hash)


async def record_each(tx: Transaction, entries: Sequence[Entry], *, by: Actor, now: datetime) -> None:
    """Append events of one account in this order, in two statements whatever their number; a lone one in one."""
    if len(entries) == 1:
        action, about, detail = entries[0]
        await record(tx, action, about, by=by, now=now, **detail)
        return
    events = [told(action, about, by=by, now=now, detail=detail) for action, about, detail in entries]
    await tx.flush()
    account_id = events[0]["account_id"]
    tx.recorded.add(account_id)
    first = upsert(EventHead).values(account_id=account_id, seq=0, hash=GENESIS)
    held: Any = first.on_conflict_do_update(index_elements=["account_id"], set_={"seq": EventHead.seq}).returning(
        col(EventHead.seq), col(EventHead.hash)
    )
    seq, last = (await tx.exec(held)).one()
    for event in events:
        seq, last = seq + 1, sha256(last + body(event)).digest()
        event |= {"seq": seq, "hash": last}
    moved = update(EventHead).where(col(EventHead.account_id) == account_id).values(seq=seq, hash=last).cte("moved")
    statement: Any = insert(Event).values(events).add_cte(moved)
    await tx.exec(statement)


def told(
    action: str,
    about: Subject | SQLModel,
    *,
    by: Actor,
    now: datetime,
    purpose: str | None = None,
    detail: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the columns of an event, without its place in the chain."""
    subject = about if isinstance(about, Subject) else Subject.of(about)
    return {
        "account_id": subject.account_id,
        "action": action,
        "subject_type": subject.kind,
        "subject_id": subject.id,
        "anchor_id": subject.anchor_id,
        "actor": by.subject,
        "actor_kind": kind_of(by, subject.account_id),
        "purpose": purpose,
        "occurred_at": now,
        "detail": dict(detail),
    }


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
    .where(col(Event.account_id) == bindparam("account_id"))
    .where(col(Event.seq).between(bindparam("since"), bindparam("upto")))
    .order_by(col(Event.seq))
    .limit(BATCH)
)


async def verify_chains(db: Database) -> AsyncIterator[Broken | Unbroken]:
    """Walk every account's chain from its first event; yields one answer per account."""
    beyond = PLATFORM
    heads = [*await db.rows(HEAD_OF, AUDIT, account_id=PLATFORM), *await db.rows(HEADS, AUDIT, beyond=beyond)]
    while heads:
        for head in heads:
            yield await verify_chain(db, head)
        beyond = heads[-1]["account_id"]
        heads = await db.rows(HEADS, AUDIT, beyond=beyond)


async def verify_chain_of(db: Database, account_id: UUID) -> Broken | Unbroken | None:
    """Prove one account's chain; None where nothing was ever recorded under this id."""
    heads = await db.rows(HEAD_OF, AUDIT, account_id=account_id)
    return await verify_chain(db, heads[0]) if heads else None


HEAD_OF = Read(select(EventHead).where(col(EventHead.account_id) == bindparam("account_id")))


async def verify_chain(db: Database, head: Record) -> Broken | Unbroken:
    """Recompute one account's chain with the admission records that it vouches for, and hold it against its head."""
    account_id, last, seq = head["account_id"], GENESIS, 0
    while found := await db.rows(CHAIN, AUDIT, account_id=account_id, since=seq + 1, upto=head["seq"]):
        whole, why = linked(found, after=seq, last=last)
        if flawed := await unvouched(db, account_id, whole):
            return flawed
        if why:
            return Broken(account_id, seq + len(whole) + 1, why)
        seq, last = whole[-1]["seq"], whole[-1]["hash"]
    if (head["seq"], head["hash"]) != (seq, last):
        return Broken(account_id, seq + 1, "the log ends before its head")
    if beyond := await db.rows(BEYOND_HEAD, AUDIT, account_id=account_id):
        return Broken(account_id, beyond[0]["seq"], "the log goes on after its head")
    if strays := await db.rows(STRAYS, AUDIT, account_id=account_id):
        return Broken(account_id, strays[0]["event_seq"], "no event vouches for an admission record")
    return Unbroken(account_id, seq)


def linked(events: Sequence[Any], *, after: int, last: bytes) -> tuple[list[Record], str | None]:
    """Return the events up to the first whose link does not hold, their details read, and why it does not."""
    whole = list[Record]()
    for seq, event in enumerate(events, start=after + 1):
        if event["seq"] != seq:
            return whole, "an event is missing"
        try:
            read = {**event, "detail": orjson.loads(event["detail"])}  # straight from asyncpg it is text
            last = sha256(last + body(read)).digest()
        except (ValueError, OverflowError):  # such a number or instant was never written by us
            return whole, "the event was changed"
        if event["hash"] != last:
            return whole, "the event was changed"
        whole.append(read)
    return whole, None


async def unvouched(db: Database, account_id: UUID, events: Sequence[Record]) -> Broken | None:
    """Return the first event whose admission record is missing or is not what it vouches for."""
    named = {UUID(event["detail"]["record"]): event for event in events if "record" in event["detail"]}
    rows = {r["id"]: r for r in await db.rows(VOUCHED, AUDIT, account_id=account_id, ids=list(named))} if named else {}
    for record_id, event in named.items():
        if record_id not in rows:
            return Broken(account_id, event["seq"], "an admission record is missing")
        if not vouches(event, rows[record_id]):
            return Broken(account_id, event["seq"], "an admission record was changed")
    return None


def vouches(event: Record, row: Record) -> bool:
    """Say whether an admission record is the one that its event was written with."""
    try:
        evidence = digest(orjson.loads(row["evidence"]))
    except (ValueError, TypeError):
        return False
    said = (evidence, row["room_id"], row["admitted_at"], row["event_seq"], row["chain_hash"])
    return said == (event["detail"]["digest"], event["subject_id"], event["occurred_at"], event["seq"], event["hash"])


# One statement sees one instant, and an event comes with its head: what lies beyond it then was never recorded.
BEYOND_HEAD = Read(
    select(Event.seq)
    .join(EventHead, col(EventHead.account_id) == col(Event.account_id))
    .where(col(Event.account_id) == bindparam("account_id"), col(Event.seq) > col(EventHead.seq))
    .order_by(col(Event.seq))
    .limit(1)
)

# Records are the rooms', a slice above: here they are columns that an event vouches for.
RECORDS = lightweight(
    "admission_records",
    *(column(name, Uuid()) for name in ("account_id", "id", "room_id")),
    column("admitted_at", INSTANT),
    column("evidence", CODES),
    column("event_seq", BigInteger()),
    column("chain_hash", LargeBinary()),
)
OF_ACCOUNT = select_columns(RECORDS).where(RECORDS.c.account_id == bindparam("account_id"))
VOUCHED = Read(OF_ACCOUNT.where(RECORDS.c.id == any_(bindparam("ids", type_=ARRAY(Uuid())))))
STRAYS = Read(
    OF_ACCOUNT.where(
        ~exists().where(
            col(Event.account_id) == RECORDS.c.account_id,
            col(Event.seq) == RECORDS.c.event_seq,
            col(Event.detail)["record"].astext == cast(RECORDS.c.id, Text),
        ),
    )
    .order_by(RECORDS.c.event_seq)
    .limit(1)
)


def may_see_who(actor: Actor) -> bool:
    """Staff see who of the staff acted; accounts see that it was staff."""
    return bool(actor.permissions & {Permission.AUDIT, Permission.ADMINISTER, Permission.REVIEW_LEAD})
