"""Context: what one operation knows. Its `now` is taken once the request is in, so that it has one present."""

from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import strawberry
from graphql import GraphQLError
from sqlalchemy.exc import IntegrityError
from strawberry.dataloader import DataLoader

from greenroom.access import Actor, Permission, scope
from greenroom.db import NOBODY, Busy, Database, Deadlocked, Read, Scope, Transaction, Unavailable
from greenroom.errors import CONSTRAINTS, NO_TOKEN, Refused
from greenroom.idempotency import claim
from greenroom.inforce import Held
from greenroom.law.policies import InForce
from greenroom.law.terms import Language
from greenroom.rates import Budget
from greenroom.sealing import KeyWrapping, Pepper
from greenroom.tickets import TicketSigner

if TYPE_CHECKING:
    from greenroom.documents.links import LinkSigner
    from greenroom.events.feeds import Feeds

Outcome = TypeVar("Outcome")
KeyT = TypeVar("KeyT")
Loaded = TypeVar("Loaded")
Answer = TypeVar("Answer")
NONE_ALSO: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Services:
    """What one process holds for all its operations."""

    db: Database
    keys: KeyWrapping
    pepper: Pepper
    tickets: TicketSigner
    held: Held
    links: "LinkSigner"
    feeds: "Feeds"
    public_url: str


@dataclass(frozen=True, slots=True)
class Once:
    """A mutation that a retry must not repeat: the caller's key, what was asked, and the id of what it makes."""

    key: str
    asked: Any
    result_id: UUID

    @classmethod
    def of(cls, key: str | None, asked: Any, result_id: UUID) -> "Once | None":
        """Return it where the caller sent a key."""
        return cls(key, asked, result_id) if isinstance(key, str) else None


@dataclass(frozen=True, slots=True)
class Replay:
    """It was done before, with this result."""

    result_id: UUID


@dataclass(slots=True)
class Context:
    """Handed to every resolver."""

    actor: Actor
    language: Language
    now: datetime
    clock: Callable[[], datetime]
    in_force: InForce
    services: Services
    budget: Budget | None = None
    entrance: str = ""
    has_written: bool = False
    loaders: dict[Any, DataLoader[Any, Any]] = field(default_factory=dict)

    @property
    def actor_key(self) -> str:
        """Whose budget an operation spends: a subject's, or an anonymous caller's by address."""
        return self.actor.subject or self.entrance

    async def begin(self) -> None:
        """Take the present, and the policy in force in it, for this operation."""
        self.now = self.clock()
        self.in_force = await self.services.held.now(self.now)

    async def perform(
        self,
        verb: Callable[[Transaction], Awaitable[Outcome | Refused]],
        *,
        account_id: UUID,
        also: frozenset[Permission] = NONE_ALSO,
        once: Once | None = None,
    ) -> Outcome | Refused | Replay:
        """Run one verb in one transaction, committed before its outcome is resolved.

        A refusal has written nothing: whatever the verb had begun is rolled back. A deadlock with another verb is
        nobody's mistake, so the loser starts over once. Raises Hindered, and GraphQLError (UNAUTHENTICATED) for callers
        without a token: whatever they name, the way on is the same.
        """
        if not self.actor.subject:
            raise unauthenticated(self.language)
        for is_last in (False, True):
            self.now = self.clock()  # each of several mutations has its own present
            try:
                outcome = await self.attempt(verb, account_id=account_id, also=also, once=once)
                self.has_written |= not isinstance(outcome, Refused)
                return outcome
            except IntegrityError as error:
                return refusal_of(error)
            except Deadlocked:
                if is_last:
                    raise
            finally:
                self.loaders.clear()  # what was read before may have changed
        raise AssertionError("the last turn returns or raises")

    async def attempt(
        self,
        verb: Callable[[Transaction], Awaitable[Outcome | Refused]],
        *,
        account_id: UUID,
        also: frozenset[Permission],
        once: Once | None,
    ) -> Outcome | Refused | Replay:
        """Run the verb a single time."""
        own = scope(self.actor, account_id, also=also)
        async with self.services.db.transaction(own) as tx:
            outcome: Outcome | Refused | Replay | UUID | None = None
            if once and own != NOBODY:  # to nobody the verb itself answers that there is no such object
                outcome = await claim(
                    tx,
                    once.key,
                    account_id=account_id,
                    actor=self.actor.subject,
                    asked=once.asked,
                    result_id=once.result_id,
                    pepper=self.services.pepper,
                    now=self.now,
                )
                outcome = Replay(outcome) if isinstance(outcome, UUID) else outcome
            if outcome is None:
                outcome = await verb(tx)
                await tx.flush()
            if isinstance(outcome, Refused):
                await tx.rollback()
            return outcome  # type: ignore[return-value]  # the claim's UUID and None are replaced above

    async def rows(self, read: Read, scope: Scope, /, **parameters: Any) -> list[Any]:
        """Run one read under a scope. Raises Hindered; behind a mutation that was done Unavailable, whatever it was."""
        try:
            return await self.services.db.rows(read, scope, **parameters)
        except Busy as busy:
            if self.has_written:
                raise Unavailable from busy
            raise

    def loader(self, batch: Callable[["Context", list[KeyT]], Awaitable[list[Loaded]]]) -> DataLoader[KeyT, Loaded]:
        """Return this operation's loader for a batch function: one statement for all that is asked in a tick."""
        if batch not in self.loaders:
            self.loaders[batch] = DataLoader(load_fn=partial(batch, self))
        return self.loaders[batch]

    def loaded(
        self,
        batch: Callable[["Context", list[KeyT]], Awaitable[list[Loaded]]],
        key: KeyT,
        then: Callable[[Loaded], Answer],
    ) -> Answer:
        """Return what follows from what a loader has: at once where it is there, and later where it must be read.

        A resolver that answers at once spares its object a task; what it returns later, graphql-core awaits.
        """
        future = self.loader(batch).load(key)
        if isinstance(future, Future) and future.done():
            return then(future.result())

        async def later() -> Answer:
            return then(await future)

        return later()  # type: ignore[return-value]  # as said


def unauthenticated(language: Language) -> GraphQLError:
    """Return the error of a caller without a token, where it takes one."""
    return GraphQLError(NO_TOKEN.zh if language == "zh" else NO_TOKEN.en, extensions={"code": "UNAUTHENTICATED"})


def refusal_of(error: IntegrityError) -> Refused:
    """Return what a broken constraint means to a caller; one that we did not foresee is a fault.

    Raises IntegrityError.
    """
    name = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    if name not in CONSTRAINTS:
        raise error
    return Refused.of(CONSTRAINTS[name])


Info = strawberry.Info[Context, None]
