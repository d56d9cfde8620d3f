"""GraphQL over HTTP to the letter: the audit suite of npm's `graphql-http`, run by the Node that comes as a wheel."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import npm
import pytest
from desk import Desk, served
from worlds import World

from greenroom.app import create

HERE = Path(__file__).parent / "audits"


@pytest.fixture(scope="module")
async def installed() -> Path:
    """The suite as the lock file names it."""
    return await npm.installed(HERE)


@pytest.fixture
def desk(request: pytest.FixtureRequest, world: World) -> Any:
    """The endpoint before a stand-in, or the whole application."""
    if request.param == "the endpoint":
        return Desk()
    return SimpleNamespace(app=lambda: create(world.settings, database_url=world.url, clock=world.clock))


@pytest.mark.parametrize("desk", ["the endpoint", "the application"], indirect=True)
async def test_every_audit_passes_must_should_and_may(installed: Path, desk: Any) -> None:
    async with served(desk) as address:
        printed = await npm.run(npm.node(), "run.mjs", address, directory=installed)
    audits = [json.loads(line) for line in printed.splitlines()]
    assert len(audits) >= 60
    assert [audit for audit in audits if audit["status"] != "ok"] == []
