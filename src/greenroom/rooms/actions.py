"""What can be done with a room. Each verb locks, asks the law, writes, records one event.

Locks, always in this order: the room, the anchors of its cast by id, the account, the policy, the log's head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Uuid, bindparam, update
from sqlmodel import col
from uuid_utils.compat import uuid7

from greenroom.access import Actor, Key, acts_for, own
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import locked
from greenroom.anchors.tables import Anchor
from greenroom.db import Read, Transaction
from greenroom.errors import (
    CANNOT_CANCEL,
    CANNOT_END,
    CANNOT_GO_LIVE,
    CANNOT_RENEW,
    CAST_REPEATS,
    CAST_TOO_LARGE,
    CUT,
    JOIN_REFUSED,
    ROOM_OVER,
    START_FAR,
    START_FIXED,
    START_PAST,
    InsteadOf,
    InvalidState,
    NotAdmitted,
    NotFound,
    Path,
    Problem,
    Refused,
    Required,
    Stale,
    invalid,
)
from greenroom.events.actions import Subject, digest, record, record_each
from greenroom.inforce import in_force
from greenroom.law.admission import LiveEffect
from greenroom.law.evidence import freeze
from greenroom.law.policies import ACCOUNT_REJECTIONS_WINDOW
from greenroom.law.terms import EndReason, LiveRoomStatus
from greenroom.rooms.cast import CAST_SIZE_MAX, Confirmation, Pick, member, members_of, newly_added, picked, recast
from greenroom.rooms.gate import CAST, CAST_LOCKED, Verdict, by_anchor, judge
from greenroom.rooms.reads import ACCOUNT, ACCOUNT_LOCKED, NEWEST_RECORD
from greenroom.rooms.tables import AdmissionRecord, CastMember, LiveRoom
from greenroom.text import one_line
from greenroom.verifications.reads import GATE_CANDIDATES

TITLE_LENGTH_MAX = 120
AHEAD_MAX = timedelta(days=366)
ROOM, TITLE, START = ("input", "liveRoomId"), ("input", "title"), ("input", "scheduledStartAt")
MEMBERS_AT = ("input", "members")
LIVE, ENDED, CANCELED = LiveRoomStatus.LIVE, LiveRoomStatus.ENDED, LiveRoomStatus.CANCELED


Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Went:
    """A room on air: the law's answer, and the record that a ticket names."""

    verdict: Verdict
    record_id: UUID


async def create_room(
    tx: Transaction,
    account_id: UUID,
    *,
    id: UUID,
    title: str,
    scheduled_start_at: datetime,
    picks: Sequence[Pick],
    by: Actor,
    now: datetime,
) -> UUID | Refused:
    """Create a room with its cast; picking an anchor with a place confirms them for it (A9). Returns its id."""
    if await tx.get(Account, account_id) is None:
        return Refused.of(NotFound(("input", "accountId")))
    title, problems = one_line(title, at=TITLE, most=TITLE_LENGTH_MAX)
    problems += start_problems(scheduled_start_at, now)
    anchors, of_cast = await picked(tx, account_id, picks, already=frozenset(), now=now)
    if problems := [*problems, *of_cast]:
        return Refused(tuple(problems))
    room = LiveRoom(account_id=account_id, id=id, title=title, scheduled_start_at=scheduled_start_at, created_at=now)
    places = enumerate(zip(picks, anchors, strict=True))
    members = [member(room, anchor, pick.location, position=position, now=now) for position, (pick, anchor) in places]
    tx.add(room)
    await tx.flush()  # room and anchors before the members that name them
    tx.add_all(members)
    created = ("LIVE_ROOM_CREATED", room, {"cast": [str(a.id) for a in anchors]})
    await record_each(tx, [*newly_added(picks, anchors), created], by=by, now=now)
    return id


def start_problems(start: datetime, now: datetime) -> list[Problem]:
    """Say what is wrong with a planned start."""
    if start < now:
        return [invalid(START, START_PAST)]
    return [invalid(START, START_FAR, days=AHEAD_MAX.days)] if start > now + AHEAD_MAX else []


