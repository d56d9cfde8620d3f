"""What a rejection does to broadcasts that are running: flagged, or ended, in whatever account (A14, R39)."""

import asyncio

import asyncpg
import pytest
from clients import Shop, newcomer, picked
from photos import an_anchor, hand_in_papers, working
from reviewing import decide, finding, queue, settle
from worlds import World, ready

from greenroom.db import Busy
from greenroom.graph import read_id
from rooms.test_races import events

UNVERIFIED = finding("EMAIL_UNVERIFIED", "EMAIL")
FORGED = finding("FORGED_DOCUMENT", "PASSPORT")


async def shown(shop: Shop, room_id: str) -> tuple[str, bool, str | None]:
    found = (await shop.call("RoomForEditing", {"id": room_id}))["node"]
    return found["status"], found["isFlagged"], found["endReason"]


async def on_air(world: World, shop: Shop) -> tuple[str, str]:
    """A broadcast with Ana, who handed in contact data; returns the ids of the room and of her attempt."""
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    (task,) = [t for t in await queue(world.staff("REVIEW")) if t["verification"]["anchor"]["id"] == ana["id"]]
    return room["id"], task["verification"]["id"]


async def test_what_can_be_mended_flags_the_broadcast_and_lets_it_go_on(
    world: World, boss: asyncpg.Connection
) -> None:  # R39
    await world.launch()
    shop = await world.seller()
    room, attempt = await on_air(world, shop)
    await decide(world.staff("REVIEW"), attempt, UNVERIFIED)
    for _ in range(2):
        await settle(world, attempt)
    assert await shown(shop, room) == ("LIVE", True, None)
    assert await events(boss, "LIVE_ROOM_FLAGGED", "LIVE_ROOM_ENDED") == ["LIVE_ROOM_FLAGGED"], "once"
    await shop.do("RenewTicket", liveRoomId=room)
    await shop.do("EndRoom", liveRoomId=room)
    await settle(world, attempt)
    assert await shown(shop, room) == ("ENDED", True, None), "that it was flagged stays, and nothing else is done"


async def test_under_the_stricter_policy_it_ends(world: World) -> None:  # A14, CUT
    shop = await world.seller()
    room, attempt = await on_air(world, shop)
    await world.policy("cn-2026", launch_at=world.clock.now)
    await decide(world.staff("REVIEW"), attempt, UNVERIFIED)
    await settle(world, attempt)
    assert await shown(shop, room) == ("ENDED", True, "REJECTION")


async def test_while_the_rules_are_observed_it_is_flagged_at_most(world: World) -> None:  # R30
    shop = await world.seller()
    room, attempt = await on_air(world, shop)
    await decide(world.staff("REVIEW"), attempt, UNVERIFIED)
    await settle(world, attempt)
    assert await shown(shop, room) == ("LIVE", True, None)


async def test_what_is_final_ends_it_whatever_the_policy_in_every_account(
    world: World, boss: asyncpg.Connection
) -> None:  # A14, X10
    first, second, third = await world.seller(), await world.blogger(), await world.blogger()
    rooms = []
    for shop, other in ((first, {}), (second, {}), (third, {"passportNumber": "RU7654321"})):
        ivan = await an_anchor(shop)
        attempt = await hand_in_papers(world, shop, ivan, legalName=f"Ivan {shop.external_id}", **other)
        room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
        await shop.go_live(room["id"])
        rooms.append((shop, room["id"], attempt["id"]))
    refused = rooms[0][2]
    await decide(world.staff("REVIEW"), refused, FORGED)
    await settle(world, refused)
    found = [await shown(shop, room) for shop, room, _ in rooms]
    assert found == [("ENDED", True, "REJECTION"), ("ENDED", True, "REJECTION"), ("LIVE", False, None)]
    assert await events(boss, "LIVE_ROOM_ENDED") == ["LIVE_ROOM_ENDED"] * 2
    said = await boss.fetch("SELECT detail->>'blockers' AS codes FROM events WHERE action = 'LIVE_ROOM_ENDED'")
    assert {row["codes"] for row in said} == {'["REJECTED"]'}
    (error,) = await second.refused("RenewTicket", liveRoomId=rooms[1][1])
    assert error["code"] == "INVALID_STATE"


async def test_a_room_that_others_hold_keeps_no_other_on_air(world: World, boss: asyncpg.Connection) -> None:
    await world.launch()
    shop = await world.seller()
    ana = await ready(shop)
    rooms = []
    for _ in range(3):
        rooms.append((await shop.room(picked(ana["id"]), start=world.tonight()))["id"])
        await shop.go_live(rooms[-1])
    (task,) = await queue(world.staff("REVIEW"))
    attempt = task["verification"]["id"]
    await decide(world.staff("REVIEW"), attempt, UNVERIFIED)
    held = read_id(rooms[0])[1].id
    async with boss.transaction():
        await boss.execute("SELECT FROM live_rooms WHERE id = $1 FOR UPDATE", held)
        with pytest.raises(Busy):
            await settle(world, attempt)
    flagged = {row["id"] for row in await boss.fetch("SELECT id FROM live_rooms WHERE is_flagged")}
    assert flagged == {read_id(room)[1].id for room in rooms[1:]}
    await settle(world, attempt)
    assert await boss.fetchval("SELECT bool_and(is_flagged) FROM live_rooms")


async def test_a_broadcast_of_others_is_left_alone(world: World) -> None:
    await world.launch()
    shop = await world.seller()
    room, attempt = await on_air(world, shop)
    ben = await shop.anchor("Ben")
    await shop.hand_in_contact(ben["id"], legalName="Ben Ruiz", email="ben@example.com")
    other = await shop.room(picked(ben["id"]), start=world.tonight())
    await shop.go_live(other["id"])
    await decide(world.staff("REVIEW"), attempt, UNVERIFIED)
    await settle(world, attempt)
    assert await shown(shop, other["id"]) == ("LIVE", False, None)
    assert await shown(shop, room) == ("LIVE", True, None)


async def test_a_worker_does_it_by_itself(world: World, boss: asyncpg.Connection) -> None:
    await world.launch()
    shop = await world.seller()
    room, attempt = await on_air(world, shop)

    await decide(world.staff("REVIEW"), attempt, UNVERIFIED)
    written = "SELECT is_flagged FROM live_rooms"
    assert await boss.fetchval(written) is False
    async with working(world), asyncio.timeout(30):
        while not await boss.fetchval(written):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.05)
    assert await shown(shop, room) == ("LIVE", True, None)


async def test_an_unready_newcomer_is_no_rejection(world: World) -> None:
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), newcomer("Ben"), start=world.tonight())
    await shop.go_live(room["id"])
    await world.launch()
    (task,) = await queue(world.staff("REVIEW"))
    await decide(world.staff("REVIEW"), task["verification"]["id"])
    await settle(world, task["verification"]["id"])
    assert await shown(shop, room["id"]) == ("LIVE", False, None)
