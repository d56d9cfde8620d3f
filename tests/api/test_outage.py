"""The database away: what was asked is answered as something to ask again, and all goes on once it is back."""

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest
import structlog
from clients import newcomer
from house import Postgres, housed, superuser
from worlds import World

from greenroom import logs
from greenroom.db import Unavailable, hindrance_in
from greenroom.graph import read_id

ANA = {"displayName": "Ana", "nationality": "ES"}


@dataclass
class Line:
    """A relay between the application and its PostgreSQL, which can be cut."""

    to: Path
    at: Path
    server: asyncio.Server | None = None
    wires: set[asyncio.StreamWriter] = field(default_factory=set)
    cut_after: bytes | None = None

    async def mend(self) -> None:
        """Take connections again."""
        self.server = await asyncio.start_unix_server(self._carry, self.at)

    async def cut(self, *, but: asyncio.StreamWriter | None = None) -> None:
        """Refuse new connections, and break those that are there."""
        if self.server:
            self.server.close()
            self.server = None
        self.at.unlink(missing_ok=True)
        for wire in self.wires - {but}:
            wire.transport.abort()
        self.wires.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self.to)
        self.wires |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer, watched=True), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watched: bool = False) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                if watched and self.cut_after and self.cut_after in piece:
                    self.cut_after = None
                    writer.write(piece)
                    await self.cut(but=writer)  # it is done, and its answer is lost
                    break
                writer.write(piece)
                await writer.drain()
        writer.close()


@pytest.fixture
async def line(postgres: Postgres) -> AsyncIterator[Line]:
    name = f".s.PGSQL.{postgres.cluster.port}"
    with tempfile.TemporaryDirectory(prefix="line-", dir="/tmp") as place:  # a socket's address is short
        line = Line(to=postgres.cluster.socket_dir / name, at=Path(place) / name)
        await line.mend()
        yield line
        await line.cut()


@pytest.fixture
async def wired(postgres: Postgres, line: Line) -> AsyncIterator[World]:
    """The application on a database of its own, at the end of the line."""
    async with postgres.database("on_a_line") as database, housed(postgres, database, at=line.at.parent) as world:
        yield world


def code_of(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


async def test_while_it_is_away_every_request_is_told_to_come_again(wired: World, line: Line) -> None:
    shop = await wired.seller()
    room = await shop.room(newcomer("Ana"), start=wired.tonight())
    await line.cut()
    wired.clock.advance(seconds=2)  # what is in force is read anew
    for answer in (
        await shop.send("RoomForEditing", {"id": room["id"]}),
        await shop.send("GoLive", {"input": {"liveRoomId": room["id"]}}),
        await wired.staff("MEDIA").http.post(
            "/tickets/check", json={"ticket": "x"}, headers=wired.staff("MEDIA").headers()
        ),
    ):
        assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
    assert (await wired.http.get("/readyz")).status_code == 503
    assert (await wired.http.get("/healthz")).status_code == 200
    await line.mend()
    assert (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]["id"] == room["id"]
    assert (await wired.http.get("/readyz")).status_code == 200


async def test_an_operation_that_loses_it_half_way_says_so_beside_what_it_has(wired: World, line: Line) -> None:
    shop = await wired.seller()
    room = await shop.room(newcomer("Ana"), start=wired.tonight())
    await shop.call("RoomForEditing", {"id": room["id"]})  # its document and the budget are known by now
    await line.cut()
    answer = await shop.send("RoomForEditing", {"id": room["id"]})
    assert (answer.status_code, answer.json()["data"], code_of(answer)) == (200, {"node": None}, "UNAVAILABLE")
    answer = await shop.send("GoLive", {"input": {"liveRoomId": room["id"]}})
    assert (answer.json()["data"], code_of(answer)) == ({"liveRoomGoLive": None}, "UNAVAILABLE")


async def test_connections_that_broke_while_nobody_asked_are_replaced_in_silence(wired: World, line: Line) -> None:
    shop = await wired.seller()
    for _ in range(3):
        await line.cut()
        await line.mend()
        room = await shop.room(newcomer("Ana"), start=wired.tonight())
        assert (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]["id"] == room["id"]


async def test_whoever_lost_the_answer_of_a_commit_learns_it_by_the_same_key(wired: World, line: Line) -> None:
    shop = await wired.seller()
    input = {"accountId": shop.account_id, "title": "Tonight", "scheduledStartAt": wired.tonight()}
    input |= {"cast": [newcomer("Ana")], "idempotencyKey": "once"}
    line.cut_after = b"COMMIT"
    answer = await shop.send("CreateRoom", {"input": input})
    assert code_of(answer) == "UNAVAILABLE"
    await line.mend()
    room = (await shop.do("CreateRoom", **input))["liveRoom"]
    async with superuser(wired) as boss:
        assert await boss.fetchval("SELECT array_agg(id) FROM live_rooms") == [read_id(room["id"])[1].id]


async def test_what_libraries_log_is_told_without_what_they_were_given(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.configure(for_people=False)
        try:
            raise ValueError("ana@example.com is no address")
        except ValueError:
            logging.getLogger("sqlalchemy.pool").exception("Exception with %s", "ana@example.com")
            logging.getLogger("uvicorn.error").error("ana@example.com failed", exc_info=True)
        logging.getLogger("uvicorn.error").info("Started")
    finally:
        structlog.reset_defaults()
        logging.basicConfig(handlers=before[0], level=before[1], force=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["logger"] for line in lines] == ["sqlalchemy.pool", "uvicorn.error"]
    assert [line["said"] for line in lines] == ["Exception with %s", ""]
    assert [line["exceptions"] for line in lines] == [["builtins.ValueError"]] * 2
    assert "ana@" not in str(lines)


async def test_a_database_that_only_reads_is_not_ready_and_no_fault_of_ours(wired: World, line: Line) -> None:
    shop = await wired.seller()
    async with superuser(wired) as boss:
        await boss.execute("ALTER DATABASE on_a_line SET default_transaction_read_only = on")  # as after a failover
        await line.cut()
        await line.mend()
        answer = await shop.send("AddAnchor", {"input": {"accountId": shop.account_id, "anchor": ANA}})
        assert code_of(answer) == "UNAVAILABLE"
        ready = await wired.http.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "read-only")
        await boss.execute("ALTER DATABASE on_a_line RESET default_transaction_read_only")
    await line.cut()
    await line.mend()
    await shop.do("AddAnchor", accountId=shop.account_id, anchor=ANA)


def test_the_drivers_own_confusion_over_a_broken_connection_is_a_broken_connection() -> None:
    assert isinstance(hindrance_in(asyncpg.InternalClientError("cannot switch to state 12")), Unavailable)
    assert hindrance_in(asyncpg.DataError("invalid input")) is None
    assert isinstance(hindrance_in(asyncpg.DiskFullError("no space")), Unavailable)
