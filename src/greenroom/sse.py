"""SSE: subscriptions as server-sent events, in both modes of GraphQL over SSE, at one address.

Distinct connections: a POST (or a GET with the operation in its URL) that accepts text/event-stream is answered with
the events of its one operation. Single connection: PUT makes a reservation, GET with its token opens the stream, POST
with it begins an operation (202) whose events the stream carries under `extensions.operationId`, DELETE ends one.

204, 404   an operation ended, a token that opens nothing      406   no text/event-stream accepted
409        a stream that is open, an id that is in use         429   no budget, or too many connections
503        no place; all else as at /graphql
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from greenroom.answers import Answer, Error, Voice
from greenroom.errors import NO_TOKEN, Words
from greenroom.explorer import SECURITY_HEADERS
from greenroom.limits import Exceeded
from greenroom.rates import Exhausted
from greenroom.requests import (
    CONTENT_TYPE,
    JSON,
    Asked,
    HttpRefusal,
    asked_by,
    is_json,
    language_of,
    media_type_of,
)
from greenroom.running import Caller, NotRun
from greenroom.streams import (
    GOING,
    SLOW,
    Channel,
    ContextOf,
    End,
    Failed,
    Stream,
    Streams,
    TooSlow,
    Visitor,
    errors_of,
    in_time,
)

EVENTS = "text/event-stream"
TOKEN_HEADER = "x-graphql-event-stream-token"  # noqa: S105  # its name
OPENED_WITHIN_S = 10.0
ID_LENGTH_MAX = 255
HEAD = {
    **SECURITY_HEADERS,
    "content-type": f"{EVENTS}; charset=utf-8",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store, no-transform",
    "vary": "Accept, Accept-Language",
    "x-accel-buffering": "no",  # what proxies take for leave to hold events back
}
SHORT = {**SECURITY_HEADERS, "cache-control": "no-store"}  # of answers beside a stream
COMMENT = b":\n\n"
DONE = End(1000, "Complete")

METHOD = HttpRefusal(
    405,
    "METHOD_NOT_ALLOWED",
    Words("Streams take GET, POST, PUT and DELETE.", "事件流仅支持 GET、POST、PUT 与 DELETE。"),
    {"allow": "GET, POST, PUT, DELETE"},
)
ACCEPT = HttpRefusal(
    406,
    "NOT_ACCEPTABLE",
    Words(f"Answers come as {EVENTS} here: accept it.", f"此处的响应格式为 {EVENTS}，请在 Accept 中声明。"),
)
ANONYMOUS = HttpRefusal(401, "UNAUTHENTICATED", NO_TOKEN, {"www-authenticate": 'Bearer realm="greenroom"'})
NO_STREAM = HttpRefusal(
    404,
    "NOT_FOUND",
    Words("There is no such stream here: make a new reservation by PUT.", "该事件流不存在，请以 PUT 重新预约。"),
)
OPEN_ALREADY = HttpRefusal(409, "CONFLICT", Words("This stream is open already.", "该事件流已打开。"))
ID_IN_USE = HttpRefusal(
    409, "CONFLICT", Words("An operation of this stream has this id already.", "该事件流中已有操作使用此 id。")
)
NO_ID = HttpRefusal(
    400,
    "BAD_REQUEST",
    Words(
        f"Name the operation: `operationId`, 1 to {ID_LENGTH_MAX} characters, in `extensions` or a DELETE's URL.",
        f"请提供 `operationId`（1 至 {ID_LENGTH_MAX} 个字符）：置于 `extensions`，DELETE 则置于 URL。",
    ),
)
Came = tuple[Visitor, Caller]


class EventStream(Channel):
    """One response of events; an ASGI application. With `first` it carries that operation alone, and ends with it."""

    def __init__(self, streams: Streams, visitor: Visitor, *, first: Stream | list[Error] | None = None) -> None:
        super().__init__(streams)
        self.visitor: Visitor = visitor
        self.is_open = self.is_over = False
        self._first, self._is_distinct = first, first is not None
        self._opened = asyncio.Event()
        self._send: Send | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until either side ends the stream."""
        self.is_open, self._send = True, send
        self.streams.open.add(self)
        try:
            async with self.timer:
                headers = [(name.encode(), value.encode()) for name, value in HEAD.items()]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await in_time(send({"type": "http.response.body", "body": COMMENT, "more_body": True}))
                self._opened.set()
                if self.streams.is_ending:
                    self.end(GOING)
                elif isinstance(self._first, Stream):
                    first, self._first = self._first, None
                    self.start("", first, self.visitor)
                elif self._first is not None:
                    await self.say_errors("", self._first)
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            await self._told_why()
        except (OSError, TooSlow):
            pass
        finally:
            self.streams.open.discard(self)
            await self.stop_all()
            self.release()

    def release(self) -> None:
        """Leave the places that it has: no operation begins here any more."""
        self.is_over = True
        self.streams.connections.leave(self.visitor.actor_key)
        if isinstance(self._first, Stream):  # it was not started
            self.streams.subscriptions.leave(self.visitor.actor_key)

    def tell(self, id: str, errors: list[Error]) -> None:
        """Say why an operation ended before it brought anything, once the stream is open."""

        async def tell() -> None:
            with suppress(OSError, TooSlow):
                await self.say_errors(id, errors)

        task = self.operations[id] = asyncio.create_task(tell())
        task.add_done_callback(lambda _: self.operations.pop(id, None))

    async def _told_why(self) -> None:
        """Send what is left to say: to whom was refused why, to others nothing, so that they come again."""
        assert self._send is not None
        if self.ending is SLOW:
            return
        with suppress(OSError, TooSlow):
            if self.ending and self.ending.refusal:
                for id in list(self.operations):
                    await self.say_forbidden(id, self.ending.refusal)
            await in_time(self._send({"type": "http.response.body", "body": b"", "more_body": False}))

    async def say_next(self, id: str, payload: dict[str, Any]) -> None:
        await self._say("next", payload if self._is_distinct else {"id": id, "payload": payload})

    async def say_errors(self, id: str, errors: list[Error]) -> None:
        await self.say_next(id, {"errors": errors})
        await self.say_complete(id)

    async def say_forbidden(self, id: str, refusal: HttpRefusal) -> None:
        if refusal.status < 500:  # else it breaks off, so that the client comes again
            await self.say_errors(id, errors_of(refusal, self.visitor.voice))

    async def say_complete(self, id: str) -> None:
        await self._say("complete", None if self._is_distinct else {"id": id})
        if self._is_distinct:
            self.end(DONE)

    async def say_alive(self) -> None:
        await self._sent(COMMENT)

    async def _say(self, event: str, data: dict[str, Any] | None) -> None:
        said = b"" if data is None else orjson.dumps(data)
        await self._sent(b"event: %s\ndata: %s\n\n" % (event.encode(), said))

    async def _sent(self, piece: bytes) -> None:
        await self._opened.wait()  # an operation may begin before its stream is open
        assert self._send is not None
        await in_time(self._send({"type": "http.response.body", "body": piece, "more_body": True}))


