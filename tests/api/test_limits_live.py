"""Limits, costs and refusals of the real application, over HTTP: whatever is sent, the fault is never ours."""

import json
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from clients import OPERATIONS, Client, Data, Shop, document, picked
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, get_nullable_type, is_list_type
from worlds import World

from greenroom.cost import LISTS, reading
from greenroom.law.admission import BASES
from greenroom.law.paths import CELLS
from greenroom.law.policies import KNOBS, PACKS
from greenroom.law.requirements import OPTIONAL, kinds
from greenroom.law.terms import VerificationPath
from greenroom.paging import CURSOR_LENGTH_MAX
from greenroom.requests import GRAPHQL, JSON
from greenroom.rooms.cast import CAST_SIZE_MAX
from greenroom.running import REFUSED_COST
from greenroom.schema import build
from greenroom.sealing import _IGNORABLE
from greenroom.text import JOINERS, SELECTORS, folded
from greenroom.tokens import ACCOUNTS_MAX

QUERY = "{ viewer { id } }"
PLANTED = "maria@example.com"


@pytest.fixture
async def shop(world: World) -> Shop:
    return await world.seller()


def only_error(response: httpx.Response) -> Data:
    """The one error of an answer without data."""
    body = response.json()
    assert list(body) == ["errors"], body
    (error,) = body["errors"]
    assert isinstance(error, dict)
    return error


# --- What it costs -----------------------------------------------------------------------------------------------

# By hand, from docs/client.md: an object is 1, a list what it may hold.
BASIS = 1 + 4 + 3  # lines, overrides
REQUIREMENT = 1 + BASIS + 8 * (1 + 1)  # items, a finding of each
BLOCKER = 1 + BASIS + 1 + 1 + REQUIREMENT  # the member of the cast and its anchor
ADMISSION = 1 + 1 + 20 * BLOCKER  # the policy
ATTEMPT = 1 + (1 + 1) + 20 * (1 + 1)  # a review, documents, a finding of each
MEMBER = 1 + 1 + ATTEMPT + REQUIREMENT
ROOM = 1 + 20 * MEMBER + ADMISSION
PROBLEM = 1 + 20 * BLOCKER


@pytest.mark.parametrize(
    ("name", "more", "points"),
    [
        ("RememberedAnchors", {}, 1 + 1 + 1 + 20 * (1 + 1 + 1)),
        ("RememberedAnchors", {"first": 100}, 1 + 1 + 1 + 100 * (1 + 1 + 1)),
        ("Rooms", {}, 1 + 1 + 1 + 20 * (1 + 1 + 20 * (1 + 1 + 1))),
        ("Rooms", {"first": 100}, 1 + 1 + 1 + 100 * (1 + 1 + 20 * (1 + 1 + 1))),
        ("Admission", {}, 1 + ADMISSION),
    ],
)
async def test_what_an_operation_costs_is_what_the_guide_says(
    name: str, more: Data, points: int, world: World, shop: Shop
) -> None:
    room = await shop.room(start=world.tonight())
    variables = {"accountId": shop.account_id} | more if name != "Admission" else {"id": room["id"]}
    response = await shop.send(name, variables)
    assert (response.status_code, response.headers["ratelimit-cost"]) == (200, str(points)), response.text
    asked = re.sub(r"\{", "{ rateLimit { cost limit remaining resetAt }", document(name), count=1)
    response = await shop.post(asked, variables)
    told, headers = response.json()["data"]["rateLimit"], response.headers
    assert told["cost"] == int(headers["ratelimit-cost"]) == points + 1
    assert told["limit"] == int(headers["ratelimit-limit"]) == 1_000_000
    assert told["remaining"] == int(headers["ratelimit-remaining"])
    reset_in = datetime.fromisoformat(told["resetAt"]) - world.clock.now
    assert abs(reset_in - timedelta(seconds=int(headers["ratelimit-reset"]))) < timedelta(seconds=1)


