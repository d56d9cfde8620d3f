"""graphql-transport-ws to the letter, and what keeps a socket from costing more than it may."""

import json
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from clients import Data
from house import contents
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed
from worlds import World

from greenroom import frames, sockets
from greenroom.limits import Limits
from subscriptions.test_changes import left
from subscriptions.wires import Talk, Wire, wired

FOLLOW = "subscription ($id: ID!) { verificationStatusChanged(accountId: $id) { cursor } }"

CANCEL = 'mutation { liveRoomCancel(input: {liveRoomId: ""}) { userErrors { code } } }'
RESUME = "subscription ($id: ID!, $a: String) { verificationStatusChanged(accountId: $id, after: $a) { cursor } }"


async def begun(world: World) -> tuple[Any, str]:
    shop = await world.seller()
    return shop, shop.sign()


def code_of(message: Data) -> str:
    assert message["type"] == "error", message
    code: str = message["payload"][0]["extensions"]["code"]
    return code


@pytest.mark.parametrize("subprotocols", [None, ("graphql-ws",), ("mqtt", "graphql-ws")])
async def test_another_protocol_is_not_spoken(wire: Wire, subprotocols: Any) -> None:
    async with wire.raw(subprotocols=subprotocols) as line:
        assert (await Talk(line).closed())[0] == 4406


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no JSON",
        "[]",
        "null",
        '"connection_init"',
        "{}",
        '{"type": "start"}',
        '{"type": 7}',
        '{"type": "complete"}',
        '{"type": "connection_terminate"}',
        "[" * 100_000,
        b'{"type": "ping"}',
    ],
)
async def test_what_is_no_message_ends_the_connection(wire: Wire, world: World, message: Any) -> None:
    _, token = await begun(world)
    async with wire.socket(token) as talk:
        await talk.line.send(message)
        assert (await talk.closed())[0] == 4400
    await left(wire)


@pytest.mark.parametrize("payload", [None, [], "text", {}, {"query": 7}, {"query": FOLLOW, "variables": []}])
async def test_an_operation_that_is_none_ends_the_connection(wire: Wire, world: World, payload: Any) -> None:
    _, token = await begun(world)
    async with wire.socket(token) as talk:
        await talk.say({"id": "1", "type": "subscribe", "payload": payload})
        assert (await talk.closed())[0] == 4400


@pytest.mark.parametrize("id", [None, "", 7, "x" * 256])
async def test_an_id_is_a_text_of_some_length(wire: Wire, world: World, id: Any) -> None:
    shop, token = await begun(world)
    async with wire.socket(token) as talk:
        payload = {"query": FOLLOW, "variables": {"id": shop.account_id}}
        await talk.say({"id": id, "type": "subscribe", "payload": payload})
        assert (await talk.closed())[0] == 4400


async def test_nothing_is_subscribed_to_before_the_acknowledgement(wire: Wire, world: World) -> None:
    shop = await world.seller()
    async with wire.socket() as talk:
        await talk.subscribe(FOLLOW, {"id": shop.account_id})
        assert (await talk.closed())[0] == 4401


async def test_a_ping_is_answered_before_and_after_the_acknowledgement(wire: Wire, world: World) -> None:
    _, token = await begun(world)
    async with wire.socket() as talk:
        await talk.say({"type": "ping"})
        assert await talk.hear() == {"type": "pong"}
        await talk.say({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert await talk.hear() == {"type": "connection_ack"}
        await talk.say({"type": "pong"})
        await talk.say({"type": "ping", "payload": {"any": 1}})
        assert await talk.hear() == {"type": "pong"}


async def test_the_token_may_stand_in_the_head(wire: Wire, world: World) -> None:
    _, token = await begun(world)
    async with wire.raw(additional_headers={"authorization": f"Bearer {token}"}) as line:
        talk = Talk(line)
        await talk.say({"type": "connection_init"})
        assert await talk.hear() == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, 4401),
        ({}, 4401),
        ({"authorization": "Bearer nonsense"}, 4403),
        ({"authorization": 7}, 4403),
        ({"authorization": "Bearer \u00e9"}, 4403),
        ({"authorization": "Bearer " + "x" * 10_000}, 4403),
    ],
)
async def test_who_does_not_say_who_they_are_is_refused(wire: Wire, payload: Any, code: int) -> None:
    async with wire.socket() as talk:
        await talk.say({"type": "connection_init", "payload": payload})
        found, reason = await talk.closed()
    assert found == code
    assert reason


