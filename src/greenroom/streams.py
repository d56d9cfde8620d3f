"""Streams: subscriptions under way, whatever carries them: how many, each event's answer, and every end."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Protocol, assert_never

from graphql import ExecutionResult, GraphQLError, OperationType, create_source_event_stream

from greenroom.answers import ONLY_SUBSCRIPTIONS, Error, Voice, payload_of
from greenroom.db import Hindered
from greenroom.errors import Words
from greenroom.limits import Exceeded
from greenroom.rates import Exhausted
from greenroom.requests import Asked, HttpRefusal
from greenroom.running import Caller, NotRun, Ready, Runner

SENT_WITHIN_S = 10.0  # by when a reader has taken what lies before a message
BEATS_EVERY_S = 15.0  # proxies cut what is silent for 30 s or more

FULL = HttpRefusal(
    503,
    "BUSY",
    Words("Too many streams are open here. Try again in a moment.", "当前打开的订阅连接过多，请稍后重试。"),
    {"retry-after": "5"},
)

ContextOf = Callable[..., Awaitable[Caller | HttpRefusal]]
"""Says who asks, by an Authorization header: `context_of(header, language=…, address=…)`. Raises Hindered."""
Fresh = Callable[[], Awaitable[Caller | HttpRefusal]]
"""Says anew who asks, as their token stands now, or why they may not any more. Raises Hindered."""


class Ended(Exception):
    """A stream that ends before its operation does: what its client is told."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__()
        self.errors = errors


class Forbidden(Exception):
    """The token no longer says who reads along."""

    def __init__(self, refusal: HttpRefusal) -> None:
        super().__init__()
        self.refusal = refusal


class TooSlow(Exception):
    """The reader did not take what was sent."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who holds a connection, and in which language they read."""

    actor_key: str
    fresh: Fresh
    voice: Voice


@dataclass(frozen=True, slots=True)
class Failed:
    """An operation that ran and brought no stream, and why."""

    errors: list[Error]


class Places:
    """Places in one process: so many in all, so many of one actor."""

    def __init__(self, limit: str, *, most: int, most_of_actor: int) -> None:
        self._limit, self._most, self._most_of_actor = limit, most, most_of_actor
        self._taken = Counter[str]()
        self._all = 0

    def take(self, actor_key: str) -> Exceeded | HttpRefusal | None:
        """Take a place, which is to be left again; or say why there is none."""
        if self._taken[actor_key] >= self._most_of_actor:
            return Exceeded(self._limit, self._taken[actor_key] + 1, self._most_of_actor)
        if self._all >= self._most:
            return FULL
        self._taken[actor_key] += 1
        self._all += 1
        return None

    def leave(self, actor_key: str) -> None:
        """Leave a place that was taken."""
        self._taken[actor_key] -= 1
        self._all -= 1
        if not self._taken[actor_key]:
            del self._taken[actor_key]


