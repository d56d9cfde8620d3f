"""How processes hear of each other's commits, and what happens where they do not."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from worlds import World

from greenroom import serving, waking
from greenroom.waking import ACCOUNTS_MAX, Bell


class Ear:
    """Hears, and can be waited for."""

    def __init__(self) -> None:
        self.heard = asyncio.Queue[set[UUID] | None]()

    def __call__(self, ids: Collection[UUID] | None) -> None:
        self.heard.put_nowait(None if ids is None else set(ids))

    async def next(self) -> set[UUID] | None:
        return await asyncio.wait_for(self.heard.get(), 20)


@asynccontextmanager
async def kept(url: str, ear: Ear | None = None) -> AsyncIterator[Bell]:
    bell = Bell(url, ear)
    keeping = asyncio.create_task(bell.keep())
    try:
        yield bell
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_what_is_rung_is_heard_at_once_here_and_soon_elsewhere_and_once(world: World) -> None:
    near, far = Ear(), Ear()
    ids = {uuid4() for _ in range(2 * ACCOUNTS_MAX + 1)}
    async with kept(world.url, near) as bell, kept(world.url, far), kept(world.url) as mute:
        assert (await near.next(), await far.next()) == (None, None)  # they listen: perhaps something was missed
        bell.ring(ids)
        assert await near.next() == ids
        heard = set[UUID]()
        while heard != ids:
            heard |= await far.next() or set()
        last = uuid4()
        mute.ring([last])
        assert (await near.next(), await far.next()) == ({last}, {last})


async def test_a_connection_that_breaks_is_made_anew_and_everything_looked_at(
    world: World, boss: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "COMES_BACK_S", 0.05)
    monkeypatch.setattr(waking, "LOOKED_AT_EVERY_S", 0.05)
    ear = Ear()
    async with kept(world.url, ear), kept(world.url) as other:
        assert await ear.next() is None
        await boss.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'greenroom bell'"
        )
        assert await ear.next() is None
        account = uuid4()
        while True:  # the other one comes back by itself, too
            other.ring([account])
            try:
                assert await asyncio.wait_for(ear.heard.get(), 0.2) == {account}
                break
            except TimeoutError:
                pass


async def test_a_verb_rings_after_its_commit_and_not_when_it_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung = list[Any]()
    monkeypatch.setattr(world.db, "on_recorded", rung.append)
    shop = await world.seller()
    rung.clear()
    await shop.anchor()
    assert len(rung) == 1
    await shop.refused("AddAnchor", accountId=shop.account_id, anchor={"displayName": "", "nationality": "ES"})
    assert len(rung) == 1


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "room", "raised"),
    [
        (1_024, 4_096, 2_500, 2_500, 2_700),
        (1_024, 1_024, 2_500, 824, None),
        (1_024, -1, 2_500, 2_500, 2_700),
        (4_096, 4_096, 2_500, 2_500, None),
    ],
)
def test_a_process_makes_room_for_its_connections(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, wanted: int, room: int, raised: int | None
) -> None:
    told = list[int]()
    monkeypatch.setattr(serving.resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(serving.resource, "setrlimit", lambda _, limits: told.append(limits[0]))
    assert serving.room_for(wanted) == room
    assert told == ([raised] if raised else [])
