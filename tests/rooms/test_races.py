"""Races over HTTP with real connections: whatever comes first, one wins, and what is left is of one piece."""

from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
import pytest
from clients import Data, Shop, newcomer, picked
from race import one_winner, race
from worlds import LAUNCHED, World, iso, ready

Attempt = Callable[[], Awaitable[Data]]


def sent(shop: Shop, name: str, **input: object) -> Attempt:
    """One mutation of our clients, to be sent when the race begins; its payload, refused or not."""

    async def send() -> Data:
        (payload,) = (await shop.call(name, {"input": input})).values()
        assert isinstance(payload, dict)
        return payload

    return send


def succeeded(payload: Data) -> bool:
    return payload["userErrors"] == []


def codes(payload: Data) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def events(boss: asyncpg.Connection, *actions: str) -> list[str]:
    """The events with these actions, in the order of their chain."""
    rows = await boss.fetch("SELECT action FROM events WHERE action = ANY ($1) ORDER BY account_id, seq", actions)
    return [row["action"] for row in rows]


async def test_of_twenty_go_lives_of_one_room_one_starts_it(world: World, boss: asyncpg.Connection) -> None:  # A28
    await world.launch()
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    attempts = [sent(shop, "GoLive", liveRoomId=room["id"], idempotencyKey=f"k{n}") for n in range(20)]
    winner, losers = one_winner(await race(world, *attempts), succeeded)
    assert winner["ticket"]["token"]
    assert [codes(loser) for loser in losers] == [["INVALID_STATE"]] * 19
    assert all(loser["ticket"] is None for loser in losers)
    assert await events(boss, "LIVE_ROOM_STARTED") == ["LIVE_ROOM_STARTED"]
    assert await boss.fetchval("SELECT count(*) FROM admission_records") == 1


@pytest.mark.parametrize("first", ["go-live", "cast"])
async def test_nobody_slips_in_between_the_gate_s_look_and_the_start(
    first: str, world: World, boss: asyncpg.Connection
) -> None:  # R20, A17
    await world.launch()
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    go_live = sent(shop, "GoLive", liveRoomId=room["id"])
    cast = sent(shop, "UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"]), newcomer("Ben")])
    order = [go_live, cast] if first == "go-live" else [cast, go_live]
    winner, (loser,) = one_winner(await race(world, *order), succeeded)
    assert codes(loser) == ["ADMISSION_REFUSED"]
    shown = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    names = [member["anchor"]["displayName"] for member in shown["cast"]]
    if winner.get("ticket"):
        assert (shown["status"], names) == ("LIVE", ["Ana"])
    else:
        assert (shown["status"], names) == ("SCHEDULED", ["Ana", "Ben"])
    known = await boss.fetchval("SELECT count(*) FROM anchors WHERE display_name = 'Ben'")
    assert known == names.count("Ben"), "a refused edit leaves no newcomer behind"


