"""The executor answers to the letter as graphql-core's own: in a table of corners, and for operations drawn at random.

Whatever is executed here is executed twice, by both, each with objects of its own, and the two answers are compared as
the JSON that a client reads: data and the order of its names, errors with their places, messages and order.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from enum import Enum, StrEnum
from functools import cache
from itertools import count
from typing import Annotated, Any, NewType

import pytest
import strawberry
from clients import newcomer, picked
from contracts.calls import Stage, staged
from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    is_required_argument,
    parse,
    validate,
)
from graphql.pyutils import Undefined
from graphql.utilities import do_types_overlap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.utils.str_converters import to_camel_case
from worlds import World, foreign

from greenroom.access import Actor, Permission, account_id_of
from greenroom.context import Context
from greenroom.executor import Executor
from greenroom.operations import ERRORS_MAX
from greenroom.rates import Budget
from greenroom.schema import build

Theirs = StrawberryGraphQLCoreExecutionContext
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
AT_RANDOM = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


async def answer(
    by: type[Theirs], schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], context: Any
) -> dict[str, Any]:
    """Execute the way that `http.py` does."""
    executor = by.build(
        schema,
        document,
        context_value=context,
        raw_variable_values=variables,
        max_coercion_errors=ERRORS_MAX,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # as there
        hide_suggestions=True,
    )
    assert isinstance(executor, by), executor
    result: Any = executor.execute_operation()
    result = await result if optimized_is_awaitable(result) else result
    return dict(result.formatted)


async def same(
    schema: GraphQLSchema, source: str, context_for: Callable[[], Any], variables: dict[str, Any], *, tries: int = 1
) -> dict[str, Any]:
    """The one answer of both executors; fails the test where they are two.

    `tries`: where a database decides which of two errors comes first, they must agree once.
    """
    document = parse(source)
    assert validate(schema, document) == []
    for _ in range(tries):
        theirs = await answer(Theirs, schema, document, variables, context_for())
        ours = await answer(Executor, schema, document, variables, context_for())
        if printed(ours) == printed(theirs):
            break
    assert printed(ours) == printed(theirs)
    return ours


def printed(answer: dict[str, Any]) -> str:
    """An answer as a client reads it; what no client could read, by its class, and nothing by its address."""
    said = json.dumps(answer, indent=1, ensure_ascii=False, default=lambda value: type(value).__name__)
    return ADDRESS.sub("", said)


# A small schema with a field of every kind, over objects that need not be what it says.

Day = NewType("Day", date)
Raw = NewType("Raw", object)
Picky = NewType("Picky", str)
SCALARS: dict[object, Any] = {
    Day: strawberry.scalar(name="Day", serialize=date.isoformat),
    Raw: strawberry.scalar(name="Raw"),
    Picky: strawberry.scalar(name="Picky", serialize=lambda value: str(value) or None),
}


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.enum
class Size(StrEnum):
    SMALL = "S"
    LARGE = "L"


class Stray(Enum):
    RED = "red"


@strawberry.interface
class Animal:
    id: strawberry.ID
    friend: "Animal | None"


@strawberry.type
class Cat(Animal):
    lives: int
    name: str


@strawberry.type
class Dog(Animal):
    tricks: list[str]
    name: str | None


@strawberry.type
class Thing:
    id: strawberry.ID
    text: str
    note: str | None
    number: int
    count: int | None
    ratio: float
    is_good: bool
    colour: Colour
    other_colour: Colour | None
    size: Size
    day: Day
    free_day: Day | None
    raw: Raw | None
    picky: Picky | None
    words: list[str]
    part: "Thing"
    spare: "Thing | None"
    parts: list["Thing"]
    spares: list["Thing | None"]
    rows: list[list["Thing"]]
    cat: Cat
    pet: Animal
    pets: list[Animal]
    either: Annotated[Cat | Dog, strawberry.union("Either")] | None

    def __repr__(self) -> str:
        return "a thing"

    @strawberry.field
    def place(self, info: strawberry.Info) -> str:
        found, path = [], info.path
        while path:
            found.append(f"{path.typename}.{path.key}")
            path = path.prev
        return " ".join(found)

    @strawberry.field
    async def told(self, info: strawberry.Info, ticks: int = 1) -> str:
        try:
            for _ in range(ticks):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            info.context.seen.append(f"cancelled after {ticks}")
            raise
        info.context.seen.append(f"told after {ticks}")
        return f"after {ticks}"

    @strawberry.field
    def now(self) -> str | None:
        raise ValueError("not now")

    @strawberry.field
    def must_now(self) -> str:
        raise ValueError("not now either")

    @strawberry.field
    async def later(self, ticks: int = 1) -> str | None:
        return await Later(ValueError(f"not after {ticks}"), ticks)

    @strawberry.field
    async def must_later(self, ticks: int = 1) -> str:
        return await Later(ValueError(f"neither after {ticks}"), ticks)

    @strawberry.field
    async def next(self) -> "Thing":
        return self.part

    @strawberry.field
    def all(self) -> list["Thing"]:
        return self.parts


class Special(Thing):
    """A thing by another class, which no type is made of."""


class Later:
    """What has to be awaited for a value, or for an error. Unlike a coroutine it may also be left alone."""

    def __init__(self, value: Any, ticks: int = 1) -> None:
        self.value, self.ticks = value, ticks

    def __repr__(self) -> str:
        return "later"

    def __await__(self) -> Iterator[Any]:
        for _ in range(self.ticks):
            yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@dataclass
class Around:
    """The context of the small schema: what there is, and what the resolvers saw."""

    thing: Any
    seen: list[str] = field(default_factory=list)


@strawberry.type
class Query:
    motto: str | None

    @strawberry.field
    def thing(self, info: strawberry.Info) -> Thing | None:
        return info.context.thing

    @strawberry.field
    async def soon(self, info: strawberry.Info) -> Thing | None:
        await asyncio.sleep(0)
        return info.context.thing

    @strawberry.field
    def things(self, info: strawberry.Info) -> list[Thing]:
        return [info.context.thing, info.context.thing]


SMALL = strawberry.Schema(Query, types=[Cat, Dog], config=StrawberryConfig(scalar_map=SCALARS))._schema


def cat(name: str = "Tom", **changes: Any) -> Cat:
    return Cat(**({"id": name, "friend": None, "lives": 9, "name": name} | changes))


def dog(name: str = "Rex", **changes: Any) -> Dog:
    return Dog(**({"id": name, "friend": cat(), "tricks": ["roll"], "name": name} | changes))


def thing(depth: int = 2, /, by: type[Thing] = Thing, **changes: Any) -> Thing:
    """A thing with parts to a depth; the innermost have none, although they must."""
    less = depth - 1
    values: dict[str, Any] = {
        "id": f"thing-{depth}",
        "text": f"{depth} 层",
        "note": None,
        "number": depth,
        "count": depth,
        "ratio": 0.5,
        "is_good": True,
        "colour": Colour.RED,
        "other_colour": None,
        "size": Size.LARGE,
        "day": date(2021, 8, depth + 1),
        "free_day": None,
        "raw": "raw",
        "picky": "picky",
        "words": ["a", "b"],
        "part": thing(less) if depth else None,
        "spare": thing(less) if depth else None,
        "parts": [thing(less), thing(less)] if depth else [],
        "spares": [thing(less), None] if depth else [],
        "rows": [[thing(less)], []] if depth else [],
        "cat": cat(),
        "pet": dog(),
        "pets": [cat(), dog()],
        "either": dog(),
    }
    return by(**(values | changes))


def without(name: str) -> Thing:
    found = thing()
    delattr(found, name)
    return found


def round_and_round() -> Thing:
    """A thing that is a part of itself."""
    found = thing()
    found.part = found.parts[0] = found
    return found


@dataclass(frozen=True)
class Corner:
    """An operation on the small schema, on what it is executed, and how many errors it gives."""

    source: str
    thing: Callable[[], Any] = thing
    errors: int = 0
    variables: Mapping[str, Any] = field(default_factory=dict)


def asked(selection: str, errors: int = 0, /, **changes: Any) -> Corner:
    """A selection on a thing with some attributes changed."""
    return Corner(f"{{ thing {{ {selection} }} }}", lambda: thing(**changes), errors)


def made(selection: str, errors: int, make: Callable[[], Any]) -> Corner:
    """A selection on what a function makes, for what must not be shared by two executions."""
    return Corner(f"{{ thing {{ {selection} }} }}", make, errors)


def switched(head: str, selection: str, /, errors: int = 0, **variables: Any) -> Corner:
    """A selection on a thing that depends on variables."""
    return Corner(f"query({head}) {{ thing {{ {selection} }} }}", variables=variables, errors=errors)


DEEP = 60
EVERY_COLUMN = "id text note number count ratio isGood colour otherColour size day freeDay raw picky words"
CORNERS = {
    "every column of parts and their parts": asked(
        f"{EVERY_COLUMN} part {{ {EVERY_COLUMN} parts {{ {EVERY_COLUMN} }} }} spare {{ {EVERY_COLUMN} }}"
    ),
    "names in the order that the document has": asked("size part { text id } text parts { number id } id"),
    "aliases": asked("a: text b: text text: note id: number c: part { text: id } d: parts { a: colour }"),
    "an alias that is another field's name": asked("part: text text: part { id } parts: spares { id } number: colour"),
    "a field that is merged twice": asked("part { id } text part { text } part { part { id } } text part { id }"),
    "a list that is merged with a fragment's": Corner(
        "{ thing { parts { id } ...F parts { text } } } fragment F on Thing { size parts { number id part { id } } }"
    ),
    "one fragment in two places": Corner(
        "{ thing { ...F part { ...F } parts { ...F ...F } } } fragment F on Thing { id text part { id } }"
    ),
    "fragments on an interface": Corner(
        "{ thing { pets { ...F ... on Dog { name tricks } } pet { ...F friend { ...F } } cat { ...F name } } }"
        " fragment F on Animal { __typename id ... on Cat { lives } friend { id } }"
    ),
    "fragments on a union": asked(
        "either { __typename ... on Animal { id } ... on Cat { lives called: name } ... on Dog { tricks label: name } }"
    ),
    "a fragment that does not apply": asked(
        "either { ... on Cat { lives } } cat { ... on Animal { ... on Dog { id } } }"
    ),
    "an inline fragment on no type": asked("... { id part { ... { text } } } ... @include(if: false) { number }"),
    "__typename at every level": Corner(
        "{ __typename thing { a: __typename __typename part { __typename } parts { __typename __typename }"
        " pets { __typename } either { __typename } cat { b: __typename } spare { __typename } } }"
    ),
    "introspection beside data": Corner(
        '{ __schema { queryType { name } } __type(name: "Size") { kind enumValues { name } } thing { id } }'
    ),
    "@skip and @include that let through": switched(
        "$yes: Boolean!, $no: Boolean!",
        "id @include(if: $yes) text @skip(if: $no) part @include(if: $yes) @skip(if: $no) { id @skip(if: $no) }",
        yes=True,
        no=False,
    ),
    "@skip and @include that hold back": Corner(
        "query($yes: Boolean!, $no: Boolean!) { thing { id @include(if: $no) text @skip(if: $yes)"
        " part @include(if: $yes) @skip(if: $yes) { id } parts { id @skip(if: $yes) ...F @include(if: $no)"
        " ... @skip(if: $yes) { size } } words } } fragment F on Thing { part { id } }",
        variables={"yes": True, "no": False},
    ),
    "one field of two held back": switched(
        "$no: Boolean!", "part { id } part @include(if: $no) { text } text @include(if: $no) text", no=False
    ),
    "a variable by its default": switched(
        "$no: Boolean! = false", "id text @include(if: $no) part @skip(if: $no) { id }"
    ),
    "a null for a switch": switched("$on: Boolean = true", "id text @include(if: $on)", errors=1, on=None),
    "arguments": switched("$ticks: Int!", "told(ticks: 0) a: told(ticks: $ticks) part { told(ticks: 2) id }", ticks=3),
    "where a resolver stands": asked(
        "place next { place parts { place spare { place } } } all { place part { place } }"
    ),
    "an attribute of the root": Corner("{ motto thing { id } a: motto }", errors=2),
    "nothing at all": Corner("{ thing { id } }", lambda: None),
    "null in a nullable column": asked("note count otherColour freeDay raw picky spare { id } either { __typename }"),
    "null in a column": asked("id part { id } text", 1, text=None),
    "null in an enum": asked("id colour", 1, colour=None),
    "null for an object": asked("id part { id }", 1, part=None),
    "null for a list": asked("id parts { id }", 1, parts=None),
    "null deep down": asked("id part { part { id part { id } } } text", 1),
    "null deep down, below what is nullable": asked(
        "id spare { part { part { id } } } spares { id part { text part { id } } }", 2
    ),
    "two nulls, one answer": asked("id text number", 1, text=None, number=None),
    "Undefined for a value": asked("note count part { id }", 0, note=Undefined, count=Undefined),
    "a member that the enum has not": asked("otherColour", 1, other_colour=Stray.RED),
    "a value in place of a member": asked("colour size otherColour", 0, colour="red", size="L", other_colour="blue"),
    "a name in place of a member": asked("size", 1, size="LARGE"),
    "an enum of what cannot be a key": asked("otherColour", 1, other_colour=["red"]),
    "texts of another type": asked("text note id", 0, text=7, note=Size.SMALL, id=7),
    "a text that is no text": asked("note", 1, note=["a"]),
    "numbers of another type": asked("number count ratio isGood", 0, number=True, count="7", ratio="0.5", is_good=1),
    "numbers that are none": asked("count spare { id } ratio", 2, count="a", ratio=float("nan")),
    "a number of more than 32 bits": asked("id count", 1, count=2**31),
    "a text for a date": asked("freeDay", 1, free_day="2021-08-01"),
    "a list that holds a null": asked("words", 1, words=["a", None]),
    "parts that hold a null": made("id parts { id }", 1, lambda: thing(parts=[thing(1), None])),
    "spares that hold a null": made("spares { id }", 0, lambda: thing(spares=[None, thing(1), None])),
    "parts of another class": made("parts { id }", 0, lambda: thing(parts=[thing(1), thing(1, Special)])),
    "a part of another class": made("part { id text }", 0, lambda: thing(part=thing(1, Special))),
    "a part that only looks like one": made("part { id }", 0, lambda: thing(part=dog())),
    "parts that are numbers": asked("spare { id } parts { id }", 1, parts=[1, 2]),
    "a number for a list": asked("parts { id }", 1, parts=7),
    "a part for a list": made("parts { id }", 1, lambda: thing(parts=thing(1))),
    "a list for a part": made("spare { part { id } }", 1, lambda: thing(spare=thing(part=[thing(1)]))),
    "a tuple for a list": made("parts { id text } words", 0, lambda: thing(parts=(thing(1),), words=("a",))),
    "a generator for a list": made("parts { id text }", 0, lambda: thing(parts=(thing(n) for n in range(3)))),
    "an empty list": asked("parts { id } spares { id } words", 0, parts=[], spares=[], words=[]),
    "a list of lists": made("rows { id part { id } }", 0, lambda: thing(rows=[[thing(1)], [], [thing(2), thing(3)]])),
    "a dog for a cat": made("cat { id name lives }", 1, lambda: thing(cat=dog())),
    "a thing for an animal": made("id pet { id }", 1, lambda: thing(pet=thing(1))),
    "a thing for either": made("id either { __typename }", 1, lambda: thing(either=thing(1))),
    "an attribute that is not there": made("id note", 1, lambda: without("note")),
    "a column that is not there": made("id text", 1, lambda: without("text")),
    "a part that is not there": made("id part { id }", 1, lambda: without("part")),
    "parts that are not there": made("id parts { id }", 1, lambda: without("parts")),
    "an error for a value": asked("note spare { id }", 2, note=ValueError("no note"), spare=ValueError("no spare")),
    "an error for a part": asked("id part { id }", 1, part=ValueError("no part")),
    "an error among parts": made("id parts { id }", 1, lambda: thing(parts=[thing(1), ValueError("no part")])),
    "attributes that come later": made(
        "note text number colour part { id } parts { id }",
        0,
        lambda: thing(
            note=Later("n"), text=Later("t"), number=Later(1), colour=Later(Colour.BLUE), part=Later(thing(1))
        ),
    ),
    "parts that come later": made("parts { id part { id } }", 0, lambda: thing(parts=[thing(1), Later(thing(2))])),
    "an attribute that never comes": asked("id note", 1, note=Later(ValueError("lost"))),
    "a part that never comes": asked("id part { id }", 1, part=Later(ValueError("lost"))),
    "a resolver that raises": asked("id now text part { now }", 2),
    "a resolver that raises and must not": asked("id mustNow text part { id }", 1),
    "a resolver that raises later": asked("id later text part { later(ticks: 2) }", 2),
    "a resolver that raises beside what is awaited": asked("a: told b: told(ticks: 5) now mustNow c: told", 2),
    "a resolver that raises below what is awaited": asked(
        "a: told(ticks: 3) spare { b: told part { mustNow } } text", 1
    ),
    "a resolver that raises in one of many parts": made(
        "spares { a: told parts { b: told mustLater id } } id", 1, lambda: thing(spares=[thing(2), thing(0), None])
    ),
    "parts that are awaited, left behind by a neighbour": made(
        "id parts { told(ticks: 3) part { id } }", 1, lambda: thing(parts=[thing(1), thing(1), thing(0)])
    ),
    "one that is awaited, cancelled by its neighbour": asked("spare { told(ticks: 50) mustLater(ticks: 2) } id", 1),
    "parts that are awaited, cancelled by a neighbour": asked(
        "spare { parts { told(ticks: 50) } part { told(ticks: 40) next { told(ticks: 30) } } mustLater(ticks: 9) } id",
        1,
    ),
    "parts of parts, all awaited": asked(
        "parts { told part { a: told b: told(ticks: 3) } parts { id told(ticks: 2) } }"
    ),
    "awaited objects in parts": asked("next { id all { id next { text } } } parts { next { id } all { told } }", 1),
    "deep nesting": Corner(
        "{ thing " + "{ id part " * DEEP + "{ id parts { text } }" + " }" * (DEEP + 1), round_and_round
    ),
    "deep nesting that ends in an error": Corner(
        "{ thing " + "{ id part " * DEEP + "{ mustNow }" + " }" * (DEEP + 1), round_and_round, errors=1
    ),
    "deep nesting that is awaited": Corner(
        "{ soon " + "{ id part " * DEEP + "{ a: told b: told(ticks: 2) }" + " }" * (DEEP + 1), round_and_round
    ),
    "many roots": Corner("{ a: thing { id } b: soon { told } things { id part { text } } c: thing { now } }", errors=1),
}


ERRANT = {
    "a null for a switch in a part": switched(
        "$on: Boolean = true", "id spare { part { id text @include(if: $on) } }", errors=1, on=None
    ),
    "a null for a switch in parts": switched(
        "$on: Boolean = true", "id parts { id text @include(if: $on) }", errors=1, on=None
    ),
    "a part whose reading fails": made("id spare { part { id } }", 1, lambda: thing(spare=Trap())),
    "parts whose reading fails": made("id spare { parts { id } }", 1, lambda: thing(spare=Trap())),
    "a value that its scalar takes for nothing": asked("id picky", 1, picky=""),
    "an error for a value that any scalar takes": asked("id raw", 1, raw=ValueError("no raw")),
    "a value that any scalar takes and comes later": asked("id raw", 0, raw=Later("raw")),
    "an error for a value that its scalar makes a text of": asked("id picky", 1, picky=ValueError("no text")),
    "a value that its scalar makes a text of and comes later": asked("id picky", 0, picky=Later("text")),
    "Undefined for a value that its scalar makes a text of": asked("id picky", 0, picky=Undefined),
    "the order of errors that come later": asked("part { later } b: later", 2),
    "the first of two errors that must not be": asked("part { mustLater(ticks: 2) } b: mustLater(ticks: 3)", 1),
    "the second of two errors that must not be": asked("spare { part { mustLater } } b: mustLater", 2),
}


class Trap:
    """What raises where it is read."""

    @property
    def part(self) -> Any:
        raise ValueError("no part")

    parts = part


@pytest.mark.parametrize(
    "corner",
    [pytest.param(corner, id=name) for name, corner in (CORNERS | ERRANT).items()],
)
async def test_a_corner_is_answered_as_graphql_core_does(corner: Corner) -> None:
    began: list[Around] = []

    def around() -> Around:
        began.append(Around(corner.thing()))
        return began[-1]

    found = await same(SMALL, corner.source, around, dict(corner.variables))
    assert len(found.get("errors", ())) == corner.errors, found
    for _ in range(60):  # until what was left behind has ended as well
        await asyncio.sleep(0)
    theirs, ours = (sorted(each.seen) for each in began)
    assert ours == theirs


async def test_columns_and_parts_go_the_short_way_and_all_else_does_not() -> None:
    went: list[str] = []

    class Counting(Executor):
        def execute_field(self, parent: Any, source: Any, details: Any, path: Any, position: Any) -> Any:
            went.append(".".join(map(str, path.as_list())))
            return super().execute_field(parent, source, details, path, position)

    plain = EVERY_COLUMN.replace("colour", "").replace("words", "__typename")
    source = f"{{ thing {{ {plain} part {{ {plain} }} parts {{ {plain} part {{ place }} }} spare {{ id }} words }} }}"
    await answer(Counting, SMALL, parse(source), {}, Around(thing()))
    assert went == ["thing", "thing.parts.0.part.place", "thing.parts.1.part.place", "thing.spare", "thing.words"]


# Operations drawn at random: a walk over a schema.

FIELDS_MAX, DEPTH_MAX = 25, 6
Values = Mapping[str, st.SearchStrategy[Any]]
"""What may be given for an argument, by the name of the argument, of its type's, or of both: `Query.node(id)`."""