async def test_what_creating_a_room_costs_is_what_the_guide_says(world: World, shop: Shop) -> None:
    anchor = await shop.anchor()
    start = world.tonight()
    input = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": start, "cast": [picked(anchor["id"])]}
    response = await shop.send("CreateRoom", {"input": input})
    assert response.json()["data"]["liveRoomCreate"]["liveRoom"]
    assert response.headers["ratelimit-cost"] == str(10 + ROOM + PROBLEM)


async def test_what_is_spent_is_gone(world: World) -> None:
    shop = await world.seller(subject="spender")
    variables = {"accountId": shop.account_id, "first": 100}
    left = [int((await shop.send("Rooms", variables)).headers["ratelimit-remaining"]) for _ in range(5)]
    refilled = 100 * 10  # a look at the clock takes it a millisecond on
    for before, after in zip([1_000_000, *left[:-1]], left, strict=True):
        assert before - 6_203 <= after <= before - 6_203 + refilled


async def test_ids_and_the_accounts_of_a_token_cost_as_many_as_there_may_be(shop: Shop) -> None:
    query = "query Q($ids: [ID!]!) { nodes(ids: $ids) { id ... on Account { console { __typename } } } }"
    for count in (100, 3):
        response = await shop.post(query, {"ids": [shop.account_id] * count})
        assert response.headers["ratelimit-cost"] == str(max(2 * count, reading(query) if count == 100 else 0))
    response = await shop.post("{ viewer { accounts { id } } }")
    assert response.headers["ratelimit-cost"] == str(1 + 100)
    deep = "query Q($ids: [ID!]!) { nodes(ids: $ids) { ... on LiveRoom { cast { anchor { documents { id } } } } } }"
    error = only_error(await shop.post(deep, {"ids": [shop.account_id] * 100}))
    assert error["extensions"]["asked"] == 100 * (1 + 20 * (1 + 1 + 20)) > error["extensions"]["allowed"]


def test_every_list_counts_as_what_it_may_hold() -> None:
    for kind in build()._schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) or kind.name.startswith("__"):
            continue
        for name, field in kind.fields.items():
            holds_objects = hasattr(get_named_type(field.type), "fields")
            if is_list_type(get_nullable_type(field.type)) and holds_objects and "pageInfo" not in kind.fields:
                assert name in LISTS or "ids" in field.args, f"{kind.name}.{name}"
    bases = [*BASES.values(), *(cell.basis for cells in CELLS.values() for cell in cells.values())]
    assert LISTS["lines"] == max(len(basis.lines) for basis in bases)
    assert LISTS["overrides"] == max(len(basis.overrides) for basis in bases)
    paths = [(path, pack) for path in VerificationPath for pack in PACKS.values()]
    most = max(len(kinds(path, policy=pack)) + len(OPTIONAL[path]) for path, pack in paths)
    assert LISTS["items"] in (most, most + 1)  # a face check, where a policy asks for one
    assert LISTS["knobs"] == len(KNOBS)
    assert LISTS["cast"] == LISTS["entries"] == CAST_SIZE_MAX
    assert LISTS["accounts"] == ACCOUNTS_MAX
    assert LISTS["cells"] == 16
    guide = " ".join((OPERATIONS.parent / "docs" / "client.md").read_text().split())
    told = guide[guide.index("Any other list counts") :].partition(". ")[0]
    for names, count in re.findall(r"((?:`\w+`(?:,? and |, )?)+) (\d+)", told):
        assert {LISTS[name] for name in re.findall(r"`(\w+)`", names)} == {int(count)}


async def test_who_has_no_token_pays_for_reading_as_well(world: World) -> None:
    stranger = world.anonymous()
    query = "{ viewer { " + "nothing " * 90 + "} }"
    costs = [(await stranger.post(query)).headers["ratelimit-cost"] for _ in range(2)]
    assert costs == [str(reading(query)), str(REFUSED_COST)]


