"""`python -m bench`: Q1, Q2, Q3 and M1 against a server as a user starts it, beside the naive peer in the same run.

The server is pinned to one core, PostgreSQL and the load to the other. The figure to compare is CPU of the server
process per request: requests per second swing with the machine.
"""

import argparse
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse, print_ast
from rich.console import Console
from rich.table import Table

from bench.load import load, post
from greenroom import app, embedded
from greenroom.access import account_id_of
from greenroom.db import count_statements
from greenroom.graph import global_id
from greenroom.settings import Setting, Settings
from greenroom.tokens import DemoSigner

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".greenroom" / "bench"
OPERATIONS = {"Q1": "RememberedAnchors", "Q2": "Rooms", "Q3": "Admission", "M1": "CreateRoom"}
UNBOUND = {"GREENROOM_RATE_POINTS": "1000000000", "GREENROOM_RATE_POINTS_PER_S": "100000000"}  # no load is refused
SAMPLE = 100  # accounts that a run touches: as many as one token may name
TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, OTHER_CORE = (0, 1) if (os.cpu_count() or 1) > 1 else (0, 0)


@dataclass(frozen=True, slots=True)
class Figure:
    """What one operation cost on one server: the median of the rounds."""

    server: str
    operation: str
    cpu_us: float
    p50_ms: float
    p99_ms: float
    per_s: float
    statements: int | None
    rss_mb: float


def main() -> None:
    """Run the bench."""
    asked = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    asked.add_argument("--accounts", type=int, default=20_000, help="size of the world")
    asked.add_argument("--requests", type=int, default=2_000, help="a round and operation")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--connections", type=int, default=16)
    asked.add_argument("--soak", type=int, default=0, help="so many more Q1 at the end, to see whether memory grows")
    asked.add_argument("--json", type=Path, default=ROOT / "bench" / "results" / "latest.json")
    options = asked.parse_args()
    os.sched_setaffinity(0, {OTHER_CORE})
    DATA.mkdir(parents=True, exist_ok=True)
    DATA.chmod(0o711)
    with embedded.start(DATA) as running:  # before the server, so that PostgreSQL stays on this core
        greenroom("demo", "--accounts", str(options.accounts))
        results = uvloop.run(measured(options, running.cluster))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=2) + "\n")
    show(results)


def greenroom(*arguments: str) -> None:
    """Run the command line on the bench's data."""
    command = [sys.executable, "-m", "greenroom", *arguments, "--data-dir", str(DATA)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"GREENROOM_SETTING": "demo"})


async def measured(options: argparse.Namespace, cluster: embedded.Cluster) -> dict[str, Any]:
    """Measure every operation, our server and the peer in turns."""
    settings = Settings(setting=Setting.DEMO, data_dir=DATA)
    sample = await Sample.of(settings, cluster, accounts=options.accounts)
    statements = await counted(settings, cluster, sample)
    peer_url = cluster.url(embedded.APP, embedded.DATABASE).replace("postgresql://", "postgresql+asyncpg://")
    ours = [sys.executable, "-m", "greenroom", "serve", "--demo", "--data-dir", str(DATA), "--port", "{port}"]
    naive = [sys.executable, "-m", "bench.peers.naive", "{port}"]
    with serving(ours, "/graphql", {}) as (port, pid), serving(naive, "/", {"PEER_DATABASE_URL": peer_url}) as peer:
        idle_mb = rss_mb(pid)
        rounds: dict[tuple[str, str], list[Figure]] = {}
        for _ in range(options.rounds):
            for label in OPERATIONS:
                found = await one(
                    "greenroom", label, port, pid, "/graphql", sample, options, statements=statements[label]
                )
                rounds.setdefault(("greenroom", label), []).append(found)
            rounds.setdefault(("naive", "Q1"), []).append(
                await one("naive", "Q1", *peer, "/", sample, options, statements=None)
            )
        before = rss_mb(pid)
        if options.soak:
            await load(port, sample.requests("Q1", "/graphql"), connections=options.connections, requests=options.soak)
        soak = {"requests": options.soak, "rss_before_mb": before, "rss_after_mb": rss_mb(pid)}
    figures = [middle(found) for found in rounds.values()]
    by = {(f.server, f.operation): f.cpu_us for f in figures}
    return {
        "machine": machine(),
        "command": "python -m bench " + " ".join(sys.argv[1:]),
        "accounts": options.accounts,
        "rounds": options.rounds,
        "requests_a_round": options.requests,
        "connections": options.connections,
        "idle_rss_mb": idle_mb,
        "naive_over_ours_q1": round(by["naive", "Q1"] / by["greenroom", "Q1"], 2),
        "soak": soak,
        "figures": [asdict(f) for f in figures],
    }


