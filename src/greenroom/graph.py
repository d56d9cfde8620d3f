"""Graph: every GraphQL node and its home, the only place where slices meet in GraphQL, and what all faces share."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Generic, NewType, TypeVar
from uuid import UUID

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionSetNode,
)

from greenroom.access import NOWHERE, STAFF, Key, Permission, scope
from greenroom.context import Context, Info, Replay, unauthenticated
from greenroom.db import Read, Record, Scope
from greenroom.errors import Problem, Refused, Stale, UserErrorCode
from greenroom.law.announcement import line
from greenroom.law.basis import RuleBasis as Basis
from greenroom.law.terms import RequirementKind
from greenroom.paging import BadPage, Listing, Page, Slice, page, parameters, slice_of

T = TypeVar("T")
N = TypeVar("N")
E = TypeVar("E")
Ends = tuple[int | None, str | None, int | None, str | None]  # first, after, last, before

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
    "Document": ("verifications", 10),
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
    if kind not in NODES or kind == "Document":
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


def in_utc(value: datetime) -> str:
    """Print an instant in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_instant(value: Any) -> datetime:
    """Read an RFC 3339 instant.

    Raises ValueError for one without an offset: it would mean another instant in every place.
    """
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("An instant is RFC 3339 with an offset, such as 2026-11-11T20:00:00+08:00.")
    return datetime.fromisoformat(value.upper()).astimezone(UTC)


RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)


Instant = NewType("Instant", datetime)
Day = NewType("Day", date)
CountryCode = NewType("CountryCode", str)
EmailAddress = NewType("EmailAddress", str)
URL = NewType("URL", str)


def instant(value: datetime | None) -> Instant | None:
    """Return an instant that may be missing as a client's."""
    return None if value is None else Instant(value)


SCALARS: dict[object, Any] = {
    Instant: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339, always with an offset; the server answers in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=in_utc,
        parse_value=read_instant,
    ),
    Day: strawberry.scalar(
        name="Date",
        description="A calendar date, RFC 3339 full-date.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date.html",
        serialize=date.isoformat,
        parse_value=date.fromisoformat,
    ),
    CountryCode: strawberry.scalar(
        name="CountryCode",
        description=(
            "An ISO 3166-1 alpha-2 code, or one of the three-letter ICAO 9303 codes for stateless people and refugees."
            " Inputs take String, so that every problem arrives as a user error."
        ),
        specified_by_url="https://www.iso.org/iso-3166-country-codes.html",
    ),
    EmailAddress: strawberry.scalar(
        name="EmailAddress",
        description=(
            "An e-mail address that the server accepted."
            " Inputs take String, so that every problem arrives as a user error."
        ),
        specified_by_url="https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address",
    ),
    URL: strawberry.scalar(name="URL", description="An absolute URL.", specified_by_url="https://url.spec.whatwg.org/"),
}


@strawberry.interface
class Node:
    """An object that can be fetched again by its global ID."""

    id: strawberry.ID
    """Opaque, globally unique and stable."""


@strawberry.type
class PageInfo:
    """Where a page stands in its connection. Cursors are opaque and survive inserts."""

    has_next_page: bool
    """More edges exist after this page."""
    has_previous_page: bool
    """More edges exist before this page."""
    start_cursor: str | None = None
    """Cursor of the first edge."""
    end_cursor: str | None = None
    """Cursor of the last edge."""


@strawberry.type
class Edge(Generic[N]):
    """One object of a page."""

    cursor: str
    """Cursor."""
    node: N
    """The object."""


@strawberry.type
class Connection(Generic[N, E]):
    """A page."""

    edges: list[E]
    """The page."""
    nodes: list[N]
    """Nodes without edge data."""
    page_info: PageInfo
    """Paging state."""


@strawberry.type
class CountedConnection(Connection[N, E]):
    """A page of a list that is counted where that is asked for."""

    total_count: int
    """Counted up to 1000."""


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


First = Annotated[int | None, strawberry.argument(description="At most 100.")]
Last = Annotated[int | None, strawberry.argument(description="At most 100.")]
After = Annotated[str | None, strawberry.argument(description="Cursor.")]
Before = Annotated[str | None, strawberry.argument(description="Cursor.")]
Search = Annotated[str | None, strawberry.argument(description="Match on the display name.")]


def sight(context: Context, account_id: UUID) -> Scope:
    """Return the scope of a read in an account: its own people's, and staff's."""
    return scope(context.actor, account_id, also=STAFF)


Batch = Callable[[Context, list[Key]], Awaitable[list[Any]]]


