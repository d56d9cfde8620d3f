"""Idempotency: a retried mutation does its work once and answers from what the first one made."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Index, column, delete, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, select

from greenroom.columns import INSTANT
from greenroom.db import Database, Scope, Transaction
from greenroom.errors import KEY_LENGTH, IdempotencyMismatch, Refused, invalid
from greenroom.sealing import Pepper

KEPT = timedelta(hours=24)
FORGOTTEN_AT_ONCE = 5_000
LAPSED = Scope(reading="lapsed_keys")
KEY_LENGTH_MAX = 255


class IdempotencyKey(SQLModel, table=True):
    """A key that a caller sent, and the id of what it made: never its secrets, never a refusal."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_by_age", "created_at"),)
    account_id: UUID = Field(primary_key=True)
    actor: str = Field(primary_key=True, max_length=255)
    key: str = Field(primary_key=True, max_length=KEY_LENGTH_MAX)
    digest: bytes  # of the verb and its input
    result_id: UUID
    created_at: datetime = Field(sa_type=INSTANT)


async def claim(
    tx: Transaction,
    key: str,
    *,
    account_id: UUID,
    actor: str,
    asked: Any,
    result_id: UUID,
    pepper: Pepper,
    now: datetime,
) -> UUID | Refused | None:
    """Claim the key for this verb: None means go on; an id means that it was done before, with this result.

    Of many that come at once the first holds the key until it commits; the others wait, then replay. A refusal rolls
    the claim back with the rest. `asked` is the verb with its whole input, as JSON; its digest is keyed, since names
    and addresses that it holds could be guessed from a plain one, long after they were erased.
    """
    if not 1 <= len(key) <= KEY_LENGTH_MAX or "\x00" in key:
        return Refused.of(invalid(("input", "idempotencyKey"), KEY_LENGTH, most=KEY_LENGTH_MAX))
    digest = pepper.digest(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))
    fresh = insert(IdempotencyKey).values(
        account_id=account_id, actor=actor, key=key, digest=digest, result_id=result_id, created_at=now
    )
    lapsed = col(IdempotencyKey.created_at) <= now - KEPT
    taken: Any = fresh.on_conflict_do_update(
        index_elements=["account_id", "actor", "key"],
        set_={"digest": digest, "result_id": result_id, "created_at": now},
        where=lapsed,
    ).returning(column("key"))
    if (await tx.exec(taken)).one_or_none():
        return None
    earlier = (
        await tx.exec(
            select(IdempotencyKey).where(
                IdempotencyKey.account_id == account_id, IdempotencyKey.actor == actor, IdempotencyKey.key == key
            )
        )
    ).one()
    if earlier.digest != digest:
        return Refused.of(IdempotencyMismatch(("input", "idempotencyKey")))
    return earlier.result_id


async def forget_lapsed(db: Database, *, now: datetime) -> int:
    """Delete the keys of all accounts that no retry can meet any more, a few thousand a transaction; returns how many.

    Raises Hindered.
    """
    own = (col(IdempotencyKey.account_id), col(IdempotencyKey.actor), col(IdempotencyKey.key))
    lapsed = (
        select(*own)
        .where(col(IdempotencyKey.created_at) <= now - KEPT)
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    lapse = delete(IdempotencyKey).where(tuple_(*own).in_(lapsed)).execution_options(synchronize_session=False)
    forgotten: int = 0
    while True:
        async with db.transaction(LAPSED) as tx:
            done: Any = await tx.exec(lapse)
        forgotten += int(done.rowcount)
        if done.rowcount < FORGOTTEN_AT_ONCE:
            return forgotten
