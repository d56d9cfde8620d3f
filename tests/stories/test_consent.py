"""Consent: before anything sensitive is taken, the anchor agrees to the notice in force (X1)."""

from clients import codes_at, picked
from worlds import World, blocked, items


async def test_without_consent_nothing_is_taken(world: World) -> None:  # X1
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    contact = {"legalName": "Ana García", "nationality": "ES", "email": "ana@example.com"}
    errors = await shop.refused(
        "SubmitVerification",
        anchorId=ana["id"],
        location="OUTSIDE_CHINA",
        entryPoint="ROOM_EDITOR",
        evidence={"contact": contact},
    )
    assert codes_at(errors) == {("REQUIRED", "input.consentVersion")}
    assert errors[0]["requirement"] == "CONSENT"
    history = (await shop.call("AnchorHistory", {"id": ana["id"]}))["node"]
    assert (history["consent"], history["verifications"]["totalCount"]) == (None, 0)


async def test_consent_given_on_its_own_need_not_be_given_again(world: World) -> None:  # X1: once per version
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    notice = (await shop.call("ConsoleHome"))["admissionPolicy"]["notice"]
    assert notice["text"]
    given = await shop.do("GiveConsent", anchorId=ana["id"], noticeVersion=notice["version"])
    assert given["anchor"]["consent"]["noticeVersion"] == notice["version"]
    handed_in = await shop.hand_in_contact(ana["id"], consentVersion=None)
    assert handed_in["status"] == "SUBMITTED"


async def test_a_notice_that_is_not_in_force_is_no_consent(world: World) -> None:  # X1
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    (error,) = await shop.refused("GiveConsent", anchorId=ana["id"], noticeVersion="2019-01")
    assert (error["code"], error["field"]) == ("INVALID", ["input", "noticeVersion"])
    assert "2021-08" in error["message"]  # the one to show


async def test_another_policy_s_notice_is_agreed_to_anew(world: World) -> None:  # X1
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"])
    await world.policy("cn-2026")
    case = {"accountId": shop.account_id, "anchor": {"id": ana["id"]}, "location": "OUTSIDE_CHINA"}
    asked = (await shop.call("RequirementFor", {"input": case}))["verificationRequirement"]
    assert items(asked) == ["CONSENT"]
    given = await shop.do("GiveConsent", anchorId=ana["id"], noticeVersion="2026-01")
    assert given["anchor"]["consent"]["noticeVersion"] == "2026-01"
    asked = (await shop.call("RequirementFor", {"input": case}))["verificationRequirement"]
    assert items(asked) == []


async def test_consent_withdrawn_stops_the_next_start_even_before_the_launch(world: World) -> None:  # X1, the gate
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await world.anchor_row(ana["id"], consent_withdrawn_at=world.clock())
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("CONSENT_WITHDRAWN", "Ana")]
