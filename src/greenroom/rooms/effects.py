"""Effects: what a refusal does to broadcasts that are running: flagged, or ended (A14, R39)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, literal_column, or_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import col

from greenroom.access import Key, own
from greenroom.db import Busy, Database, Read, Scope, Transaction
from greenroom.documents.actions import SERVICE
from greenroom.events.actions import record
from greenroom.jobs import Job
from greenroom.law.admission import LiveEffect
from greenroom.law.terms import EndReason, LiveRoomStatus
from greenroom.rooms.actions import ROOM, judged
from greenroom.rooms.gate import CAST_LOCKED
from greenroom.rooms.reads import ACCOUNT_LOCKED
from greenroom.rooms.tables import CastMember, LiveRoom
from greenroom.verifications.tables import Verification

SETTLE = Job("settle_broadcasts")
EVERYWHERE = Scope(reading="review")


@dataclass(frozen=True, slots=True)
class Effects:
    """What the work needs; `clock` tells the present."""

    db: Database
    clock: Callable[[], datetime]

    async def settle(self, what: Mapping[str, Any]) -> None:
        """Ask the gate about each broadcast that an attempt's refusal may concern: `{account_id, verification_id}`.

        Of the account, and where the passport is known of every account. Doing it twice changes nothing more. One that
        others hold keeps no other waiting: all are tried, then Busy is raised, so that it is done again.
        """
        values = {"account_id": UUID(what["account_id"]), "id": UUID(what["verification_id"])}
        held: Busy | None = None
        for room in await self.db.rows(ON_AIR, EVERYWHERE, **values):
            try:
                async with self.db.transaction(Scope(room["account_id"])) as tx:
                    await settle_broadcast(tx, Key(room["account_id"], room["id"]), clock=self.clock)
            except Busy as busy:
                held = busy
        if held:
            raise held


async def settle_broadcast(tx: Transaction, key: Key, *, clock: Callable[[], datetime]) -> None:
    """Flag or end a broadcast as the law says now; one that is over by now, or in order, is left alone."""
    room = await own(tx, LiveRoom, key, at=ROOM, lock=True)
    if not isinstance(room, LiveRoom) or room.status is not LiveRoomStatus.LIVE:
        return
    verdict = await judged(tx, room, CAST_LOCKED, ACCOUNT_LOCKED, clock=clock)
    effect = verdict.live_effect
    if effect is LiveEffect.NONE or (effect is LiveEffect.FLAG and room.is_flagged):
        return
    room.is_flagged, room.version = True, room.version + 1
    codes = sorted({blocker.code.value for blocker in (*verdict.blockers, *verdict.would_block)})
    if effect is LiveEffect.CUT:
        room.status, room.ended_at, room.end_reason = LiveRoomStatus.ENDED, verdict.now, EndReason.REJECTION
        reason = EndReason.REJECTION.value
        await record(tx, "LIVE_ROOM_ENDED", room, by=SERVICE, now=verdict.now, reason=reason, blockers=codes)
    else:
        await record(tx, "LIVE_ROOM_FLAGGED", room, by=SERVICE, now=verdict.now, blockers=codes)


def on_air() -> Any:
    """The broadcasts with somebody in the cast who is, by a mark, the person of an attempt (X10)."""
    refused, other = aliased(Verification), aliased(Verification)
    in_account = or_(
        col(other.anchor_id) == refused.anchor_id,
        col(other.name_fingerprint) == refused.name_fingerprint,
        col(other.email_fingerprint) == refused.email_fingerprint,
    )
    is_same = or_(
        and_(col(other.account_id) == refused.account_id, in_account),
        col(other.passport_fingerprint) == refused.passport_fingerprint,
    )
    return (
        select_columns(col(LiveRoom.account_id), col(LiveRoom.id))
        .where(
            col(refused.account_id) == bindparam("account_id"),
            col(refused.id) == bindparam("id"),
            is_same,
            col(CastMember.account_id) == other.account_id,
            col(CastMember.anchor_id) == other.anchor_id,
            col(LiveRoom.account_id) == CastMember.account_id,
            col(LiveRoom.id) == CastMember.room_id,
            col(LiveRoom.status) == literal_column("'LIVE'"),
        )
        .distinct()
    )


ON_AIR = Read(on_air())
