"""Greenroom: may this live room go on air, with these people, and if not, what is missing?

Exit codes: 0 done; 1 something was found wrong; 2 wrong usage or settings; 3 the database is not at this version's
schema; 4 the database can't be reached or refuses; 5 the port is taken.
"""
# What is slow to import is imported by the command that needs it: `token` and `explain` are typed often.

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from greenroom import embedded
from greenroom.law.policies import ALIEXPRESS_2021, PACKS
from greenroom.law.terms import AccountKind, BroadcastLocation, Language
from greenroom.settings import Settings
from greenroom.terminal import Exit, called, database, err, fail, opened, out, print_json, progress_bar, read_settings

if TYPE_CHECKING:
    from greenroom.doctor import Finding
    from greenroom.events.actions import Broken, Unbroken

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
keys = typer.Typer(no_args_is_help=True, help="Make and change the keys that seal data and sign tickets.")
cli.add_typer(keys, name="keys")

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded PostgreSQL and the demo's keys live.")]
Demo = Annotated[bool, typer.Option("--demo", help="A newcomer's machine: own PostgreSQL, own keys, own tokens.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
KeyFile = Annotated[Path, typer.Argument(help="The file to make, mode 0600.")]
PERMISSIONS = "ADMINISTER, AUDIT, MEDIA, REVIEW, REVIEW_LEAD"  # access.Permission; a test holds the two together


def main() -> None:
    """Run the command line."""
    try:
        cli()
    except embedded.PostgresUnavailable as fault:
        fail(str(fault), Exit.DATABASE)


def now() -> datetime:
    """Return the present, without importing the application for it."""
    return datetime.now(UTC)


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
        crowd = asyncio.run(add_crowd(urls.owner, settings, accounts, seed=seed, hidden=as_json)) if accounts else None
    if as_json:
        return print_json({"isNew": is_new, "accounts": [asdict(shown) for shown in ACCOUNTS], "crowd": crowd})
    table = Table("account", "kind", "nationality", "name", "what it shows")
    for shown in ACCOUNTS:
        table.add_row(shown.external_id, shown.kind, shown.nationality, shown.name, shown.shows)
    out.print(table)
    out.print(f"A token: {called()} token --account seller-cn; an agency's: more than one --account.", soft_wrap=True)
    if crowd:
        out.print("The crowd, crowd-00001 and on:", ", ".join(f"{value} {name}" for name, value in crowd.items()))


async def add_crowd(url: str, settings: Settings, accounts: int, *, seed: int, hidden: bool) -> dict[str, Any]:
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
        with progress_bar(hidden=hidden) as progress:
            task = progress.add_task("accounts", total=accounts)
            async for done in filling:
                progress.update(task, completed=done)
        await crowd.analyze(connection)
        mebibytes = await connection.fetchval("SELECT pg_database_size(current_database()) / 1024 / 1024")
        return {
            "accounts": accounts,
            "isNew": True,
            "seconds": round((now() - began).total_seconds()),
            "MiB": mebibytes,
        }
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

    Example: greenroom explain --account-kind SELLER --anchor-nationality US --location IN_CHINA --lang zh
    """
    from greenroom.explain import explain_case, explain_table
    from greenroom.text import country

    if policy not in PACKS:
        fail(f"No such pack: {policy}. There are: {', '.join(PACKS)}.", Exit.USAGE)
    of_account, wrong = country(account_nationality, at=("--account-nationality",))
    of_anchor, wrong_too = country(anchor_nationality, at=("--anchor-nationality",))
    if problems := [*wrong, *wrong_too]:
        fail("\n".join(f"{problem.at[0]}: {problem.said(lang)}" for problem in problems), Exit.USAGE)
    explained = (
        explain_table(policy=PACKS[policy], language=lang)
        if table
        else explain_case(
            account_kind,
            account_nationality=of_account,
            anchor_nationality=of_anchor,
            location=location,
            policy=PACKS[policy],
            language=lang,
        )
    )
    print_json(explained.data) if as_json else out.print(explained.view)


@cli.command()
def doctor(demo: Demo = False, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check settings, keys, tokens, disk, port, database, role, migrations and clock; say what to do about each.

    Exit code 1 where something fails. An embedded PostgreSQL that is not running is started for the look, then stopped.

    Example: greenroom doctor --demo
    """
    settings = read_settings(demo=demo, data_dir=data_dir)
    import structlog

    from greenroom.doctor import Level, issuer, look_around

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    findings = [*look_around(settings), asyncio.run(issuer(settings, now=now())), *examined(settings)]
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


def examined(settings: Settings) -> "list[Finding]":
    """Return what the database says of itself; of an embedded one that was never made, that it is not there."""
    from greenroom.doctor import Finding, Level, look_into

    async def found(url: str) -> list[Finding]:
        return [each async for each in look_into(url, settings, clock=now)]

    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        return [Finding("database", Level.OK, "none yet: the first `greenroom serve --demo` makes it")]
    try:
        with database(settings, migrated=False) as urls:
            return asyncio.run(found(urls.app))
    except embedded.PostgresUnavailable as fault:
        return [Finding("database", Level.FAIL, str(fault), "The demo starts when this is mended.")]


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
        out.print(f"{told['logs']} logs, {told['events']} events, {len(told['broken'])} broken", highlight=False)
    raise SystemExit(Exit.FOUND if told["broken"] else 0)


async def verified(url: str, external_id: str | None, *, hidden: bool) -> dict[str, Any] | None:
    """Walk the chains; None where the account named has none. An account without any log is broken as well."""
    from greenroom.access import PLATFORM, account_id_of
    from greenroom.accounts.actions import EXTERNAL_IDS
    from greenroom.db import Scope
    from greenroom.events.actions import Broken, verify_chain_of, verify_chains

    async with opened(url) as db:
        if external_id is not None:
            only = await verify_chain_of(db, account_id_of(external_id))
            return summary([only], {only.account_id: external_id}) if only else None
        rows = await db.rows(EXTERNAL_IDS, Scope(reading="accounts"))
        names: dict[Any, str] = {row["account_id"]: row["external_id"] for row in rows}
        chains: list[Broken | Unbroken] = []
        with progress_bar(hidden=hidden) as progress:
            task = progress.add_task("logs", total=len(names) + 1)
            async for chain in verify_chains(db):
                chains.append(chain)
                progress.advance(task)
    lost = names.keys() - {chain.account_id for chain in chains}
    chains += [Broken(account_id, 1, "the whole log is missing") for account_id in lost]
    return summary(chains, names | {PLATFORM: "the platform"})


def summary(chains: "Sequence[Broken | Unbroken]", names: Mapping[Any, str]) -> dict[str, Any]:
    """Return what was proved, and each first link that does not hold, by the platform's id of the account."""
    from greenroom.events.actions import Broken

    broken = [each for each in chains if isinstance(each, Broken)]
    return {
        "logs": len(chains),
        "events": sum(each.events for each in chains if not isinstance(each, Broken)),
        "broken": [{"account": names[each.account_id], "seq": each.seq, "why": each.why} for each in broken],
    }
