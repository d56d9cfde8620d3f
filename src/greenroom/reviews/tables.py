"""Review rows: what staff did about an attempt that awaits their decision. The attempt itself says that it waits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from greenroom.columns import INSTANT


class ReviewTask(SQLModel, table=True):
    """The deciding of one attempt, whose id it has; made when somebody first claims it."""

    __tablename__ = "review_tasks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "id"], ["verifications.account_id", "verifications.id"], name="review_tasks_of_verification"
        ),
        CheckConstraint("(assignee IS NULL) = (claim_expires_at IS NULL)", name="claimed_until"),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    assignee: str | None = Field(default=None, max_length=255)
    claim_expires_at: datetime | None = Field(default=None, sa_type=INSTANT)  # a lease: then anybody may claim it
    is_escalated: bool = False


class ReviewNote(SQLModel, table=True):
    """What staff wrote for themselves (X7), sealed under the anchor's key: it may name the person."""

    __tablename__ = "review_notes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "task_id"], ["review_tasks.account_id", "review_tasks.id"], name="review_notes_of_task"
        ),
        Index("review_notes_by_task", "account_id", "task_id", "id"),
    )
    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True, default_factory=uuid7)
    task_id: UUID
    author: str = Field(max_length=255)
    text: bytes  # sealed
    created_at: datetime = Field(sa_type=INSTANT)
