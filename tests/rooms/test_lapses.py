"""What comes with time: an approval whose documents ended is marked once, whoever else is at work (X2)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from clients import Shop, picked
from events.changes import appended, idle, rows, unaccounted
from photos import working
from race import HELD_S, WAITING, race
from sqlalchemy import update
from sqlmodel import select
from worlds import World

from greenroom import worker
from greenroom.anchors.tables import Anchor
from greenroom.db import Read, Scope, connect
from greenroom.events.actions import Unbroken, verify_chains
from greenroom.graph import read_id
from greenroom.rooms.lapses import ENDED, FIRST, LAPSING, NEARING, Lapses
from greenroom.verifications.tables import Verification

EXPIRED, EXPIRING = "VERIFICATION_EXPIRED", "VERIFICATION_EXPIRING"


def lapses(world: World, **more: Any) -> Lapses:
    """What a worker does, step by step."""
    return Lapses(world.db, world.clock, **more)


async def expired(boss: asyncpg.Connection) -> list[UUID]:
    """What the log says to have ended, in its order."""
    found = await boss.fetch(f"SELECT subject_id FROM events WHERE action = '{EXPIRED}' ORDER BY occurred_at, seq")
    return [row[0] for row in found]


async def warned(boss: asyncpg.Connection, attempt: str = "") -> list[int]:
    """How many days ahead the log has warned, of one attempt or of any, in its order."""
    found = await boss.fetch(
        f"SELECT (detail ->> 'days')::int FROM events WHERE action = '{EXPIRING}' AND ($1::uuid IS NULL"
        " OR subject_id = $1) ORDER BY occurred_at, seq",
        row_id(attempt) if attempt else None,
    )
    return [row[0] for row in found]


async def status(boss: asyncpg.Connection, attempt: str) -> tuple[str, int]:
    row = await boss.fetchrow("SELECT status, version FROM verifications WHERE id = $1", row_id(attempt))
    assert row is not None
    return tuple(row)


def row_id(id: str) -> UUID:
    return read_id(id)[1].id


async def approved(world: World, shop: Shop, *, days: float | None, name: str = "Ivan", **more: Any) -> tuple[str, str]:
    """An anchor who works in China, approved by documents that last so many days: their id, and the attempt's."""
    anchor_id: str = (await shop.anchor(name, "RU"))["id"]
    ends_at = None if days is None else world.clock.now + timedelta(days=days)
    return anchor_id, await world.attempt(anchor_id, ends_at=ends_at, **more)


async def a_room(world: World, shop: Shop, *anchors: str, hours: float = 100 * 24) -> str:
    """A room far ahead, with these anchors in China."""
    cast = [picked(anchor_id, "IN_CHINA") for anchor_id in anchors]
    found: str = (await shop.room(*cast, start=world.tonight(hours)))["id"]
    return found


@asynccontextmanager
async def held(boss: asyncpg.Connection, lock: str, *begun: Awaitable[Any]) -> AsyncIterator[None]:
    """Hold rows while what is begun comes to wait for them; the body runs then, and they are let go."""
    async with boss.transaction():
        await boss.execute(lock)
        tasks = [asyncio.ensure_future(each) for each in begun]
        async with asyncio.timeout(HELD_S):
            while await boss.fetchval(WAITING) < len(tasks):  # noqa: ASYNC110  # PostgreSQL tells nobody who waits
                await asyncio.sleep(0.005)
        yield
    await asyncio.gather(*tasks)


def looking(world: World) -> dict[str, Any]:
    """What a first look for warnings is given."""
    until = world.clock.now + timedelta(days=30)
    return {"start": world.clock.now, "room": FIRST, "until": until, "is_refreshed": False, "at_once": 500}


def account_of(shop: Shop) -> Scope:
    """What the account's own people see."""
    return Scope(read_id(shop.account_id)[1].account_id)


