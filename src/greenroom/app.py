"""App: the composition root, and the only reader of clock and environment; all else is given what it needs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import structlog
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from greenroom import inforce, migrations
from greenroom.access import NOWHERE, Actor, Key, Permission
from greenroom.answers import Voice
from greenroom.context import Context, Services
from greenroom.db import Database, connect
from greenroom.errors import InvalidState, NotAdmitted, Refused, Words
from greenroom.explorer import ASSETS_AT, Assets
from greenroom.graph import in_utc, key_of
from greenroom.http import GraphQLEndpoint
from greenroom.limits import Limits
from greenroom.rates import Budget, Exhausted, RateLimiter
from greenroom.requests import JSON, language_of
from greenroom.requests import Refused as Unreadable
from greenroom.rooms import actions as rooms
from greenroom.schema import build
from greenroom.sealing import MasterKeys
from greenroom.settings import Settings
from greenroom.tickets import BadTicket, TicketSigner
from greenroom.tokens import BadToken, Tokens

DEMO_POINTS, DEMO_POINTS_PER_S = 1_000_000, 100_000  # roomy: nobody should meet the limit while looking around
POINTS, POINTS_PER_S = 50_000, 1_000
LEASES_RETURNED_EVERY_S = 5.0
TICKET_BYTES_MAX = 16_384
JWKS_HELD_S = 300


def now() -> datetime:
    """Return the present. The one clock of the system."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Held:
    """What a running application holds; filled by its lifespan."""

    services: Services | None = None
    limiter: RateLimiter | None = None


