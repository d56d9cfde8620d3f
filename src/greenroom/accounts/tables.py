"""Account rows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from greenroom.columns import INSTANT, SORTED, code
from greenroom.law.terms import AccountKind


class Account(SQLModel, table=True):
    """A seller or blogger account. Its id follows from the platform's own id (`access.account_id_of`)."""

    __tablename__ = "accounts"
    __table_args__ = (Index("accounts_by_name", "search_name", "account_id"),)
    account_id: UUID = Field(primary_key=True)
    external_id: str = Field(max_length=120)
    kind: AccountKind = Field(sa_type=code(AccountKind, "account_kind"))
    nationality: str = Field(max_length=3)
    name: str = Field(max_length=120)
    search_name: str = Field(sa_type=SORTED)
    first_submitted_at: datetime | None = Field(default=None, sa_type=INSTANT)  # no prompt on the home page since (R28)
    version: int = 1
    created_at: datetime = Field(sa_type=INSTANT)
