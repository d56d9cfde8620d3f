"""Waking: after a commit every process hears which accounts have new events. One that is not told costs time alone."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from greenroom.db import DRIVERS

CHANNEL = "greenroom_events"
ACCOUNTS_MAX = 200  # of one notification, whose payload may have 8,000 bytes
GATHERED_FOR_S = 0.005  # what is committed meanwhile goes with it
LOOKED_AT_EVERY_S = 15.0  # a connection that broke silently would be listened to forever
ANSWERS_WITHIN_S = 5.0
COMES_BACK_S, COMES_BACK_MAX_S = 0.5, 10.0

Heard = Callable[[Collection[UUID] | None], None]
"""Told which accounts have new events; None: perhaps any."""


class Bell:
    """One direct connection of a process: rings for what was committed here, and hears the bells of others.

    NOTIFY in a verb's transaction would take a lock that all commits of the cluster share, so it has one of its own,
    after the commit, for all that were committed meanwhile. Without `heard` it only rings.
    """

    def __init__(self, url: str, heard: Heard | None = None) -> None:
        self._url, self._heard = url, heard
        self._waiting = dict[UUID, None]()
        self._rung = asyncio.Event()

    def ring(self, account_ids: Collection[UUID]) -> None:
        """Say which accounts have new events: here at once, elsewhere soon."""
        if self._heard:
            self._heard(account_ids)
        self._waiting |= dict.fromkeys(account_ids)
        self._rung.set()

    async def keep(self) -> None:
        """Ring and hear for as long as the process lives; a connection that breaks is made anew."""
        log, pause_s = structlog.get_logger("greenroom"), COMES_BACK_S
        while True:
            try:
                connection = await asyncpg.connect(
                    self._url,
                    timeout=ANSWERS_WITHIN_S,
                    server_settings={"application_name": "greenroom bell", "synchronous_commit": "off"},
                )
                pause_s = COMES_BACK_S
                try:
                    await self._attend(connection)
                finally:
                    connection.terminate()
            except (*DRIVERS, TimeoutError) as fault:
                log.warning("bell out of reach", cause=type(fault).__qualname__, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, COMES_BACK_MAX_S)

    async def _attend(self, connection: asyncpg.Connection) -> None:
        own = connection.get_server_pid()

        def hear(_: Any, pid: int, _channel: str, payload: object) -> None:
            if pid != own and self._heard:
                self._heard([UUID(each) for each in str(payload).split(",")])

        if self._heard:
            await connection.add_listener(CHANNEL, hear)
            self._heard(None)  # what was rung while nobody listened
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), LOOKED_AT_EVERY_S)
            if not self._waiting:
                await connection.execute("SELECT 1", timeout=ANSWERS_WITHIN_S)
                continue
            await asyncio.sleep(GATHERED_FOR_S)
            self._rung.clear()
            told, self._waiting = list(self._waiting), {}
            parts = [told[at : at + ACCOUNTS_MAX] for at in range(0, len(told), ACCOUNTS_MAX)]
            payloads = [",".join(each.hex for each in part) for part in parts]
            try:
                await connection.execute(RING, CHANNEL, payloads, timeout=ANSWERS_WITHIN_S)
            except BaseException:
                self._waiting = dict.fromkeys(told) | self._waiting  # rung twice at worst
                raise


RING = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
