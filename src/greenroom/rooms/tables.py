"""Room rows. The account leads every key, so no row can point at another account's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from greenroom.columns import CODES, INSTANT, code
from greenroom.law.terms import BroadcastLocation, EndReason, LiveRoomStatus


class LiveRoom(SQLModel, table=True):
    """A broadcast that is planned, running or over."""

    __tablename__ = "live_rooms"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="live_rooms_of_account"),
        CheckConstraint("(status IN ('LIVE', 'ENDED')) = (started_at IS NOT NULL)", name="live_has_started"),
        CheckConstraint("(status = 'ENDED') = (ended_at IS NOT NULL)", name="ended_has_instant"),
        Index("live_rooms_by_status", "account_id", "status", text("id DESC")),
        Index("live_rooms_ahead", "scheduled_start_at", "id", postgresql_where=text("status IN ('SCHEDULED', 'LIVE')")),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    title: str = Field(max_length=120)
    status: LiveRoomStatus = Field(default=LiveRoomStatus.SCHEDULED, sa_type=code(LiveRoomStatus, "live_room_status"))
    scheduled_start_at: datetime = Field(sa_type=INSTANT)
    started_at: datetime | None = Field(default=None, sa_type=INSTANT)
    ended_at: datetime | None = Field(default=None, sa_type=INSTANT)
    end_reason: EndReason | None = Field(default=None, sa_type=code(EndReason, "end_reason"))
    is_flagged: bool = False
    version: int = 1
    created_at: datetime = Field(sa_type=INSTANT)


class CastMember(SQLModel, table=True):
    """One anchor's part in one room."""

    __tablename__ = "cast_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "room_id"], ["live_rooms.account_id", "live_rooms.id"], name="cast_members_of_room"
        ),
        ForeignKeyConstraint(
            ["account_id", "anchor_id"], ["anchors.account_id", "anchors.id"], name="cast_members_of_anchor"
        ),
        UniqueConstraint("account_id", "room_id", "anchor_id", name="cast_members_once"),
        Index("cast_members_by_anchor", "account_id", "anchor_id"),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    room_id: UUID
    anchor_id: UUID
    position: int
    location: BroadcastLocation = Field(sa_type=code(BroadcastLocation, "cast_location"))
    confirmed_at: datetime | None = Field(default=None, sa_type=INSTANT)


class AdmissionRecord(SQLModel, table=True):
    """The answer that was given when a broadcast started or was joined, frozen (X4). Append-only."""

    __tablename__ = "admission_records"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "room_id"], ["live_rooms.account_id", "live_rooms.id"], name="admission_records_of_room"
        ),
        Index("admission_records_by_room", "account_id", "room_id", "id"),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    room_id: UUID
    admitted_at: datetime = Field(sa_type=INSTANT)
    evidence: dict[str, Any] = Field(sa_type=CODES)  # all that the law was given, and what it answered
    event_seq: int = Field(sa_type=BigInteger)  # the event that carries this record's digest
    chain_hash: bytes  # of that event: covers this record and all that came before
