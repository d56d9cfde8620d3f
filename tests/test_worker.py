"""The work that follows a commit: done at least once whatever is killed, tried again, and given up loudly."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import structlog
from clients import Shop, picked
from photos import an_anchor, checked, checks, documents, objects, photo, put, staged, working
from race import WAITING
from structlog.testing import CapturingLogger
from worlds import World

from greenroom import doctor, jobs
from greenroom.db import Scope
from greenroom.doctor import Level
from greenroom.graph import read_id
from greenroom.jobs import Job
from greenroom.rooms.lapses import Lapses

LIMIT_S = 60


@pytest.fixture(autouse=True)
async def empty(world: World, boss: asyncpg.Connection) -> None:
    """No job of an earlier test, and no byte."""
    await boss.execute("TRUNCATE jobs.pgqueuer")
    for path in objects(world):
        path.unlink()


async def queued(boss: asyncpg.Connection) -> dict[str, int]:
    rows = await boss.fetch("SELECT status::text, count(*) FROM jobs.pgqueuer GROUP BY 1")
    return dict(map(tuple, rows))


async def until(boss: asyncpg.Connection, wanted: dict[str, int]) -> None:
    """Wait until the queue looks so."""
    async with asyncio.timeout(LIMIT_S):
        while await queued(boss) != wanted:  # noqa: ASYNC110  # it is the database that tells
            await asyncio.sleep(0.02)


@asynccontextmanager
async def at_work(world: World, todo: Mapping[Job, jobs.Run], *, log: Any = None) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(jobs.work(world.url, todo, stop=stop, log=log or structlog.get_logger(), seen_alive_s=2))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_what_is_rolled_back_queues_nothing(world: World, boss: asyncpg.Connection) -> None:
    job = Job("nothing")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # raised inside, so that it rolls back
        async with world.db.transaction(Scope()) as tx:
            await job.enqueue(tx, id="x")
            raise ZeroDivisionError
    assert await queued(boss) == {}


async def test_a_job_is_done_once_it_is_committed_and_not_before(world: World, boss: asyncpg.Connection) -> None:
    job, done = Job("tell"), list[Mapping[str, Any]]()

    async def tell(what: Mapping[str, Any]) -> None:
        done.append(what)

    async with at_work(world, {job: tell}):
        async with world.db.transaction(Scope()) as tx:
            await job.enqueue(tx, id="x")
            await asyncio.sleep(0.3)
            assert done == []
        await until(boss, {})
    assert done == [{"id": "x"}]


async def test_a_failure_is_tried_again_and_the_last_one_is_held_and_shown(
    world: World, boss: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PAUSE_S", 0.01)
    monkeypatch.setattr(jobs, "ATTEMPTS_MAX", 3)
    job, tries = Job("break"), list[int]()

    async def fail(_: Mapping[str, Any]) -> None:
        tries.append(1)
        raise ValueError("ana@example.com is somebody's")

    said = CapturingLogger()
    async with at_work(world, {job: fail}, log=structlog.wrap_logger(said, processors=[])):
        async with world.db.transaction(Scope()) as tx:
            await job.enqueue(tx)
        await until(boss, {"failed": 1})
    logs = [call.kwargs | {"event": call.args[0] if call.args else call.kwargs.get("event")} for call in said.calls]
    assert len(tries) == 3
    assert [line["event"] for line in logs] == ["job failed", "job failed", "job given up"]
    kept = await boss.fetchval("SELECT string_agg(traceback::text, '') FROM jobs.pgqueuer_log")
    assert "ValueError" in kept
    assert "ana@" not in kept + str(logs)
    finding = await doctor.queue(boss)
    assert (finding.check, finding.level) == ("jobs", Level.FAIL)
    assert await jobs.retry_failed(boss) == 1
    assert await queued(boss) == {"queued": 1}


async def test_a_job_that_waits_too_long_is_shown(world: World, boss: asyncpg.Connection) -> None:
    assert (await doctor.queue(boss)).level is Level.OK
    async with world.db.transaction(Scope()) as tx:
        await Job("nobody").enqueue(tx)
        await Job("later").enqueue(tx, after=timedelta(hours=1))
    await boss.execute("UPDATE jobs.pgqueuer SET execute_after = execute_after - interval '2 minutes'")
    finding = await doctor.queue(boss)
    assert (finding.level, finding.found.startswith("1 wait")) == (Level.WARN, True)


def worker(world: World) -> subprocess.Popen[str]:
    """A `greenroom worker` of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    environment |= {
        "GREENROOM_SETTING": "demo",
        "GREENROOM_DATABASE_URL": world.url,
        "GREENROOM_DATA_DIR": str(world.settings.data_dir),
    }
    command = [sys.executable, "-m", "greenroom", "worker"]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


