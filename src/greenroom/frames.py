"""Frames: uvicorn's WebSockets, with an end to what a peer sends in pieces and to what it does not read."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

BYTES_MAX = 262_144  # of a message
PIECES_MAX = 1_000  # of one message: empty ones too are kept until the last has come
LINGERS_S = 10.0  # after the application is done, for what still lies there to be read


class Frames(WebSocketsSansIOProtocol):
    """WebSockets as uvicorn has them, whose ends come.

    A close waits for no reader; a connection whose peer does not read is cut LINGERS_S after the application is done
    with it, or when a ping stays unanswered; and pings are answered only while the answers are read.
    """

    _cut: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cut:
            self._cut.cancel()
        super().connection_lost(exc)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            self._cut = self.loop.call_later(LINGERS_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < PIECES_MAX:
            super().handle_cont(event)
            return
        self.frames = []
        self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many pieces")
        self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
