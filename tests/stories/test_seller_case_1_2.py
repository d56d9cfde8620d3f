"""Seller, case 1.2: a Chinese shop, a foreign anchor abroad (L4, L26): name, nationality and e-mail."""

from clients import picked
from worlds import World


async def test_a_local_anchor_abroad_hands_in_contact_data_and_goes_on_air(world: World) -> None:  # R10, R33, L12
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    answer = await shop.admission(room["id"])
    assert not answer["isAdmitted"]
    (blocker,) = answer["blockers"]
    assert (blocker["code"], blocker["castMember"]["anchor"]["displayName"]) == ("NOT_SUBMITTED", "Ana")
    basis = blocker["requirement"]["basis"]
    assert (basis["rule"], basis["cell"], [line["line"] for line in basis["lines"]]) == ("R10", 4, ["L4", "L26", "L18"])
    assert (await shop.hand_in_contact(ana["id"]))["status"] == "SUBMITTED"
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"
