"""Pages: every connection of the schema, and each of its filters, keeps the same promises about its four arguments."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from clients import Client, Data, newcomer, picked
from contracts.calls import SCHEMA
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_required_argument
from house import CLEAR
from reviewing import decide
from worlds import LAUNCHED, NOW, STAFF, World, iso, ready

from greenroom.db import Scope
from greenroom.events.actions import Subject, record
from greenroom.graph import read_id

HAN = re.compile("[一-鿿]")
ENDS = {"first": "Int", "last": "Int", "after": "String", "before": "String"}
WHOLE = 100
EDGES_MIN = 3  # fewer have no middle


@dataclass(frozen=True)
class List:
    """A connection of the schema, perhaps under one of its filters."""

    parent: str
    field: str
    filter: str | None = None

    def __str__(self) -> str:
        return f"{self.parent}.{self.field}" + (f" by {self.filter}" if self.filter else "")

    @property
    def definition(self) -> GraphQLField:
        """The field as the schema has it."""
        parent = SCHEMA.type_map[self.parent]
        assert isinstance(parent, GraphQLObjectType)
        return parent.fields[self.field]

    @property
    def ends(self) -> list[str]:
        """Which of the four arguments it takes."""
        return [name for name in ENDS if name in self.definition.args]

    @property
    def counts(self) -> bool:
        """Whether it tells its length."""
        return "totalCount" in getattr(get_named_type(self.definition.type), "fields", {})

    @property
    def path(self) -> list[str]:
        """Where an answer has it."""
        return [self.field] if self.parent == "Query" else ["node", self.field]


def lists() -> Iterator[List]:
    """Every field of the schema that answers with a connection, as it is and by each argument that narrows it."""
    for type_ in SCHEMA.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                if get_named_type(field.type).name.endswith("Connection"):
                    yield List(type_.name, name)
                    narrowing = {n for n, a in field.args.items() if not is_required_argument(a)} - ENDS.keys()
                    yield from (List(type_.name, name, argument) for argument in sorted(narrowing))


LISTS = list(lists())
each_list = pytest.mark.parametrize("each", LISTS, ids=str)

# What a list is asked with beside its page.
REQUIRED = {"admissionPolicyPreview": {"input": {"name": "aliexpress-2021", "launchAt": iso(LAUNCHED)}}}
FILTERS: dict[str, Any] = {
    "Account.rememberedAnchors by search": "a",
    "Account.anchors by search": "a",
    "Account.liveRooms by status": "SCHEDULED",
    "Query.accounts by search": "店",
    "Query.auditEvents by action": "ANCHOR_CREATED",
    "Query.reviewTasks by isEscalated": False,
    "Query.reviewTasks by path": "CONTACT",
    "Query.reviewTasks by state": "DECIDED",
}


@dataclass(frozen=True)
class Shelf:
    """A world with something in every list, and somebody who may read them all."""

    client: Client
    ids: dict[str, str]
    """By type, whose lists are read."""

    async def ask(self, each: List, *, language: str = "en", **page: Any) -> httpx.Response:
        """One page of a list."""
        given = page | REQUIRED.get(each.field, {})
        if each.filter:
            given[each.filter] = FILTERS[str(each)]
        types = {name: str(argument.type) for name, argument in each.definition.args.items()}
        passed = ", ".join(f"{name}: ${name}" for name in given)
        found = f"{each.field}{f'({passed})' if passed else ''} {{ {selection(each)} }}"
        declared = [f"${name}: {types[name]}" for name in given]
        if each.parent != "Query":
            found = f"node(id: $id) {{ ... on {each.parent} {{ {found} }} }}"
            given, declared = given | {"id": self.ids[each.parent]}, [*declared, "$id: ID!"]
        self.client.language = language
        head = f"query({', '.join(declared)})" if declared else "query"
        return await self.client.post(f"{head} {{ {found} }}", given)

    async def page(self, each: List, **page: Any) -> Data:
        """One page of a list that is answered."""
        return page_of(await self.ask(each, **page), each)

    async def refuses(self, each: List, argument: str, **page: Any) -> None:
        """A list must refuse these arguments, in both languages."""
        for language in ("en", "zh"):
            refused(await self.ask(each, language=language, **page), each, argument, language=language)


def page_of(response: httpx.Response, each: List) -> Data:
    """The page that a list answered with."""
    found = response.json()
    assert response.status_code == 200, found
    assert "errors" not in found, found["errors"]
    found = found["data"]
    for name in each.path:
        found = found[name]
    assert isinstance(found, dict)
    return found


def refused(response: httpx.Response, each: List, argument: str, *, language: str = "en") -> None:
    """A list must have refused what it was asked with as the caller's mistake: which argument, and where."""
    assert response.status_code == 200, response.text
    (error,) = response.json()["errors"]
    assert error["path"] == each.path
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": argument}
    assert bool(HAN.search(error["message"])) is (language == "zh")


