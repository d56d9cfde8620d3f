"""One budget for a caller, shared by all processes: proven with real connections to a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from greenroom.embedded import APP, DATABASE, OWNER, Cluster, start
from greenroom.rates import Budget, Exhausted, RateLimiter

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TABLE = """
CREATE UNLOGGED TABLE rate_buckets (
  actor_key text PRIMARY KEY,
  points double precision NOT NULL CHECK (points >= 0),
  leased double precision NOT NULL,
  updated_at timestamptz NOT NULL
)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with start(tmp_path_factory.mktemp("rates"), durable=False) as running:
        yield running.cluster


@pytest.fixture(scope="module")
async def pool(cluster: Cluster) -> AsyncIterator[asyncpg.Pool]:
    owner = await asyncpg.connect(cluster.url(OWNER, DATABASE))
    await owner.execute(f"{TABLE}; GRANT SELECT, INSERT, UPDATE, DELETE ON rate_buckets TO {APP}")
    await owner.close()
    async with asyncpg.create_pool(cluster.url(APP, DATABASE), min_size=1, max_size=20) as pool:
        yield pool


@pytest.fixture(autouse=True)
async def empty(pool: asyncpg.Pool) -> None:
    await pool.execute("DELETE FROM rate_buckets")


def limiter(
    pool: asyncpg.Pool, *, points: int = 1_000, points_per_s: float = 0.001, lease: int = 100, actors_max: int = 1_000
) -> RateLimiter:
    """A process; its buckets refill too slowly to matter in a test, where nothing else is said."""
    return RateLimiter(pool, points=points, points_per_s=points_per_s, lease=lease, actors_max=actors_max)


async def shared(pool: asyncpg.Pool, actor_key: str = "shop") -> int:
    return int(await pool.fetchval("SELECT points FROM rate_buckets WHERE actor_key = $1", actor_key))


async def test_a_new_caller_has_a_full_bucket_and_sees_it_shrink(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points_per_s=1)
    first = await process.spend("shop", 10, now=NOW)
    assert first == Budget(10, 1_000, 990, NOW + timedelta(seconds=10), 10)
    second = await process.spend("shop", 5, now=NOW)
    assert isinstance(second, Budget)
    assert second.remaining == 985
    assert (await process.spend("other shop", 1, now=NOW)).remaining == 999


async def test_most_requests_need_no_statement(pool: asyncpg.Pool) -> None:
    process = limiter(pool)
    for _ in range(50):
        await process.spend("shop", 2, now=NOW)
    assert await shared(pool) == 900  # one lease of 100, spent to the last point
    await process.spend("shop", 1, now=NOW)
    assert await shared(pool) == 800


@pytest.mark.parametrize("lease", [1, 30, 1_000])
async def test_twenty_processes_at_once_never_hand_out_more_than_the_bucket(pool: asyncpg.Pool, lease: int) -> None:
    processes = [limiter(pool, lease=lease) for _ in range(20)]
    gate = asyncio.Event()

    async def customer(process: RateLimiter, cost: int) -> int:
        await gate.wait()
        spent = 0
        for _ in range(40):
            spent += cost if isinstance(await process.spend("shop", cost, now=NOW), Budget) else 0
        return spent

    customers = [asyncio.create_task(customer(process, cost)) for process in processes for cost in (1, 2, 7)]
    gate.set()
    spent = sum(await asyncio.gather(*customers))
    assert 900 < spent <= 1_000  # 8,000 were asked for
    for process in processes:
        await process.give_back()
    assert spent + await shared(pool) <= 1_000


async def test_what_two_processes_hold_for_the_same_caller_is_one_budget(pool: asyncpg.Pool) -> None:
    one, two = limiter(pool, points=100, lease=10), limiter(pool, points=100, lease=10)
    assert (await one.spend("shop", 60, now=NOW)).remaining == 40
    assert isinstance(refused := await two.spend("shop", 60, now=NOW), Exhausted)
    assert refused.remaining == 40
    assert 19_000 < refused.retry_after_s <= 20_000
    assert isinstance(await two.spend("shop", 40, now=NOW), Budget)


async def test_too_little_is_left_alone_so_a_cheaper_operation_still_fits(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points=100, lease=100)
    await process.spend("shop", 90, now=NOW)
    assert isinstance(await process.spend("shop", 20, now=NOW), Exhausted)
    assert isinstance(await process.spend("shop", 10, now=NOW), Budget)


