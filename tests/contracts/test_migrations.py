"""Migrations: what they make is what the tables declare, and each but the first goes down and up with data in place."""

from typing import Any

import asyncpg
from alembic.script import ScriptDirectory
from house import Postgres, housed
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from contracts.calls import staged
from greenroom import migrations
from greenroom.embedded import OWNER, SUPERUSER

Catalogue = dict[str, list[tuple[Any, ...]]]
NOT_DECLARED = {
    "alembic_version": "Alembic's own",
    "rate_buckets": "unlogged, and spoken to in plain SQL alone: no class would use a declaration",
}
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.attidentity, a.attgenerated,
       coalesce(l.collname, '') AS collation, coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS "default"
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT tablename AS relname, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"


async def catalogue(url: str) -> Catalogue:
    """What PostgreSQL holds of columns, constraints and indexes; what is not declared apart."""
    connection = await asyncpg.connect(url)
    try:
        found = {}
        for kind, query in (("columns", COLUMNS), ("constraints", CONSTRAINTS), ("indexes", INDEXES)):
            rows = await connection.fetch(query)
            found[kind] = [tuple(row) for row in rows if row["relname"] not in NOT_DECLARED]
        return found
    finally:
        await connection.close()


async def test_what_is_migrated_is_what_is_declared(postgres: Postgres) -> None:
    async with postgres.database("migrated") as migrated, postgres.database("made", template="template0") as made:
        engine = create_async_engine(make_url(postgres.url(OWNER, made)).set(drivername="postgresql+asyncpg"))
        async with engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)
        await engine.dispose()
        theirs = await catalogue(postgres.url(SUPERUSER, migrated))
        assert theirs["columns"]
        assert theirs == await catalogue(postgres.url(SUPERUSER, made))


def revisions() -> list[str]:
    """All revisions, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(migrations.config()).walk_revisions()][::-1]


async def test_each_migration_but_the_first_goes_down_and_up_with_data_in_place(postgres: Postgres) -> None:
    async with postgres.database("down_and_up") as database:
        whole = await filled(postgres, database)
        url = postgres.url(OWNER, database)
        for above, below in zip(revisions()[:0:-1], revisions()[-2::-1], strict=True):
            before = await columns_with_data(postgres.url(SUPERUSER, database))
            await migrations.migrate_async(url, revision=below)
            assert await migrations.current(url) == below, above
            kept = await columns_with_data(postgres.url(SUPERUSER, database))
            assert {name: before[name] for name in kept if name in before} == kept, "what stays keeps its data"
            await migrations.migrate_async(url, revision=above)
            again = await columns_with_data(postgres.url(SUPERUSER, database))
            assert {name: again[name] for name in kept} == kept, "on the way up too"
            await migrations.migrate_async(url, revision=below)
        await migrations.migrate_async(url)
        assert await catalogue(url) == whole


async def columns_with_data(url: str) -> dict[tuple[str, str], str]:
    """A digest of the values in each column of each table."""
    connection = await asyncpg.connect(url)
    try:
        found = {}
        for table, column, *_ in await connection.fetch(COLUMNS):
            if table not in NOT_DECLARED:
                values = f"string_agg(t.{column}::text, '|' ORDER BY t.{column}::text)"
                found[table, column] = await connection.fetchval(f"SELECT md5(coalesce({values}, '')) FROM {table} t")
        return found
    finally:
        await connection.close()


async def test_all_migrations_go_down_to_nothing_and_up_again(postgres: Postgres) -> None:
    async with postgres.database("all_the_way") as database:
        whole = await filled(postgres, database)
        url = postgres.url(OWNER, database)
        await migrations.migrate_async(url, revision="base")
        assert await migrations.current(url) is None
        assert (await catalogue(url))["columns"] == []
        await migrations.migrate_async(url)
        assert await catalogue(url) == whole
        await migrations.migrate_async(url)  # once more: nothing to do


async def filled(postgres: Postgres, database: str) -> Catalogue:
    """Put a row into every table of a database, through the application; returns its catalogue."""
    async with housed(postgres, database) as world:
        await staged(world)
    return await catalogue(postgres.url(OWNER, database))
