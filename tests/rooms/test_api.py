"""Rooms over HTTP: what an edit undoes, who joins while live, and what a start answers the second time."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from clients import Data, Shop, newcomer, picked
from worlds import World, blocked, iso, ready

from greenroom.law.days import end_of


def confirmed(room: Data) -> dict[str, Any]:
    """Since when each of the cast is confirmed, by display name."""
    return {member["anchor"]["displayName"]: member["confirmedAt"] for member in room["cast"]}


async def a_room_of_two(world: World) -> tuple[Shop, Data, Data, Data]:
    await world.launch()
    shop = await world.seller("CN")
    ana, ben = await ready(shop, "Ana"), await ready(shop, "Ben")
    return shop, ana, ben, await shop.room(picked(ana["id"]), picked(ben["id"]), start=world.tonight())


async def changed(shop: Shop, room: Data, **more: Any) -> Data:
    found: Data = (await shop.do("UpdateRoom", liveRoomId=room["id"], **more))["liveRoom"]
    return found


# What undoes a confirmation (A10), row by row


async def test_a_new_title_undoes_nothing(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    after = await changed(shop, room, title="双十二")
    assert (after["title"], confirmed(after)) == ("双十二", confirmed(room))
    assert after["admission"]["isAdmitted"]


async def test_a_new_start_undoes_all(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    after = await changed(shop, room, scheduledStartAt=world.tonight(20))
    assert confirmed(after) == {"Ana": None, "Ben": None}
    assert blocked(after["admission"]) == [("NOT_CONFIRMED", "Ana"), ("NOT_CONFIRMED", "Ben")]


async def test_the_same_start_stated_again_undoes_nothing(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    assert confirmed(await changed(shop, room, scheduledStartAt=room["scheduledStartAt"])) == confirmed(room)


async def test_a_new_start_with_the_cast_stated_confirms_all_anew(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    cast = [picked(ana["id"]), picked(ben["id"])]
    after = await changed(shop, room, scheduledStartAt=world.tonight(20), cast=cast)
    assert all(after_it > confirmed(room)[name] for name, after_it in confirmed(after).items())
    assert after["admission"]["isAdmitted"]


async def test_a_new_place_confirms_that_member_anew_and_keeps_the_others(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    after = await changed(shop, room, cast=[picked(ana["id"], "IN_CHINA"), picked(ben["id"])])
    assert confirmed(after)["Ana"] > confirmed(room)["Ana"]
    assert confirmed(after)["Ben"] == confirmed(room)["Ben"]
    assert blocked(after["admission"]) == [("PATH_CHANGED", "Ana")]


async def test_a_new_place_confirms_also_whom_a_new_start_undid(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    await changed(shop, room, scheduledStartAt=world.tonight(20))
    after = await changed(shop, room, cast=[picked(ana["id"], "IN_CHINA"), picked(ben["id"])])
    assert confirmed(after)["Ana"]
    assert confirmed(after)["Ben"] is None


async def test_other_members_changes_undo_nothing_and_ids_stay(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    ids = {member["anchor"]["displayName"]: member["id"] for member in room["cast"]}
    eva = await ready(shop, "Eva")
    after = await changed(shop, room, cast=[picked(eva["id"]), picked(ben["id"]), picked(ana["id"])])
    assert [member["anchor"]["displayName"] for member in after["cast"]] == ["Eva", "Ben", "Ana"]
    assert {name: confirmed(after)[name] for name in ids} == confirmed(room)
    alone = await changed(shop, room, cast=[picked(ana["id"])])
    assert [(m["id"], m["confirmedAt"]) for m in alone["cast"]] == [(ids["Ana"], confirmed(room)["Ana"])]


async def test_an_unchanged_cast_stated_again_confirms_nobody_who_was_undone(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    await changed(shop, room, scheduledStartAt=world.tonight(20))
    after = await changed(shop, room, cast=[picked(ana["id"]), picked(ben["id"])])
    assert confirmed(after) == {"Ana": None, "Ben": None}


async def test_several_are_confirmed_again_at_once(world: World) -> None:  # castConfirm
    shop, _, _, room = await a_room_of_two(world)
    await changed(shop, room, scheduledStartAt=world.tonight(20))
    members = [{"castMemberId": member["id"], "location": "OUTSIDE_CHINA"} for member in room["cast"]]
    after = (await shop.do("ConfirmCast", liveRoomId=room["id"], members=members))["liveRoom"]
    assert all(confirmed(after).values())
    assert after["admission"]["isAdmitted"]


async def test_one_unknown_member_confirms_none(world: World) -> None:
    shop, ana, _, room = await a_room_of_two(world)
    other = await shop.room(picked(ana["id"]), start=world.tonight())
    await changed(shop, room, scheduledStartAt=world.tonight(20))
    undone = await shown(shop, room)
    ids = [room["cast"][0]["id"], other["cast"][0]["id"]]
    members = [{"castMemberId": id, "location": "OUTSIDE_CHINA"} for id in ids]
    (error,) = await shop.refused("ConfirmCast", liveRoomId=room["id"], members=members)
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "members", "1", "castMemberId"])
    assert await shown(shop, room) == undone


async def test_the_same_member_is_confirmed_once(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    member = {"castMemberId": room["cast"][0]["id"], "location": "OUTSIDE_CHINA"}
    (error,) = await shop.refused("ConfirmCast", liveRoomId=room["id"], members=[member, member])
    assert (error["code"], error["field"]) == ("INVALID", ["input", "members", "1", "castMemberId"])


@pytest.mark.parametrize(("count", "code"), [(0, "REQUIRED"), (21, "INVALID")])
async def test_as_many_members_are_confirmed_as_a_cast_can_have(world: World, count: int, code: str) -> None:
    shop, _, _, room = await a_room_of_two(world)
    member = {"castMemberId": room["cast"][0]["id"], "location": "OUTSIDE_CHINA"}
    (error,) = await shop.refused("ConfirmCast", liveRoomId=room["id"], members=[member] * count)
    assert (error["code"], error["field"]) == (code, ["input", "members"])


async def test_the_place_confirmed_is_the_next_one_offered(world: World) -> None:  # A8
    shop, _, _, room = await a_room_of_two(world)
    member = {"castMemberId": room["cast"][0]["id"], "location": "IN_CHINA"}
    await shop.do("ConfirmCast", liveRoomId=room["id"], members=[member])
    found = await shop.call("RememberedAnchors", {"accountId": shop.account_id})
    offered = {e["node"]["displayName"]: e["lastLocation"] for e in found["account"]["rememberedAnchors"]["edges"]}
    assert offered == {"Ana": "IN_CHINA", "Ben": "OUTSIDE_CHINA"}


async def test_an_edit_that_changes_nothing_leaves_no_trace(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    log = await log_of(shop)
    for same in ({}, {"title": room["title"]}, {"scheduledStartAt": room["scheduledStartAt"]}):
        assert (await changed(shop, room, **same))["version"] == room["version"]
    assert await log_of(shop) == log


async def shown(shop: Shop, room: Data) -> Data:
    """The room as the editor reads it, but for the instant at which the gate was asked."""
    found: Data = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    del found["admission"]["evaluatedAt"]
    return found


# Joining while live (A17)


async def log_of(shop: Shop) -> list[str]:
    found = (await shop.call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]
    return [edge["node"]["action"] for edge in found["edges"]]


async def records_of(shop: Shop, room: Data) -> list[Data]:
    found: list[Data] = (await shop.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    return found


async def test_an_unready_anchor_who_would_join_is_refused_with_the_whole_edit(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    await shop.go_live(room["id"])
    before, log = await shown(shop, room), await log_of(shop)
    cast = [picked(ana["id"]), picked(ben["id"]), newcomer("Eva")]
    (error,) = await shop.refused("UpdateRoom", liveRoomId=room["id"], title="With Eva", cast=cast)
    assert (error["code"], error["field"]) == ("ADMISSION_REFUSED", ["input", "cast"])
    assert blocked(error) == [("NOT_SUBMITTED", "Eva")]
    assert await shown(shop, room) == before
    assert (await log_of(shop), len(await records_of(shop, room))) == (log, 1)
    roster = (await shop.call("Roster", {"accountId": shop.account_id, "search": "Eva"}))["account"]["anchors"]
    assert roster["edges"] == []  # not even the newcomer was written


async def test_a_ready_anchor_joins_and_adds_a_record_that_the_next_ticket_names(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    first = (await shop.go_live(room["id"]))["ticket"]["token"]
    eva = await ready(shop, "Eva")
    cast = [picked(each["id"]) for each in (ana, ben, eva)]
    assert len((await changed(shop, room, cast=cast))["cast"]) == 3
    started, joined = await records_of(shop, room)
    assert [len(record["entries"]) for record in (started, joined)] == [2, 3]
    assert (await log_of(shop))[0] == "LIVE_ROOM_JOINED"
    token = (await shop.do("RenewTicket", liveRoomId=room["id"]))["ticket"]["token"]
    records = [world.services.tickets.read(each, now=world.clock.now).record_id for each in (first, token)]
    assert records == [started["id"], joined["id"]]


async def test_who_moves_to_china_while_live_passes_the_gate_of_their_new_place(world: World) -> None:
    shop, ana, ben, room = await a_room_of_two(world)
    await shop.go_live(room["id"])
    cast = [picked(ana["id"], "IN_CHINA"), picked(ben["id"])]
    (error,) = await shop.refused("UpdateRoom", liveRoomId=room["id"], cast=cast)
    assert blocked(error) == [("PATH_CHANGED", "Ana")]
    await world.attempt(ana["id"], "PASSPORT_VISA", "SUBMITTED")
    await changed(shop, room, cast=cast)
    assert [entry["path"] for entry in (await records_of(shop, room))[-1]["entries"]] == ["PASSPORT_VISA", "CONTACT"]


async def test_a_member_undone_before_the_launch_is_confirmed_on_air_so_that_others_can_join(world: World) -> None:
    shop = await world.seller()
    ana, ben = await ready(shop, "Ana"), await ready(shop, "Ben")
    room = await shop.room(picked(ana["id"]), start=world.tonight(8))
    await changed(shop, room, scheduledStartAt=world.tonight(9))
    await shop.go_live(room["id"])
    await world.launch()
    both = [picked(ana["id"]), picked(ben["id"])]
    (error,) = await shop.refused("UpdateRoom", liveRoomId=room["id"], cast=both)
    assert blocked(error) == [("NOT_CONFIRMED", "Ana")]
    member = {"castMemberId": room["cast"][0]["id"], "location": "OUTSIDE_CHINA"}
    await shop.do("ConfirmCast", liveRoomId=room["id"], members=[member])  # A10
    await changed(shop, room, cast=both)
    moved = [member | {"location": "IN_CHINA"}]
    (error,) = await shop.refused("ConfirmCast", liveRoomId=room["id"], members=moved)
    assert blocked(error) == [("PATH_CHANGED", "Ana")], "who moves passes the gate of the new place (A17)"


async def test_who_joins_after_midnight_is_asked_about_documents_as_the_start_was(world: World) -> None:  # X2, A17
    await world.launch()
    shop = await world.seller()
    ana, ben = await shop.anchor("Ana"), await ready(shop, "Ben")
    today = (world.clock.now + timedelta(hours=8)).date()  # in Shanghai
    await world.attempt(
        ana["id"], "CONTACT", "APPROVED", location="OUTSIDE_CHINA", last_day=today, ends_at=end_of(today)
    )
    room = await shop.room(picked(ana["id"]), start=world.tonight(1))
    await shop.go_live(room["id"])
    world.clock.advance(hours=20)
    assert (await shop.admission(room["id"]))["isAdmitted"]
    await changed(shop, room, cast=[picked(ana["id"]), picked(ben["id"])])
    tomorrow = await shop.room(picked(ana["id"]), start=world.tonight(1))
    assert blocked(tomorrow["admission"]) == [("EXPIRED", "Ana")]


async def test_what_was_refused_before_the_broadcast_flags_none_and_in_it_flags(world: World) -> None:  # A14, R30
    shop = await world.seller()  # before the launch a rejected one goes on air
    ana = await shop.anchor("Ana")
    await world.attempt(ana["id"], "CONTACT", "REJECTED", findings=[("EMAIL_UNVERIFIED", "EMAIL")])
    room = await shop.room(picked(ana["id"]), start=world.tonight(1))
    await shop.go_live(room["id"])
    await world.launch()
    query = "query ($id: ID!) { node(id: $id) { ... on LiveRoom { isFlagged } } }"
    assert not (await shop.ask(query, {"id": room["id"]}))["node"]["isFlagged"]
    await world.decide((await shop.hand_in_contact(ana["id"]))["id"], "REJECTED", findings=[("OTHER", "EMAIL")])
    assert (await shop.ask(query, {"id": room["id"]}))["node"]["isFlagged"]


async def test_leaving_and_retitling_while_live_ask_no_gate(world: World) -> None:
    shop, ana, _, room = await a_room_of_two(world)
    await shop.go_live(room["id"])
    after = await changed(shop, room, title="Ana alone", cast=[picked(ana["id"])])
    assert (len(after["cast"]), len(await records_of(shop, room))) == (1, 1)


async def test_the_start_of_a_live_room_stands(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    await shop.go_live(room["id"])
    (error,) = await shop.refused("UpdateRoom", liveRoomId=room["id"], scheduledStartAt=world.tonight(20))
    assert (error["code"], error["field"]) == ("INVALID", ["input", "scheduledStartAt"])


# A room starts once (A28)


async def test_a_replayed_start_answers_with_the_room_and_a_fresh_ticket(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    first = await shop.go_live(room["id"], idempotencyKey="on air")
    world.clock.advance(minutes=3)
    again = await shop.go_live(room["id"], idempotencyKey="on air")
    assert again["liveRoom"] == first["liveRoom"]
    assert again["ticket"]["token"] != first["ticket"]["token"]
    assert again["ticket"]["expiresAt"] > first["ticket"]["expiresAt"]
    assert (len(await records_of(shop, room)), (await log_of(shop)).count("LIVE_ROOM_STARTED")) == (1, 1)


async def test_a_second_start_without_the_key_is_refused(world: World) -> None:
    shop, _, _, room = await a_room_of_two(world)
    await shop.go_live(room["id"])
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert error["code"] == "INVALID_STATE"
    await shop.do("EndRoom", liveRoomId=room["id"])
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert error["code"] == "INVALID_STATE"


async def test_the_key_of_one_room_starts_no_other(world: World) -> None:
    shop, ana, _, room = await a_room_of_two(world)
    other = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"], idempotencyKey="on air")
    (error,) = await shop.refused("GoLive", liveRoomId=other["id"], idempotencyKey="on air")
    assert error["code"] == "IDEMPOTENCY_MISMATCH"
    assert (await shown(shop, other))["status"] == "SCHEDULED"


async def test_a_refused_start_leaves_the_key_free_for_when_all_are_ready(world: World) -> None:
    await world.launch()
    shop = await world.seller("CN")
    room = await shop.room(newcomer("Ana"), start=world.tonight())
    await shop.refused("GoLive", liveRoomId=room["id"], idempotencyKey="on air")
    await shop.hand_in_contact(room["cast"][0]["anchor"]["id"])
    assert (await shop.go_live(room["id"], idempotencyKey="on air"))["ticket"]


async def test_a_room_starts_before_its_planned_start_or_after_it(world: World) -> None:  # A28
    shop, ana, _, early = await a_room_of_two(world)
    late = await shop.room(picked(ana["id"]), start=iso(world.clock.now + timedelta(hours=1)))
    assert (await shop.go_live(early["id"]))["ticket"]
    world.clock.advance(hours=30)
    assert (await shop.go_live(late["id"]))["ticket"]


async def test_a_read_that_waits_too_long_for_others_says_so(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    room = await shop.room(start=world.tonight())
    async with boss.transaction():
        await boss.execute("LOCK TABLE live_rooms IN ACCESS EXCLUSIVE MODE")
        answer = (await shop.send("RoomForEditing", {"id": room["id"]})).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BUSY"]
