"""Graph: every GraphQL node and its home, the only place where slices meet in GraphQL, and what all faces share."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from graphql import GraphQLError

from greenroom.access import NOWHERE, STAFF, Key, Permission, scope
from greenroom.context import Context, Info, unauthenticated
from greenroom.db import Read, Scope
from greenroom.law.announcement import line
from greenroom.law.basis import RuleBasis as Basis

T = TypeVar("T")

# Type -> its home, and the byte that stands for it in a global id (never to be reused).
NODES = {
    "Account": ("accounts", 1),
    "Anchor": ("anchors", 2),
    "Verification": ("verifications", 3),
    "LiveRoom": ("rooms", 4),
    "CastMember": ("rooms", 5),
    "AdmissionRecord": ("rooms", 6),
    "AuditEvent": ("events", 7),
    "AdmissionPolicy": ("policies", 8),
    "Review": ("verifications", 9),
    "Document": ("documents", 10),
    "ReviewTask": ("reviews", 11),
}
TYPE_OF_BYTE = {byte: name for name, (_, byte) in NODES.items()}
ID_LENGTH = 33


@cache
def home(slice_name: str) -> Any:
    """Return a slice's GraphQL face: types of two slices are mutually recursive, so they meet here, at run time."""
    return import_module(f"greenroom.{slice_name}.api")


LOADERS = {"CastMember": "load_member", "AdmissionRecord": "load_record", "Review": "load_review"}


async def node_of(info: Info, kind: str, key: Key) -> Any:
    """Return any object by type and key; None when absent, hidden, or of no type."""
    if kind not in NODES:
        return None
    load = getattr(home(NODES[kind][0]), LOADERS.get(kind, "load"))
    return await load(info, key.account_id if kind == "Account" else key)


def global_id(kind: str, account_id: UUID, row_id: UUID) -> strawberry.ID:
    """Name a row to clients: opaque, but it carries the account, so that no row is sought without it."""
    return strawberry.ID(urlsafe_b64encode(bytes([NODES[kind][1]]) + account_id.bytes + row_id.bytes).decode())


def read_id(value: str) -> tuple[str, Key]:
    """Read a global id: its type and key. One that is not ours names nobody's row."""
    try:
        raw = urlsafe_b64decode(value)
    except ValueError:
        return "", NOWHERE
    if len(raw) != ID_LENGTH or urlsafe_b64encode(raw).decode() != value:
        return "", NOWHERE
    kind, key = TYPE_OF_BYTE.get(raw[0], ""), Key(UUID(bytes=raw[1:17]), UUID(bytes=raw[17:]))
    if kind == "Account" and key.account_id != key.id:  # one account has one id
        return "", NOWHERE
    return kind, key


def key_of(kind: str, value: str) -> Key:
    """Read a global id of one type. Garbage, another type and an unknown id get one answer."""
    said, key = read_id(value)
    return key if said == kind else NOWHERE


@strawberry.interface
class Node:
    """An object that can be fetched again by its global ID."""

    id: strawberry.ID
    """Opaque, globally unique and stable."""


@strawberry.type
class QuotedLine:
    """A line of the announcement, as it stands there."""

    language: str
    """zh or en."""
    line: str
    """Such as L3."""
    text: str
    """The text."""

    @classmethod
    def of(cls, number: str) -> "QuotedLine":
        """What a client sees of a line."""
        found = line(number)
        return cls(language=found.language, line=number, text=found.text)


@strawberry.type
class RuleBasis:
    """What a decision rests on."""

    cell: int | None
    """Row of the decision table, 1 to 16."""
    lines: list[QuotedLine]
    """Lines of the announcement."""
    overrides: list[QuotedLine]
    """Lines that read alone would say otherwise; see the reading."""
    reading: str | None
    """Our reading where the text is open, such as A3."""
    rule: str
    """Such as R9."""

    @classmethod
    def of(cls, basis: Basis) -> "RuleBasis":
        """What a client sees of a basis."""
        return cls(
            cell=basis.cell,
            lines=[QuotedLine.of(number) for number in basis.lines],
            overrides=[QuotedLine.of(number) for number in basis.overrides],
            reading=basis.reading,
            rule=basis.rule,
        )


def sight(context: Context, account_id: UUID) -> Scope:
    """Return the scope of a read in an account: its own people's, and staff's."""
    return scope(context.actor, account_id, also=STAFF)


Batch = Callable[[Context, list[Key]], Awaitable[list[Any]]]


def batch_of(
    read: Read, parameter: str, *, by: str = "id", many: bool = False, looks_back: timedelta | None = None
) -> Batch:
    """Return a loader's batch function: one statement for all keys of one account.

    Each key gets its row or None; with `many`, the list of its rows, in the order of the read. One that `looks_back`
    takes `since` when.
    """

    async def batch(context: Context, keys: list[Key]) -> list[Any]:
        found: dict[Key, list[Any]] = {}
        values: dict[str, Any] = {"since": context.now - looks_back} if looks_back else {}
        for account_id in dict.fromkeys(key.account_id for key in keys):
            ids = [key.id for key in keys if key.account_id == account_id]
            values |= {"account_id": account_id, parameter: ids}
            for row in await context.rows(read, sight(context, account_id), **values):
                found.setdefault(Key(account_id, row[by]), []).append(row)
        return [found.get(key, []) if many else found.get(key, [None])[0] for key in keys]

    return batch


def given(value: T | None) -> T | None:
    """An input that a client left out is None, like one that it sent as null."""
    return None if value is strawberry.UNSET else value


def bad_argument(argument: str, message: str) -> GraphQLError:
    """Return the error of a query whose argument can't be used: queries have no `userErrors`."""
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT", "argument": argument})


def lacking(info: Info, *permissions: Permission) -> GraphQLError:
    """Return the error of a query that needs one of these permissions: null alone would look like an empty answer."""
    if not info.context.actor.subject:
        return unauthenticated(info.context.language)
    names = " / ".join(permissions)
    words = f"需要 {names} 权限。" if info.context.language == "zh" else f"This needs the permission {names}."
    return GraphQLError(words, extensions={"code": "PERMISSION_DENIED", "permissions": [*permissions]})
