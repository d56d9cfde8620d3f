"""Documented cost is measured cost: each figure here is computed by hand from the docstring of `cost.py`."""

from typing import Any

import httpx
import pytest
from desk import Desk, ask, only_error
from graphql import get_introspection_query

from greenroom.cost import reading
from greenroom.limits import Limits
from greenroom.running import REFUSED_COST

CONNECTION = "pageInfo { hasNextPage } edges { node { id displayName } }"
CASES: list[tuple[str, str, dict[str, Any], int]] = [
    ("plain values are free", "{ __typename spent }", {}, 0),
    ("an object is 1", "{ account { id displayName } }", {}, 1),
    ("objects below it are 1 each", "{ account { verification { verification { id } } } }", {}, 3),
    # 1 the connection + 1 pageInfo + 7 edges + 7 nodes
    ("a literal page", "{ anchors(first: 7) { " + CONNECTION + " } }", {}, 16),
    ("nodes without edges", "{ anchors(first: 7) { nodes { id } } }", {}, 8),
    ("the schema's default, 10", "{ anchors { " + CONNECTION + " } }", {}, 22),
    ("no default: 20", "{ account { roster { " + CONNECTION + " } } }", {}, 1 + 42),
    ("a variable", "query ($n: Int) { anchors(first: $n) { " + CONNECTION + " } }", {"n": 7}, 16),
    ("a variable's default", "query ($n: Int = 7) { anchors(first: $n) { " + CONNECTION + " } }", {}, 16),
    ("a variable left out", "query ($n: Int) { anchors(first: $n) { " + CONNECTION + " } }", {}, 22),
    ("`last` counts too", "query ($n: Int) { account { roster(last: $n) { nodes { id } } } }", {"n": 3}, 1 + 1 + 3),
    (
        "the larger of both",
        "query ($f: Int, $l: Int) { account { roster(first: $f, last: $l) { nodes { id } } } }",
        {"f": None, "l": 30},
        1 + 1 + 30,
    ),
    (
        "pages in pages multiply",
        "query ($n: Int!) { anchors(first: 3) { nodes { roster(first: $n) { edges { node { id } } } } } }",
        {"n": 4},
        1 + 3 * (1 + 1 + 4 * 2),
    ),
    ("a list counts as what it may hold", '{ node(id: "r") { ... on Room { cast { id } } } }', {}, 1 + 20),
    ("what hangs on it too", '{ node(id: "r") { ... on Room { cast { verification { id } } } } }', {}, 1 + 20 * 2),
    ("ids count as many as are given", '{ nodes(ids: ["r", "a", "a"]) { id } }', {}, 3),
    ("in a variable", "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 40}, 40),
    ("one that is no list", "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": "a"}, 1),
    ("one written so", '{ nodes(ids: "a") { id } }', {}, 1),
    ("a variable among them", 'query ($id: ID!) { nodes(ids: ["a", $id]) { id } }', {"id": "a"}, 2),
    ("none", "{ nodes(ids: []) { id } }", {}, 0),
    ("more than may be given", "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 150}, 100),
    (
        "what hangs on each",
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Room { cast { id } } } }",
        {"ids": ["r"] * 3},
        3 * (1 + 20),
    ),
    (
        "a fragment counts at every spread",
        "{ a: anchors(first: 2) { ...F } b: anchors(first: 3) { ...F } }"
        " fragment F on AnchorConnection { nodes { id } }",
        {},
        (1 + 2) + (1 + 3),
    ),
    (
        "@skip and @include take out",
        "query ($y: Boolean!) { account { id } a: account @include(if: $y) { id } b: account @skip(if: $y) { id } }",
        {"y": False},
        2,
    ),
    ("a mutation is 10", "mutation { touch again: touch }", {}, 20),
    (
        "and what it returns beside",
        "mutation ($t: String!) { roomCreate(input: { title: $t }) { room { cast { id } } } }",
        {"t": "x"},
        10 + 1 + 20,
    ),
    ("introspection is 1000", get_introspection_query(), {}, 1_000),
    ("a page of 0", "{ anchors(first: 0) { " + CONNECTION + " } }", {}, 2),
    ("a negative page counts as 0", "{ anchors(first: -1) { " + CONNECTION + " } }", {}, 2),
    ("a negative variable too", "query ($n: Int) { anchors(first: $n) { " + CONNECTION + " } }", {"n": -9}, 2),
    (
        "beyond the largest, the largest",
        "query ($n: Int) { anchors(first: $n) { nodes { id } } }",
        {"n": 101},
        101,
    ),
]


