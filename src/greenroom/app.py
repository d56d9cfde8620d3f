"""App: the composition root, and the only reader of clock and environment; all else is given what it needs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute

from greenroom import inforce, migrations
from greenroom.access import Actor
from greenroom.answers import Voice
from greenroom.context import Context, Services
from greenroom.db import DRIVERS, Database, Hindered, connect, reached
from greenroom.documents.api import UPLOADS_AT
from greenroom.documents.links import LinkSigner
from greenroom.documents.storage import store_at
from greenroom.downloads import Downloads
from greenroom.errors import Words
from greenroom.events.feeds import LOOKS_EVERY_S, Feeds
from greenroom.explorer import ASSETS_AT, Assets
from greenroom.http import GraphQLEndpoint
from greenroom.idempotency import forget_lapsed
from greenroom.law.terms import Language
from greenroom.limits import Limits
from greenroom.media import TicketCheck
from greenroom.rates import Budget, Exhausted, RateLimiter
from greenroom.requests import JSON, NO_ADDRESS, OTHER_METHOD, HttpRefusal, language_of
from greenroom.reviews.mutations import DOCUMENTS_AT
from greenroom.schema import build
from greenroom.sealing import MasterKeys
from greenroom.settings import Settings
from greenroom.sockets import Sockets
from greenroom.sse import EventStreams
from greenroom.streams import Streams
from greenroom.tickets import TicketSigner
from greenroom.tokens import BadToken, Tokens
from greenroom.uploads import Uploads
from greenroom.waking import Bell
from greenroom.worker import again, work

DEMO_POINTS, DEMO_POINTS_PER_S = 1_000_000, 100_000  # roomy: nobody should meet the limit while looking around
POINTS, POINTS_PER_S = 50_000, 1_000
LEASES_RETURNED_EVERY_S = 5.0
KEYS_FORGOTTEN_EVERY_S = 600.0
JWKS_HELD_S = 300


def now() -> datetime:
    """Return the present. The one clock of the system."""
    return datetime.now(UTC)


class Held:
    """What a running application holds: keys from the first, the database and the budgets between open and close."""

    services: Services
    limiter: RateLimiter
    streams: Streams

    def __init__(self, settings: Settings, clock: Callable[[], datetime], *, works: bool) -> None:
        self._settings, self._works = settings, works
        self._clock = clock
        self._keys, self._tokens = MasterKeys.of(settings), Tokens.of(settings)
        self.signer = TicketSigner.of(settings)

    @asynccontextmanager
    async def open(self, database_url: str) -> AsyncIterator[None]:
        """Open both pools and do the chores; leaving it closes them."""
        settings = self._settings
        db = await connect(
            database_url,
            writes_max=settings.write_connections_max,
            reads_max=settings.read_connections_max,
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
        )
        feeds = Feeds(db)
        bell = Bell(listened_at(settings, database_url), feeds.wake)
        db.on_recorded = bell.ring
        self.services = Services(
            db=db,
            keys=self._keys,
            pepper=self._keys.pepper,
            tickets=self.signer,
            held=inforce.Held(db),
            links=LinkSigner(self._keys.pepper.links_key),
            feeds=feeds,
            public_url=settings.public_url,
        )
        self.limiter = limiter_of(settings, db.pool)
        chores = [
            asyncio.create_task(again(lambda: self.limiter.tidy(now=self._clock()), every_s=LEASES_RETURNED_EVERY_S)),
            asyncio.create_task(again(lambda: forget_lapsed(db, now=self._clock()), every_s=KEYS_FORGOTTEN_EVERY_S)),
            asyncio.create_task(again(feeds.look, every_s=LOOKS_EVERY_S)),
            asyncio.create_task(bell.keep()),
            asyncio.create_task(self.streams.keep_beating()),
        ]
        stop = asyncio.Event()
        worker = asyncio.create_task(work(settings, database_url, stop=stop, now=self._clock)) if self._works else None
        try:
            yield
        finally:
            stop.set()
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, *([worker] if worker else []), return_exceptions=True)
            with suppress(Hindered), reached():  # the points lapse: they refill like any that were spent
                await self.limiter.give_back()
            await db.close()

    async def context_for(self, request: Request) -> Context | HttpRefusal:
        """Say who asks, or why they may not. Raises Hindered."""
        return await self.context_of(
            request.headers.get("authorization"),
            language=language_of(request.headers.get("accept-language")),
            address=request.client.host if request.client else "",
        )

    async def context_of(self, header: str | None, *, language: Language, address: str) -> Context | HttpRefusal:
        """Say who asks by an Authorization header, or why they may not. Raises Hindered."""
        instant = self._clock()
        found = await self._tokens.actor(header, now=instant)
        if isinstance(found, BadToken):
            return refused_token(found)
        return Context(
            actor=found or Actor(subject=""),
            language=language,
            clock=self._clock,
            now=instant,
            in_force=await self.services.held.now(instant),
            services=self.services,
            entrance=f"address:{address}",
        )

    async def spend(self, actor_key: str, cost: int) -> Budget | Exhausted:
        """Take points of a caller's budget. Raises Hindered."""
        return await self.services.db.connected(lambda: self.limiter.spend(actor_key, cost, now=self._clock()))

    async def ready(self, _: Request) -> Response:
        """Say whether the database is there and migrated."""
        return await readiness(self.services.db)

    async def jwks(self, _: Request) -> Response:
        """Publish the keys that check tickets."""
        return JSONResponse(self.signer.jwks(), headers={"cache-control": f"public, max-age={JWKS_HELD_S}"})