@pytest.mark.parametrize("count", [2, 500])
async def test_a_flood_of_initialisations_is_cut_at_the_second(wire: Wire, world: World, count: int) -> None:
    _, token = await begun(world)
    async with wire.socket() as talk:
        init = json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        with_what = "Too many initialisation requests"
        with suppress(ConnectionClosed):
            for _ in range(count):
                await talk.line.send(init)
        assert await talk.closed() == (4429, with_what)
    await left(wire)


async def test_what_is_refused_leaves_a_line_of_codes_and_changes_nothing(
    wire: Wire, world: World, boss: asyncpg.Connection
) -> None:
    shop, token = await begun(world)
    before = await contents(boss)
    with capture_logs() as logs:
        async with wire.socket(token) as talk:
            await talk.follow("nobody's")
            await talk.follow(shop, "no cursor")
            await talk.say({"type": "Maria Petrova"})
            await talk.closed()
        async with wire.socket() as talk:
            await talk.say({"type": "connection_init", "payload": {"authorization": "Maria Petrova"}})
            await talk.closed()
        async with wire.socket(token) as talk:
            with suppress(ConnectionClosed):
                await talk.say({"type": "ping", "payload": {"x": "x" * frames.BYTES_MAX}})
            await talk.closed()
        async with wire.socket(token) as talk:
            await talk.follow(shop)
            world.clock.advance(hours=2)
            (channel,) = wire.streams.open
            await channel.beat()
            await talk.closed()
        await left(wire)
    told = [{name: value for name, value in line.items() if name not in ("event", "log_level")} for line in logs]
    assert told == [
        {"codes": ["NOT_FOUND"]},
        {"codes": ["BAD_USER_INPUT"]},
        {"code": 4400},
        {"code": 4403},
        {"code": 1009},
        {"code": "TOKEN_EXPIRED"},
        {"code": 4403},
    ]
    assert await contents(boss) == before


async def test_who_does_not_initialise_is_let_go(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "INITIALISED_WITHIN_S", 0.05)
    async with wire.socket() as talk:
        assert (await talk.closed())[0] == 4408


async def test_an_id_that_is_in_use_ends_the_connection_and_one_that_is_over_may_come_again(
    wire: Wire, world: World
) -> None:
    shop, token = await begun(world)
    payload = {"query": FOLLOW, "variables": {"id": shop.account_id}}
    async with wire.socket(token) as talk:
        await talk.say({"id": "a", "type": "subscribe", "payload": payload})
        await talk.say({"id": "a", "type": "complete"})
        await talk.say({"id": "never", "type": "complete"})
        await talk.say({"id": "a", "type": "subscribe", "payload": payload})
        await talk.say({"id": "a", "type": "subscribe", "payload": payload})
        assert await talk.closed() == (4409, "Subscriber for a already exists")
    await left(wire)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        (FOLLOW, "BAD_USER_INPUT"),
        ("{ viewer { name } }", "OPERATION_RESOLUTION_FAILURE"),
        (
            'mutation { liveRoomCancel(input: {liveRoomId: ""}) { userErrors { code } } }',
            "OPERATION_RESOLUTION_FAILURE",
        ),
        (FOLLOW.replace("cursor", "cursor " * 2_500), "LIMIT_EXCEEDED"),
        ("subscription { a: __typename b: __typename }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_what_http_refuses_is_refused_here_with_the_same_codes(
    wire: Wire, world: World, query: str, code: str
) -> None:
    _, token = await begun(world)
    async with wire.socket(token) as talk:
        await talk.subscribe(query, {})
        assert code_of(await talk.hear()) == code
    await left(wire)


async def test_an_operation_that_costs_too_much_is_refused(wire: Wire, world: World) -> None:
    shop, token = await begun(world)
    deep = "first: 100) { nodes { verifications(first: 100) { nodes { id } } } }"
    query = (
        "subscription ($id: ID!) { verificationStatusChanged(accountId: $id) { verification { anchor {"
        " account { anchors(" + deep + " } } } } }"
    )
    async with wire.socket(token) as talk:
        await talk.subscribe(query, {"id": shop.account_id})
        message = await talk.hear()
    assert code_of(message) in ("LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED")


