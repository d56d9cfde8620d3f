"""Greenroom: may this live room go on air, with these people, and if not, what is missing?

Exit codes: 0 done; 1 something was found wrong; 2 wrong usage or settings; 3 the database is not at this version's
schema; 4 the database can't be reached or refuses; 5 the port can't be had; 6 you were asked and did not say yes.
"""
# What is slow to import is imported by the command that needs it: `token` and `explain` are typed often.

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape
from rich.table import Column, Table

from greenroom import __version__, embedded
from greenroom.law.policies import ALIEXPRESS_2021, PACKS
from greenroom.law.terms import AccountKind, BroadcastLocation, Language
from greenroom.settings import Settings, address
from greenroom.terminal import (
    Exit,
    called,
    database,
    environment,
    err,
    fail,
    faults_explained,
    has_cluster,
    opened,
    option,
    out,
    print_json,
    progress_bar,
    read_settings,
    settings_and_faults,
    show,
)

if TYPE_CHECKING:
    from greenroom.doctor import Finding
    from greenroom.events.actions import Broken, Unbroken

KEYS_HELP = """Make and change the keys that seal data and sign tickets.

Example: greenroom keys make /etc/greenroom/master-keys.json
"""
cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
keys = typer.Typer(no_args_is_help=True, help=KEYS_HELP)
cli.add_typer(keys, name="keys")

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


def tell_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"greenroom {__version__}")
        raise typer.Exit


@cli.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take what concerns no command."""


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
    from greenroom import doctor, serving

    at = f"{settings.host}:{settings.port}"
    try:
        sockets = doctor.listeners(settings.host, settings.port)
    except OSError as error:
        if doctor.is_host(error):
            fail(
                f"Can't listen on {settings.host}: {error.strerror}. Name an address of this machine: --host.",
                Exit.USAGE,
            )
        fail(f"Can't listen on {at}: {error.strerror}. Choose another: --port.", Exit.PORT)
    if wrong := doctor.issuer_file(settings.token_jwks or "://"):
        fail(f"{wrong.found}. {wrong.todo}", Exit.USAGE)
    with database(settings) as urls:
        if settings.is_demo:
            wait_for_others(urls.app)
        if forbids := serving.prepare(settings, url=urls.app):
            refuse(forbids)
        try:
            serving.run(settings, url=urls.app, sockets=sockets, announce=lambda: announce(settings))
        except ValueError as fault:
            fail(str(fault), Exit.USAGE)


@cli.command()
def worker(
    retry: Annotated[bool, typer.Option("--retry", help="Queue what was given up again, and end.")] = False,
    demo: Demo = False,
    data_dir: DataDir = None,
) -> None:
    """Do the work that follows a commit, such as checking photos, until SIGTERM or Ctrl-C; `serve --demo` does it too.

    Example: greenroom worker
    """
    settings = read_settings(demo=demo, data_dir=data_dir)
    from greenroom import serving
    from greenroom.documents.storage import StoreError

    with database(settings) as urls:
        if forbids := asyncio.run(serving.against(urls.app)):
            refuse(forbids)
        if retry:
            out.print(f"{asyncio.run(serving.retry(urls.app))} jobs are queued again.")
            return
        out.print("Greenroom works. To stop: Ctrl-C")
        try:
            serving.work(settings, url=urls.app)
        except StoreError as fault:
            fail(str(fault), Exit.USAGE)


def wait_for_others(url: str) -> None:
    """Say what holds us up where another process fills the database with the demo."""
    from greenroom.demo.world import awaited

    said = "Another process fills this database with demo data: waiting until it is done, or Ctrl-C."
    asyncio.run(awaited(url, waiting=lambda: err.print(said, soft_wrap=True)))


def refuse(forbids: "Finding") -> NoReturn:
    """End where a database is not one to serve."""
    code = Exit.NOT_MIGRATED if forbids.check == "migrations" else Exit.USAGE
    fail(f"Refused: {forbids.found}. {forbids.todo}", code)


def announce(settings: Settings) -> None:
    """Say where the API listens and, in the demo, how to come in."""
    at = address(settings.host, settings.port)
    lines = [f"Greenroom serves {at}/graphql"]
    if settings.is_demo:
        place = place_of(settings)
        lines += [
            f"explorer   {at}/ in a browser",
            f"a token    {called()} token --account seller-cn{place}",
            f"who else   {called()} demo{place}",
            "to stop    Ctrl-C",
        ]
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def place_of(settings: Settings) -> str:
    """Return the option that leads another command to this demo."""
    return "" if settings.data_dir == Path(".greenroom") else f" --data-dir {settings.data_dir}"


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Where to, up or down.")] = "head",
    yes: Annotated[bool, typer.Option("--yes", help="Go down without asking; what is above is dropped.")] = False,
    demo: Demo = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the database to this version's schema, as the role that owns the tables. It needs no other setting.

    Example: GREENROOM_MIGRATION_URL=postgresql://owner@db/greenroom greenroom migrate
    """
    settings = read_settings(demo=demo, data_dir=data_dir, needed=())
    from alembic.util import CommandError

    from greenroom import migrations

    if settings.database_url is None and settings.migration_url:
        settings = settings.model_copy(update={"database_url": settings.migration_url})
    elif settings.missing(["database_url"]):
        fail("GREENROOM_MIGRATION_URL: missing. On your own machine the demo needs none: add --demo.", Exit.USAGE)
    with database(settings) as urls:
        try:
            if not yes and asyncio.run(migrations.goes_down(urls.owner, revision=revision)):
                confirm("This drops what newer migrations made, data and all (scripts: --yes). Go on?")
            migrations.migrate(urls.owner, revision=revision)
        except CommandError as error:
            fail(f"{error}. Known are: head, base, and the names in greenroom/migrations/versions.", Exit.USAGE)
        out.print(f"at {asyncio.run(migrations.current(urls.owner)) or 'base'}", highlight=False)


