"""Terminal: what all commands share: settings, the database, progress, and how a user's mistake is told."""

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from greenroom import embedded
from greenroom.embedded import APP, DATABASE, OWNER
from greenroom.settings import NEEDED, Setting, Settings

if TYPE_CHECKING:  # slow to import, and needed by few commands
    from rich.console import RenderableType
    from rich.progress import Progress

    from greenroom.db import Database
    from greenroom.doctor import Finding

out, err = Console(), Console(stderr=True)


DataDir = Annotated[Path | None, typer.Option(help="Where the embedded PostgreSQL and the demo's keys live.")]
Demo = Annotated[
    bool,
    typer.Option(
        "--demo",
        help="A newcomer's machine: own PostgreSQL, own keys, own tokens. Refused where GREENROOM_SETTING is another,"
        " or a database is named without GREENROOM_SETTING=demo.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Exit(IntEnum):
    """How a command ends."""

    FOUND = 1
    USAGE = 2
    NOT_MIGRATED = 3
    DATABASE = 4
    PORT = 5
    DECLINED = 6


def now() -> datetime:
    """Return the present, without importing the application for it."""
    return datetime.now(UTC)


def fail(sentence: str, code: Exit) -> NoReturn:
    """End with a sentence that says what to do."""
    err.print("[red]error[/]  ", end="")
    err.print(sentence, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(code)


def read_settings(*, demo: bool = False, needed: Iterable[str] = NEEDED, **given: object) -> Settings:
    """Read the environment; an option that was given wins. Ends where something is wrong or, of `needed`, missing."""
    settings, wrong = settings_and_faults(demo=demo, **given)
    told = {name for name, _ in wrong}
    wrong += [(name, "missing in the production setting") for name in settings.missing(needed) if name not in told]
    if wrong:
        hint = "" if settings.is_demo else "\nOn your own machine the demo needs none of this: add --demo."
        fail("\n".join(f"{name}: {said}" for name, said in wrong) + hint, Exit.USAGE)
    return settings


def settings_and_faults(*, demo: bool = False, **given: object) -> tuple[Settings, list[tuple[str, str]]]:
    """Read the environment; returns what can be used, with defaults for the rest, and what is wrong, by its name.

    The name is the variable's, or the option's where that was given.
    """
    if demo and (why := demo_forbidden()):
        fail(why, Exit.USAGE)
    chosen = {"setting": Setting.DEMO if demo else None, **given}
    options: Any = {name: value for name, value in chosen.items() if value is not None}
    try:
        return Settings(**options), []
    except ValidationError as found:
        faults = [each for each in found.errors() if each["type"] != "default_factory_not_called"]
    wrong = {str(each["loc"][0]): each["msg"].removeprefix("Value error, ") for each in faults}
    usable = Settings(**options | {name: default_of(name) for name in wrong})
    return usable, [(option(name) if name in options else variable(name), said) for name, said in wrong.items()]


def default_of(name: str) -> Any:
    """Return what a setting is where nobody sets it."""
    plain = {each: Settings.model_fields[each].default for each in ("host", "port")}  # what the public address is of
    return Settings.model_fields[name].get_default(call_default_factory=True, validated_data=plain)


def variable(name: str) -> str:
    """Return the variable of a setting."""
    return f"GREENROOM_{name.upper()}"


def option(name: str) -> str:
    """Return the option of a setting."""
    return "--port (make run: PORT=)" if name == "port" else f"--{name.replace('_', '-')}"


def demo_forbidden() -> str | None:
    """Return why nothing may be made a demo here: somebody named a database, or another setting (ADR 12)."""
    told = environment()
    said = told.get("GREENROOM_SETTING")
    if said == Setting.DEMO:
        return None
    if said:
        return f"GREENROOM_SETTING says {said!r}, and this is for the demo setting alone: unset it, or set it to demo."
    if named := [name for name in ("GREENROOM_DATABASE_URL", "GREENROOM_MIGRATION_URL") if name in told]:
        return (
            f"{' and '.join(named)} given, and a demo would fill that database with made-up people: unset it for the "
            "embedded PostgreSQL. If a demo is what that database is for: GREENROOM_SETTING=demo"
        )
    return None


def environment() -> dict[str, str]:
    """Return our variables, those that are empty apart; their names may be written small."""
    return {
        name.upper(): value for name, value in os.environ.items() if name.upper().startswith("GREENROOM_") and value
    }


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the database is for the role that serves, and for the role that owns the tables."""

    app: str
    owner: str


@contextmanager
def database(settings: Settings, *, migrated: bool = True, is_there: bool = False) -> Iterator[Urls]:
    """Yield the given database as it is, or the embedded PostgreSQL, started, and migrated unless told otherwise.

    However we end, it is left, and the last to leave stops it. With `is_there` none is made.
    Raises PostgresUnavailable.
    """
    with ending_in_order(), faults_explained():
        if settings.database_url is not None:
            app = settings.database_url.get_secret_value()
            yield Urls(app, settings.migration_url.get_secret_value() if settings.migration_url else app)
            return
        if settings.migration_url is not None:
            fail("GREENROOM_MIGRATION_URL is given without GREENROOM_DATABASE_URL: give both or none.", Exit.USAGE)
        if is_there and not has_cluster(settings):
            fail(
                f"Nothing here: {settings.data_dir.absolute()} holds no database. Another place: --data-dir.",
                Exit.USAGE,
            )
        with embedded.start(settings.data_dir) as running:
            urls = Urls(running.cluster.url(APP, DATABASE), running.cluster.url(OWNER, DATABASE))
            if migrated:
                from greenroom import migrations

                migrations.migrate(urls.owner)
            yield urls


def has_cluster(settings: Settings) -> bool:
    """Say whether an embedded PostgreSQL was ever made here."""
    return (settings.data_dir / "postgres").exists()


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C unwind what is open, so that PostgreSQL is stopped; a second one does not disturb that."""

    def leave(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, leave)
    yield


# SQLSTATE, or how it begins -> what to do. Others are faults of ours, and keep their traceback.
NOT_MIGRATED = "The database is empty or of another version. Run: greenroom migrate"
ADVICE = {
    "28": "Are role and password in GREENROOM_DATABASE_URL and GREENROOM_MIGRATION_URL right?",
    "3D000": "Create the database first, or correct its name in GREENROOM_DATABASE_URL.",
    "42501": "Migrating needs the role that owns the database (GREENROOM_MIGRATION_URL); serving, a member of"
    " greenroom_app.",
    "42703": NOT_MIGRATED,
    "42883": NOT_MIGRATED,
    "42P01": NOT_MIGRATED,
    "53300": "Too many connections: end some, or raise max_connections.",
    "55P03": "Others hold the tables: try again when they are done.",
    "57P": "PostgreSQL is starting or stopping: try again in a moment.",
    "P0001": 'docs/operating.md, "Roles", has the statements.',
}


@contextmanager
def faults_explained() -> Iterator[None]:
    """End with a sentence where database or keys can't be had; a fault of ours goes on as it is."""
    try:
        yield
    except OSError as fault:
        if fault.filename:
            fail(f"{fault.filename}: {fault.strerror}", Exit.USAGE)
        fail(
            f"The database does not answer: {fault}\nIs it running, and are the hosts in GREENROOM_DATABASE_URL and "
            "GREENROOM_MIGRATION_URL right?",
            Exit.DATABASE,
        )
    except Exception as fault:
        from greenroom.sealing import SealingError

        if isinstance(fault, SealingError):
            fail(str(fault), Exit.USAGE)
        state, said = sqlstate(fault)
        advice = next((todo for sign, todo in ADVICE.items() if state.startswith(sign)), None)
        if advice is None:
            raise
        code = Exit.NOT_MIGRATED if advice is NOT_MIGRATED else Exit.DATABASE
        fail(f"The database refuses: {said}\n{advice}", code)


def sqlstate(fault: BaseException) -> tuple[str, str]:
    """Return PostgreSQL's code and words from whatever wraps them."""
    inner: BaseException | None = getattr(fault, "orig", fault)
    while inner is not None and inner.__cause__ is not None:
        inner = inner.__cause__
    return str(getattr(inner, "sqlstate", "")), str(inner)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator["Database"]:
    """Yield a small pair of pools."""
    from greenroom.db import connect

    db = await connect(url, writes_max=1, reads_max=1, statement_timeout_ms=60_000, lock_timeout_ms=10_000)
    try:
        yield db
    finally:
        await db.close()


def progress_bar(*, hidden: bool = False) -> "Progress":
    """Return a progress bar on standard error; nothing where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=hidden or not err.is_terminal)


def show(view: "RenderableType") -> None:
    """Print a table. Into a file or a pipe, whose width nobody knows, each row on one line."""
    is_wide = not out.is_terminal and "COLUMNS" not in os.environ
    (Console(width=WIDE) if is_wide else out).print(view)


WIDE: Final = 1_000


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def called() -> str:
    """Return how this program is called, so that what we print can be copied."""
    own = Path(sys.argv[0])
    if own.name != "greenroom":
        return "python -m greenroom"
    return "greenroom" if shutil.which("greenroom") == str(own) else str(own)


def table_of(*headings: str) -> Table:
    """Return a table that folds what is long, and cuts nothing."""
    return Table(*(Column(heading, overflow="fold") for heading in headings))


def refuse(forbids: "Finding") -> NoReturn:
    """End where a database is not one to serve."""
    code = Exit.NOT_MIGRATED if forbids.check == "migrations" else Exit.USAGE
    fail(f"Refused: {forbids.found}. {forbids.todo}", code)
