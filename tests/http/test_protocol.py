"""What HTTP itself refuses, and how an answer is labelled."""

import json
from urllib.parse import quote

import httpx
import pytest
from desk import Desk, ask, code_of, only_error, served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from greenroom.cost import reading
from greenroom.errors import Words
from greenroom.requests import GRAPHQL, HTML, JSON, HttpRefusal, language_of, media_type_of

MUTATION = "mutation { touch }"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.5", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{JSON}, multipart/mixed", JSON),  # as GraphiQL asks
        ("text/html", None),
        (f"{JSON}; charset=iso-8859-1", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=plenty", None),
        ("image/png", None),
    ],
)
def test_the_media_type_is_negotiated_as_asked(accept: str | None, content_type: str | None) -> None:
    assert media_type_of(accept, offered=(GRAPHQL, JSON)) == content_type


@pytest.mark.parametrize(
    ("accept", "gets"),
    [("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML), ("*/*", JSON), ("text/*", None)],
)
def test_only_who_asks_for_html_by_name_gets_the_page(accept: str, gets: str | None) -> None:
    assert media_type_of(accept, offered=(HTML, GRAPHQL, JSON)) == gets


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB, zh;q=0.5", "en"),
        ("fr, zh;q=0.3, en;q=0.2", "zh"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        (";;;,=,q", "en"),
    ],
)
def test_the_language_is_the_preferred_of_the_two(header: str | None, language: str) -> None:
    assert language_of(header) == language


async def test_an_answer_carries_its_labels_and_locks(client: httpx.AsyncClient) -> None:
    response = await ask(client, "{ account { displayName } }")
    assert response.json() == {"data": {"account": {"displayName": "林"}}}
    assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept, Accept-Language"
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods_are_told_which_ones_there_are(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")
    assert code_of(response) == "METHOD_NOT_ALLOWED"


async def test_an_accept_header_that_nothing_meets_is_refused(client: httpx.AsyncClient) -> None:
    response = await ask(client, "{ account { id } }", headers={"accept": "image/png"})
    assert (response.status_code, code_of(response)) == (406, "NOT_ACCEPTABLE")
    assert response.headers["content-type"].startswith(JSON)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/jsonp",
    ],
)
async def test_what_a_form_of_another_site_could_send_is_not_read(
    client: httpx.AsyncClient, desk: Desk, content_type: str
) -> None:
    body = json.dumps({"query": MUTATION})
    response = await client.post("/graphql", content=body, headers={"content-type": content_type})
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert desk.spent == []


@pytest.mark.parametrize("content_type", ["application/json", 'Application/JSON; Charset="UTF-8"'])
async def test_json_in_utf8_is_read_however_it_is_spelt(client: httpx.AsyncClient, content_type: str) -> None:
    body = json.dumps({"query": MUTATION})
    response = await client.post("/graphql", content=body, headers={"content-type": content_type})
    assert response.json() == {"data": {"touch": 1}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"query": "{ account { id } }"',
        b"\xff\xfe{\x00}\x00",
        b'{"query": "\xff"}',
        b'{"query": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=["nothing", "open", "cut", "utf-16", "not utf-8", "NaN", "nested lists", "nested objects"],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_malformed_json_is_the_callers_mistake(client: httpx.AsyncClient, body: bytes, accept: str) -> None:
    headers = {"content-type": JSON, "accept": accept}
    response = await client.post("/graphql", content=body, headers=headers)
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "body",
    [
        None,
        "query",
        7,
        {},
        {"query": None},
        {"query": 1},
        {"query": ["{ account { id } }"]},
        {"query": "{ account { id } }", "operationName": 1},
        {"query": "{ account { id } }", "variables": []},
        {"query": "{ account { id } }", "variables": "{}"},
        {"query": "{ account { id } }", "extensions": "none"},
    ],
)
async def test_json_of_another_shape_is_told_the_shape(client: httpx.AsyncClient, body: object) -> None:
    response = await client.post("/graphql", content=json.dumps(body), headers={"content-type": JSON})
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert "operationName" in only_error(response)["message"]


async def test_a_list_of_requests_is_refused_as_such(client: httpx.AsyncClient, desk: Desk) -> None:
    response = await client.post("/graphql", json=[{"query": MUTATION}] * 50)
    assert (response.status_code, code_of(response)) == (400, "BATCHING_UNSUPPORTED")
    assert desk.spent == []


async def test_get_asks_and_never_changes(client: httpx.AsyncClient, desk: Desk) -> None:
    params = {"query": "query Q($id: ID!) { node(id: $id) { id } }", "variables": '{"id": "r"}', "operationName": "Q"}
    assert (await client.get("/graphql", params=params)).json() == {"data": {"node": {"id": "r"}}}
    for method in ("GET", "HEAD"):
        response = await client.request(method, "/graphql", params={"query": MUTATION})
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    sneaky = {"query": f"query Safe {{ account {{ id }} }} {MUTATION.replace('mutation', 'mutation M')}"}
    assert (await client.get("/graphql", params={**sneaky, "operationName": "M"})).status_code == 405
    assert (await client.get("/graphql", params={**sneaky, "operationName": "Safe"})).status_code == 200
    queries = (params["query"], MUTATION, sneaky["query"])
    assert sum(desk.spent) == sum(map(reading, queries)) + 1  # the second time it is the operation alone


@pytest.mark.parametrize(
    "query",
    ["", "query=%7Baccount%7Bid%7D%7D&variables=%7B", "query=%FF", "query=a&variables=[1]", "&".join("abcdefghijkl")],
)
async def test_a_get_that_cannot_be_read_is_refused(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/graphql?{query}")
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


async def test_ten_megabytes_are_refused_before_they_are_read(client: httpx.AsyncClient) -> None:
    sent = 0

    async def body() -> object:
        nonlocal sent
        while sent < 10 * 1_048_576:
            sent += 65_536
            yield b" " * 65_536

    headers = {"content-type": JSON}
    response = await client.post("/graphql", content=body(), headers=headers)
    assert (response.status_code, code_of(response)) == (413, "LIMIT_EXCEEDED")
    extensions = only_error(response)["extensions"]
    assert (extensions["limit"], extensions["allowed"]) == ("body_bytes", 1_048_576)
    assert 1_048_576 < extensions["asked"] <= 1_048_576 + 65_536  # reading stopped there
    assert (
        await client.post("/graphql", content=b"", headers={**headers, "content-length": "9" * 15})
    ).status_code == 413


async def test_ten_megabytes_over_a_real_connection_get_an_answer_and_harm_nobody(desk: Desk) -> None:
    async with served(desk) as address, httpx.AsyncClient(headers={"accept": GRAPHQL}) as client:
        body = json.dumps({"query": "{ account { id } }", "variables": {"x": "x" * 10_485_760}})
        response = await client.post(address, content=body, headers={"content-type": JSON})
        assert (response.status_code, code_of(response)) == (413, "LIMIT_EXCEEDED")
        assert (await client.post(address, json={"query": "{ account { id } }"})).status_code == 200
        head = await client.head(address, params={"query": "{ account { id } }"})
        assert (head.status_code, head.content) == (200, b"")


async def test_who_may_not_ask_is_answered_before_the_body_is_read(desk: Desk) -> None:
    async def stranger(request: Request) -> HttpRefusal:
        words = Words("Who are you?", "请先登录。")
        return HttpRefusal(401, "UNAUTHENTICATED", words, {"www-authenticate": "Bearer"})

    desk.context_for = stranger
    headers = {"content-type": JSON, "accept-language": "zh"}
    async with desk.client() as client:
        for accept in (JSON, GRAPHQL):
            response = await client.post("/graphql", content=b"{", headers=headers | {"accept": accept})
            assert response.headers["content-type"].startswith(accept)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert (only_error(response)["message"], code_of(response)) == ("请先登录。", "UNAUTHENTICATED")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps({"query": v}).encode())
)
async def test_whatever_bytes_are_sent_the_fault_is_never_ours(client: httpx.AsyncClient, body: bytes) -> None:
    for path, sent in (("/graphql", body), ("/graphql?query=" + quote(body), None)):
        method = "POST" if sent is not None else "GET"
        response = await client.request(method, path, content=sent, headers={"content-type": JSON})
        assert response.status_code in (200, 400)


async def test_what_http_refuses_is_said_in_the_language_of_the_request(client: httpx.AsyncClient) -> None:
    response = await client.put("/graphql", headers={"accept-language": "zh-CN"})
    assert only_error(response)["message"] == "请使用 POST；查询也可使用 GET。"
