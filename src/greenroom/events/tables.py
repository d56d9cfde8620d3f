"""Event rows: ids and codes only, never a person's data."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from greenroom.columns import CODES, INSTANT, code


class ActorKind(StrEnum):
    """On whose side the actor stood."""

    OWNER = "OWNER"  # acted for the account
    STAFF = "STAFF"  # the platform's people: accounts see that it was staff, not who
    SERVICE = "SERVICE"  # the media server, the provider, a job


class EventHead(SQLModel, table=True):
    """How far an account's log has come. Its row lock is what puts commits in one order."""

    __tablename__ = "event_heads"
    account_id: UUID = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    hash: bytes


class Event(SQLModel, table=True):
    """One thing that happened under an account, in the account's own order. Append-only, hash-chained."""

    __tablename__ = "events"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["event_heads.account_id"], name="events_of_head"),
        Index(
            "events_reads_of_anchor",
            "account_id",
            "anchor_id",
            text("seq DESC"),
            postgresql_where=text("purpose IS NOT NULL"),
        ),
        Index("events_by_instant", "occurred_at", "account_id", "seq"),
    )
    account_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    action: str = Field(max_length=60)
    subject_type: str = Field(max_length=40)  # a GraphQL type, so that a reader can fetch it
    subject_id: UUID
    anchor_id: UUID | None = None  # whom it concerns, where it is one person
    actor: str = Field(max_length=255)
    actor_kind: ActorKind = Field(sa_type=code(ActorKind, "actor_kind"))
    purpose: str | None = Field(default=None, max_length=500)  # why staff read something (X5)
    occurred_at: datetime = Field(sa_type=INSTANT)
    detail: dict[str, Any] = Field(sa_type=CODES)
    hash: bytes
