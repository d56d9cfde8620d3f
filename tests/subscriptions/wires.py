"""Wires: the application under real uvicorn, and clients of its two protocols that show every message."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from clients import Data, Shop, document
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from worlds import World

from greenroom.app import create
from greenroom.serving import Announcing, configured
from greenroom.settings import Settings

WITHIN_S = 20.0  # a message that does not come by then never comes
CHANGES = "VerificationChanges"


@dataclass
class Wire:
    """One served application."""

    world: World
    port: int
    server: uvicorn.Server
    app: Any

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def streams(self) -> Any:
        return self.app.state.held.streams

    @property
    def feeds(self) -> Any:
        return self.app.state.held.services.feeds

    @asynccontextmanager
    async def socket(self, token: str | None = None, **init: Any) -> AsyncIterator["Talk"]:
        """A WebSocket; with a token it is initialised, and acknowledged."""
        async with self.raw() as line:
            talk = Talk(line)
            if token is not None or init:
                payload = init or {"authorization": f"Bearer {token}"}
                await talk.say({"type": "connection_init", "payload": payload})
                assert await talk.hear() == {"type": "connection_ack"}
            yield talk

    def raw(self, *, subprotocols: Any = ("graphql-transport-ws",), **more: Any) -> connect:
        """A WebSocket as it is."""
        more = {"compression": None, "ping_interval": None, "max_queue": None} | more
        return connect(f"ws://127.0.0.1:{self.port}/graphql", subprotocols=subprotocols, **more)


@dataclass
class Talk:
    """A conversation by graphql-transport-ws."""

    line: ClientConnection
    made: int = field(default=0)

    async def say(self, message: Any) -> None:
        await self.line.send(json.dumps(message))

    async def hear(self) -> Data:
        """The next message, heartbeats apart."""
        while (found := json.loads(await asyncio.wait_for(self.line.recv(), WITHIN_S))) == {"type": "ping"}:
            pass
        heard: Data = found
        return heard

    async def subscribe(self, query: str, variables: Data, **more: Any) -> str:
        """Send an operation; when this returns it has begun, or its error is on the way."""
        self.made += 1
        payload = {"query": query, "variables": variables} | more
        await self.say({"id": str(self.made), "type": "subscribe", "payload": payload})
        return str(self.made)

    async def follow(self, shop: Shop | str, after: str | None = None) -> str:
        """Subscribe to an account; what happens from here on comes."""
        account = shop if isinstance(shop, str) else shop.account_id
        id = await self.subscribe(document(CHANGES), {"accountId": account, "after": after}, operationName=CHANGES)
        await self.say({"type": "ping"})
        self.first = await self.hear()
        return id

    async def change(self) -> Data:
        """The next change of a status."""
        found = await self.hear()
        assert found["type"] == "next", found
        assert "errors" not in found["payload"], found
        changed: Data = found["payload"]["data"]["verificationStatusChanged"]
        return changed

    async def closed(self) -> tuple[int, str]:
        """Code and reason with which the other side closes, whatever it says before."""
        await asyncio.wait_for(self._read_out(), WITHIN_S)
        assert self.line.close_code is not None
        return self.line.close_code, self.line.close_reason or ""

    async def _read_out(self) -> None:
        with suppress(ConnectionClosed):
            async for _ in self.line:
                pass


@asynccontextmanager
async def wired(world: World, **settings: Any) -> AsyncIterator[Wire]:
    """Serve the application on the database of a world, with its clock."""
    given = Settings(**(world.settings.model_dump() | settings))
    app = create(given, database_url=world.url, clock=world.clock)
    async with serving(world, app) as wire:
        yield wire


@asynccontextmanager
async def serving(world: World, app: Any) -> AsyncIterator[Wire]:
    """Serve an application on a free port, as `greenroom serve` does."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Announcing(configured(app), lambda: None, lambda: app.state.held.streams.end())
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        running = asyncio.create_task(server._serve([listening]))
        while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        try:
            yield Wire(world, listening.getsockname()[1], server, app)
        finally:
            server.should_exit = True
            await running