def literal(type_: Any, value: Any) -> str:
    """A value as a document has it."""
    if isinstance(type_, GraphQLNonNull):
        return literal(type_.of_type, value)
    if isinstance(value, list):
        return f"[{', '.join(literal(type_.of_type, each) for each in value)}]"
    if isinstance(value, dict) and isinstance(type_, GraphQLInputObjectType):
        return f"{{{', '.join(f'{name}: {literal(type_.fields[name].type, each)}' for name, each in value.items())}}}"
    return value if isinstance(type_, GraphQLEnumType) and value else json.dumps(value, ensure_ascii=False)


@cache
def types_meeting(schema: GraphQLSchema, type_: Any) -> list[Any]:
    """The types that an object of a type can be of as well."""
    plain = [each for each in schema.type_map.values() if is_composite_type(each) and not each.name.startswith("__")]
    return [each for each in plain if do_types_overlap(schema, each, type_)]


@dataclass
class Walk:
    """One operation in the making."""

    draw: st.DrawFn
    schema: GraphQLSchema
    values: Values
    without: frozenset[str]
    rare: frozenset[str]
    left: int = FIELDS_MAX
    means: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # field, arguments, type by name in the answer
    fragments: list[tuple[Any, str]] = field(default_factory=list)
    variables: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def document(self) -> "Operation":
        """The operation, with its variables."""
        selection = self.selection(self.schema.query_type, DEPTH_MAX)
        head = ", ".join(f"${name}: {type_}" for name, (type_, _) in self.variables.items())
        tail = "".join(f" fragment F{i} on {type_} {made}" for i, (type_, made) in enumerate(self.fragments))
        return f"query{f'({head})' if head else ''} {selection}{tail}", {n: v for n, (_, v) in self.variables.items()}

    def selection(self, type_: Any, depth: int) -> str:
        return f"{{ {' '.join(self.selected(type_, depth) for _ in range(self.draw(st.integers(1, 4))))} }}"

    def selected(self, type_: Any, depth: int) -> str:
        self.left -= 1
        kinds = ["field"] * 7 + (["on", "spread", "bare"] if depth > 0 and self.left > 0 else [])
        kind = self.draw(st.sampled_from(kinds))
        if kind == "field":
            return self.field(type_, depth)
        if kind == "bare":
            return f"...{self.switch()} {self.selection(type_, depth - 1)}"
        meeting = types_meeting(self.schema, type_)
        fitting = [i for i, (on, _) in enumerate(self.fragments) if on in meeting]
        if kind == "spread" and fitting and self.draw(st.booleans()):
            return f"...F{self.draw(st.sampled_from(fitting))}{self.switch()}"
        on = self.draw(st.sampled_from(meeting))
        made = self.selection(on, depth - 1)
        if kind == "on":
            return f"... on {on}{self.switch()} {made}"
        self.fragments.append((on, made))
        return f"...F{len(self.fragments) - 1}{self.switch()}"

    def field(self, type_: Any, depth: int) -> str:
        fields = {n: f for n, f in getattr(type_, "fields", {}).items() if n not in self.without}
        if depth <= 1 or self.left <= 0:
            fields = {n: f for n, f in fields.items() if is_leaf_type(get_named_type(f.type)) and not f.args}
        deeper = [n for n, f in fields.items() if not is_leaf_type(get_named_type(f.type))]
        often = [n for n in (*fields, *deeper) if n not in self.rare]
        name = self.draw(st.sampled_from(often * 3 + [*sorted(self.rare & fields.keys()), "__typename"]))
        if name == "__typename":
            return self.named(name, "", "String!") + self.switch()
        found = fields[name]
        arguments = self.arguments(f"{type_}.{name}", found.args)
        called = self.named(name, arguments, str(found.type)) + arguments + self.switch()
        kind = get_named_type(found.type)
        return called if is_leaf_type(kind) else f"{called} {self.selection(kind, depth - 1)}"

    def named(self, name: str, arguments: str, type_: str) -> str:
        """A field, under an alias where one was drawn or its own name means something else already."""
        means = (name, arguments, type_)
        for key in (self.draw(st.sampled_from([name, name, name, "a", "b", "id", "name"])), name):
            if self.means.setdefault(key, means) == means:
                return name if key == name else f"{key}: {name}"
        key = next(key for i in count() if self.means.setdefault(key := f"{name}{i}", means) == means)
        return f"{key}: {name}"

    def arguments(self, place: str, known: Mapping[str, Any]) -> str:
        given = []
        for name, argument in known.items():
            if is_required_argument(argument) or self.draw(st.integers(0, 3)) == 0:
                value = self.draw(self.value(place, name, argument.type))
                if self.draw(st.booleans()):
                    given.append(f"{name}: {literal(argument.type, value)}")
                else:
                    given.append(f"{name}: {self.variable(str(argument.type), value)}")
        return f"({', '.join(given)})" if given else ""

    def value(self, place: str, name: str, type_: Any) -> st.SearchStrategy[Any]:
        kind = get_named_type(type_)
        for key in (f"{place}({name})", name, kind.name):
            if key in self.values:
                return self.values[key]
        assert isinstance(kind, GraphQLEnumType), f"say what {place} may take for {name}"
        return st.sampled_from(sorted(kind.values))

    def variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.variables)}"
        self.variables[name] = (type_, value)
        return f"${name}"

    def switch(self) -> str:
        """Mostly nothing; else a directive, by a literal or a variable."""
        word = self.draw(st.sampled_from([""] * 16 + ["@skip", "@include"]))
        if not word:
            return ""
        value = self.draw(st.sampled_from([word == "@include"] * 2 + [word == "@skip"]))
        said = self.variable("Boolean!", value) if self.draw(st.booleans()) else json.dumps(value)
        return f" {word}(if: {said})"


