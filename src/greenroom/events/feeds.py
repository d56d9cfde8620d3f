"""Feeds: the log of an account as it grows, followed by many at once, each from a place of their own."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, BigInteger, Text, Uuid, any_, bindparam, text
from sqlmodel import col, select

from greenroom.db import Database, Hindered, Read, Record, Scope
from greenroom.events.actions import AUDIT, HEAD_OF
from greenroom.events.tables import EventHead
from greenroom.logs import described

READ_MAX = 200  # events of one statement
KEPT_MAX = 64  # last events of a feed that are kept, for those who follow a little behind
TRIES_AGAIN_S = 1.0
LOOKS_EVERY_S = 5.0  # beside being told: a notification can be lost, an event not
Actions = frozenset[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, as its followers see it; whoever has seen it goes on beyond `seq`."""

    account_id: UUID
    seq: int
    action: str
    subject_id: UUID
    occurred_at: datetime
    detail: str
    """JSON, as it stands in the log."""

    @classmethod
    def of(cls, row: Record, account_id: UUID) -> Self:
        """Return what a row says."""
        return cls(account_id, row["seq"], row["action"], row["subject_id"], row["occurred_at"], row["detail"])


class Feed:
    """The events of one account with certain actions: the last ones kept, further ones read once for all followers.

    `since` and `upto` bound what is kept: every such event beyond the one, up to the other.
    """

    def __init__(self, db: Database, account_id: UUID, actions: Actions, *, head: int) -> None:
        self._db, self.account_id, self._actions = db, account_id, actions
        self.since = self.upto = head
        self.followers = 0
        self._kept = deque[Entry]()
        self._has_more = asyncio.Event()  # replaced by a fresh one whenever it was set
        self._is_stale = False
        self._reading: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Read what is new, once what is being read has come."""
        self._is_stale = True
        if self._reading is None:
            self._reading = asyncio.create_task(self._refresh())

    async def beyond(self, seq: int) -> tuple[list[Entry], int]:
        """Return the events after a place, at least one, and the place that they lead to. Raises Hindered."""
        while True:
            if seq < self.since:
                entries, seq = await self._read(seq)
            else:
                entries, seq = [each for each in self._kept if each.seq > seq], max(seq, self.upto)
            if entries:
                return entries, seq
            if seq >= self.upto:
                await self._has_more.wait()

    async def _refresh(self) -> None:
        while self._is_stale and self.followers:
            self._is_stale = False
            try:
                entries, upto = await self._read(self.upto)
            except Exception as fault:
                if not isinstance(fault, Hindered):
                    structlog.get_logger("greenroom").error("feed failed", **described(fault))
                self._is_stale = True
                await asyncio.sleep(TRIES_AGAIN_S)
                continue
            self._is_stale |= len(entries) == READ_MAX
            self._keep(entries, upto)
        self._reading = None

    def _keep(self, entries: list[Entry], upto: int) -> None:
        self._kept += entries
        self.upto = upto
        while len(self._kept) > KEPT_MAX:
            self.since = self._kept.popleft().seq
        if entries:
            self._has_more.set()
            self._has_more = asyncio.Event()

    async def _read(self, seq: int) -> tuple[list[Entry], int]:
        values = {"account_id": self.account_id, "actions": list(self._actions), "beyond": seq}
        rows = await self._db.rows(FOLLOWING, Scope(self.account_id), **values)
        entries = [Entry.of(row, self.account_id) for row in rows if row["seq"] is not None]
        if len(entries) == READ_MAX:
            return entries, entries[-1].seq
        return entries, max(rows[0]["head"] if rows else 0, seq)


class Feeds:
    """All feeds of a process, each for as long as somebody follows it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._feeds = dict[UUID, dict[Actions, Feed]]()

    async def head(self, account_id: UUID) -> int:
        """Return how far the log of an account has come. Raises Hindered."""
        rows = await self._db.rows(HEAD_OF, Scope(account_id), account_id=account_id)
        return rows[0]["seq"] if rows else 0

    async def follow(
        self, account_id: UUID, actions: Actions, *, beyond: int, head: int
    ) -> AsyncGenerator[Entry, None]:
        """Yield an account's events with these actions after a place, in their order, each once, without end.

        `head` is how far the log had come a moment ago. Raises Hindered.
        """
        feed, seq = self._joined(account_id, actions, head), beyond
        try:
            while True:
                entries, seq = await feed.beyond(seq)
                for entry in entries:
                    yield entry
        finally:
            self._leave(feed, actions)

    def wake(self, account_ids: Collection[UUID] | None) -> None:
        """Have the feeds of accounts read on; None: all feeds."""
        for account_id in tuple(self._feeds) if account_ids is None else account_ids:
            for feed in self._feeds.get(account_id, {}).values():
                feed.wake()

    async def look(self) -> None:
        """Wake the feeds whose accounts have gone on unheard. Call it every few seconds. Raises Hindered."""
        if not self._feeds:
            return
        for row in await self._db.rows(HEADS_OF, AUDIT, account_ids=list(self._feeds)):
            if any(feed.upto < row["seq"] for feed in self._feeds.get(row["account_id"], {}).values()):
                self.wake([row["account_id"]])

    def __iter__(self) -> Iterator[Feed]:
        return (feed for feeds in self._feeds.values() for feed in feeds.values())

    def _joined(self, account_id: UUID, actions: Actions, head: int) -> Feed:
        feeds = self._feeds.setdefault(account_id, {})
        if actions not in feeds:
            feeds[actions] = Feed(self._db, account_id, actions, head=head)
            feeds[actions].wake()  # for what came since `head` was read
        feeds[actions].followers += 1
        return feeds[actions]

    def _leave(self, feed: Feed, actions: Actions) -> None:
        feed.followers -= 1  # the last one ends its reading too
        if not feed.followers:
            feeds = self._feeds[feed.account_id]
            del feeds[actions]
            if not feeds:
                del self._feeds[feed.account_id]


# The head and the events are of one instant, so that nothing lies between the last event that came and the head.
FOLLOWING = Read(
    text(f"""
    SELECT h.seq AS head, e.seq, e.action, e.subject_id, e.occurred_at, e.detail
    FROM event_heads h LEFT JOIN LATERAL (
        SELECT * FROM events
        WHERE account_id = h.account_id AND seq > :beyond AND action = ANY (:actions)
        ORDER BY seq LIMIT {READ_MAX}
    ) e ON true
    WHERE h.account_id = :account_id
    ORDER BY e.seq
    """).bindparams(  # noqa: S608  # a number of ours
        bindparam("account_id", type_=Uuid()),
        bindparam("beyond", type_=BigInteger()),
        bindparam("actions", type_=ARRAY(Text())),
    )
)
HEADS_OF = Read(
    select(EventHead.account_id, EventHead.seq).where(
        col(EventHead.account_id) == any_(bindparam("account_ids", type_=ARRAY(Uuid())))
    )
)
