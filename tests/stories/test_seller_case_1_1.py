"""Seller, case 1.1: a Chinese shop, a foreign anchor in China (L3, L25): photos of passport and work visa."""

from clients import codes_at, picked
from photos import evidence, glaring, hand_in_papers, ready, sent
from worlds import World, blocked, items, rests_on

from stories.whole_way import the_day_before, the_whole_way


async def test_the_room_editor_asks_for_passport_and_work_visa(world: World) -> None:  # R5, R9, R17
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    room = await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight())
    asked = room["cast"][0]["requirement"]
    assert asked["path"] == "PASSPORT_VISA"
    assert rests_on(asked["basis"]) == ("R9", 3, ["L3", "L25"])
    assert {"PASSPORT", "RIGHT_TO_WORK"} <= set(items(asked))
    permits = next(item for item in asked["items"] if item["kind"] == "RIGHT_TO_WORK")["accepts"]
    assert permits == [["WORK_VISA"], ["RESIDENCE_PERMIT", "WORK_PERMIT"], ["PERMANENT_RESIDENCE_CARD"]]  # A21


async def test_name_and_e_mail_are_not_enough_for_who_works_in_china(world: World) -> None:  # R16, L18
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    room = await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight())
    errors = await shop.refused(
        "SubmitVerification",
        anchorId=ana["id"],
        location="IN_CHINA",
        entryPoint="ROOM_EDITOR",
        consentVersion="2021-08",
        evidence={"contact": {"legalName": "Ana García", "nationality": "ES", "email": "ana@example.com"}},
    )
    assert codes_at(errors) == {("WRONG_PATH", "input.evidence.contact")}
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("NOT_SUBMITTED", "Ana")]
    assert rests_on(error["blockers"][0]["requirement"]["basis"]) == ("R9", 3, ["L3", "L25"])


async def test_who_gave_contact_data_abroad_and_comes_to_china_is_asked_anew(world: World) -> None:  # R2, A8, L3, L4
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight())
    answer = await shop.admission(room["id"])
    assert blocked(answer) == [("PATH_CHANGED", "Ana")]
    assert rests_on(answer["blockers"][0]["basis"]) == ("R9", 3, ["L3", "L25"])
    abroad = await shop.room(picked(ana["id"]), start=world.tonight())
    assert (await shop.admission(abroad["id"]))["isAdmitted"]


async def test_handed_in_photos_admit_before_anybody_has_looked_at_them(world: World) -> None:  # R33, R36, L12
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    room = await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight())
    await hand_in_papers(world, shop, ana["id"], nationality="ES")
    assert (await shop.go_live(room["id"]))["admission"]["isAdmitted"]


async def test_a_photo_that_glares_is_told_at_once_and_the_better_one_handed_in(world: World) -> None:  # R5, L3
    await world.launch()
    shop = await world.seller("CN")
    ana = (await shop.anchor("Ana", "ES"))["id"]
    room = await shop.room(picked(ana, "IN_CHINA"), start=world.tonight())
    await shop.do("GiveConsent", anchorId=ana, noticeVersion="2021-08")
    poor = await sent(world, shop, ana, glaring(), "WORK_VISA")
    assert poor["status"] == "READY", "it may be handed in all the same"
    assert [finding["code"] for finding in poor["findings"]] == ["IMAGE_GLARE"]
    page, better = await ready(world, shop, ana, "PASSPORT_DATA_PAGE", "WORK_VISA")
    await shop.do(
        "SubmitVerification",
        anchorId=ana,
        evidence=evidence(world, [page, better], nationality="ES"),
        location="IN_CHINA",
        entryPoint="ROOM_EDITOR",
    )
    assert (await shop.go_live(room["id"]))["admission"]["isAdmitted"]
    (left,) = (await shop.call("AnchorHistory", {"id": ana}))["node"]["documents"]
    assert left["id"] == poor["id"], "what was not handed in is still there to see"


async def test_a_visa_that_ends_the_day_before_the_broadcast_is_told_when_the_room_is_made(world: World) -> None:  # X2
    await world.launch()
    shop = await world.seller("CN")
    ana = (await shop.anchor("Ana", "ES"))["id"]
    await hand_in_papers(world, shop, ana, nationality="ES", last_days=(400, 9))
    in_time = await shop.room(picked(ana, "IN_CHINA"), start=world.tonight(hours=24 * 9 - 12))
    too_late = await shop.room(picked(ana, "IN_CHINA"), start=world.tonight(hours=24 * 10))
    assert in_time["admission"]["isAdmitted"]
    assert blocked(await shop.admission(too_late["id"])) == [("DOCUMENT_EXPIRES_BEFORE_BROADCAST", "Ana")]


async def test_a_refused_photo_is_sent_again_alone_and_approved(stored: World) -> None:  # R36, R37, R38, R39
    await the_whole_way(stored, await stored.seller("CN"), "ES")


async def test_a_visa_that_ends_the_day_before_does_not_do(stored: World) -> None:  # X2
    await the_day_before(stored, await stored.seller("CN"), "ES")
