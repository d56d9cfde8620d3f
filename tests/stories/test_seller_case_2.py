"""Seller, case 2: a shop that is not Chinese (L5, L27): its anchors abroad give name, nationality and e-mail."""

from clients import picked
from worlds import World, blocked, items, rests_on


async def test_a_local_shop_s_anchor_gives_contact_data_and_goes_on_air(world: World) -> None:  # R11, R6, L5 "只需"
    await world.launch()
    shop = await world.seller("ES")
    ana = await shop.anchor("Ana", "ES")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    asked = room["cast"][0]["requirement"]
    assert rests_on(asked["basis"]) == ("R11", 8, ["L5", "L27", "L18"])
    assert items(asked) == ["CONSENT", "LEGAL_NAME", "NATIONALITY", "EMAIL"]
    await shop.hand_in_contact(ana["id"])
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_its_chinese_anchor_is_no_loophole_and_the_other_reading_is_shown(world: World) -> None:  # R15, A3-A5
    await world.launch()
    shop = await world.seller("ES")
    li = await shop.anchor("李娜", "CN")
    room = await shop.room(picked(li["id"], "OUTSIDE_CHINA"), start=world.tonight())
    answer = await shop.admission(room["id"])
    assert blocked(answer) == [("NOT_SUBMITTED", "李娜")]
    asked = answer["blockers"][0]["requirement"]
    assert asked["path"] == "TAOBAO_APP"
    assert rests_on(asked["basis"]) == ("R15", 6, ["L18"])
    assert asked["basis"]["reading"] == "A3"
    assert [line["line"] for line in asked["basis"]["overrides"]] == ["L5", "L27"]


async def test_its_foreign_anchor_in_china_shows_passport_and_visa(world: World) -> None:  # R15, A3-A5, L18
    shop = await world.seller("ES")
    room = await shop.room(picked((await shop.anchor("Ana", "ES"))["id"], "IN_CHINA"), start=world.tonight())
    asked = room["cast"][0]["requirement"]
    assert asked["path"] == "PASSPORT_VISA"
    assert rests_on(asked["basis"]) == ("R15", 7, ["L18", "L3", "L8"])
    assert [line["line"] for line in asked["basis"]["overrides"]] == ["L27"]
