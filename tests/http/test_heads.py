"""What comes beside a body is bounded in size and time, seen over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from desk import Desk, served
from standin import Context
from starlette.requests import Request

from greenroom import serving
from greenroom.heads import BYTES_MAX, Heads
from greenroom.limits import Limits
from greenroom.requests import GRAPHQL, JSON

QUERY = json.dumps({"query": "{ account { id } }"}).encode()
HEAD = b"POST /graphql HTTP/1.1\r\nhost: greenroom.test\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(QUERY) + QUERY
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hasty(Heads):
    seconds_max = 0.2


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(address).port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other side closes; a test that waits for ever has failed."""
    found = b""
    async with asyncio.timeout(20):
        with suppress(ConnectionResetError):
            while some := await reader.read(65_536):
                found += some
    return found


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The status line and the body of one answer."""
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        return head.partition(b"\r\n")[0] + b" " + await reader.readexactly(length)


async def drip(writer: asyncio.StreamWriter, drop: bytes) -> None:
    """Send a little again and again."""
    with suppress(OSError):
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)


async def closed(connection: Connection, *, drop: bytes = b"") -> bytes:
    """All that comes until the other side closes, although a little more is sent again and again."""
    dripping = asyncio.create_task(drip(connection[1], drop)) if drop else None
    try:
        return await all_of(connection[0])
    finally:
        if dripping:
            dripping.cancel()


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"x: " + b"y" * BYTES_MAX + b"\r\n\r\n",
        HEAD + b"x: " + b"y" * BYTES_MAX,
        HEAD + b"x: y\r\n" * 20_000 + b"\r\n",
        b"GET /graphql?" + b"y" * BYTES_MAX + b" HTTP/1.1\r\n\r\n",
        WHOLE.replace(b"\r\n\r\n", b"\r\nx: " + b"y" * BYTES_MAX + b"\r\n\r\n"),
    ],
    ids=["one header", "without an end", "many", "the address", "with a body behind it"],
)
async def test_a_head_that_is_too_large_is_refused(head: bytes) -> None:
    async with served(Desk()) as address, connected(address) as (reader, writer):
        writer.write(head)
        assert (await all_of(reader)).startswith(b"HTTP/1.1 431 ")


async def test_what_is_sent_beside_a_body_for_ever_is_not_read_for_ever() -> None:
    chunked = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    async with served(Desk()) as address:
        for begun in (b"", HEAD, HEAD + b"x: ", chunked, chunked + b"0\r\n", chunked + b"0\r\nx: ", chunked + b"1;x="):
            async with connected(address) as (reader, writer):
                with suppress(OSError):
                    writer.write(begun)
                    for _ in range(100):
                        writer.write(b"y" * 65_536)
                        await writer.drain()
                await all_of(reader)
        async with httpx.AsyncClient() as client:
            assert (await client.post(address, content=QUERY, headers={"content-type": JSON})).status_code == 200


async def test_the_largest_head_passes_and_so_does_a_large_body_behind_it() -> None:
    body = json.dumps({"query": "{ account { id } }", "variables": {"x": "x" * 1_000_000}}).encode()
    headers = {"content-type": JSON, "x": "y" * (BYTES_MAX - 500)}
    async with served(Desk()) as address, httpx.AsyncClient() as client:
        for _ in range(3):
            assert (await client.post(address, content=body, headers=headers)).status_code == 200


async def test_many_requests_in_one_piece_are_each_answered() -> None:
    async with served(Desk()) as address, connected(address) as (reader, writer):
        writer.write(WHOLE * 600)  # far more than one head may have
        for _ in range(600):
            assert (await answer(reader)).startswith(b'HTTP/1.1 200 OK {"data"')


@pytest.mark.parametrize(
    ("begun", "drop"),
    [(b"", b""), (b"P", b""), (HEAD, b""), (HEAD, b"x: y\r\n"), (b"", b"\r\n")],
    ids=["nothing", "a byte", "half", "more and more", "empty lines"],
)
async def test_a_head_that_does_not_end_is_closed(begun: bytes, drop: bytes) -> None:
    async with served(Desk(), http=Hasty) as address, connected(address) as connection:
        connection[1].write(begun)
        assert await closed(connection, drop=drop) == b""


@pytest.mark.parametrize(
    ("begun", "drop"),
    [(b"P", b""), (HEAD, b"x: y\r\n"), (b"\r\n", b"\r\n")],
    ids=["a byte", "more and more", "empty lines"],
)
async def test_neither_is_a_later_head_of_a_connection_waited_for(begun: bytes, drop: bytes) -> None:
    async with served(Desk(), http=Hasty) as address, connected(address) as connection:
        for _ in range(2):
            connection[1].write(WHOLE)
            assert (await answer(connection[0])).startswith(b"HTTP/1.1 200 OK")
        connection[1].write(begun)
        assert await closed(connection, drop=drop) == b""


async def test_what_is_left_of_a_body_after_the_answer_is_not_waited_for() -> None:
    async with served(Desk(), http=Hasty) as address, connected(address) as connection:
        connection[1].write(HEAD + b"content-length: 9000000\r\n\r\n")
        assert (await closed(connection, drop=b" ")).startswith(b"HTTP/1.1 413 ")


async def test_between_two_requests_a_connection_rests_and_while_one_is_answered_it_lasts() -> None:
    desk = Desk(limits=Limits(time_s=0.7))
    slow = WHOLE.replace(QUERY, b'{"query": "{ slow }"}     ')
    async with served(desk, http=Hasty) as address, connected(address) as connection:
        connection[1].write(WHOLE)
        assert (await answer(connection[0])).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(0.5)
        connection[1].write(slow + b"POST")  # and half of the next
        assert (await answer(connection[0])).startswith(b"HTTP/1.1 503 ")
        assert await closed(connection) == b""


async def test_more_connections_than_a_process_takes_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serving.configured(Desk().app()).limit_concurrency == serving.CONNECTIONS_MAX
    monkeypatch.setattr(serving, "CONNECTIONS_MAX", 3)
    async with served(Desk()) as address, connected(address), connected(address), httpx.AsyncClient() as client:
        assert (await client.post(address, content=QUERY, headers={"content-type": JSON})).status_code == 503


async def test_who_asks_is_who_is_connected_whatever_a_header_says() -> None:
    seen: list[str] = []

    async def context(request: Request) -> Context:
        assert request.client is not None
        seen.append(request.client.host)
        return Context()

    headers = {"x-forwarded-for": "203.0.113.7", "forwarded": "for=203.0.113.7", "accept": GRAPHQL}
    async with served(Desk(context_for=context)) as address, httpx.AsyncClient(headers=headers) as client:
        await client.post(address, content=QUERY, headers={"content-type": JSON})
    assert seen == ["127.0.0.1"]


async def test_what_trails_a_body_is_no_header() -> None:  # RFC 9110, 6.5.1
    seen = list[str | None]()

    async def context_for(request: Request) -> Context:
        seen.append(request.headers.get("authorization"))
        return Context()

    trailer = b"0\r\nauthorization: Bearer forged\r\n\r\n"
    chunk = b"%x\r\n" % len(QUERY) + QUERY + b"\r\n"
    async with served(Desk(context_for=context_for)) as address, connected(address) as (reader, writer):
        for _ in range(2):  # in one piece, so that all is there when the head is read
            writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk + trailer)
            assert (await answer(reader)).startswith(b"HTTP/1.1 200")
    assert seen == [None, None]
