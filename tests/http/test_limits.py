"""Hostile documents are refused with a figure, before they cost anything; our clients' own ones pass."""

import json
import re
from dataclasses import fields
from pathlib import Path

import httpx
import pytest
from desk import Desk, ask, code_of, only_error
from graphql import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, parse, print_ast

from greenroom.limits import WORDS, Limits, count_tokens, count_values, measure

OPERATIONS = Path(__file__).parents[2] / "operations"


def nested(depth: int) -> str:
    return "{ account " + "{ verification " * (depth - 2) + "{ id }" + " }" * (depth - 1)


def chain(length: int, last: str, link: str = "...F{next}") -> str:
    links = (f"fragment F{i} on Anchor {{ {link.format(next=i + 1)} }}" for i in range(length - 1))
    return "{ account { ...F0 } } " + " ".join(links) + f" fragment F{length - 1} on Anchor {{ {last} }}"


@pytest.mark.parametrize(
    ("query", "limit", "asked"),
    [
        (nested(16), "depth", 16),
        (nested(200), "depth", 200),
        (chain(50, "id", "verification {{ ...F{next} }}"), "depth", 51),
        ("{ " + " ".join(f"a{i}: __typename" for i in range(51)) + " }", "aliases", 51),
        ("{ account { " + " ".join(f"a{i}: id" for i in range(600)) + " } }", "aliases", 600),
        ("{ " + " ".join(f"a{i}: __typename" for i in range(1_000)) + " }", "tokens", 2_001),
        ("{ account { " + "id " * 101 + "} }", "repeats", 101),
        ("{ account { " + "verification { id } " * 490 + "} }", "repeats", 490),
        (chain(51, "id"), "fragments", 51),
        ("{ account " + "{ ... " * 90 + "{ id }" + " }" * 90 + " }", "fragments", 90),
        (chain(2, "id").replace("...F1", "...F1 " * 200), "spreads", 201),
        (nested(230), "depth", 230),
        (nested(400), "depth", 400),
        ("{ a " * 10_000 + "}" * 10_000, "depth", 10_000),
        ("{ account " + "{ ... " * 300 + "{ id }" + " }" * 300 + " }", "depth", 302),
        ("{ " + "touch " * 21 + "}", "root_fields", 21),
        ("{ ...R ...R ...R } fragment R on Query { " + "__typename " * 7 + "}", "root_fields", 21),
        ("{ account(x: " + "[" * 2_000, "tokens", 2_001),
        ("!" * 50_000, "tokens", 2_001),
        ("{ account { id } }" + "#\n" * 300_000, "characters", 600_018),
        ('{ node(id: "' + "x" * 50_000 + '") { id } }', "characters", 50_023),
    ],
)
async def test_each_refusal_says_which_limit_how_much_was_asked_and_how_much_is_allowed(
    client: httpx.AsyncClient, query: str, limit: str, asked: int
) -> None:
    response = await ask(client, query)
    error = only_error(response)
    allowed = getattr(Limits(), limit)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit, "asked": asked, "allowed": allowed}
    assert str(asked) in error["message"]
    assert str(allowed) in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "{ account { ...A } } fragment A on Anchor { ...A }",
        "{ account { ...A } } "
        + " ".join(f"fragment {x} on Anchor {{ verification {{ ...{y} }} }}" for x, y in ("AB", "BA")),
        "{ ...A } " + " ".join(f"fragment {x} on Query {{ ...{y} }}" for x, y in zip("ABC", "BCA", strict=True)),
        "{ account { ...Missing } }",
        "{ account(" + "[" * 900,
        "{ account { id(x: " + "[" * 900 + "]" * 900 + ") } }",
        "{ account { id(x: " + "{a:" * 300 + "1" + "}" * 300 + ") } }",
        "query ($x: " + "[" * 900 + "Int" + "]" * 900 + ") { account { id } }",
    ],
    ids=["self", "pair", "ring", "missing", "open lists", "lists", "objects", "list types"],
)
async def test_a_crooked_document_is_a_mistake_like_any_other(
    client: httpx.AsyncClient, desk: Desk, query: str
) -> None:
    assert code_of(await ask(client, query)) in ("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED")
    assert desk.logged == []


@pytest.mark.parametrize(
    ("value", "limit", "asked"),
    [
        (["x"] * 2_000, "values", 2_001),  # the list is one as well
        ([["x"] * 100] * 500, "values", 50_501),
        ({f"k{i}": i for i in range(2_000)}, "values", 2_001),
        ({str(i): {str(j): [[]] for j in range(50)} for i in range(50)}, "values", 2_551),
        (json.loads("[" * 100 + "]" * 100), "values_depth", 21),
        (json.loads('{"a":' * 30 + "1" + "}" * 30), "values_depth", 21),
    ],
    ids=["list", "lists", "object", "objects", "deep lists", "deep objects"],
)
async def test_variables_are_counted_before_they_are_coerced(
    client: httpx.AsyncClient, desk: Desk, value: object, limit: str, asked: int
) -> None:
    for query in ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", "{ account { id } }"):
        error = only_error(await ask(client, query, variables={"ids": value}))
        allowed = getattr(Limits(), limit)
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit, "asked": asked, "allowed": allowed}
    assert desk.logged == []


async def test_the_greatest_that_is_allowed_is_allowed(client: httpx.AsyncClient) -> None:
    for query in (nested(15), "{ account { " + " ".join(f"a{i}: id" for i in range(50)) + " } }", chain(50, "id")):
        assert "data" in (await ask(client, query)).json()
    as_many = {"ids": ["x"] * 1_999, "deep": json.loads("[" * 19 + "]" * 19)}
    assert count_values({"ids": as_many["ids"]}, Limits()) is None
    assert count_values({"deep": as_many["deep"]}, Limits()) is None
    assert count_tokens("{ " + "id " * 1_998 + "}", Limits()) is None


@pytest.mark.parametrize("limit", sorted(WORDS))
def test_every_limit_has_words_in_both_languages_and_a_figure(limit: str) -> None:
    assert limit in {field.name for field in fields(Limits)}
    for sentence in WORDS[limit]:
        assert "{asked}" in sentence
        assert "{allowed}" in sentence
    assert re.search(r"[一-鿿]", WORDS[limit].zh)


def operations() -> dict[str, str]:
    """Each operation as the clients send it: with the fragments that it names, and those that these name."""
    documents = [parse(path.read_text("utf-8")) for path in sorted(OPERATIONS.glob("*.graphql"))]
    definitions = [definition for document in documents for definition in document.definitions]
    fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}

    def needed(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
        for name in re.findall(r"\.\.\.(\w+)", text.replace("... on ", "")):
            if name not in known:
                known = needed(print_ast(fragments[name]), (*known, name))
        return known

    found = [d for d in definitions if isinstance(d, OperationDefinitionNode) and d.name]
    return {
        d.name.value: print_ast(DocumentNode(definitions=(d, *(fragments[n] for n in needed(print_ast(d), ())))))
        for d in found
        if d.name
    }


@pytest.mark.parametrize("name", sorted(operations()))
def test_the_operations_of_our_clients_stay_within_half_of_each_limit_of_their_shape(name: str) -> None:
    source, limits = operations()[name], Limits()
    halved = Limits(depth=8, aliases=25, repeats=50, fragments=25, root_fields=10, spreads=100, tokens=1_000)
    assert count_tokens(source, limits) is None
    assert measure(parse(source), halved) is None
