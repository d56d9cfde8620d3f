"""Races: many real transactions held at one gate, let go together, of which exactly one may win."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
from worlds import World

Result = TypeVar("Result")
GATE = "LOCK TABLE live_rooms, anchors, idempotency_keys IN EXCLUSIVE MODE"  # every verb's first lock stands behind it
WAITING = """
SELECT count(*) FROM pg_stat_clear_snapshot(), pg_stat_activity
WHERE datname = current_database() AND application_name = 'greenroom' AND wait_event_type = 'Lock'
"""
HELD_S = 2.0  # shorter than the application's own patience for a lock


async def race(
    world: World, *attempts: Callable[[], Awaitable[Result]], connections: int = 40, gate: str = GATE
) -> list[Result]:
    """Run all attempts at once, in order of the arguments: each waits inside its own transaction until all do.

    Holds as many as there are connections for mutations; where there are more attempts, the rest follow behind.
    Fails where they do not all come to the gate: then nothing was proven.
    """
    wanted = min(len(attempts), connections)
    boss = await asyncpg.connect(world.superuser_url)
    try:
        async with boss.transaction():
            await boss.execute(gate)
            running = [asyncio.ensure_future(attempt()) for attempt in attempts]
            async with asyncio.timeout(HELD_S):
                while await boss.fetchval(WAITING) < wanted:  # noqa: ASYNC110  # PostgreSQL tells nobody who waits
                    await asyncio.sleep(0.005)
        return list(await asyncio.gather(*running))
    finally:
        await boss.close()


def one_winner(results: Sequence[Result], won: Callable[[Result], bool]) -> tuple[Result, list[Result]]:
    """The only result that won, and all the others."""
    winners = [result for result in results if won(result)]
    assert len(winners) == 1, f"{len(winners)} winners of {len(results)}"
    return winners[0], [result for result in results if not won(result)]
