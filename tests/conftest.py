"""A real PostgreSQL and the real application for every test; tests commit, rows are cleared before each.

`world` is what most tests want: the application over HTTP with an empty database (worlds.py). `db` is that database as
the application's own role sees it. `postgres` makes further databases, for tests of migrations and of the catalogue.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from greenroom import embedded, migrations
from greenroom.app import create
from greenroom.db import Database, count_statements
from greenroom.embedded import APP, DATABASE, OWNER, SUPERUSER, Cluster
from greenroom.settings import Setting, Settings
from greenroom.tokens import DemoSigner
from worlds import NOW, Clock, World

CONNECTIONS = 40  # for mutations: races hold this many at once

TABLES = (
    "reviews verifications anchor_keys cast_members admission_records live_rooms anchors events event_heads"
    " idempotency_keys accounts rate_buckets"
).split()
# Triggers and foreign keys sleep for this one transaction, so that even what is append-only can be cleared.
CLEAR = (
    "BEGIN; SET LOCAL session_replication_role = replica; "
    + "".join(f"DELETE FROM {table}; " for table in TABLES)
    + "UPDATE policy_in_force SET name = 'aliexpress-2021', launch_at = NULL, revision = 1, changed_at = now(); COMMIT"
)


@dataclass(frozen=True)
class Postgres:
    """The cluster of one test session, with a migrated database to clone."""

    cluster: Cluster
    place: Path

    def url(self, role: str, database: str) -> str:
        """Where a role finds a database."""
        return self.cluster.url(role, database)

    @asynccontextmanager
    async def database(self, name: str, *, template: str = DATABASE) -> AsyncIterator[str]:
        """Yield the name of a database that is gone afterwards: a clone of the migrated one, or `template0`."""
        boss = await asyncpg.connect(self.url(SUPERUSER, "postgres"))
        try:
            await boss.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER {OWNER}')
            yield name
            await boss.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await boss.close()


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
    """The application on a database of its own, for the whole session; tests take `world`."""
    settings = Settings(setting=Setting.DEMO, data_dir=postgres.place / "keys", write_connections_max=CONNECTIONS)
    clock = Clock()
    async with postgres.database("of_tests") as database:
        app = create(settings, database_url=postgres.url(APP, database), clock=clock)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://greenroom.test") as http,
        ):
            superuser = postgres.url(SUPERUSER, database)
            yield World(app, settings, clock, http, DemoSigner.of(settings), superuser)


@pytest.fixture(scope="session")
async def boss(house: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the superuser, whom row security does not bind: to clear, and to look at raw tables."""
    connection = await asyncpg.connect(house.superuser_url)
    yield connection
    await connection.close()


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
