"""A server of a test's world in a process of its own: `python -m subscriptions.processes URL DATA_DIR PORT`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from worlds import World

TESTS = Path(__file__).parents[1]


@dataclass
class Server:
    """One server process."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    async def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def server(world: World, port: int) -> AsyncIterator[Server]:
    """Serve in another process on a port that nobody listens on; it is killed afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "subscriptions.processes", world.url, str(world.settings.data_dir), str(port), cwd=TESTS
    )
    try:
        async with httpx.AsyncClient() as client:
            while True:
                assert process.returncode is None, "the server ended"
                try:
                    await client.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
        yield Server(process, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    from greenroom.app import create, now
    from greenroom.serving import Announcing, configured
    from greenroom.settings import Setting, Settings

    url, data_dir, given = sys.argv[1:]
    app = create(Settings(setting=Setting.DEMO, data_dir=Path(data_dir)), database_url=url, clock=now)
    config = configured(app)
    config.port = int(given)
    Announcing(config, lambda: None, lambda: app.state.held.streams.end()).run()
