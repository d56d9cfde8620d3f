"""HTTP: one address that answers GraphQL over HTTP to the letter, and shows a browser the explorer.

OPTIONS, PUT …      405   METHOD_NOT_ALLOWED          GET, HEAD (queries alone) and POST
Accept              406   NOT_ACCEPTABLE              application/graphql-response+json, application/json
Content-Type        415   UNSUPPORTED_MEDIA_TYPE      application/json in UTF-8 and nothing that a form can send
body                413   LIMIT_EXCEEDED              body_bytes
                    400   BAD_REQUEST                 no JSON, or not of the shape {query, operationName, …}
                    400   BATCHING_UNSUPPORTED        a list of requests
document            400*  GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, LIMIT_EXCEEDED (limits.py)
operationName       400*  OPERATION_RESOLUTION_FAILURE
a GET's mutation    405   METHOD_NOT_ALLOWED
variables           400*  BAD_USER_INPUT
budget              429   RATE_LIMITED                with Retry-After
time                503   TIMEOUT
database            503   UNAVAILABLE, BUSY           200 where part of the answer stands beside it
our fault           200, or 500 where nothing can be answered: INTERNAL, with the errorId that the log has too

* 200 for who takes application/json only: the specification keeps old clients working that way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import assert_never

import strawberry
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from greenroom.answers import NO_SUBSCRIPTION, Answer, Error, Voice
from greenroom.db import Hindered
from greenroom.explorer import page
from greenroom.limits import Exceeded, Limits
from greenroom.rates import Exhausted
from greenroom.requests import (
    GET_MUTATION,
    GRAPHQL,
    HTML,
    JSON,
    Asked,
    HttpRefusal,
    asked_by,
    language_of,
    media_type_of,
    refused_head,
)
from greenroom.running import Caller, NotRun, Ready, Runner, Spend


class GraphQLEndpoint:
    """An ASGI application for one schema.

    `context_for` says who asks, or why they may not (401); it is called once the head of the request is in order,
    before its body is read. Once that is in, the context's `begin` is. The rest is the `Runner`'s to know.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        context_for: Callable[[Request], Awaitable[Caller | HttpRefusal | Response]],
        limits: Limits,
        spend: Spend,
        introspection: bool,
        log: FilteringBoundLogger,
    ) -> None:
        self.runner = Runner(schema, limits=limits, spend=spend, introspection=introspection, log=log)
        self._context_for = context_for
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        offered = (GRAPHQL, JSON) if scope["method"] == "POST" else (HTML, GRAPHQL, JSON)
        media_type = media_type_of(request.headers.get("accept"), offered=offered)
        voice = Voice(media_type or JSON, language_of(request.headers.get("accept-language")))
        answer: Answer | Response
        if refused := refused_head(request, media_type):
            answer = voice.refused(refused)
        elif media_type == HTML:
            answer = page()
        else:
            answer = await self.in_time(self._answer(request, voice), voice)
        await answer(scope, receive, send)

    async def in_time(
        self, answering: Awaitable[Answer | Response], voice: Voice, *, most_s: float | None = None
    ) -> Answer | Response:
        """Return an answer that comes within the time allowed, tells a hindrance, and masks what was our fault."""
        try:
            async with asyncio.timeout(most_s or self._limits.time_s) as timer:
                return await answering
        except Hindered as hindrance:
            self.runner.warn(hindrance)
            return voice.hindered(hindrance)
        except Exception as fault:
            if isinstance(fault, TimeoutError) and timer.expired():
                return voice.timed_out(self.runner.timed_out(), allowed_s=self._limits.time_s)
            return voice.internal(self.runner.report(fault))

    async def _answer(self, request: Request, voice: Voice) -> Answer | Response:
        context = await self._context_for(request)
        if isinstance(context, Response):
            return context
        if isinstance(context, HttpRefusal):
            return voice.refused(context)
        asked = await asked_by(request, bytes_max=self._limits.body_bytes)
        await context.begin()
        voice = Voice(voice.media_type, context.language)
        match asked:
            case Asked():
                return await self._operate(asked, context, voice, method=request.method)
            case HttpRefusal():
                return voice.refused(asked)
            case Exceeded():
                return voice.too_large(asked)
            case _:
                assert_never(asked)

    async def _operate(self, asked: Asked, context: Caller, voice: Voice, *, method: str) -> Answer:
        """Run the operation that a request means, if it may."""

        def elsewhere(kind: OperationType) -> HttpRefusal | Error | None:
            if kind is OperationType.SUBSCRIPTION:
                return voice.error(NO_SUBSCRIPTION, "OPERATION_RESOLUTION_FAILURE")
            return GET_MUTATION if kind is OperationType.MUTATION and method != "POST" else None

        match prepared := await self.runner.prepare(asked, context, voice, elsewhere=elsewhere):
            case Ready():
                data, errors = await self.runner.run(prepared.executor, voice)
                return voice.result(data, errors, prepared.budget)
            case NotRun():
                return voice.request_errors(prepared.errors, prepared.budget)
            case Exhausted():
                return voice.exhausted(prepared)
            case HttpRefusal():
                return voice.refused(prepared)
            case _:
                assert_never(prepared)
