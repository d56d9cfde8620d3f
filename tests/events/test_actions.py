"""The log: whoever rewrites a line of it, or of the records that it vouches for, is found out (X4)."""

import re
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from clients import picked
from worlds import World, ready

from greenroom.access import PLATFORM
from greenroom.events.actions import Broken, Unbroken, verify_chains
from greenroom.graph import read_id

STRANGER = UUID(int=7)


async def verified(world: World) -> dict[UUID, Broken | Unbroken]:
    return {answer.account_id: answer async for answer in verify_chains(world.db)}


async def a_busy_account(world: World) -> UUID:
    """One with a broadcast that somebody joined, and an account beside it. Returns its key."""
    await world.launch()
    other, shop = await world.seller("CN"), await world.seller("CN")
    await ready(other)
    ana, ben = await ready(shop, "Ana"), await ready(shop, "Ben")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    await shop.do("UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"]), picked(ben["id"])])
    await shop.do("EndRoom", liveRoomId=room["id"])
    return read_id(shop.account_id)[1].account_id


async def tamper(boss: asyncpg.Connection, statement: str, *values: Any) -> None:
    """Do what nobody may: as superuser, with triggers off."""
    async with boss.transaction():
        await boss.execute("SET LOCAL session_replication_role = replica")
        touched = await boss.execute(statement, *values)
    assert re.search(r"[1-9]\d*$", touched), "nothing was tampered with"


async def the(boss: asyncpg.Connection, account_id: UUID, action: str) -> int:
    """The place of the last event of an action."""
    found: int = await boss.fetchval(
        "SELECT max(seq) FROM events WHERE account_id = $1 AND action = $2", account_id, action
    )
    return found


async def found_broken(world: World, account_id: UUID) -> Broken:
    """The one chain that is broken: the others' are whole."""
    answers = await verified(world)
    (broken,) = [answer for answer in answers.values() if isinstance(answer, Broken)]
    assert broken.account_id == account_id
    return broken


