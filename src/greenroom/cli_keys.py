"""The commands of keys: those that seal data and those that sign tickets, made and changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from greenroom.terminal import (
    DataDir,
    Demo,
    Exit,
    Json,
    database,
    err,
    fail,
    opened,
    out,
    print_json,
    progress_bar,
    read_settings,
)

KEYS_HELP = """Make and change the keys that seal data and sign tickets.

Example: greenroom keys make /etc/greenroom/master-keys.json
"""
keys = typer.Typer(no_args_is_help=True, help=KEYS_HELP)
KeyFile = Annotated[Path, typer.Argument(help="The file to make, mode 0600.")]


@keys.command("make")
def make_master_keys(file: KeyFile, as_json: Json = False) -> None:
    """Make a file with a master key, under which the data keys of all anchors are wrapped. Back it up, apart.

    Example: greenroom keys make /etc/greenroom/master-keys.json
    """
    from greenroom.sealing import MasterKeys

    made(file, lambda: MasterKeys.make(file).current_id, another="greenroom keys rotate", as_json=as_json)


@keys.command("tickets")
def make_ticket_keys(file: KeyFile, as_json: Json = False) -> None:
    """Make a file with the Ed25519 key that signs tickets.

    Example: greenroom keys tickets /etc/greenroom/ticket-keys.json
    """
    from greenroom.tickets import make_keys

    another = "make it in a file of its own and put it in second place, as docs/operating.md tells"
    made(file, lambda: str(make_keys(file)[0].kid), another=another, as_json=as_json)


def made(file: Path, make: Callable[[], str], *, another: str, as_json: bool) -> None:
    """Make a file of keys where there is none, and tell the key's id."""
    from greenroom.sealing import SealingError

    if file.is_dir():
        fail(f"{file} is a directory: name the file to make in it.", Exit.USAGE)
    if not file.parent.exists():
        fail(f"{file.parent} does not exist: make that directory first, for its owner alone.", Exit.USAGE)
    if file.exists():
        fail(f"{file} is there already; nothing was changed. For a new key: {another}", Exit.USAGE)
    try:
        key_id = make()
    except (OSError, SealingError) as fault:
        fail(f"{file} can't be made: {fault}", Exit.USAGE)
    if as_json:
        return print_json({"file": str(file), "id": key_id})
    out.print(f"{file}: key {key_id}", markup=False, highlight=False, soft_wrap=True)


@keys.command()
def rotate(
    resume: Annotated[bool, typer.Option("--resume", help="Finish one that was interrupted; no new key.")] = False,
    demo: Demo = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Put a new master key first in its file, and wrap every anchor's data key under it, while others serve.

    The old keys stay in the file: what they wrapped in backups opens with them alone. Interrupted, nothing is lost.

    Example: greenroom keys rotate
    """
    settings = read_settings(demo=demo, data_dir=data_dir, needed=("database_url", "master_key_file"))
    from greenroom import sealing

    path = settings.master_key_file or settings.data_dir / sealing.FILE_NAME
    with database(settings, is_there=True) as urls:
        told = asyncio.run(rewrap_all(urls.app, path, is_new=not resume, hidden=as_json))
    if as_json:
        print_json(told)
    else:
        out.print(f"master key {told['masterKey']}: {told['rewrapped']} data keys wrapped under it", highlight=False)
        for anchor, reason in told["failed"].items():
            err.print(f"anchor {anchor}: {reason}", markup=False, soft_wrap=True)
    raise SystemExit(Exit.FOUND if told["failed"] else 0)


async def rewrap_all(url: str, path: Path, *, is_new: bool, hidden: bool) -> dict[str, Any]:
    """Wrap every data key under the newest master key; a new one is made only once the database answers."""
    from greenroom import rotation, sealing

    done, failed = 0, dict[str, str]()
    async with opened(url) as db:
        await rotation.waiting(db, keys=sealing.MasterKeys.load(path))
        if is_new:
            sealing.rotate(path)
        master = sealing.MasterKeys.load(path)
        with progress_bar(hidden=hidden) as progress:
            task = progress.add_task("data keys", total=await rotation.waiting(db, keys=master))
            async for batch in rotation.rewrap(db, keys=master):
                done += batch.done
                failed |= {str(each.anchor_id): str(each.reason) for each in batch.failed}
                progress.update(task, completed=done)
    return {"masterKey": master.current_id, "isNew": is_new, "rewrapped": done, "failed": failed}
