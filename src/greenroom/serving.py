"""Serving: one process, from the check of its database to the last request that it finishes."""

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import asyncpg
import structlog
import uvicorn
from starlette.types import ASGIApp

from greenroom import app, doctor, embedded, frames, jobs, logs, worker
from greenroom.db import connect
from greenroom.demo.world import fill
from greenroom.doctor import Finding, Level
from greenroom.frames import Frames
from greenroom.heads import Heads
from greenroom.sealing import MasterKeys
from greenroom.settings import Settings
from greenroom.verifications.keeping import Safe

CONNECTIONS_MAX = 500  # of one process; further ones get 503. Half of the files that a process may usually have open
GRACE_S = 20  # for requests that are under way when the process is told to stop
PINGS_EVERY_S = 20.0
WATCHED_EVERY_S = 1.0
FILES_BESIDE = 200  # that a process has open beside its connections: libraries, pools, photos


async def against(url: str) -> Finding | None:
    """Return what forbids to serve this database: another schema, or a role that row security does not bind."""
    connection = await asyncpg.connect(url)
    try:
        for finding in (await doctor.migrated(connection), await doctor.role(connection)):
            if finding.level is Level.FAIL:
                return finding
    finally:
        await connection.close()
    return None


async def seed(url: str, settings: Settings) -> bool:
    """Fill an empty database with the small demo world; says whether it did."""
    keys = MasterKeys.of(settings)
    db = await connect(url, writes_max=1, reads_max=1, statement_timeout_ms=60_000, lock_timeout_ms=60_000)
    try:
        return await fill(db, safe=Safe(keys, keys.pepper), now=app.now())
    finally:
        await db.close()


class Announcing(uvicorn.Server):
    """A server that says when it listens, and when it begins to end."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None], end: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self._end = end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so, then finish what is under way."""
        self._end()
        await super().shutdown(sockets)


def configured(served: ASGIApp, *, http: type[Heads] = Heads, connections_max: int | None = None) -> uvicorn.Config:
    """Return how an application is served; who asks is who is connected, whatever a header says."""
    return uvicorn.Config(
        served,
        loop="uvloop",
        http=http,
        ws=Frames,
        ws_max_size=frames.BYTES_MAX,
        ws_per_message_deflate=False,  # its windows would be held for each connection
        ws_ping_interval=PINGS_EVERY_S,
        ws_ping_timeout=PINGS_EVERY_S,
        lifespan="on",
        access_log=False,
        log_config=None,  # through ours, without what a message may quote
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=connections_max or CONNECTIONS_MAX,
        timeout_graceful_shutdown=GRACE_S,
    )


def run(settings: Settings, *, url: str, sockets: Sequence[socket.socket], announce: Callable[[], None]) -> None:
    """Serve until told to stop: SIGTERM or Ctrl-C; what is under way is finished, then the pools close.

    In the demo it does the jobs too. An embedded PostgreSQL that is killed meanwhile is started again.
    Raises SealingError or ValueError where keys or issuer can't be used, PostgresUnavailable.
    """
    logs.configure(for_people=settings.is_demo)
    ending = Event()
    application = app.create(settings, database_url=url, works=settings.is_demo)

    def begin() -> None:
        gc.collect()
        gc.freeze()  # what lives as long as the process: to look through it all again takes 100 ms and more
        announce()

    def end() -> None:
        ending.set()
        application.state.held.streams.end()

    connections_max = room_for(CONNECTIONS_MAX + settings.subscriptions_max)
    server = Announcing(configured(application, connections_max=connections_max), begin, end)
    with watched(settings, ending):
        try:
            server.run(sockets=list(sockets))
        except SystemExit:  # how the signal goes on after uvicorn has heeded it
            if not server.started:
                raise


def room_for(connections: int) -> int:
    """Let the process have so many connections open, or as many as the system allows it; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = connections + FILES_BESIDE if hard == resource.RLIM_INFINITY else min(connections + FILES_BESIDE, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(most - FILES_BESIDE, 1)


def work(settings: Settings, *, url: str) -> None:
    """Do the jobs of the queue until told to stop: SIGTERM or Ctrl-C; what was begun is finished first.

    Raises SealingError, StoreUrlInvalid, StoreUnavailable or PostgresUnavailable.
    """
    logs.configure(for_people=settings.is_demo)
    ending = Event()
    with watched(settings, ending):
        asyncio.run(worked(settings, url))


async def retry(url: str) -> int:
    """Queue again what workers gave up; returns how many jobs."""
    connection = await asyncpg.connect(url)
    try:
        return await jobs.retry_failed(connection)
    finally:
        await connection.close()


async def worked(settings: Settings, url: str) -> None:
    """Do jobs until a signal says to stop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await worker.work(settings, url, stop=stop, now=app.now)


@contextmanager
def watched(settings: Settings, ending: Event) -> Iterator[None]:
    """Watch the database, where it is the embedded one, until `ending` is set or the block is left."""
    if settings.database_url is not None:
        yield
        return
    with embedded.start(settings.data_dir) as postgres:
        watching = Thread(target=watch, args=(postgres, ending), name="postgresql")
        watching.start()
        try:
            yield
        finally:
            ending.set()
            watching.join()


def watch(postgres: embedded.Running, ending: Event) -> None:
    """Start PostgreSQL again whenever it was killed, and log that; where it can't be had, log that once and go on."""
    log = structlog.get_logger("greenroom")
    is_lost = False
    while not ending.wait(WATCHED_EVERY_S):
        try:
            if postgres.ensure(unless=ending):
                log.warning("postgresql restarted")
            is_lost = False
        except embedded.PostgresUnavailable as fault:
            if not (is_lost or ending.is_set()):
                log.error("postgresql unavailable", why=str(fault))
            is_lost = True


def prepare(settings: Settings, *, url: str) -> Finding | None:
    """Return what forbids to serve, or None with the demo's world in place."""
    forbids = asyncio.run(against(url))
    if forbids is None and settings.is_demo:
        asyncio.run(seed(url, settings))
    return forbids
