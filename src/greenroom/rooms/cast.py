"""The cast of a room: who is picked, where they stand, and what an edit does to what they confirmed (A9, A10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from greenroom.access import Key
from greenroom.anchors.actions import NewAnchor, drawn, locked
from greenroom.anchors.tables import Anchor
from greenroom.db import Transaction
from greenroom.errors import CAST_REPEATS, CAST_TOO_LARGE, NotFound, Path, Problem, invalid
from greenroom.events.actions import Entry
from greenroom.law.confirmation import confirmation_after
from greenroom.law.terms import BroadcastLocation
from greenroom.rooms.tables import CastMember, LiveRoom

CAST_SIZE_MAX = 20


@dataclass(frozen=True, slots=True)
class Pick:
    """A place in a cast, as asked for: who, and where they will stand."""

    anchor: Key | NewAnchor
    location: BroadcastLocation


def member(room: LiveRoom, anchor: Anchor, location: BroadcastLocation, *, position: int, now: datetime) -> CastMember:
    """Return a new member of a room's cast, and remember on the anchor that and where they were picked."""
    anchor.last_used_at, anchor.last_location = now, location
    return CastMember(
        account_id=room.account_id,
        room_id=room.id,
        anchor_id=anchor.id,
        position=position,
        location=location,
        confirmed_at=now,
    )


async def picked(
    tx: Transaction, account_id: UUID, picks: Sequence[Pick], *, already: frozenset[UUID], now: datetime
) -> tuple[list[Anchor], list[Problem]]:
    """Return the anchors of a cast, locked, in its order; new ones are added to the roster.

    Another account's anchor does not exist. A forgotten one is not offered any more, but stays where it is `already`.
    """
    if len(picks) > CAST_SIZE_MAX:
        return [], [invalid(("input", "cast"), CAST_TOO_LARGE, most=CAST_SIZE_MAX, given=len(picks))]
    ids = [p.anchor.id for p in picks if isinstance(p.anchor, Key) and p.anchor.account_id == account_id]
    known = await locked(tx, account_id, ids) if ids else {}
    anchors, problems, seen = list[Anchor](), list[Problem](), set[UUID]()
    for index, pick in enumerate(picks):
        at = ("input", "cast", str(index), "anchor")
        found, wrong = taken(pick.anchor, known, account_id=account_id, already=already, at=at, now=now)
        problems += wrong
        if found is None:
            continue
        if found.id in seen:
            problems.append(invalid((*at, "id"), CAST_REPEATS))
        seen.add(found.id)
        anchors.append(found)
    if not problems:
        tx.add_all(anchors)
    return anchors, problems


def taken(
    asked: Key | NewAnchor,
    known: Mapping[UUID, Anchor],
    *,
    account_id: UUID,
    already: frozenset[UUID],
    at: Path,
    now: datetime,
) -> tuple[Anchor | None, list[Problem]]:
    """Return the anchor of one pick, if there is one to pick, with what is wrong with it."""
    if isinstance(asked, NewAnchor):
        return drawn(account_id, uuid7(), asked, at=(*at, "new"), now=now)
    found = known.get(asked.id) if asked.account_id == account_id else None
    if found is None or (found.forgotten_at is not None and found.id not in already):
        return None, [NotFound((*at, "id"))]
    return found, []


def newly_added(picks: Sequence[Pick], anchors: Sequence[Anchor]) -> list[Entry]:
    """Return what the log says of the anchors that a cast added to the roster."""
    together = zip(picks, anchors, strict=True)
    return [("ANCHOR_CREATED", anchor, {}) for pick, anchor in together if isinstance(pick.anchor, NewAnchor)]


async def recast(
    tx: Transaction,
    room: LiveRoom,
    members: Mapping[UUID, CastMember],
    picks: Sequence[Pick],
    anchors: Sequence[Anchor],
    *,
    start_changed: bool,
    now: datetime,
) -> bool:
    """Bring the cast to what was asked: members are matched by anchor and keep their ids (A10).

    Says whether a broadcast that runs must pass the gate again: someone joined or moved, or nobody is left (A17).
    """
    await dismiss(tx, [m for m in members.values() if m.anchor_id not in {a.id for a in anchors}])
    needs_gate, joining = not anchors, list[CastMember]()
    for position, (pick, anchor) in enumerate(zip(picks, anchors, strict=True)):
        if (kept := members.get(anchor.id)) is None:
            joining.append(member(room, anchor, pick.location, position=position, now=now))
            needs_gate = True
            continue
        place_changed = kept.location is not pick.location
        kept.confirmed_at = confirmation_after(
            kept.confirmed_at,
            is_new=False,
            place_changed=place_changed,
            start_changed=start_changed,
            cast_is_stated=True,
            now=now,
        )
        kept.location, kept.position = pick.location, position
        if place_changed:
            anchor.last_location, needs_gate = pick.location, True
    await tx.flush()  # a new anchor before the member that names it
    tx.add_all(joining)
    return needs_gate


async def dismiss(tx: Transaction, members: Sequence[CastMember]) -> None:
    """Take members out of a cast."""
    if members:
        await tx.exec(
            delete(CastMember)
            .where(col(CastMember.account_id) == members[0].account_id, col(CastMember.id).in_([m.id for m in members]))
            .execution_options(synchronize_session=False)
        )


async def members_of(tx: Transaction, room: LiveRoom) -> Sequence[CastMember]:
    """Return a room's members; the room's lock keeps them as they are."""
    found = await tx.exec(
        select(CastMember).where(CastMember.account_id == room.account_id, CastMember.room_id == room.id)
    )
    return found.all()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A member confirmed again, and where they stand."""

    member: Key
    location: BroadcastLocation
