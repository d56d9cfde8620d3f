"""Seller, case 1: a Chinese shop and its Chinese anchor (L2, L24): real name and face, in the Taobao app."""

import pytest
from clients import codes_at, picked
from worlds import World, blocked, items, rests_on


@pytest.mark.parametrize("place", ["IN_CHINA", "OUTSIDE_CHINA"])  # A7: also a Chinese anchor abroad
async def test_the_console_asks_for_the_taobao_app_and_for_nothing_else(world: World, place: str) -> None:  # R3, R8
    shop = await world.seller("CN")
    li = await shop.anchor("李娜", "CN")
    case = {"accountId": shop.account_id, "anchor": {"id": li["id"]}, "location": place}
    asked = (await shop.call("RequirementFor", {"input": case}))["verificationRequirement"]
    assert asked["path"] == "TAOBAO_APP"
    assert items(asked) == ["CONSENT", "TAOBAO_AUTHENTICATION"]  # L2 "即可"
    assert rests_on(asked["basis"]) == ("R8", 1 if place == "IN_CHINA" else 2, ["L2", "L24"])


async def test_she_is_told_in_chinese_to_authenticate_in_the_taobao_app(world: World) -> None:  # L2, L24, X8
    shop = await world.seller("CN")
    shop.language = "zh"
    room = await shop.room(picked((await shop.anchor("李娜", "CN"))["id"], "IN_CHINA"), start=world.tonight())
    (member,) = room["cast"]
    assert "在淘宝APP完成实名认证和人脸识别" in [item["label"] for item in member["requirement"]["items"]]


async def test_once_enforced_she_is_not_admitted_without_it(world: World) -> None:  # R32, L11, L33
    await world.launch()
    shop = await world.seller("CN")
    room = await shop.room(picked((await shop.anchor("李娜", "CN"))["id"], "IN_CHINA"), start=world.tonight())
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert error["code"] == "ADMISSION_REFUSED"
    assert blocked(error) == [("NOT_SUBMITTED", "李娜")]
    assert error["blockers"][0]["requirement"]["path"] == "TAOBAO_APP"
    assert rests_on(error["blockers"][0]["basis"]) == ("R20", 1, ["L6", "L10", "L14"])


async def test_contact_data_do_not_stand_in_for_the_app(world: World) -> None:  # R16, L2 "按系统提示"
    await world.launch()
    shop = await world.seller("CN")
    li = await shop.anchor("李娜", "CN")
    room = await shop.room(picked(li["id"], "IN_CHINA"), start=world.tonight())
    contact = {"legalName": "Li Na", "nationality": "CN", "email": "li@example.com"}
    errors = await shop.refused(
        "SubmitVerification",
        anchorId=li["id"],
        location="IN_CHINA",
        entryPoint="CONSOLE_HOME",
        consentVersion="2021-08",
        evidence={"contact": contact},
    )
    assert codes_at(errors) == {("WRONG_PATH", "input.evidence.contact")}
    assert "the Taobao app" in errors[0]["message"]
    assert blocked(await shop.admission(room["id"])) == [("NOT_SUBMITTED", "李娜")]


async def test_with_the_app_s_result_open_she_may_go_on_air(world: World) -> None:  # R33, A13, L12, L34
    await world.launch()
    shop = await world.seller("CN")
    li = await shop.anchor("李娜", "CN")
    room = await shop.room(picked(li["id"], "IN_CHINA"), start=world.tonight())
    await world.attempt(li["id"], "TAOBAO_APP", "DRAFT")  # the link was made and opened: that is nothing yet (R34)
    assert blocked(await shop.admission(room["id"])) == [("NOT_SUBMITTED", "李娜")]
    await world.attempt(li["id"], "TAOBAO_APP", "SUBMITTED")
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"
