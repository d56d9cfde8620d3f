"""What can be done with the policy in force: another pack or launch, and what that would change."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, literal_column, tuple_
from sqlmodel import col, select

from greenroom.access import PLATFORM, Actor, Permission, need
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import IDS
from greenroom.columns import INSTANT
from greenroom.db import Database, Read, Record, Scope, Transaction
from greenroom.errors import LAUNCH_PUBLICITY, POLICY_UNKNOWN, Problem, Refused, Stale, invalid
from greenroom.events.actions import Subject, record
from greenroom.inforce import PolicyInForce
from greenroom.law.policies import ACCOUNT_REJECTIONS_WINDOW, PACKS, InForce
from greenroom.law.terms import LiveRoomStatus
from greenroom.rooms.gate import Verdict, by_anchor, cast, judge, planned
from greenroom.rooms.tables import CastMember, LiveRoom
from greenroom.verifications.reads import gate_candidates

PREVIEW = Scope(reading="policy_preview")
ROOMS_MAX = 10_000
BATCH = 500
ACTIVATED = "ADMISSION_POLICY_ACTIVATED"


async def activate_policy(
    tx: Transaction, *, name: str, launch_at: datetime | None, expected_version: int, by: Actor, now: datetime
) -> int | Refused:
    """Put a pack in force and set or clear its launch (A2). Returns the revision; the same again changes nothing."""
    if refused := need(by, Permission.ADMINISTER):
        return refused
    row = (await tx.exec(select(PolicyInForce).with_for_update())).one()
    if expected_version != row.revision:
        return Refused.of(Stale(("input", "expectedVersion"), current_version=row.revision))
    if problem := wrong(name, launch_at):
        return Refused.of(problem)
    if (row.name, row.launch_at) == (name, launch_at):
        return row.revision
    row.name, row.launch_at, row.revision, row.changed_at = name, launch_at, row.revision + 1, now
    about, launch = Subject("AdmissionPolicy", PLATFORM, UUID(int=row.revision)), launch_at and launch_at.isoformat()
    await record(tx, ACTIVATED, about, by=by, now=now, name=name, launch_at=launch, revision=row.revision)
    return row.revision


def wrong(name: str, launch_at: datetime | None) -> Problem | None:
    """Say what is wrong with a pack and a launch."""
    pack = PACKS.get(name)
    if pack is None:
        return invalid(("input", "name"), POLICY_UNKNOWN, known=", ".join(PACKS))
    if launch_at and pack.publicity_until and launch_at < pack.publicity_until:
        return invalid(("input", "launchAt"), LAUNCH_PUBLICITY)
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """One room whose answer another policy changes."""

    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class Preview:
    """What another policy would change, over the rooms looked at; changes in the order of the rooms."""

    changes: Sequence[Change]
    newly_admitted: int
    newly_refused: int
    rooms_counted: int


async def preview_policy(db: Database, *, before: InForce, after: InForce, now: datetime) -> Preview:
    """Ask both policies about every room ahead or on air, soonest first: at its start, or now if that is past."""
    changes, counted = list[Change](), 0
    async for rooms in rooms_ahead(db):
        counted += len(rooms)
        for was, becomes in await answers(db, rooms, (before, after), now=now):
            if was.is_admitted is not becomes.is_admitted:
                changes.append(Change(was, becomes))
        await asyncio.sleep(0)  # ten thousand answers are seconds of law: others get their turn
    admitted = sum(change.after.is_admitted for change in changes)
    return Preview(changes, admitted, len(changes) - admitted, counted)


async def rooms_ahead(db: Database) -> AsyncIterator[list[Record]]:
    """Yield the rooms that a policy can still change, in batches, soonest first, up to a bound."""
    found = list(await db.rows(AHEAD, PREVIEW))
    left = ROOMS_MAX
    while found:
        yield found
        left -= len(found)
        if left <= 0:
            return
        last = found[-1]
        found = list(await db.rows(AHEAD_BEYOND, PREVIEW, start=last["scheduled_start_at"], room=last["id"]))


async def answers(
    db: Database, rooms: Sequence[Record], policies: tuple[InForce, InForce], *, now: datetime
) -> list[tuple[Verdict, Verdict]]:
    """Ask both policies about a batch of rooms, in three statements."""
    accounts = {
        a["account_id"]: a for a in await db.rows(ACCOUNTS, PREVIEW, ids=list({r["account_id"] for r in rooms}))
    }
    members: dict[UUID, list[Record]] = {}
    for m in await db.rows(CASTS, PREVIEW, room_ids=[r["id"] for r in rooms]):
        members.setdefault(m["room_id"], []).append(m)
    anchors = [m["id"] for found in members.values() for m in found]
    since = now - ACCOUNT_REJECTIONS_WINDOW
    attempts = by_anchor(await db.rows(CANDIDATES, PREVIEW, anchor_ids=anchors, since=since))
    before, after = policies

    def answer(room: Record, policy: InForce) -> Verdict:
        account, cast = accounts[room["account_id"]], members.get(room["id"], [])
        return judge(room, account, cast, attempts, in_force=policy, now=instant(room, now))

    return [(answer(room, before), answer(room, after)) for room in rooms]


def instant(room: Record, now: datetime) -> datetime:
    """Return when a room is asked about: a scheduled one at its start, a live one now."""
    return now if room["status"] == LiveRoomStatus.LIVE else max(planned(room), now)


def ahead() -> Any:
    """Rooms scheduled or live, in the order of their start."""
    return (
        select(LiveRoom)
        .where(literal_column("status IN ('SCHEDULED', 'LIVE')"))
        .order_by(col(LiveRoom.scheduled_start_at), col(LiveRoom.id))
        .limit(BATCH)
    )


AHEAD = Read(ahead())
AHEAD_BEYOND = Read(
    ahead().where(
        tuple_(col(LiveRoom.scheduled_start_at), col(LiveRoom.id))
        > tuple_(
            bindparam("start", type_=INSTANT),
            bindparam("room", type_=Uuid()),
        )
    )
)
ACCOUNTS = Read(select(Account).where(col(Account.account_id) == any_(bindparam("ids", type_=IDS))))
CASTS = Read(cast(of_account=False).order_by(col(CastMember.position)))
CANDIDATES = Read(gate_candidates(of_account=False))
