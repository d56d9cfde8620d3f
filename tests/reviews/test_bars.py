"""Bars: what is final follows the document that was shown, and never the stranger whose number was typed (X10)."""

import asyncpg
from photos import an_anchor, hand_in_papers
from reviewing import decide, finding, queue
from worlds import World

FORGED = finding("FORGED_DOCUMENT", "PASSPORT")


async def bars(boss: asyncpg.Connection) -> int:
    found: int = await boss.fetchval("SELECT count(*) FROM bars")
    return found


async def test_who_shows_another_s_passport_bars_nobody_whatever_else_is_final(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    attempt = await hand_in_papers(world, shop, await an_anchor(shop))
    stolen = finding("IMPERSONATION", "PASSPORT")
    await decide(world.staff("REVIEW_LEAD"), attempt["id"], finding("FORGED_DOCUMENT", "RIGHT_TO_WORK"), stolen)
    assert await bars(boss) == 0


async def test_a_bar_that_takes_a_lead_is_seen_by_one(world: World, boss: asyncpg.Connection) -> None:
    victim, rival, reviewer = await world.seller(), await world.blogger(), world.staff("REVIEW")
    genuine = await hand_in_papers(world, victim, await an_anchor(victim))
    await decide(reviewer, genuine["id"])
    forged = await hand_in_papers(world, rival, await an_anchor(rival), legalName="Mal Lory")
    await decide(reviewer, forged["id"], FORGED)
    assert await bars(boss) == 0
    (task,) = await queue(world.staff("REVIEW_LEAD", subject="lead"), isEscalated=True, state="DECIDED")
    assert (task["verification"]["id"], task["isEscalated"]) == (forged["id"], True)