async def one(
    server: str,
    label: str,
    port: int,
    pid: int,
    path: str,
    sample: "Sample",
    options: argparse.Namespace,
    *,
    statements: int | None,
) -> Figure:
    """Measure one operation once, after a tenth of it as a warm-up."""
    requests = sample.requests(label, path)
    await load(port, requests, connections=options.connections, requests=options.requests // 10)
    began = cpu_s(pid)
    found = await load(port, requests, connections=options.connections, requests=options.requests)
    return Figure(
        server=server,
        operation=label,
        cpu_us=(cpu_s(pid) - began) / found.requests * 1e6,
        p50_ms=found.percentile_ms(0.5),
        p99_ms=found.percentile_ms(0.99),
        per_s=found.requests / found.seconds,
        statements=statements,
        rss_mb=rss_mb(pid),
    )


def middle(found: list[Figure]) -> Figure:
    """Return the median of each figure over the rounds."""
    first = found[0]
    values = {
        n: round(median(getattr(f, n) for f in found), 1) for n in ("cpu_us", "p50_ms", "p99_ms", "per_s", "rss_mb")
    }
    return Figure(server=first.server, operation=first.operation, statements=first.statements, **values)


@dataclass(slots=True)
class Sample:
    """What requests name: accounts of the world with some of their anchors and rooms, and a token for them."""

    token: str
    accounts: list[str]
    anchors: dict[str, list[str]]
    rooms: list[str]
    chance: random.Random

    @classmethod
    async def of(cls, settings: Settings, cluster: embedded.Cluster, *, accounts: int) -> "Sample":
        """Draw accounts; rooms are those with three in the cast and three blockers."""
        chance = random.Random(20261124)
        names = [f"crowd-{n:05d}" for n in chance.sample(range(1, accounts + 1), min(SAMPLE, accounts))]
        ids = [global_id("Account", account_id_of(n), account_id_of(n)) for n in names]
        token = DemoSigner.of(settings).sign(
            "bench",
            accounts=names,
            expires_in=timedelta(days=1),
            audience=settings.token_audience,
            now=datetime.now(UTC),
        )
        sample = cls(token, ids, {}, [], chance)
        async with application(settings, cluster) as (send, _):
            for account in ids:
                found = (await send("RememberedAnchors", {"accountId": account}, token))["account"]
                sample.anchors[account] = [e["node"]["id"] for e in found["rememberedAnchors"]["edges"]]
                rooms = (await send("Rooms", {"accountId": account, "status": "SCHEDULED"}, token))["account"][
                    "liveRooms"
                ]
                for edge in rooms["edges"]:
                    answer = await send("Admission", {"id": edge["node"]["id"]}, token)
                    if len(answer["node"]["admission"]["blockers"]) == 3 and len(edge["node"]["cast"]) == 3:
                        sample.rooms.append(edge["node"]["id"])
        return sample

    def variables(self, label: str) -> dict[str, Any]:
        """Return the variables of one request."""
        account = self.chance.choice(self.accounts)
        match label:
            case "Q1" | "Q2":
                return {"accountId": account, "first": 20}
            case "Q3":
                return {"id": self.chance.choice(self.rooms)}
            case _:
                account = self.chance.choice([a for a, found in self.anchors.items() if len(found) >= 3])
                cast = [
                    {"anchor": {"id": anchor}, "location": "OUTSIDE_CHINA"}
                    for anchor in self.chance.sample(self.anchors[account], 3)
                ]
                start = (datetime.now(UTC) + timedelta(days=1)).isoformat()
                return {"input": {"accountId": account, "title": "11.11", "scheduledStartAt": start, "cast": cast}}

    def requests(self, label: str, path: str) -> Callable[[], bytes]:
        """Return a source of requests for one operation."""
        name = OPERATIONS[label]
        query = document(name)

        def request() -> bytes:
            body = {"query": query, "operationName": name, "variables": self.variables(label)}
            return post(path, json.dumps(body).encode(), self.token)

        return request


def document(name: str) -> str:
    """Return an operation of our clients with the fragments that it names."""
    known: dict[str, str] = {}
    for file in (ROOT / "operations").glob("*.graphql"):
        for node in parse(file.read_text()).definitions:
            if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode) and node.name:
                known[node.name.value] = print_ast(node)
    needed, todo = {name: known[name]}, [known[name]]
    while todo:
        for found in re.findall(r"\.\.\.\s*(?!on\b)(\w+)", todo.pop()):
            if found not in needed:
                needed[found] = known[found]
                todo.append(known[found])
    return "\n".join(needed.values())


