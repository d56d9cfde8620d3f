"""The demo's worlds: a small one that shows every case of the announcement, and a crowd to measure with."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from clients import Data
from house import Postgres, contents, housed
from test_cli import ask, asked, greenroom, on
from worlds import World

from greenroom import serving
from greenroom.demo.crowd import unforced
from greenroom.demo.world import awaited
from greenroom.embedded import APP, OWNER, SUPERUSER
from greenroom.law.terms import AdmissionBlockerCode, LiveRoomStatus, VerificationPath
from greenroom.sealing import MasterKeys, Seal, context_of
from greenroom.settings import Setting, Settings
from greenroom.terminal import Exit

CROWD = 30
SHOPS = ("seller-cn", "seller-us", "seller-new", "blogger-es", "blogger-cn", "blogger-fr")
EMPTY = "seller-new"


def demo(postgres: Postgres, database: str, *arguments: object) -> Data:
    """What `greenroom demo` says of a database that it fills."""
    done = greenroom("demo", "--json", *arguments, **on(postgres, database))
    assert done.exit_code == 0, done.output
    found: Data = json.loads(done.stdout)
    return found


@asynccontextmanager
async def presently(postgres: Postgres, database: str) -> AsyncIterator[World]:
    """The application on what a demo filled, at the present."""
    async with housed(postgres, database) as world:
        world.clock.now = datetime.now(UTC)
        yield world


def written(url: str) -> dict[str, str]:
    """A digest of each table's rows."""

    async def read() -> dict[str, str]:
        connection = await asyncpg.connect(url)
        try:
            return await contents(connection)
        finally:
            await connection.close()

    return asyncio.run(read())


@pytest.fixture(scope="module")
async def two(postgres: Postgres) -> AsyncIterator[tuple[str, str]]:
    """Databases for `small` and `large`."""
    async with postgres.database("of_demo") as one, postgres.database("of_crowd") as other:
        yield one, other


@pytest.fixture(scope="module")
def small(postgres: Postgres, two: tuple[str, str]) -> str:
    """A database with the small world."""
    assert demo(postgres, two[0])["isNew"] is True
    return two[0]


@pytest.fixture(scope="module")
def large(postgres: Postgres, two: tuple[str, str]) -> str:
    """A database with the small world and a crowd."""
    crowd = demo(postgres, two[1], "--accounts", CROWD)["crowd"]
    assert crowd.keys() == {"accounts", "isNew", "seconds", "mebibytes"}
    assert (crowd["accounts"], crowd["isNew"]) == (CROWD, True)
    return two[1]


@pytest.fixture(scope="module")
async def shown(postgres: Postgres, small: str) -> AsyncIterator[World]:
    """The application on the small world."""
    async with presently(postgres, small) as world:
        yield world


@pytest.fixture
async def empty(postgres: Postgres) -> AsyncIterator[str]:
    """A migrated database without rows."""
    async with postgres.database("of_demo_empty") as name:
        yield name


async def rooms(world: World, external_id: str) -> list[Data]:
    """Every room of an account, as its editor shows it."""
    client = world.client(accounts=[external_id])
    (account,) = (await client.call("ConsoleHome"))["viewer"]["accounts"]
    found = (await client.call("Rooms", {"accountId": account["id"], "first": 50}))["account"]["liveRooms"]
    assert not found["pageInfo"]["hasNextPage"]
    return [(await client.call("RoomForEditing", {"id": each["node"]["id"]}))["node"] for each in found["edges"]]


async def all_rooms(world: World) -> list[Data]:
    return [room for external_id in SHOPS for room in await rooms(world, external_id)]


def codes(room: Data) -> set[str]:
    return {blocker["code"] for blocker in room["admission"]["blockers"]}


# The small world


def test_a_world_is_filled_once(postgres: Postgres, small: str) -> None:
    before = written(postgres.url(SUPERUSER, small))
    again = demo(postgres, small)
    assert again["isNew"] is False
    assert {each["externalId"] for each in again["accounts"]} == set(SHOPS)
    assert written(postgres.url(SUPERUSER, small)) == before