def batch_of(read: Read, parameter: str, *, by: str = "id", many: bool = False) -> Batch:
    """Return a loader's batch function: one statement for all keys of one account.

    Each key gets its row or None; with `many`, the list of its rows, in the order of the read.
    """

    async def batch(context: Context, keys: list[Key]) -> list[Any]:
        found: dict[Key, list[Any]] = {}
        for account_id in dict.fromkeys(key.account_id for key in keys):
            ids = [key.id for key in keys if key.account_id == account_id]
            rows = await context.rows(read, sight(context, account_id), account_id=account_id, **{parameter: ids})
            for row in rows:
                found.setdefault(Key(account_id, row[by]), []).append(row)
        return [found.get(key, []) if many else found.get(key, [None])[0] for key in keys]

    return batch


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


def given(value: T | None) -> T | None:
    """An input that a client left out is None, like one that it sent as null."""
    return None if value is strawberry.UNSET else value


def made(outcome: UUID | Replay) -> UUID:
    """Return the id of what a verb made, now or when it was first asked."""
    return outcome.result_id if isinstance(outcome, Replay) else outcome


def page_of(
    info: Info, first: int | None, after: str | None, last: int | None, before: str | None, of: tuple[type, ...]
) -> Page:
    """Read the arguments of a connection.

    Raises GraphQLError (BAD_USER_INPUT, naming the argument) for ones that name no page.
    """
    asked = page(given(first), given(after), given(last), given(before), of=of)
    if isinstance(asked, BadPage):
        raise bad_argument(asked.argument, asked.zh if info.context.language == "zh" else asked.en)
    return asked


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


@dataclass(frozen=True, slots=True)
class Found:
    """A page that was read, the cursor of each row, and the length of the whole list where that was asked for."""

    part: Slice
    cursors: list[str]
    total: int

    @property
    def page_info(self) -> PageInfo:
        """Where it stands."""
        return PageInfo(
            has_next_page=self.part.has_next,
            has_previous_page=self.part.has_previous,
            start_cursor=self.cursors[0] if self.cursors else None,
            end_cursor=self.cursors[-1] if self.cursors else None,
        )

    def edges(self, kind: Callable[..., E], nodes: Sequence[Any]) -> list[E]:
        """Return the edges of these nodes, one for each row."""
        return [kind(cursor=cursor, node=node) for cursor, node in zip(self.cursors, nodes, strict=True)]


async def read_page(
    info: Info,
    listing: Listing,
    ends: Ends,
    scope: Scope,
    *,
    whole: Callable[[list[Record]], list[Record]] = lambda rows: rows,
    **values: Any,
) -> Found:
    """Read a page of a list, as the arguments of its connection ask; `whole` makes one row of several.

    Raises GraphQLError (BAD_USER_INPUT, naming the argument) for arguments that name no page.
    """
    asked, counts = page_of(info, *ends, of=listing.kinds), asks_for(info, "totalCount")
    rows = await info.context.rows(listing.read(asked, counts=counts), scope, **values, **parameters(asked))
    if counts and not rows and (asked.after or asked.before):  # past the end no row tells the length of the list
        (row,) = await info.context.rows(listing.counting, scope, **values)
        return Found(slice_of([], asked), [], row["total"])
    part = slice_of(whole(rows), asked)
    return Found(part, [listing.cursor(row) for row in part.rows], part.rows[0]["total"] if counts and part.rows else 0)


def asks_for(info: Info, *names: str, deep: bool = False) -> bool:
    """Say whether the field being resolved has a sub-field so called, or one anywhere below: its cost is paid then."""
    raw: GraphQLResolveInfo[Any] = info._raw_info
    sets = [node.selection_set for node in raw.field_nodes]
    return any(name in names for name in selected(sets, raw, deep=deep))


def selected(sets: Iterable[SelectionSetNode | None], raw: GraphQLResolveInfo[Any], *, deep: bool) -> Iterator[str]:
    """Yield the names of the fields in selections, through fragments, each of which is read once."""
    waiting, read = [found for found in sets if found], set[str]()
    while waiting:
        for node in waiting.pop().selections:
            below: SelectionSetNode | None = None
            match node:
                case FieldNode():
                    yield node.name.value
                    below = node.selection_set if deep else None
                case InlineFragmentNode():
                    below = node.selection_set
                case FragmentSpreadNode() if node.name.value not in read:
                    read.add(node.name.value)
                    below = raw.fragments[node.name.value].selection_set
            if below:
                waiting.append(below)
