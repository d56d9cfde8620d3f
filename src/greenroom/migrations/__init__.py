"""Migrations: how a database comes to the shape that the tables declare."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

Answer = TypeVar("Answer")
LOCK = 7_315_200_411  # any number of our own: of many that migrate at once, one does


def config() -> Config:
    """Return Alembic's configuration; there is no file of it."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent))
    found.set_main_option("path_separator", "os")
    return found


def head() -> str:
    """Return the revision that this version of Greenroom needs."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


async def current(url: str) -> str | None:
    """Return the revision that a database has; None for an empty one. Any role may ask."""
    return await asked(url, lambda connection: MigrationContext.configure(connection).get_current_revision())


async def goes_down(url: str, *, revision: str) -> bool:
    """Say whether the way to a revision drops what is above it."""
    return await asked(url, lambda connection: is_down(connection, revision))


async def asked(url: str, question: Callable[[Connection], Answer]) -> Answer:
    """Return what a database answers."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(question)
    finally:
        await engine.dispose()


def migrate(url: str, *, revision: str = "head") -> None:
    """Bring a database to a revision, up or down, as the role that owns the tables."""
    asyncio.run(migrate_async(url, revision=revision))


async def migrate_async(url: str, *, revision: str = "head") -> None:
    """Bring a database to a revision from inside a running event loop."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            await connection.run_sync(move, revision)
    finally:
        await engine.dispose()


def move(connection: Connection, revision: str) -> None:
    """Run Alembic on an open connection."""
    found = config()
    found.attributes["connection"] = connection
    (command.downgrade if is_down(connection, revision) else command.upgrade)(found, revision)


def is_down(connection: Connection, revision: str) -> bool:
    """Say whether the revision lies below the database's own."""
    if revision == "base" or revision.startswith("-"):
        return True
    now = MigrationContext.configure(connection).get_current_revision()
    if revision == "head" or now is None:
        return False
    below = [script.revision for script in ScriptDirectory.from_config(config()).iterate_revisions(now, "base")]
    return revision in below and revision != now
