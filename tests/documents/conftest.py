"""What tests of processes share."""

import os

import pytest

from documents.processes import Processes, family


@pytest.fixture
def processes() -> Processes:
    """Call it for what was started since the test began, a process before its fork; not for the session's others."""
    before = set(family(os.getpid()))
    return lambda: [pid for pid in family(os.getpid()) if pid not in before]
