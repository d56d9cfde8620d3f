"""From a request to its operation: documents, names, variables, budgets, time, and faults of ours."""

import asyncio
import json

import httpx
import pytest
from desk import LIMIT, Desk, ask, code_of, only_error
from standin import PLANTED, Context, schema
from starlette.requests import Request

from greenroom.cost import reading
from greenroom.limits import Exceeded, Limits
from greenroom.operations import Document, Invalid, Operations
from greenroom.requests import GRAPHQL, JSON
from greenroom.running import REFUSED_COST

TWO = "query A { account { id } } query B { account { displayName } }"
CREATE = "mutation M($input: RoomCreateInput!) { roomCreate(input: $input) { room { id } } }"


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 400), (JSON, 200)])
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ account { id }", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ('{ node(id: "', "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ account }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { account { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { account { id } }", "GRAPHQL_VALIDATION_FAILED"),
        (CREATE, "BAD_USER_INPUT"),
        ("query ($id: ID!) { node(id: $id) { id } }", "BAD_USER_INPUT"),
    ],
)
async def test_a_mistake_in_the_document_or_its_variables_has_a_code_and_no_data(
    client: httpx.AsyncClient, desk: Desk, accept: str, status: int, query: str, code: str
) -> None:
    response = await ask(client, query, headers={"accept": accept})
    assert (response.status_code, code_of(response)) == (status, code)
    assert sum(desk.spent) == max(REFUSED_COST, reading(query))
    assert desk.logged == []


@pytest.mark.parametrize(("query", "name"), [(TWO, None), (TWO, ""), (TWO, "C"), ("query A { account { id } }", "B")])
async def test_a_name_that_finds_no_operation_is_told_which_there_are(
    client: httpx.AsyncClient, query: str, name: str | None
) -> None:
    response = await ask(client, query, operationName=name)
    assert (response.status_code, code_of(response)) == (400, "OPERATION_RESOLUTION_FAILURE")
    assert "A" in only_error(response)["message"]


async def test_a_name_picks_its_operation_and_a_lone_one_needs_none(client: httpx.AsyncClient) -> None:
    assert (await ask(client, TWO, operationName="B")).json() == {"data": {"account": {"displayName": "林"}}}
    assert (await ask(client, "query A { account { id } }")).json() == {"data": {"account": {"id": "a"}}}
    assert (await ask(client, "{ account { id } }", operationName="")).json() == {"data": {"account": {"id": "a"}}}


