"""An id of another account, one that nobody has, one of another type and garbage get the same answer, everywhere.

Generated from the schema: a new field or argument that takes an id fails here until it has a call in `calls.py`.
"""

import json

import asyncpg
import pytest
from house import contents
from worlds import World, foreign

from contracts.calls import BY_REVIEWERS, CALLS, OTHERS, caller, document, has, id_places, replaced, staged
from greenroom.access import account_id_of
from greenroom.graph import global_id, read_id
from greenroom.paging import cursor_of

KINDS = {
    "accountId": "Account",
    "documentId": "Document",
    "anchorId": "Anchor",
    "verificationId": "Verification",
    "reviewTaskId": "ReviewTask",
    "liveRoomId": "LiveRoom",
    "castMemberId": "CastMember",
    "by.id": "Account",
    "anchor.id": "Anchor",
    "id": "LiveRoom",
    "ids.*": "LiveRoom",
}
NODES = ("account", "ana", "verification", "review", "room", "member", "record", "document", "event")
PLACES = [pytest.param(*place, id=f"{place[1]}({'.'.join(place[2])})") for place in id_places()]
ANSWERED = [place for place in PLACES if place.values[0] != "subscription"]
FOLLOWED = [place for place in PLACES if place.values[0] == "subscription"]


def kind_at(path: tuple[str, ...]) -> str:
    """The type whose id is meant at a place."""
    return next(kind for end, kind in KINDS.items() if f".{'.'.join(path)}".endswith(f".{end}"))


def test_every_place_that_takes_an_id_can_be_called() -> None:
    for kind, field, path in id_places():
        assert field in CALLS[kind], f"{field} takes an id: give it a call in calls.py"
        assert any(".".join(path).endswith(end) for end in KINDS), path


@pytest.mark.parametrize(("kind", "field", "path"), ANSWERED)
async def test_the_id_of_another_account_gets_the_answer_of_an_unknown_one(
    kind: str, field: str, path: tuple[str, ...], world: World, boss: asyncpg.Connection
) -> None:
    theirs = await staged(world)
    own = await staged(world, await world.blogger("ES"))
    other = next((OTHERS[name] for name in path if name in OTHERS), None)
    call = other or CALLS[kind][field]
    variables = {"input": call(own)} if kind == "mutation" else call(own)
    assert has(variables, path), f"the call of {field} gives nothing at {path}"
    their_id = {"Account": theirs.account, "Anchor": theirs.ana, "Verification": theirs.verification}
    their_id |= {"LiveRoom": theirs.room, "CastMember": theirs.member, "Document": theirs.document}
    their_id |= {"ReviewTask": theirs.open}
    sought = kind_at(path)
    ids = {
        "another account's": their_id[sought],
        "nobody's": foreign(sought),
        "of another type": theirs.review,
        "garbage": "../../etc/passwd",
        "nothing": "",
        "zero": "\x00",
        "long": "A" * 5_000,
    }
    before = await contents(boss)
    for client in [caller(own, field), *([own.shop] if field in BY_REVIEWERS else [])]:
        answers = dict[str, bytes]()
        for said, put in ids.items():
            if client is own.reviewer and said == "another account's":
                continue  # whom a reviewer serves is everybody
            response = await client.post(document(kind, field), replaced(variables, path, put))
            assert response.status_code == 200, (said, response.text)
            assert "errors" not in response.json(), (said, response.text)
            answers[said] = response.content.replace(put.encode() or b"\xff", b"ID")
        assert len(set(answers.values())) == 1, answers
    assert await contents(boss) == before


@pytest.mark.parametrize("after", [None, "their cursor", "garbage"])
@pytest.mark.parametrize(("kind", "field", "path"), FOLLOWED)
async def test_the_id_of_another_account_is_followed_like_an_unknown_one(
    kind: str, field: str, path: tuple[str, ...], after: str | None, world: World
) -> None:
    theirs, own = await staged(world), await staged(world, await world.blogger("ES"))
    variables = CALLS[kind][field](own)
    key = read_id(theirs.account)[1]
    given = cursor_of((key.account_id, 1)) if after == "their cursor" else after
    query = document(kind, field).replace(f"{field}(", f"{field}(after: {json.dumps(given)}, ")
    ids = (theirs.account, foreign("Account"), theirs.review, "../../etc/passwd", "", "\x00", "A" * 5_000)
    answers = set[str]()
    for id in ids:
        body = {"query": query, "variables": replaced(variables, path, id)}
        headers = own.shop.headers() | {"accept": "text/event-stream"}
        response = await world.http.post("/graphql/stream", json=body, headers=headers)
        assert response.status_code == 200, response.text
        answers.add(response.text)
    assert len(answers) == 1, answers
    assert "NOT_FOUND" in answers.pop()


@pytest.mark.parametrize("name", NODES)
async def test_no_node_of_another_account_is_shown(name: str, world: World) -> None:
    theirs, other = await staged(world), await world.seller("ES")
    their_id = getattr(theirs, name)
    query = "query($id: ID!) { node(id: $id) { __typename } nodes(ids: [$id]) { __typename } }"
    assert await other.ask(query, {"id": their_id}) == {"node": None, "nodes": [None]}
    assert await world.anonymous().ask(query, {"id": their_id}) == {"node": None, "nodes": [None]}
    shown = await theirs.shop.ask(query, {"id": their_id})
    assert shown["node"], "its own people see it"


async def test_a_review_task_is_shown_to_reviewers_alone(world: World) -> None:
    stage = await staged(world)
    query = """query($id: ID!, $of: ID!) {
        node(id: $id) { __typename } of: node(id: $of) { ... on Verification { reviewTask { id } } } }"""
    asked = {"id": stage.task, "of": stage.dora}
    for client in (stage.shop, world.staff("ADMINISTER", "AUDIT"), world.client(accounts=[stage.shop.external_id])):
        assert await client.ask(query, asked) == {"node": None, "of": {"reviewTask": None}}
    shown = await stage.reviewer.ask(query, asked)
    assert shown == {"node": {"__typename": "ReviewTask"}, "of": {"reviewTask": {"id": stage.task}}}


async def test_an_account_is_hidden_by_its_external_id_too(world: World) -> None:
    theirs, other = await world.seller(), await world.seller()
    query = "query($id: String!) { account(by: { externalId: $id }) { name } }"
    answers = [await other.ask(query, {"id": each}) for each in (theirs.external_id, "nobody-has-this", "", "\x00")]
    assert answers == [{"account": None}] * 4


async def test_the_cursor_of_another_account_opens_nothing(world: World) -> None:
    theirs, own = await staged(world), await staged(world, await world.blogger("ES"))
    found = await theirs.shop.call("Rooms", {"accountId": theirs.account})
    after = found["account"]["liveRooms"]["edges"][0]["cursor"]
    shown = await own.shop.call("Rooms", {"accountId": own.account, "after": after})
    mine = {edge["node"]["id"] for edge in shown["account"]["liveRooms"]["edges"]}
    assert mine <= {own.room, own.live}


async def test_an_account_has_one_id(world: World) -> None:
    shop = await world.seller()
    key = read_id(shop.account_id)[1]
    alias = global_id("Account", key.account_id, account_id_of("nobody"))
    assert await shop.ask("query($id: ID!) { node(id: $id) { id } }", {"id": alias}) == {"node": None}
    (error,) = await shop.refused("AddAnchor", accountId=alias, anchor={"displayName": "Ana", "nationality": "ES"})
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "accountId"])
