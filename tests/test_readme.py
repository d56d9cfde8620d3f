"""The README's walk, word for word: a newcomer copies its blocks into a shell while the demo serves."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
GREENROOM = ROOT / ".venv" / "bin" / "greenroom"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, Path]]:
    """The demo, served as `make run` serves it, on a port and a data directory of its own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o711)
        data = Path(place) / "data"
        command = [GREENROOM, "serve", "--demo", "--port", str(port), "--data-dir", data]
        server = subprocess.Popen(command)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", server)
            yield port, data
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers, or fail with it."""
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")


# As much of curl as the README uses.
CURL = """
import sys, urllib.request
given, headers = sys.argv[1:], {}
while given:
    match given.pop(0):
        case "-H":
            name, _, value = given.pop(0).partition(": ")
            headers[name] = value
        case "--data":
            data = given.pop(0).encode()
        case "-sS":
            pass
        case url:
            address = url
print(urllib.request.urlopen(urllib.request.Request(address, data, headers)).read().decode(), end="")
"""


@pytest.mark.parametrize("has_curl", [True, False])
def test_the_walk_of_the_readme_works_word_for_word(
    served: tuple[int, Path], has_curl: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_curl:
        monkeypatch.setattr(shutil, "which", lambda _: None)
    port, data = served
    script = "set -euo pipefail\n" + "echo ---\n".join(BLOCKS)
    environment = os.environ | {"PORT": str(port), "GREENROOM_DATA_DIR": str(data)}
    if shutil.which("curl") is None:  # a machine with nothing but Python and make
        stand_in = tmp_path / "curl"
        stand_in.write_text(f"#!{sys.executable}\n{CURL}")
        stand_in.chmod(0o755)
        environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, _, refused, submitted, aired, remembered = done.stdout.split("---\n")
    blocker = json.loads(refused)["data"]["node"]["admission"]["blockers"][0]
    assert (blocker["code"], blocker["requirement"]["path"]) == ("NOT_SUBMITTED", "CONTACT")
    assert "L4" in [line["line"] for line in blocker["requirement"]["basis"]["lines"]]
    assert json.loads(submitted)["data"]["verificationSubmit"]["verification"]["status"] == "SUBMITTED"
    went, ended = (json.loads("{" + part) for part in aired.removeprefix("{").split("\n{", 1))
    assert went["data"]["liveRoomGoLive"]["ticket"]["token"].count(".") == 2
    assert ended["data"]["liveRoomEnd"]["liveRoom"]["status"] == "ENDED"
    first = json.loads(remembered)["data"]["account"]["rememberedAnchors"]["edges"][0]
    assert first["node"]["displayName"] == "Ana"