class EventStreams:
    """An ASGI application. `context_of` says who asks; `within` bounds the making of an answer and masks its faults."""

    def __init__(self, streams: Streams, *, context_of: ContextOf, within: Callable[..., Awaitable[Any]]) -> None:
        self._streams, self._context_of, self._within = streams, context_of, within
        self._limits = streams.runner.limits
        self._reserved = dict[str, EventStream]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        voice = Voice(JSON, language_of(request.headers.get("accept-language")))
        token = request.headers.get(TOKEN_HEADER) or request.query_params.get("token")
        answer: ASGIApp = await self._within(self._answer(request, voice, token), voice)
        if isinstance(answer, Answer):
            self._streams.runner.note("stream refused", status=answer.status)
        try:
            await answer(scope, receive, send)
        finally:
            if token and self._reserved.get(token) is answer:
                del self._reserved[token]

    async def _answer(self, request: Request, voice: Voice, token: str | None) -> ASGIApp:
        found = None if token is None else self._reserved.get(token)
        if request.method not in ("GET", "POST", "PUT", "DELETE"):
            return voice.refused(METHOD)
        if request.method == "GET" and token is not None:  # by EventSource: the token alone is leave enough
            return self._opened(found, request, voice)
        came = await self._came(request, voice)
        if isinstance(came, HttpRefusal):
            return voice.refused(came)
        if request.method == "PUT":
            return self._reserve(came)
        if token is None and request.method != "DELETE":
            return await self._distinct(request, came)
        if found is None or found.visitor.actor_key != came[0].actor_key:
            return voice.refused(NO_STREAM)
        if request.method == "DELETE":
            return self._stopped(found, request, voice)
        return await self._operate(found, request, came)

    async def _came(self, request: Request, voice: Voice) -> Came | HttpRefusal:
        """Return who asks. Raises Hindered."""
        header = request.headers.get("authorization")
        if header is None:
            return ANONYMOUS
        address = request.client.host if request.client else ""

        async def fresh() -> Caller | HttpRefusal:
            return await self._context_of(header, language=voice.language, address=address)

        context = await fresh()
        return context if isinstance(context, HttpRefusal) else (Visitor(context.actor_key, fresh, voice), context)

    def _reserve(self, came: Came) -> ASGIApp:
        """Make a place for a stream, which lapses if it is not opened."""
        visitor, token = came[0], secrets.token_urlsafe(32)
        if reason := self._streams.connections.take(visitor.actor_key):
            return self._placeless(reason, visitor.voice)
        stream = self._reserved[token] = EventStream(self._streams, visitor)

        def lapse() -> None:
            if not stream.is_open:
                del self._reserved[token]
                for id in list(stream.operations):
                    stream.stop(id)
                stream.release()

        asyncio.get_running_loop().call_later(OPENED_WITHIN_S, lapse)
        return PlainTextResponse(token, 201, headers=SHORT)

    def _opened(self, found: EventStream | None, request: Request, voice: Voice) -> ASGIApp:
        if found is None:
            return voice.refused(NO_STREAM)
        if not accepts_events(request):
            return voice.refused(ACCEPT)
        if found.is_open:
            return voice.refused(OPEN_ALREADY)
        found.is_open = True
        return found

    async def _distinct(self, request: Request, came: Came) -> ASGIApp:
        """Answer one operation with a stream of its own."""
        visitor = came[0]
        if not accepts_events(request):
            return visitor.voice.refused(ACCEPT)
        asked = await self._asked(request, came)
        if not isinstance(asked, Asked):
            return asked
        if reason := self._streams.connections.take(visitor.actor_key):
            return self._placeless(reason, visitor.voice)
        made = None
        try:
            begun = await self._begun(asked, came)
            if isinstance(begun, Stream):
                made = EventStream(self._streams, visitor, first=begun)
            elif isinstance(begun, Failed | NotRun):
                made = EventStream(self._streams, visitor, first=self._streams.refused(begun, visitor.voice))
            else:
                return begun
            return made
        finally:
            if made is None:
                self._streams.connections.leave(visitor.actor_key)

    async def _operate(self, found: EventStream, request: Request, came: Came) -> ASGIApp:
        """Begin an operation whose events another response carries."""
        visitor = came[0]
        asked = await self._asked(request, came)
        if not isinstance(asked, Asked):
            return asked
        id = (asked.extensions or {}).get("operationId")
        if not isinstance(id, str) or not 0 < len(id) <= ID_LENGTH_MAX:
            return visitor.voice.refused(NO_ID)
        if id in found.operations:
            return visitor.voice.refused(ID_IN_USE)
        if (most := self._limits.operations) <= len(found.operations):
            return self._placeless(Exceeded("operations", most + 1, most), visitor.voice)
        begun = await self._begun(asked, came)
        if found.is_over or id in found.operations:  # by now
            if isinstance(begun, Stream):
                self._streams.subscriptions.leave(visitor.actor_key)
            return visitor.voice.refused(NO_STREAM if found.is_over else ID_IN_USE)
        if isinstance(begun, Stream):
            found.start(id, begun, visitor)
        elif isinstance(begun, Failed):
            found.tell(id, self._streams.refused(begun, visitor.voice))
        elif isinstance(begun, NotRun):
            return replace(visitor.voice.request_errors(begun.errors, begun.budget), status=400)
        else:
            return begun
        return Response(status_code=202, headers=SHORT)

    def _stopped(self, found: EventStream, request: Request, voice: Voice) -> ASGIApp:
        id = request.query_params.get("operationId")
        if not id:
            return voice.refused(NO_ID)
        found.stop(id)
        return Response(status_code=200, headers=SHORT)

    async def _asked(self, request: Request, came: Came) -> Asked | Answer:
        """Return what a request asks for; the present is taken once that is in."""
        voice, context = came[0].voice, came[1]
        if request.method == "POST" and not is_json(request.headers.get("content-type", "")):
            return voice.refused(CONTENT_TYPE)
        asked = await asked_by(request, bytes_max=self._limits.body_bytes)
        await context.begin()
        if isinstance(asked, Exceeded):
            return voice.too_large(asked)
        return asked if isinstance(asked, Asked) else voice.refused(asked)

    async def _begun(self, asked: Asked, came: Came) -> Stream | Failed | NotRun | Answer:
        """Begin an operation, with a place for its stream. Raises Hindered."""
        (visitor, context), places = came, self._streams.subscriptions
        if reason := places.take(visitor.actor_key):
            return self._placeless(reason, visitor.voice)
        begun = None
        try:
            begun = await self._streams.begin(asked, visitor, context)
        finally:
            if not isinstance(begun, Stream):
                places.leave(visitor.actor_key)
        if isinstance(begun, Exhausted):
            return visitor.voice.exhausted(begun)
        return visitor.voice.refused(begun) if isinstance(begun, HttpRefusal) else begun

    def _placeless(self, reason: Exceeded | HttpRefusal, voice: Voice) -> Answer:
        """Answer who finds no place."""
        return (
            voice.refused(reason) if isinstance(reason, HttpRefusal) else replace(voice.too_large(reason), status=429)
        )


def accepts_events(request: Request) -> bool:
    """Say whether the caller reads events."""
    return media_type_of(request.headers.get("accept"), offered=(EVENTS,)) == EVENTS