async def test_of_two_that_fill_at_once_one_does(postgres: Postgres, empty: str) -> None:
    settings = Settings(setting=Setting.DEMO, data_dir=postgres.place / "keys")
    told = await asyncio.gather(*(serving.seed(postgres.url(APP, empty), settings) for _ in range(2)))
    assert sorted(told) == [False, True]
    counted = await asked(postgres.url(SUPERUSER, empty), "SELECT count(*) FROM accounts")
    assert counted[0][0] == len(SHOPS)


async def test_who_meets_a_database_that_is_being_filled_is_told_and_waits(postgres: Postgres, empty: str) -> None:
    owner, told = await asyncpg.connect(postgres.url(OWNER, empty)), asyncio.Event()
    async with unforced(owner):
        waiting = asyncio.create_task(awaited(postgres.url(APP, empty), waiting=told.set))
        await asyncio.wait_for(told.wait(), 10)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 10)
    told.clear()
    await awaited(postgres.url(APP, empty), waiting=told.set)
    assert not told.is_set()
    await owner.close()


@pytest.fixture
async def foreign(postgres: Postgres, empty: str) -> str:
    """A database with somebody's own account."""
    async with presently(postgres, empty) as world:
        await world.seller("CN", external_id="somebody-s-own")
    return empty


def test_a_database_that_has_accounts_is_left_as_it_is(postgres: Postgres, foreign: str) -> None:
    done = greenroom("demo", "--accounts", 1, **on(postgres, foreign))
    assert (done.exit_code, done.stdout) == (Exit.FOUND, "")
    assert "Not filled" in done.stderr
    assert ask(postgres.url(SUPERUSER, foreign), "SELECT count(*) FROM accounts")[0][0] == 1


def test_what_is_in_it_is_shown_with_the_way_in(postgres: Postgres, small: str) -> None:
    said = greenroom("demo", **on(postgres, small))
    assert said.exit_code == 0
    assert all(external_id in said.stdout for external_id in SHOPS)
    assert "token --account seller-cn" in said.stdout
    assert "filled before" in said.stdout


def test_no_production_is_filled_with_made_up_people(postgres: Postgres, empty: str) -> None:
    before = written(postgres.url(SUPERUSER, empty))
    done = greenroom("demo", "--accounts", 1, **on(postgres, empty, GREENROOM_SETTING="production"))
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert written(postgres.url(SUPERUSER, empty)) == before


async def test_both_kinds_of_account_are_there_from_china_and_elsewhere(shown: World) -> None:
    found = (await shown.staff().call("Accounts"))["accounts"]["edges"]
    kinds = {(each["node"]["kind"], each["node"]["nationality"] == "CN") for each in found}
    assert kinds == {(kind, is_home) for kind in ("SELLER", "BLOGGER") for is_home in (True, False)}
    assert {each["node"]["externalId"] for each in found} == set(SHOPS)


async def test_the_rules_are_enforced(shown: World) -> None:
    assert (await shown.staff().call("CurrentPolicy"))["admissionPolicy"]["phase"] == "ENFORCED"


@pytest.mark.parametrize("external_id", [each for each in SHOPS if each != EMPTY])
async def test_each_room_is_what_its_title_says(shown: World, external_id: str) -> None:
    for room in await rooms(shown, external_id):
        word, status, is_admitted = room["title"].split(":")[0], room["status"], room["admission"]["isAdmitted"]
        match word:
            case "Ready":
                assert (status, is_admitted, codes(room)) == ("SCHEDULED", True, set()), room["title"]
            case "Live":
                assert (status, is_admitted) == ("LIVE", True), room["title"]
                assert room["startedAt"]
            case "Ended" | "Before the launch":
                assert status == "ENDED", room["title"]
                assert room["startedAt"] < room["endedAt"]
            case "Canceled":
                assert status == "CANCELED", room["title"]
            case "Not confirmed":
                assert (status, is_admitted, codes(room)) == ("SCHEDULED", False, {"NOT_CONFIRMED"}), room["title"]
            case "Blocked" | "Blocked for good":
                assert (status, is_admitted) == ("SCHEDULED", False), room["title"]
            case _:
                raise AssertionError(room["title"])


