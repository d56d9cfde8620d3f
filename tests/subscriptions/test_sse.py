"""GraphQL over SSE in both its modes, and what keeps a stream from costing more than it may."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from clients import Data, Shop, document
from worlds import World

from greenroom import sse
from subscriptions.test_changes import attempt_of, happen, left
from subscriptions.test_sockets import CANCEL, FOLLOW
from subscriptions.wires import CHANGES, WITHIN_S, Wire, wired

EVENTS = {"accept": "text/event-stream"}
TOKEN = "x-graphql-event-stream-token"


@asynccontextmanager
async def asker(wire: Wire, token: str | None, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    given = headers | ({"authorization": f"Bearer {token}"} if token else {})
    async with httpx.AsyncClient(base_url=wire.http, headers=given, timeout=WITHIN_S) as client:
        yield client


def body(shop: Shop | str, after: str | None = None, **more: Any) -> Data:
    account = shop if isinstance(shop, str) else shop.account_id
    return {
        "query": document(CHANGES),
        "operationName": CHANGES,
        "variables": {"accountId": account, "after": after},
    } | more


class Told:
    """The events of one response; comments apart."""

    def __init__(self, response: httpx.Response) -> None:
        self.lines, self.comments = response.aiter_lines(), 0

    async def next(self) -> tuple[str, Any]:
        """The next event: its name and its data. Raises StopAsyncIteration at the end."""
        return await asyncio.wait_for(self._next(), WITHIN_S)

    async def _next(self) -> tuple[str, Any]:
        event: dict[str, str] = {}
        while line := await anext(self.lines):
            name, _, value = line.partition(":")
            event[name] = value.strip()
        if "event" not in event:
            self.comments += 1
            return await self._next()
        return event["event"], json.loads(event["data"]) if event["data"] else None


@asynccontextmanager
async def followed(client: httpx.AsyncClient, asked: Mapping[str, Any]) -> AsyncIterator[Told]:
    async with client.stream("POST", "/graphql/stream", json=asked, headers=EVENTS) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Told(response)


def status_of(told: tuple[str, Any]) -> str:
    assert told[0] == "next", told
    found: str = told[1]["data"]["verificationStatusChanged"]["status"]
    return found


async def test_a_post_that_accepts_events_is_answered_with_them(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with asker(wire, shop.sign()) as client:
        async with followed(client, body(shop)) as told:
            await happen(world, attempt, ["REJECTED", "SUBMITTED"])
            first = await told.next()
            assert status_of(first) == "REJECTED"
        await happen(world, attempt, ["APPROVED"])
        async with followed(client, body(shop, first[1]["data"]["verificationStatusChanged"]["cursor"])) as told:
            assert [status_of(await told.next()) for _ in range(2)] == ["SUBMITTED", "APPROVED"]
    await left(wire)


async def test_a_get_with_the_operation_in_its_url_is_answered_alike(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    asked = {"query": FOLLOW, "variables": json.dumps({"id": shop.account_id})}
    async with (
        asker(wire, shop.sign()) as client,
        client.stream("GET", "/graphql/stream", params=asked, headers=EVENTS) as response,
    ):
        await happen(world, attempt, ["APPROVED"])
        assert (await Told(response).next())[0] == "next"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (body("nobody's"), "NOT_FOUND"),
        ({"query": "subscription {"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "subscription { nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": FOLLOW}, "BAD_USER_INPUT"),
        ({"query": CANCEL}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "{ viewer { name } }"}, "OPERATION_RESOLUTION_FAILURE"),
    ],
)
async def test_what_does_not_run_says_so_and_completes(wire: Wire, world: World, asked: Data, code: str) -> None:
    shop = await world.seller()
    async with asker(wire, shop.sign()) as client, followed(client, asked) as told:
        event, data = await told.next()
        assert (event, data["errors"][0]["extensions"]["code"]) == ("next", code)
        assert await told.next() == ("complete", None)
        with pytest.raises(StopAsyncIteration):
            await told.next()
    await left(wire)


@pytest.mark.parametrize(
    ("method", "headers", "content", "status"),
    [
        ("POST", {"accept": "application/json"}, "{}", 406),
        ("POST", EVENTS | {"content-type": "text/plain"}, "{}", 415),
        ("POST", EVENTS, "no JSON", 400),
        ("POST", EVENTS, "[]", 400),
        ("POST", EVENTS, json.dumps({"query": "x" * 1_048_576}), 413),
        ("GET", EVENTS, "", 400),
        ("PATCH", EVENTS, "", 405),
        ("OPTIONS", EVENTS, "", 405),
        ("DELETE", {}, "", 404),
        ("GET", EVENTS | {TOKEN: "unknown"}, "", 404),
        ("POST", EVENTS | {TOKEN: "unknown"}, json.dumps({"query": FOLLOW}), 404),
        ("DELETE", {TOKEN: "unknown"}, "", 404),
    ],
)
async def test_what_http_itself_refuses(
    wire: Wire, world: World, method: str, headers: dict[str, str], content: str, status: int
) -> None:
    shop = await world.seller()
    async with asker(wire, shop.sign(), **{"content-type": "application/json"} | headers) as client:
        response = await client.request(method, "/graphql/stream", content=content)
    assert response.status_code == status, response.text
    assert response.json()["errors"][0]["extensions"]["code"]
    await left(wire)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("token", [None, "nonsense"])
async def test_who_does_not_say_who_they_are_is_refused(wire: Wire, method: str, token: str | None) -> None:
    async with asker(wire, token, **EVENTS) as client:
        response = await client.request(method, "/graphql/stream", json={"query": FOLLOW})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def reserved(client: httpx.AsyncClient) -> dict[str, str]:
    """Make a reservation; returns the header that names it."""
    response = await client.put("/graphql/stream")
    assert response.status_code == 201
    assert response.headers["content-type"].startswith("text/plain")
    return {TOKEN: response.text}


async def test_one_stream_carries_several_operations_each_ended_alone(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with asker(wire, shop.sign()) as client:
        token = await reserved(client)
        async with client.stream("GET", "/graphql/stream", params={"token": token[TOKEN]}, headers=EVENTS) as response:
            told = Told(response)
            again = await client.get("/graphql/stream", headers=token | EVENTS)
            assert again.status_code == 409
            for id in ("a", "b", "c"):
                asked = body("nobody's" if id == "c" else shop, extensions={"operationId": id})
                assert (await client.post("/graphql/stream", json=asked, headers=token)).status_code == 202
            event, data = await told.next()
            assert (event, data["id"], data["payload"]["errors"][0]["extensions"]["code"]) == ("next", "c", "NOT_FOUND")
            assert await told.next() == ("complete", {"id": "c"})
            twice = await client.post(
                "/graphql/stream", json=body(shop, extensions={"operationId": "a"}), headers=token
            )
            assert twice.status_code == 409
            await happen(world, attempt, ["APPROVED"])
            assert {(await told.next())[1]["id"] for _ in range(2)} == {"a", "b"}
            ended = await client.delete("/graphql/stream", params={"operationId": "a"}, headers=token)
            assert ended.status_code == 200
            await happen(world, attempt, ["REVOKED"])
            event, data = await told.next()
            assert (event, data["id"]) == ("next", "b")
        await left(wire)
        gone = await client.get("/graphql/stream", headers=token | EVENTS)
        assert gone.status_code == 404


async def test_an_operation_may_begin_before_its_stream_is_open(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with asker(wire, shop.sign()) as client:
        token = await reserved(client)
        asked = body(shop, extensions={"operationId": "a"})
        assert (await client.post("/graphql/stream", json=asked, headers=token)).status_code == 202
        await happen(world, attempt, ["APPROVED"])
        async with client.stream("GET", "/graphql/stream", headers=token | EVENTS) as response:
            assert (await Told(response).next())[1]["id"] == "a"


async def test_a_reservation_that_nobody_opens_lapses(
    wire: Wire, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "OPENED_WITHIN_S", 0.3)
    shop = await world.seller()
    async with asker(wire, shop.sign()) as client:
        token = await reserved(client)
        asked = body(shop, extensions={"operationId": "a"})
        assert (await client.post("/graphql/stream", json=asked, headers=token)).status_code == 202
        await left(wire)
        assert (await client.get("/graphql/stream", headers=token | EVENTS)).status_code == 404


async def test_an_operation_whose_stream_ended_meanwhile_does_not_begin(
    wire: Wire, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, begin, gate, asked_for = await world.seller(), wire.streams.begin, asyncio.Event(), asyncio.Event()

    async def held(*given: Any) -> Any:
        asked_for.set()
        await gate.wait()
        return await begin(*given)

    monkeypatch.setattr(wire.streams, "begin", held)
    async with asker(wire, shop.sign()) as client:
        token = await reserved(client)
        asked = body(shop, extensions={"operationId": "a"})
        async with client.stream("GET", "/graphql/stream", headers=token | EVENTS):
            posting = asyncio.create_task(client.post("/graphql/stream", json=asked, headers=token))
            await asked_for.wait()
        while wire.streams.open:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        gate.set()
        assert (await posting).status_code == 404
    await left(wire)


async def test_the_stream_of_somebody_else_is_none(wire: Wire, world: World) -> None:
    shop, other = await world.seller(), await world.seller()
    async with asker(wire, shop.sign()) as client, asker(wire, other.sign()) as stranger:
        token = await reserved(client)
        asked = body(other, extensions={"operationId": "a"})
        posted = await stranger.post("/graphql/stream", json=asked, headers=token)
        ended = await stranger.delete("/graphql/stream", params={"operationId": "a"}, headers=token)
        assert (posted.status_code, ended.status_code) == (404, 404)


@pytest.mark.parametrize("extensions", [None, {}, {"operationId": 7}, {"operationId": ""}, {"operationId": "x" * 256}])
async def test_an_operation_of_a_shared_stream_needs_an_id(wire: Wire, world: World, extensions: Any) -> None:
    shop = await world.seller()
    async with asker(wire, shop.sign()) as client:
        token = await reserved(client)
        asked = body(shop, extensions=extensions)
        assert (await client.post("/graphql/stream", json=asked, headers=token)).status_code == 400
        assert (await client.delete("/graphql/stream", headers=token)).status_code == 400
        invalid = {"query": "subscription { nothing }", "extensions": {"operationId": "a"}}
        assert (await client.post("/graphql/stream", json=invalid, headers=token)).status_code == 400


async def test_places_are_bounded(world: World) -> None:
    shop = await world.seller()
    async with wired(world, subscriptions_of_actor_max=1) as wire, asker(wire, shop.sign()) as client:
        async with followed(client, body(shop)):
            second = await client.post("/graphql/stream", json=body(shop), headers=EVENTS)
            assert (second.status_code, second.json()["errors"][0]["extensions"]["limit"]) == (429, "connections")
            assert (await client.put("/graphql/stream")).status_code == 429
        await left(wire)
        async with followed(client, body(shop)):
            pass


async def test_a_full_process_says_try_again(world: World) -> None:
    shop, other = await world.seller(), await world.seller()
    async with (
        wired(world, subscriptions_max=1) as wire,
        asker(wire, shop.sign()) as client,
        followed(client, body(shop)),
        asker(wire, other.sign()) as late,
    ):
        response = await late.post("/graphql/stream", json=body(other), headers=EVENTS)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")


async def test_a_token_that_expired_is_told_and_ends_the_stream(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with asker(wire, shop.sign()) as client, followed(client, body(shop)) as told:
        world.clock.advance(hours=2)
        await happen(world, attempt, ["APPROVED"])
        event, data = await told.next()
        assert (event, data["errors"][0]["extensions"]["code"]) == ("next", "TOKEN_EXPIRED")
        assert await told.next() == ("complete", None)
    await left(wire)


async def test_a_token_that_expired_ends_a_quiet_stream_at_the_next_heartbeat(wire: Wire, world: World) -> None:
    shop = await world.seller()
    async with asker(wire, shop.sign()) as client, followed(client, body(shop)) as told:
        (channel,) = wire.streams.open
        await channel.beat()
        world.clock.advance(hours=2)
        await channel.beat()
        assert (await told.next())[1]["errors"][0]["extensions"]["code"] == "TOKEN_EXPIRED"
        assert await told.next() == ("complete", None)
        assert told.comments == 2


async def test_at_the_end_of_the_process_streams_break_off_so_that_clients_come_again(world: World) -> None:
    shop = await world.seller()
    async with wired(world) as wire, asker(wire, shop.sign()) as client, followed(client, body(shop)) as told:
        wire.server.should_exit = True
        with pytest.raises(StopAsyncIteration):
            await told.next()


async def test_a_subscription_sent_elsewhere_is_shown_the_way(world: World) -> None:
    shop = await world.seller()
    response = await shop.post(FOLLOW, {"id": shop.account_id})
    assert response.status_code == 400
    assert "/graphql/stream" in response.json()["errors"][0]["message"]
