"""Context: what one operation knows. Its `now` is taken once the request is in, so that it has one present."""

from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from asyncpg import PostgresError
from graphql import GraphQLError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from strawberry.dataloader import DataLoader

from greenroom.access import Actor, Permission, scope
from greenroom.db import NOBODY, Database, Read, Scope, Transaction
from greenroom.errors import CONSTRAINTS, Refused
from greenroom.idempotency import claim
from greenroom.inforce import Held
from greenroom.law.policies import InForce
from greenroom.law.terms import Language
from greenroom.rates import Budget
from greenroom.sealing import KeyWrapping, Pepper
from greenroom.tickets import TicketSigner

Outcome = TypeVar("Outcome")
KeyT = TypeVar("KeyT")
Loaded = TypeVar("Loaded")
Answer = TypeVar("Answer")
DEADLOCK = "40P01"
TOO_LONG = frozenset({"55P03", "57014"})  # a lock or a statement that took too long
NONE_ALSO: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Services:
    """What one process holds for all its operations."""

    db: Database
    keys: KeyWrapping
    pepper: Pepper
    tickets: TicketSigner
    held: Held


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
        nobody's mistake, so the loser starts over once.
        """
        for is_last in (False, True):
            try:
                return await self.attempt(verb, account_id=account_id, also=also, once=once)
            except IntegrityError as error:
                return refusal_of(error)
            except (DBAPIError, PostgresError, PoolTimeout) as error:
                state = getattr(getattr(error, "orig", error), "sqlstate", None)
                if isinstance(error, PoolTimeout) or state in TOO_LONG or (state == DEADLOCK and is_last):
                    raise busy(self.language) from error
                if state != DEADLOCK:
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
        """Run one read under a scope. Raises GraphQLError (BUSY) where it waits too long for others."""
        try:
            return await self.services.db.rows(read, scope, **parameters)
        except PostgresError as error:
            if error.sqlstate in TOO_LONG:
                raise busy(self.language) from error
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


def busy(language: Language) -> GraphQLError:
    """Return the error of a verb that waited too long for others; nothing of it was written."""
    message = "系统繁忙，请稍后重试；本次操作未产生任何更改。" if language == "zh" else BUSY
    return GraphQLError(message, extensions={"code": "BUSY"})


BUSY = "Others are changing the same objects. Nothing was changed here: try again in a moment."


def refusal_of(error: IntegrityError) -> Refused:
    """Return what a broken constraint means to a caller; one that we did not foresee is a fault.

    Raises IntegrityError.
    """
    name = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    if name not in CONSTRAINTS:
        raise error
    return Refused.of(CONSTRAINTS[name])


Info = strawberry.Info[Context, None]
