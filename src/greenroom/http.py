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
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any, Protocol, assert_never

import strawberry
from graphql import ExecutionResult, FieldNode, GraphQLError, OperationType, assert_valid_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.execution import optimized_is_awaitable
from structlog.typing import FilteringBoundLogger

from greenroom.answers import NO_SUBSCRIPTION, Answer, Error, Voice
from greenroom.cost import reading
from greenroom.db import Hindered
from greenroom.explorer import page
from greenroom.limits import Exceeded, Limits, count_values
from greenroom.logs import described, frames
from greenroom.operations import ERRORS_MAX, Document, Operation, Operations, formatted
from greenroom.rates import Budget, Exhausted
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

REFUSED_COST = 10  # points at least for what does not run, whoever read its document before
FAULTS_LOGGED_MAX = 5  # of one answer


class Caller(Protocol):
    """What the endpoint needs to know of a context; resolvers get the whole."""

    budget: Budget | None

    @property
    def actor_key(self) -> str:
        """Whose points are spent."""

    @property
    def language(self) -> str:
        """`zh` or `en`."""

    async def begin(self) -> None:
        """Learn the present and what is in force in it: the body is in, so the caller has no more say in when."""


Spend = Callable[[str, int], Awaitable[Budget | Exhausted]]
"""Takes points of an actor: `RateLimiter.spend` with the present."""


@dataclass(slots=True)
class Bill:
    """What one request has paid; what it costs in the end is no more for having been paid in two parts."""

    spend: Spend
    actor_key: str
    paid: int = 0

    async def pay(self, cost: int) -> Budget | Exhausted:
        """Take what lacks to `cost`, if anything does."""
        budget = await self.spend(self.actor_key, max(cost - self.paid, 0))
        if not self.paid:
            self.paid = cost
            return budget
        if isinstance(budget, Exhausted):  # who comes again pays the whole: say how long that takes
            return await self.spend(self.actor_key, cost)
        return replace(budget, cost=min(max(cost, self.paid), budget.limit))


class GraphQLEndpoint:
    """An ASGI application for one schema.

    `context_for` says who asks, or why they may not (401); it is called once the head of the request is in order,
    before its body is read. Once that is in, the context's `begin` is. `spend` takes the points of a document before it
    is read, and of an operation before it runs. Nothing that a caller sent, and no message of an exception, reaches
    `log`.
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
        self._schema = schema._schema
        assert_valid_schema(self._schema)
        self._executor = schema.execution_context_class
        self._operations = Operations(self._schema, limits=limits, introspection=introspection)
        self._hides_schema = not introspection
        self._context_for = context_for
        self._limits = limits
        self._spend = spend
        self._log = log

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
            self._warn(hindrance)
            return voice.hindered(hindrance)
        except Exception as fault:
            if isinstance(fault, TimeoutError) and timer.expired():
                return self._timed_out(voice)
            return voice.internal(self._report(fault))

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
        """Find the operation that a request means, and run it if it may."""
        bill = Bill(self._spend, context.actor_key)
        document = self._operations.known(asked.query)
        if document is None:
            budget = await bill.pay(reading(asked.query))
            if isinstance(budget, Exhausted):
                return voice.exhausted(budget)
            document = self._operations.read(asked.query)
        if not isinstance(document, Document):
            return await self._not_run(voice.document_errors(document), bill, voice)
        operation = document.operation(asked.operation_name)
        if operation is None:
            return await self._not_run([voice.operation_error(document)], bill, voice)
        match operation.kind:
            case OperationType.SUBSCRIPTION:
                error = voice.error(NO_SUBSCRIPTION, "OPERATION_RESOLUTION_FAILURE")
                return await self._not_run([error], bill, voice)
            case OperationType.MUTATION if method != "POST":
                return voice.refused(GET_MUTATION)
            case _:
                return await self._run(operation, asked.variables or {}, context, voice, bill)

    async def _run(
        self, operation: Operation, variables: dict[str, Any], context: Caller, voice: Voice, bill: Bill
    ) -> Answer:
        """Coerce the variables, charge what the operation costs with them, and execute it."""
        if exceeded := count_values(variables, self._limits):
            return await self._not_run([voice.limit_error(exceeded)], bill, voice)
        executor = self._executor.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=variables,
            max_coercion_errors=ERRORS_MAX,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # Strawberry's own, not typed as a guard
            hide_suggestions=self._hides_schema,
        )
        if isinstance(executor, list):
            return await self._not_run([formatted(error, "BAD_USER_INPUT") for error in executor], bill, voice)
        cost = operation.cost(executor.variable_values.coerced)
        if cost > self._limits.cost:
            return await self._not_run([voice.limit_error(Exceeded("cost", cost, self._limits.cost))], bill, voice)
        budget = await bill.pay(cost)
        if isinstance(budget, Exhausted):
            return voice.exhausted(budget)
        context.budget = budget
        result = executor.execute_operation()
        if isawaitable(result):
            result = await result
        assert isinstance(result, ExecutionResult)  # incremental delivery is off
        return voice.result(result.data, self._sent(result.errors or (), voice), budget)

    async def _not_run(self, errors: list[Error], bill: Bill, voice: Voice) -> Answer:
        """Answer a request whose operation does not run."""
        budget = await bill.pay(REFUSED_COST)
        return voice.exhausted(budget) if isinstance(budget, Exhausted) else voice.request_errors(errors, budget)

    def _sent(self, errors: Sequence[GraphQLError], voice: Voice) -> list[Error]:
        """Return errors as they are sent: what is the caller's to know, and the rest masked under one common id."""
        others = [error.original_error or error for error in errors if not _is_callers(error)]
        hindrances = {type(one): one for one in others if isinstance(one, Hindered)}
        for hindrance in hindrances.values():
            self._warn(hindrance)
        faults = [one for one in others if not isinstance(one, Hindered)]
        masked = voice.masked(self._report(*faults)) if faults else {}

        def sent(error: GraphQLError) -> Error:
            if _is_callers(error):
                return formatted(error, "BAD_USER_INPUT")
            hindrance = hindrances.get(type(error.original_error))  # type: ignore[arg-type]  # of any class
            return dict(error.formatted) | (voice.hindrance(hindrance) if hindrance else masked)

        return [sent(error) for error in errors]

    def _warn(self, hindrance: Hindered) -> None:
        self._log.warning("database hindered", code=hindrance.code, cause=type(hindrance.__cause__).__qualname__)

    def _timed_out(self, voice: Voice) -> Answer:
        error_id = secrets.token_hex(8)
        self._log.error("request timed out", error_id=error_id, code="TIMEOUT", allowed_s=self._limits.time_s)
        return voice.timed_out(error_id, allowed_s=self._limits.time_s)

    def _report(self, *faults: BaseException) -> str:
        """Log the kind and the place of each fault, and return their id. Messages may quote what a caller sent."""
        error_id = secrets.token_hex(8)
        places = {(type(fault), *frames(fault)): fault for fault in faults}
        for fault in list(places.values())[:FAULTS_LOGGED_MAX]:
            self._log.error("request failed", error_id=error_id, code="INTERNAL", **described(fault))
        return error_id


def _is_callers(error: GraphQLError) -> bool:
    """A resolver meant it for the caller and gave it a code, or graphql-core points at a value in the document."""
    raised = error.original_error or error
    if isinstance(raised, StrawberryInputCoercionError):  # a variable that is null where one-of takes none
        return True
    if not isinstance(raised, GraphQLError):
        return False
    if raised.extensions and "code" in raised.extensions:
        return True
    return any(not isinstance(node, FieldNode) for node in raised.nodes or ())
