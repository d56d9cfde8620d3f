"""What a peer that does not play along costs: nothing that grows, and nothing for long."""

import asyncio
from typing import Any

import pytest
from clients import Data
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from worlds import World

from greenroom import frames, serving, streams
from greenroom.limits import Limits
from subscriptions.test_changes import attempt_of, happen, left
from subscriptions.wires import Wire, wired


def held_by(wire: Wire) -> list[Any]:
    """The protocols of open WebSockets."""
    return [each for each in wire.server.server_state.connections if isinstance(each, frames.Frames)]


async def until_none(wire: Wire) -> None:
    while held_by(wire):  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.01)


def much(shop: Any) -> tuple[str, Data]:
    """A subscription whose messages are large."""
    names = " ".join(f"a{i}: cursor" for i in range(Limits().aliases - 1))
    return f"subscription ($id: ID!) {{ verificationStatusChanged(accountId: $id) {{ cursor {names} }} }}", {
        "id": shop.account_id
    }


async def test_a_peer_that_never_reads_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SENT_WITHIN_S", 0.1)
    monkeypatch.setattr(frames, "LINGERS_S", 0.1)
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with wired(world) as wire, wire.socket(shop.sign()) as talk:
        await talk.subscribe(*much(shop))
        await talk.say({"type": "ping"})
        assert await talk.hear() == {"type": "pong"}
        talk.line.transport.pause_reading()
        for _ in range(10):
            await happen(world, attempt, ["SUBMITTED"] * 200)
        await left(wire)
        await until_none(wire)
        talk.line.transport.abort()


async def test_pings_are_answered_while_the_answers_are_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "LINGERS_S", 0.1)
    shop = await world.seller()
    async with wired(world) as wire, wire.socket(shop.sign()) as talk:
        (protocol,) = held_by(wire)
        protocol.writable.clear()  # as where the peer reads nothing
        await talk.line.ping()
        protocol.writable.set()
        await talk.say({"type": "ping"})
        assert await talk.hear() == {"type": "pong"}
        answered = await talk.line.ping()
        await asyncio.wait_for(answered, 10)


async def test_a_peer_that_answers_no_ping_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PINGS_EVERY_S", 0.05)
    shop = await world.seller()
    async with wired(world) as wire, wire.socket(shop.sign()) as talk:
        talk.line.transport.pause_reading()
        await until_none(wire)
        await left(wire)
        talk.line.transport.abort()


async def test_a_close_is_not_waited_for_by_a_reader(world: World) -> None:
    shop = await world.seller()
    async with wired(world) as wire, wire.socket(shop.sign()) as talk:
        (protocol,), (channel,) = held_by(wire), wire.streams.open
        protocol.writable.clear()
        channel.end(streams.SLOW)
        assert (await talk.closed())[0] == 4408


async def test_text_that_is_none_ends_the_connection(wire: Wire, world: World) -> None:
    shop = await world.seller()
    async with wire.socket(shop.sign()) as talk:
        talk.line.protocol.send_text(b'{"type": "\xff"}')
        talk.line.transport.write(b"".join(talk.line.protocol.data_to_send()))
        assert (await talk.closed())[0] == 1007
    await left(wire)


async def test_another_address_takes_no_socket(wire: Wire) -> None:
    for path in ("/", "/graphql/stream", "/healthz", "/nothing"):
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{wire.port}{path}")


async def test_sockets_that_say_nothing_are_bounded_like_all_connections(wire: Wire) -> None:
    assert wire.server.config.limit_concurrency == serving.CONNECTIONS_MAX
    async with wire.raw() as line:
        assert len(wire.server.server_state.connections) == 1
        await line.close()
    await until_none(wire)
