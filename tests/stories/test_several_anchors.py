"""Several anchors: everyone who appears must be authenticated (L6, L10, L14)."""

from clients import picked
from worlds import World, blocked, rests_on


async def test_all_but_one_ready_is_refused_and_the_one_is_named(world: World) -> None:  # R20, L6, L10, L14
    await world.launch()
    shop = await world.seller("CN")
    ana, ben, ivan = [await shop.anchor(name, code) for name, code in (("Ana", "ES"), ("Ben", "GB"), ("Иван", "RU"))]
    room = await shop.room(*(picked(each["id"]) for each in (ana, ben, ivan)), start=world.tonight())
    await shop.hand_in_contact(ana["id"])
    await shop.hand_in_contact(ivan["id"], nationality="RU", email="ivan@example.com", legalName="Иван Петров")
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("NOT_SUBMITTED", "Ben")]
    assert rests_on(error["blockers"][0]["basis"]) == ("R20", 4, ["L6", "L10", "L14"])
    assert (await shop.call("Admission", {"id": room["id"]}))["node"]["status"] == "SCHEDULED"
    await shop.hand_in_contact(ben["id"], nationality="GB", email="ben@example.com", legalName="Ben Hall")
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_each_takes_the_path_of_their_own_case(world: World) -> None:  # R2, R22, L3, L4, L15
    await world.launch()
    shop = await world.seller("CN")
    li, ana, ben = [await shop.anchor(name, code) for name, code in (("李娜", "CN"), ("Ana", "ES"), ("Ben", "GB"))]
    cast = (picked(li["id"], "IN_CHINA"), picked(ana["id"], "IN_CHINA"), picked(ben["id"], "OUTSIDE_CHINA"))
    room = await shop.room(*cast, start=world.tonight())
    paths = [member["requirement"]["path"] for member in room["cast"]]
    assert paths == ["TAOBAO_APP", "PASSPORT_VISA", "CONTACT"]
    assert blocked(room["admission"]) == [("NOT_SUBMITTED", "李娜"), ("NOT_SUBMITTED", "Ana"), ("NOT_SUBMITTED", "Ben")]
    cells = [rests_on(member["requirement"]["basis"])[:2] for member in room["cast"]]
    assert cells == [("R8", 1), ("R9", 3), ("R10", 4)]


async def test_every_entry_of_the_cast_shows_how_far_its_authentication_is(world: World) -> None:  # R18, L6
    await world.launch()
    shop = await world.seller("CN")
    ana, ben = [await shop.anchor(name, "ES") for name in ("Ana", "Ben")]
    await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), picked(ben["id"]), start=world.tonight())
    shown = [member["verification"] and member["verification"]["status"] for member in room["cast"]]
    assert shown == ["SUBMITTED", None]
    assert [member["requirement"]["isSatisfied"] for member in room["cast"]] == [True, False]


async def test_a_room_with_nobody_in_it_does_not_start(world: World) -> None:  # R21, L6, L10
    await world.launch()
    shop = await world.seller("CN")
    room = await shop.room(start=world.tonight())
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("CAST_EMPTY", None)]
    assert rests_on(error["blockers"][0]["basis"]) == ("R21", None, ["L6", "L10"])


async def test_one_unready_room_leaves_the_others_free(world: World) -> None:  # A16
    await world.launch()
    shop = await world.seller("CN")
    ana, ben = [await shop.anchor(name, "ES") for name in ("Ana", "Ben")]
    await shop.hand_in_contact(ana["id"])
    both = await shop.room(picked(ana["id"]), picked(ben["id"]), start=world.tonight())
    alone = await shop.room(picked(ana["id"]), start=world.tonight())
    assert blocked(await shop.admission(both["id"])) == [("NOT_SUBMITTED", "Ben")]
    assert (await shop.go_live(alone["id"]))["liveRoom"]["status"] == "LIVE"
