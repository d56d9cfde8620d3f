"""Database: how a transaction is scoped, and how a hot read runs in one round trip under row security.

Two pools: mutations run as SQLAlchemy sessions; reads are compiled once and go straight to asyncpg. Both see only the
rows that `Scope` names: row security reads it from settings local to the transaction, so a pooled connection cannot
carry it to someone else, and without one no row is visible at all.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import Executable, event, func
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from greenroom.errors import Words

T = TypeVar("T")
DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
DEADLOCK = "40P01"
TOO_LONG = ("55P03", "57014")  # a lock or a statement that took too long
# Sqlstates begin so where the connection broke, the server goes, lacks connections, disk or memory, or only reads.
AWAY = ("08", "57P", "53", "25006")
DRIVERS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Hindered(Exception):
    """The database cannot do it now. Nothing is wrong with what was asked: the same may be asked again."""

    code: ClassVar[str]
    words: ClassVar[Words]


class Busy(Hindered):
    """Others held what was needed for too long; nothing was written."""

    code = "BUSY"
    words = Words(
        "Others are changing the same objects. Nothing was changed here: try again in a moment.",
        "系统繁忙，请稍后重试；本次操作未产生任何更改。",
    )


class Deadlocked(Busy):
    """Two verbs waited for each other, and this one gave way."""


class Unavailable(Hindered):
    """The database is out of reach; what was being committed just then may or may not count."""

    code = "UNAVAILABLE"
    words = Words(
        "The database is out of reach for the moment. Try again shortly. A mutation may have been done: repeat it with"
        " its idempotency key where it takes one, else read the object first.",
        "数据库暂时无法访问，请稍后重试。变更操作可能已经生效：支持幂等键的，请使用相同的幂等键重试；"
        "不支持的，请先重新读取对象再决定。",
    )


@contextmanager
def reached() -> Iterator[None]:
    """Tell what the database cannot do now from what is our mistake. Raises Busy, Deadlocked or Unavailable."""
    try:
        yield
    except (*DRIVERS, DBAPIError, PoolTimeout) as error:
        if hindrance := hindrance_in(error):
            raise hindrance from error
        raise


def hindrance_in(error: Exception) -> Hindered | None:
    """Return what an error of a driver means where it is nobody's mistake."""
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    if state == DEADLOCK:
        return Deadlocked()
    if state in TOO_LONG or isinstance(error, PoolTimeout):
        return Busy()
    broken = isinstance(error, OSError | asyncpg.InternalClientError) or getattr(error, "connection_invalidated", False)
    closed = type(error) is asyncpg.InterfaceError and "closed" in str(error)  # the pool's connection, before it knew
    return Unavailable() if broken or closed or state.startswith(AWAY) else None


class Record(Protocol):
    """A row as it comes from the database: a value for each column."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows a transaction may touch. `reading` names one of the few reads across accounts."""

    account_id: UUID | None = None
    account_ids: tuple[UUID, ...] = ()
    reading: str = ""


NOBODY = Scope()


