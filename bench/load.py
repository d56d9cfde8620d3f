"""Load: a bounded number of POSTs over a fixed number of connections to a server on the loopback."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load found. Times in seconds."""

    requests: int
    seconds: float
    latencies: list[float]

    def percentile_ms(self, share: float) -> float:
        """Return the latency that this share of requests did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


async def load(port: int, request: Callable[[], bytes], *, connections: int, requests: int) -> Loaded:
    """Send so many requests; each must be answered with 200 and without `errors`.

    Raises AssertionError for an answer that is not.
    """
    left, latencies = requests, list[float]()

    async def work() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            began = time.perf_counter()
            writer.write(request())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            latencies.append(time.perf_counter() - began)
            assert head.startswith(b"HTTP/1.1 200"), head
            assert not body.startswith(b'{"errors"'), body[:400]
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return Loaded(len(latencies), time.perf_counter() - began, latencies)


def post(path: str, body: bytes, token: str) -> bytes:
    """Return a request as it goes over the line."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
