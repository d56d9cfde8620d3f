"""Fixtures of the HTTP tests.

This directory is no package on purpose: it would be called `http`, as a module of the standard library is.
"""

from collections.abc import AsyncIterator

import httpx
import pytest
from desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.client() as client:
        yield client