async def test_a_refused_caller_who_insists_costs_one_statement_a_second(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points=100)
    await process.spend("shop", 100, now=NOW)
    assert isinstance(await process.spend("shop", 50, now=NOW), Exhausted)
    await pool.execute("UPDATE rate_buckets SET points = 100")
    assert isinstance(await process.spend("shop", 50, now=NOW + timedelta(seconds=0.9)), Exhausted)
    assert isinstance(await process.spend("shop", 50, now=NOW + timedelta(seconds=1)), Budget)


async def test_what_a_lapsed_lease_leaves_over_goes_back(pool: asyncpg.Pool) -> None:
    idle, busy = limiter(pool, points=100, lease=25), limiter(pool, points=100, lease=25)
    await idle.spend("shop", 1, now=NOW)
    await idle.give_back(now=NOW + timedelta(seconds=1))
    assert isinstance(await busy.spend("shop", 80, now=NOW), Exhausted)  # 24 are still held by the other
    await idle.give_back(now=NOW + timedelta(seconds=3))
    assert isinstance(await busy.spend("shop", 80, now=NOW + timedelta(seconds=1)), Budget)


async def test_a_lapsed_lease_is_exchanged_for_a_new_one_in_one_statement(pool: asyncpg.Pool) -> None:
    process = limiter(pool)
    await process.spend("shop", 1, now=NOW)
    later = await process.spend("shop", 1, now=NOW + timedelta(seconds=60))
    assert (later.remaining, await shared(pool)) == (998, 899)


async def test_a_process_that_ends_returns_all_that_it_holds(pool: asyncpg.Pool) -> None:
    process = limiter(pool)
    for key in ("a", "b", "c"):
        await process.spend(key, 1, now=NOW)
    await process.give_back()
    assert [await shared(pool, key) for key in ("a", "b", "c")] == [999, 999, 999]


async def test_leases_in_memory_are_bounded_and_the_oldest_goes_back(pool: asyncpg.Pool) -> None:
    process = limiter(pool, actors_max=10)
    for i in range(100):
        await process.spend(f"shop {i}", 1, now=NOW)
    assert len(process._leases) == 10
    assert len(process._given_back) == 10  # the others lapse
    await process.give_back(now=NOW)
    assert await shared(pool, "shop 0") == 999
    assert await shared(pool, "shop 99") == 900


async def test_points_flow_back_by_the_databases_clock_and_no_further_than_full(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points=100, lease=1, points_per_s=10)
    await process.spend("shop", 100, now=NOW)
    await pool.execute("UPDATE rate_buckets SET updated_at = now() - interval '4 seconds'")
    assert isinstance(await process.spend("shop", 30, now=NOW + timedelta(seconds=2)), Budget)
    await pool.execute("UPDATE rate_buckets SET updated_at = now() - interval '1 hour'")
    assert (await process.spend("shop", 100, now=NOW + timedelta(seconds=4))).remaining == 0


async def test_a_clock_that_was_set_back_takes_nothing_away(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points=100, lease=1)
    await process.spend("shop", 40, now=NOW)
    await pool.execute("UPDATE rate_buckets SET updated_at = now() + interval '1 hour'")
    assert isinstance(await process.spend("shop", 60, now=NOW), Budget)


async def test_an_operation_dearer_than_a_bucket_takes_a_full_one(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points=100)
    assert (await process.spend("shop", 5_000, now=NOW)).remaining == 0


async def test_callers_who_were_long_away_leave_no_row(pool: asyncpg.Pool) -> None:
    process = limiter(pool, points=100, points_per_s=10)
    for key in ("gone", "here"):
        await process.spend(key, 100, now=NOW)
    await pool.execute("UPDATE rate_buckets SET updated_at = now() - interval '11 seconds' WHERE actor_key = 'gone'")
    await process.forget_full()
    assert [row["actor_key"] for row in await pool.fetch("SELECT actor_key FROM rate_buckets")] == ["here"]


async def test_processes_that_return_leases_of_the_same_callers_never_wait_in_a_circle(pool: asyncpg.Pool) -> None:
    keys = [f"shop {i}" for i in range(200)]
    processes = [limiter(pool) for _ in range(10)]
    for i, process in enumerate(processes):
        for key in keys if i % 2 else reversed(keys):
            await process.spend(key, 1, now=NOW)
    await asyncio.gather(*(process.give_back() for process in processes))
    totals = await pool.fetch("SELECT points FROM rate_buckets")
    assert all(990 <= row["points"] <= 1_000 for row in totals)
