"""Running: what every way in does with an operation: read it, price and charge it, execute it, and mask what fails."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any, Protocol

import strawberry
from graphql import ExecutionResult, FieldNode, GraphQLError, OperationType, assert_valid_schema
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.execution import optimized_is_awaitable
from structlog.typing import FilteringBoundLogger

from greenroom.answers import Error, Voice
from greenroom.cost import reading
from greenroom.db import Hindered
from greenroom.limits import Exceeded, Limits, count_values
from greenroom.logs import described, frames
from greenroom.operations import ERRORS_MAX, Document, Operation, Operations, formatted
from greenroom.rates import Budget, Exhausted
from greenroom.requests import Asked, HttpRefusal

REFUSED_COST = 10  # points at least for what does not run, whoever read its document before
FAULTS_LOGGED_MAX = 5  # of one answer


class Caller(Protocol):
    """What running needs to know of a context; resolvers get the whole."""

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
Elsewhere = Callable[[OperationType], HttpRefusal | Error | None]
"""Says why a way in does not serve a kind of operation; None where it does."""


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


@dataclass(frozen=True, slots=True)
class Ready:
    """An operation that may run and has paid."""

    operation: Operation
    executor: Any
    cost: int
    budget: Budget


@dataclass(frozen=True, slots=True)
class NotRun:
    """A well-formed request whose operation does not run, and why."""

    errors: list[Error]
    budget: Budget


class Runner:
    """Runs the operations of one schema, whichever way they come in.

    `spend` takes the points of a document before it is read, and of an operation before it runs. Nothing that a caller
    sent, and no message of an exception, reaches `log`.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limits: Limits,
        spend: Spend,
        introspection: bool,
        log: FilteringBoundLogger,
    ) -> None:
        self.schema = schema._schema
        assert_valid_schema(self.schema)
        self.limits = limits
        self._executor = schema.execution_context_class
        self._operations = Operations(self.schema, limits=limits, introspection=introspection)
        self._hides_schema = not introspection
        self._spend = spend
        self._log = log

    async def prepare(
        self, asked: Asked, context: Caller, voice: Voice, *, elsewhere: Elsewhere
    ) -> Ready | NotRun | Exhausted | HttpRefusal:
        """Find the operation that a request means, coerce its variables and charge it, or say why it may not run."""
        bill = Bill(self._spend, context.actor_key)
        document = self._operations.known(asked.query)
        if document is None:
            budget = await bill.pay(reading(asked.query))
            if isinstance(budget, Exhausted):
                return budget
            document = self._operations.read(asked.query)
        if not isinstance(document, Document):
            return await self._not_run(voice.document_errors(document), bill, voice)
        operation = document.operation(asked.operation_name)
        if operation is None:
            return await self._not_run([voice.operation_error(document)], bill, voice)
        reason = elsewhere(operation.kind)
        if isinstance(reason, HttpRefusal):
            return reason
        if reason is not None:
            return await self._not_run([reason], bill, voice)
        return await self._charged(operation, asked.variables or {}, context, voice, bill)

    async def _charged(
        self, operation: Operation, variables: dict[str, Any], context: Caller, voice: Voice, bill: Bill
    ) -> Ready | NotRun | Exhausted:
        """Coerce the variables, and charge what the operation costs with them."""
        if exceeded := count_values(variables, self.limits):
            return await self._not_run([voice.limit_error(exceeded)], bill, voice)
        executor = self.executor(operation, variables, context)
        if isinstance(executor, list):
            return await self._not_run([formatted(error, "BAD_USER_INPUT") for error in executor], bill, voice)
        cost = operation.cost(executor.variable_values.coerced)
        if cost > self.limits.cost:
            return await self._not_run([voice.limit_error(Exceeded("cost", cost, self.limits.cost))], bill, voice)
        budget = await bill.pay(cost)
        if isinstance(budget, Exhausted):
            return budget
        context.budget = budget
        return Ready(operation, executor, cost, budget)

    def executor(self, operation: Operation, variables: dict[str, Any], context: Caller, *, root: object = None) -> Any:
        """Return what executes an operation, or the errors of its variables."""
        return self._executor.build(
            self.schema,
            operation.document,
            root_value=root,
            context_value=context,
            raw_variable_values=variables,
            max_coercion_errors=ERRORS_MAX,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # Strawberry's own, not typed as a guard
            hide_suggestions=self._hides_schema,
        )

    async def run(self, executor: Any, voice: Voice) -> tuple[dict[str, Any] | None, list[Error]]:
        """Execute an operation: its data, and its errors as they are sent."""
        result = executor.execute_operation()
        if isawaitable(result):
            result = await result
        assert isinstance(result, ExecutionResult)  # incremental delivery is off
        return result.data, self.sent(result.errors or (), voice)

    async def spend(self, context: Caller, cost: int) -> Budget | Exhausted:
        """Take points of a caller."""
        return await self._spend(context.actor_key, cost)

    async def _not_run(self, errors: list[Error], bill: Bill, voice: Voice) -> NotRun | Exhausted:
        budget = await bill.pay(REFUSED_COST)
        return budget if isinstance(budget, Exhausted) else NotRun(voice.worded(errors), budget)

    def sent(self, errors: Sequence[GraphQLError], voice: Voice) -> list[Error]:
        """Return errors as they are sent: what is the caller's to know, and the rest masked under one common id."""
        others = [error.original_error or error for error in errors if not _is_callers(error)]
        hindrances = {type(one): one for one in others if isinstance(one, Hindered)}
        for hindrance in hindrances.values():
            self.warn(hindrance)
        faults = [one for one in others if not isinstance(one, Hindered)]
        masked = voice.masked(self.report(*faults)) if faults else {}

        def sent(error: GraphQLError) -> Error:
            if _is_callers(error):
                return formatted(error, "BAD_USER_INPUT")
            hindrance = hindrances.get(type(error.original_error))  # type: ignore[arg-type]  # of any class
            return dict(error.formatted) | (voice.hindrance(hindrance) if hindrance else masked)

        return [sent(error) for error in errors]

    def note(self, event: str, **codes: object) -> None:
        """Log what was refused to a caller, or ended: codes alone."""
        self._log.info(event, **codes)

    def warn(self, hindrance: Hindered) -> None:
        """Log that the database hindered us."""
        self._log.warning("database hindered", code=hindrance.code, cause=type(hindrance.__cause__).__qualname__)

    def timed_out(self) -> str:
        """Log that an answer took too long, and return the id of that."""
        error_id = secrets.token_hex(8)
        self._log.error("request timed out", error_id=error_id, code="TIMEOUT", allowed_s=self.limits.time_s)
        return error_id

    def report(self, *faults: BaseException) -> str:
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
