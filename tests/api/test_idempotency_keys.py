"""Idempotency keys go once no retry can meet them any more, of every account, and not before."""

import asyncpg
import pytest
from clients import newcomer
from worlds import World

from greenroom import idempotency
from greenroom.idempotency import forget_lapsed

KEYS = "SELECT count(*) FROM idempotency_keys"


async def test_lapsed_keys_go_and_fresh_ones_stay(
    world: World, boss: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "FORGOTTEN_AT_ONCE", 2)
    for shop in (await world.seller(), await world.blogger()):
        for _ in range(2):
            await shop.room(newcomer(), start=world.tonight())
    world.clock.advance(hours=23)
    await shop.room(newcomer(), start=world.tonight())
    assert await forget_lapsed(world.db, now=world.clock()) == 0
    world.clock.advance(hours=1, seconds=1)
    assert await forget_lapsed(world.db, now=world.clock()) == 4
    assert await boss.fetchval(KEYS) == 1
    assert await forget_lapsed(world.db, now=world.clock()) == 0


async def test_a_key_that_a_retry_holds_is_left_to_it(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    await shop.room(newcomer(), start=world.tonight())
    world.clock.advance(hours=25)
    async with boss.transaction():
        await boss.execute("SELECT FROM idempotency_keys FOR UPDATE")
        assert await forget_lapsed(world.db, now=world.clock()) == 0
    assert await forget_lapsed(world.db, now=world.clock()) == 1