def create(
    settings: Settings, *, database_url: str, clock: Callable[[], datetime] = now, works: bool = False
) -> Starlette:
    """Return the application. Both pools open with it and close with it; `clock` tells it the present.

    With `works` it does the jobs of the queue as well, beside other workers or alone.

    Raises at start-up what `connect` raises where the database cannot be reached.
    """
    held = Held(settings, clock, works=works)
    graphql = GraphQLEndpoint(
        build(),
        context_for=held.context_for,
        limits=Limits(
            subscriptions=settings.subscriptions_of_actor_max, connections=settings.subscriptions_of_actor_max
        ),
        spend=held.spend,
        introspection=settings.allows_introspection,
        log=structlog.get_logger("greenroom"),
    )
    held.streams = Streams(graphql.runner, most=settings.subscriptions_max)
    sockets = Sockets(held.streams, context_of=held.context_of)
    events = EventStreams(held.streams, context_of=held.context_of, within=graphql.in_time)
    check = TicketCheck(context_for=held.context_for, in_time=graphql.in_time)
    store = store_at(settings.documents_url, data_dir=settings.data_dir)
    uploads = Uploads(lambda: held.services, store, now=clock, in_time=graphql.in_time)
    downloads = Downloads(lambda: held.services, store, now=clock, in_time=graphql.in_time)
    app = Starlette(
        routes=[
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", sockets),
            Route("/graphql/stream", events),
            Route("/healthz", healthy),
            Route("/readyz", held.ready),
            Route("/.well-known/jwks.json", held.jwks),
            Route("/tickets/check", check, methods=["POST"]),
            Route(f"{UPLOADS_AT}/{{token}}", uploads, methods=["PUT"]),
            Route(f"{DOCUMENTS_AT}/{{token}}", downloads, methods=["GET"]),
            Route("/", lambda _: RedirectResponse("/graphql")),
            Mount(ASSETS_AT, Assets()),
        ],
        lifespan=lambda _: held.open(database_url),
        exception_handlers={HTTPException: elsewhere},
    )
    app.state.held = held
    return app


def limiter_of(settings: Settings, pool: asyncpg.Pool) -> RateLimiter:
    """Return the budgets: roomy in the demo setting."""
    demo = settings.is_demo
    points = settings.rate_points or (DEMO_POINTS if demo else POINTS)
    return RateLimiter(
        pool,
        points=points,
        points_per_s=settings.rate_points_per_s or (DEMO_POINTS_PER_S if demo else POINTS_PER_S),
        lease=max(points // 20, 1),
    )


def listened_at(settings: Settings, database_url: str) -> str:
    """Return where to listen: a notification does not come through a pooler."""
    return settings.listen_url.get_secret_value() if settings.listen_url else database_url


async def healthy(_: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"})


READINESS = "SELECT version_num, current_setting('transaction_read_only') = 'on' AS only_reads FROM alembic_version"


async def readiness(db: Database) -> Response:
    """Say whether the database is there and migrated."""
    try:
        async with asyncio.timeout(2), db.pool.acquire() as connection:
            row = await connection.fetchrow(READINESS)
    except (*DRIVERS, TimeoutError):
        return JSONResponse({"status": "unavailable", "database": "unreachable"}, status_code=503)
    if row and row["only_reads"]:
        return JSONResponse({"status": "unavailable", "database": "read-only"}, status_code=503)
    if row is None or row["version_num"] != migrations.head():
        return JSONResponse({"status": "unavailable", "database": "not migrated"}, status_code=503)
    return JSONResponse({"status": "ok"})


def refused_token(bad: BadToken) -> HttpRefusal:
    """Return the refusal of a caller whose token does not say who they are."""
    words = Words(en=bad.message("en"), zh=bad.message("zh"))
    return HttpRefusal(bad.status, bad.code, words, {"www-authenticate": bad.challenge})


async def elsewhere(request: Request, refused: Exception) -> Any:
    """Answer what no address takes, or not by this method, as everything else is refused."""
    assert isinstance(refused, HTTPException)
    voice = Voice(JSON, language_of(request.headers.get("accept-language")))
    if refused.status_code == 404:
        return voice.refused(NO_ADDRESS)
    return voice.refused(replace(OTHER_METHOD, headers=refused.headers or {}))
