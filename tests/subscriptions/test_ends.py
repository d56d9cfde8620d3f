"""How a connection by WebSocket ends: with its token, with a reader who does not read, with the process."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from clients import Data
from websockets.exceptions import ConnectionClosed
from worlds import World

from greenroom import streams
from greenroom.limits import Limits
from greenroom.tokens import DemoSigner
from subscriptions.test_changes import attempt_of, happen, left
from subscriptions.test_sockets import RESUME, begun
from subscriptions.wires import Talk, Wire, wired


async def test_a_token_that_expired_ends_the_connection_at_the_next_event(wire: Wire, world: World) -> None:
    shop, token = await begun(world)
    attempt = await attempt_of(world, shop)
    async with wire.socket(token) as talk:
        await talk.follow(shop)
        world.clock.advance(hours=2)
        await happen(world, attempt, ["APPROVED"])
        code, reason = await talk.closed()
    assert code == 4403
    assert "expired" in reason
    await left(wire)


async def test_a_token_that_expired_ends_the_connection_without_any_event(world: World) -> None:
    shop, token = await begun(world)
    async with wired(world) as wire, wire.socket(token) as talk:
        await talk.follow(shop)
        (channel,) = wire.streams.open
        await channel.beat()
        world.clock.advance(hours=2)
        await channel.beat()
        assert (await talk.closed())[0] == 4403


async def test_a_token_whose_key_was_withdrawn_ends_the_connection(
    wire: Wire, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, token = await begun(world)
    async with wire.socket(token) as talk:
        await talk.follow(shop)
        (channel,) = wire.streams.open
        replaced = DemoSigner.at(world.settings.data_dir / "another")
        monkeypatch.setattr(DemoSigner, "current", lambda _, at: replaced._keys)

        async def looked_again(_: DemoSigner, at: float) -> Any:
            return replaced._keys

        monkeypatch.setattr(DemoSigner, "looked_again", looked_again)
        await channel.beat()
        assert (await talk.closed())[0] == 4403


async def test_heartbeats_come_to_every_open_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = await begun(world)
    async with wired(world) as wire, wire.socket(token) as talk, wire.socket(token) as second:
        wire.streams._beats_every_s = 0.05
        beating = asyncio.create_task(wire.streams.keep_beating())
        for each in (talk, second):
            assert json.loads(await each.line.recv()) == {"type": "ping"}
        beating.cancel()


async def test_who_does_not_read_is_let_go_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SENT_WITHIN_S", 0.2)
    shop, token = await begun(world)
    attempt = await attempt_of(world, shop)
    async with wired(world) as wire:
        async with wire.raw(max_queue=1) as line:
            talk = Talk(line)
            await talk.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
            assert await talk.hear() == {"type": "connection_ack"}
            names = " ".join(f"a{i}: cursor" for i in range(Limits().aliases - 1))
            query = f"subscription ($id: ID!) {{ verificationStatusChanged(accountId: $id) {{ cursor {names} }} }}"
            await talk.subscribe(query, {"id": shop.account_id})
            await talk.say({"type": "ping"})
            assert await talk.hear() == {"type": "pong"}
            line.transport.pause_reading()
            for _ in range(8):
                await happen(world, attempt, ["SUBMITTED"] * 200)
            await left(wire)
            line.transport.resume_reading()
            messages = list[Data]()
            with suppress(ConnectionClosed):
                async for each in line:
                    messages.append(json.loads(each))
            assert line.close_code == 4408
        told = [each for each in messages if each["type"] == "next"]
        heard = [each["payload"]["data"]["verificationStatusChanged"]["cursor"] for each in told]
        assert 0 < len(heard) < 1_600
        async with wire.socket(token) as talk:
            await talk.subscribe(RESUME, {"id": shop.account_id, "a": heard[-1]})
            heard += [(await talk.change())["cursor"] for _ in range(1_600 - len(heard))]
        assert len(set(heard)) == 1_600


async def test_at_the_end_of_the_process_clients_are_told_to_come_again(world: World) -> None:
    shop, token = await begun(world)
    async with wired(world) as wire, wire.socket(token) as talk, wire.socket(token) as idle:
        await talk.follow(shop)
        wire.server.should_exit = True
        assert (await talk.closed())[0] == 1012
        assert (await idle.closed())[0] == 1012
