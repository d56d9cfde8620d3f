"""Server and worker killed at any point between a photo's first byte and its check: nothing hangs, nothing is lost."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest
from clients import Data
from photos import an_anchor, checked, checks, documents, objects, photo, staged, working
from test_worker import worker
from worlds import World

TESTS = Path(__file__).parents[1]
LIMIT_S = 30


@pytest.fixture(autouse=True)
async def empty(world: World, boss: asyncpg.Connection) -> None:
    """No job of an earlier test and no byte; the real present, as processes of their own know no other."""
    await boss.execute("TRUNCATE jobs.pgqueuer")
    for path in (world.settings.data_dir / "documents").rglob("*"):
        if path.is_file():
            path.unlink()
    world.clock.now = datetime.now(UTC)


@contextmanager
def killed(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kill a process in the end, whatever happened."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def started(world: World, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "documents.server", world.url, str(world.settings.data_dir), str(port)]
    return subprocess.Popen(command, cwd=TESTS, env=os.environ, text=True)


@asynccontextmanager
async def server(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A server that is killed when the block is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with killed(started(world, port)):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(LIMIT_S):
            while True:
                try:
                    if (await client.get("/healthz")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            yield client


async def put(client: httpx.AsyncClient, world: World, place: Data, content: bytes) -> int:
    path = place["url"].removeprefix(world.settings.public_url)
    return (await client.put(path, content=content)).status_code


async def begin(client: httpx.AsyncClient, world: World, place: Data, content: bytes) -> socket.socket:
    """Send a photo but for its last byte, and return the connection on which that is awaited."""
    assert client.base_url.port
    connection = socket.create_connection(("127.0.0.1", client.base_url.port))
    path = place["url"].removeprefix(world.settings.public_url)
    head = f"PUT {path} HTTP/1.1\r\nhost: greenroom\r\ncontent-length: {len(content)}\r\n\r\n"
    await asyncio.to_thread(connection.sendall, head.encode() + content[:-1])
    return connection


def remnants(world: World) -> list[Path]:
    """What puts that were cut short have left."""
    return list((world.settings.data_dir / "documents" / "arriving").iterdir())


async def test_a_server_killed_amid_an_upload_leaves_a_place_that_takes_it_again(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo() + os.urandom(3 * 1024 * 1024)  # more than is written at a time
    (place,) = await staged(shop, anchor_id, content)
    async with server(world) as client:
        connection = await begin(client, world, place, content)
        async with asyncio.timeout(LIMIT_S):
            while not remnants(world):  # noqa: ASYNC110  # a directory tells nobody
                await asyncio.sleep(0.02)
    assert await asyncio.to_thread(heard, connection) == b""
    assert [each["status"] for each in await documents(shop, anchor_id)] == ["STAGED"]
    async with server(world) as client:
        assert await put(client, world, place, content) == 204
    async with working(world):
        assert [each["status"] for each in await checked(shop, anchor_id)] == ["READY"]
    await cleared(world)
    assert (len(objects(world)), remnants(world)) == (1, [])


async def cleared(world: World) -> None:
    """The sweep of a time when nothing that was under way can be wanted any more."""
    old = world.clock.now.timestamp() - 3 * 3_600
    for path in (world.settings.data_dir / "documents").rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))
    async with checks(world) as chores:
        await chores.sweep()


async def test_both_killed_between_the_commit_and_the_job_lose_no_photo(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    contents = [photo(seed=n, size=(3_000, 2_000)) for n in range(3)]
    places = await staged(shop, anchor_id, *contents)
    async with server(world) as client:
        assert {await put(client, world, *each) for each in zip(places, contents, strict=True)} == {204}
    assert [each["status"] for each in await documents(shop, anchor_id)] == ["CHECKING"] * 3
    with killed(worker(world)) as process:
        async with asyncio.timeout(LIMIT_S):
            while not await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE status = 'picked'"):
                assert process.poll() is None, process.communicate()
                await asyncio.sleep(0.01)
    await boss.execute("UPDATE jobs.pgqueuer SET heartbeat = heartbeat - interval '1 minute'")  # time has passed
    async with working(world):
        assert [each["status"] for each in await checked(shop, anchor_id)] == ["READY"] * 3
    await cleared(world)
    assert (len(objects(world)), remnants(world)) == (3, [])


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.02, 0.05])
async def test_a_server_killed_about_the_end_of_an_upload_keeps_its_word(world: World, delay_s: float) -> None:
    """Told or not: what was taken is checked, and what was not can be sent again."""
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo(seed=7)
    (place,) = await staged(shop, anchor_id, content)
    async with server(world) as client:
        connection = await begin(client, world, place, content)
        await asyncio.sleep(0.3)
        connection.sendall(content[-1:])
        await asyncio.sleep(delay_s)
    told = await asyncio.to_thread(heard, connection)
    (document,) = await documents(shop, anchor_id)
    if told.startswith(b"HTTP/1.1 204"):
        assert document["status"] == "CHECKING", "acknowledged is committed"
    if document["status"] == "STAGED":
        async with server(world) as client:
            assert await put(client, world, place, content) == 204
    async with working(world):
        assert [each["status"] for each in await checked(shop, anchor_id)] == ["READY"]
    await cleared(world)
    assert len(objects(world)) == 1


def heard(connection: socket.socket) -> bytes:
    """What came back before the connection broke."""
    try:
        return connection.recv(200)
    except ConnectionError:
        return b""
