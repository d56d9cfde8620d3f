"""The GraphQL face of rooms."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar
from uuid import UUID

import strawberry

from greenroom.access import STAFF, Key, acts_for
from greenroom.connections import CountedConnection, Edge, Ends, asks_for, read_page
from greenroom.context import Info
from greenroom.db import NOBODY, Record
from greenroom.graph import Node, batch_of, global_id, home, lacking, sight
from greenroom.law.admission import LiveEffect
from greenroom.law.terms import EndReason, LiveRoomStatus
from greenroom.rooms import reads
from greenroom.rooms.admission import CASTS, ROOMS, Admission, AdmissionRecord, CastMember, verdicts
from greenroom.rooms.admission import AdmissionRefused as AdmissionRefused  # where `graph.home` looks for it
from greenroom.scalars import Instant

if TYPE_CHECKING:
    from greenroom.accounts.api import Account

T = TypeVar("T")
ACCOUNTS = strawberry.lazy("greenroom.accounts.api")
MEMBERS = batch_of(reads.MEMBERS, "ids")
RECORDS = batch_of(reads.RECORDS, "room_ids", by="room_id", many=True)
RECORDS_BY_IDS = batch_of(reads.RECORDS_BY_IDS, "ids")

for words in (EndReason, LiveRoomStatus):
    strawberry.enum(words)


@strawberry.type
class LiveRoom(Node):
    """A broadcast that is planned, running or over."""

    end_reason: EndReason | None
    """Why it ended, if not by its owner."""
    ended_at: Instant | None
    """When it ended."""
    scheduled_start_at: Instant
    """Planned start."""
    started_at: Instant | None
    """When it went live."""
    status: LiveRoomStatus
    """State."""
    title: str
    """Title."""
    version: int
    """For optimistic locking."""
    row: strawberry.Private[Record]

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a client sees of a row."""
        return cls(
            id=global_id("LiveRoom", row["account_id"], row["id"]),
            end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
            ended_at=row["ended_at"],
            scheduled_start_at=row["scheduled_start_at"],
            started_at=row["started_at"],
            status=LiveRoomStatus(row["status"]),
            title=row["title"],
            version=row["version"],
            row=row,
        )

    @property
    def key(self) -> Key:
        """Where the room is."""
        return Key(self.row["account_id"], self.row["id"])

    @strawberry.field
    async def account(self, info: Info) -> Annotated["Account", ACCOUNTS]:
        """The owner."""
        self.seen(info)
        return await home("accounts").load(info, self.row["account_id"])

    def seen(self, info: Info) -> None:
        """Refuse what lies around a room to who ends broadcasts and reads nothing else. Raises GraphQLError."""
        if sight(info.context, self.key.account_id) == NOBODY:
            raise lacking(info, *sorted(STAFF))

    @strawberry.field
    def is_flagged(self, info: Info) -> bool:
        """A rejection came while it was live (A14)."""
        if self.row["is_flagged"] or self.status is not LiveRoomStatus.LIVE:
            return bool(self.row["is_flagged"])
        return self.judged(info, lambda verdict: verdict.live_effect is not LiveEffect.NONE)

    @strawberry.field
    def cast(self, info: Info) -> list[CastMember]:
        """Everyone on camera, at most 20."""
        self.seen(info)
        return info.context.loaded(CASTS, self.key, lambda rows: [CastMember.of(row) for row in rows])

    @strawberry.field
    def admission(self, info: Info) -> Admission:
        """Whether it may broadcast now, and why not."""
        return self.judged(info, Admission.of)

    @strawberry.field
    def viewer_can_go_live(self, info: Info) -> bool:
        """The viewer may start it now."""
        if self.status is not LiveRoomStatus.SCHEDULED or not acts_for(info.context.actor, self.key.account_id):
            return False
        return self.judged(info, lambda verdict: verdict.is_admitted)

    @strawberry.field
    async def admission_records(self, info: Info) -> list[AdmissionRecord]:
        """Its start and every later joining, oldest first."""
        self.seen(info)
        return [AdmissionRecord.of(row) for row in await info.context.loader(RECORDS).load(self.key)]

    def judged(self, info: Info, then: Callable[[Any], T]) -> T:
        """Return what follows from the law's answer, a Verdict, about this room."""
        self.seen(info)
        info.context.loader(ROOMS).prime(self.key, self.row)
        return info.context.loaded(verdicts, self.key, then)


@strawberry.type
class LiveRoomEdge(Edge[LiveRoom]):
    """One room of a page."""


@strawberry.type
class LiveRoomConnection(CountedConnection[LiveRoom, LiveRoomEdge]):
    """A page of rooms."""


ASK_THE_LAW = ("admission", "isFlagged", "requirement", "verification", "viewerCanGoLive")


async def rooms_page(info: Info, account_id: UUID, ends: Ends, status: LiveRoomStatus | None) -> LiveRoomConnection:
    """Answer a page of an account's rooms, newest first."""
    listing, values = reads.ROOMS, dict[str, Any]()
    if status is not None:
        listing, values = reads.ROOMS_IN, {"status": status.value}
    found = await read_page(info, listing, ends, sight(info.context, account_id), account_id=account_id, **values)
    for row in found.part.rows:
        info.context.loader(ROOMS).prime(Key(account_id, row["id"]), row)
    nodes = [LiveRoom.of(row) for row in found.part.rows]
    keys = [node.key for node in nodes]
    if asks_for(info, "cast", deep=True):  # at once for all, so that what stands below is there when it is asked for
        await info.context.loader(CASTS).load_many(keys)
    if asks_for(info, *ASK_THE_LAW, deep=True):
        await info.context.loader(verdicts).load_many(keys)
    return found.counted(LiveRoomConnection, LiveRoomEdge, nodes)


async def load(info: Info, key: Key) -> LiveRoom | None:
    """Return a room; None when absent or hidden."""
    row = await info.context.loader(ROOMS).load(key)
    return LiveRoom.of(row) if row else None


async def load_member(info: Info, key: Key) -> CastMember | None:
    """Return a cast member; None when absent or hidden."""
    member = await info.context.loader(MEMBERS).load(key)
    if member is None:
        return None
    cast = await info.context.loader(CASTS).load(Key(key.account_id, member["room_id"]))
    return next((CastMember.of(row) for row in cast if row["member_id"] == key.id), None)


async def load_record(info: Info, key: Key) -> AdmissionRecord | None:
    """Return an admission record; None when absent or hidden."""
    row = await info.context.loader(RECORDS_BY_IDS).load(key)
    return AdmissionRecord.of(row) if row else None
