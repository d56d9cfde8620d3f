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


async def refused_for_good(world: World, shop: Shop, anchor_id: str, **other: str) -> bool:
    """Whether a hand-in is refused as the gate refuses."""
    photos = await ready(world, shop, anchor_id, "PASSPORT_DATA_PAGE", "WORK_VISA", seed=60)
    given = {"anchorId": anchor_id, "evidence": evidence(world, photos, **other), **IN_CHINA}
    done = (await shop.call("SubmitVerification", {"input": given}))["verificationSubmit"]
    assert {error["code"] for error in done["userErrors"]} <= {"INVALID_STATE"}
    return bool(done["userErrors"])


async def mistaken(world: World, shop: Shop, anchor_id: str) -> None:
    """Somebody hands in a colleague's number by mistake, and withdraws it."""
    wrong = await hand_in_papers(world, shop, anchor_id, passportNumber="BB2222222", legalName="Colleague B")
    await shop.do("CancelVerification", verificationId=wrong["id"], expectedVersion=1)


async def bar_the_colleague(world: World) -> None:
    other = await world.seller()
    found = await hand_in_papers(
        world, other, await an_anchor(other), passportNumber="BB2222222", legalName="Colleague B"
    )
    await decide(world.staff("REVIEW"), found["id"], FORGED)


@pytest.mark.parametrize("is_approved", [False, True])
async def test_a_mistake_that_was_withdrawn_bars_nobody_once_a_reviewer_has_seen_who_it_is(
    world: World, is_approved: bool
) -> None:
    await world.launch()
    shop = await world.blogger()
    ivan = await an_anchor(shop)
    await mistaken(world, shop, ivan)
    world.clock.advance(minutes=1)
    mine = await hand_in_papers(world, shop, ivan)
    if is_approved:
        await decide(world.staff("REVIEW"), mine["id"])
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert blocked(await shop.admission(room["id"])) == []
    await bar_the_colleague(world)
    assert blocked(await shop.admission(room["id"])) == ([] if is_approved else [("REJECTED", "Ivan")])
    assert await refused_for_good(world, shop, ivan) is not is_approved, "the gate and the hand-in agree"


async def test_an_approval_from_before_settles_nothing_nor_does_one_that_saw_no_passport(world: World) -> None:
    shop, reviewer = await world.blogger(), world.staff("REVIEW")
    ivan = await an_anchor(shop)
    mine = await hand_in_papers(world, shop, ivan)
    await decide(reviewer, mine["id"])
    world.clock.advance(minutes=1)
    await mistaken(world, shop, ivan)
    world.clock.advance(minutes=1)
    contact = await shop.hand_in_contact(ivan, legalName="Ivan Petrov", nationality="RU", email="i@example.com")
    await decide(reviewer, contact["id"])
    await bar_the_colleague(world)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert ("REJECTED", "Ivan") in blocked(await shop.admission(room["id"]))
    assert await refused_for_good(world, shop, ivan)


async def test_who_was_superseded_with_a_barred_passport_stays_barred(world: World) -> None:
    shop, reviewer = await world.blogger(), world.staff("REVIEW")
    ivan = await an_anchor(shop)
    for number in ("BB2222222", "RU1234567"):
        done = await hand_in_papers(world, shop, ivan, passportNumber=number)
        await decide(reviewer, done["id"])
        world.clock.advance(minutes=1)
    await bar_the_colleague(world)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert ("REJECTED", "Ivan") in blocked(await shop.admission(room["id"]))
    assert await refused_for_good(world, shop, ivan)


async def test_where_a_zone_s_issuing_state_is_unknown_the_typed_one_stands_for_it(world: World) -> None:
    one, two = await world.seller(), await world.blogger()
    refused = await hand_in_papers(world, one, await an_anchor(one))
    await decide(world.staff("REVIEW"), refused["id"], FORGED)
    ivan = await an_anchor(two)
    photos = await ready(world, two, ivan, "PASSPORT_DATA_PAGE", "WORK_VISA", seed=60)
    page = zone(world, last_day=lasts(world)).replace("P<RUS", "P<UTO")
    await zone_read(world, photos[0], page)
    given = evidence(world, photos, passportNumber="ZZ0000001", legalName="Pyotr Ivanov")
    (error,) = await two.refused("SubmitVerification", anchorId=ivan, evidence=given, **IN_CHINA)
    assert error["code"] == "INVALID_STATE"
