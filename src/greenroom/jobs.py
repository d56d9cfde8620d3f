"""Jobs: work that follows a commit. Queued in the transaction that needs it, done at least once, by any worker.

A job's function may run twice, and at the same time as itself: it asks the rows what is still to do. One that fails is
tried again after growing pauses; after the last it is held as failed, where `doctor` shows it. The queue is pgqueuer's,
in a schema of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, cast

import asyncpg
import orjson
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Queued
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver
from structlog.typing import FilteringBoundLogger

from greenroom.db import Transaction
from greenroom.logs import described

ATTEMPTS_MAX = 8
PAUSE_S, PAUSE_MAX_S = 1.0, 300.0  # before the second attempt, doubled before each further one
SEEN_ALIVE_S = 30.0  # a worker that has said nothing for so long is dead: its jobs go to another
LOOKS_EVERY_S = 2.0  # beside being told: a notification is lost where the listening connection broke
BATCH = 4
LATE_S = 60
RETRIED_MAX = 10_000

Run = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Does a job, given what was queued with it: ids and codes only."""


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: its name in the queue, and how many of it run at once in all workers together (0: any)."""

    name: str
    at_once: int = 0

    async def enqueue(self, tx: Transaction, *, after: timedelta | None = None, **what: Any) -> None:
        """Queue it with a transaction: once that is committed, it will be done."""
        await tx.flush()
        raw = (await (await tx.connection()).get_raw_connection()).driver_connection
        queue = queries(AsyncpgDriver(cast("asyncpg.Connection", raw)))
        await queue.enqueue(self.name, orjson.dumps(what), execute_after=after)


class JobFailed(Exception):
    """What the queue keeps of a failure: its kind and place, never a message that may quote somebody's data."""


@cache
def settings() -> DBSettings:
    """Return the names of the queue's tables."""
    return DBSettings(db_schema="jobs", channel=Channel("greenroom_jobs"))


def queries(driver: Driver) -> Queries:
    """Return the queue's statements."""
    names = settings()
    return Queries(driver, QueryBuilderEnvironment(names), QueryQueueBuilder(names), QuerySchedulerBuilder(names))


def install_sql() -> str:
    """Return the statements that make the queue's schema."""
    return QueryBuilderEnvironment(settings()).build_install_query()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs wait, wait for longer than they should, and were given up."""

    waiting: int
    late: int
    failed: int


async def counts(connection: asyncpg.Connection) -> Counts:
    """Look at the queue."""
    row = await connection.fetchrow(_COUNTS, float(LATE_S))
    assert row is not None  # it counts
    return Counts(**row)


async def retry_failed(connection: asyncpg.Connection) -> int:
    """Queue again what was given up; returns how many."""
    queue = queries(AsyncpgDriver(connection))
    failed = [job.id for job in await queue.list_failed_jobs(limit=RETRIED_MAX)]
    await queue.requeue_jobs(failed)
    return len(failed)


_COUNTS = """
SELECT count(*) FILTER (WHERE status = 'queued')::int AS waiting,
       count(*) FILTER (WHERE status = 'queued' AND execute_after < now() - make_interval(secs => $1))::int AS late,
       count(*) FILTER (WHERE status = 'failed')::int AS failed
FROM jobs.pgqueuer
"""


async def work(
    url: str,
    jobs: Mapping[Job, Run],
    *,
    stop: asyncio.Event,
    log: FilteringBoundLogger,
    seen_alive_s: float = SEEN_ALIVE_S,
) -> None:
    """Do jobs until told to stop; then finish what was begun. Needs a direct connection: it listens.

    Raises OSError or asyncpg.PostgresError where the database goes away: start again then.
    """
    async with asyncpg.create_pool(url, min_size=2, max_size=4) as pool:
        manager = QueueManager(queries(AsyncpgPoolDriver(pool)), settings().channel)
        for job, run in jobs.items():
            manager.entrypoint(job.name, concurrency_limit=job.at_once, accepts_context=False, on_failure="hold")(
                tried(job, run, log=log)
            )
        manager.shutdown = stop
        await manager.run(
            dequeue_timeout=timedelta(seconds=LOOKS_EVERY_S),
            batch_size=BATCH,
            max_concurrent_tasks=2 * BATCH,
            heartbeat_timeout=timedelta(seconds=seen_alive_s),
        )


def tried(job: Job, run: Run, *, log: FilteringBoundLogger) -> Callable[[Queued], Awaitable[None]]:
    """Return how the queue runs a job: a failure asks for another attempt, the last one gives up loudly."""

    async def attempt(queued: Queued) -> None:
        try:
            await run(orjson.loads(queued.payload or b"{}"))
        except Exception as fault:
            kinds = " < ".join(described(fault)["exceptions"])
            if queued.attempts + 1 >= ATTEMPTS_MAX:
                log.error("job given up", job=job.name, id=queued.id, **described(fault))
                raise JobFailed(kinds) from None
            pause_s = min(PAUSE_S * 2**queued.attempts, PAUSE_MAX_S)
            log.warning("job failed", job=job.name, id=queued.id, again_in_s=pause_s, **described(fault))
            raise RetryRequested(timedelta(seconds=pause_s), kinds) from None

    return attempt