Operation = tuple[str, dict[str, Any]]


@st.composite
def operations(
    draw: st.DrawFn, schema: GraphQLSchema, values: Values, *, without: Sequence[str] = (), rare: Sequence[str] = ()
) -> Operation:
    """A valid query with its variables, without some fields, and few of others."""
    return Walk(draw, schema, values, frozenset(without), frozenset(rare)).document()


MISFITS: dict[str, Callable[[], Any]] = {
    "null": lambda: None,
    "nothing": lambda: Undefined,
    "yes": lambda: True,
    "seven": lambda: 7,
    "too much": lambda: 2**40,
    "a fraction": lambda: 0.5,
    "a text": lambda: "red",
    "digits": lambda: "7",
    "a member": lambda: Size.SMALL,
    "a stray member": lambda: Stray.RED,
    "a thing": lambda: thing(1),
    "a special thing": lambda: thing(1, Special),
    "a cat": cat,
    "nulls": lambda: [None, None],
    "a mixture": lambda: [thing(1), None, 7],
    "things": lambda: [thing(1), thing(0), thing(1)],
    "a tuple of things": lambda: (thing(1), thing(0)),
    "a stream of things": lambda: iter([thing(1), thing(0)]),
    "animals": lambda: [dog(), cat()],
    "words": lambda: ["a", "b"],
    "an error": lambda: ValueError("an error"),
    "errors": lambda: [ValueError("one"), ValueError("two")],
}
LATE: dict[str, Callable[[], Any]] = {
    "a text later": lambda: Later("red"),
    "null later": lambda: Later(None, 2),
    "an error later": lambda: Later(ValueError("an error later")),
    "an error much later": lambda: Later(ValueError("an error much later"), 5),
    "a thing later": lambda: Later(thing(1), 3),
    "things later": lambda: Later([thing(1), thing(0)]),
    "things, some later": lambda: [Later(thing(1)), thing(1), Later(thing(0), 2)],
    "things and an error later": lambda: [thing(1), Later(ValueError("an error later"), 2), Later(thing(0))],
}
ATTRIBUTES = {each.name: to_camel_case(each.name) for each in fields(Thing)}
RAISING = ["now", "mustNow", "later", "mustLater"]
AWAITED = ["soon", "told", "later", "mustLater", "next"]
Misplaced = tuple[tuple[int, int], str, str]


