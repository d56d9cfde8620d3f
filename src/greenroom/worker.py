"""Worker: does the jobs of the queue, and the chores that come with time, until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import datetime

import structlog

from greenroom import jobs
from greenroom.db import Hindered, connect, reached
from greenroom.documents import reading
from greenroom.documents.actions import CHECK, READ_ZONE, WEIGH
from greenroom.documents.checking import Checker
from greenroom.documents.checks import Checks
from greenroom.documents.reading import Reader
from greenroom.documents.storage import store_at
from greenroom.logs import described
from greenroom.reviews.weighing import Weighing
from greenroom.rooms.effects import SETTLE, Effects
from greenroom.rooms.lapses import Lapses
from greenroom.sealing import MasterKeys
from greenroom.settings import Settings
from greenroom.waking import Bell

CLEARED_EVERY_S = 60.0
SWEPT_EVERY_S = 3_600.0  # it lists the whole store
LAPSES_EVERY_S = 3_600.0  # what it writes is told on reading before
SOON_S = 1.0  # a worker that is new or starts again has perhaps missed some
STARTS_AGAIN_S = 2.0  # after the database went away
CONNECTIONS_MAX = 4


async def work(
    settings: Settings,
    url: str,
    *,
    stop: asyncio.Event,
    now: Callable[[], datetime],
    seen_alive_s: float = jobs.SEEN_ALIVE_S,
) -> None:
    """Do jobs until `stop` is set, then finish what was begun; starts again where the database went away meanwhile.

    Raises SealingError, StoreUrlInvalid or StoreUnavailable where keys or store can't be used.
    """
    log = structlog.get_logger("greenroom")
    keys, store = MasterKeys.of(settings), store_at(settings.documents_url, data_dir=settings.data_dir)
    while not stop.is_set():
        try:
            with reached():
                db = await connect(
                    url,
                    writes_max=CONNECTIONS_MAX,
                    reads_max=CONNECTIONS_MAX,
                    statement_timeout_ms=settings.statement_timeout_ms,
                    lock_timeout_ms=settings.lock_timeout_ms,
                )
                direct = settings.listen_url.get_secret_value() if settings.listen_url else url
                bell = Bell(direct)
                db.on_recorded = bell.ring
                async with AsyncExitStack() as processes:
                    checker = await processes.enter_async_context(Checker())
                    reader = await processes.enter_async_context(Reader()) if reading.is_installed() else None
                    checks, lapses = Checks(db, store, checker, keys, now, reader), Lapses(db, now)
                    chores = [
                        asyncio.create_task(bell.keep()),
                        asyncio.create_task(again(checks.clear, every_s=CLEARED_EVERY_S)),
                        asyncio.create_task(again(checks.sweep, every_s=SWEPT_EVERY_S)),
                        asyncio.create_task(again(lapses.turn, every_s=LAPSES_EVERY_S, first_s=SOON_S)),
                    ]
                    try:
                        todo = {
                            CHECK: checks.check,
                            READ_ZONE: checks.read_zone,
                            WEIGH: Weighing(db, keys, keys.pepper, now).weigh,
                            SETTLE: Effects(db, now).settle,
                        }
                        await jobs.work(direct, todo, stop=stop, log=log, seen_alive_s=seen_alive_s)
                    finally:
                        for chore in chores:
                            chore.cancel()
                        await asyncio.gather(*chores, return_exceptions=True)
                        await db.close()
        except Hindered as hindrance:
            log.warning("worker starts again", code=hindrance.code)
        except Exception as fault:  # the next turn may fare better
            log.error("worker failed", **described(fault))
        if not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STARTS_AGAIN_S)


async def again(chore: Callable[[], Awaitable[object]], *, every_s: float, first_s: float | None = None) -> None:
    """Do a chore of the database again and again, for as long as the process lives; `first_s`: how soon at first."""
    log, pause_s = structlog.get_logger("greenroom"), every_s if first_s is None else first_s
    while True:
        await asyncio.sleep(pause_s)
        pause_s = every_s
        try:
            with reached():
                await chore()
        except Hindered as hindrance:
            log.warning("chore put off", code=hindrance.code)
        except Exception as fault:  # the next turn may fare better
            log.error("chore failed", **described(fault))
