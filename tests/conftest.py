"""A real PostgreSQL and the real application for every test; tests commit, rows are cleared before each.

`world` is what most tests want: the application over HTTP with an empty database (worlds.py). `db` is that database as
the application's own role sees it. `postgres` makes further databases, for tests of migrations and of the catalogue.
"""

import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from house import CLEAR, Postgres, housed, new_bucket, superuser
from moto.server import ThreadedMotoServer
from worlds import NOW, World

from greenroom import embedded, migrations
from greenroom.db import Database, count_statements
from greenroom.embedded import DATABASE, OWNER


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="greenroom-tests-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o711)  # PostgreSQL may run as another user than ours
        with embedded.start(place / "data", durable=False) as running:
            migrations.migrate(running.cluster.url(OWNER, DATABASE))
            yield Postgres(running.cluster, place)


@pytest.fixture(scope="session")
async def house(postgres: Postgres) -> AsyncIterator[World]:
    """The application for the whole session; tests take `world`."""
    async with postgres.database("of_tests") as database, housed(postgres, database) as world:
        yield world


@pytest.fixture(scope="session")
async def boss(house: World) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the database of `world`."""
    async with superuser(house) as connection:
        yield connection


@pytest.fixture
async def world(house: World, boss: asyncpg.Connection) -> World:
    """The application with an empty database, at NOW, under aliexpress-2021 that waits for its launch."""
    await boss.execute(CLEAR)
    house.clock.now, house.made = NOW, 0
    house.services.held.drop()
    return house


@pytest.fixture
def db(world: World) -> Database:
    """Both pools of the application, as its own role."""
    return world.db


@pytest.fixture(scope="session")
def told(house: World) -> list[str]:
    """Every statement of the application's pools, scopes apart; `statements` empties it before a test."""
    heard: list[str] = []
    count_statements(house.db, heard.append)
    return heard


@pytest.fixture
def statements(world: World, told: list[str]) -> Callable[[], list[str]]:
    """Call it for the statements since the last call."""

    def since() -> list[str]:
        found = list(told)
        told.clear()
        return found

    since()
    return since


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def aws(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment that an operator gives; returns the endpoint."""
    given = {"ENDPOINT_URL": s3, "REGION": "us-east-1"}
    for name, value in {**given, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return s3


@pytest.fixture(params=["directory", "bucket"])
async def stored(request: pytest.FixtureRequest, world: World, aws: str, postgres: Postgres) -> AsyncIterator[World]:
    """What `world` is, once with each store: photos rest in a directory, or in a bucket of a real HTTP S3."""
    if request.param == "directory":
        yield world
        return
    url = new_bucket(aws)
    async with postgres.database("of_bucket") as database, housed(postgres, database, documents_url=url) as other:
        yield other