async def test_rooms_are_in_every_state_ready_and_blocked(shown: World) -> None:
    found = await all_rooms(shown)
    assert {room["status"] for room in found} == set(LiveRoomStatus)
    scheduled = [room for room in found if room["status"] == "SCHEDULED"]
    assert {room["admission"]["isAdmitted"] for room in scheduled} == {True, False}
    assert all(room["viewerCanGoLive"] is room["admission"]["isAdmitted"] for room in scheduled)


async def test_all_three_paths_admit_somebody(shown: World) -> None:
    ready = [room for room in await all_rooms(shown) if room["title"].startswith("Ready")]
    satisfied = {member["requirement"]["path"] for room in ready for member in room["cast"]}
    assert satisfied == set(VerificationPath)
    assert all(member["requirement"]["isSatisfied"] for room in ready for member in room["cast"])


async def test_everything_that_can_block_under_the_announcement_s_own_pack_does_somewhere(shown: World) -> None:
    blocking = {code for room in await all_rooms(shown) for code in codes(room)}
    assert blocking == set(AdmissionBlockerCode)


async def test_somebody_who_was_admitted_before_the_launch_is_on_record_with_what_was_owed(shown: World) -> None:
    (room,) = [each for each in await rooms(shown, "seller-cn") if each["title"].startswith("Before the launch")]
    client = shown.client(accounts=["seller-cn"])
    (record,) = (await client.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    assert record["phase"] == "AWAITING_LAUNCH"
    assert [each["code"] for each in record["wouldBlock"]] == ["NOT_SUBMITTED"]


async def test_an_account_without_anybody_has_to_begin_with_its_first_authentication(shown: World) -> None:
    (account,) = (await shown.client(accounts=[EMPTY]).call("ConsoleHome"))["viewer"]["accounts"]
    assert account["console"]["needsFirstAuthentication"] is True
    assert await rooms(shown, EMPTY) == []


async def test_a_ready_room_goes_on_air(postgres: Postgres, large: str) -> None:
    async with presently(postgres, large) as world:
        room = next(each for each in await rooms(world, "seller-us") if each["title"].startswith("Ready"))
        client = world.client(accounts=["seller-us"])
        aired = await client.do("GoLive", liveRoomId=room["id"], idempotencyKey="one")
        assert aired["ticket"]["token"]
        await client.do("EndRoom", liveRoomId=room["id"])


def chains(postgres: Postgres, database: str) -> Data:
    done = greenroom("verify-chain", "--demo", "--json", **on(postgres, database))
    assert done.exit_code == 0, done.output
    found: Data = json.loads(done.stdout)
    return found


def test_every_log_of_the_small_world_is_unbroken(postgres: Postgres, small: str) -> None:
    told = chains(postgres, small)
    assert (told["logs"], told["broken"]) == (len(SHOPS) + 1, [])  # and the platform's own


# The crowd


def test_a_crowd_is_added_once(postgres: Postgres, large: str) -> None:
    before = written(postgres.url(SUPERUSER, large))
    assert demo(postgres, large, "--accounts", CROWD + 20)["crowd"] == {"accounts": CROWD, "isNew": False}
    said = greenroom("demo", "--accounts", CROWD, "--seed", 7, **on(postgres, large)).stdout
    assert f"A crowd of {CROWD} accounts is there already" in said
    assert written(postgres.url(SUPERUSER, large)) == before


def test_a_crowd_needs_the_role_that_owns_the_tables_and_is_whole_or_not_there(postgres: Postgres, empty: str) -> None:
    settings = on(postgres, empty, GREENROOM_MIGRATION_URL=postgres.url(APP, empty))
    done = greenroom("demo", "--accounts", 3, **settings)
    assert (done.exit_code, done.stdout) == (Exit.DATABASE, "")
    assert "GREENROOM_MIGRATION_URL" in done.stderr
    crowd = "SELECT count(*) FROM accounts WHERE external_id LIKE 'crowd-%'"
    assert ask(postgres.url(SUPERUSER, empty), crowd)[0][0] == 0


CONSTRAINTS = """
SELECT k.conrelid::regclass::text AS of, pg_get_constraintdef(k.oid) AS definition FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('c', 'f', 'u')
"""


async def test_every_row_of_the_crowd_passes_every_constraint(postgres: Postgres, large: str) -> None:
    boss = await asyncpg.connect(postgres.url(SUPERUSER, large))
    try:
        constraints = await boss.fetch(CONSTRAINTS)
        assert {each["definition"].split()[0] for each in constraints} >= {"CHECK", "FOREIGN"}
        for number, each in enumerate(constraints):  # added once more, each looks at all rows that are there
            transaction = boss.transaction()
            await transaction.start()
            await boss.execute(f"ALTER TABLE {each['of']} ADD CONSTRAINT again_{number} {each['definition']}")
            await transaction.rollback()
    finally:
        await boss.close()


def test_row_security_is_forced_again_when_the_crowd_is_in(postgres: Postgres, large: str) -> None:
    forced = "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relkind = 'r' AND NOT relforcerowsecurity"
    assert ask(postgres.url(SUPERUSER, large), forced)[0][0] == 0
    assert ask(postgres.url(APP, large), "SELECT count(*) FROM accounts")[0][0] == 0


def test_every_log_of_the_crowd_is_unbroken(postgres: Postgres, large: str) -> None:
    told = chains(postgres, large)
    assert (told["logs"], told["broken"]) == (len(SHOPS) + 1 + CROWD, [])


SEALED = """
SELECT v.account_id, v.anchor_id, v.path, v.legal_name, v.email, k.master_key_id, k.wrapped
FROM verifications v JOIN accounts a USING (account_id) LEFT JOIN anchor_keys k USING (account_id, anchor_id)
WHERE a.external_id LIKE 'crowd-%' AND (v.legal_name IS NOT NULL OR v.email IS NOT NULL)
"""


async def test_what_is_sealed_of_the_crowd_opens_with_the_demo_s_keys(postgres: Postgres, large: str) -> None:
    master, opened = MasterKeys.at(postgres.place / "keys"), Counter[str]()
    boss = await asyncpg.connect(postgres.url(SUPERUSER, large))
    try:
        rows = await boss.fetch(SEALED)
    finally:
        await boss.close()
    for row in rows:
        place: dict[str, Any] = {"account_id": row["account_id"], "anchor_id": row["anchor_id"]}
        seal = Seal(await master.unwrap(row["master_key_id"], row["wrapped"], context=context_of(**place)))
        assert seal.open(row["legal_name"], **place, column="legal_name")
        if row["path"] == "CONTACT":
            assert seal.open(row["email"], **place, column="email").endswith("@example.com")
        opened[row["path"]] += 1
    assert opened["CONTACT"] > CROWD
    assert opened["PASSPORT_VISA"] > CROWD


async def test_the_gate_answers_for_the_rooms_of_the_crowd(postgres: Postgres, large: str) -> None:
    async with presently(postgres, large) as world:
        for external_id in ("crowd-00001", "crowd-00030"):
            found = await rooms(world, external_id)
            answers = Counter((room["status"], room["admission"]["isAdmitted"]) for room in found)
            assert answers[("SCHEDULED", True)] == 2, answers
            assert answers[("SCHEDULED", False)] == 2, answers
            assert sum(count for (status, _), count in answers.items() if status == "CANCELED") == 1
            blocked = [room for room in found if room["status"] == "SCHEDULED" and codes(room)]
            assert sorted(len(room["admission"]["blockers"]) for room in blocked) == [1, 3]


def test_the_same_seed_makes_the_same_crowd(postgres: Postgres, large: str, empty: str) -> None:
    demo(postgres, empty, "--accounts", CROWD)
    named = "SELECT account_id, display_name, n.nationality FROM anchors n JOIN accounts a USING (account_id)"
    of_crowd = f"{named} WHERE a.external_id LIKE 'crowd-%' ORDER BY 1, 2, 3"
    one, other = (ask(postgres.url(SUPERUSER, database), of_crowd) for database in (large, empty))
    assert one == other
    assert len(one) == CROWD * 10
