"""Blogger, case 3: Chinese (L9, L31): real name and face, in the Taobao app, wherever they stand."""

import pytest
from clients import picked
from worlds import World, blocked, items, rests_on


@pytest.mark.parametrize(
    ("account", "place", "cell"),
    [("CN", "IN_CHINA", 9), ("CN", "OUTSIDE_CHINA", 10), ("RU", "IN_CHINA", 13), ("RU", "OUTSIDE_CHINA", 14)],
)
async def test_a_chinese_blogger_authenticates_in_the_taobao_app(
    world: World, account: str, place: str, cell: int
) -> None:  # R3, R14, A7
    await world.launch()
    blogger = await world.blogger(account)
    wang = await blogger.anchor("王芳", "CN")
    room = await blogger.room(picked(wang["id"], place), start=world.tonight())
    answer = await blogger.admission(room["id"])
    assert blocked(answer) == [("NOT_SUBMITTED", "王芳")]
    asked = answer["blockers"][0]["requirement"]
    assert asked["path"] == "TAOBAO_APP"
    assert items(asked) == ["CONSENT", "TAOBAO_AUTHENTICATION"]  # L9 "即可"
    assert rests_on(asked["basis"]) == ("R14", cell, ["L9", "L31"])


@pytest.mark.parametrize("region", ["HK", "MO", "TW"])  # A25
async def test_an_anchor_of_hong_kong_macao_or_taiwan_takes_the_same_path(world: World, region: str) -> None:
    blogger = await world.blogger("CN")
    case = {
        "accountId": blogger.account_id,
        "anchor": {"new": {"displayName": "陳大文", "nationality": region}},
        "location": "OUTSIDE_CHINA",
    }
    asked = (await blogger.call("RequirementFor", {"input": case}))["verificationRequirement"]
    assert asked["path"] == "TAOBAO_APP"