class Read:
    """A statement compiled once, to run scoped on its own or inside a mutation's transaction."""

    def __init__(self, statement: Executable) -> None:
        compiled = statement.compile(dialect=DIALECT)  # type: ignore[attr-defined]  # every ClauseElement has it
        self.sql = str(compiled)
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self.defaults = {n: v for n, v in compiled.params.items() if v is not None}
        at = len(self.names)
        # OFFSET 0 and the reference to `scope` keep the planner from running the inner statement before the scope
        # is set: a subquery that depends on another relation's row can only be executed after that row is there.
        scope = f"greenroom_scope(${at + 1}, ${at + 2}, ${at + 3}) AS scope(is_set)"
        inner = f"SELECT q.* FROM ({self.sql}) q WHERE scope.is_set OFFSET 0"  # noqa: S608  # our own, compiled
        self.scoped_sql = f"SELECT r.* FROM {scope} CROSS JOIN LATERAL ({inner}) r"  # noqa: S608  # as above

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order of their places."""
        return [given[name] if name in given else self.defaults[name] for name in self.names]


class Transaction(AsyncSession):
    """One mutation's transaction, which can run reads too, under the scope and the locks that it has."""

    on_statement: Callable[[str], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recorded = set[UUID]()
        """Accounts whose log it adds to."""

    async def rows(self, read: Read, /, **parameters: Any) -> list[Record]:
        """Run a read inside this transaction; what was added before is flushed first."""
        await self.flush()
        if self.on_statement:
            self.on_statement(read.sql)
        raw = (await (await self.connection()).get_raw_connection()).driver_connection
        assert raw is not None
        found: list[Any] = await raw.fetch(read.sql, *read.values(parameters))
        return found


@dataclass(slots=True)
class Database:
    """Both pools of one process. `on_statement` is told each statement, for counting.

    `on_recorded` is told after a commit which accounts have new events.
    """

    engine: AsyncEngine
    pool: asyncpg.Pool
    on_statement: Callable[[str], None] | None = field(default=None)
    on_recorded: Callable[[Collection[UUID]], None] | None = field(default=None)

    async def rows(self, read: Read, scope: Scope, /, **parameters: Any) -> list[Record]:
        """Run one read under a scope, in one round trip. Raises Hindered."""
        if self.on_statement:
            self.on_statement(read.sql)
        values = (*read.values(parameters), scope.account_id, list(scope.account_ids), scope.reading)
        found: list[Any] = await self.connected(lambda: self.pool.fetch(read.scoped_sql, *values))
        return found

    async def connected(self, run: Callable[[], Awaitable[T]]) -> T:
        """Run what reads by the pool, or may run twice; where its connection broke while it lay there, on a new one.

        What broke one connection broke the others: all of the pool are replaced. Raises Hindered.
        """
        with reached():
            try:
                return await run()
            except DRIVERS as error:
                if not isinstance(hindrance_in(error), Unavailable):
                    raise
            await self.pool.expire_connections()
            return await run()

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator["Transaction"]:
        """Open a transaction under a scope; leaving it commits, an exception rolls back. Raises Hindered."""
        with reached():
            async with await self._begun(scope) as tx:
                try:
                    yield tx
                    await tx.commit()
                    if tx.recorded and self.on_recorded:
                        self.on_recorded(tx.recorded)
                except Exception as error:
                    if isinstance(hindrance_in(error), Unavailable):
                        await tx.invalidate()  # the pool is not to hand this connection out again
                    raise

    async def _begun(self, scope: Scope) -> Transaction:
        """Return a transaction that has its scope; a connection that broke while it lay in the pool is replaced."""
        for is_last in (False, True):
            tx = Transaction(self.engine, expire_on_commit=False, autoflush=False)
            tx.on_statement = self.on_statement
            try:
                await tx.exec(select(func.greenroom_scope(scope.account_id, list(scope.account_ids), scope.reading)))
                return tx
            except BaseException as error:
                is_broken = isinstance(error, Exception) and isinstance(hindrance_in(error), Unavailable)
                await (tx.invalidate() if is_broken else tx.close())
                if is_last or not is_broken:
                    raise
        raise AssertionError("the last turn returns or raises")

    async def close(self) -> None:
        """Close both pools, waiting for what runs."""
        await self.pool.close()
        await self.engine.dispose()


async def connect(
    url: str, *, writes_max: int, reads_max: int, statement_timeout_ms: int, lock_timeout_ms: int
) -> Database:
    """Open both pools on a postgresql:// URL. Sizes in connections, times in milliseconds.

    Raises OSError or asyncpg.PostgresError where the server cannot be reached.
    """
    limits = {
        "application_name": "greenroom",
        "statement_timeout": str(statement_timeout_ms),
        "lock_timeout": str(lock_timeout_ms),
        "idle_in_transaction_session_timeout": "15000",
        "jit": "off",
    }
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=writes_max,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,  # an error quotes what it was given: nothing personal in logs
        connect_args={"server_settings": limits},
    )
    pool = await asyncpg.create_pool(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
        min_size=1,
        max_size=reads_max,
        server_settings=limits,
        reset=nothing_to_reset,
    )
    return Database(engine, pool)


async def nothing_to_reset(_: Any) -> None:
    """Every statement of the read pool sets its scope locally to itself, so a reset would be a wasted round trip."""


def count_statements(database: Database, told: Callable[[str], None]) -> None:
    """Have `told` called with each statement of both pools, the scope's own apart."""
    database.on_statement = told

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def on_execute(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "greenroom_scope" not in statement:
            told(statement)
