"""Repeat authentication: an anchor may do it again, and one person may serve many accounts (L15, L12)."""

from clients import picked
from photos import hand_in_papers
from worlds import World, blocked, items


async def test_a_new_attempt_does_not_spoil_the_one_that_holds(world: World) -> None:  # R24, L15
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    first = await shop.hand_in_contact(ana["id"])
    await world.decide(first["id"], "APPROVED")
    second = await shop.hand_in_contact(ana["id"], email="new.address@example.com")
    assert second["id"] != first["id"]
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert room["cast"][0]["verification"]["id"] == first["id"]  # approved keeps counting while the new one is open
    await world.decide(second["id"], "REJECTED", findings=[("EMAIL_UNVERIFIED", "EMAIL")])
    assert (await shop.admission(room["id"]))["isAdmitted"]  # the reason concerns the new one alone
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_after_a_rejection_only_what_failed_is_asked_again(world: World) -> None:  # R37, R38, L11, L12
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    first = await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    words = ("EMAIL_UNVERIFIED", "EMAIL", "The mail came back.")
    await world.decide(first["id"], "REJECTED", findings=[words])
    answer = await shop.admission(room["id"])
    assert blocked(answer) == [("RESUBMIT", "Ana")]
    asked = answer["blockers"][0]["requirement"]
    assert items(asked) == ["EMAIL"]
    assert items(asked, "ACCEPTED") == ["CONSENT", "LEGAL_NAME", "NATIONALITY"]
    email = next(item for item in asked["items"] if item["kind"] == "EMAIL")
    said = {"code": "EMAIL_UNVERIFIED", "message": "The mail came back.", "requirement": "EMAIL"}
    assert email["findings"] == [said | {"documentKind": None}]
    again = await shop.hand_in_contact(ana["id"], email="ana.garcia@example.com")
    assert again["status"] == "SUBMITTED"
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_one_person_serves_two_accounts_that_know_nothing_of_each_other(world: World) -> None:  # R23, A18, L15
    await world.launch()
    shop, blogger = await world.seller("CN"), await world.blogger("RU")
    here, there = await shop.anchor("Ana", "ES"), await blogger.anchor("Ana", "ES")
    await shop.hand_in_contact(here["id"])
    hers = await shop.room(picked(here["id"]), start=world.tonight())
    theirs = await blogger.room(picked(there["id"]), start=world.tonight())
    assert (await shop.admission(hers["id"]))["isAdmitted"]
    assert blocked(await blogger.admission(theirs["id"])) == [("NOT_SUBMITTED", "Ana")]  # authenticates there too
    await blogger.hand_in_contact(there["id"])  # the same name and e-mail, without conflict
    assert (await blogger.go_live(theirs["id"]))["liveRoom"]["status"] == "LIVE"
    assert (await shop.go_live(hers["id"]))["liveRoom"]["status"] == "LIVE"
    history = (await blogger.call("AnchorHistory", {"id": there["id"]}))["node"]
    assert history["verifications"]["totalCount"] == 1


async def test_a_traveller_holds_an_attempt_on_each_of_two_paths(world: World) -> None:  # the gate: within one path
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"])
    await hand_in_papers(world, shop, ana["id"], nationality="ES")
    abroad = await shop.room(picked(ana["id"], "OUTSIDE_CHINA"), start=world.tonight())
    inland = await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight(30))
    assert abroad["cast"][0]["verification"]["path"] == "CONTACT"
    assert inland["cast"][0]["verification"]["path"] == "PASSPORT_VISA"
    assert abroad["admission"]["isAdmitted"]
    assert inland["admission"]["isAdmitted"]
