"""The policy in force over HTTP: what another one would change is shown first, and then is what it changes."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from clients import Client, Data, codes_at, newcomer, picked
from house import Postgres, contents, housed
from worlds import LAUNCHED, World, iso, ready


async def previewed(client: Client, name: str = "aliexpress-2021", **more: Any) -> Data:
    """What a policy would change: by default our pack, enforced."""
    given = {"launchAt": iso(LAUNCHED)} | more
    page = {each: given.pop(each) for each in ("first", "after") if each in given}
    variables = {"input": {"name": name} | given} | page
    found: Data = (await client.call("PreviewPolicy", variables))["admissionPolicyPreview"]
    return found


def titles(preview: Data) -> list[str]:
    return [edge["node"]["liveRoom"]["title"] for edge in preview["edges"]]


async def test_a_launch_is_shown_with_the_rooms_that_it_would_stop_and_why(world: World) -> None:  # R31
    shop, other = await world.seller(), await world.blogger("ES")
    ana = await ready(shop)
    await shop.room(picked(ana["id"]), start=world.tonight(3), title="ready")
    await shop.room(newcomer("Ben"), start=world.tonight(2), title="unready")
    await other.room(start=world.tonight(1), title="empty")
    preview = await previewed(world.staff())
    assert titles(preview) == ["empty", "unready"], "soonest first, whosever they are"
    assert (preview["newlyRefused"], preview["newlyAdmitted"], preview["roomsCounted"]) == (2, 0, 3)
    changes = [edge["node"] for edge in preview["edges"]]
    assert [change["before"]["isAdmitted"] for change in changes] == [True, True]
    after = [[blocker["code"] for blocker in change["after"]["blockers"]] for change in changes]
    assert after == [["CAST_EMPTY"], ["NOT_SUBMITTED"]]


async def test_what_was_shown_is_what_it_does_and_the_way_back_is_shown_as_well(world: World) -> None:
    shop = await world.seller()
    room = await shop.room(newcomer(), start=world.tonight())
    await previewed(world.staff())
    assert (await shop.admission(room["id"]))["isAdmitted"], "looking changes nothing"
    await world.launch()
    assert not (await shop.admission(room["id"]))["isAdmitted"]
    back = await previewed(world.staff(), launchAt=None)
    assert (back["newlyRefused"], back["newlyAdmitted"]) == (0, 1)


async def test_a_launch_to_come_is_asked_about_at_each_room_s_own_start(world: World) -> None:  # R31
    shop, launch = await world.seller(), world.tonight(3)
    await shop.room(newcomer(), start=world.tonight(1), title="before it")
    await shop.room(newcomer("Ben"), start=launch, title="at it")
    await shop.room(newcomer("Cleo"), start=world.tonight(5), title="after it")
    assert titles(await previewed(world.staff(), launchAt=launch)) == ["at it", "after it"]


async def test_a_stricter_pack_asks_for_approval_and_a_room_on_air_now(world: World) -> None:  # A12
    await world.launch()
    shop = await world.seller()
    ana, ben = await ready(shop, "Ana"), await shop.anchor("Ben")
    await world.attempt(ben["id"], "CONTACT", "APPROVED", location="OUTSIDE_CHINA")
    live = await shop.room(picked(ana["id"]), start=world.tonight(), title="on air")
    await shop.go_live(live["id"])
    await shop.room(picked(ana["id"]), start=world.tonight(), title="submitted")
    await shop.room(picked(ben["id"]), start=world.tonight(), title="approved")
    assert titles(await previewed(world.staff(), "cn-2026")) == ["on air", "submitted"]


async def test_what_is_shown_of_the_tried_policy_is_what_that_one_asks_for(world: World) -> None:  # X8
    shop = await world.seller()
    ana = await shop.anchor()
    await world.attempt(ana["id"], "PASSPORT_VISA", "APPROVED", at=world.clock.now - timedelta(days=200))
    await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight())
    query = """query($input: AdmissionPolicyPreviewInput!) { admissionPolicyPreview(input: $input) { nodes {
        before { policy { name } }
        after {
            policy { name }
            blockers { code requirement { items { kind } } castMember { verification { status } } }
        }
    } } }"""
    asked = {"input": {"name": "cn-2026", "launchAt": iso(LAUNCHED)}}
    (change,) = (await world.staff().ask(query, asked))["admissionPolicyPreview"]["nodes"]
    assert (change["before"]["policy"]["name"], change["after"]["policy"]["name"]) == ("aliexpress-2021", "cn-2026")
    (blocker,) = change["after"]["blockers"]
    assert (blocker["code"], blocker["castMember"]["verification"]["status"]) == ("EXPIRED", "EXPIRED")  # six months
    assert "FACE_CHECK" in [item["kind"] for item in blocker["requirement"]["items"]]


async def test_rooms_that_are_over_are_not_asked_about(world: World) -> None:
    shop = await world.seller()
    ended, canceled = [await shop.room(newcomer(name), start=world.tonight()) for name in ("Ana", "Ben")]
    await shop.go_live(ended["id"])
    await shop.do("EndRoom", liveRoomId=ended["id"])
    await shop.do("CancelRoom", liveRoomId=canceled["id"])
    preview = await previewed(world.staff())
    assert (preview["edges"], preview["roomsCounted"]) == ([], 0)


async def test_changes_come_in_pages_that_neither_skip_nor_repeat(world: World) -> None:
    shop = await world.seller()
    for n in range(5):
        await shop.room(start=world.tonight(1 + n // 2), title=f"room {n}")  # two share a start
    seen, after = list[str](), None
    while True:
        page = await previewed(world.staff(), first=2, after=after)
        assert page["newlyRefused"] == 5, "the counts are of all, not of the page"
        seen += titles(page)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [f"room {n}" for n in range(5)]


async def test_more_rooms_than_a_batch_are_all_asked_about(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    await shop.room(start=world.tonight())
    await boss.execute(
        "INSERT INTO live_rooms SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).*"
        " FROM live_rooms r, generate_series(1, 1200)"
    )
    preview = await previewed(world.staff(), first=1)
    assert (preview["roomsCounted"], preview["newlyRefused"]) == (1_201, 1_201)


@pytest.mark.parametrize("permission", ["REVIEW", "REVIEW_LEAD", "AUDIT", "MEDIA"])
async def test_nobody_but_an_administrator_looks_or_changes(world: World, permission: str) -> None:
    for client in (world.staff(permission), await world.seller()):
        answer = (await client.send("PreviewPolicy", {"input": {"name": "cn-2026"}})).json()
        assert answer["data"] == {"admissionPolicyPreview": None}
        assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_DENIED"
        (error,) = await client.refused("ActivatePolicy", name="cn-2026", expectedVersion=1)
        assert error["code"] == "PERMISSION_DENIED"


async def test_what_is_no_policy_cannot_be_tried(world: World) -> None:
    early = {"name": "aliexpress-2021", "launchAt": "2020-01-01T00:00:00Z"}
    for input, argument in (({"name": "cn-1999"}, "name"), (early, "launchAt")):
        (error,) = (await world.staff().send("PreviewPolicy", {"input": input})).json()["errors"]
        assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument)


async def test_a_launch_before_the_rules_were_published_is_refused(
    world: World, boss: asyncpg.Connection
) -> None:  # A1, R30
    before = await contents(boss)
    errors = await world.staff().refused(
        "ActivatePolicy", name="aliexpress-2021", launchAt="2021-09-08T06:59:59Z", expectedVersion=1
    )
    assert codes_at(errors) == {("INVALID", "input.launchAt")}
    assert await contents(boss) == before


async def test_each_change_is_a_revision_with_its_event_and_the_same_again_is_none(
    world: World, boss: asyncpg.Connection
) -> None:
    first = await world.launch()
    again = await world.launch()
    assert (first["revision"], again["revision"]) == (2, 2)
    written = "SELECT actor, actor_kind FROM events WHERE action = 'ADMISSION_POLICY_ACTIVATED'"
    assert [tuple(row) for row in await boss.fetch(written)] == [("ines", "STAFF")]


async def test_another_process_answers_by_a_new_policy_within_a_second(world: World, postgres: Postgres) -> None:
    shop = await world.seller()
    room = await shop.room(newcomer(), start=world.tonight())
    async with housed(postgres, "of_tests") as beside:
        there = Client(beside.http, shop.sign)
        beside.clock.now = world.clock.now
        assert (await answer(there, room))["isAdmitted"]
        await world.launch()
        assert not (await answer(shop, room))["isAdmitted"], "at once in the process that changed it"
        beside.clock.now = world.clock.advance(seconds=1)
        assert not (await answer(there, room))["isAdmitted"]


async def answer(client: Client, room: Data) -> Data:
    found: Data = (await client.call("Admission", {"id": room["id"]}))["node"]["admission"]
    return found
