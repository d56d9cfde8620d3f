"""`python -m bench.subscriptions`: what an open subscription holds, and how long a change takes to its screens.

The server is what a user starts, on a core of its own; PostgreSQL, the screens and who writes the changes share the
other. Each subscription has a WebSocket of its own. A change is committed by another process than the server, as a
worker's is; its time runs from just before the commit until a screen has the message. Changes come at an even pace.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from rich.console import Console
from sqlmodel import col, select
from websockets.asyncio.client import ClientConnection, connect

from bench import __main__ as bench
from bench.__main__ import OTHER_CORE, ROOT, document, machine, serving
from greenroom import db, embedded
from greenroom.access import Actor, account_id_of
from greenroom.db import Database, Scope
from greenroom.events.actions import Subject
from greenroom.graph import global_id
from greenroom.law.terms import VerificationPath, VerificationStatus
from greenroom.settings import Setting, Settings
from greenroom.tokens import DemoSigner
from greenroom.verifications.actions import record_status
from greenroom.verifications.tables import Verification
from greenroom.waking import Bell

DATA = ROOT / ".greenroom" / "bench" / "subscriptions"
PATH = VerificationPath.CONTACT
NAME = "VerificationChanges"
KB_WANTED, P99_WANTED_MS = 60, 250
WARM = 50
LEAST = 100  # accounts of the world
OPENED_AT_ONCE = 20
SETTLES_S = 3.0
ARRIVES_WITHIN_S = 60.0


def main() -> None:
    """Run the bench."""
    asked = argparse.ArgumentParser(prog="python -m bench.subscriptions", description=__doc__)
    asked.add_argument("--open", type=int, default=1_000, help="open subscriptions")
    asked.add_argument("--accounts", type=int, default=100, help="accounts that they follow, evenly")
    asked.add_argument("--changes", type=int, default=500)
    asked.add_argument("--per-s", type=float, default=10, help="changes a second, each to all screens of one account")
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    os.sched_setaffinity(0, {OTHER_CORE})
    DATA.mkdir(parents=True, exist_ok=True)
    DATA.chmod(0o711)
    bench.DATA = DATA
    with embedded.start(DATA) as running:
        bench.greenroom("demo", "--accounts", str(max(options.accounts, LEAST)))
        results = uvloop.run(measured(options, running.cluster))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    show(results)


async def measured(options: argparse.Namespace, cluster: embedded.Cluster) -> dict[str, Any]:
    """Open the subscriptions, then have changes happen."""
    url = cluster.url(embedded.APP, embedded.DATABASE)
    settings = Settings(setting=Setting.DEMO, data_dir=DATA)
    ours = [sys.executable, "-m", "greenroom", "serve", "--demo", "--data-dir", str(DATA), "--port", "{port}"]
    most = {"GREENROOM_SUBSCRIPTIONS_MAX": str(options.open + WARM)}
    with serving(ours, "/graphql", most) as (port, pid):
        async with writing(url, options.accounts) as writer, AsyncExitStack() as screens:
            async with AsyncExitStack() as first:
                await opened(port, settings, writer.names, WARM, first)
                for name in writer.names[:WARM]:
                    await writer.change(name)
                await asyncio.sleep(SETTLES_S)
            await asyncio.sleep(SETTLES_S)
            before_kb = rss_kb(pid)
            found = await opened(port, settings, writer.names, options.open, screens)
            await asyncio.sleep(SETTLES_S)
            open_kb = rss_kb(pid)
            began_cpu = bench.cpu_s(pid)
            latencies = await paced(writer, found, options)
            cpu_us = (bench.cpu_s(pid) - began_cpu) / len(latencies) * 1e6
            used_kb = rss_kb(pid)
    return {
        "machine": machine(),
        "command": "python -m bench.subscriptions " + " ".join(sys.argv[1:]),
        "open": options.open,
        "accounts": options.accounts,
        "changes_per_s": options.per_s,
        "messages": len(latencies),
        "before_mb": round(before_kb / 1024, 1),
        "kb_each": round((open_kb - before_kb) / options.open, 1),
        "kb_each_after_changes": round((used_kb - before_kb) / options.open, 1),
        "kb_wanted": KB_WANTED,
        "p50_ms": at(latencies, 0.5),
        "p99_ms": at(latencies, 0.99),
        "max_ms": at(latencies, 1),
        "p99_wanted_ms": P99_WANTED_MS,
        "cpu_us_a_message": round(cpu_us),
    }


@dataclass
class Writer:
    """Who commits the changes: another process than the server, with a bell of its own."""

    database: Database
    names: list[str]
    attempts: dict[str, tuple[UUID, UUID]]
    committed: dict[str, list[float]] = field(default_factory=dict)

    async def change(self, name: str) -> None:
        """Have the log tell of one change of an account's first attempt."""
        account_id = account_id_of(name)
        about, status = Subject("Verification", account_id, *self.attempts[name]), VerificationStatus.SUBMITTED
        async with self.database.transaction(Scope(account_id)) as tx:
            now, by = datetime.now(UTC), Actor("bench")
            await record_status(tx, about, PATH, was=None, status=status, by=by, now=now)
            self.committed.setdefault(name, []).append(time.perf_counter())


