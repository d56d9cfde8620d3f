"""Remembered anchors: who authenticated under an account is offered when its next room is made (L10, L13)."""

from clients import Data, Shop, newcomer, picked
from worlds import World, blocked


async def remembered(shop: Shop, **more: str) -> list[Data]:
    found = await shop.call("RememberedAnchors", {"accountId": shop.account_id, **more})
    edges: list[Data] = found["account"]["rememberedAnchors"]["edges"]
    return edges


async def test_the_next_room_is_made_with_the_anchors_of_the_last(world: World) -> None:  # R25, R26, L10
    await world.launch()
    shop = await world.seller("CN")
    first = await shop.room(newcomer("Ana", "ES"), newcomer("Ben", "ES"), start=world.tonight())
    ana, ben = (member["anchor"] for member in first["cast"])
    assert await remembered(shop) == []  # nobody has authenticated yet
    await shop.hand_in_contact(ana["id"])
    await shop.hand_in_contact(ben["id"], email="ben@example.com", legalName="Ben Hall")
    await shop.go_live(first["id"])
    offered = await remembered(shop)
    assert {edge["node"]["displayName"] for edge in offered} == {"Ana", "Ben"}
    assert {edge["lastLocation"] for edge in offered} == {"OUTSIDE_CHINA"}  # A8: offered as the default
    assert all(edge["lastAppearedAt"] and edge["rememberedAt"] for edge in offered)
    second = await shop.room(*(picked(edge["node"]["id"]) for edge in offered), start=world.tonight(30))
    assert second["admission"]["isAdmitted"]  # no second upload (A9)
    assert (await shop.go_live(second["id"]))["liveRoom"]["status"] == "LIVE"


async def test_being_remembered_is_not_being_cast(world: World) -> None:  # R29, L6, L13
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"])
    room = await shop.room(start=world.tonight())
    assert blocked(await shop.admission(room["id"])) == [("CAST_EMPTY", None)]
    changed = await shop.do("UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"])])
    (member,) = changed["liveRoom"]["cast"]
    assert member["confirmedAt"]  # picked with a place: that is the confirmation (A9)
    assert changed["liveRoom"]["viewerCanGoLive"]


async def test_no_other_account_sees_or_casts_them(world: World) -> None:  # R23, R26
    shop, other = await world.seller("CN"), await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"])
    assert await remembered(other) == []
    assert (await other.call("RememberedAnchors", {"accountId": shop.account_id}))["account"] is None
    assert (await other.call("AnchorHistory", {"id": ana["id"]}))["node"] is None
    (error,) = await other.refused(
        "CreateRoom",
        accountId=other.account_id,
        title="Borrowed",
        scheduledStartAt=world.tonight(),
        cast=[picked(ana["id"])],
    )
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "cast", "0", "anchor", "id"])


async def test_the_list_shows_names_and_standing_but_no_documents(world: World) -> None:  # R26
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    await shop.hand_in_contact(ana["id"], legalName="Ana García López", email="ana.garcia@example.com")
    (edge,) = await remembered(shop)
    assert edge["node"]["currentVerification"]["status"] == "SUBMITTED"
    assert "García" not in str(edge)
    assert "@" not in str(edge["node"])
