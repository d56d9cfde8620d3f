"""`python -m bench.uploads`: photos sent with PUT, sealed, digested and stored, beside Starlette streaming to the disk.

All servers run under uvicorn, on all cores as the load does, and take their rounds in turns. The peers write each piece
as it comes, without digest, encryption or temporary name: `disk` answers once the disk has the file, as ours does, and
is the one to compare with; `cache` answers at once, and a power cut takes what it called stored. SHA-256 alone takes
10 ms of a core for 20 MB, two thirds of what `disk` takes for all: where cores are short, ours falls behind.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import uvicorn
from rich.console import Console
from rich.table import Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uuid_utils.compat import uuid7

from bench.__main__ import cpu_s, machine, serving
from greenroom.documents.storage import ObjectName, store_at
from greenroom.documents.stream import Content, Rendition, Sealing

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".greenroom" / "bench" / "uploads"
OURS, DISK, CACHE = SERVERS = "greenroom", "disk", "cache"
MIB = 1024 * 1024
SHARE_WANTED = 0.7  # of the throughput of `disk`
RSS_WANTED_MB = 300


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What one server took: the median of the rounds."""

    server: str
    mb_per_s: float
    cpu_ms: float  # of the server process, an upload


def main() -> None:
    """Run the bench."""
    asked = argparse.ArgumentParser(prog="python -m bench.uploads", description=__doc__)
    asked.add_argument("--photo-mb", type=int, default=20)
    asked.add_argument("--uploads", type=int, default=24, help="a round and server")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--connections", type=int, default=4)
    asked.add_argument("--parallel", type=int, default=20, help="uploads at once when memory is measured")
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    results = measured(options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    show(results)


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both servers in turns, then the memory of a fresh one of ours."""
    photo, rounds = os.urandom(options.photo_mb * MIB), list[Uploaded]()
    with ExitStack() as servers:
        running = {name: servers.enter_context(server(name)) for name in SERVERS}
        for number in range(options.rounds + 1):
            for name, (port, pid) in running.items():
                found = one(name, port, pid, photo, options)
                if number:  # the first warms up
                    rounds.append(found)
    with server(OURS) as (port, pid):
        idle_mb = peak_mb(pid)
        upload(port, photo, uploads=options.parallel * 2, connections=options.parallel)
        parallel_mb = peak_mb(pid)
    shutil.rmtree(DATA)
    figures = [middle(rounds, name) for name in SERVERS]
    ours, disk, cache = figures
    return {
        "machine": machine(),
        "command": "python -m bench.uploads " + " ".join(sys.argv[1:]),
        "photo_mb": options.photo_mb,
        "connections": options.connections,
        "figures": [asdict(figure) for figure in figures],
        "share_of_disk": round(ours.mb_per_s / disk.mb_per_s, 2),
        "share_of_cache": round(ours.mb_per_s / cache.mb_per_s, 2),
        "share_of_cache_by_cpu": round(cache.cpu_ms / ours.cpu_ms, 2),
        "share_wanted": SHARE_WANTED,
        "parallel": options.parallel,
        "idle_rss_mb": idle_mb,
        "peak_rss_mb": parallel_mb,
        "rss_wanted_mb": RSS_WANTED_MB,
    }


def one(name: str, port: int, pid: int, photo: bytes, options: argparse.Namespace) -> Uploaded:
    """Measure one round on one server, and clear what it stored."""
    began, began_s = cpu_s(pid), time.perf_counter()
    upload(port, photo, uploads=options.uploads, connections=options.connections)
    took_s, took_cpu_s = time.perf_counter() - began_s, cpu_s(pid) - began
    for stored in (path for path in (DATA / name).rglob("*") if path.is_file()):
        stored.unlink()
    return Uploaded(name, options.uploads * len(photo) / MIB / took_s, took_cpu_s / options.uploads * 1000)


def middle(rounds: list[Uploaded], name: str) -> Uploaded:
    """Return the median of each figure over the rounds of one server."""
    own = [found for found in rounds if found.server == name]
    return Uploaded(name, round(median(f.mb_per_s for f in own)), round(median(f.cpu_ms for f in own), 1))


def upload(port: int, photo: bytes, *, uploads: int, connections: int) -> None:
    """Send the photo so many times over so many connections; each is answered with its digest."""
    digest = sha256(photo).hexdigest()
    head = f"PUT /{digest} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(photo)}\r\n\r\n".encode()
    shares = [uploads // connections + (number < uploads % connections) for number in range(connections)]

    def work(share: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rb") as answers:
            for _ in range(share):
                line.sendall(head)
                line.sendall(photo)  # one call: the load must not be what is measured
                status, *headers = iter(answers.readline, b"\r\n")
                assert status.startswith(b"HTTP/1.1 200"), status
                (length,) = (int(each[15:]) for each in headers if each.lower().startswith(b"content-length:"))
                assert answers.read(length).decode() == digest

    with ThreadPoolExecutor(connections) as workers:
        list(workers.map(work, shares))


@contextmanager
def server(name: str) -> Iterator[tuple[int, int]]:
    """Start one of the servers and stop it afterwards; yields port and pid."""
    directory = DATA / name
    directory.mkdir(parents=True, exist_ok=True)
    with serving([sys.executable, "-m", "bench.uploads", "serve", name, "{port}"], "/", {}) as (port, pid):
        os.sched_setaffinity(pid, range(os.cpu_count() or 1))
        yield port, pid


def peak_mb(pid: int) -> float:
    """Return the most memory that a process ever had resident, in megabytes of 2^20."""
    (line,) = (row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def show(results: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("server", "MB/s", "CPU ms", title=f"{results['photo_mb']} MB, {results['connections']} connections")
    for figure in results["figures"]:
        table.add_row(*(str(value) for value in figure.values()))
    out = Console()
    out.print(table)
    shares = (f"{name}: {results[name]}" for name in results if name.startswith("share_"))
    out.print("   ".join(shares))
    out.print(f"peak RSS of {results['parallel']} uploads at once: {results['peak_rss_mb']} MB")
    out.print(f"wanted under {results['rss_wanted_mb']} MB; before them: {results['idle_rss_mb']} MB")


# The servers.


async def ready(request: Request) -> PlainTextResponse:
    """Answer whoever waits for the server."""
    return PlainTextResponse("")


async def keep(request: Request) -> PlainTextResponse:
    """Stream to the disk, and no more; on it by the time of the answer."""
    with (DATA / DISK / str(uuid7())).open("wb") as file:
        async for piece in request.stream():
            file.write(piece)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return PlainTextResponse(request.path_params["digest"])


async def keep_in_cache(request: Request) -> PlainTextResponse:
    """Stream to where the system may or may not write it to the disk."""
    with (DATA / CACHE / str(uuid7())).open("wb") as file:
        async for piece in request.stream():
            file.write(piece)
    return PlainTextResponse(request.path_params["digest"])


async def seal(request: Request) -> PlainTextResponse:
    """Seal, digest, compare and store, as the endpoint for photos does."""
    name = ObjectName(UUID(int=1), uuid7(), uuid7())
    announced = Content(int(request.headers["content-length"]), bytes.fromhex(request.path_params["digest"]))
    sealing = Sealing(
        request.stream(), data_key=bytes(32), name=name, rendition=Rendition.ORIGINAL, announced=announced
    )
    await request.app.state.store.put(name, sealing)
    return PlainTextResponse(sealing.content.sha256.hex())


def serve(name: str, port: int) -> None:
    """Serve until told to stop."""
    put = {OURS: seal, DISK: keep, CACHE: keep_in_cache}[name]
    app = Starlette(routes=[Route("/", ready, methods=["POST"]), Route("/{digest}", put, methods=["PUT"])])
    app.state.store = store_at(os.environ.get("BENCH_DOCUMENTS_URL"), data_dir=DATA / name)
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
