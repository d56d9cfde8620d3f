"""What comes with time: who is in the cast of a room ahead is warned of an end at 30 days and at 7, each once."""

from datetime import datetime, timedelta

import asyncpg
import pytest
from events.changes import appended, idle, rows, unaccounted
from race import race
from worlds import World

from greenroom.events.actions import Unbroken, verify_chains
from greenroom.graph import read_id
from greenroom.rooms.lapses import LAPSING, NEARING
from rooms.test_lapses import EXPIRING, a_room, account_of, approved, held, lapses, looking, row_id, status, warned

EXPIRES = "query($id: ID!) { node(id: $id) { ... on Verification { expiresAt } } }"


async def test_who_has_a_room_ahead_is_warned_at_30_days_and_at_7_and_the_log_says_so(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    anchor, attempt = await approved(world, shop, days=31)
    await a_room(world, shop, anchor)
    turns = []
    before = await rows(boss)
    for _ in range(32):
        turns += [await lapses(world).warn(), await lapses(world).warn()]
        world.clock.advance(days=1)
    after = await rows(boss)
    assert [(turn // 2, count) for turn, count in enumerate(turns) if count] == [(1, 1), (24, 1)]
    assert await warned(boss) == [30, 7]
    assert (unaccounted(before, after), idle(before, after)) == ([], [])
    first, second = appended(before, after)
    ends_at = datetime.fromisoformat(after["verifications"][first["account_id"], first["subject_id"]]["ends_at"])
    assert first["detail"] == {"path": "PASSPORT_VISA", "days": 30, "ends_at": ends_at.isoformat()}
    assert second["detail"] == first["detail"] | {"days": 7}
    assert (first["anchor_id"], first["actor_kind"]) == (str(row_id(anchor)), "SERVICE")
    assert await status(boss, attempt) == ("APPROVED", 1), "nothing that a client could be late for"


async def test_what_is_first_seen_within_7_days_is_warned_of_once(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=5)
    await a_room(world, shop, anchor)
    for _ in range(3):
        await lapses(world).turn()
    assert await warned(boss) == [7]


async def test_what_awaits_its_review_is_warned_of_too_and_not_again_once_approved(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    anchor, attempt = await approved(world, shop, days=20, status="SUBMITTED")
    await a_room(world, shop, anchor)
    assert await lapses(world).warn() == 1
    await world.decide(attempt, "APPROVED")
    assert await lapses(world).warn() == 0, "it is the same attempt, with the same end"


async def test_several_rooms_ahead_make_one_warning(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=20)
    for hours in (30, 20, 20, 10, 40):
        await a_room(world, shop, anchor, hours=hours)
    assert await lapses(world, at_once=2).warn() == 1


async def test_people_of_any_account_are_warned_in_several_looks(world: World, boss: asyncpg.Connection) -> None:
    made = []
    for shop in (await world.seller(), await world.blogger()):
        for n in range(5):
            anchor, attempt = await approved(world, shop, days=20, name=f"Ivan {n}")
            lasting, _ = await approved(world, shop, days=200, name=f"Olga {n}")
            await a_room(world, shop, lasting)
            await a_room(world, shop, anchor, lasting, hours=5 + n // 2)
            made.append(attempt)
    assert await lapses(world, at_once=3).warn() == 10
    assert [await warned(boss, attempt) for attempt in made] == [[30]] * 10
    assert all([isinstance(each, Unbroken) async for each in verify_chains(world.db)])


async def test_of_several_workers_one_warns(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=20)
    await a_room(world, shop, anchor)
    assert sorted(await race(world, *(lapses(world).warn for _ in range(4)))) == [0, 0, 0, 1]
    assert await warned(boss) == [30]


async def test_nobody_is_warned_without_a_room_ahead_until_there_is_one(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=20)
    colleague, _ = await approved(world, shop, days=200, name="Olga")
    await a_room(world, shop, colleague)
    for state in ("canceled", "live", "past"):
        room = await a_room(world, shop, anchor, hours=1)
        if state == "canceled":
            await shop.do("CancelRoom", liveRoomId=room)
        if state == "live":
            await shop.go_live(room)
    world.clock.advance(hours=2)
    assert await lapses(world).warn() == 0
    await a_room(world, shop, anchor)
    assert await lapses(world).warn() == 1
    assert await warned(boss) == [30]


async def test_a_room_that_was_canceled_since_the_look_warns_nobody(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=20)
    room = await a_room(world, shop, anchor)
    found = await world.db.rows(NEARING, LAPSING, **looking(world))
    assert [row["id"] for row in found] != [None]
    await shop.do("CancelRoom", liveRoomId=room)
    async with world.db.transaction(account_of(shop)) as tx:
        assert await lapses(world)._warn(tx, read_id(anchor)[1]) == 0


@pytest.mark.parametrize("meanwhile", ["CANCELED", "REVOKED"])
async def test_what_was_decided_meanwhile_is_not_warned_of(
    meanwhile: str, world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    anchor, _ = await approved(world, shop, days=20)
    await a_room(world, shop, anchor)
    async with held(boss, "SELECT FROM anchors FOR UPDATE", lapses(world).warn()):
        await boss.execute("UPDATE verifications SET status = $1", meanwhile)
    assert await warned(boss) == []


async def test_what_counts_no_more_is_not_warned_of(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    renewed, _ = await approved(world, shop, days=20, name="renewed")
    newer = await world.attempt(renewed, ends_at=world.clock.now + timedelta(days=25))
    refused, _ = await approved(world, shop, days=20, name="refused")
    await world.attempt(refused, status="REJECTED", findings=[("NATIONALITY_MISMATCH", "NATIONALITY")])
    naturalised, _ = await approved(world, shop, days=20, name="naturalised", nationality="UA")
    await a_room(world, shop, renewed, refused, naturalised)
    assert await lapses(world).warn() == 1
    assert await warned(boss, newer) == [30]


async def test_the_refresh_is_warned_of_where_the_policy_asks_for_one(
    world: World, boss: asyncpg.Connection
) -> None:  # A9
    shop = await world.seller()
    long_ago = world.clock.now - timedelta(days=176)
    anchor, attempt = await approved(world, shop, days=None, at=long_ago)
    await a_room(world, shop, anchor)
    assert await lapses(world).warn() == 0
    await world.policy("cn-2026")
    assert await lapses(world).warn() == 1
    said = await boss.fetchval(f"SELECT detail ->> 'ends_at' FROM events WHERE action = '{EXPIRING}'")
    shown = (await shop.ask(EXPIRES, {"id": attempt}))["node"]["expiresAt"]
    assert datetime.fromisoformat(said) == datetime.fromisoformat(shown)


async def test_the_account_finds_the_warning_in_its_log_with_the_attempt(
    world: World, boss: asyncpg.Connection
) -> None:
    shop, stranger = await world.seller(), await world.seller()
    anchor, attempt = await approved(world, shop, days=20)
    await a_room(world, shop, anchor)
    await lapses(world).turn()
    newest = (await shop.call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"][0]["node"]
    assert (newest["action"], newest["actorName"]) == (EXPIRING, "Platform service")
    assert newest["subject"] == {"__typename": "PassportVisaVerification", "id": attempt}
    theirs = (await stranger.call("AccountLog", {"id": stranger.account_id}))["account"]["auditEvents"]["edges"]
    assert EXPIRING not in [edge["node"]["action"] for edge in theirs]