def misshapen(misplaced: list[Misplaced]) -> Thing:
    """A thing with misfits in it: in which of all (first and step), an attribute, and what is put there."""
    root = thing()
    found, unread = list[Thing](), [root]
    while unread:
        found.append(unread.pop(0))
        below = (found[-1].part, found[-1].spare, *found[-1].parts, found[-1].spares and found[-1].spares[0])
        unread += [each for each in below if each]
    found[-1].part = root
    for (first, step), attribute, misfit in misplaced:
        for each in found[first::step]:
            setattr(each, attribute, (MISFITS | LATE)[misfit]())
    return root


@st.composite
def cases(draw: st.DrawFn, kinds: Sequence[str], *, without: Sequence[str]) -> tuple[Operation, list[Misplaced]]:
    """An operation on the small schema, and misfits in attributes that it reads."""
    which = st.tuples(st.integers(0, 6), st.integers(1, 8))
    places = draw(st.lists(st.tuples(which, st.integers(0, 99), st.sampled_from(kinds)), min_size=2, max_size=6))
    source, variables = draw(operations(SMALL, {"ticks": st.integers(0, 4)}, without=["motto", *without], rare=RAISING))
    read = [name for name, attribute in ATTRIBUTES.items() if attribute in source and name not in without]
    return (source, variables), [(each, read[n % len(read)], kind) for each, n, kind in places if read]


