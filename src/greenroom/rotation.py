"""Rotation: every anchor's data key wrapped anew under the newest master key, batch by batch, while others serve."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, LargeBinary, Text, Uuid, bindparam, func, text, tuple_
from sqlmodel import col, select

from greenroom.anchors.tables import AnchorKey
from greenroom.db import Database, Read, Record, Scope
from greenroom.sealing import KeyWrapping, SealingError, context_of

ROTATION: Final = Scope(reading="key_rotation")
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class NotRewrapped:
    """One key that could not be unwrapped, and why; the others go on."""

    anchor_id: UUID
    reason: SealingError


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What one batch did: how many keys it wrapped anew, and those that do not open."""

    done: int
    failed: tuple[NotRewrapped, ...]


async def waiting(db: Database, *, keys: KeyWrapping) -> int:
    """Return how many data keys are not under the newest master key."""
    found: int = (await db.rows(WAITING, ROTATION, current=keys.current_id))[0]["waiting"]
    return found


async def rewrap(db: Database, *, keys: KeyWrapping) -> AsyncIterator[Rewrapped]:
    """Wrap anew what is not under the newest master key; each batch is a transaction, so a kill costs one at most.

    Goes on until a pass finds nothing to wrap: others may have wrapped under an older key while it ran. A key that is
    erased or changed meanwhile is left as it is then; one that does not open is told in each pass.
    """
    done = 1
    while done:
        done, beyond = 0, (UUID(int=0), UUID(int=0))
        while rows := await db.rows(BEHIND, ROTATION, current=keys.current_id, account=beyond[0], anchor=beyond[1]):
            beyond = (rows[-1]["account_id"], rows[-1]["anchor_id"])
            yield (batch := await write(db, rows, keys=keys))
            done += batch.done


async def write(db: Database, rows: list[Record], *, keys: KeyWrapping) -> Rewrapped:
    """Wrap one batch anew and write it down; a key that does not open is left, and told."""
    new, failed = list[tuple[UUID, UUID, str, str, bytes]](), list[NotRewrapped]()
    for row in rows:
        account_id, anchor_id, was = row["account_id"], row["anchor_id"], row["master_key_id"]
        context = context_of(account_id, anchor_id)
        try:
            data_key = await keys.unwrap(was, row["wrapped"], context=context)
        except SealingError as reason:
            failed.append(NotRewrapped(anchor_id, reason))
            continue
        new.append((account_id, anchor_id, was, *await keys.wrap(data_key, context=context)))
    columns = zip(*new, strict=True) if new else ((),) * 5
    values = dict(zip(("accounts", "anchors", "was", "ids", "wrapped"), map(list, columns), strict=True))
    async with db.transaction(ROTATION) as tx:
        done = await tx.rows(WRITE, **values)
    return Rewrapped(len(done), tuple(failed))


PLACE = tuple_(col(AnchorKey.account_id), col(AnchorKey.anchor_id))
WAITING = Read(select(func.count().label("waiting")).where(col(AnchorKey.master_key_id) != bindparam("current")))
BEHIND = Read(
    select(AnchorKey)
    .where(
        col(AnchorKey.master_key_id) != bindparam("current"),
        tuple_(bindparam("account", type_=Uuid()), bindparam("anchor", type_=Uuid())) < PLACE,
    )
    .order_by(col(AnchorKey.account_id), col(AnchorKey.anchor_id))
    .limit(BATCH)
)
# Held against what was read: a key that was erased or rotated meanwhile is not brought back.
WRITE = Read(
    text("""
    UPDATE anchor_keys AS k SET master_key_id = n.id, wrapped = n.wrapped
    FROM unnest(:accounts, :anchors, :was, :ids, :wrapped) AS n(account_id, anchor_id, was, id, wrapped)
    WHERE k.account_id = n.account_id AND k.anchor_id = n.anchor_id AND k.master_key_id = n.was
    RETURNING k.anchor_id
    """).bindparams(
        bindparam("accounts", type_=ARRAY(Uuid())),
        bindparam("anchors", type_=ARRAY(Uuid())),
        bindparam("was", type_=ARRAY(Text())),
        bindparam("ids", type_=ARRAY(Text())),
        bindparam("wrapped", type_=ARRAY(LargeBinary())),
    )
)
