"""A process killed during its puts, at any moment: what it called stored is whole, and so is all that can be seen."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from greenroom.documents.storage import ObjectName
from vault.conftest import Vault
from vault.killed import size_of
from vault.places import content_of, joined

TESTS = Path(__file__).parents[1]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def stored_until_killed(vault: Vault, *, stored: int) -> set[ObjectName]:
    """Kill a process when it has called so many stored, amid the next; returns all that it called stored."""
    command = [sys.executable, "-m", "vault.killed", vault.url or "", str(vault.data_dir)]
    process = subprocess.Popen(command, cwd=TESTS, env=os.environ, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        told = [process.stdout.readline() for _ in range(stored)]
    finally:
        process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    assert process.wait() == -signal.SIGKILL
    names = [ObjectName.read(line.strip()) for line in told if line.endswith("\n")]
    return {name for name in names if name is not None}


@pytest.mark.parametrize("stored", [1, 2, 3, 5, 8, 13, 21])
async def test_a_kill_at_any_moment_leaves_whole_objects_or_none(vault: Vault, stored: int) -> None:
    told = stored_until_killed(vault, stored=stored)
    assert len(told) >= stored
    seen = {found.name async for found in vault.store.listed()}
    assert told <= seen
    for name in seen:
        assert await joined(await vault.store.get(name)) == content_of(name, size_of(name))


async def test_what_a_kill_leaves_behind_can_be_cleared(directory: Vault) -> None:
    while not directory.remnants():
        stored_until_killed(directory, stored=4)
    left = len(directory.remnants())
    before = {found.name async for found in directory.store.listed()}
    assert await directory.store.clear_unfinished(before=LATER) == left
    assert directory.remnants() == []
    assert {found.name async for found in directory.store.listed()} == before
