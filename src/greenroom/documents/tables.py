"""Document rows: what is known of a photo. Its bytes rest sealed in the store, never here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from greenroom.columns import CODES, INSTANT, code
from greenroom.law.terms import DocumentKind, DocumentStatus


class Document(SQLModel, table=True):
    """One photo of an anchor's document: a place for its bytes first, then the bytes, then what the checks found."""

    __tablename__ = "documents"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "anchor_id"], ["anchors.account_id", "anchors.id"], name="documents_of_anchor"
        ),
        CheckConstraint("(status = 'STAGED') = (uploaded_at IS NULL)", name="staged_until_uploaded"),
        CheckConstraint("status NOT IN ('CHECKING', 'READY') OR object_id IS NOT NULL", name="uploaded_has_object"),
        CheckConstraint("(zone IS NULL) = (is_zone_certain IS NULL)", name="zone_certain_or_not"),
        Index(
            "documents_not_handed_in",
            "account_id",
            "anchor_id",
            text("id DESC"),
            postgresql_where=text("handed_in_at IS NULL"),
        ),
        Index("documents_of_batch", "account_id", "batch_id"),
        Index("documents_rejected", "account_id", postgresql_where=text("rejected_at IS NOT NULL")),
        Index("documents_to_clear", "expires_at", postgresql_where=text("handed_in_at IS NULL")),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    anchor_id: UUID
    batch_id: UUID  # of the mutation that reserved its place: what a repeated one finds
    kind: DocumentKind = Field(sa_type=code(DocumentKind, "document_kind"))
    status: DocumentStatus = Field(default=DocumentStatus.STAGED, sa_type=code(DocumentStatus, "document_status"))
    byte_size: int  # as announced until it is READY, then of the bytes that are kept
    sha256: bytes  # as announced
    object_id: UUID | None = None  # names its bytes in the store
    likeness: bytes | None = None  # to know the image again (likeness.py)
    zone: bytes | None = None  # sealed, as read from it (zones.py); stays once handed in, shown to staff alone then
    is_zone_certain: bool | None = None
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_type=CODES)  # what warns, or why it FAILED
    created_at: datetime = Field(sa_type=INSTANT)
    uploaded_at: datetime | None = Field(default=None, sa_type=INSTANT)
    checked_at: datetime | None = Field(default=None, sa_type=INSTANT)
    handed_in_at: datetime | None = Field(default=None, sa_type=INSTANT)
    rejected_at: datetime | None = Field(default=None, sa_type=INSTANT)  # the same image is not taken again
    expires_at: datetime = Field(sa_type=INSTANT)  # when it is cleared away unless it was handed in