def create(settings: Settings, *, database_url: str, clock: Callable[[], datetime] = now) -> Starlette:
    """Return the application. Both pools open with it and close with it; `clock` tells it the present.

    Raises at start-up what `connect` raises where the database cannot be reached.
    """
    log = structlog.get_logger("greenroom")
    keys, signer, tokens = MasterKeys.of(settings), TicketSigner.of(settings), Tokens.of(settings)
    held = Held()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        db = await connect(
            database_url,
            writes_max=settings.write_connections_max,
            reads_max=settings.read_connections_max,
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
        )
        held.limiter = limiter_of(settings, db.pool)
        held.services = Services(db, keys, keys.pepper, signer, inforce.Held(db))
        returning = asyncio.create_task(return_leases(held.limiter, clock))
        try:
            yield
        finally:
            returning.cancel()
            with suppress(asyncio.CancelledError):
                await returning
            with suppress(OSError, asyncpg.PostgresError):  # the points lapse: they refill like any that were spent
                await held.limiter.give_back()
            await db.close()

    async def context_for(request: Request) -> Context | Unreadable:
        instant = clock()
        assert held.services is not None
        found = await tokens.actor(request.headers.get("authorization"), now=instant)
        if isinstance(found, BadToken):
            return refused_token(found)
        return Context(
            actor=found or Actor(subject=""),
            language=language_of(request.headers.get("accept-language")),
            clock=clock,
            now=instant,
            in_force=await held.services.held.now(instant),
            services=held.services,
            entrance=f"address:{request.client.host if request.client else ''}",
        )

    async def spend(actor_key: str, cost: int) -> Budget | Exhausted:
        assert held.limiter is not None
        return await held.limiter.spend(actor_key, cost, now=clock())

    graphql = GraphQLEndpoint(
        build(),
        context_for=context_for,
        limits=Limits(),
        spend=spend,
        introspection=settings.allows_introspection,
        log=log,
    )

    async def ready(_: Request) -> Response:
        assert held.services is not None
        return await readiness(held.services.db)

    async def check(request: Request) -> Response:
        context = await context_for(request)
        if isinstance(context, Unreadable):
            voice = Voice(JSON, language_of(request.headers.get("accept-language")))
            answer = voice.refused(context)
            return Response(answer.body, answer.status, {**answer.headers, "cache-control": "no-store"}, JSON)
        return await check_ticket(request, context)

    async def jwks(_: Request) -> Response:
        return JSONResponse(signer.jwks(), headers={"cache-control": f"public, max-age={JWKS_HELD_S}"})

    app = Starlette(
        routes=[
            Route("/graphql", graphql),
            Route("/healthz", healthy),
            Route("/readyz", ready),
            Route("/.well-known/jwks.json", jwks),
            Route("/tickets/check", check, methods=["POST"]),
            Route("/", lambda _: RedirectResponse("/graphql")),
            Mount(ASSETS_AT, Assets()),
        ],
        lifespan=lifespan,
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


async def return_leases(limiter: RateLimiter, clock: Callable[[], datetime]) -> None:
    """Return what lapsed leases left over, for as long as the process lives."""
    log = structlog.get_logger("greenroom")
    while True:
        await asyncio.sleep(LEASES_RETURNED_EVERY_S)
        try:
            await limiter.give_back(now=clock())
            await limiter.forget_full()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
            log.warning("leases_not_returned", fault=type(fault).__name__)


async def healthy(_: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"})


async def readiness(db: Database) -> Response:
    """Say whether the database is there and migrated."""
    try:
        async with asyncio.timeout(2), db.pool.acquire() as connection:
            found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return JSONResponse({"status": "unavailable", "database": "unreachable"}, status_code=503)
    if found != migrations.head():
        return JSONResponse({"status": "unavailable", "database": "not migrated"}, status_code=503)
    return JSONResponse({"status": "ok"})


def refused_token(bad: BadToken) -> Unreadable:
    """Return the refusal of a caller whose token does not say who they are."""
    words = Words(en=bad.message("en"), zh=bad.message("zh"))
    return Unreadable(bad.status, bad.code, words, {"www-authenticate": bad.challenge})


async def check_ticket(request: Request, context: Context) -> Response:
    """Tell the media server whether a ticket still stands: signed by us, not over, its room live and not cut (A14).

    Takes `{"ticket": "…"}`; answers `{"active": true, "room": …, "record": …, "expiresAt": …}` or
    `{"active": false, "reason": code}`. Requires MEDIA.
    """
    if Permission.MEDIA not in context.actor.permissions:
        return JSONResponse({"error": {"code": "PERMISSION_DENIED", "permission": "MEDIA"}}, status_code=403)
    token = await ticket_in(request)
    if token is None:
        return JSONResponse({"error": {"code": "BAD_REQUEST", "message": 'Send {"ticket": "…"}.'}}, status_code=400)
    claims = context.services.tickets.read(token, now=context.now)
    if isinstance(claims, BadTicket):
        return inactive(claims.reason)
    room = key_of("LiveRoom", claims.room_id)
    if room == NOWHERE:
        return inactive("UNKNOWN_ROOM")
    return await answered(room, claims, context)


async def answered(room: Key, claims: Any, context: Context) -> Response:
    """Ask the gate again about the room that a ticket names."""
    try:
        outcome = await context.perform(
            lambda tx: rooms.renew_ticket(tx, room, now=context.now),
            account_id=room.account_id,
            also=frozenset({Permission.MEDIA}),
        )
    except GraphQLError as busy:  # what `perform` says when the database is: ask again
        error = {"message": busy.message} | (busy.extensions or {})
        return JSONResponse({"error": error}, status_code=503, headers={"retry-after": "1"})
    if isinstance(outcome, Refused):
        (problem,) = outcome.problems
        blockers = [b.code for b in problem.verdict.blockers] if isinstance(problem, NotAdmitted) else None
        return inactive(
            "NOT_LIVE" if isinstance(problem, InvalidState) else problem.code,
            **({"blockers": blockers} if blockers else {}),
        )
    active = {
        "active": True,
        "room": claims.room_id,
        "record": claims.record_id,
        "expiresAt": in_utc(claims.expires_at),
    }
    return JSONResponse(active, headers={"cache-control": "no-store"})


def inactive(reason: str, **more: Any) -> Response:
    """Say why a ticket does not stand."""
    return JSONResponse({"active": False, "reason": str(reason), **more}, headers={"cache-control": "no-store"})


async def ticket_in(request: Request) -> str | None:
    """Return the ticket of a request's body; None for a body that has none."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > TICKET_BYTES_MAX:
            return None
    try:
        found = orjson.loads(raw)
    except ValueError:
        return None
    ticket = found.get("ticket") if isinstance(found, dict) else None
    return ticket if isinstance(ticket, str) else None


def configure_logs(settings: Settings) -> None:
    """Write logs for people in the demo setting, as JSON elsewhere."""
    renderer: Any = structlog.dev.ConsoleRenderer() if settings.is_demo else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