async def update_room(
    tx: Transaction,
    key: Key,
    *,
    title: str | None,
    scheduled_start_at: datetime | None,
    picks: Sequence[Pick] | None,
    expected_version: int | None,
    by: Actor,
    now: datetime,
    clock: Clock,
) -> UUID | Refused:
    """Change title, start or cast; what is None stays. What it undoes of confirmations is A10.

    While live the start stands, and a cast that someone joins passes the gate as a start does (A17).
    """
    room = await open_room(tx, key, expected_version=expected_version, unless=ROOM_OVER)
    if isinstance(room, Refused):
        return room
    new_title, problems = (room.title, []) if title is None else one_line(title, at=TITLE, most=TITLE_LENGTH_MAX)
    start = scheduled_start_at or room.scheduled_start_at
    if start_changed := start != room.scheduled_start_at:
        problems += [invalid(START, START_FIXED)] if room.status is LIVE else start_problems(start, now)
    members = {m.anchor_id: m for m in await members_of(tx, room)}
    anchors, of_cast = await picked(tx, room.account_id, picks or (), already=frozenset(members), now=now)
    if problems := [*problems, *of_cast]:
        return Refused(tuple(problems))
    if picks is None and (new_title, start) == (room.title, room.scheduled_start_at):
        return room.id
    room.title, room.scheduled_start_at, room.version = new_title, start, room.version + 1
    needs_gate = False
    if picks is not None:
        needs_gate = await recast(tx, room, members, picks, anchors, start_changed=start_changed, now=now)
    elif start_changed:
        for m in members.values():
            m.confirmed_at = None
    verdict = await ask(tx, room, clock=clock, at=("input", "cast")) if room.status is LIVE and needs_gate else None
    if isinstance(verdict, Refused):
        return verdict
    cast = [str(a.id) for a in anchors] if picks is not None else None
    changed = ("LIVE_ROOM_CHANGED", room, {"is_start_changed": start_changed, "cast": cast})
    await record_each(tx, [*newly_added(picks or (), anchors), changed], by=by, now=now)
    if verdict and anchors:  # nobody joins a cast that is emptied
        await admit_on_record(tx, verdict, "LIVE_ROOM_JOINED", by=by)
    return room.id


async def confirm_cast(
    tx: Transaction,
    key: Key,
    *,
    confirmations: Sequence[Confirmation],
    expected_version: int | None,
    by: Actor,
    now: datetime,
    clock: Clock,
) -> UUID | Refused:
    """Confirm members again after start or place changed (A10), several at once.

    Who moves while live passes the gate of their new place (A17).
    """
    room = await open_room(tx, key, expected_version=expected_version, unless=ROOM_OVER)
    if isinstance(room, Refused):
        return room
    if not confirmations:
        return Refused.of(Required(MEMBERS_AT))
    if len(confirmations) > CAST_SIZE_MAX:
        return Refused.of(invalid(MEMBERS_AT, CAST_TOO_LARGE, most=CAST_SIZE_MAX, given=len(confirmations)))
    members = {m.id: m for m in await members_of(tx, room)}
    known = await locked(tx, room.account_id, [m.anchor_id for m in members.values()])
    problems, seen, has_moved = list[Problem](), set[UUID](), False
    for index, asked in enumerate(confirmations):
        at = (*MEMBERS_AT, str(index), "castMemberId")
        found = members.get(asked.member.id) if asked.member.account_id == room.account_id else None
        if found is None or found.id in seen:
            problems.append(invalid(at, CAST_REPEATS) if found else NotFound(at))
            continue
        seen.add(found.id)
        has_moved |= found.location is not asked.location
        found.location, found.confirmed_at = asked.location, now
        known[found.anchor_id].last_location = asked.location
    if problems:
        return Refused(tuple(problems))
    room.version += 1
    verdict = await ask(tx, room, clock=clock, at=MEMBERS_AT) if room.status is LIVE and has_moved else None
    if isinstance(verdict, Refused):
        return verdict
    await record(tx, "CAST_CONFIRMED", room, by=by, now=now, members=[str(c.member.id) for c in confirmations])
    if verdict:
        await admit_on_record(tx, verdict, "LIVE_ROOM_JOINED", by=by)
    return room.id


async def cancel_room(
    tx: Transaction, key: Key, *, expected_version: int | None, by: Actor, now: datetime
) -> UUID | Refused:
    """Withdraw a room that has not begun."""
    room = await open_room(tx, key, expected_version=expected_version, unless=CANNOT_CANCEL)
    if isinstance(room, Refused):
        return room
    room.status, room.version = CANCELED, room.version + 1
    await record(tx, "LIVE_ROOM_CANCELED", room, by=by, now=now)
    return room.id


async def go_live(
    tx: Transaction, key: Key, *, expected_version: int | None, by: Actor, clock: Clock
) -> Went | Refused:
    """Put a room on air if the law admits its cast, and freeze the answer. Of many at once, one succeeds (R32, A28)."""
    room = await open_room(tx, key, expected_version=expected_version, unless=CANNOT_GO_LIVE)
    if isinstance(room, Refused):
        return room
    verdict = await ask(tx, room, clock=clock, at=ROOM)
    if isinstance(verdict, Refused):
        return verdict
    room.status, room.started_at, room.version = LIVE, verdict.now, room.version + 1
    return Went(verdict, await admit_on_record(tx, verdict, "LIVE_ROOM_STARTED", by=by))


