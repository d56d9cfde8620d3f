"""In force: the one row that says which policy pack holds and since when it refuses; its past is in the log."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel, select

from greenroom.columns import INSTANT
from greenroom.db import NOBODY, Database, Read, Record, Transaction
from greenroom.law.policies import PACKS, InForce

HELD_FOR = timedelta(seconds=1)


class PolicyInForce(SQLModel, table=True):
    """The pack in force and its launch. One row, locked by whoever decides by it or changes it."""

    __tablename__ = "policy_in_force"
    __table_args__ = (CheckConstraint("one = 1", name="policy_is_one"),)
    one: int = Field(default=1, primary_key=True)
    name: str = Field(max_length=40)
    launch_at: datetime | None = Field(default=None, sa_type=INSTANT)
    revision: int
    changed_at: datetime = Field(sa_type=INSTANT)


IN_FORCE = Read(select(PolicyInForce))
IN_FORCE_SHARED = Read(select(PolicyInForce).with_for_update(read=True))


async def in_force(tx: Transaction, *, is_held: bool = True) -> InForce:
    """Return the policy, held until the transaction ends: a decision and a change of policy serialise."""
    return of((await tx.rows(IN_FORCE_SHARED if is_held else IN_FORCE))[0])


def of(row: Record) -> InForce:
    """Return a row as the law knows it."""
    return InForce(PACKS[row["name"]], row["launch_at"], row["revision"])


class Held:
    """The policy as reads see it, at most a second old: a change made elsewhere shows by then."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._until = datetime.min.replace(tzinfo=UTC)
        self._value: InForce | None = None
        self._changes = 0

    async def now(self, now: datetime) -> InForce:
        """Return the policy in force."""
        if self._value is None or now >= self._until:
            asked, read = self._changes, of((await self._db.rows(IN_FORCE, NOBODY))[0])
            if asked != self._changes:
                return await self.now(now)  # it was changed while we read, perhaps what was before
            self._value, self._until = read, now + HELD_FOR
        return self._value

    def drop(self) -> None:
        """Forget it: this very process has changed it."""
        self._value, self._changes = None, self._changes + 1
