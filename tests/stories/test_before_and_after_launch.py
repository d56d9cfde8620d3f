"""Before and after the launch: nothing is enforced until an instant that is not fixed yet (L1, L21, L22, L11, L33)."""

from datetime import UTC, datetime, timedelta

import pytest
from clients import Data, Shop, picked
from worlds import TICK, World, blocked, iso, rests_on

INSTANT = TICK + timedelta(microseconds=1)  # the token is looked at a tick before the operation begins
PUBLICITY = datetime(2021, 8, 31, 7, tzinfo=UTC)  # 31 August 2021, 00:00 in Los Angeles (A1)
AFTER = datetime(2021, 9, 8, 7, tzinfo=UTC)  # the first instant after 7 September there
LAUNCH = datetime(2021, 10, 11, 2, tzinfo=UTC)


async def room_of_somebody_unready(world: World) -> tuple[Shop, Data]:
    shop = await world.seller("CN")
    ana = await shop.anchor("Ana", "ES")
    return shop, await shop.room(picked(ana["id"]), start=world.tonight())


@pytest.mark.parametrize(
    ("present", "phase"),
    [
        (PUBLICITY - timedelta(hours=1), "AWAITING_PUBLICITY"),
        (PUBLICITY, "PUBLICITY"),  # L21: 31 August, the first day of the union
        (AFTER - timedelta(hours=1), "PUBLICITY"),  # L1: 7 September, its last
        (AFTER, "AWAITING_LAUNCH"),  # L22
    ],
)
async def test_until_the_launch_everybody_airs_and_the_record_says_what_would_have_stopped_them(
    world: World, present: datetime, phase: str
) -> None:  # R30, R31, A1, A2
    world.clock.now = present
    shop, room = await room_of_somebody_unready(world)
    went = await shop.go_live(room["id"])
    assert went["liveRoom"]["status"] == "LIVE"
    assert (went["admission"]["isAdmitted"], went["admission"]["isAdmittedIfEnforced"]) == (True, False)
    assert went["admission"]["policy"]["phase"] == phase
    (record,) = (await shop.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    ana = room["cast"][0]["anchor"]["id"]
    assert record["phase"] == phase
    assert record["wouldBlock"] == [{"code": "NOT_SUBMITTED", "rule": "R20", "cell": 4, "anchor": {"id": ana}}]


async def test_an_announced_launch_enforces_nothing_before_its_instant(world: World) -> None:  # R31, L22
    world.clock.now = LAUNCH - timedelta(days=1)
    await world.launch(LAUNCH)
    shop, room = await room_of_somebody_unready(world)
    world.clock.now = LAUNCH - INSTANT
    answer = await shop.admission(room["id"])
    assert (answer["isAdmitted"], answer["policy"]["phase"]) == (True, "AWAITING_LAUNCH")
    assert answer["policy"]["launchAt"] == iso(LAUNCH)
    world.clock.now = LAUNCH - timedelta(seconds=1)  # it looks at the clock some times on its way
    assert (await shop.go_live(room["id"]))["liveRoom"]["status"] == "LIVE"


async def test_at_the_very_instant_of_the_launch_the_rules_hold(world: World) -> None:  # R31, R32, L11, L33
    world.clock.now = LAUNCH - timedelta(days=1)
    await world.launch(LAUNCH)
    shop, room = await room_of_somebody_unready(world)
    world.clock.now = LAUNCH
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("NOT_SUBMITTED", "Ana")]
    assert rests_on(error["blockers"][0]["basis"]) == ("R20", 4, ["L6", "L10", "L14"])


async def test_after_the_launch_who_has_handed_in_airs_and_the_record_holds_nothing_back(world: World) -> None:  # L12
    world.clock.now = LAUNCH + timedelta(days=1)
    await world.launch(LAUNCH)
    shop, room = await room_of_somebody_unready(world)
    await shop.hand_in_contact(room["cast"][0]["anchor"]["id"])
    went = await shop.go_live(room["id"])
    assert went["admission"]["isAdmitted"]
    (record,) = (await shop.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    assert (record["phase"], record["wouldBlock"]) == ("ENFORCED", [])
    assert [entry["status"] for entry in record["entries"]] == ["SUBMITTED"]  # provisional, and it says so


async def test_a_broadcast_that_runs_when_the_launch_comes_goes_on(world: World) -> None:  # R32 speaks of starting
    world.clock.now = LAUNCH - timedelta(hours=1)
    await world.launch(LAUNCH)
    shop, room = await room_of_somebody_unready(world)
    await shop.go_live(room["id"])
    world.clock.now = LAUNCH + timedelta(minutes=1)
    assert (await shop.do("RenewTicket", liveRoomId=room["id"]))["ticket"]["token"]


async def test_the_console_lets_an_account_that_may_not_broadcast_read_and_authenticate(world: World) -> None:  # A11
    await world.launch()
    shop, room = await room_of_somebody_unready(world)
    (account,) = (await shop.call("ConsoleHome"))["viewer"]["accounts"]
    assert account["console"] == {"canBroadcast": False, "needsFirstAuthentication": True}
    assert (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]["viewerCanGoLive"] is False
    assert (await shop.hand_in_contact(room["cast"][0]["anchor"]["id"]))["status"] == "SUBMITTED"
