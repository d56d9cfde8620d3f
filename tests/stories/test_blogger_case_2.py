"""Blogger, case 2: not Chinese, broadcasting from China (L8, L30): photos of passport and work visa."""

import pytest
from clients import picked
from photos import hand_in_papers
from worlds import World, blocked, items, rests_on

from stories.whole_way import the_day_before, the_whole_way


@pytest.mark.parametrize(("account", "cell"), [("CN", 11), ("RU", 15)])
async def test_a_foreign_blogger_in_china_shows_passport_and_visa(world: World, account: str, cell: int) -> None:  # R13
    await world.launch()
    blogger = await world.blogger(account)
    ivan = await blogger.anchor("Иван", "RU")
    room = await blogger.room(picked(ivan["id"], "IN_CHINA"), start=world.tonight())
    asked = room["cast"][0]["requirement"]
    assert asked["path"] == "PASSPORT_VISA"
    assert rests_on(asked["basis"]) == ("R13", cell, ["L8", "L30"])
    assert {"PASSPORT", "RIGHT_TO_WORK"} <= set(items(asked))
    (error,) = await blogger.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("NOT_SUBMITTED", "Иван")]
    await hand_in_papers(world, blogger, ivan["id"])
    assert (await blogger.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_a_refused_photo_is_sent_again_alone_and_approved(stored: World) -> None:  # R36, R37, R38, R39
    await the_whole_way(stored, await stored.blogger("US"), "US")


async def test_a_visa_that_ends_the_day_before_does_not_do(stored: World) -> None:  # X2
    await the_day_before(stored, await stored.blogger("US"), "US")
