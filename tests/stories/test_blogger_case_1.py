"""Blogger, case 1: not Chinese, broadcasting from abroad (L7, L29): name, nationality and e-mail."""

import pytest
from clients import picked
from worlds import World, blocked, items, rests_on


@pytest.mark.parametrize(("account", "cell"), [("CN", 12), ("RU", 16)])  # by the anchor, whoever's the account (R15)
async def test_a_local_blogger_gives_contact_data_and_goes_on_air(world: World, account: str, cell: int) -> None:  # R12
    await world.launch()
    blogger = await world.blogger(account)
    ivan = await blogger.anchor("Иван", "RU")
    room = await blogger.room(picked(ivan["id"]), start=world.tonight())
    asked = room["cast"][0]["requirement"]
    assert rests_on(asked["basis"]) == ("R12", cell, ["L7", "L29", "L18"])
    assert items(asked) == ["CONSENT", "LEGAL_NAME", "NATIONALITY", "EMAIL"]
    assert blocked(await blogger.admission(room["id"])) == [("NOT_SUBMITTED", "Иван")]
    await blogger.hand_in_contact(ivan["id"], legalName="Иван Петров", nationality="RU", email="ivan@example.com")
    assert (await blogger.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_the_first_authentication_is_prompted_on_the_home_page(world: World) -> None:  # R17, R28, L13
    await world.launch()
    blogger = await world.blogger("RU")
    ivan = await blogger.anchor("Иван", "RU")
    (account,) = (await blogger.call("ConsoleHome"))["viewer"]["accounts"]
    assert account["console"] == {"canBroadcast": False, "needsFirstAuthentication": True}
    handed_in = await blogger.hand_in_contact(ivan["id"], nationality="RU", entryPoint="CONSOLE_HOME")
    assert handed_in["entryPoint"] == "CONSOLE_HOME"
    (account,) = (await blogger.call("ConsoleHome"))["viewer"]["accounts"]
    assert account["console"] == {"canBroadcast": True, "needsFirstAuthentication": False}