class application:
    """The application in this process, to draw the sample from and to count statements."""

    def __init__(self, settings: Settings, cluster: embedded.Cluster) -> None:
        self.app = app.create(settings, database_url=cluster.url(embedded.APP, embedded.DATABASE))
        self.heard: list[str] = []

    async def __aenter__(self) -> tuple[Any, list[str]]:
        import httpx

        self.lifespan = self.app.router.lifespan_context(self.app)
        await self.lifespan.__aenter__()
        count_statements(self.app.state.held.services.db, self.heard.append)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://bench")
        return self.send, self.heard

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        await self.lifespan.__aexit__(None, None, None)

    async def send(self, name: str, variables: dict[str, Any], token: str) -> dict[str, Any]:
        """Send one operation; returns its data."""
        body = {"query": document(name), "operationName": name, "variables": variables}
        answer = (await self.http.post("/graphql", json=body, headers={"authorization": f"Bearer {token}"})).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data


async def counted(settings: Settings, cluster: embedded.Cluster, sample: Sample) -> dict[str, int]:
    """Count the statements of each operation, scope, begin and commit apart; the policy in force is amortised."""
    found: dict[str, int] = {}
    async with application(settings, cluster) as (send, heard):
        for label, name in OPERATIONS.items():
            await send(name, sample.variables(label), sample.token)
            heard.clear()
            await send(name, sample.variables(label), sample.token)
            found[label] = sum("policy_in_force" not in statement for statement in heard)
    return found


@contextmanager
def serving(command: list[str], path: str, extra: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Start a server on its core and stop it afterwards; yields port and pid."""
    port = free_port()
    server = subprocess.Popen(
        [part.format(port=port) for part in command],
        cwd=ROOT,
        env=os.environ | {"GREENROOM_SETTING": "demo"} | UNBOUND | extra,
        stdout=subprocess.DEVNULL,
    )
    os.sched_setaffinity(server.pid, {SERVER_CORE})
    try:
        wait_for(port, path, server)
        yield port, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int, path: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    body = b'{"query": "{ __typename }"}'
    headers = {"content-type": "application/json"}
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, user and system, in seconds."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, in megabytes of 2^20."""
    (line,) = (row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def machine() -> dict[str, Any]:
    """Say what was measured on."""
    models = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cores": os.cpu_count(),
        "cpu": next(iter(Counter(models)), platform.machine()),
        "python": platform.python_version(),
        "postgresql": 18,
    }


def show(results: dict[str, Any]) -> None:
    """Print the table."""
    names = ["server", "operation", "cpu_us", "p50_ms", "p99_ms", "per_s", "statements", "rss_mb"]
    table = Table(*names, title=f"{results['accounts']} accounts, {results['connections']} connections")
    for figure in results["figures"]:
        table.add_row(*("" if figure[n] is None else str(figure[n]) for n in names))
    out = Console(width=120)
    out.print(table)
    out.print(f"naive / ours, CPU of Q1: {results['naive_over_ours_q1']}   idle RSS: {results['idle_rss_mb']} MB")
    out.print(f"soak: {results['soak']}")


if __name__ == "__main__":
    main()
