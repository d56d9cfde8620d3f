"""Text that would take long to read, null where one is needed, and what is true once it was written."""

import asyncio
import unicodedata
from typing import Any

import asyncpg
import pytest
from clients import newcomer
from graphql import GraphQLError
from house import superuser
from worlds import World

from greenroom import access, text
from greenroom.access import account_id_of
from greenroom.operations import QUOTED_LENGTH_MAX, formatted

MARKS = "a" + "\u0301" * 15_000 + "\u0327" * 15_000  # takes seconds to bring into NFC
BOUND = 4_000


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing long is brought into a normal form."""
    real = unicodedata.normalize

    def normalize(form: Any, value: str) -> str:
        assert len(value) <= BOUND, f"{len(value)} characters"
        return real(form, value)

    monkeypatch.setattr(access, "normalize", normalize)
    monkeypatch.setattr(text.unicodedata, "normalize", normalize)


@pytest.mark.usefixtures("bounded")
async def test_no_text_of_a_caller_is_normalized_before_its_length_is_known(world: World) -> None:
    shop = await world.seller()
    asked = await world.anonymous().ask("query($x: String!) { account(by: {externalId: $x}) { id } }", {"x": MARKS})
    assert asked == {"account": None}
    registering = {"externalId": MARKS, "kind": "SELLER", "name": MARKS, "nationality": "CN"}
    errors = await world.staff().refused("RegisterAccount", **registering)
    assert {tuple(error["field"]) for error in errors} == {("input", "externalId"), ("input", "name")}
    room = {
        "accountId": shop.account_id,
        "title": MARKS,
        "scheduledStartAt": world.tonight(),
        "cast": [newcomer(MARKS)],
    }
    assert len(await shop.refused("CreateRoom", **room)) == 2
    anchor = await shop.anchor()
    evidence = {"contact": {"legalName": MARKS, "nationality": "ES", "email": MARKS}}
    errors = await shop.refused(
        "SubmitVerification",
        anchorId=anchor["id"],
        evidence=evidence,
        location="OUTSIDE_CHINA",
        entryPoint="CONSOLE_HOME",
    )
    assert {error["field"][-1] for error in errors} >= {"legalName", "email"}
    await shop.call("Roster", {"accountId": shop.account_id, "search": MARKS})


def test_an_id_that_is_too_long_is_nobodys_and_no_other_ones() -> None:
    long = "x" * (access.EXTERNAL_ID_LENGTH_MAX + 1)
    assert account_id_of(long) != account_id_of(long[:-1])
    assert account_id_of(long) != account_id_of(long + "x")


def test_no_pattern_sees_more_of_a_message_than_is_sent() -> None:
    told = formatted(GraphQLError(" cannot represent " * 100_000 + ":x"), "BAD_USER_INPUT")["message"]
    assert len(told) <= QUOTED_LENGTH_MAX


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($x: String) { account(by: {externalId: $x}) { id } }", {"x": None}),
        (
            "mutation($c: ContactEvidenceInput, $a: ID!) { verificationSubmit(input: {anchorId: $a, location:"
            " OUTSIDE_CHINA, entryPoint: CONSOLE_HOME, evidence: {contact: $c}}) { userErrors { code } } }",
            {"c": None, "a": "x"},
        ),
    ],
)
async def test_null_for_the_one_that_must_be_given_is_the_callers_mistake(
    world: World, query: str, variables: dict[str, Any]
) -> None:
    shop = await world.seller()
    (error,) = (await shop.post(query, variables)).json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_was_done_is_never_said_to_have_changed_nothing(world: World) -> None:
    shop = await world.seller()
    await shop.call("ConsoleHome")
    create = """mutation($input: LiveRoomCreateInput!) {
        liveRoomCreate(input: $input) { liveRoom { id admission { isAdmitted } } userErrors { code } } }"""
    input = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": [newcomer()]}
    async with superuser(world) as holder, holder.transaction():
        await holder.execute("LOCK TABLE reviews IN ACCESS EXCLUSIVE MODE")  # as a migration would
        (error,) = (await shop.post(create, {"input": input})).json()["errors"]
    assert error["extensions"]["code"] == "UNAVAILABLE"
    async with superuser(world) as looking:
        assert await looking.fetchval("SELECT count(*) FROM live_rooms") == 1


async def test_a_start_that_waited_past_the_launch_is_decided_by_what_holds_then(
    world: World, boss: asyncpg.Connection
) -> None:  # R31
    shop = await world.seller()
    room = await shop.room(newcomer(), start=world.tonight())
    launch = world.clock.now.replace(microsecond=0)
    await world.launch(at=launch.replace(hour=launch.hour + 1))
    async with boss.transaction():
        await boss.execute("SELECT FROM live_rooms FOR UPDATE")
        going = asyncio.create_task(shop.send("GoLive", {"input": {"liveRoomId": room["id"]}}))
        async with asyncio.timeout(20):
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while not await boss.fetchval(waits):  # noqa: ASYNC110  # it is the database that tells
                await asyncio.sleep(0.01)
        world.clock.advance(hours=2)
    payload = (await going).json()["data"]["liveRoomGoLive"]
    assert [error["code"] for error in payload["userErrors"]] == ["ADMISSION_REFUSED"]