# --- Who may not ask ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_a_token_that_does_not_hold_is_401_in_the_media_type_asked_for(world: World, accept: str) -> None:
    good = world.token(["account-1"])
    head, claims, signature = good.split(".")
    soon = {"expires_in": timedelta(hours=1), "now": world.clock.now}
    parts = {"accounts": [], "permissions": []} | soon
    foreign = world.signer.sign("mei", **(parts | {"audience": "another"}))
    expired = world.signer.sign("mei", **parts | {"audience": "greenroom", "now": world.clock.now - timedelta(days=1)})
    forged = f"{head}.{claims[:-4]}AAAA.{signature}"
    unsigned = urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=") + f".{claims}."
    for token in (foreign, expired, forged, unsigned, "x", "", f"{head}.{claims}.", good + "x"):
        headers = {"authorization": f"Bearer {token}", "accept": accept, "accept-language": "zh"}
        for sent in ({"json": {"query": QUERY}}, {"content": b"{", "headers": headers | {"content-type": JSON}}):
            response = await world.http.post("/graphql", **({"headers": headers} | sent))  # type: ignore[arg-type]
            assert response.status_code == 401, token
            assert response.headers["content-type"].startswith(accept)
            assert response.headers["www-authenticate"].startswith("Bearer")
            error = only_error(response)
            assert error["extensions"]["code"].startswith("TOKEN_")
            assert re.search("[一-鿿]", error["message"])


async def test_an_operation_has_the_present_in_which_its_body_was_in(world: World, shop: Shop) -> None:
    """A caller who sends slowly is no earlier for it: a launch in the meantime counts."""
    await world.policy(launch_at=world.clock.now + timedelta(hours=1))
    phase = "{ admissionPolicy { phase } }"
    assert (await shop.ask(phase))["admissionPolicy"]["phase"] != "ENFORCED"

    async def body() -> AsyncIterator[bytes]:
        yield b'{"query": '
        world.clock.advance(hours=2)
        yield json.dumps(phase).encode() + b"}"

    headers = shop.headers() | {"content-type": JSON}
    response = await world.http.post("/graphql", content=body(), headers=headers)
    assert response.json() == {"data": {"admissionPolicy": {"phase": "ENFORCED"}}}


# --- What cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"query": "{ viewer', b"\xff\xfe", b"[" * 100_000, b"NaN", b"7", b"[]"]
)
async def test_malformed_json_is_400(content: bytes, shop: Shop) -> None:
    response = await shop.http.post("/graphql", content=content, headers=shop.headers() | {"content-type": JSON})
    assert response.status_code == 400
    assert only_error(response)["extensions"]["code"] in ("BAD_REQUEST", "BATCHING_UNSUPPORTED")


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data; boundary=x", "application/graphql"])
async def test_another_content_type_is_415(content_type: str, shop: Shop) -> None:
    body = json.dumps({"query": QUERY})
    response = await shop.http.post("/graphql", content=body, headers=shop.headers() | {"content-type": content_type})
    assert (response.status_code, response.headers["accept-post"]) == (415, JSON)


async def test_a_mutation_by_get_is_405_and_other_methods_too(shop: Shop) -> None:
    params = {"query": document("AddAnchor"), "variables": '{"input": {}}'}
    response = await shop.http.get("/graphql", params=params, headers=shop.headers())
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert (await shop.http.request(method, "/graphql", headers=shop.headers())).status_code == 405


async def test_a_body_of_ten_megabytes_is_413(shop: Shop) -> None:
    response = await shop.post(QUERY, {"x": "x" * 10_485_760})
    assert response.status_code == 413
    extensions = only_error(response)["extensions"]
    assert (extensions["code"], extensions["limit"]) == ("LIMIT_EXCEEDED", "body_bytes")


