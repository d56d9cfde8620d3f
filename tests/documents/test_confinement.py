"""A process that decodes can ask the kernel for memory, and for nothing that would carry a photo away."""

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="needs seccomp"
)

PREPARED = """
import ctypes, json, os, resource, signal, socket, subprocess, sys, threading
from greenroom.documents import confinement
from greenroom.documents.findings import STANDARD

tries = {
    "open a file": lambda: open("/etc/hostname", "rb"),
    "write a file": lambda: open("/tmp/planted", "wb"),
    "list a directory": lambda: os.listdir("/proc/self/fd"),
    "remove a file": lambda: os.unlink("/tmp/planted"),
    "reach a network": lambda: socket.socket(),
    "send over what is open": lambda: os.sendfile(1, 0, 0, 1),
    "make a pipe": lambda: os.pipe(),
    "start a process": lambda: os.fork(),
    "become a program": lambda: os.execv("/bin/true", ["true"]),
    "kill the server": lambda: os.kill(os.getppid(), 0),
    "read the server's memory": lambda: check(ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0)),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99)),
    "become another user": lambda: os.setuid(0),
    "change a mode": lambda: os.chmod("/tmp", 0o777),
    "start a thread": lambda: threading.Thread(target=int).start(),
    "take memory": lambda: bytearray(32 << 20),
    "take too much memory": lambda: bytearray(4 << 30),
}

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")

def outcome(attempt):
    try:
        attempt()
    except Exception as error:
        return type(error).__name__
    return "done"
"""
CONFINED = """
confinement.limit(STANDARD)
assert confinement.filtered()
print(json.dumps({name: outcome(attempt) for name, attempt in tries.items()}), flush=True)
os._exit(0)
"""
LIMITED = """
confinement.limit(STANDARD)
print(json.dumps({name: outcome(tries[name]) for name in ("open a file", "reach a network", "take too much memory")}))
"""
CAN = {"start a thread", "take memory"}


def outcomes(code: str) -> dict[str, str]:
    ran = subprocess.run([sys.executable, "-c", PREPARED + code], capture_output=True, check=True)
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def test_confined_it_can_take_memory_and_run_threads_and_nothing_else() -> None:
    found = outcomes(CONFINED)
    assert {name for name, how in found.items() if how == "done"} == CAN
    assert found.pop("take too much memory") == "MemoryError"
    assert {name: how for name, how in found.items() if how != "PermissionError" and name not in CAN} == {
        "raise a limit": "ValueError"  # Python's word for what it may not
    }


def test_where_there_is_no_filter_the_limits_alone_hold() -> None:
    assert outcomes(LIMITED) == {
        "open a file": "OSError",
        "reach a network": "OSError",
        "take too much memory": "MemoryError",
    }
