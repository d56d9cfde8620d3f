"""Several processes on one database, some of which die: no change is lost, none comes twice."""

import asyncio
import json
import signal
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import npm
import pytest
from clients import Data, Shop, document
from websockets.asyncio.client import connect
from worlds import World

from greenroom.events.feeds import Feeds
from greenroom.graph import read_id
from greenroom.paging import cursor_of
from subscriptions.processes import Server, server
from subscriptions.test_changes import attempt_of, happen
from subscriptions.test_sse import asker, body, followed, status_of
from subscriptions.wires import CHANGES, WITHIN_S, Talk

CLIENTS = Path(__file__).parent / "clients"
SUBPROTOCOLS: Any = ["graphql-transport-ws"]


def token_of(world: World, shop: Shop) -> str:
    """A token that holds by the clock on the wall, which is what processes of their own go by."""
    return world.signer.sign(
        "mei",
        accounts=[shop.external_id],
        expires_in=timedelta(hours=1),
        audience=world.settings.token_audience,
        now=datetime.now(UTC),
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def talking(stack: AsyncExitStack, at: Server, token: str) -> Talk:
    """A socket of a server, acknowledged."""
    talk = Talk(await stack.enter_async_context(connect(at.ws, subprotocols=SUBPROTOCOLS, compression=None)))
    await talk.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    assert await talk.hear() == {"type": "connection_ack"}
    return talk


async def test_changes_reach_the_subscribers_of_every_process_and_a_killed_one_costs_none(world: World) -> None:
    shop = await world.seller()
    attempt, token = await attempt_of(world, shop), token_of(world, shop)
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(server(world, free_port())) for _ in range(2)]
        talks = [await talking(stack, at, token) for at in (first, second)]
        for talk in talks:
            await talk.follow(shop)
        await happen(world, attempt, ["REJECTED"])
        assert [(await talk.change())["status"] for talk in talks] == ["REJECTED", "REJECTED"]
        await happen(world, attempt, ["SUBMITTED"])
        cursor = (await talks[0].change())["cursor"]
        await first.kill()
        assert (await talks[0].closed())[0] == 1006
        await happen(world, attempt, ["APPROVED", "REVOKED"])
        again = await talking(stack, second, token)
        await again.subscribe(document(CHANGES), {"accountId": shop.account_id, "after": cursor})
        assert [(await again.change())["status"] for _ in range(2)] == ["APPROVED", "REVOKED"]
        assert [(await talks[1].change())["status"] for _ in range(3)] == ["SUBMITTED", "APPROVED", "REVOKED"]
        await happen(world, attempt, ["CANCELED"])
        assert [(await talk.change())["status"] for talk in (again, talks[1])] == ["CANCELED"] * 2


async def test_a_change_made_through_one_process_is_told_by_another(world: World) -> None:
    shop = await world.seller()
    ana, token = (await shop.anchor())["id"], token_of(world, shop)
    async with server(world, free_port()) as one, server(world, free_port()) as other, AsyncExitStack() as stack:
        talk = await talking(stack, other, token)
        await talk.follow(shop)
        async with asker(one, token) as client:  # type: ignore[arg-type]  # it has an address, too
            contact = {"legalName": "Ana", "email": "ana@example.com", "nationality": "ES"}
            given = {"anchorId": ana, "evidence": {"contact": contact}, "location": "OUTSIDE_CHINA"}
            given |= {"entryPoint": "ROOM_EDITOR", "consentVersion": "2021-08"}
            asked = {"query": document("SubmitVerification"), "variables": {"input": given}}
            done = (await client.post("/graphql", json=asked)).json()
            assert not done["data"]["verificationSubmit"]["userErrors"], done
            assert (await talk.change())["status"] == "SUBMITTED"
            async with followed(client, body(shop)) as told:
                await happen(world, done["data"]["verificationSubmit"]["verification"]["id"], ["APPROVED"])
                assert status_of(await told.next()) == "APPROVED"


class Follower:
    """A published client, in a Node of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def of(cls, **asked: Any) -> "Follower":
        directory = await npm.installed(CLIENTS)
        return cls(
            await asyncio.create_subprocess_exec(
                npm.node(), "follow.mjs", json.dumps(asked), cwd=directory, stdout=asyncio.subprocess.PIPE
            )
        )

    async def told(self, name: str) -> Data:
        """The next thing of this name that happens to it."""
        while True:
            assert self.process.stdout is not None
            line = await asyncio.wait_for(self.process.stdout.readline(), WITHIN_S)
            assert line, "it ended"
            found: Data = json.loads(line)
            assert name == "failed" or "failed" not in found, found
            if name in found:
                return found

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), WITHIN_S)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
@pytest.mark.parametrize("client", ["ws", "distinct", "single"])
async def test_published_clients_go_on_by_themselves_where_a_server_ends_and_another_begins(
    world: World, client: str, how: signal.Signals
) -> None:
    shop = await world.seller()
    attempt, token, port = await attempt_of(world, shop), token_of(world, shop), free_port()
    address = f"ws://127.0.0.1:{port}/graphql" if client == "ws" else f"http://127.0.0.1:{port}/graphql/stream"
    account = read_id(shop.account_id)[1].account_id
    head = await Feeds(world.db).head(account)  # from here on, so that it does not matter when the client is there
    variables = {"accountId": shop.account_id, "after": cursor_of((account, head))}
    async with server(world, port) as first:
        follower = await Follower.of(
            client=client, url=address, token=token, query=document(CHANGES), variables=variables, count=5
        )
        await follower.told("connected")
        await happen(world, attempt, ["REJECTED"])
        found = [await follower.told("status")]
        first.process.send_signal(how)
        await asyncio.wait_for(first.process.wait(), WITHIN_S)
    await happen(world, attempt, ["SUBMITTED", "APPROVED"])
    async with server(world, port):
        found += [await follower.told("status") for _ in range(2)]
        await happen(world, attempt, ["REVOKED", "CANCELED"])
        found += [await follower.told("status") for _ in range(2)]
        assert await follower.ended() == 0
    assert [each["status"] for each in found] == ["REJECTED", "SUBMITTED", "APPROVED", "REVOKED", "CANCELED"]
    assert len({each["cursor"] for each in found}) == 5


@pytest.mark.parametrize(("client", "said"), [("ws", "NOT_FOUND"), ("distinct", "NOT_FOUND"), ("single", "NOT_FOUND")])
async def test_published_clients_hear_why_an_operation_does_not_run(world: World, client: str, said: str) -> None:
    shop, other = await world.seller(), await world.seller()
    async with server(world, free_port()) as at:
        follower = await Follower.of(
            client=client,
            url=at.ws if client == "ws" else f"{at.http}/graphql/stream",
            token=token_of(world, shop),
            query=document(CHANGES),
            variables={"accountId": other.account_id},
            count=1,
        )
        assert said in json.dumps(await follower.told("failed"))
        await follower.ended()