def selection(each: List) -> str:
    """What tells the edges of a list apart, and where its page stands."""
    connection = get_named_type(each.definition.type)
    assert isinstance(connection, GraphQLObjectType)
    edge = get_named_type(connection.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    node: Any = get_named_type(edge.fields["node"].type)
    nearby = [n for n, f in node.fields.items() if "id" in getattr(get_named_type(f.type), "fields", {})]
    told = "id" if "id" in node.fields else " ".join(f"{name} {{ id }}" for name in nearby)
    page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    return f"edges {{ cursor node {{ {told} }} }} {page} {'totalCount' if each.counts else ''}"


@pytest.fixture(scope="module")
async def shelf(house: World, boss: asyncpg.Connection) -> Shelf:
    """One world for all of this module: nothing here writes. Of what lists are ordered by, some is the same twice."""
    await boss.execute(CLEAR)
    house.clock.now, house.made = NOW, 0
    house.services.held.drop()
    shop, start = await house.seller(), house.tonight()
    for _ in range(2):
        await house.blogger()
    anas = [await ready(shop, name) for name in ("Ana", "Ana", "Anan", "Dana")]
    for ana in anas[:2]:
        await house.anchor_row(ana["id"], last_used_at=NOW)
    for _ in range(3):
        await shop.hand_in_contact(anas[0]["id"])
    for at in (start, start, house.tonight(9)):
        await shop.room(picked(anas[0]["id"]), newcomer("Eva"), start=at)
    await read_by_staff(house, anas[0]["id"], times=3)
    reviewer = house.staff("REVIEW")
    for name in ("Ben", "Cleo", "Dora"):
        known = await shop.anchor(name)
        handed_in = await shop.hand_in_contact(known["id"], legalName=name, email=f"{name}@example.com")
        await decide(reviewer, handed_in["id"])
    client = house.client(accounts=[shop.external_id], permissions=["ADMINISTER", "AUDIT", "REVIEW"])
    return Shelf(client, {"Account": shop.account_id, "Anchor": anas[0]["id"]})


async def read_by_staff(world: World, anchor_id: str, *, times: int) -> None:
    """Let staff read what an anchor handed in, as the verbs to come will record it (X5)."""
    key = read_id(anchor_id)[1]
    about = Subject("Anchor", key.account_id, key.id, key.id)
    for _ in range(times):
        async with world.db.transaction(Scope(key.account_id)) as tx:
            await record(tx, "LEGAL_DATA_READ", about, by=STAFF, now=world.clock(), purpose="a complaint")


def test_every_filter_of_a_list_is_tried() -> None:
    assert FILTERS.keys() == {str(each) for each in LISTS if each.filter}


@each_list
@pytest.mark.parametrize("size", [1, WHOLE])
async def test_a_page_may_have_1_to_100_entries(size: int, each: List, shelf: Shelf) -> None:
    for argument in {"first", "last"} & set(each.ends):
        assert 1 <= len((await shelf.page(each, **{argument: size}))["edges"]) <= size


@each_list
@pytest.mark.parametrize("size", [-1, 0, WHOLE + 1, 2**31 - 1, -(2**31)])
async def test_no_page_has_fewer_or_more(size: int, each: List, shelf: Shelf) -> None:
    for argument in {"first", "last"} & set(each.ends):
        await shelf.refuses(each, argument, **{argument: size})


@each_list
async def test_first_and_last_together_name_no_page(each: List, shelf: Shelf) -> None:
    if "last" in each.ends:
        await shelf.refuses(each, "last", first=1, last=1)


# No text at all; not base64; no JSON; JSON that is no list; lists of nothing, of the wrong length or the wrong types.
GARBAGE = ["", "garbage", "\x00", "😀", "A" * 5_000, "A" * 10_000, "bnVsbA", "e30", "W10", "WzEsMiwzLDRd"]
GARBAGE += ["WzFlOTk5XQ", "WyJOYU4iXQ", "WyIiLCIiXQ", "WyIyMDI2IiwgIngiXQ", "W251bGxd", "W1tdXQ", "WzEuNV0", "W3RydWVd"]


@each_list
async def test_a_cursor_that_no_list_gave_out_is_refused(each: List, shelf: Shelf) -> None:
    for argument in {"after", "before"} & set(each.ends):
        await shelf.refuses(each, argument, **{argument: GARBAGE[0]})
        for cursor in GARBAGE[1:]:
            refused(await shelf.ask(each, **{argument: cursor}), each, argument)


@pytest.fixture(scope="module")
async def cursors(shelf: Shelf) -> dict[str, str]:
    """Of every list the cursor that ends its first page of two."""
    return {str(each): (await shelf.page(each, first=2))["pageInfo"]["endCursor"] for each in LISTS}


@each_list
async def test_a_cursor_of_another_list_is_refused_or_does_no_harm(
    each: List, cursors: dict[str, str], shelf: Shelf
) -> None:
    """Lists in the same order understand each other: then it names a place in this one, and shows nothing else."""
    own = (await shelf.page(each, first=WHOLE))["edges"]
    for other, cursor in cursors.items():
        for argument, size in (("after", "first"), ("before", "last")):
            if argument not in each.ends:
                continue
            response = await shelf.ask(each, **{argument: cursor, size: WHOLE})
            if "errors" in response.json():
                refused(response, each, argument)
                continue
            found = page_of(response, each)["edges"]
            part = own[len(own) - len(found) :] if argument == "after" else own[: len(found)]
            assert found == part, f"{argument} the second of {other}"
        if other == str(each):
            assert (await shelf.page(each, after=cursor, first=WHOLE))["edges"] == own[2:]


@each_list
async def test_page_by_page_gives_every_edge_once_and_in_order(each: List, shelf: Shelf) -> None:
    whole = await shelf.page(each, first=WHOLE)
    edges = whole["edges"]
    assert len(edges) >= EDGES_MIN, "an empty list proves nothing"
    assert len({edge["cursor"] for edge in edges}) == len({str(edge["node"]) for edge in edges}) == len(edges)
    assert [edge async for edge in walked(shelf, each, "first", "after", "endCursor", "hasNextPage")] == edges
    if "last" in each.ends:
        back = [edge async for edge in walked(shelf, each, "last", "before", "startCursor", "hasPreviousPage")]
        assert back[::-1] == edges


async def walked(shelf: Shelf, each: List, size: str, beyond: str, end: str, has_more: str) -> AsyncIterator[Data]:
    """The edges of a list, one page of one at a time, as far as it says that it goes on."""
    page: dict[str, Any] = {size: 1}
    for _ in range(WHOLE + 1):
        found = await shelf.page(each, **page)
        info = found["pageInfo"]
        (edge,) = found["edges"]
        assert info["startCursor"] == info["endCursor"] == edge["cursor"]
        yield edge
        if not info[has_more]:
            return
        page[beyond] = info[end]
    pytest.fail("it goes on for ever")


@each_list
async def test_a_page_between_two_cursors_is_what_lies_between_them(each: List, shelf: Shelf) -> None:
    edges = (await shelf.page(each, first=WHOLE))["edges"]
    ends = {"after": edges[0]["cursor"], "before": edges[-1]["cursor"]}
    if "before" not in each.ends:
        assert (await shelf.page(each, first=WHOLE, after=edges[0]["cursor"]))["edges"] == edges[1:]
        return
    for size in ("first", "last"):
        assert (await shelf.page(each, **ends, **{size: WHOLE}))["edges"] == edges[1:-1]


@each_list
async def test_past_either_end_there_is_an_empty_page(each: List, shelf: Shelf) -> None:
    edges = (await shelf.page(each, first=WHOLE))["edges"]
    for argument, edge in (("after", edges[-1]), ("before", edges[0])):
        if argument in each.ends:
            found = await shelf.page(each, **{argument: edge["cursor"]})
            assert (found["edges"], found["pageInfo"]["endCursor"]) == ([], None)


@pytest.mark.parametrize(
    "each",
    [each for each in LISTS if each.counts],
    ids=str,
)
async def test_a_list_tells_its_length_on_each_page_and_past_its_end(each: List, shelf: Shelf) -> None:
    whole = await shelf.page(each, first=WHOLE)
    edges = whole["edges"]
    pages = [whole, await shelf.page(each, first=1), await shelf.page(each, after=edges[-1]["cursor"])]
    assert [page["totalCount"] for page in pages] == [len(edges)] * 3
