"""What the database itself guarantees: whose rows a role sees, what can never be rewritten, how tables can be split."""

import asyncpg
import pytest
from house import Postgres
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from worlds import World

from contracts.calls import staged
from greenroom.access import account_id_of
from greenroom.db import NOBODY, Read, Scope
from greenroom.embedded import APP, OWNER

NO_TENANT = {
    "alembic_version": "one row about the schema",
    "bars": "a person is barred in every account",
    "policy_in_force": "one row about the platform",
    "rate_buckets": "by caller, and a caller may act for several accounts",
}
KEYS = """
SELECT c.relname, k.conname, k.contype, k.conrelid::regclass::text AS of, k.confrelid::regclass::text AS to,
       (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) AS leads,
       (SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1]) AS leads_there
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'x') ORDER BY 1, 2
"""
UNIQUE_INDEXES = """
SELECT i.indrelid::regclass::text AS relname, i.indexrelid::regclass::text AS name, a.attname AS leads
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indisunique AND i.indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""
MIGHTY = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
APPEND_ONLY = ("events", "admission_records")


async def tenant_tables(boss: asyncpg.Connection) -> list[str]:
    """Every table with rows of accounts."""
    rows = await boss.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = [row["tablename"] for row in rows]
    assert set(NO_TENANT) <= set(found)
    return [name for name in found if name not in NO_TENANT]


async def test_the_account_leads_every_key_so_every_tenant_table_could_be_distributed(
    boss: asyncpg.Connection,
) -> None:
    keys = [row for row in await boss.fetch(KEYS) if row["relname"] not in NO_TENANT]
    assert {row["relname"] for row in keys if row["contype"] == b"p"} == set(await tenant_tables(boss))
    assert [row["conname"] for row in keys if row["leads"] != "account_id"] == []
    foreign = [row for row in keys if row["contype"] == b"f"]
    assert len(foreign) >= 8
    assert [row["conname"] for row in foreign if row["leads_there"] != "account_id" or row["to"] in NO_TENANT] == []
    unique = [row for row in await boss.fetch(UNIQUE_INDEXES) if row["relname"] not in NO_TENANT]
    assert [row["name"] for row in unique if row["leads"] != "account_id"] == []


async def test_row_security_is_forced_on_every_tenant_table(boss: asyncpg.Connection) -> None:
    rows = await boss.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity"
        " AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid)"
    )
    assert {row["relname"] for row in rows} == set(await tenant_tables(boss))


async def test_the_application_owns_nothing_and_cannot_bypass_row_security(boss: asyncpg.Connection) -> None:
    role = await boss.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", APP)
    assert role is not None
    assert [
        name for name in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication") if role[name]
    ] == []
    assert await boss.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = $1", role["oid"]) == 0
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = $1 AND deptype = 'o'"
    assert await boss.fetchval(owned, role["oid"]) == 0
    grants = await boss.fetch(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = $1", APP
    )
    given = {(row["table_name"], row["privilege_type"]) for row in grants}
    assert {privilege for _, privilege in given} == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert {(table, privilege) for table, privilege in given if table in APPEND_ONLY} == {
        (table, privilege) for table in APPEND_ONLY for privilege in ("SELECT", "INSERT")
    }
    can_create = "SELECT has_schema_privilege($1, 'public', 'CREATE')"
    assert await boss.fetchval(can_create, APP) is False


async def test_without_a_scope_no_row_is_visible_to_anybody_but_a_superuser(
    world: World, boss: asyncpg.Connection, postgres: Postgres
) -> None:
    await staged(world)
    tables = await tenant_tables(boss)
    for table in tables:
        assert await boss.fetchval(f"SELECT count(*) FROM {table}") > 0, f"{table} is empty: this proves nothing"
    for role in (APP, OWNER):
        connection = await asyncpg.connect(postgres.url(role, "of_tests"))
        try:
            assert {t: await connection.fetchval(f"SELECT count(*) FROM {t}") for t in tables} == dict.fromkeys(
                tables, 0
            )
        finally:
            await connection.close()
    for table in tables:
        (row,) = await world.db.rows(Read(text(f"SELECT count(*) AS seen FROM {table}")), NOBODY)
        assert row["seen"] == 0, table


async def test_a_scope_shows_the_rows_of_its_account_alone_and_ends_with_its_transaction(
    world: World, boss: asyncpg.Connection
) -> None:
    stages = await staged(world), await staged(world, await world.blogger("ES"))
    own = account_id_of(stages[0].shop.external_id)
    for table in await tenant_tables(boss):
        read = Read(text(f"SELECT DISTINCT account_id FROM {table}"))
        assert {row["account_id"] for row in await world.db.rows(read, Scope(own))} == {own}, table
        assert await world.db.rows(read, NOBODY) == [], table


async def test_a_scope_takes_no_row_for_another_account(world: World) -> None:
    stages = await staged(world), await staged(world, await world.blogger("ES"))
    own, theirs = (account_id_of(stage.shop.external_id) for stage in stages)
    async with world.db.transaction(Scope(own)) as tx:
        connection = await tx.connection()
        change = text("UPDATE anchors SET nationality = 'FR' WHERE account_id = :a")
        assert (await connection.execute(change, {"a": theirs})).rowcount == 0
        with pytest.raises(DBAPIError, match="row-level security"):
            await connection.execute(text("UPDATE event_heads SET account_id = :a"), {"a": theirs})


@pytest.mark.parametrize("statement", ["UPDATE {} SET account_id = account_id", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_was_logged_or_admitted_is_never_rewritten_by_anybody(
    table: str, statement: str, world: World, boss: asyncpg.Connection, postgres: Postgres
) -> None:
    await staged(world)
    before = await boss.fetchval(f"SELECT count(*) FROM {table}")
    for role in (APP, OWNER):
        connection = await asyncpg.connect(postgres.url(role, "of_tests"))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement.format(table))
        finally:
            await connection.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await boss.execute(statement.format(table))
    assert await boss.fetchval(f"SELECT count(*) FROM {table}") == before > 0