@settings(AT_RANDOM, max_examples=300)
@given(cases(list(MISFITS), without=[*AWAITED, "raw", "picky"]))
async def test_any_operation_on_any_objects_is_answered_as_graphql_core_does(
    case: tuple[Operation, list[Misplaced]],
) -> None:
    (source, variables), misplaced = case
    await same(SMALL, source, lambda: Around(misshapen(misplaced)), variables)


@settings(AT_RANDOM, max_examples=150)
@given(cases([*MISFITS, *LATE], without=[]))
async def test_any_operation_on_any_objects_that_come_later_is_answered_as_graphql_core_does(
    case: tuple[Operation, list[Misplaced]],
) -> None:
    (source, variables), misplaced = case
    await same(SMALL, source, lambda: Around(misshapen(misplaced)), variables)


# The product's own schema, over a world.

PRODUCT = build()._schema
SEEN_BY: dict[str, frozenset[Permission]] = {"the account's own": frozenset(), "staff": frozenset(Permission)}


@pytest.fixture
async def scene(world: World) -> Stage:
    """Two accounts with one of each thing, attempts in every state, and a room for each; rules enforced."""
    await world.attempt((await (await world.seller()).anchor())["id"])
    stage = await staged(world, await world.blogger("ES", external_id="stage"))
    shop = stage.shop
    start = world.tonight()
    for status in ("SUBMITTED", "APPROVED", "REJECTED", "EXPIRED", "REVOKED", "CANCELED", "DRAFT"):
        for path in ("PASSPORT_VISA", "CONTACT"):
            anchor_id = (await shop.anchor(f"{status} {path}"))["id"]
            found = [("IMAGE_GLARE", "PASSPORT")] if status == "REJECTED" else []
            await world.attempt(anchor_id, path, status, findings=found, last_day=start_day(world))
            await shop.room(picked(anchor_id), picked(stage.ana, "IN_CHINA"), newcomer(status), start=start)
    return stage


