"""Seller, case 1.2: a Chinese shop, a foreign anchor abroad (L4, L26): name, nationality and e-mail."""

from clients import codes_at, newcomer, picked
from worlds import World, blocked, items, rests_on


async def test_a_local_anchor_abroad_hands_in_contact_data_and_goes_on_air(world: World) -> None:  # R10, R33, L12
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    answer = await shop.admission(room["id"])
    assert not answer["isAdmitted"]
    assert blocked(answer) == [("NOT_SUBMITTED", "Ana")]
    asked = answer["blockers"][0]["requirement"]
    assert rests_on(asked["basis"]) == ("R10", 4, ["L4", "L26", "L18"])
    assert items(asked) == ["CONSENT", "LEGAL_NAME", "NATIONALITY", "EMAIL"]
    assert (await shop.hand_in_contact(ana["id"]))["status"] == "SUBMITTED"
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_all_that_is_missing_is_told_at_once(world: World) -> None:  # R6, R35, L4, L18
    shop = await world.seller("CN")
    room = await shop.room(newcomer("Ana", "ES"), start=world.tonight())
    ana = room["cast"][0]["anchor"]
    errors = await shop.refused(
        "SubmitVerification",
        anchorId=ana["id"],
        location="OUTSIDE_CHINA",
        entryPoint="ROOM_EDITOR",
        evidence={"contact": {}},
    )
    assert codes_at(errors) == {
        ("REQUIRED", "input.consentVersion"),
        ("REQUIRED", "input.evidence.contact.legalName"),
        ("REQUIRED", "input.evidence.contact.nationality"),
        ("REQUIRED", "input.evidence.contact.email"),
    }
    assert [error["requirement"] for error in errors] == ["CONSENT", "LEGAL_NAME", "NATIONALITY", "EMAIL"]
    history = (await shop.call("AnchorHistory", {"id": ana["id"]}))["node"]
    assert history["verifications"]["totalCount"] == 0  # refused whole: nothing was written
