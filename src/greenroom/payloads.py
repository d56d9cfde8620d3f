"""Payloads: what a mutation answers, what changed or every problem at once."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import strawberry

from greenroom.access import Key, Permission
from greenroom.context import NONE_ALSO, Info, Once, Replay
from greenroom.db import Transaction
from greenroom.errors import Problem, Refused, Stale, UserErrorCode
from greenroom.graph import home
from greenroom.law.terms import RequirementKind

T = TypeVar("T")


@strawberry.interface
class UserError:
    """A problem that the user can understand and act on. System failures are top-level errors."""

    code: UserErrorCode
    """For programs."""
    field: list[str] | None
    """Path into the mutation's arguments, such as ["input", "cast", "0", "anchor", "id"]."""
    message: str
    """For people, in the request's language."""
    requirement: RequirementKind | None
    """The requirement that it concerns, if any."""


@strawberry.type
class InputError(UserError):
    """A refused input."""


@strawberry.type
class VersionConflict(UserError):
    """Someone else wrote first. Read again and retry."""

    code: UserErrorCode
    """STALE."""
    current_version: int
    """The object's version now."""


@strawberry.type
class Payload:
    """What a mutation answers: what changed, or every problem at once."""

    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why it was refused."""


async def changed(
    info: Info,
    load: Callable[[Info, Key], Awaitable[T | None]],
    verb: Callable[[Transaction], Awaitable[UUID | Refused]],
    *,
    account_id: UUID,
    also: frozenset[Permission] = NONE_ALSO,
    once: Once | None = None,
) -> tuple[T | None, list[UserError]]:
    """Run a verb, and load the object that it made or changed; of a refusal, return every problem."""
    outcome = await info.context.perform(verb, account_id=account_id, also=also, once=once)
    if isinstance(outcome, Refused):
        return None, user_errors(outcome, info)
    return await load(info, Key(account_id, made(outcome))), []


def user_errors(refused: Refused, info: Info) -> list[UserError]:
    """Put a refusal into the words of the request's language, each problem at its place in the input."""
    return [user_error(problem, info) for problem in refused.problems]


def user_error(problem: Problem, info: Info) -> UserError:
    """Return what a client sees of one problem."""
    common: dict[str, Any] = {
        "code": problem.code,
        "field": list(problem.at),
        "message": problem.said(info.context.language),
        "requirement": problem.requirement,
    }
    if isinstance(problem, Stale):
        return VersionConflict(**common, current_version=problem.current_version)
    if problem.code is UserErrorCode.ADMISSION_REFUSED:
        refused: UserError = home("rooms").AdmissionRefused.of(problem, common, info.context.language)
        return refused
    return InputError(**common)


def made(outcome: UUID | Replay) -> UUID:
    """Return the id of what a verb made, now or when it was first asked."""
    return outcome.result_id if isinstance(outcome, Replay) else outcome