async def test_sentences_are_in_the_readers_language(wire: Wire, world: World) -> None:
    _, token = await begun(world)
    headers = {"authorization": f"Bearer {token}", "accept-language": "zh-CN"}
    async with wire.raw(additional_headers=headers) as line:
        talk = Talk(line)
        await talk.say({"type": "connection_init"})
        assert await talk.hear() == {"type": "connection_ack"}
        await talk.follow("nobody's")
    assert talk.first["payload"][0]["message"] == "该账号不存在。"


async def test_who_has_no_points_left_is_told_so(world: World) -> None:
    shop, token = await begun(world)
    async with wired(world, rate_points=15, rate_points_per_s=1) as wire, wire.socket(token) as talk:
        for _ in range(20):
            await talk.subscribe(FOLLOW, {"id": shop.account_id})
            await talk.say({"type": "ping"})
            if (message := await talk.hear()) != {"type": "pong"}:
                break
        assert code_of(message) == "RATE_LIMITED"


async def test_one_caller_has_so_many_subscriptions_and_connections(world: World) -> None:
    shop, token = await begun(world)
    async with wired(world, subscriptions_of_actor_max=2) as wire, wire.socket(token) as talk:
        await talk.follow(shop)
        async with wire.socket(token) as second:
            await second.follow(shop)
            await second.follow(shop)
            assert second.first["payload"][0]["extensions"]["limit"] == "subscriptions"
            async with wire.socket() as third:
                await third.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
                assert (await third.closed())[0] == 4429
            other = await world.seller()
            async with wire.socket(other.sign()) as talk_of_other:
                await talk_of_other.follow(other)
                assert talk_of_other.first == {"type": "pong"}
        await talk.say({"id": "1", "type": "complete"})
        await talk.follow(shop)
        assert talk.first == {"type": "pong"}


async def test_a_process_that_is_full_says_try_again(world: World) -> None:
    shop, token = await begun(world)
    other = await world.seller()
    async with wired(world, subscriptions_max=1) as wire, wire.socket(token) as talk:
        await talk.follow(shop)
        await talk.follow(shop)
        assert code_of(talk.first) == "BUSY"
        async with wire.socket() as second:
            await second.say({"type": "connection_init", "payload": {"authorization": f"Bearer {other.sign()}"}})
            assert (await second.closed())[0] == 1013


async def test_one_connection_carries_so_many_operations(
    wire: Wire, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.streams.runner, "limits", Limits(operations=1))
    shop, token = await begun(world)
    async with wire.socket(token) as talk:
        await talk.follow(shop)
        await talk.follow(shop)
        assert talk.first["payload"][0]["extensions"]["limit"] == "operations"


async def test_a_message_too_large_ends_the_connection(wire: Wire, world: World) -> None:
    _, token = await begun(world)
    async with wire.socket(token) as talk:
        with suppress(ConnectionClosed):
            await talk.say({"type": "ping", "payload": {"x": "x" * frames.BYTES_MAX}})
        assert (await talk.closed())[0] == 1009
    await left(wire)


async def test_a_message_in_too_many_pieces_ends_the_connection(wire: Wire, world: World) -> None:
    _, token = await begun(world)
    async with wire.socket(token) as talk:
        protocol = talk.line.protocol
        protocol.send_text(b"{", fin=False)
        for _ in range(frames.PIECES_MAX + 1):
            protocol.send_continuation(b"", fin=False)
        talk.line.transport.write(b"".join(protocol.data_to_send()))
        assert (await talk.closed())[0] == 1009
    await left(wire)


async def test_a_message_in_pieces_is_one(wire: Wire, world: World) -> None:
    _, token = await begun(world)
    async with wire.socket(token) as talk:
        await talk.line.send(['{"type"', ": ", '"ping"}'])
        assert await talk.hear() == {"type": "pong"}


async def test_per_message_compression_is_off(wire: Wire) -> None:
    async with wire.raw(compression="deflate") as line:
        assert line.protocol.extensions == []
