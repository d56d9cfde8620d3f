"""Tickets: what the media server is told while a broadcast runs, and when the next one is not given (A14)."""

from typing import Any

import asyncpg
import httpx
import pytest
from clients import Client, Data, Shop, picked
from joserfc import jwt
from joserfc.jwk import KeySet
from worlds import World, blocked, foreign, ready, rests_on

from greenroom.graph import global_id, read_id

FORGED = [("FORGED_DOCUMENT", "PASSPORT")]
UNANSWERED = [("EMAIL_UNVERIFIED", "EMAIL")]


async def on_air(world: World) -> tuple[Shop, Data, str]:
    """A room on air with one anchor who handed in; returns the shop, the room and the first ticket."""
    shop = await world.seller("CN")
    room = await shop.room(picked((await ready(shop))["id"]), start=world.tonight())
    return shop, room, (await shop.go_live(room["id"]))["ticket"]["token"]


async def check(client: Client, ticket: Any) -> httpx.Response:
    return await client.http.post("/tickets/check", json={"ticket": ticket}, headers=client.headers())


def code_of(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


# Renewing


async def test_a_rejection_for_good_cuts_the_broadcast(world: World) -> None:  # A14, R39
    await world.launch()
    shop, room, _ = await on_air(world)
    await world.decide(room["cast"][0]["verification"]["id"], "REJECTED", findings=FORGED, is_retryable=False)
    (error,) = await shop.refused("RenewTicket", liveRoomId=room["id"])
    assert (error["code"], blocked(error)) == ("ADMISSION_REFUSED", [("REJECTED", "Ana")])


async def test_a_rejection_for_good_cuts_before_the_launch_as_well(world: World) -> None:  # the gate: "refuses"
    shop, room, _ = await on_air(world)
    await world.decide(room["cast"][0]["verification"]["id"], "REJECTED", findings=FORGED, is_retryable=False)
    (error,) = await shop.refused("RenewTicket", liveRoomId=room["id"])
    assert blocked(error) == [("REJECTED", "Ana")]


async def test_a_rejection_that_can_be_submitted_again_lets_it_go_on_but_not_start_again(world: World) -> None:
    await world.launch()  # aliexpress-2021: on_reject_while_live = KEEP (A14)
    shop, room, _ = await on_air(world)
    (member,) = room["cast"]
    assert not await flagged(shop, room)
    await world.decide(member["verification"]["id"], "REJECTED", findings=UNANSWERED)
    assert await flagged(shop, room)
    assert (await shop.do("RenewTicket", liveRoomId=room["id"]))["ticket"]["token"]
    following = await shop.room(picked(member["anchor"]["id"]), start=world.tonight())
    assert blocked(await shop.admission(following["id"])) == [("RESUBMIT", "Ana")]  # R38


async def test_under_cn_2026_the_same_rejection_cuts(world: World) -> None:  # A14: CUT
    await world.launch()
    shop, room, _ = await on_air(world)
    await world.policy("cn-2026", launch_at=world.clock.now)
    await world.decide(room["cast"][0]["verification"]["id"], "REJECTED", findings=UNANSWERED)
    (error,) = await shop.refused("RenewTicket", liveRoomId=room["id"])
    assert blocked(error) == [("RESUBMIT", "Ana")]


async def test_a_cut_is_not_undone_by_handing_in_again_or_by_another_nationality(world: World) -> None:  # A14: CUT
    await world.policy("cn-2026", launch_at=world.clock.now)
    shop = await world.seller("CN")
    ana = await shop.anchor()
    attempt = await shop.hand_in_contact(ana["id"], consentVersion="2026-01")
    await world.decide(attempt["id"], "APPROVED")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    await world.decide(attempt["id"], "REVOKED", findings=UNANSWERED)
    again = await shop.hand_in_contact(ana["id"], consentVersion="2026-01")
    (error,) = await shop.refused("RenewTicket", liveRoomId=room["id"])
    assert blocked(error) == [("AWAITING_REVIEW", "Ana")]
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="CN")
    (error,) = await shop.refused("RenewTicket", liveRoomId=room["id"])
    assert blocked(error) == [("PATH_CHANGED", "Ana")]
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="ES")
    await world.decide(again["id"], "APPROVED")
    assert (await shop.do("RenewTicket", liveRoomId=room["id"]))["ticket"]["token"], "made good"


async def test_consent_withdrawn_while_live_flags_and_goes_on(world: World) -> None:  # A14
    await world.launch()
    shop, room, _ = await on_air(world)
    await world.anchor_row(room["cast"][0]["anchor"]["id"], consent_withdrawn_at=world.clock())
    assert (await shop.do("RenewTicket", liveRoomId=room["id"]))["ticket"]["token"]
    assert await flagged(shop, room)


