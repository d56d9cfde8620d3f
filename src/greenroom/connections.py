"""Connections: pages of a list, as their arguments ask."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode

from greenroom.context import Info
from greenroom.db import Record, Scope
from greenroom.graph import bad_argument, given
from greenroom.paging import BadPage, Listing, Page, Slice, page, parameters, slice_of

N = TypeVar("N")
E = TypeVar("E")
C = TypeVar("C")
Ends = tuple[int | None, str | None, int | None, str | None]  # first, after, last, before


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


First = Annotated[int | None, strawberry.argument(description="At most 100.")]
Last = Annotated[int | None, strawberry.argument(description="At most 100.")]
After = Annotated[str | None, strawberry.argument(description="Cursor.")]
Before = Annotated[str | None, strawberry.argument(description="Cursor.")]
Search = Annotated[str | None, strawberry.argument(description="Match on the display name.")]


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

    def counted(self, connection: Callable[..., C], edge: Callable[..., Any], nodes: Sequence[Any]) -> C:
        """Return the page of these nodes, with the length of the whole list."""
        edges = self.edges(edge, nodes)
        return connection(edges=edges, nodes=nodes, page_info=self.page_info, total_count=self.total)


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