class Stream:
    """One subscription of one visitor: an answer for each event, made with who the visitor is by then."""

    def __init__(
        self, runner: Runner, ready: Ready, variables: dict[str, Any], source: AsyncGenerator[Any, None], of: Visitor
    ) -> None:
        self._runner, self._variables, self._source, self._visitor = runner, variables, source, of
        self._operation, self._cost = ready.operation, ready.cost

    async def payloads(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the answers to the events. Raises Ended or Forbidden."""
        voice, runner = self._visitor.voice, self._runner
        try:
            async with aclosing(self._source):
                async for event in self._source:
                    yield await self._answer(event)
        except (Ended, Forbidden):
            raise
        except GraphQLError as error:
            raise Ended(runner.sent([error], voice)) from None
        except Hindered as hindrance:
            runner.warn(hindrance)
            raise Ended([voice.hindrance(hindrance)]) from None
        except TimeoutError:
            raise Ended([voice.time_error(runner.timed_out(), allowed_s=runner.limits.time_s)]) from None
        except Exception as fault:
            raise Ended([voice.masked(runner.report(fault))]) from None

    async def _answer(self, event: object) -> dict[str, Any]:
        """Answer one event; where nothing of it can be told, the stream ends before it, and the client comes again."""
        context = await self._paid()
        executor = self._runner.executor(self._operation, self._variables, context, root=event)
        async with asyncio.timeout(self._runner.limits.time_s):
            data, errors = await self._runner.run(executor, self._visitor.voice)
        if errors and all(value is None for value in (data or {}).values()):
            raise Ended(errors)
        return payload_of(data, errors)

    async def _paid(self) -> Caller:
        """Return who asks now, once they could pay: events wait for that, none is passed over."""
        while True:
            context = await self._visitor.fresh()
            if isinstance(context, HttpRefusal):
                raise Forbidden(context)
            budget = await self._runner.spend(context, self._cost)
            if not isinstance(budget, Exhausted):
                context.budget = budget
                return context
            await asyncio.sleep(budget.retry_after_s)


class Beating(Protocol):
    """An open connection."""

    async def beat(self) -> None:
        """Look whether its visitor may still be there, and say that we are."""


class Streams:
    """The streams of one process."""

    def __init__(self, runner: Runner, *, most: int, beats_every_s: float = BEATS_EVERY_S) -> None:
        self.runner = runner
        self.subscriptions = Places("subscriptions", most=most, most_of_actor=runner.limits.subscriptions)
        self.connections = Places("connections", most=most, most_of_actor=runner.limits.connections)
        self.open = set[Channel]()
        self.is_ending = False
        self._beats_every_s = beats_every_s

    async def begin(
        self, asked: Asked, visitor: Visitor, context: Caller
    ) -> Stream | Failed | NotRun | Exhausted | HttpRefusal:
        """Begin what a request asks for; what comes from now on is in the stream. Raises Hindered."""
        voice = visitor.voice

        def elsewhere(kind: OperationType) -> Error | None:
            is_here = kind is OperationType.SUBSCRIPTION
            return None if is_here else voice.error(ONLY_SUBSCRIPTIONS, "OPERATION_RESOLUTION_FAILURE")

        ready = await self.runner.prepare(asked, context, voice, elsewhere=elsewhere)
        if not isinstance(ready, Ready):
            return ready
        try:
            async with asyncio.timeout(self.runner.limits.time_s):
                source: Any = create_source_event_stream(ready.executor)
                if isawaitable(source):
                    source = await source
        except TimeoutError:
            return Failed([voice.time_error(self.runner.timed_out(), allowed_s=self.runner.limits.time_s)])
        if isinstance(source, ExecutionResult):
            return Failed(self.runner.sent(source.errors or (), voice))
        return Stream(self.runner, ready, asked.variables or {}, source, visitor)

    def refused(self, outcome: "Outcome", voice: Voice) -> list[Error]:
        """Return why an operation did not begin, once that is logged."""
        errors = errors_of(outcome, voice)
        self.runner.note("subscription refused", codes=[error["extensions"]["code"] for error in errors])
        return errors

    async def keep_beating(self) -> None:
        """Let every open connection beat once in a while, one after the other, for as long as the process lives."""
        beats = set[asyncio.Task[None]]()
        while True:
            turn = list(self.open)
            for channel in turn:
                beat = asyncio.create_task(channel.beat())
                beats.add(beat)
                beat.add_done_callback(beats.discard)
                await asyncio.sleep(self._beats_every_s / len(turn))
            if not turn:
                await asyncio.sleep(self._beats_every_s)

    def end(self) -> None:
        """End every stream so that its client comes again, elsewhere: the process is told to stop."""
        self.is_ending = True
        for channel in list(self.open):
            channel.end(GOING)


@dataclass(frozen=True, slots=True)
class End:
    """Why a connection ends: the code of a WebSocket, what is said to people, and the refusal behind it."""

    code: int
    reason: str
    refusal: HttpRefusal | None = None


GOING = End(1012, "Service restart")
SLOW = End(4408, "Read too slowly: come again with your last cursor")


class Channel:
    """One open connection of a visitor, and the operations that it carries."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self.visitor: Visitor | None = None
        self.ending: End | None = None
        self.operations = dict[str, asyncio.Task[None]]()
        self.timer = asyncio.timeout(None)

    async def say_next(self, id: str, payload: dict[str, Any]) -> None:
        """Send the answer to one event."""
        raise NotImplementedError

    async def say_errors(self, id: str, errors: list[Error]) -> None:
        """Say why an operation ends."""
        raise NotImplementedError

    async def say_forbidden(self, id: str, refusal: HttpRefusal) -> None:
        """Say of an operation that its reader may no longer be there, where the end of the connection does not."""

    async def say_complete(self, id: str) -> None:
        """Say that an operation is over."""
        raise NotImplementedError

    async def say_alive(self) -> None:
        """Let the other side, and what is between, know that we are there."""
        raise NotImplementedError

    def end(self, why: End) -> None:
        """End the connection soon; the first reason counts."""
        if self.ending is None:
            self.ending = why
            with suppress(RuntimeError):  # it is at its end already
                self.timer.reschedule(asyncio.get_running_loop().time())

    def start(self, id: str, stream: Stream, of: Visitor) -> None:
        """Carry a stream, for which a place was taken."""
        task = asyncio.create_task(self._carry(id, stream))
        self.operations[id] = task

        def over(_: asyncio.Task[None]) -> None:
            self.streams.subscriptions.leave(of.actor_key)
            if self.operations.get(id) is task:
                del self.operations[id]

        task.add_done_callback(over)

    def stop(self, id: str) -> None:
        """End an operation; one that is not there has ended already."""
        if task := self.operations.pop(id, None):
            task.cancel()

    async def stop_all(self) -> None:
        """End every operation, and wait for that."""
        tasks = list(self.operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def beat(self) -> None:
        """Look whether its visitor may still be there, and say that we are."""
        if self.visitor is None:
            return
        with suppress(Hindered, OSError):
            context = await self.visitor.fresh()
            if isinstance(context, HttpRefusal):
                if context.status < 500:  # else nobody can say
                    self.forbid(context)
                return
            try:
                await self.say_alive()
            except TooSlow:
                self.end(SLOW)

    def forbid(self, refusal: HttpRefusal) -> None:
        """End the connection of a visitor who may no longer be there."""
        self.streams.runner.note("stream ended", code=refusal.code)
        self.end(End(1013 if refusal.status >= 500 else 4403, refusal.words.en, refusal))

    async def _carry(self, id: str, stream: Stream) -> None:
        with suppress(OSError):  # the other side has gone
            try:
                async with aclosing(stream.payloads()) as payloads:
                    async for payload in payloads:
                        await self.say_next(id, payload)
                await self.say_complete(id)
            except Ended as ended:
                await self.say_errors(id, ended.errors)
            except Forbidden as forbidden:
                await self.say_forbidden(id, forbidden.refusal)
                self.forbid(forbidden.refusal)
            except TooSlow:
                self.end(SLOW)


async def in_time(sending: Awaitable[None]) -> None:
    """Send one message; what lies before it in the connection is bounded by the server. Raises TooSlow."""
    try:
        async with asyncio.timeout(SENT_WITHIN_S):
            await sending
    except TimeoutError:
        raise TooSlow from None


Outcome = Failed | NotRun | Exhausted | HttpRefusal | Exceeded


def errors_of(outcome: Outcome, voice: Voice) -> list[Error]:
    """Return why an operation did not begin."""
    match outcome:
        case Failed() | NotRun():
            return outcome.errors
        case Exhausted():
            return [voice.rate_error(outcome)]
        case HttpRefusal():
            return [voice.error(outcome.words, outcome.code)]
        case Exceeded():
            return [voice.limit_error(outcome)]
        case _:
            assert_never(outcome)
