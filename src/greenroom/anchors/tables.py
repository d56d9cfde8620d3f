"""Anchor rows, and the keys that their personal data is sealed under."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from greenroom.columns import INSTANT, SORTED, code
from greenroom.law.terms import BroadcastLocation


class Anchor(SQLModel, table=True):
    """A person who appears on camera, as one account knows them (R2, R22)."""

    __tablename__ = "anchors"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="anchors_of_account"),
        Index(
            "anchors_remembered",
            "account_id",
            text("last_used_at DESC"),
            text("id DESC"),
            postgresql_where=text("remembered_at IS NOT NULL AND forgotten_at IS NULL"),
        ),
        Index("anchors_by_name", "account_id", "search_name", "id", postgresql_where=text("forgotten_at IS NULL")),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    display_name: str = Field(max_length=80)
    search_name: str = Field(sa_type=SORTED)
    nationality: str = Field(max_length=3)
    consent_version: str | None = Field(default=None, max_length=40)
    consented_at: datetime | None = Field(default=None, sa_type=INSTANT)
    consent_withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT)
    remembered_at: datetime | None = Field(default=None, sa_type=INSTANT)  # first submission here (R25)
    last_used_at: datetime = Field(sa_type=INSTANT)
    last_appeared_at: datetime | None = Field(default=None, sa_type=INSTANT)
    last_location: BroadcastLocation | None = Field(default=None, sa_type=code(BroadcastLocation, "last_location"))
    unlocked_at: datetime | None = Field(default=None, sa_type=INSTANT)  # attempts before it no longer count (A15)
    forgotten_at: datetime | None = Field(default=None, sa_type=INSTANT)
    version: int = 1
    created_at: datetime = Field(sa_type=INSTANT)


class AnchorKey(SQLModel, table=True):
    """The data key of one anchor, wrapped. A table of its own: its backups can be kept shorter than the rest."""

    __tablename__ = "anchor_keys"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "anchor_id"], ["anchors.account_id", "anchors.id"], name="anchor_keys_of_anchor"
        ),
    )
    account_id: UUID = Field(primary_key=True)
    anchor_id: UUID = Field(primary_key=True)
    master_key_id: str = Field(max_length=80)
    wrapped: bytes
