"""Sockets: subscriptions by WebSocket, in the protocol graphql-transport-ws.

4400  a message that is none, or larger than allowed by its parts     1009  a frame beyond the limit
4401  no token, or an operation before the connection was acknowledged
4403  a token that does not hold, from the first or any more
4406  another protocol          4408  not initialised in time, or read too slowly
4409  an id twice               4429  initialised twice, or too many connections
1012  the process is told to stop       1013  no place, or nobody who could check the token: try again
"""

import asyncio
from contextlib import suppress
from typing import Any

import orjson
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from greenroom.answers import Error, Voice
from greenroom.db import Hindered
from greenroom.limits import Exceeded
from greenroom.requests import JSON, Asked, HttpRefusal, language_of, shaped
from greenroom.running import Caller
from greenroom.streams import (
    SLOW,
    Channel,
    ContextOf,
    End,
    Stream,
    Streams,
    TooSlow,
    Visitor,
    in_time,
)

PROTOCOL = "graphql-transport-ws"
INITIALISED_WITHIN_S = 10.0
ID_LENGTH_MAX = 255
BROKEN = (1002, 1007, 1009)  # what the server itself refuses of a peer
REASON_BYTES_MAX = 123  # of a close frame (RFC 6455, 5.5)


class Closed(Exception):
    """What the other side did ends the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__()
        self.end = End(code, reason)


class Sockets:
    """An ASGI application for WebSockets. `context_of` says who asks, whenever that is to be known."""

    def __init__(self, streams: Streams, *, context_of: ContextOf) -> None:
        self._streams, self._context_of = streams, context_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        await receive()
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4406, "reason": f"Speak {PROTOCOL}"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        await Socket(self._streams, self._context_of, HTTPConnection(scope), receive, send).serve()


class Socket(Channel):
    """One WebSocket."""

    def __init__(
        self, streams: Streams, context_of: ContextOf, connection: HTTPConnection, receive: Receive, send: Send
    ) -> None:
        super().__init__(streams)
        self._context_of, self._receive, self._send = context_of, receive, send
        self._header = connection.headers.get("authorization")
        self._languages = connection.headers.get("accept-language")
        self._address = connection.client.host if connection.client else ""
        self._is_initialised = False

    async def serve(self) -> None:
        """Read messages until either side ends the connection."""
        loop, end = asyncio.get_running_loop(), None
        self.timer = asyncio.timeout_at(loop.time() + INITIALISED_WITHIN_S)
        self.streams.open.add(self)
        try:
            async with self.timer:
                while (message := await self._receive())["type"] == "websocket.receive":
                    await self._heed(message)
            if (code := message.get("code", 1005)) in BROKEN:
                self.streams.runner.note("socket closed", code=code)
        except Closed as closed:
            end = closed.end
        except TimeoutError:
            end = self.ending or End(4408, "Connection initialisation timeout")
        except TooSlow:
            end = SLOW
        except OSError:
            pass  # the other side has gone
        except Exception as fault:
            self.streams.runner.report(fault)
            end = End(1011, "Internal error")
        finally:
            self.streams.open.discard(self)
            await self.stop_all()
            if self.visitor:
                self.streams.connections.leave(self.visitor.actor_key)
        if end:
            self.streams.runner.note("socket closed", code=end.code)
            reason = end.reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
            with suppress(OSError, TooSlow):
                await in_time(self._send({"type": "websocket.close", "code": end.code, "reason": reason}))

    async def _heed(self, message: Any) -> None:
        """Do what one message says. Raises Closed."""
        try:
            said = orjson.loads(message["text"]) if message.get("text") is not None else None
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict):
            raise Closed(4400, "Messages are JSON objects, as text")
        payload = said.get("payload")
        match said.get("type"):
            case "connection_init":
                await self._initialise(payload)
            case "ping":
                await self._say({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(said.get("id"), payload)
            case "complete" if isinstance(said.get("id"), str):
                self.stop(said["id"])
            case _:
                raise Closed(4400, "No message of this type is known, or it lacks its id")

    async def _initialise(self, payload: object) -> None:
        """Learn who is there, from the message or else from the head of the request. Raises Closed."""
        if self._is_initialised:
            raise Closed(4429, "Too many initialisation requests")
        self._is_initialised = True
        given = payload if isinstance(payload, dict) else {}
        header = next((value for key, value in given.items() if key.lower() == "authorization"), self._header)
        if header is None:
            raise Closed(4401, "Unauthorized: send {authorization} in connection_init")
        language = language_of(self._languages)

        async def fresh() -> Caller | HttpRefusal:
            return await self._context_of(str(header), language=language, address=self._address)

        try:
            context = await fresh()
        except Hindered as hindrance:
            raise Closed(1013, hindrance.words.en) from None
        if isinstance(context, HttpRefusal):
            raise Closed(1013 if context.status >= 500 else 4403, context.words.en)
        match self.streams.connections.take(context.actor_key):
            case Exceeded() as exceeded:
                raise Closed(4429, exceeded.said(language))
            case HttpRefusal() as full:
                raise Closed(1013, full.words.en)
        self.visitor = Visitor(context.actor_key, fresh, Voice(JSON, language))
        self.timer.reschedule(None)
        await self._say({"type": "connection_ack"})

    async def _subscribe(self, id: object, payload: object) -> None:
        """Begin an operation; whatever comes of it goes by its id. Raises Closed."""
        if self.visitor is None:
            raise Closed(4401, "Unauthorized: wait for connection_ack")
        if not isinstance(id, str) or not 0 < len(id) <= ID_LENGTH_MAX:
            raise Closed(4400, f"An operation has an id of 1 to {ID_LENGTH_MAX} characters")
        asked = shaped(payload)
        if not isinstance(asked, Asked):
            raise Closed(4400, asked.words.en.format())
        if id in self.operations:
            raise Closed(4409, f"Subscriber for {id} already exists")
        begun = await self._begun(asked, self.visitor)
        if isinstance(begun, Stream):
            self.start(id, begun, self.visitor)
        else:
            await self.say_errors(id, begun)

    async def _begun(self, asked: Asked, visitor: Visitor) -> Stream | list[Error]:
        """Return the stream that was asked for, with a place for it, or why there is none."""
        voice, places = visitor.voice, self.streams.subscriptions
        if (most := self.streams.runner.limits.operations) <= len(self.operations):
            return self.streams.refused(Exceeded("operations", most + 1, most), voice)
        if reason := places.take(visitor.actor_key):
            return self.streams.refused(reason, voice)
        begun = None
        try:
            context = await visitor.fresh()
            if isinstance(context, HttpRefusal):
                raise Closed(4403, context.words.en)
            begun = await self.streams.begin(asked, visitor, context)
            return begun if isinstance(begun, Stream) else self.streams.refused(begun, voice)
        except Hindered as hindrance:
            self.streams.runner.warn(hindrance)
            return [voice.hindrance(hindrance)]
        finally:
            if not isinstance(begun, Stream):
                places.leave(visitor.actor_key)

    async def say_next(self, id: str, payload: dict[str, Any]) -> None:
        await self._say({"id": id, "type": "next", "payload": payload})

    async def say_errors(self, id: str, errors: list[Error]) -> None:
        await self._say({"id": id, "type": "error", "payload": errors})

    async def say_complete(self, id: str) -> None:
        await self._say({"id": id, "type": "complete"})

    async def say_alive(self) -> None:
        await self._say({"type": "ping"})

    async def _say(self, message: dict[str, Any]) -> None:
        await in_time(self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()}))