@asynccontextmanager
async def writing(url: str, accounts: int) -> AsyncIterator[Writer]:
    """Connect as a worker does, and find an attempt of each account."""
    database = await db.connect(url, writes_max=2, reads_max=1, statement_timeout_ms=5_000, lock_timeout_ms=3_000)
    bell = Bell(url)
    database.on_recorded = bell.ring
    keeping = asyncio.create_task(bell.keep())
    attempts = dict[str, tuple[UUID, UUID]]()
    number = 0
    while len(attempts) < accounts:
        number += 1
        if number > max(accounts, LEAST):
            sys.exit(f"The crowd in {DATA} is smaller than that: remove it, and the next run makes another.")
        name = f"crowd-{number:05d}"
        async with database.transaction(Scope(account_id_of(name))) as tx:
            found = (await tx.exec(select(col(Verification.id), col(Verification.anchor_id)).limit(1))).first()
        if found:
            attempts[name] = (found[0], found[1])
    try:
        yield Writer(database, list(attempts), attempts)
    finally:
        keeping.cancel()
        await database.close()


@dataclass
class Screen:
    """One open subscription, and when its messages came."""

    name: str
    line: ClientConnection
    came: list[float] = field(default_factory=list)
    reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Note when each message comes."""
        async for message in self.line:
            at = time.perf_counter()
            if '"next"' in message:  # type: ignore[operator]  # text
                assert '"errors"' not in message, message  # type: ignore[operator]
                self.came.append(at)


async def opened(port: int, settings: Settings, names: list[str], count: int, stack: AsyncExitStack) -> list[Screen]:
    """Open so many subscriptions, spread over accounts."""
    query, signer, gate = document(NAME), DemoSigner.of(settings), asyncio.Semaphore(OPENED_AT_ONCE)

    async def one(name: str) -> Screen:
        account_id = account_id_of(name)
        token = signer.sign(
            f"of-{name}",
            accounts=[name],
            expires_in=timedelta(hours=1),
            audience=settings.token_audience,
            now=datetime.now(UTC),
        )
        async with gate:
            line = await stack.enter_async_context(
                connect(
                    f"ws://127.0.0.1:{port}/graphql",
                    subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]  # a name
                    compression=None,
                    ping_interval=None,
                    open_timeout=60,
                )
            )
            await line.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
            variables = {"accountId": global_id("Account", account_id, account_id)}
            payload = {"query": query, "operationName": NAME, "variables": variables}
            await line.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            await line.send('{"type":"ping"}')
            while (answer := json.loads(await line.recv())["type"]) != "pong":
                assert answer in ("connection_ack", "ping"), answer
        screen = Screen(name, line)
        screen.reading = asyncio.create_task(screen.read())
        return screen

    return list(await asyncio.gather(*(one(names[number % len(names)]) for number in range(count))))


async def paced(writer: Writer, screens: list[Screen], options: argparse.Namespace) -> list[float]:
    """Have changes happen at an even pace; returns the time that each message took, in seconds."""
    chance, began = random.Random(20261125), time.perf_counter()
    writer.committed.clear()
    gc.disable()  # a pause of ours would be taken for the server's
    for number in range(options.changes):
        await asyncio.sleep(max(began + number / options.per_s - time.perf_counter(), 0))
        await writer.change(chance.choice(writer.names))
    async with asyncio.timeout(ARRIVES_WITHIN_S):
        while any(len(each.came) < len(writer.committed.get(each.name, ())) for each in screens):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    pairs = ((each.came, writer.committed.get(each.name, [])) for each in screens)
    return [came - sent for arrivals, sendings in pairs for came, sent in zip(arrivals, sendings, strict=True)]


def at(latencies: list[float], share: float) -> float:
    """Return the time that this share of messages did not exceed, in milliseconds."""
    ordered = sorted(latencies)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1)


def rss_kb(pid: int) -> int:
    """Return what a process holds in memory, in units of 1,024 bytes."""
    (line,) = (row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1])


def show(results: dict[str, Any]) -> None:
    """Print what was found."""
    out = Console()
    out.print(f"{results['open']} open, {results['accounts']} accounts, {results['changes_per_s']:g} changes/s")
    out.print(
        f"memory each: {results['kb_each']} KB, {results['kb_each_after_changes']} KB after the changes"
        f" (wanted under {results['kb_wanted']}); before: {results['before_mb']} MB"
    )
    out.print(
        f"commit to screen, {results['messages']} messages: p50 {results['p50_ms']} ms, p99 {results['p99_ms']} ms"
        f" (wanted under {results['p99_wanted_ms']}), max {results['max_ms']} ms"
    )
    out.print(f"CPU of the server a message: {results['cpu_us_a_message']} µs")


if __name__ == "__main__":
    main()
