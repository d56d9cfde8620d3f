"""Lapses: what a worker does as time passes: approvals that ended are marked, and who has rooms ahead is warned before.

Each step asks the rows what is still to do, under the anchor's lock: several workers at once, or one that is killed
anywhere, do nothing twice. A turn that is late changes no answer of the gate, which reads ends for itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Integer, Uuid, and_, bindparam, literal_column, or_, tuple_
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from greenroom import inforce
from greenroom.access import Key
from greenroom.columns import INSTANT, table
from greenroom.db import NOBODY, Busy, Database, Read, Record, Scope, Transaction
from greenroom.law.attempts import WARNED_DAYS, Attempt, warning_due
from greenroom.law.policies import Policy
from greenroom.law.terms import VerificationPath, VerificationStatus
from greenroom.rooms.tables import CastMember, LiveRoom
from greenroom.verifications.lapses import expire, warn
from greenroom.verifications.tables import Verification

LAPSING = Scope(reading="lapsing")
AT_ONCE = 500
SEEN = (  # of an attempt: what its end depends on, and what was said of it
    "account_id",
    "id",
    "anchor_id",
    "path",
    "status",
    "submitted_at",
    "decided_at",
    "ends_at",
    "warned_days",
)
FIRST = UUID(int=2**128 - 1)  # no room's id lies beyond: what starts at this very instant is not ahead


@dataclass(frozen=True, slots=True)
class Lapses:
    """What the work needs; `now` tells the present, `at_once` how many rows one look takes."""

    db: Database
    now: Callable[[], datetime]
    at_once: int = AT_ONCE

    async def turn(self) -> None:
        """Do all that is due now."""
        await self.expire()
        await self.warn()

    async def expire(self) -> int:
        """Mark every approval whose documents have ended; returns how many. Stops where a look leads to nothing."""
        expired, done = 0, 1
        while done:
            done = 0
            for row in await self.db.rows(ENDED, LAPSING, now=self.now(), at_once=self.at_once):
                key = Key(row["account_id"], row["id"])
                done += await self._in_turn(key, partial(expire, key=key, now=self.now()))
            expired += done
        return expired

    async def warn(self) -> int:
        """Warn of what ends in 30 or 7 days for somebody in the cast of a room ahead; returns of how many."""
        policy = inforce.of((await self.db.rows(inforce.IN_FORCE, NOBODY))[0]).policy
        warned, start, room = 0, self.now(), FIRST
        while rows := await self._nearing(start, room, policy=policy):
            for anchor in self._due(rows, policy=policy):
                warned += await self._in_turn(anchor, partial(self._warn, anchor=anchor))
            start, room = rows[-1]["scheduled_start_at"], rows[-1]["room_id"]
        return warned

    async def _nearing(self, start: datetime, room: UUID, *, policy: Policy) -> list[Record]:
        """Return some rooms beyond this one, each with what of its cast may end soon, if anything."""
        return await self.db.rows(
            NEARING,
            LAPSING,
            start=start,
            room=room,
            until=self.now() + timedelta(days=max(WARNED_DAYS)),
            is_refreshed=policy.freshness_months is not None,
            at_once=self.at_once,
        )

    def _due(self, rows: Sequence[Record], *, policy: Policy) -> list[Key]:
        """Return the anchors of these rows that have something to be warned of, as far as one look can tell."""
        now, found = self.now(), dict[Key, None]()
        for row in rows:
            if row["id"] and warning_due(seen(row), policy=policy, now=now, warned_days=row["warned_days"]):
                found[Key(row["account_id"], row["anchor_id"])] = None
        return list(found)

    async def _warn(self, tx: Transaction, anchor: Key) -> int:
        """Warn, if a room is still ahead: it may have been canceled since the look."""
        now = self.now()
        if not await tx.rows(AHEAD, account_id=anchor.account_id, anchor_id=anchor.id, now=now):
            return 0
        return await warn(tx, anchor, now=now)

    async def _in_turn(self, key: Key, verb: Callable[[Transaction], Awaitable[int]]) -> int:
        """Run a verb in a transaction of its own; what others hold for too long is left to the next turn."""
        try:
            async with self.db.transaction(Scope(key.account_id)) as tx:
                return await verb(tx)
        except Busy:
            return 0


def seen(row: Record) -> Attempt:
    """Return an attempt as far as its end depends on it."""
    return Attempt(
        id=row["id"],
        path=VerificationPath(row["path"]),
        status=VerificationStatus(row["status"]),
        submitted_at=row["submitted_at"],
        decided_at=row["decided_at"],
        ends_at=row["ends_at"],
    )


ENDED = Read(
    select_columns(col(Verification.account_id), col(Verification.id))
    .where(literal_column("status = 'APPROVED'"), col(Verification.ends_at) <= bindparam("now", type_=INSTANT))
    .order_by(col(Verification.ends_at))
    .limit(bindparam("at_once", type_=Integer()))
)
IS_SCHEDULED: Any = literal_column("live_rooms.status = 'SCHEDULED'")
rooms = (
    select_columns(table(LiveRoom).c.account_id, table(LiveRoom).c.id, table(LiveRoom).c.scheduled_start_at)
    .where(
        IS_SCHEDULED,
        tuple_(col(LiveRoom.scheduled_start_at), col(LiveRoom.id))
        > tuple_(bindparam("start", type_=INSTANT), bindparam("room", type_=Uuid())),
    )
    .order_by(col(LiveRoom.scheduled_start_at), col(LiveRoom.id))
    .limit(bindparam("at_once", type_=Integer()))
    .cte("rooms")
)
NEARING = Read(
    select_columns(rooms.c.id.label("room_id"), rooms.c.scheduled_start_at)
    .add_columns(*(table(Verification).c[name] for name in SEEN))
    .outerjoin(
        CastMember, and_(col(CastMember.account_id) == rooms.c.account_id, col(CastMember.room_id) == rooms.c.id)
    )
    .outerjoin(
        Verification,
        and_(
            col(Verification.account_id) == CastMember.account_id,
            col(Verification.anchor_id) == CastMember.anchor_id,
            literal_column("verifications.status IN ('SUBMITTED', 'APPROVED')"),
            or_(
                col(Verification.ends_at) <= bindparam("until", type_=INSTANT),
                bindparam("is_refreshed", type_=Boolean()),
            ),
        ),
    )
    .order_by(rooms.c.scheduled_start_at, rooms.c.id)
)
AHEAD = Read(
    select(col(LiveRoom.id))
    .join(CastMember, and_(col(CastMember.account_id) == LiveRoom.account_id, col(CastMember.room_id) == LiveRoom.id))
    .where(
        col(CastMember.account_id) == bindparam("account_id"),
        col(CastMember.anchor_id) == bindparam("anchor_id"),
        IS_SCHEDULED,
        col(LiveRoom.scheduled_start_at) > bindparam("now", type_=INSTANT),
    )
    .limit(1)
)
