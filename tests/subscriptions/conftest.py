"""Fixtures of the tests of subscriptions."""

from collections.abc import AsyncIterator

import pytest
from worlds import World

from subscriptions.wires import Wire, wired


@pytest.fixture
async def wire(world: World) -> AsyncIterator[Wire]:
    """The application on a port of the loopback, over the database of `world`."""
    async with wired(world) as wire:
        yield wire