@pytest.mark.parametrize(
    ("query", "limit", "asked"),
    [
        ("{ account " * 200 + "}" * 200, "depth", 200),
        ("{ account " * 201 + "}" * 201, "depth", 201),
        ("{ account " * 900 + "}" * 900, "depth", 900),
        ("{ a " * 10_000 + "}" * 10_000, "depth", 10_000),
        ("{ " + " ".join(f"a{i}: viewer {{ id }}" for i in range(1_000)) + " }", "tokens", 2_001),
        ("{ viewer { " + " ".join(f"a{i}: id" for i in range(600)) + " } }", "aliases", 600),
    ],
)
async def test_a_document_beyond_a_limit_is_told_the_limit(query: str, limit: str, asked: int, shop: Shop) -> None:
    response = await shop.post(query)
    assert response.status_code == 400
    extensions = only_error(response)["extensions"]
    assert (extensions["code"], extensions["limit"], extensions["asked"]) == ("LIMIT_EXCEEDED", limit, asked)
    assert extensions["allowed"] < asked


WRONG: dict[str, Data] = {
    "instant": {"scheduledStartAt": PLANTED},
    "instant with a T": {"scheduledStartAt": f"2026-11-11T{PLANTED}"},
    "enum": {"cast": [{"anchor": {"id": "x"}, "location": PLANTED}]},
    "enum of two lines": {"cast": [{"anchor": {"id": "x"}, "location": f"'\n{PLANTED}'"}]},
    "list for a text": {"title": [PLANTED]},
    "text for a list": {"cast": PLANTED},
    "one too many": {"cast": [{"anchor": {"id": "x", "name": PLANTED}, "location": "IN_CHINA"}]},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_a_value_of_the_wrong_type_is_not_quoted(wrong: Data, shop: Shop) -> None:
    room = {"accountId": "x", "title": "T", "scheduledStartAt": "2026-12-01T00:00:00Z", "cast": []}
    response = await shop.send("CreateRoom", {"input": room | wrong})
    assert response.status_code == 400
    assert PLANTED not in response.text


async def test_a_literal_of_the_wrong_type_is_not_quoted(shop: Shop) -> None:
    for literal in (f'"{PLANTED}"', f'"2026-11-11T{PLANTED}"', "MARIA"):
        response = await shop.post(f"{{ account(by: {literal}) {{ liveRooms(status: {literal}) {{ __typename }} }} }}")
        assert response.status_code == 400
        assert PLANTED not in response.text
        assert "'MARIA'" not in response.text
    response = await shop.post(f'{{ viewer "{PLANTED}" }}')
    assert (response.status_code, PLANTED in response.text) == (400, False)


# --- Names -------------------------------------------------------------------------------------------------------


def hidden() -> list[str]:
    """Every character that Unicode ignores when it shows text, joiners and selectors of forms apart."""
    every = (chr(i) for i in range(0x110000))
    return [
        c
        for c in every
        if (unicodedata.category(c) == "Cf" or _IGNORABLE.match(c)) and c not in JOINERS and not SELECTORS.match(c)
    ]


async def names_refused(shop: Shop, names: list[str]) -> list[str]:
    """Those of many names that cannot be an anchor's, in casts of twenty."""
    found = []
    for start in range(0, len(names), 20):
        part = names[start : start + 20]
        cast = [
            {"anchor": {"new": {"displayName": name, "nationality": "ES"}}, "location": "IN_CHINA"} for name in part
        ]
        room = {"accountId": shop.account_id, "title": "", "scheduledStartAt": "2026-12-01T00:00:00Z", "cast": cast}
        errors = await shop.refused("CreateRoom", **room)  # for its title at least
        found += [part[int(error["field"][2])] for error in errors if error["field"][1] == "cast"]
    return found


async def test_no_name_holds_what_nobody_sees(shop: Shop) -> None:
    names = [f"Ana{c}B" for c in hidden()]
    names += ["\u3164", "\u2800", "\u2800\u2800", "A\u2800B", "\u3164\u115f", "Ana\ufe0f\ufe0f", "\ufe0fAna"]
    names += [f"{joiner}Ana" for joiner in JOINERS] + [f"Ana{joiner}" for joiner in JOINERS]
    names += ["An\u200d\u200da", "An\u200d a", "An \u200da", "\u0301", "\u200d"]
    assert await names_refused(shop, names) == names


async def test_a_name_may_be_of_any_people_and_of_faces(shop: Shop) -> None:
    names = [
        "👨‍👩‍👧",
        "❤️‍🔥 Ana",
        "👍🏽",
        "1️⃣ 号主播",
        "می‌خواهم",
        "ශ්‍රී ලංකා",
        "क्‍ष",
        "葛\U000e0100城",
        "ᠮᠣᠩ᠋ᠭ",
        "Ñandú",
        "é",
        "한국",
    ]
    assert await names_refused(shop, names) == []
    for name in names:
        assert (await shop.anchor(name))["displayName"] == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("nationality", ["ß", "ﬁ", "ıe", "ＥＳ", "Eſ", "ﬆ"])  # in capitals: SS, FI, IE, ＥＳ, ES, ST
async def test_what_only_looks_like_a_country_in_capitals_is_none(nationality: str, shop: Shop) -> None:
    (error,) = await shop.refused(
        "AddAnchor", accountId=shop.account_id, anchor={"displayName": "Ana", "nationality": nationality}
    )
    assert (error["code"], error["field"]) == ("INVALID", ["input", "anchor", "nationality"])
    assert (await shop.anchor(nationality=" es "))["nationality"] == "ES"


# --- Cursors -----------------------------------------------------------------------------------------------------

ID = "01999999-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        *(("anchors", [name, ID]) for name in (["a"], {"a": 1}, 1, True, None, 1.5)),
        *(("anchors", ["a", given]) for given in (1, ["x"], {}, None, True, "x")),
        *(("auditEvents", [seq]) for seq in (True, 1.0, "1", "1_0", ["1"], {}, None, 2**63, -(2**63))),
        *(("rememberedAnchors", [at, ID]) for at in (1, ["a"], "2026-11-24", "2026-11-24T12:00:00", True)),
        *(("liveRooms", [given]) for given in (1, ["x"], {}, True, None)),
    ],
)
@pytest.mark.parametrize("argument", ["after", "before"])
async def test_a_cursor_takes_each_value_in_its_own_type(
    field: str, said: list[Any], argument: str, shop: Shop
) -> None:
    cursor = urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    query = (
        f"query Q($id: ID!, $c: String) {{ account(by: {{ id: $id }}) {{ {field}({argument}: $c) {{ __typename }} }} }}"
    )
    response = await shop.post(query, {"id": shop.account_id, "c": cursor})
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": argument}


