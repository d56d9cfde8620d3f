"""`python -m bench.photos`: photos of 12 megapixels from a reserved place over PUT to READY, one after the other.

A server as a user starts it, with the worker that it has in the demo; CPU is of all its processes but PostgreSQL's. The
photos are of a kind whose zone nobody reads: that is a job of its own, after READY (tests/documents/reading_cost.py).
"""

import argparse
import os
import random
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from PIL import Image
from rich.console import Console

from bench.__main__ import DATA, TICKS, document, rss_mb, serving
from greenroom.access import account_id_of
from greenroom.graph import global_id
from greenroom.settings import Setting, Settings
from greenroom.tokens import DemoSigner

OWN = DATA / "photos"
PLACES = 20  # for photos of one anchor that are not handed in
SIZE = (4_000, 3_000)
WANTED_S = 1.5  # of one core


def main() -> None:
    """Run the bench."""
    asked = argparse.ArgumentParser(prog="python -m bench.photos", description=__doc__)
    asked.add_argument("--photos", type=int, default=100)
    options = asked.parse_args()
    OWN.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "greenroom", "serve", "--demo", "--data-dir", str(OWN), "--port", "{port}"]
    with serving(command, "/graphql", {}) as (port, pid):
        os.sched_setaffinity(pid, range(os.cpu_count() or 1))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            run(client, pid, photo(), count=options.photos)
    shutil.rmtree(OWN)


def photo() -> bytes:
    """Return a JPEG with as much in it as a telephone's: drawing, and the noise of a sensor."""
    rng, noise = random.Random(1), Image.effect_noise(SIZE, 24)
    image = Image.merge("RGB", (noise, noise.transpose(Image.Transpose.ROTATE_180), noise))
    for _ in range(300):
        x, y = rng.randrange(SIZE[0] - 200), rng.randrange(SIZE[1] - 100)
        image.paste(tuple(rng.randrange(256) for _ in range(3)), (x, y, x + rng.randrange(20, 200), y + 40))
    file = BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def run(client: httpx.Client, pid: int, content: bytes, *, count: int) -> None:
    """Send a photo so many times, each once the one before is READY, and tell what that took."""
    settings = Settings(setting=Setting.DEMO, data_dir=OWN)
    span, now = timedelta(hours=1), datetime.now(UTC)
    token = DemoSigner.of(settings).sign(
        "bench", accounts=["seller-cn"], expires_in=span, audience=settings.token_audience, now=now
    )
    client.headers["authorization"] = f"Bearer {token}"
    account_id = account_id_of("seller-cn")
    account, took_s, held = global_id("Account", account_id, account_id), list[float](), list[float]()
    for number in range(count + 1):
        if number % PLACES == 0:
            anchor = new_anchor(client, account)
        began = time.perf_counter()
        send(client, anchor, content)
        if number == 0:  # the first warms up
            began_cpu_s = spent_s(pid)
        else:
            took_s.append(time.perf_counter() - began)
        if number % PLACES == 0:
            held.append(held_mb(pid))
    each_s = (spent_s(pid) - began_cpu_s) / count
    out = Console()
    out.print(f"{count} photos of {len(content) / 1e6:.1f} MB, {SIZE[0]} x {SIZE[1]}: {each_s:.2f} s of CPU each")
    out.print(f"PUT to READY {median(took_s):.2f} s (median), {max(took_s):.2f} s at most; wanted {WANTED_S} s")
    out.print(f"RSS of server and decoder, each {PLACES} photos: {', '.join(f'{mb:.0f}' for mb in held)} MB")


def new_anchor(client: httpx.Client, account: str) -> str:
    """Return an anchor who agreed; of one only so many photos may wait."""
    new = {"displayName": "Ivan", "nationality": "RU"}
    anchor: str = ask(client, "AddAnchor", accountId=account, anchor=new)["anchor"]["id"]
    notice = client.post("/graphql", json={"query": "{ admissionPolicy { notice { version } } }"}).json()
    ask(client, "GiveConsent", anchorId=anchor, noticeVersion=notice["data"]["admissionPolicy"]["notice"]["version"])
    return anchor


def send(client: httpx.Client, anchor: str, content: bytes) -> None:
    """Reserve a place, put the photo there, and wait until it is READY."""
    announced = {"byteSize": len(content), "kind": "RESIDENCE_PERMIT", "mimeType": "image/jpeg"}
    uploads = [announced | {"sha256": sha256(content).hexdigest()}]
    (place,) = ask(client, "StageUploads", anchorId=anchor, uploads=uploads)["stagedUploads"]
    client.put(httpx.URL(place["url"]).raw_path.decode(), content=content).raise_for_status()
    query = {"query": "query($id: ID!) { node(id: $id) { ... on Document { status } } }"}
    query["variables"] = {"id": place["document"]["id"]}  # type: ignore[assignment]  # JSON
    while (status := client.post("/graphql", json=query).json()["data"]["node"]["status"]) == "CHECKING":
        time.sleep(0.02)
    assert status == "READY", status


def ask(client: httpx.Client, name: str, **input: Any) -> Any:
    """Send a mutation of our clients; returns its payload."""
    body = {"query": document(name), "operationName": name, "variables": {"input": input}}
    (payload,) = client.post("/graphql", json=body).json()["data"].values()
    assert payload["userErrors"] == [], payload
    return payload


def family(pid: int) -> list[int]:
    """Return a process and all below it, PostgreSQL apart."""
    if "postgres" in Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]:
        return []
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def spent_s(pid: int) -> float:
    """Return the CPU time of a process, of all below it and of those of them that have ended, in seconds."""
    stats = (Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[11:15] for each in family(pid))
    return sum(int(ticks) for stat in stats for ticks in stat) / TICKS


def held_mb(pid: int) -> float:
    """Return the resident memory of a process and all below it, in megabytes."""
    return sum(rss_mb(each) for each in family(pid))


if __name__ == "__main__":
    main()