async def test_of_a_bad_variable_no_more_is_said_than_needed_and_nothing_logged(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    response = await ask(client, CREATE, variables={"input": {"title": ["x" * 100_000], "size": PLANTED, "z": 1}})
    errors = response.json()["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
    assert all(len(error["message"]) <= 500 for error in errors)
    assert desk.logged == []


async def test_a_thousand_bad_variables_get_a_short_answer(client: httpx.AsyncClient) -> None:
    values = {f"k{i}": i for i in range(1_000)}
    response = await ask(client, CREATE, variables={"input": values})
    assert response.status_code == 400
    assert len(response.json()["errors"]) <= 21


async def test_a_cached_document_answers_by_what_it_says_and_not_by_what_came_before(client: httpx.AsyncClient) -> None:
    query = "query Q($id: ID!) { node(id: $id) { id __typename } }"
    for _ in range(2):
        for given, kind in (("r", "Room"), ("a", "Anchor")):
            response = await ask(client, query, variables={"id": given})
            assert response.json() == {"data": {"node": {"id": given, "__typename": kind}}}
        assert code_of(await ask(client, query)) == "BAD_USER_INPUT"
        assert code_of(await ask(client, query + " ", variables={"id": None})) == "BAD_USER_INPUT"
        assert code_of(await ask(client, query.replace("id __", "ix __"))) == "GRAPHQL_VALIDATION_FAILED"
        assert (await client.get("/graphql", params={"query": "mutation { touch }"})).status_code == 405
        assert (await ask(client, "mutation { touch }")).json() == {"data": {"touch": 1}}


async def test_a_refusal_that_is_remembered_is_worded_anew_in_each_language(client: httpx.AsyncClient) -> None:
    query = "{ account " + "{ verification " * 20 + "{ id }" + "}" * 21
    said = [only_error(await ask(client, query, headers={"accept-language": tag}))["message"] for tag in ("zh", "en")]
    assert said == [
        "该操作嵌套 22 层，最多允许 15 层。请按 id 另行查询更深的对象。",
        "This operation is 22 levels deep; 15 are allowed. Fetch the deeper objects by their ids.",
    ]


def test_documents_are_kept_within_a_count_and_a_size() -> None:
    operations = Operations(schema._schema, limits=Limits(), introspection=True, documents_max=3, bytes_max=70_000)
    first = operations.read("{ account { id } }")
    assert operations.known("{ account { id } }") is first
    for i in range(3):
        operations.read(f"query Q{i} {{ account {{ id }} }}")
    assert operations.known("{ account { id } }") is None
    large = "{ account { " + "id " * 99 + "} }"
    assert isinstance(operations.read(large), Document)
    assert len(operations._known) == 1  # the large one alone is about as much as fits
    assert isinstance(operations.read("{ account { idd } }"), Invalid)
    assert isinstance(operations.read("{ " + "id " * 5_000), Exceeded)
    assert operations._bytes <= 70_000


async def test_without_introspection_the_schema_is_neither_told_nor_hinted_at(desk: Desk) -> None:
    desk.introspection = False
    async with desk.client() as client:
        for query in ("{ __schema { __typename } }", '{ __type(name: "Room") { __typename } }'):
            assert code_of(await ask(client, query)) == "GRAPHQL_VALIDATION_FAILED"
        assert (await ask(client, "{ __typename }")).json() == {"data": {"__typename": "Query"}}
        typo = only_error(await ask(client, "{ accoun { id } }"))
        assert "Did you mean" not in typo["message"]


async def test_every_answer_carries_the_figures_of_the_budget_that_resolvers_see(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    paid = max(reading("{ account { id } spent }"), 1)
    response = await ask(client, "{ account { id } spent }")
    assert response.json()["data"]["spent"] == [paid, LIMIT, LIMIT - paid]
    figures = {k: v for k, v in response.headers.items() if k.startswith("ratelimit-")}
    assert figures == {
        "ratelimit-limit": str(LIMIT),
        "ratelimit-remaining": str(LIMIT - paid),
        "ratelimit-reset": "2",
        "ratelimit-cost": str(paid),
    }


@pytest.mark.parametrize("query", ["{ account { id } }", "{ nothing }"])
async def test_an_empty_budget_says_how_much_and_how_long(desk: Desk, query: str) -> None:
    desk.left = 0
    async with desk.client() as client:
        response = await ask(client, query, headers={"accept": JSON})
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    extensions = only_error(response)["extensions"]
    assert extensions == {
        "code": "RATE_LIMITED",
        "limit": "rate",
        "asked": desk.spent[0],
        "allowed": LIMIT,
        "remaining": 0,
        "retryAfter": 3,
    }


async def test_what_takes_too_long_is_stopped_and_said(desk: Desk) -> None:
    desk.limits = Limits(time_s=0.05)
    async with desk.client() as client:
        response = await ask(client, "{ slow }")
    assert (response.status_code, code_of(response)) == (503, "TIMEOUT")
    error_id = only_error(response)["extensions"]["errorId"]
    ((_, _, record),) = desk.logged
    assert record["error_id"] == error_id
    assert error_id in only_error(response)["message"]


async def test_an_operation_begins_once_its_body_is_in(desk: Desk) -> None:
    """Or the caller could choose how old its present is."""
    seen: list[Context] = []
    told: list[int] = []

    async def context(request: Request) -> Context:
        seen.append(Context())
        return seen[-1]

    async def body() -> object:
        yield b'{"query": '
        told.append(seen[0].begun)
        yield b'"{ begun }"}'
        told.append(seen[0].begun)

    desk.context_for = context
    async with desk.client() as client:
        response = await client.post("/graphql", content=body(), headers={"content-type": JSON})
    assert response.json() == {"data": {"begun": 1}}
    assert told == [0, 0]


async def test_a_body_that_never_ends_is_not_waited_for(desk: Desk) -> None:
    desk.limits = Limits(time_s=0.05)

    async def body() -> object:
        yield b"{"
        await asyncio.sleep(30)
        yield b"}"

    async with desk.client() as client:
        response = await client.post("/graphql", content=body(), headers={"content-type": JSON})
    assert (response.status_code, code_of(response)) == (503, "TIMEOUT")


async def test_a_fault_of_ours_is_masked_with_an_id_that_the_log_has_too(client: httpx.AsyncClient, desk: Desk) -> None:
    response = await ask(client, "{ account { id } broken again: broken wrongType }")
    assert response.status_code == 200
    body = response.json()
    assert body["data"] == {"account": {"id": "a"}, "broken": None, "again": None, "wrongType": None}
    assert [error["path"] for error in body["errors"]] == [["broken"], ["again"], ["wrongType"]]
    ids = {error["extensions"]["errorId"] for error in body["errors"]}
    records = [record for _, _, record in desk.logged]
    assert ids == {record["error_id"] for record in records}
    assert len(ids) == 1
    assert [record["exceptions"][0] for record in records] == [
        "builtins.ValueError",
        "graphql.error.graphql_error.GraphQLError",
    ]
    assert records[0]["traceback"][0][-1].startswith("standin:")
    assert PLANTED not in response.text + repr(desk.logged)
    assert "database" not in response.text + repr(desk.logged)


async def test_a_fault_is_told_in_the_language_of_the_request(client: httpx.AsyncClient) -> None:
    response = await ask(client, "{ broken }", headers={"accept-language": "zh"})
    assert response.json()["errors"][0]["message"].startswith("系统内部出现问题")


async def test_a_fault_before_the_operation_is_masked_as_well(desk: Desk) -> None:
    async def down(request: Request) -> object:
        raise ConnectionError(PLANTED)

    desk.context_for = down  # type: ignore[assignment]  # it fails before it has anything to return
    async with desk.client() as client:
        response = await ask(client, "{ account { id } }")
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")
    assert desk.logged[0][2]["exceptions"] == ["builtins.ConnectionError"]
    assert PLANTED not in response.text + repr(desk.logged)


async def test_what_a_resolver_meant_for_the_caller_passes(client: httpx.AsyncClient, desk: Desk) -> None:
    (error,) = (await ask(client, "{ meant }")).json()["errors"]
    assert (error["message"], error["extensions"]) == ("You may not.", {"code": "PERMISSION_DENIED"})
    assert desk.logged == []


async def test_an_argument_that_fails_only_at_run_time_is_the_callers(client: httpx.AsyncClient, desk: Desk) -> None:
    query = 'mutation M($size: Int) { roomCreate(input: { title: "x", size: $size }) { room { id } } }'
    body = (await ask(client, query, variables={"size": None})).json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT", json.dumps(body)
    assert desk.logged == []
