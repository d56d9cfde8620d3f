"""Rates: a budget of cost points for each caller, shared by all processes through PostgreSQL.

A caller's bucket holds `points` and refills by `points_per_s`. A process leases a chunk of it and spends from that
without asking again, so that most requests need no statement. What a lease leaves over goes back after `lease_s`, or
lapses with its process and refills like any point that was spent. So callers may be refused a little early, by at most
what other processes hold for a few seconds, but all processes together never spend more than the bucket.

Refilling goes by PostgreSQL's clock alone: machines whose clocks differ would each refill the bucket by the
difference. The time that a caller of `spend` passes in decides only what is this process's own: when its leases lapse
and which instant an answer names.
"""

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

ACTORS_MAX = 10_000  # leases in memory, a process
ASK_AGAIN_S = 1.0  # a caller without budget costs at most one statement in this time, a process

# Takes what is needed, or more up to the lease, but beyond need never more than a quarter of the bucket: the emptier
# it is, the smaller the chunks, so that one process does not sit on what another could use. Too little is left alone.
# Parameters: caller, needed, lease, given back, points of a full bucket, points per second.
_LEASE = """
INSERT INTO rate_buckets AS bucket (actor_key, points, leased, updated_at)
SELECT $1, full_points - leased, leased, statement_timestamp()
  FROM (SELECT $5::float8 AS full_points, greatest($2::float8, least($3::float8, $5::float8 / 4)) AS leased) AS first
ON CONFLICT (actor_key) DO UPDATE SET (points, leased, updated_at) = (
  SELECT held - taken, taken, greatest(bucket.updated_at, statement_timestamp())
    FROM (SELECT least($5::float8, bucket.points + $4::float8 + $6::float8
                   * greatest(0, extract(epoch FROM statement_timestamp() - bucket.updated_at)))) AS h (held),
         LATERAL (SELECT CASE WHEN held >= $2 THEN greatest($2, least($3, held / 4)) ELSE 0 END) AS t (taken)
)
RETURNING leased, points
"""
# Locks in the order of the keys, as every process does, so that two of them never wait for each other.
_GIVE_BACK = """
WITH given AS (SELECT * FROM unnest($1::text[], $2::float8[]) AS g (actor_key, points)),
     locked AS (SELECT actor_key FROM rate_buckets WHERE actor_key = ANY ($1) ORDER BY actor_key FOR UPDATE)
UPDATE rate_buckets AS bucket SET points = least($3, bucket.points + given.points)
  FROM given JOIN locked USING (actor_key)
 WHERE bucket.actor_key = given.actor_key
"""
_FORGET_FULL = "DELETE FROM rate_buckets WHERE updated_at < statement_timestamp() - make_interval(secs => $1)"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a caller has left after an operation of this cost; points as of now, by what this process knows."""

    cost: int
    limit: int
    remaining: int
    reset_at: datetime
    reset_s: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Too little is left for an operation of this cost; it fits again after `retry_after_s`."""

    cost: int
    limit: int
    remaining: int
    reset_at: datetime
    reset_s: int
    retry_after_s: int