def start_day(world: World) -> date:
    return (world.clock.now + timedelta(days=40)).date()


def given_of(stage: Stage) -> Values:
    """What the arguments of the product's queries may be: what is there, what is not, and what is refused."""
    own = [stage.account, stage.ana, stage.verification, stage.ben, stage.room, stage.member, stage.review]
    own += [stage.live, stage.record, stage.event]
    ids = st.sampled_from([*own, *own, foreign("Anchor"), foreign("Account"), "no id"])
    end = st.integers(1, 3) | st.sampled_from([None, 100]) | st.integers(1, 5)
    anchor = st.sampled_from(
        [{"id": stage.ana}, {"id": stage.ben}, {"id": stage.room}, {"new": {"displayName": "Eva", "nationality": "FR"}}]
    )
    accounts = st.sampled_from([stage.account] * 3 + [foreign("Account")])
    place = st.sampled_from(["IN_CHINA", "OUTSIDE_CHINA"])
    return {
        "Query.node(id)": ids,
        "ids": st.lists(ids, max_size=5),
        "by": st.sampled_from([{"id": stage.account}] * 3 + [{"externalId": "stage"}, {"externalId": "?"}]),
        "first": end,
        "last": st.sampled_from([None, 1, 2, 2, 0]),
        "after": st.sampled_from([None, None, "no cursor"]),
        "before": st.sampled_from([None, None, None, ""]),
        "search": st.sampled_from([None, "", "a", "APPROVED"]),
        "action": st.sampled_from([None, "LIVE_ROOM_CREATED", "?"]),
        "isEscalated": st.sampled_from([None, True, False]),
        "AdmissionPolicyPreviewInput": st.sampled_from(
            [{"name": "cn-2026"}, {"name": "aliexpress-2021", "launchAt": None}, {"name": "?"}]
        ),
        "VerificationRequirementInput": st.fixed_dictionaries(
            {"accountId": accounts, "anchor": anchor, "location": place}
        ),
    }