async def test_the_same_key_a_hundred_times_at_once_makes_one_room(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ana = await ready(shop)
    input = {
        "accountId": shop.account_id,
        "title": "11.11",
        "scheduledStartAt": world.tonight(),
        "cast": [picked(ana["id"]), newcomer("Ben")],
        "idempotencyKey": "double click",
    }
    answers = await race(world, *[sent(shop, "CreateRoom", **input)] * 100)
    assert all(succeeded(answer) for answer in answers)
    (made,) = {answer["liveRoom"]["id"] for answer in answers}
    assert made
    assert await events(boss, "LIVE_ROOM_CREATED") == ["LIVE_ROOM_CREATED"]
    assert await boss.fetchval("SELECT count(*) FROM live_rooms") == 1
    assert await boss.fetchval("SELECT count(*) FROM anchors WHERE display_name = 'Ben'") == 1


async def test_the_same_key_with_two_inputs_at_once_does_one_of_them(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    input = {"accountId": shop.account_id, "scheduledStartAt": world.tonight(), "cast": [], "idempotencyKey": "k"}
    attempts = [sent(shop, "CreateRoom", title=title, **input) for title in ("One", "Two")]
    _, (loser,) = one_winner(await race(world, *attempts), succeeded)
    assert codes(loser) == ["IDEMPOTENCY_MISMATCH"]
    assert await boss.fetchval("SELECT count(*) FROM live_rooms") == 1


async def test_the_same_start_a_hundred_times_at_once_is_one_start(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    answers = await race(world, *[sent(shop, "GoLive", liveRoomId=room["id"], idempotencyKey="once")] * 100)
    assert all(succeeded(answer) for answer in answers)
    assert all(answer["ticket"]["token"] for answer in answers)
    assert await events(boss, "LIVE_ROOM_STARTED") == ["LIVE_ROOM_STARTED"]


@pytest.mark.parametrize("first", ["confirm", "update"])
async def test_who_confirms_a_cast_does_not_confirm_it_for_a_start_that_they_have_not_seen(
    first: str, world: World
) -> None:  # A10
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight(8))
    moved = await shop.do("UpdateRoom", liveRoomId=room["id"], scheduledStartAt=world.tonight(9))
    version, later = moved["liveRoom"]["version"], world.tonight(10)
    member = {"castMemberId": moved["liveRoom"]["cast"][0]["id"], "location": "OUTSIDE_CHINA"}
    confirm = sent(shop, "ConfirmCast", liveRoomId=room["id"], members=[member], expectedVersion=version)
    update = sent(shop, "UpdateRoom", liveRoomId=room["id"], scheduledStartAt=later, expectedVersion=version)
    order = [confirm, update] if first == "confirm" else [update, confirm]
    winner, (loser,) = one_winner(await race(world, *order), succeeded)
    assert codes(loser) == ["STALE"]
    assert loser["userErrors"][0]["currentVersion"] == winner["liveRoom"]["version"]
    shown = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    is_confirmed = shown["cast"][0]["confirmedAt"] is not None
    assert is_confirmed is (shown["scheduledStartAt"] != later)


@pytest.mark.parametrize("first", ["confirm", "update"])
async def test_without_versions_a_confirmation_and_a_new_start_come_one_after_the_other(
    first: str, world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight(8))
    member = {"castMemberId": room["cast"][0]["id"], "location": "OUTSIDE_CHINA"}
    confirm = sent(shop, "ConfirmCast", liveRoomId=room["id"], members=[member])
    update = sent(shop, "UpdateRoom", liveRoomId=room["id"], scheduledStartAt=world.tonight(10))
    await race(world, *([confirm, update] if first == "confirm" else [update, confirm]))
    shown = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    last = (await events(boss, "CAST_CONFIRMED", "LIVE_ROOM_CHANGED"))[-1]
    assert shown["version"] == room["version"] + 2
    assert (shown["cast"][0]["confirmedAt"] is not None) is (last == "CAST_CONFIRMED")


async def test_of_two_edits_of_one_version_one_is_kept(world: World) -> None:
    shop = await world.seller()
    room = await shop.room(start=world.tonight())
    edit = partial(sent, shop, "UpdateRoom", liveRoomId=room["id"], expectedVersion=room["version"])
    winner, (loser,) = one_winner(await race(world, edit(title="One"), edit(title="Two")), succeeded)
    assert codes(loser) == ["STALE"]
    shown = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    assert shown["title"] == winner["liveRoom"]["title"]


@pytest.mark.parametrize("first", ["go-live", "cancel"])
async def test_an_attempt_withdrawn_before_the_start_admits_to_nothing(
    first: str, world: World, boss: asyncpg.Connection
) -> None:  # R34: the gate and what changes its answer stand in one line
    await world.launch()
    shop = await world.seller()
    ana = await shop.anchor()
    attempt = await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    go_live = sent(shop, "GoLive", liveRoomId=room["id"])
    cancel = sent(shop, "CancelVerification", verificationId=attempt["id"], expectedVersion=attempt["version"])
    await race(world, *([go_live, cancel] if first == "go-live" else [cancel, go_live]))
    in_order = await events(boss, "LIVE_ROOM_STARTED", "VERIFICATION_CANCELED")
    assert in_order in (["LIVE_ROOM_STARTED", "VERIFICATION_CANCELED"], ["VERIFICATION_CANCELED"])


@pytest.mark.parametrize("first", ["go-live", "launch"])
async def test_a_start_is_decided_by_the_policy_that_its_record_names(
    first: str, world: World, boss: asyncpg.Connection
) -> None:  # R31, R32
    shop = await world.seller()
    room = await shop.room(newcomer(), start=world.tonight())
    version = (await world.staff().call("CurrentPolicy"))["admissionPolicy"]["version"]
    go_live = sent(shop, "GoLive", liveRoomId=room["id"])

    async def launch() -> Data:
        input = {"name": "aliexpress-2021", "launchAt": iso(LAUNCHED), "expectedVersion": version}
        (payload,) = (await world.staff().call("ActivatePolicy", {"input": input})).values()
        assert isinstance(payload, dict)
        return payload

    order = [go_live, launch] if first == "go-live" else [launch, go_live]
    answers = await race(world, *order, gate="LOCK TABLE live_rooms, policy_in_force IN EXCLUSIVE MODE")
    started = answers[order.index(go_live)]
    recorded = await boss.fetchval("SELECT evidence ->> 'revision' FROM admission_records")
    if succeeded(started):
        assert recorded == str(version)
    else:
        assert codes(started) == ["ADMISSION_REFUSED"]
        assert recorded is None


async def test_two_hand_ins_at_once_leave_one_that_awaits_review(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ana = await shop.anchor()
    input = {
        "anchorId": ana["id"],
        "location": "OUTSIDE_CHINA",
        "entryPoint": "ROOM_EDITOR",
        "consentVersion": "2021-08",
        "evidence": {"contact": {"legalName": "Ana García", "nationality": "ES", "email": "ana@example.com"}},
    }
    answers = await race(world, *[sent(shop, "SubmitVerification", **input)] * 10)
    assert all(succeeded(answer) for answer in answers)
    rows = await boss.fetch("SELECT status, count(*) FROM verifications GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("CANCELED", 9), ("SUBMITTED", 1)]
    assert await events(boss, "CONSENT_GIVEN") == ["CONSENT_GIVEN"]


@pytest.mark.parametrize("first", ["forget", "create"])
async def test_whoever_is_forgotten_is_cast_in_no_later_room(
    first: str, world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ana = await ready(shop)
    forget = sent(shop, "ForgetAnchor", accountId=shop.account_id, anchorId=ana["id"])
    input = {
        "accountId": shop.account_id,
        "title": "T",
        "scheduledStartAt": world.tonight(),
        "cast": [picked(ana["id"])],
    }
    create = sent(shop, "CreateRoom", **input)
    order = [forget, create] if first == "forget" else [create, forget]
    answers = await race(world, *order)
    in_order = await events(boss, "ANCHOR_FORGOTTEN", "LIVE_ROOM_CREATED")
    assert in_order in (["LIVE_ROOM_CREATED", "ANCHOR_FORGOTTEN"], ["ANCHOR_FORGOTTEN"])
    assert succeeded(answers[order.index(create)]) is ("LIVE_ROOM_CREATED" in in_order)