def confirm(question: str) -> None:
    """Ask, and end unless the answer is yes."""
    try:
        is_meant = typer.confirm(question)
    except typer.Abort:  # nobody is there to answer
        is_meant = False
    if not is_meant:
        err.print("Nothing was changed.")
        raise SystemExit(Exit.DECLINED)


@cli.command()
def demo(
    accounts: Annotated[int, typer.Option(help="Add so many accounts to measure with.", min=0, max=200_000)] = 0,
    seed: Annotated[int, typer.Option(help="What the large world is made up from.")] = 1,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Fill an empty database with the demo's world, and say what is in it; with --accounts a large one beside it.

    Its times count from when it was filled: to see it fresh, remove the data directory (in a checkout: make reset).
    The large one takes COPY and, meanwhile, the tables: as the role that owns them (GREENROOM_MIGRATION_URL).

    Example: greenroom demo --accounts 20000
    """
    settings = read_settings(demo=True, data_dir=data_dir)
    from greenroom import serving
    from greenroom.demo.world import ACCOUNTS
    from greenroom.tokens import DemoSigner

    with database(settings) as urls:
        wait_for_others(urls.app)
        if forbids := asyncio.run(serving.against(urls.app)):
            refuse(forbids)
        DemoSigner.of(settings)  # `token` asks whether there is one
        is_new = asyncio.run(serving.seed(urls.app, settings))
        if not is_new and not asyncio.run(has_demo(urls.app)):
            fail("Not filled: this database has accounts of its own. The demo takes an empty one.", Exit.FOUND)
        crowd = asyncio.run(add_crowd(urls.owner, settings, accounts, seed=seed, hidden=as_json)) if accounts else None
    if as_json:
        shown = [{"externalId": each.pop("external_id"), **each} for each in map(asdict, ACCOUNTS)]
        return print_json({"isNew": is_new, "accounts": shown, "crowd": crowd})
    table = table_of("account", "kind", "nationality", "name", "what it shows")
    for each in ACCOUNTS:
        table.add_row(each.external_id, each.kind, each.nationality, each.name, each.shows)
    show(table)
    token = f"{called()} token --account seller-cn{place_of(settings)}"
    when = "It was filled just now." if is_new else "It was filled before, and its times count from then."
    out.print(f"{when}\nA token: {token}; an agency's: more than one --account.", soft_wrap=True)
    if crowd:
        out.print(told_of(crowd), soft_wrap=True, highlight=False)


def table_of(*headings: str) -> Table:
    """Return a table that folds what is long, and cuts nothing."""
    return Table(*(Column(heading, overflow="fold") for heading in headings))


def told_of(crowd: Mapping[str, Any]) -> str:
    """Return what became of the large world, in a sentence."""
    if crowd["isNew"]:
        return "The crowd, crowd-00001 and on: {accounts} accounts in {seconds} s, {mebibytes} MiB.".format(**crowd)
    return (
        "A crowd of {accounts} accounts is there already and was left as it is, whatever --accounts and --seed say; "
        "for another start over.".format(**crowd)
    )


async def has_demo(url: str) -> bool:
    """Say whether the demo's own accounts are there."""
    from greenroom.demo.world import is_in

    async with opened(url) as db:
        return await is_in(db)


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
            "mebibytes": mebibytes,
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
    from greenroom.tokens import DemoSigner

    accounts = account or []
    if not all(each.strip() for each in accounts):
        fail("--account is empty: give the platform's id of an account, such as seller-cn.", Exit.USAGE)
    words = [word.upper() for word in permission or []]
    if unknown := [word for word in words if word not in Permission.__members__]:
        fail(f"No such permission: {', '.join(unknown)}. There are: {PERMISSIONS}.", Exit.USAGE)
    if not DemoSigner.is_made(settings):
        here = settings.data_dir.absolute()
        fail(f"No demo here ({here}): start it with make run or serve --demo, or name its --data-dir.", Exit.USAGE)
    with faults_explained():
        signer = DemoSigner.of(settings)
    signed = signer.sign(
        subject,
        name=name,
        accounts=accounts,
        permissions=[Permission(word) for word in words],
        expires_in=timedelta(seconds=expires_in),
        audience=audience or settings.token_audience,
        now=now(),
    )
    typer.echo(signed)
    url = database_of(settings)
    if accounts and url and (unknown := asyncio.run(unregistered(url, accounts))):
        said = f"No such account is registered, and the token opens none: {', '.join(unknown)}."
        err.print(said, soft_wrap=True, markup=False, highlight=False)


def database_of(settings: Settings) -> str | None:
    """Return the address of the database, where one is named or runs."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    running = embedded.running(settings.data_dir)
    return running.url(embedded.APP, embedded.DATABASE) if running else None


async def unregistered(url: str, accounts: Sequence[str]) -> list[str]:
    """Return the accounts that the database does not know; none where it can't be asked."""
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=ASKING_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return []
    try:
        async with connection.transaction(readonly=True):
            await connection.execute("SELECT greenroom_scope(NULL, '{}', 'accounts')")
            query = "SELECT external_id FROM accounts WHERE external_id = ANY($1)"
            known = {row["external_id"] for row in await connection.fetch(query, list(accounts), timeout=ASKING_S)}
    except (OSError, asyncpg.PostgresError, TimeoutError):  # not migrated, or held by others
        return []
    finally:
        await connection.close()
    return [each for each in accounts if each not in known]


ASKING_S = 2.0


@cli.command()
def schema() -> None:
    """Print the GraphQL schema.

    Example: greenroom schema > schema.graphql
    """
    from greenroom.schema import build

    typer.echo(build().as_str())


CASE_OPTIONS = ("account_kind", "account_nationality", "anchor_nationality", "location")


@cli.command()
def explain(
    context: typer.Context,
    account_kind: Annotated[
        AccountKind, typer.Option(case_sensitive=False, help="Who broadcasts.")
    ] = AccountKind.SELLER,
    account_nationality: Annotated[str, typer.Option(help="The account's: an ISO 3166-1 code.")] = "CN",
    anchor_nationality: Annotated[str, typer.Option(help="The anchor's: an ISO 3166-1 code.")] = "CN",
    location: Annotated[
        BroadcastLocation, typer.Option(case_sensitive=False, help="Where the anchor stands.")
    ] = BroadcastLocation.IN_CHINA,
    table: Annotated[bool, typer.Option("--table", help="All 16 cells of the decision table.")] = False,
    policy: Annotated[str, typer.Option(help=f"The pack: {', '.join(PACKS)}.")] = ALIEXPRESS_2021.name,
    lang: Annotated[Language, typer.Option(case_sensitive=False, help="In Chinese or English.")] = "en",
    as_json: Json = False,
) -> None:
    """Say what an anchor must hand in, and which lines of the announcement say so.

    Example: greenroom explain --account-kind SELLER --anchor-nationality US --location IN_CHINA --lang zh
    """
    from greenroom.explain import explain_case, explain_table
    from greenroom.text import country

    if table and (named := [option(name) for name in CASE_OPTIONS if was_given(context, name)]):
        fail(f"--table shows every case: leave out {', '.join(named)}, or --table.", Exit.USAGE)
    policy = policy.lower()
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
    print_json(explained.data) if as_json else show(explained.view)


def was_given(context: typer.Context, name: str) -> bool:
    """Say whether an option was typed."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@cli.command()
def doctor(demo: Demo = False, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check settings, keys, tokens, disk, port, database, role, migrations and clock; say what to do about each.

    Exit code 1 where something fails. An embedded PostgreSQL that is not running is started for the look, then stopped.

    Example: greenroom doctor --demo
    """
    settings, wrong = settings_and_faults(demo=demo, data_dir=data_dir)
    import structlog

    from greenroom.doctor import Level, issuer, look_around

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    findings = list(look_around(settings, wrong=wrong, given=environment()))
    if settings.is_demo or settings.token_jwks:
        findings.append(asyncio.run(issuer(settings, now=now())))
    if not {"GREENROOM_DATABASE_URL", "GREENROOM_MIGRATION_URL"} & {name for name, _ in wrong}:
        findings += examined(settings)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        colors = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
        table = table_of("check", "", "found", "what to do")
        for each in findings:
            table.add_row(each.check, f"[{colors[each.level]}]{each.level}[/]", *map(escape, (each.found, each.todo)))
        show(table)
    raise SystemExit(Exit.FOUND if failed else 0)


def examined(settings: Settings) -> "list[Finding]":
    """Return what the database says of itself; of an embedded one that was never made, that it is not there."""
    from greenroom.doctor import Finding, Level, look_into

    async def found(url: str) -> list[Finding]:
        return [each async for each in look_into(url, settings, clock=now)]

    if settings.database_url is None:
        if not settings.is_demo:
            return []  # told among the settings
        if settings.migration_url:
            todo = "Give GREENROOM_DATABASE_URL as well, or neither."
            return [Finding("database", Level.FAIL, "only GREENROOM_MIGRATION_URL is given", todo)]
        if not has_cluster(settings):
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
    settings = read_settings(demo=demo, data_dir=data_dir, needed=("database_url",))
    with database(settings, is_there=True) as urls:
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
