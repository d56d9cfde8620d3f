"""House: where tests live: one PostgreSQL for the session, and the application on a database of its own in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
from sqlmodel import SQLModel
from worlds import Clock, World

from greenroom.app import create
from greenroom.embedded import APP, DATABASE, OWNER, SUPERUSER, Cluster
from greenroom.settings import Setting, Settings
from greenroom.tokens import DemoSigner

CONNECTIONS = 40  # for mutations: races hold this many at once
TABLES = [*(table for table in SQLModel.metadata.tables if table != "policy_in_force"), "rate_buckets"]
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
        """Yield the name of a database that is gone afterwards: a clone of the migrated one, or of `template0`."""
        boss = await asyncpg.connect(self.url(SUPERUSER, "postgres"))
        try:
            await boss.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER {OWNER}')
            try:
                yield name
            finally:
                await boss.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await boss.close()


@asynccontextmanager
async def housed(
    postgres: Postgres, database: str, *, at: Path | None = None, documents_url: str | None = None
) -> AsyncIterator[World]:
    """Yield the application on a migrated database, its clock at NOW; `at` is another socket's directory."""
    settings = Settings(
        setting=Setting.DEMO,
        data_dir=postgres.place / "keys",
        write_connections_max=CONNECTIONS,
        documents_url=documents_url,
    )
    clock = Clock()
    cluster = replace(postgres.cluster, socket_dir=at) if at else postgres.cluster
    app = create(settings, database_url=cluster.url(APP, database), clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://greenroom.test") as http,
    ):
        url, superuser_url = cluster.url(APP, database), postgres.url(SUPERUSER, database)
        yield World(app, settings, clock, http, DemoSigner.of(settings), url, superuser_url)


def new_bucket(endpoint: str) -> str:
    """Make a bucket; returns where photos rest in it."""
    name = f"photos-{uuid4().hex}"
    httpx.put(f"{endpoint}/{name}").raise_for_status()
    return f"s3://{name}/of/tests"


@asynccontextmanager
async def superuser(world: World) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection that row security does not bind: to clear, and to look at raw tables."""
    connection = await asyncpg.connect(world.superuser_url)
    try:
        yield connection
    finally:
        await connection.close()


async def contents(boss: asyncpg.Connection) -> dict[str, str]:
    """A digest of each table's rows, to see whether anything was written; points of a budget apart."""
    tables = [name for name in (*TABLES, "policy_in_force") if name != "rate_buckets"]
    digests = ", ".join(f"(SELECT md5(coalesce(string_agg(t::text, '|'), '')) FROM {t} t) AS {t}" for t in tables)
    row = await boss.fetchrow(f"SELECT {digests}")
    assert row is not None
    return dict(row)
