"""Evidence: the record alone says what the law was given, and the law says the same again (X4)."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from clients import Data, Shop, picked
from worlds import LAUNCHED, World, ready

from greenroom.events.actions import digest
from greenroom.law.admission import Admitted, Refused, admit
from greenroom.law.evidence import freeze, thaw
from greenroom.law.policies import CN_2026, InForce

ENFORCED = InForce(CN_2026, launch_at=LAUNCHED)


async def evidence(boss: asyncpg.Connection) -> list[Any]:
    """What each admission record holds, oldest first."""
    rows = await boss.fetch("SELECT evidence FROM admission_records ORDER BY id")
    return [json.loads(row["evidence"]) for row in rows]


async def a_colourful_room(world: World) -> tuple[Shop, Data]:
    """Everybody whom aliexpress-2021 admits: handed in, approved, on each path, with a rejection behind them."""
    shop = await world.seller("CN")
    ana, ben, li, eva = [
        await shop.anchor(*each) for each in (("Ana", "ES"), ("Ben", "GB"), ("李娜", "CN"), ("Eva", "ES"))
    ]
    await shop.hand_in_contact(ana["id"])
    await world.attempt(ben["id"], "PASSPORT_VISA", "APPROVED", last_day=date(2027, 1, 1))
    await world.attempt(ben["id"], "PASSPORT_VISA", "REJECTED", findings=[("IMAGE_GLARE", "PASSPORT")])
    await world.attempt(li["id"], "TAOBAO_APP", "SUBMITTED", strikes=1, attempts=2)
    await world.attempt(eva["id"], "CONTACT", "APPROVED", ends_at=datetime(2027, 1, 1, tzinfo=UTC))
    places = ((ana, "OUTSIDE_CHINA"), (ben, "IN_CHINA"), (li, "IN_CHINA"), (eva, "OUTSIDE_CHINA"))
    return shop, await shop.room(*(picked(each["id"], place) for each, place in places), start=world.tonight())


async def test_decided_again_from_the_record_alone_the_answer_is_the_same(
    world: World, boss: asyncpg.Connection
) -> None:
    await world.launch()
    shop, room = await a_colourful_room(world)
    await shop.go_live(room["id"])
    (record,) = await evidence(boss)
    thawed = thaw(record)
    assert admit(thawed.question, in_force=thawed.in_force, now=thawed.now) == Admitted()
    assert freeze(thawed.question, in_force=thawed.in_force, now=thawed.now) == record


async def test_what_would_have_blocked_before_the_launch_is_decided_again_as_well(
    world: World, boss: asyncpg.Connection
) -> None:  # R30
    shop = await world.seller("CN")
    cast = [picked((await shop.anchor("Ana"))["id"]), picked((await shop.anchor("李娜", "CN"))["id"], "IN_CHINA")]
    await shop.go_live((await shop.room(*cast, start=world.tonight()))["id"])
    (record,) = await evidence(boss)
    thawed = thaw(record)
    again = admit(thawed.question, in_force=thawed.in_force, now=thawed.now)
    assert [blocker.code for blocker in again.would_block] == ["NOT_SUBMITTED", "NOT_SUBMITTED"]
    assert freeze(thawed.question, in_force=thawed.in_force, now=thawed.now) == record
    enforced = admit(thawed.question, in_force=replace(thawed.in_force, launch_at=LAUNCHED), now=thawed.now)
    assert isinstance(enforced, Refused)
    assert enforced.blockers == again.would_block


async def test_another_policy_may_answer_otherwise(world: World, boss: asyncpg.Connection) -> None:
    await world.launch()
    shop, room = await a_colourful_room(world)
    await shop.go_live(room["id"])
    (record,) = await evidence(boss)
    thawed = thaw(record)
    stricter = admit(thawed.question, in_force=ENFORCED, now=thawed.now)
    assert isinstance(stricter, Refused)
    names = {member["anchor"]["id"]: member["anchor"]["displayName"] for member in room["cast"]}
    by_anchor = {str(member.anchor_id): member for member in thawed.question.cast}
    assert len(names) == len(by_anchor)
    assert [blocker.code for blocker in stricter.blockers] == ["AWAITING_REVIEW", "AWAITING_REVIEW"]  # A12: Ana, 李娜


async def test_approvals_alone_satisfy_the_stricter_policy_too(world: World, boss: asyncpg.Connection) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await world.decide(room["cast"][0]["verification"]["id"], "APPROVED")
    await shop.go_live(room["id"])
    thawed = thaw((await evidence(boss))[0])
    assert admit(thawed.question, in_force=ENFORCED, now=thawed.now) == Admitted()
    half_a_year_on = thawed.now + timedelta(days=184)  # A9: a refresh every six months
    assert isinstance(admit(thawed.question, in_force=ENFORCED, now=half_a_year_on), Refused)


async def test_a_joining_leaves_a_record_that_decides_the_same_again(world: World, boss: asyncpg.Connection) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana, ben = await ready(shop, "Ana"), await ready(shop, "Ben")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    await shop.do("UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"]), picked(ben["id"])])
    started, joined = await evidence(boss)
    assert [len(record["cast"]) for record in (started, joined)] == [1, 2]
    for record in (started, joined):
        thawed = thaw(record)
        assert freeze(thawed.question, in_force=thawed.in_force, now=thawed.now) == record


async def test_the_record_stays_as_it_was_whatever_happens_to_what_it_speaks_of(
    world: World, boss: asyncpg.Connection
) -> None:
    await world.launch()
    shop, room = await a_colourful_room(world)
    await shop.go_live(room["id"])
    before = await evidence(boss)
    for member in room["cast"]:
        await shop.do("ChangeAnchor", anchorId=member["anchor"]["id"], displayName="Else", nationality="FR")
        await shop.do("ForgetAnchor", accountId=shop.account_id, anchorId=member["anchor"]["id"])
    await world.policy("cn-2026")
    await shop.do("EndRoom", liveRoomId=room["id"])
    assert await evidence(boss) == before


async def test_it_holds_no_personal_data(world: World, boss: asyncpg.Connection) -> None:  # X4
    await world.launch()
    shop, room = await a_colourful_room(world)
    await shop.go_live(room["id"])
    written = json.dumps(await evidence(boss), ensure_ascii=False)
    for personal in ("Ana", "García", "李娜", "ana@example.com", "重新提供", '"ES"', '"GB"', '"CN"'):
        assert personal not in written


async def test_the_event_vouches_for_the_record_by_its_digest(world: World, boss: asyncpg.Connection) -> None:
    shop, room = await a_colourful_room(world)
    await shop.go_live(room["id"])
    event = await boss.fetchrow("SELECT seq, hash, detail FROM events WHERE action = 'LIVE_ROOM_STARTED'")
    record = await boss.fetchrow("SELECT id, evidence, event_seq, chain_hash FROM admission_records")
    detail = json.loads(event["detail"])
    assert detail == {"record": str(record["id"]), "digest": digest(json.loads(record["evidence"]))}
    assert (record["event_seq"], record["chain_hash"]) == (event["seq"], event["hash"])


@pytest.mark.parametrize("statement", ["UPDATE admission_records SET evidence = '{}'", "DELETE FROM admission_records"])
async def test_nobody_but_who_switches_the_triggers_off_can_change_it(
    world: World, boss: asyncpg.Connection, statement: str
) -> None:
    shop, room = await a_colourful_room(world)
    await shop.go_live(room["id"])
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await boss.execute(statement)