@pytest.mark.parametrize(("query", "variables", "points"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_documented_cost_is_reported_cost(
    client: httpx.AsyncClient, desk: Desk, query: str, variables: dict[str, Any], points: int
) -> None:
    first, response = [await ask(client, query, variables=variables) for _ in range(2)]
    assert (response.status_code, response.headers.get("ratelimit-cost")) == (200, str(points)), response.text
    at_first = max(points, reading(query))
    assert first.headers["ratelimit-cost"] == str(at_first)
    assert desk.spent == [reading(query), at_first - reading(query), points]


def test_reading_is_priced_by_words_signs_and_characters() -> None:
    assert reading("{ a }") == 1  # three of them
    assert reading("query Q($id: ID!) { node(id: $id) { ...F } }") == 25 // 2
    assert reading("{ a } #" + "x" * 1_000) == 5 // 2 + 1_007 // 250


async def test_who_sends_ever_new_documents_pays_for_their_reading_before_it_is_done(desk: Desk) -> None:
    desk.left = 1_000
    async with desk.client() as client:
        for i in range(10):
            response = await ask(client, query := f"query Q{i} {{ account {{ " + "nothing " * 200 + "} }")
            if response.status_code == 429:
                break
    assert (i, response.status_code) == (9, 429)
    assert only_error(response)["extensions"]["asked"] == reading(query) == 109


async def test_a_refusal_pays_for_what_was_read_and_later_a_flat_price(client: httpx.AsyncClient, desk: Desk) -> None:
    query = "{ account { " + "nothing " * 90 + "} }"
    costs = [(await ask(client, query)).headers["ratelimit-cost"] for _ in range(2)]
    assert costs == [str(reading(query)), str(REFUSED_COST)]
    assert sum(desk.spent) == reading(query) + REFUSED_COST


async def test_who_cannot_pay_is_told_what_the_whole_takes(desk: Desk) -> None:
    desk.left = 30
    query = "{ anchors(first: 40) { nodes { id } } }"
    async with desk.client() as client:
        first, again = [await ask(client, query) for _ in range(2)]
    assert [only_error(r)["extensions"]["asked"] for r in (first, again)] == [41, 41]
    assert desk.spent == [reading(query), 41 - reading(query), 41, 41]


async def test_an_operation_that_costs_too_much_does_not_run(desk: Desk) -> None:
    desk.limits = Limits(cost=50)
    query = "query ($n: Int) { anchors(first: $n) { " + CONNECTION + " } }"
    async with desk.client() as client:
        assert "data" in (await ask(client, query, variables={"n": 24})).json()  # 1 + 1 + 24 + 24: exactly
        refused = await ask(client, query, variables={"n": 25})
    extensions = only_error(refused)["extensions"]
    assert extensions == {"code": "LIMIT_EXCEEDED", "limit": "cost", "asked": 52, "allowed": 50}


async def test_a_fragment_bomb_is_priced_without_being_unfolded(client: httpx.AsyncClient, desk: Desk) -> None:
    bomb = "query ($y: Boolean!) { account { ...F0 } } " + " ".join(
        f"fragment F{i} on Anchor {{ ...F{i + 1} ...F{i + 1} @include(if: $y) }}" for i in range(40)
    )
    bomb += " fragment F40 on Anchor { verification { id } }"
    refused = await ask(client, bomb, variables={"y": True})
    assert only_error(refused)["extensions"]["asked"] == 1 + 2**40
    accepted = await ask(client, bomb, variables={"y": False})
    assert (accepted.json(), accepted.headers["ratelimit-cost"]) == ({"data": {"account": {"verification": None}}}, "2")
    assert desk.spent[0] == reading(bomb)


async def test_the_longest_chain_of_conditions_that_is_allowed_is_counted(client: httpx.AsyncClient) -> None:
    links = " ".join(
        f"fragment F{i} on Anchor {{ ...F{i + 1} @include(if: $y) verification @skip(if: $n) {{ id }} }}"
        for i in range(49)
    )
    chain = f"query ($y: Boolean!, $n: Boolean!) {{ account {{ ...F0 }} }} {links} fragment F49 on Anchor {{ id }}"
    _, response = [await ask(client, chain, variables={"y": True, "n": False}) for _ in range(2)]
    assert (response.status_code, response.headers["ratelimit-cost"]) == (200, "50")
