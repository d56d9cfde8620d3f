"""Bars: what is final follows the document that was shown, and never the stranger whose number was typed (X10)."""

import asyncpg
import pytest
from clients import Data, Shop, picked
from photos import an_anchor, evidence, hand_in_papers, lasts, ready, zone_read
from reviewing import decide, finding, queue, settle
from verifications.test_papers import zone
from worlds import World, blocked

IN_CHINA = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
FORGED = finding("FORGED_DOCUMENT", "PASSPORT")


async def bars(boss: asyncpg.Connection) -> int:
    found: int = await boss.fetchval("SELECT count(*) FROM bars")
    return found


async def submit(shop: Shop, anchor_id: str, given: Data) -> Data:
    found: Data = (await shop.do("SubmitVerification", anchorId=anchor_id, evidence=given, **IN_CHINA))["verification"]
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


async def forged(world: World, shop: Shop, anchor: str, *, typed: str, shown: str, is_typed: bool) -> Data:
    """An attempt with another number typed than the page has, whose zone was typed or read."""
    ids = await ready(world, shop, anchor, "PASSPORT_DATA_PAGE", "WORK_VISA")
    page, number = zone(world, last_day=lasts(world), number=shown), {"passportNumber": None if is_typed else typed}
    given = evidence(world, ids, legalName="Mal Lory", **number)
    if is_typed:
        given["passportVisa"]["documents"][0]["mrz"] = page
    else:
        await zone_read(world, ids[0], page)
    return await submit(shop, anchor, given)


@pytest.mark.parametrize("is_typed", [False, True])
async def test_the_document_that_was_shown_is_barred_and_not_the_stranger_whose_number_was_typed(
    world: World, is_typed: bool
) -> None:
    one, two, three = await world.seller(), await world.seller(), await world.blogger()
    stranger = await an_anchor(two)
    await hand_in_papers(world, two, stranger, passportNumber="ST1111111", legalName="Stranger One")
    room = await two.room(picked(stranger, "IN_CHINA"), start=world.tonight())
    attempt = await forged(world, one, await an_anchor(one), typed="ST1111111", shown="XX9999999", is_typed=is_typed)
    await decide(world.staff("REVIEW"), attempt["id"], FORGED)
    assert blocked(await two.admission(room["id"])) == []
    again = await an_anchor(three)
    photos = await ready(world, three, again, "PASSPORT_DATA_PAGE", "WORK_VISA", seed=40)
    given = evidence(world, photos, passportNumber="XX9999999", legalName="Pyotr Ivanov")
    (error,) = await three.refused("SubmitVerification", anchorId=again, evidence=given, **IN_CHINA)
    assert error["code"] == "INVALID_STATE"


async def test_a_bar_that_is_set_later_is_found_by_the_number_of_the_zone(world: World) -> None:  # A14
    await world.launch()
    one, two = await world.seller(), await world.seller()
    anchor = await an_anchor(two)
    await forged(world, two, anchor, typed="ZZ0000001", shown="RU1234567", is_typed=False)
    room = await two.room(picked(anchor, "IN_CHINA"), start=world.tonight())
    await two.go_live(room["id"])
    refused = await hand_in_papers(world, one, await an_anchor(one))
    await decide(world.staff("REVIEW"), refused["id"], FORGED)
    await settle(world, refused["id"])
    assert blocked(await two.admission(room["id"])) == [("REJECTED", "Ivan")]
    shown = (await two.call("RoomForEditing", {"id": room["id"]}))["node"]
    assert (shown["status"], shown["endReason"]) == ("ENDED", "REJECTION")
