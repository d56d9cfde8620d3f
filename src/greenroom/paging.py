"""Paging: stable keyset pages, forwards and backwards, over any ordered read."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select, tuple_

from greenroom.db import Read, Record

PAGE_SIZE_MAX = 100
PAGE_SIZE_DEFAULT = 20
COUNTED_MAX = 1000
# Of the longest name that a list is ordered by, 120 characters that fold to 33 bytes each (ﷺ to 18 letters), in base64.
CURSOR_LENGTH_MAX = 6_000


@dataclass(frozen=True, slots=True)
class BadPage:
    """An argument that names no page, and why, in both languages."""

    argument: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Page:
    """The part of an ordered list that was asked for."""

    size: int
    is_backward: bool
    after: tuple[Any, ...] | None
    before: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Slice:
    """What a page found: its rows in list order, and what lies on either side."""

    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


def page(
    first: int | None, after: str | None, last: int | None, before: str | None, *, of: tuple[type, ...]
) -> Page | BadPage:
    """Read Relay's four arguments; `of` are the types in a cursor of this list."""
    if first is not None and last is not None:
        return BadPage("last", "Give first or last, not both.", "first 与 last 只能给出一个。")
    name, size = ("last", last) if last is not None else ("first", PAGE_SIZE_DEFAULT if first is None else first)
    if not 1 <= size <= PAGE_SIZE_MAX:
        return BadPage(
            name,
            f"A page has 1 to {PAGE_SIZE_MAX} entries; {size} were asked for.",
            f"每页 1 至 {PAGE_SIZE_MAX} 条，当前请求 {size} 条。",
        )
    ends: dict[str, tuple[Any, ...] | None] = {}
    for argument, cursor in (("after", after), ("before", before)):
        ends[argument] = None if cursor is None else read_cursor(cursor, of)
        if cursor is not None and ends[argument] is None:
            return BadPage(
                argument,
                "This is no cursor of this list. Take one from its edges or pageInfo.",
                "游标无效，请使用该列表返回的游标。",
            )
    return Page(size, last is not None, ends["after"], ends["before"])


def cursor_of(values: Sequence[Any]) -> str:
    """Name a place in a list: opaque to clients, stable when rows are added around it."""
    said = [v.isoformat() if isinstance(v, datetime) else str(v) if isinstance(v, UUID) else v for v in values]
    return urlsafe_b64encode(orjson.dumps(said)).decode().rstrip("=")


def instant_of(said: str) -> datetime | None:
    """Read an instant as `cursor_of` writes it: one without an offset would be another in every place."""
    instant = datetime.fromisoformat(said)
    return instant.astimezone(UTC) if instant.tzinfo else None


# What is said has any type that JSON has: each reader takes its own alone.
READERS: dict[type, Callable[[Any], Any]] = {
    datetime: instant_of,
    UUID: lambda said: UUID(said),
    int: lambda said: said if type(said) is int and abs(said) < 2**63 else None,
    str: lambda said: said if type(said) is str and "\x00" not in said else None,
}


def read_cursor(cursor: str, of: tuple[type, ...]) -> tuple[Any, ...] | None:
    """Return the values of a cursor; None for one that this list never gave out."""
    if len(cursor) > CURSOR_LENGTH_MAX:
        return None
    try:
        said = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = tuple(READERS[kind](value) for kind, value in zip(of, said, strict=True))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None
    return values if all(v is not None for v in values) else None


def paged(base: Select[Any], order: Sequence[Any], page: Page, *, descending: bool) -> Select[Any]:
    """Return the statement of one page: one row more than asked for, to know whether the list goes on."""
    key = tuple_(*order)
    statement = base
    for name, end, is_beyond in (("after", page.after, not descending), ("before", page.before, descending)):
        if end is not None:
            here = tuple_(*(bindparam(f"{name}_{i}", type_=c.type) for i, c in enumerate(order)))
            statement = statement.where(key > here if is_beyond else key < here)
    runs_down = descending is not page.is_backward
    return statement.order_by(*(c.desc() if runs_down else c.asc() for c in order)).limit(bindparam("size", page.size))


def parameters(page: Page) -> dict[str, Any]:
    """Return the values for a `paged` statement."""
    ends = (("after", page.after), ("before", page.before))
    return {"size": page.size + 1} | {f"{n}_{i}": v for n, end in ends if end for i, v in enumerate(end)}


def total(base: Select[Any]) -> ColumnElement[int]:
    """Return a column that counts the whole list, up to a bound: an exact count of a long one helps nobody."""
    rows = base.with_only_columns(literal_column("1")).limit(COUNTED_MAX).subquery()
    return select(func.count()).select_from(rows).scalar_subquery().label("total")


def slice_of(found: Sequence[Any], page: Page) -> Slice:
    """Cut the extra row off and put a backward page into list order."""
    has_more = len(found) > page.size
    rows = found[: page.size]
    if page.is_backward:
        return Slice(rows[::-1], has_next=page.before is not None, has_previous=has_more)
    return Slice(rows, has_next=has_more, has_previous=page.after is not None)


class Listing:
    """An ordered list that is read page by page; each shape of a page is compiled once, and they are few.

    `around` may put a statement around that of the page, given whether the rows come in falling order.
    """

    def __init__(
        self,
        base: Select[Any],
        *order: Any,
        descending: bool = False,
        around: Callable[[Select[Any], bool], Select[Any]] = lambda page, _: page,
    ) -> None:
        self.kinds: tuple[type, ...] = tuple(column.type.python_type for column in order)
        self._base, self._order, self._descending, self._around = base, order, descending, around
        self._reads: dict[tuple[bool, ...], Read] = {}

    def read(self, page: Page, *, counts: bool) -> Read:
        """Return the statement of a page, with the list's `total` in each row where `counts` asks for it."""
        shape = (page.after is None, page.before is None, page.is_backward, counts)
        if shape not in self._reads:
            base = self._base.add_columns(total(self._base)) if counts else self._base
            statement = paged(base, self._order, page, descending=self._descending)
            self._reads[shape] = Read(self._around(statement, self._descending is not page.is_backward))
        return self._reads[shape]

    @cached_property
    def counting(self) -> Read:
        """The statement of the list's `total` alone."""
        return Read(select(total(self._base)))

    def cursor(self, row: Record) -> str:
        """Name the place of a row."""
        return cursor_of([row[column.name] for column in self._order])