async def sent(world: World, shop: Shop, count: int) -> str:
    anchor_id = await an_anchor(shop)
    contents = [photo(seed=n, size=(3_000, 2_000)) for n in range(count)]
    for place, content in zip(await staged(shop, anchor_id, *contents), contents, strict=True):
        assert (await put(world, place, content)).status_code == 204
    return anchor_id


async def test_a_worker_killed_at_any_moment_loses_no_photo_and_hangs_none(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    anchor_id = await sent(world, shop, 6)
    for checked_before in (0, 1, 3):
        process = worker(world)
        try:
            async with asyncio.timeout(LIMIT_S):
                while sum(d["status"] == "READY" for d in await documents(shop, anchor_id)) < checked_before or not (
                    await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE status = 'picked'")
                ):
                    assert process.poll() is None, process.communicate()
                    await asyncio.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        await boss.execute("UPDATE jobs.pgqueuer SET heartbeat = heartbeat - interval '1 minute'")  # time has passed
    async with working(world):
        found = await checked(shop, anchor_id)
        await until(boss, {})
    assert [each["status"] for each in found] == ["READY"] * 6
    async with checks(world) as chores:
        old = world.clock.now.timestamp() - 3 * 3_600
        for path in objects(world):
            os.utime(path, (old, old))
        await chores.sweep()
    assert len(objects(world)) == 6, "what a killed worker had written beside them is swept"


async def killed_before_it_commits(world: World, boss: asyncpg.Connection) -> None:
    """Run a worker up to where its transaction has written all but its event, and kill it there."""
    async with boss.transaction():
        await boss.execute("SELECT FROM event_heads FOR UPDATE")
        process = worker(world)
        try:
            async with asyncio.timeout(LIMIT_S):
                while not await boss.fetchval(WAITING):
                    assert process.poll() is None, process.communicate()
                    await asyncio.sleep(0.01)
        finally:
            process.kill()
            process.wait()


async def test_a_worker_killed_while_it_marks_or_warns_leaves_it_to_the_next_and_nothing_twice(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ids = [(await shop.anchor(name, "RU"))["id"] for name in ("Ivan", "Olga")]
    for anchor_id in ids:
        await world.attempt(anchor_id)
    await shop.room(picked(ids[1], "IN_CHINA"), start=world.tonight())
    # a worker of its own looks at the real clock
    await boss.execute("UPDATE live_rooms SET scheduled_start_at = now() + interval '30 days'")
    ends = "UPDATE verifications SET ends_at = now() + make_interval(days => $2) WHERE anchor_id = $1"
    for anchor_id, days in zip(ids, (-1, 20), strict=True):
        await boss.execute(ends, read_id(anchor_id)[1].id, days)
    written = "SELECT action, count(*) FROM events WHERE action LIKE 'VERIFICATION_EXPIR%' GROUP BY 1 ORDER BY 1"
    lapses = Lapses(world.db, lambda: datetime.now(UTC))

    await killed_before_it_commits(world, boss)
    assert await boss.fetch(written) == []
    assert await lapses.expire() == 1
    await killed_before_it_commits(world, boss)
    assert [tuple(row) for row in await boss.fetch(written)] == [("VERIFICATION_EXPIRED", 1)]
    await lapses.turn()
    await lapses.turn()
    found = [tuple(row) for row in await boss.fetch(written)]
    assert found == [("VERIFICATION_EXPIRED", 1), ("VERIFICATION_EXPIRING", 1)]


async def test_a_worker_that_is_told_to_stop_finishes_what_it_began(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor_id = await sent(world, shop, 2)
    process = worker(world)
    try:
        async with asyncio.timeout(LIMIT_S):
            while not await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE status = 'picked'"):
                assert process.poll() is None, process.communicate()
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, out
    assert await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE status = 'picked'") == 0
    assert "CHECKING" not in [each["status"] for each in await documents(shop, anchor_id)][-1:]


async def test_the_database_away_for_a_while_stops_no_worker(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    async with working(world):
        await asyncio.sleep(0.5)
        await boss.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        anchor_id = await sent(world, shop, 1)
        found = await checked(shop, anchor_id)
    assert [each["status"] for each in found] == ["READY"]