async def test_every_account_s_log_and_the_platform_s_own_are_unbroken(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    answers = await verified(world)
    assert all(isinstance(answer, Unbroken) for answer in answers.values()), answers
    assert len(answers) == 3  # two accounts, and the policy's
    assert PLATFORM in answers
    written = await boss.fetchval("SELECT count(*) FROM events WHERE account_id = $1", account_id)
    assert answers[account_id] == Unbroken(account_id, written)


async def test_a_log_longer_than_a_batch_is_walked_to_its_end(
    world: World, boss: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await world.seller("CN")
    anchor = await shop.anchor()
    version = anchor["version"]
    for number in range(1_010):
        changed = await shop.do(
            "ChangeAnchor", anchorId=anchor["id"], displayName=f"Ana {number}", expectedVersion=version
        )
        version = changed["anchor"]["version"]
    account_id = read_id(shop.account_id)[1].account_id
    assert (await verified(world))[account_id] == Unbroken(account_id, 1_012)
    await tamper(boss, "UPDATE events SET actor = 'nobody' WHERE seq = 1007")
    assert (await found_broken(world, account_id)).seq == 1007


@pytest.mark.parametrize(
    "change",
    [
        "action = 'LIVE_ROOM_ENDED'",
        "subject_type = 'Account'",
        "subject_id = gen_random_uuid()",
        "anchor_id = gen_random_uuid()",
        "actor = 'nobody'",
        "actor_kind = 'STAFF'",
        "purpose = 'none of your business'",
        "occurred_at = occurred_at - interval '1 microsecond'",
        "occurred_at = 'infinity'",
        'detail = detail || \'{"digest": "00"}\'',
        "detail = detail || '{\"more\": 1}'",
        "detail = '{}'",
        "detail = 'null'",
        "detail = '[1]'",
        'detail = \'{"record": "garbage"}\'',
        "detail = ('{\"n\": 1' || repeat('0', 400) || '}')::jsonb",
        "hash = sha256(hash)",
        "hash = ''",
    ],
)
async def test_every_field_of_an_event_is_covered_and_the_change_is_named_at_its_place(
    world: World, boss: asyncpg.Connection, change: str
) -> None:
    account_id = await a_busy_account(world)
    seq = await the(boss, account_id, "LIVE_ROOM_STARTED")
    await tamper(boss, f"UPDATE events SET {change} WHERE account_id = $1 AND seq = $2", account_id, seq)
    assert await found_broken(world, account_id) == Broken(account_id, seq, "the event was changed")


async def test_an_event_that_was_cut_out_is_missed(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    await tamper(boss, "DELETE FROM events WHERE account_id = $1 AND seq = 3", account_id)
    assert await found_broken(world, account_id) == Broken(account_id, 3, "an event is missing")


async def test_an_event_that_was_cut_out_and_the_rest_moved_up_is_missed(
    world: World, boss: asyncpg.Connection
) -> None:
    account_id = await a_busy_account(world)
    await tamper(boss, "DELETE FROM events WHERE account_id = $1 AND seq = 3", account_id)
    await tamper(boss, "UPDATE events SET seq = -seq WHERE account_id = $1 AND seq > 3", account_id)
    await tamper(boss, "UPDATE events SET seq = -seq - 1 WHERE account_id = $1 AND seq < 0", account_id)
    assert (await found_broken(world, account_id)).seq == 3


async def test_a_log_that_was_cut_short_ends_before_its_head(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    last = await the(boss, account_id, "LIVE_ROOM_ENDED")
    await tamper(boss, "DELETE FROM events WHERE account_id = $1 AND seq = $2", account_id, last)
    assert await found_broken(world, account_id) == Broken(account_id, last, "the log ends before its head")


@pytest.mark.parametrize("change", ["seq = seq + 1", "hash = sha256(hash)"])
async def test_a_head_that_was_moved_is_found(world: World, boss: asyncpg.Connection, change: str) -> None:
    account_id = await a_busy_account(world)
    await tamper(boss, f"UPDATE event_heads SET {change} WHERE account_id = $1", account_id)
    assert (await found_broken(world, account_id)).why == "the log ends before its head"


async def test_an_event_that_was_slipped_in_is_found(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    last = await the(boss, account_id, "LIVE_ROOM_ENDED")
    copied = "account_id, action, subject_type, subject_id, anchor_id, actor, actor_kind, purpose, occurred_at, detail"
    await tamper(
        boss,
        f"INSERT INTO events (seq, hash, {copied}) SELECT seq + 1, hash, {copied} FROM events"
        " WHERE account_id = $1 AND seq = $2",
        account_id,
        last,
    )
    assert (await found_broken(world, account_id)).seq == last + 1


async def test_an_event_moved_to_another_account_is_found_in_both(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    last = await the(boss, account_id, "LIVE_ROOM_ENDED")
    other = await boss.fetchval(
        "SELECT account_id FROM event_heads WHERE account_id NOT IN ($1, $2)", account_id, PLATFORM
    )
    statement = "UPDATE events SET account_id = $3 WHERE account_id = $1 AND seq = $2"
    await tamper(boss, statement, account_id, last, other)
    broken = {answer.account_id for answer in (await verified(world)).values() if isinstance(answer, Broken)}
    assert broken == {account_id, other}


# Admission records


@pytest.mark.parametrize(
    "change",
    [
        "evidence = evidence || '{\"is_admitted\": false}'",
        "evidence = jsonb_set(evidence, '{cast,0,location}', '\"IN_CHINA\"')",
        "evidence = jsonb_set(evidence, '{cast,0,attempts,0,strikes}', '7')",
        "evidence = evidence - 'revision'",
        "evidence = 'null'",
        "evidence = '[]'",
        "room_id = gen_random_uuid()",
        "admitted_at = admitted_at + interval '1 microsecond'",
        "event_seq = event_seq + 1",
        "chain_hash = sha256(chain_hash)",
    ],
)
@pytest.mark.parametrize("action", ["LIVE_ROOM_STARTED", "LIVE_ROOM_JOINED"])
async def test_every_field_of_a_record_is_covered_and_the_change_is_named_at_its_event(
    world: World, boss: asyncpg.Connection, change: str, action: str
) -> None:
    account_id = await a_busy_account(world)
    seq = await the(boss, account_id, action)
    await tamper(boss, f"UPDATE admission_records SET {change} WHERE event_seq = $1", seq)
    assert await found_broken(world, account_id) == Broken(account_id, seq, "an admission record was changed")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM admission_records WHERE event_seq = $1",
        "UPDATE admission_records SET id = gen_random_uuid() WHERE event_seq = $1",
        "UPDATE admission_records SET account_id = gen_random_uuid() WHERE event_seq = $1",
    ],
)
async def test_a_record_that_is_gone_is_named_at_its_event(
    world: World, boss: asyncpg.Connection, statement: str
) -> None:
    account_id = await a_busy_account(world)
    seq = await the(boss, account_id, "LIVE_ROOM_STARTED")
    await tamper(boss, statement, seq)
    assert await found_broken(world, account_id) == Broken(account_id, seq, "an admission record is missing")


async def test_a_record_that_no_event_vouches_for_is_found(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    seq = await the(boss, account_id, "LIVE_ROOM_STARTED")
    copied = "account_id, room_id, admitted_at, evidence, event_seq, chain_hash"
    await tamper(
        boss,
        f"INSERT INTO admission_records (id, {copied}) SELECT gen_random_uuid(), {copied} FROM admission_records"
        " WHERE event_seq = $1",
        seq,
    )
    found = await found_broken(world, account_id)
    assert found == Broken(account_id, seq, "no event vouches for an admission record")


async def test_a_forged_record_far_beyond_the_head_is_found(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    await tamper(
        boss,
        "INSERT INTO admission_records SELECT (jsonb_populate_record(r, jsonb_build_object("
        "'id', gen_random_uuid(), 'event_seq', 2000000000000))).* FROM admission_records r LIMIT 1",
    )
    found = await found_broken(world, account_id)
    assert found == Broken(account_id, 2_000_000_000_000, "no event vouches for an admission record")


async def test_of_several_changes_the_first_is_named(world: World, boss: asyncpg.Connection) -> None:
    account_id = await a_busy_account(world)
    started, ended = [await the(boss, account_id, f"LIVE_ROOM_{each}") for each in ("STARTED", "ENDED")]
    await tamper(boss, "UPDATE events SET actor = 'nobody' WHERE account_id = $1 AND seq = $2", account_id, ended)
    await tamper(boss, "UPDATE admission_records SET evidence = '{}' WHERE event_seq = $1", started)
    assert (await found_broken(world, account_id)).seq == started


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'nobody'", "DELETE FROM events", "TRUNCATE events"])
async def test_without_switching_triggers_off_not_even_a_superuser_rewrites_the_log(
    world: World, boss: asyncpg.Connection, statement: str
) -> None:
    await a_busy_account(world)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await boss.execute(statement)
