"""Verification and review rows."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from greenroom.columns import CODES, INSTANT, code
from greenroom.law.terms import (
    BroadcastLocation,
    DataState,
    EntryPoint,
    ReviewDecision,
    VerificationPath,
    VerificationStatus,
)


class Verification(SQLModel, table=True):
    """One attempt by an anchor, along one path. A new attempt is a new row."""

    __tablename__ = "verifications"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "anchor_id"], ["anchors.account_id", "anchors.id"], name="verifications_of_anchor"
        ),
        CheckConstraint("status IN ('DRAFT', 'CANCELED') OR submitted_at IS NOT NULL", name="handed_in_has_instant"),
        CheckConstraint("(queued_at IS NULL) = (submitted_at IS NULL)", name="queued_when_handed_in"),
        CheckConstraint("status <> 'REJECTED' OR is_retryable IS NOT NULL", name="rejected_says_whether_again"),
        CheckConstraint(
            "path <> 'CONTACT' OR submitted_at IS NULL OR data_state = 'ERASED'"
            " OR (legal_name IS NOT NULL AND email IS NOT NULL)",
            name="contact_is_complete",
        ),
        CheckConstraint("warned_days IN (30, 7)", name="warned_at_known_days"),
        Index("verifications_newest", "account_id", "anchor_id", "path", text("submitted_at DESC"), text("id DESC")),
        Index(
            "verifications_one_awaiting_review",
            "account_id",
            "anchor_id",
            "path",
            unique=True,
            postgresql_where=text("status = 'SUBMITTED'"),
        ),
        Index(
            "verifications_one_approved",
            "account_id",
            "anchor_id",
            "path",
            unique=True,
            postgresql_where=text("status = 'APPROVED'"),
        ),
        Index("verifications_rejected", "account_id", "decided_at", postgresql_where=text("status = 'REJECTED'")),
        Index(
            "verifications_to_expire",
            "ends_at",
            postgresql_where=text("status = 'APPROVED' AND ends_at IS NOT NULL"),
        ),
        Index("verifications_by_email", "account_id", "email_fingerprint"),
        Index("verifications_by_name", "account_id", "name_fingerprint"),
        Index("verifications_by_passport", "account_id", "passport_fingerprint"),
        Index(
            "verifications_of_passport",
            "passport_fingerprint",
            postgresql_where=text("passport_fingerprint IS NOT NULL"),
        ),
        Index(
            "verifications_to_review",
            text("(CASE WHEN path = 'CONTACT' THEN 1 ELSE 0 END)"),
            "queued_at",
            "account_id",
            "id",
            postgresql_where=text("status = 'SUBMITTED'"),
        ),
        Index(
            "verifications_reviewed",
            text("decided_at DESC"),
            text("account_id DESC"),
            text("id DESC"),
            postgresql_where=text("decided_at IS NOT NULL"),
        ),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    anchor_id: UUID
    path: VerificationPath = Field(sa_type=code(VerificationPath, "verification_path"))
    status: VerificationStatus = Field(sa_type=code(VerificationStatus, "verification_status"))
    entry_point: EntryPoint = Field(sa_type=code(EntryPoint, "entry_point"))  # R17
    location: BroadcastLocation = Field(sa_type=code(BroadcastLocation, "verification_location"))
    consent_version: str = Field(max_length=40)  # what the anchor had agreed to when the data was taken (X1)
    nationality: str = Field(max_length=3)  # as handed in: proves nothing about another one
    created_at: datetime = Field(sa_type=INSTANT)
    submitted_at: datetime | None = Field(default=None, sa_type=INSTANT)
    queued_at: datetime | None = Field(default=None, sa_type=INSTANT)  # of the first of those that replaced each other
    decided_at: datetime | None = Field(default=None, sa_type=INSTANT)
    ends_at: datetime | None = Field(default=None, sa_type=INSTANT)
    documents_last_day: date | None = None
    is_retryable: bool | None = None
    is_under_age: bool | None = None
    strikes: int = 0  # rejections in a row before this attempt (A15)
    attempts: int = 1  # handed in on this path so far, this one included (A15)
    legal_name: bytes | None = None  # sealed
    email: bytes | None = None  # sealed
    name_fingerprint: bytes | None = None  # X10
    email_fingerprint: bytes | None = None  # X10
    date_of_birth: bytes | None = None  # sealed
    passport_number: bytes | None = None  # sealed
    passport_issuer: bytes | None = None  # sealed
    passport_fingerprint: bytes | None = None  # of number and issuer; the same in every account (X10)
    passport_last_day: date | None = None
    work_last_day: date | None = None  # of what permits to work
    mrz_findings: list[dict[str, Any]] | None = Field(default=None, sa_type=CODES)  # what zones say otherwise
    warned_days: int | None = Field(default=None, sa_type=SmallInteger)  # of the last warning of its end
    data_state: DataState = Field(default=DataState.ACTIVE, sa_type=code(DataState, "data_state"))
    version: int = 1


class VerificationDocument(SQLModel, table=True):
    """A photo that was handed in with an attempt; what a later one keeps is handed in with both."""

    __tablename__ = "verification_documents"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "verification_id"],
            ["verifications.account_id", "verifications.id"],
            name="verification_documents_of_verification",
        ),
        ForeignKeyConstraint(
            ["account_id", "document_id"],
            ["documents.account_id", "documents.id"],
            name="verification_documents_of_document",
        ),
        Index("verification_documents_by_document", "account_id", "document_id"),
    )
    account_id: UUID = Field(primary_key=True)
    verification_id: UUID = Field(primary_key=True)
    document_id: UUID = Field(primary_key=True)
    last_day: date
    mrz: bytes | None = None  # sealed


class Review(SQLModel, table=True):
    """A decision about one attempt; the newest is the one that counts."""

    __tablename__ = "reviews"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "verification_id"],
            ["verifications.account_id", "verifications.id"],
            name="reviews_of_verification",
        ),
        Index("reviews_newest", "account_id", "verification_id", text("id DESC")),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    verification_id: UUID
    decision: ReviewDecision = Field(sa_type=code(ReviewDecision, "review_decision"))
    is_retryable: bool
    findings: list[dict[str, Any]] = Field(sa_type=CODES)  # code, requirement and the words for the anchor
    created_at: datetime = Field(sa_type=INSTANT)


class Bar(SQLModel, table=True):
    """A person who may appear nowhere, by the mark of their passport: it holds in every account (X10)."""

    __tablename__ = "bars"
    mark: bytes = Field(primary_key=True)
    barred_at: datetime = Field(sa_type=INSTANT)