async def test_an_approval_whose_documents_ended_is_marked_once_and_the_log_says_so(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    _, ended = await approved(world, shop, days=3)
    _, lasting = await approved(world, shop, days=400, name="Olga")
    await lapses(world).turn()
    assert await expired(boss) == []
    world.clock.advance(days=3)
    before = await rows(boss)
    assert [await lapses(world).expire() for _ in range(3)] == [1, 0, 0]
    after = await rows(boss)
    (event,) = appended(before, after)
    detail = {"path": "PASSPORT_VISA", "previous_status": "APPROVED", "status": "EXPIRED"}
    assert (event["action"], event["subject_id"], event["detail"]) == (EXPIRED, str(row_id(ended)), detail)
    assert (event["actor"], event["actor_kind"]) == ("greenroom", "SERVICE")
    assert (unaccounted(before, after), idle(before, after)) == ([], [])
    assert await status(boss, ended) == ("EXPIRED", 2)
    assert (await status(boss, lasting))[0] == "APPROVED"


@pytest.mark.parametrize("other", ["SUBMITTED", "REJECTED", "REVOKED", "SUPERSEDED", "CANCELED", "DRAFT"])
async def test_no_other_attempt_is_marked(other: str, world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    _, attempt = await approved(world, shop, days=3, status=other)
    world.clock.advance(days=4)
    assert await lapses(world).expire() == 0
    assert (await status(boss, attempt))[0] == other


async def test_what_only_the_policy_s_refresh_ends_stays_as_it_is(world: World, boss: asyncpg.Connection) -> None:
    await world.policy("cn-2026")
    _, attempt = await approved(world, await world.seller(), days=400)
    world.clock.advance(days=200)
    assert await lapses(world).expire() == 0
    assert (await status(boss, attempt))[0] == "APPROVED"


async def test_approvals_of_any_account_are_marked_in_several_looks(world: World, boss: asyncpg.Connection) -> None:
    made = [
        (await approved(world, shop, days=days, name=f"Ivan {days}"))[1]
        for shop in (await world.seller(), await world.blogger())
        for days in (3, 1, 2)
    ]
    world.clock.advance(days=5)
    assert await lapses(world, at_once=2).expire() == 6
    assert sorted(await expired(boss)) == sorted(map(row_id, made))
    assert all([isinstance(each, Unbroken) async for each in verify_chains(world.db)])


async def test_of_several_workers_one_marks(world: World, boss: asyncpg.Connection) -> None:
    _, attempt = await approved(world, await world.seller(), days=1)
    world.clock.advance(days=2)
    marked = await race(world, *(lapses(world).expire for _ in range(4)))
    assert sorted(marked) == [0, 0, 0, 1]
    assert await expired(boss) == [row_id(attempt)]


@pytest.mark.parametrize("meanwhile", ["REVOKED", "SUPERSEDED"])
async def test_what_was_decided_meanwhile_stays_decided(meanwhile: str, world: World, boss: asyncpg.Connection) -> None:
    _, attempt = await approved(world, await world.seller(), days=1)
    world.clock.advance(days=2)
    async with held(boss, "SELECT FROM anchors FOR UPDATE", lapses(world).expire()):
        await boss.execute("UPDATE verifications SET status = $1", meanwhile)
    assert (await status(boss, attempt))[0] == meanwhile
    assert await expired(boss) == []


async def test_an_end_that_moved_since_the_look_is_looked_at_again(world: World, boss: asyncpg.Connection) -> None:
    _, attempt = await approved(world, await world.seller(), days=1)
    world.clock.advance(days=2)
    async with held(boss, "SELECT FROM anchors FOR UPDATE", lapses(world).expire()):
        await boss.execute("UPDATE verifications SET ends_at = ends_at + interval '1 year'")
    assert await status(boss, attempt) == ("APPROVED", 1)


async def test_what_others_hold_for_long_is_left_to_the_next_turn(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    stuck, _ = await approved(world, shop, days=1)
    await approved(world, shop, days=2, name="Olga")
    world.clock.advance(days=5)
    hasty = await connect(world.url, writes_max=1, reads_max=1, statement_timeout_ms=5000, lock_timeout_ms=50)
    try:
        async with boss.transaction():
            await boss.execute("SELECT FROM anchors WHERE id = $1 FOR UPDATE", row_id(stuck))
            assert await Lapses(hasty, world.clock).expire() == 1
        assert await Lapses(hasty, world.clock).expire() == 1
    finally:
        await hasty.close()


async def test_the_mark_changes_no_answer_about_a_broadcast_that_runs_nor_about_the_next(
    world: World, boss: asyncpg.Connection
) -> None:  # X2
    await world.launch()
    shop = await world.seller()
    anchor, attempt = await approved(world, shop, days=1)
    live, ahead = await a_room(world, shop, anchor, hours=8), await a_room(world, shop, anchor, hours=80)
    await shop.go_live(live)
    world.clock.advance(days=2)
    answers = []
    for marks in (1, 0):
        answers.append([await shop.admission(room) | {"evaluatedAt": None} for room in (live, ahead)])
        assert await lapses(world).expire() == marks
    assert answers[0] == answers[1]
    assert [answer["isAdmitted"] for answer in answers[0]] == [True, False]
    assert (await shop.do("RenewTicket", liveRoomId=live))["ticket"]["token"]
    assert await status(boss, attempt) == ("EXPIRED", 2)


async def test_what_is_rolled_back_is_done_by_the_next_turn(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, attempt = await approved(world, shop, days=1)
    other, ending = await approved(world, shop, days=20, name="Olga")
    await a_room(world, shop, anchor, other)
    world.clock.advance(days=2)
    await boss.execute(f"ALTER TABLE events ADD CONSTRAINT breaks CHECK (action NOT IN ('{EXPIRED}', '{EXPIRING}'))")
    try:
        for step in (lapses(world).expire, lapses(world).warn):
            with pytest.raises(Exception, match="breaks"):
                await step()
    finally:
        await boss.execute("ALTER TABLE events DROP CONSTRAINT breaks")
    assert await status(boss, attempt) == ("APPROVED", 1)
    assert await boss.fetchval("SELECT count(warned_days) FROM verifications") == 0
    await lapses(world).turn()
    assert (await expired(boss), await warned(boss, ending)) == ([row_id(attempt)], [30])


async def test_a_worker_does_a_turn_soon_after_it_starts(
    world: World, boss: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SOON_S", 0.01)
    _, attempt = await approved(world, await world.seller(), days=1)
    world.clock.advance(days=2)
    async with working(world), asyncio.timeout(60):
        while await expired(boss) != [row_id(attempt)]:  # noqa: ASYNC110  # it is the database that tells
            await asyncio.sleep(0.02)


async def test_the_reading_shows_no_person_and_changes_nothing(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=1)
    await a_room(world, shop, anchor)
    assert await world.db.rows(Read(select(Anchor)), LAPSING) == []
    async with world.db.transaction(LAPSING) as tx:
        assert (await tx.exec(update(Verification).values(warned_days=7))).rowcount == 0
    world.clock.advance(days=2)
    assert await world.db.rows(ENDED, account_of(shop), now=world.clock.now, at_once=9) != []
    assert await world.db.rows(ENDED, account_of(await world.seller()), now=world.clock.now, at_once=9) == []


async def test_looks_go_by_indexes(world: World) -> None:
    """As the application's role, under row security: a look costs what is due, not what there is."""
    asked = {"now": world.clock.now, "at_once": 500} | looking(world)
    connection = await asyncpg.connect(world.url)
    try:
        await connection.execute("SET enable_seqscan = off; SET enable_sort = off")
        for read, index in ((ENDED, "verifications_to_expire"), (NEARING, "live_rooms_ahead")):
            values = (*read.values(asked), None, [], LAPSING.reading)
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {read.scoped_sql}", *values))
            assert index in plan, plan
            assert "Seq Scan" not in plan, plan
    finally:
        await connection.close()
