"""Greenroom: may this live room go on air, with these people, and if not, what is missing?

Exit codes: 0 done; 1 something was found wrong; 2 wrong usage or settings; 3 the database is not at this version's
schema; 4 the database can't be reached or refuses; 5 the port is taken.
"""
# What is slow to import is imported by the command that needs it: `token` and `explain` are typed often.

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from greenroom import embedded
from greenroom.embedded import APP, DATABASE, OWNER
from greenroom.law.policies import ALIEXPRESS_2021, PACKS
from greenroom.law.terms import AccountKind, BroadcastLocation, Language
from greenroom.settings import Setting, Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from greenroom.db import Database

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
keys = typer.Typer(no_args_is_help=True, help="Make and change the keys that seal data and sign tickets.")
cli.add_typer(keys, name="keys")
out, err = Console(), Console(stderr=True)

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded PostgreSQL and the demo's keys live.")]
Demo = Annotated[bool, typer.Option("--demo", help="A newcomer's machine: own PostgreSQL, own keys, own tokens.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
KeyFile = Annotated[Path, typer.Argument(help="The file to make, mode 0600.")]
PERMISSIONS = "ADMINISTER, AUDIT, MEDIA, REVIEW, REVIEW_LEAD"  # access.Permission; a test holds the two together


class Exit(IntEnum):
    """How a command ends."""

    FOUND = 1
    USAGE = 2
    NOT_MIGRATED = 3
    DATABASE = 4
    PORT = 5


def main() -> None:
    """Run the command line."""
    try:
        cli()
    except embedded.PostgresUnavailable as fault:
        fail(str(fault), Exit.DATABASE)


def fail(sentence: str, code: Exit) -> NoReturn:
    """End with a sentence that says what to do."""
    err.print("[red]error[/]  ", end="")
    err.print(sentence, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(code)


def now() -> datetime:
    """Return the present, without importing the application for it."""
    return datetime.now(UTC)


def read_settings(*, demo: bool = False, **given: object) -> Settings:
    """Read the environment; an option that was given wins, but for one: production is never made a demo."""
    said = next((value for name, value in os.environ.items() if name.upper() == "GREENROOM_SETTING"), None)
    if demo and said == Setting.PRODUCTION:
        fail("GREENROOM_SETTING says production, and this is for the demo setting alone.", Exit.USAGE)
    chosen = {"setting": Setting.DEMO if demo else None, **given}
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks each
    except ValidationError as wrong:
        told = [f"{'_'.join(('GREENROOM', *map(str, e['loc']))).upper()}: {e['msg']}" for e in wrong.errors()]
        hint = "" if demo else "\nOn your own machine the demo needs none of this: add --demo."
        fail("\n".join(line.removeprefix("GREENROOM: Value error, ") for line in told) + hint, Exit.USAGE)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the database is for the role that serves, and for the role that owns the tables."""

    app: str
    owner: str


@contextmanager
def database(settings: Settings) -> Iterator[Urls]:
    """Yield the given database, or the embedded PostgreSQL, started and migrated; it is stopped however we end."""
    with ending_in_order(), faults_explained():
        if settings.database_url is not None:
            app = settings.database_url.get_secret_value()
            yield Urls(app, settings.migration_url.get_secret_value() if settings.migration_url else app)
            return
        from greenroom import migrations

        with embedded.start(settings.data_dir) as running:
            urls = Urls(running.cluster.url(APP, DATABASE), running.cluster.url(OWNER, DATABASE))
            migrations.migrate(urls.owner)
            yield urls


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
ADVICE = {
    "28": "Are role and password in GREENROOM_DATABASE_URL and GREENROOM_MIGRATION_URL right?",
    "3D000": "Create the database first, or correct its name in GREENROOM_DATABASE_URL.",
    "42501": "This needs the role that owns the tables: GREENROOM_MIGRATION_URL.",
    "42P01": "The database is empty. Run: greenroom migrate",
    "53300": "Too many connections: end some, or raise max_connections.",
    "55P03": "Others hold the tables: try again when they are done.",
    "57P": "PostgreSQL is starting or stopping: try again in a moment.",
}


@contextmanager
def faults_explained() -> Iterator[None]:
    """End with a sentence where the database can't be had; a fault of ours goes on as it is."""
    try:
        yield
    except (ConnectionError, TimeoutError, FileNotFoundError) as fault:
        fail(f"The database does not answer: {fault}\nIs it running, and is GREENROOM_DATABASE_URL right?", Exit.DATABASE)
    except Exception as fault:
        state, said = sqlstate(fault)
        advice = next((todo for sign, todo in ADVICE.items() if state.startswith(sign)), None)
        if advice is None:
            raise
        fail(f"The database refuses: {said}\n{advice}", Exit.NOT_MIGRATED if state == "42P01" else Exit.DATABASE)


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


def bar(*, hidden: bool = False) -> "Progress":
    """Return a progress bar on standard error; nothing where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=hidden or not err.is_terminal)


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def called() -> str:
    """Return how this program is called, so that what we print can be copied."""
    own = Path(sys.argv[0])
    if own.name != "greenroom":
        return "python -m greenroom"
    return "greenroom" if shutil.which("greenroom") == str(own) else str(own)


@cli.command()
def serve(
    demo: Demo = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API until SIGTERM or Ctrl-C.

    Example: greenroom serve --demo --port 8123
    """
    settings = read_settings(demo=demo, host=host, port=port, data_dir=data_dir)
    from greenroom import doctor, sealing, serving

    at = f"{settings.host}:{settings.port}"
    try:
        sockets = doctor.listeners(settings.host, settings.port)
    except OSError as error:
        fail(f"Can't listen on {at}: {error.strerror}. Choose another: --port, --host.", Exit.PORT)
    with database(settings) as urls:
        if forbids := serving.prepare(settings, url=urls.app):
            code = Exit.NOT_MIGRATED if forbids.check == "migrations" else Exit.USAGE
            fail(f"Not served: {forbids.found}. {forbids.todo}", code)
        try:
            serving.run(settings, url=urls.app, sockets=sockets, announce=lambda: announce(settings))
        except (sealing.SealingError, ValueError) as fault:
            fail(str(fault), Exit.USAGE)


def announce(settings: Settings) -> None:
    """Say where the API listens and, in the demo, how to come in."""
    at = f"http://{settings.host}:{settings.port}"
    lines = [f"Greenroom serves {at}/graphql"]
    if settings.is_demo:
        place = "" if settings.data_dir == Path(".greenroom") else f" --data-dir {settings.data_dir}"
        lines += [
            f"explorer   {at}/ in a browser",
            f"a token    {called()} token --account seller-cn{place}",
            f"who else   {called()} demo{place}",
            "to stop    Ctrl-C",
        ]
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Where to, up or down.")] = "head",
    demo: Demo = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the database to this version's schema, as the role that owns the tables.

    Example: GREENROOM_MIGRATION_URL=postgresql://owner@db/greenroom greenroom migrate
    """
    settings = read_settings(demo=demo, data_dir=data_dir)
    from alembic.util import CommandError

    from greenroom import migrations

    with database(settings) as urls:
        try:
            migrations.migrate(urls.owner, revision=revision)
        except CommandError as error:
            fail(f"{error}. Known are: head, base, and the names in greenroom/migrations/versions.", Exit.USAGE)
        out.print(f"at {asyncio.run(migrations.current(urls.owner)) or 'base'}", highlight=False)


@cli.command()
def demo(
    accounts: Annotated[int, typer.Option(help="Add so many accounts to measure with.", min=0, max=200_000)] = 0,
    seed: Annotated[int, typer.Option(help="What the large world is made up from.")] = 1,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Fill an empty database with the demo's world, and say what is in it; with --accounts a large one beside it.

    The large one takes COPY and, meanwhile, the tables: as the role that owns them (GREENROOM_MIGRATION_URL).

    Example: greenroom demo --accounts 20000
    """
    settings = read_settings(demo=True, data_dir=data_dir)
    from greenroom import serving
    from greenroom.demo.world import ACCOUNTS

    with database(settings) as urls:
        if forbids := asyncio.run(serving.against(urls.app)):
            fail(f"{forbids.found}. {forbids.todo}", Exit.NOT_MIGRATED)
        is_new = asyncio.run(serving.seed(urls.app, settings))
        crowd = asyncio.run(add_crowd(urls.owner, settings, accounts, seed)) if accounts else None
    if as_json:
        return print_json({"isNew": is_new, "accounts": [asdict(shown) for shown in ACCOUNTS], "crowd": crowd})
    table = Table("account", "kind", "nationality", "name", "what it shows")
    for shown in ACCOUNTS:
        table.add_row(shown.external_id, shown.kind, shown.nationality, shown.name, shown.shows)
    out.print(table)
    out.print(f"A token: {called()} token --account seller-cn; an agency's: more than one --account.", soft_wrap=True)
    if crowd:
        out.print("The crowd, crowd-00001 and on:", ", ".join(f"{value} {name}" for name, value in crowd.items()))


async def add_crowd(url: str, settings: Settings, accounts: int, seed: int) -> dict[str, Any]:
    """Add the large world, unless there is one; returns what it came to."""
    import asyncpg

    from greenroom.demo import crowd
    from greenroom.sealing import MasterKeys

    connection = await asyncpg.connect(url)
    try:
        if there := await crowd.size(connection):
            return {"accounts": there, "isNew": False}
        began, master = now(), MasterKeys.of(settings)
        filling = crowd.fill(connection, accounts=accounts, seed=seed, keys=master, pepper=master.pepper, now=began)
        with bar() as progress:
            task = progress.add_task("accounts", total=accounts)
            async for done in filling:
                progress.update(task, completed=done)
        await crowd.analyze(connection)
        mebibytes = await connection.fetchval("SELECT pg_database_size(current_database()) / 1024 / 1024")
        return {"accounts": accounts, "isNew": True, "seconds": round((now() - began).total_seconds()), "MiB": mebibytes}
    finally:
        await connection.close()


@cli.command()
def token(
    account: Annotated[list[str] | None, typer.Option(help="The platform's id of an account to act for.")] = None,
    permission: Annotated[list[str] | None, typer.Option(help=f"What else is allowed: {PERMISSIONS}.")] = None,
    subject: Annotated[str, typer.Option(help="Who it is for.")] = "demo",
    name: Annotated[str | None, typer.Option(help="Their name.")] = None,
    expires_in: Annotated[int, typer.Option(help="Seconds that it holds.", min=-86_400, max=31_536_000)] = 86_400,
    audience: Annotated[str | None, typer.Option(help="Whom it is meant for.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print an access token of the demo setting's own signer; --account and --permission can be given more than once.

    Example: greenroom token --account seller-cn
    """
    settings = read_settings(demo=True, data_dir=data_dir)
    from greenroom.access import Permission
    from greenroom.sealing import KeyFileInvalid
    from greenroom.tokens import DemoSigner

    if unknown := [word for word in permission or [] if word not in Permission.__members__]:
        fail(f"No such permission: {', '.join(unknown)}. There are: {PERMISSIONS}.", Exit.USAGE)
    try:
        signer = DemoSigner.of(settings)
    except KeyFileInvalid as fault:
        fail(str(fault), Exit.USAGE)
    signed = signer.sign(
        subject,
        name=name,
        accounts=account or [],
        permissions=[Permission(word) for word in permission or []],
        expires_in=timedelta(seconds=expires_in),
        audience=audience or settings.token_audience,
        now=now(),
    )
    typer.echo(signed)


@cli.command()
def schema() -> None:
    """Print the GraphQL schema.

    Example: greenroom schema > schema.graphql
    """
    from greenroom.schema import build

    typer.echo(build().as_str())


@cli.command()
def explain(
    account_kind: Annotated[AccountKind, typer.Option(help="Who broadcasts.")] = AccountKind.SELLER,
    account_nationality: Annotated[str, typer.Option(help="The account's: an ISO 3166-1 code.")] = "CN",
    anchor_nationality: Annotated[str, typer.Option(help="The anchor's: an ISO 3166-1 code.")] = "CN",
    location: Annotated[BroadcastLocation, typer.Option(help="Where the anchor stands.")] = BroadcastLocation.IN_CHINA,
    table: Annotated[bool, typer.Option("--table", help="All 16 cells of the decision table.")] = False,
    policy: Annotated[str, typer.Option(help=f"The pack: {', '.join(PACKS)}.")] = ALIEXPRESS_2021.name,
    lang: Annotated[Language, typer.Option(help="In Chinese or English.")] = "en",
    as_json: Json = False,
) -> None:
    """Say what an anchor must hand in, and which lines of the announcement say so.

    Example: greenroom explain --account-kind SELLER --account-nationality CN --anchor-nationality US --location IN_CHINA
    """
    from greenroom.explain import explain_case, explain_table
    from greenroom.text import country

    if policy not in PACKS:
        fail(f"No such pack: {policy}. There are: {', '.join(PACKS)}.", Exit.USAGE)
    codes = {"account_nationality": account_nationality, "anchor_nationality": anchor_nationality}
    checked = {name: country(typed, at=(f"--{name.replace('_', '-')}",)) for name, typed in codes.items()}
    if problems := [problem for _, found in checked.values() for problem in found]:
        fail("\n".join(f"{problem.at[0]}: {problem.said(lang)}" for problem in problems), Exit.USAGE)
    shared: dict[str, Any] = {"policy": PACKS[policy], "language": lang}
    nationalities = {name: code for name, (code, _) in checked.items()}
    explained = (
        explain_table(**shared) if table else explain_case(account_kind, **nationalities, location=location, **shared)
    )
    print_json(explained.data) if as_json else out.print(explained.view)


@cli.command()
def doctor(demo: Demo = False, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check settings, keys, tokens, disk, port, database, role, migrations and clock; say what to do about each finding.

    Exit code 1 where something fails. An embedded PostgreSQL that is not running is started for the look, then stopped.

    Example: greenroom doctor --demo
    """
    settings = read_settings(demo=demo, data_dir=data_dir)
    import structlog

    from greenroom.doctor import Finding, Level, look_around

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    findings: list[Finding] = [*look_around(settings), *examined(settings)]
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        colors = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
        table = Table("check", "", "found", "what to do")
        for each in findings:
            table.add_row(each.check, f"[{colors[each.level]}]{each.level}[/]", *map(escape, (each.found, each.todo)))
        out.print(table)
    raise SystemExit(Exit.FOUND if failed else 0)


def examined(settings: Settings) -> "list[Any]":
    """Return what the database says of itself; of an embedded one that was never made, that it is not there."""
    from greenroom.doctor import Finding, Level, issuer, look_into

    async def all_findings(url: str | None) -> list[Finding]:
        found = [await issuer(settings, now=now())]
        return found if url is None else found + [each async for each in look_into(url, settings, clock=now)]

    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        none = Finding("database", Level.OK, "none yet: the first `greenroom serve --demo` makes it")
        return [*asyncio.run(all_findings(None)), none]
    try:
        with ending_in_order(), embedded_or_given(settings) as url:
            return asyncio.run(all_findings(url))
    except embedded.PostgresUnavailable as fault:
        return [*asyncio.run(all_findings(None)), Finding("database", Level.FAIL, str(fault), "See what it says.")]


@contextmanager
def embedded_or_given(settings: Settings) -> Iterator[str]:
    """Yield where the database is, as it is: nothing is migrated."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded.start(settings.data_dir) as running:
        yield running.cluster.url(APP, DATABASE)


@keys.command("make")
def make_master_keys(file: KeyFile, as_json: Json = False) -> None:
    """Make a file with a master key, under which the data keys of all anchors are wrapped. Back it up, apart.

    Example: greenroom keys make /etc/greenroom/master-keys.json
    """
    from greenroom.sealing import MasterKeys

    made(file, lambda: MasterKeys.make(file).current_id, as_json=as_json)


@keys.command("tickets")
def make_ticket_keys(file: KeyFile, as_json: Json = False) -> None:
    """Make a file with the Ed25519 key that signs tickets.

    Example: greenroom keys tickets /etc/greenroom/ticket-keys.json
    """
    from greenroom.tickets import make_keys

    made(file, lambda: str(make_keys(file)[0].kid), as_json=as_json)


def made(file: Path, make: Callable[[], str], *, as_json: bool) -> None:
    """Make a file of keys where there is none, and tell the key's id."""
    from greenroom.sealing import SealingError

    if file.exists():
        fail(f"{file} is there already; nothing was changed. For a new master key: greenroom keys rotate", Exit.USAGE)
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
    settings = read_settings(demo=demo, data_dir=data_dir)
    from greenroom import sealing

    path = settings.master_key_file or settings.data_dir / sealing.FILE_NAME
    try:
        with database(settings) as urls:
            told = asyncio.run(rewrap_all(urls.app, path, is_new=not resume, hidden=as_json))
    except sealing.SealingError as fault:
        fail(str(fault), Exit.USAGE)
    if as_json:
        print_json(told)
    else:
        out.print(f"master key {told['masterKey']}: {told['rewrapped']} data keys wrapped under it", highlight=False)
        for each in told["failed"]:
            err.print(f"{each['anchor']}: {each['reason']}", markup=False, soft_wrap=True)
    raise SystemExit(Exit.FOUND if told["failed"] else 0)


async def rewrap_all(url: str, path: Path, *, is_new: bool, hidden: bool) -> dict[str, Any]:
    """Wrap every data key under the newest master key; what another process wrapped meanwhile is found at the end."""
    from greenroom import rotation, sealing

    async with opened(url) as db:
        behind = await rotation.waiting(db, keys=sealing.MasterKeys.load(path))  # before a key is made for nothing
        if is_new:
            sealing.rotate(path)
        master = sealing.MasterKeys.load(path)
        done, failed = 0, list[sealing.NotRewrapped]()
        with bar(hidden=hidden) as progress:
            task = progress.add_task("data keys", total=await rotation.waiting(db, keys=master) or behind)
            while await rotation.waiting(db, keys=master) > len(failed):
                failed = []
                async for batch in rotation.rewrap(db, keys=master):
                    done, failed = done + batch.done, [*failed, *batch.failed]
                    progress.advance(task, batch.done)
    told = [{"account": str(f.account_id), "anchor": str(f.anchor_id), "reason": str(f.reason)} for f in failed]
    return {"masterKey": master.current_id, "isNew": is_new, "rewrapped": done, "failed": told}


@cli.command("verify-chain")
def verify_chain(
    account: Annotated[str | None, typer.Option(help="Only this one, by the platform's id.")] = None,
    demo: Demo = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Recompute the log of every account, with its admission records, and name the first link that does not hold.

    Example: greenroom verify-chain --json
    """
    settings = read_settings(demo=demo, data_dir=data_dir)
    with database(settings) as urls:
        told = asyncio.run(verified(urls.app, account, hidden=as_json))
    if told is None:
        fail(f"No log of an account {account}: nothing was ever registered under this id.", Exit.USAGE)
    if as_json:
        print_json(told)
    else:
        for each in told["broken"]:
            err.print(f"[red]broken[/]  {each['account']}, event {each['seq']}: {each['why']}", highlight=False)
        out.print(f"{told['accounts']} logs, {told['events']} events, {len(told['broken'])} broken", highlight=False)
    raise SystemExit(Exit.FOUND if told["broken"] else 0)


async def verified(url: str, external_id: str | None, *, hidden: bool) -> dict[str, Any] | None:
    """Walk the chains; None where the account has none. An account without any log is broken as well."""
    from greenroom.access import PLATFORM, account_id_of
    from greenroom.accounts.actions import names
    from greenroom.events.actions import Broken, verify_chains
