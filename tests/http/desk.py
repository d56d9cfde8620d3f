"""A desk: the endpoint with the stand-in schema behind it, and ways to ask it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog
import uvicorn
from standin import Context, schema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route
from structlog.testing import CapturingLogger

from greenroom.explorer import ASSETS_AT, Assets
from greenroom.heads import Heads
from greenroom.http import GraphQLEndpoint
from greenroom.limits import Limits
from greenroom.rates import Budget, Exhausted
from greenroom.requests import GRAPHQL, HttpRefusal, language_of
from greenroom.serving import configured

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMIT = 100_000


@dataclass
class Desk:
    """The endpoint under test, and what it did beside answering."""

    limits: Limits = field(default_factory=Limits)
    introspection: bool = True
    left: int = LIMIT
    spent: list[int] = field(default_factory=list)
    logger: CapturingLogger = field(default_factory=CapturingLogger)
    context_for: Callable[[Request], Awaitable[Context | HttpRefusal]] | None = None

    async def spend(self, actor_key: str, cost: int) -> Budget | Exhausted:
        self.spent.append(cost)
        if cost > self.left:
            return Exhausted(cost, LIMIT, self.left, NOW + timedelta(seconds=9), 9, 3)
        self.left -= cost
        return Budget(cost, LIMIT, self.left, NOW + timedelta(seconds=2), 2)

    async def context(self, request: Request) -> Context:
        return Context(language=language_of(request.headers.get("accept-language")))

    def app(self) -> Starlette:
        levels = structlog.make_filtering_bound_logger(0)
        log = structlog.wrap_logger(self.logger, processors=[], wrapper_class=levels)
        endpoint = GraphQLEndpoint(
            schema,
            context_for=self.context_for or self.context,
            limits=self.limits,
            spend=self.spend,
            introspection=self.introspection,
            log=log,
        )
        return Starlette(routes=[Route("/graphql", endpoint), Mount(ASSETS_AT, Assets())])

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app())
        return httpx.AsyncClient(transport=transport, base_url="http://greenroom.test", headers={"accept": GRAPHQL})

    @property
    def logged(self) -> list[Any]:
        return self.logger.calls


@asynccontextmanager
async def served(desk: Desk, *, http: type[Heads] = Heads) -> AsyncIterator[str]:
    """Serve on a free port of the loopback, as a user would meet it, and yield the address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(configured(desk.app(), http=http))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}/graphql"
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving


async def ask(client: httpx.AsyncClient, query: str, **rest: Any) -> httpx.Response:
    """POST one operation."""
    headers = rest.pop("headers", {})
    return await client.post("/graphql", json={"query": query, **rest}, headers=headers)


def only_error(response: httpx.Response) -> dict[str, Any]:
    """The one error of an answer without data."""
    body = response.json()
    assert list(body) == ["errors"], body
    (error,) = body["errors"]
    assert isinstance(error, dict)
    return error


def code_of(response: httpx.Response) -> str:
    code: str = only_error(response)["extensions"]["code"]
    return code