async def context_of(world: World, permissions: frozenset[Permission]) -> Callable[[], Context]:
    """What makes contexts of one present, as the application makes one for each request."""
    now = world.clock()
    in_force = await world.services.held.now(now)
    accounts = frozenset() if permissions else frozenset({account_id_of("stage")})
    actor = Actor("somebody", account_ids=accounts, permissions=permissions)

    def context() -> Context:
        budget = Budget(cost=1, limit=10, remaining=9, reset_at=now, reset_s=1)
        return Context(actor, "zh", now, world.clock, in_force, world.services, budget=budget)

    return context


@pytest.mark.parametrize("permissions", SEEN_BY.values(), ids=SEEN_BY)
async def test_any_query_of_the_product_is_answered_as_graphql_core_does(
    permissions: frozenset[Permission], world: World, scene: Stage
) -> None:
    context_for, loop = await context_of(world, permissions), asyncio.get_running_loop()
    values = given_of(scene)

    @settings(AT_RANDOM, max_examples=100)
    @given(operations(PRODUCT, values))
    def holds(operation: Operation) -> None:
        source, variables = operation
        asyncio.run_coroutine_threadsafe(same(PRODUCT, source, context_for, variables, tries=4), loop).result()

    await asyncio.to_thread(holds)


REFUSED = """
mutation($input: LiveRoomGoLiveInput!) {
  first: liveRoomGoLive(input: $input) { ticket { token } ...Refused liveRoom { id } }
  second: liveRoomGoLive(input: $input) { __typename ...Refused }
}
fragment Refused on LiveRoomGoLivePayload {
  userErrors {
    __typename code field message
    ... on AdmissionRefused {
      blockers { code message basis { rule lines { text } } castMember { id anchor { displayName } } requirement {
        path items { kind label accepts findings { code } }
      } }
    }
  }
  admission { isAdmitted blockers { code } policy { name phase } }
}
"""


async def test_a_refused_mutation_of_the_product_is_answered_as_graphql_core_does(world: World, scene: Stage) -> None:
    room = await scene.shop.room(newcomer(), start=world.tonight())
    context_for = await context_of(world, frozenset())
    found = await same(PRODUCT, REFUSED, context_for, {"input": {"liveRoomId": room["id"]}})
    for payload in (found["data"]["first"], found["data"]["second"]):
        assert [each["__typename"] for each in payload["userErrors"]] == ["AdmissionRefused"]