@dataclass(slots=True)
class _Lease:
    """What this process holds of one bucket, and what it saw in there when it took it."""

    seen_at: datetime
    points: float = 0.0
    shared: float = 0.0
    refused_cost: int | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimiter:
    """The budgets of all callers, as one process sees them.

    `points` in a full bucket, `points_per_s` flowing back, `lease` points taken at once and held for `lease_s` seconds
    at most; a single operation is charged a full bucket at most.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        points: int,
        points_per_s: float,
        lease: int,
        lease_s: float = 3.0,
        actors_max: int = ACTORS_MAX,
    ) -> None:
        self._pool = pool
        self._points = points
        self._points_per_s = points_per_s
        self._lease = min(lease, points)
        self._lease_s = timedelta(seconds=lease_s)
        self._actors_max = actors_max
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._given_back: dict[str, float] = {}

    async def spend(self, actor_key: str, cost: int, *, now: datetime) -> Budget | Exhausted:
        """Take `cost` points from a caller's budget, or nothing if it holds less. Raises what the database raises."""
        cost = min(cost, self._points)
        lease = self._lease_of(actor_key, now)
        if not self._covers(lease, cost, now):
            async with lease.lock:  # one statement for all that wait for the same caller
                if not self._covers(lease, cost, now):
                    if self._was_just_refused(lease, cost, now):
                        return self._exhausted(lease, cost, now)
                    await self._renew(actor_key, lease, cost, now)
                if lease.points < cost:
                    lease.refused_cost = cost
                    return self._exhausted(lease, cost, now)
        lease.points -= cost
        return self._budget(lease, cost, now)

    async def give_back(self, *, now: datetime | None = None) -> None:
        """Return what lapsed leases left over, in one statement; without `now`, all leases.

        The points of a lease that cannot be returned, as the database is away, lapse.
        """
        given, self._given_back = self._given_back, {}
        for actor_key, lease in list(self._leases.items()):
            if now is None or (self._lapsed(lease, now) and not lease.lock.locked()):
                del self._leases[actor_key]
                given[actor_key] = given.get(actor_key, 0.0) + lease.points
                lease.points = 0.0  # whoever waits for this lease asks the bucket again
        if given := {actor_key: points for actor_key, points in given.items() if points > 0}:
            await self._pool.execute(_GIVE_BACK, list(given), list(given.values()), float(self._points))

    async def tidy(self, *, now: datetime) -> None:
        """Return what lapsed leases left over, and drop rows that say nothing. Call it every few seconds."""
        await self.give_back(now=now)
        await self.forget_full()

    async def forget_full(self) -> None:
        """Drop the rows of callers that were away long enough to have a full bucket again: no row means full."""
        await self._pool.execute(_FORGET_FULL, self._points / self._points_per_s)

    def _lease_of(self, actor_key: str, now: datetime) -> _Lease:
        if lease := self._leases.get(actor_key):
            self._leases.move_to_end(actor_key)
            return lease
        if len(self._leases) >= self._actors_max:
            evicted, old = self._leases.popitem(last=False)
            if len(self._given_back) < self._actors_max:
                self._given_back[evicted] = self._given_back.get(evicted, 0.0) + old.points
        lease = self._leases[actor_key] = _Lease(now - self._lease_s)
        return lease

    def _covers(self, lease: _Lease, cost: int, now: datetime) -> bool:
        return lease.points >= cost and not self._lapsed(lease, now)

    def _lapsed(self, lease: _Lease, now: datetime) -> bool:
        return now - lease.seen_at >= self._lease_s

    def _was_just_refused(self, lease: _Lease, cost: int, now: datetime) -> bool:
        is_recent = now - lease.seen_at < timedelta(seconds=ASK_AGAIN_S)
        return is_recent and lease.refused_cost is not None and cost >= lease.refused_cost

    async def _renew(self, actor_key: str, lease: _Lease, cost: int, now: datetime) -> None:
        """Take a new chunk. A lapsed lease goes back with the same statement; a live one is only topped up."""
        given, lease.points = (lease.points, 0.0) if self._lapsed(lease, now) else (0.0, lease.points)
        row = await self._pool.fetchrow(
            _LEASE,
            actor_key,
            cost - lease.points,
            float(self._lease),
            given,
            float(self._points),
            float(self._points_per_s),
        )
        assert row is not None  # an upsert returns its row
        lease.points += row["leased"]
        lease.shared, lease.seen_at, lease.refused_cost = row["points"], now, None

    def _left(self, lease: _Lease, now: datetime) -> float:
        refilled = self._points_per_s * max((now - lease.seen_at).total_seconds(), 0.0)
        return min(lease.points + lease.shared + refilled, float(self._points))

    def _budget(self, lease: _Lease, cost: int, now: datetime) -> Budget:
        left = self._left(lease, now)
        reset_s = math.ceil((self._points - left) / self._points_per_s)
        return Budget(cost, self._points, int(left), now + timedelta(seconds=reset_s), reset_s)

    def _exhausted(self, lease: _Lease, cost: int, now: datetime) -> Exhausted:
        left = self._left(lease, now)
        reset_s = math.ceil((self._points - left) / self._points_per_s)
        wait_s = max(math.ceil((cost - left) / self._points_per_s), 1)
        return Exhausted(cost, self._points, int(left), now + timedelta(seconds=reset_s), reset_s, wait_s)