async def flagged(shop: Shop, room: Data) -> bool:
    found: bool = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]["isFlagged"]
    return found


async def test_what_time_alone_brings_ends_no_broadcast(world: World) -> None:  # A14 names rejections only
    await world.launch()
    shop, room, _ = await on_air(world)
    await shop.do("CancelVerification", verificationId=room["cast"][0]["verification"]["id"], expectedVersion=1)
    assert blocked(await shop.admission(room["id"])) == [("NOT_SUBMITTED", "Ana")]
    assert (await shop.do("RenewTicket", liveRoomId=room["id"]))["ticket"]["token"]


async def test_there_is_no_ticket_for_a_room_that_is_not_on_air(world: World) -> None:
    shop, room, _ = await on_air(world)
    await shop.do("EndRoom", liveRoomId=room["id"])
    (error,) = await shop.refused("RenewTicket", liveRoomId=room["id"])
    assert error["code"] == "INVALID_STATE"


# What a media server can check by itself


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # what we sign with is what every JOSE library reads
async def test_a_ticket_verifies_against_the_published_keys(world: World) -> None:
    shop, room, ticket = await on_air(world)
    published = (await world.http.get("/.well-known/jwks.json")).json()
    assert all("d" not in key for key in published["keys"])  # public halves only
    token = jwt.decode(ticket, KeySet.import_key_set(published), algorithms=["EdDSA"])
    (record,) = (await shop.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    claims = token.claims
    assert (claims["aud"], claims["room"], claims["record"]) == ("media-server", room["id"], record["id"])
    assert (claims["sub"], claims["exp"] - claims["iat"]) == (shop.account_id, world.settings.ticket_lifetime_s)
    assert claims["jti"]


# POST /tickets/check


async def test_a_ticket_of_a_running_broadcast_stands(world: World) -> None:
    shop, room, ticket = await on_air(world)
    (record,) = (await shop.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    said = (await check(world.staff("MEDIA"), ticket)).json()
    assert (said["active"], said["room"], said["record"]) == (True, room["id"], record["id"])


async def test_one_of_an_ended_broadcast_does_not(world: World) -> None:
    shop, room, ticket = await on_air(world)
    await shop.do("EndRoom", liveRoomId=room["id"])
    assert (await check(world.staff("MEDIA"), ticket)).json() == {"active": False, "reason": "NOT_LIVE"}


async def test_one_of_a_broadcast_that_is_cut_says_why(world: World) -> None:  # A14: the check says no
    await world.launch()
    _, room, ticket = await on_air(world)
    await world.decide(room["cast"][0]["verification"]["id"], "REJECTED", findings=FORGED, is_retryable=False)
    said = (await check(world.staff("MEDIA"), ticket)).json()
    assert said == {"active": False, "reason": "ADMISSION_REFUSED", "blockers": ["REJECTED"]}


async def test_one_past_its_minutes_does_not(world: World) -> None:
    _, _, ticket = await on_air(world)
    world.clock.advance(seconds=world.settings.ticket_lifetime_s)
    assert (await check(world.staff("MEDIA"), ticket)).json() == {"active": False, "reason": "EXPIRED"}


async def test_a_forged_one_does_not(world: World) -> None:
    _, _, ticket = await on_air(world)
    header, claims, signature = ticket.split(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    said = (await check(world.staff("MEDIA"), f"{header}.{claims}.{other}")).json()
    assert said == {"active": False, "reason": "WRONG_SIGNATURE"}


async def test_an_access_token_is_no_ticket(world: World) -> None:
    said = (await check(world.staff("MEDIA"), world.token(["account-1"]))).json()
    assert said == {"active": False, "reason": "WRONG_TYPE"}


async def test_one_of_our_own_that_names_no_room_does_not_stand(world: World) -> None:
    _, room, _ = await on_air(world)
    account_id = read_id(room["id"])[1].account_id
    for named in ("garbage", foreign("LiveRoom"), global_id("LiveRoom", account_id, account_id)):
        signed = world.services.tickets.sign(named, record_id="r", account_id="a", now=world.clock.now)
        said = (await check(world.staff("MEDIA"), signed.token)).json()
        assert (said["active"], said["reason"]) in {(False, "UNKNOWN_ROOM"), (False, "NOT_FOUND")}


@pytest.mark.parametrize("permission", ["ADMINISTER", "AUDIT", "REVIEW", "REVIEW_LEAD"])
async def test_other_permissions_are_not_told(world: World, permission: str) -> None:
    _, _, ticket = await on_air(world)
    answer = await check(world.staff(permission), ticket)
    assert (answer.status_code, code_of(answer)) == (403, "PERMISSION_DENIED")


async def test_neither_the_owner_nor_a_stranger_is_told(world: World) -> None:
    shop, _, ticket = await on_air(world)
    assert (await check(shop, ticket)).status_code == 403
    answer = await check(world.anonymous(), ticket)
    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ticket": 7}', b"{", b'{"ticket": "' + b"x" * 20_000 + b'"}'])
async def test_a_body_without_a_ticket_is_a_bad_request(world: World, body: bytes) -> None:
    media = world.staff("MEDIA")
    headers = media.headers() | {"content-type": "application/json"}
    answer = await media.http.post("/tickets/check", content=body, headers=headers)
    too_large = len(body) > 16_384
    assert (answer.status_code, code_of(answer)) == ((413, "LIMIT_EXCEEDED") if too_large else (400, "BAD_REQUEST"))


async def test_what_a_form_can_send_is_no_question(world: World) -> None:
    media = world.staff("MEDIA")
    answer = await media.http.post("/tickets/check", data={"ticket": "x"}, headers=media.headers())
    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_refusals_are_in_the_language_that_was_asked_for(world: World) -> None:
    shop = await world.seller()
    shop.language = "zh-CN"
    answer = await check(shop, "x")
    assert answer.json()["errors"][0]["message"].startswith("此操作需要")


# While others hold the room


async def test_the_check_does_not_wait_for_who_changes_the_room(world: World, boss: asyncpg.Connection) -> None:
    _, _, ticket = await on_air(world)
    async with boss.transaction():
        await boss.execute("SELECT FROM live_rooms, accounts, policy_in_force FOR UPDATE")
        assert (await check(world.staff("MEDIA"), ticket)).json()["active"]


async def test_a_database_that_is_busy_is_said_so(world: World, boss: asyncpg.Connection) -> None:
    _, _, ticket = await on_air(world)
    async with boss.transaction():
        await boss.execute("LOCK TABLE live_rooms IN ACCESS EXCLUSIVE MODE")
        answer = await check(world.staff("MEDIA"), ticket)
    assert (answer.status_code, code_of(answer)) == (503, "BUSY")


# Ending by others


@pytest.mark.parametrize("permission", ["MEDIA", "REVIEW", "REVIEW_LEAD", "ADMINISTER"])
async def test_the_media_server_and_staff_may_end_a_broadcast(world: World, permission: str) -> None:  # A14
    shop, room, ticket = await on_air(world)
    done = await world.staff(permission).do("EndRoom", liveRoomId=room["id"])
    assert done["liveRoom"]["status"] == "ENDED"
    shown = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    assert (shown["status"], shown["endReason"]) == ("ENDED", "STAFF")
    assert (await check(world.staff("MEDIA"), ticket)).json() == {"active": False, "reason": "NOT_LIVE"}


async def test_who_may_only_look_on_ends_nothing(world: World) -> None:
    shop, room, _ = await on_air(world)
    for client in (world.staff("AUDIT"), await world.seller()):
        (error,) = await client.refused("EndRoom", liveRoomId=room["id"])
        assert error["code"] == "NOT_FOUND"
    assert (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]["status"] == "LIVE"


@pytest.mark.parametrize(
    "field", ["cast { id }", "account { id }", "admission { isAdmitted }", "admissionRecords { id }"]
)
async def test_who_ends_a_broadcast_and_reads_nothing_is_told_so_instead_of_something_wrong(
    world: World, field: str
) -> None:
    _, room, _ = await on_air(world)
    end = "mutation($id: ID!) { liveRoomEnd(input: {liveRoomId: $id}) { liveRoom { id %s } userErrors { code } } }"
    answer = (await world.staff("MEDIA").post(end % field, {"id": room["id"]})).json()
    assert answer["data"]["liveRoomEnd"] == {"liveRoom": None, "userErrors": []}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["PERMISSION_DENIED"]


async def test_a_record_says_which_lines_each_path_rested_on(world: World) -> None:  # X4, X8
    shop, room, _ = await on_air(world)
    query = """query($id: ID!) { node(id: $id) { ... on LiveRoom { admissionRecords { entries { path basis {
        rule cell reading lines { line language text } overrides { line language text } } } } } } }"""
    (record,) = (await shop.ask(query, {"id": room["id"]}))["node"]["admissionRecords"]
    (entry,) = record["entries"]
    assert (entry["path"], rests_on(entry["basis"])) == ("CONTACT", ("R10", 4, ["L4", "L26", "L18"]))
