"""Weighing: a zone that was read only once its photo was handed in tells the reviewer, the gate and the broadcast."""

import json

import asyncpg
import pytest
from clients import Data, Shop, picked
from documents.test_reading_jobs import idle
from photos import an_anchor, evidence, hand_in_papers, ready, working, zone_read
from reviewing import decide, finding, queued, settle
from verifications.test_read_zones import passport
from worlds import World, blocked

from greenroom.graph import read_id
from greenroom.reviews.weighing import Weighing

IN_CHINA = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
KINDS = ("PASSPORT_DATA_PAGE", "WORK_VISA")


@pytest.fixture(autouse=True)
async def no_jobs(boss: asyncpg.Connection) -> None:
    await boss.execute("TRUNCATE jobs.pgqueuer")


async def weigh(world: World, document_id: str) -> None:
    """What the worker does once the zone of this photo was read."""
    key = read_id(document_id)[1]
    weighing = Weighing(world.db, world.services.keys, world.services.pepper, world.clock)
    await weighing.weigh({"account_id": str(key.account_id), "id": str(key.id)})


async def handed_in(world: World, shop: Shop, anchor_id: str, **other: object) -> tuple[Data, str]:
    """An attempt whose photos nobody has read yet; with the passport's page."""
    page, visa = await ready(world, shop, anchor_id, *KINDS)
    given = evidence(world, [page, visa], passportNumber="RU1234578", **other)
    done = await shop.do("SubmitVerification", anchorId=anchor_id, evidence=given, **IN_CHINA)
    return done["verification"], page


async def stored(boss: asyncpg.Connection) -> tuple[set[str], bool | None, int]:
    row = await boss.fetchrow("SELECT mrz_findings, is_under_age, version FROM verifications ORDER BY id DESC LIMIT 1")
    assert row
    return {each["code"] for each in json.loads(row["mrz_findings"])}, row["is_under_age"], row["version"]


async def test_who_is_too_young_by_a_zone_that_is_read_late_goes_off_air(
    world: World, boss: asyncpg.Connection
) -> None:  # X9
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    attempt, page = await handed_in(world, shop, ivan)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    await shop.go_live(room["id"])
    await zone_read(world, page, passport(world, birth="130517", name="SMITH<<JOHN"))
    assert await stored(boss) == (set(), False, 1)
    await weigh(world, page)
    told = {"DATE_OF_BIRTH_MISMATCH", "NAME_MISMATCH"}
    assert await stored(boss) == (told, True, 2)
    assert await queued(world) == 1
    await settle(world, attempt["id"])
    assert blocked(await shop.admission(room["id"])) == [("UNDER_MINIMUM_AGE", "Ivan")]
    assert (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]["status"] == "ENDED"
    await weigh(world, page)
    assert (await stored(boss), await queued(world)) == ((told, True, 2), 1), "twice is once"


async def test_what_agrees_changes_nothing(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    _, page = await handed_in(world, shop, await an_anchor(shop))
    await zone_read(world, page, passport(world))
    await weigh(world, page)
    assert (await stored(boss), await queued(world)) == ((set(), False, 1), 0)
    assert await boss.fetchval("SELECT count(*) FROM events WHERE action = 'VERIFICATION_WEIGHED'") == 0


async def test_it_makes_nobody_older_and_takes_no_finding_back(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    _, page = await handed_in(world, shop, await an_anchor(shop), dateOfBirth="2013-05-17")
    await zone_read(world, page, passport(world))
    await weigh(world, page)
    assert await stored(boss) == ({"DATE_OF_BIRTH_MISMATCH"}, True, 2)


async def test_a_photo_that_stayed_is_weighed_with_the_attempt_that_holds_it_now(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    _, page = await handed_in(world, shop, ivan)
    mended = {"passportVisa": {"legalName": "Ivan Petroff"}}
    await shop.do("SubmitVerification", anchorId=ivan, evidence=mended, **IN_CHINA)
    await zone_read(world, page, passport(world, birth="130517"))
    await weigh(world, page)
    codes, is_under_age, _ = await stored(boss)
    assert (is_under_age, "DATE_OF_BIRTH_MISMATCH" in codes) == (True, True)


async def test_what_is_decided_or_cleared_away_is_left_alone(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    attempt, page = await handed_in(world, shop, ivan)
    await decide(world.staff("REVIEW"), attempt["id"])
    await zone_read(world, page, passport(world, birth="130517"))
    await weigh(world, page)
    assert await stored(boss) == (set(), False, 2)
    (other,) = await ready(world, shop, ivan, "WORK_VISA", seed=9)
    await boss.execute("DELETE FROM documents WHERE handed_in_at IS NULL")
    await weigh(world, other)


async def test_a_barred_number_that_is_read_late_is_barred(world: World) -> None:  # X10
    one, two = await world.seller(), await world.seller()
    refused = await hand_in_papers(world, one, await an_anchor(one))
    await decide(world.staff("REVIEW"), refused["id"], finding("FORGED_DOCUMENT", "PASSPORT"))
    ivan = await an_anchor(two)
    _, page = await handed_in(world, two, ivan)
    room = await two.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert blocked(await two.admission(room["id"])) == []
    before = await queued(world)
    await zone_read(world, page, passport(world, number="RU1234567"))
    await weigh(world, page)
    assert blocked(await two.admission(room["id"])) == [("REJECTED", "Ivan")]
    assert await queued(world) == before + 1


async def test_the_worker_weighs(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    _, page = await handed_in(world, shop, await an_anchor(shop))
    await zone_read(world, page, passport(world, birth="130517"))
    async with working(world):
        await idle(boss)
    assert (await stored(boss))[1] is True