async def walked(client: Client, query: str, variables: Data) -> list[str]:
    """The names that a list shows, one a page, to its end."""
    names: list[str] = []
    after = None
    while True:
        (page,) = (await client.ask(query, variables | {"after": after})).values()
        page = page.get("page", page)
        names += [edge["node"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return names


PAGE = "pageInfo { hasNextPage endCursor } edges { node { name%s } }"


async def test_the_longest_names_are_paged_to_the_end(world: World, shop: Shop) -> None:
    names = ["😀" * 80, "ﷺ" * 80, "李" * 80, "\\" * 80, '"' * 80, "ﷺ" * 79 + "a", "a"]
    for name in names:
        await shop.anchor(name)
    roster = "page: anchors(first: 1, after: $after) { " + PAGE % ": displayName" + " }"
    query = f"query Q($id: ID!, $after: String) {{ account(by: {{ id: $id }}) {{ {roster} }} }}"
    assert sorted(await walked(shop, query, {"id": shop.account_id})) == sorted(names)
    accounts = ["天" * 120, "ﷺ" * 120, "ﷺ" * 119 + "b", "😀" * 120]
    for name in accounts:
        await world.seller(name=name)
    query = "query Q($after: String) { accounts(first: 1, after: $after) { " + PAGE % "" + " } }"
    assert sorted(await walked(world.staff(), query, {})) == sorted([*accounts, "双十一小店"])


def test_no_name_folds_to_more_than_a_cursor_holds() -> None:
    every = (chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000)
    longest = max(len(json.dumps(folded(c * 120), ensure_ascii=False).encode()) for c in every)
    assert (longest + len(f'[,"{ID}"]')) * 4 / 3 <= CURSOR_LENGTH_MAX