async def ask(tx: Transaction, room: LiveRoom, *, clock: Clock, at: Path) -> Verdict | Refused:
    """Ask the law whether the room may start, or be joined, now."""
    verdict = await judged(tx, room, CAST_LOCKED, ACCOUNT_LOCKED, clock=clock)
    if verdict.is_admitted:
        return verdict
    if room.status is LIVE:
        return Refused.of(NotAdmitted(at, verdict=verdict, sentence=JOIN_REFUSED))
    return Refused.of(NotAdmitted(at, verdict=verdict))


async def judged(tx: Transaction, room: LiveRoom, cast: Read, account: Read, *, clock: Clock) -> Verdict:
    """Ask the law. `CAST_LOCKED` locks everyone in the cast, so that a decision about one of them waits its turn."""
    members = await tx.rows(cast, account_id=room.account_id, room_ids=[room.id])
    (owner,) = await tx.rows(account, account_id=room.account_id)
    policy = await in_force(tx, is_held=account is ACCOUNT_LOCKED)
    now = clock()  # once all is locked: what was waited for may have passed a launch (R31)
    since = now - ACCOUNT_REJECTIONS_WINDOW
    ids = [m["id"] for m in members]
    attempts = by_anchor(await tx.rows(GATE_CANDIDATES, account_id=room.account_id, anchor_ids=ids, since=since))
    airs_at = room.started_at or now
    return judge(room.model_dump(), owner, members, attempts, in_force=policy, now=now, airs_at=airs_at)


async def admit_on_record(tx: Transaction, verdict: Verdict, action: str, *, by: Actor) -> UUID:
    """Freeze the answer (X4): the event vouches for the record by its digest, and the chain for both.

    Each anchor remembers when and where they were on air: the order and the offer of the next picker.
    """
    place = {"account_id": verdict.room["account_id"], "room_id": verdict.room["id"]}
    await tx.rows(STAMP, **place, now=verdict.now)
    evidence = freeze(verdict.question, in_force=verdict.in_force, now=verdict.now)
    record_id, room = uuid7(), verdict.room
    about = Subject("LiveRoom", room["account_id"], room["id"])
    link = await record(tx, action, about, by=by, now=verdict.now, record=str(record_id), digest=digest(evidence))
    tx.add(
        AdmissionRecord(
            account_id=room["account_id"],
            id=record_id,
            room_id=room["id"],
            admitted_at=verdict.now,
            evidence=evidence,
            event_seq=link.seq,
            chain_hash=link.hash,
        )
    )
    return record_id


async def renew_ticket(tx: Transaction, key: Key, *, now: datetime) -> UUID | Refused:
    """Return the record that the next ticket names, unless the law ends the broadcast (A14).

    Locks nothing, as it changes nothing: a decision just behind it shows at the next ticket, in minutes.
    """
    room = await open_room(tx, key, expected_version=None, unless=CANNOT_RENEW, lock=False)
    if isinstance(room, Refused):
        return room
    verdict = await judged(tx, room, CAST, ACCOUNT, clock=lambda: now)
    if verdict.live_effect is LiveEffect.CUT:
        return Refused.of(NotAdmitted(ROOM, verdict=verdict, sentence=CUT))
    record_id: UUID = (await tx.rows(NEWEST_RECORD, account_id=room.account_id, room_id=room.id))[0]["id"]
    return record_id


async def end_room(
    tx: Transaction, key: Key, *, expected_version: int | None, by: Actor, now: datetime
) -> UUID | Refused:
    """End a broadcast: its owner, the media server or staff."""
    room = await open_room(tx, key, expected_version=expected_version, unless=CANNOT_END)
    if isinstance(room, Refused):
        return room
    room.status, room.ended_at, room.version = ENDED, now, room.version + 1
    room.end_reason = None if acts_for(by, room.account_id) else EndReason.STAFF
    reason = room.end_reason.value if room.end_reason else None
    await record(tx, "LIVE_ROOM_ENDED", room, by=by, now=now, reason=reason)
    return room.id


async def open_room(
    tx: Transaction, key: Key, *, expected_version: int | None, unless: InsteadOf, lock: bool = True
) -> LiveRoom | Refused:
    """Return a room, locked, if it stands as the caller believes and in no state that the verb refuses."""
    room = await own(tx, LiveRoom, key, at=ROOM, lock=lock)
    if isinstance(room, Refused):
        return room
    if sentence := unless.get(room.status):
        return Refused.of(InvalidState(ROOM, sentence=sentence))
    if expected_version not in (None, room.version):
        return Refused.of(Stale(("input", "expectedVersion"), current_version=room.version))
    return room


STAMP = Read(
    update(Anchor)
    .values(last_used_at=bindparam("now"), last_appeared_at=bindparam("now"), last_location=CastMember.location)
    .where(
        col(CastMember.account_id) == bindparam("account_id", type_=Uuid()),
        col(CastMember.room_id) == bindparam("room_id", type_=Uuid()),
        col(Anchor.account_id) == CastMember.account_id,
        col(Anchor.id) == CastMember.anchor_id,
    )
)
