"""Greenroom: may this live room go on air, with these people, and if not, what is missing?

Exit codes: 0 done; 1 something was found wrong; 2 wrong usage or settings; 3 the database is not at this version's
schema; 4 the database can't be reached or refuses; 5 the port can't be had; 6 you were asked and did not say yes.
"""
# What is slow to import is imported by the command that needs it: `token` and `explain` are typed often.

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from greenroom import __version__, embedded
from greenroom.cli_chain import verify_chain
from greenroom.cli_demo import demo, place_of, token, wait_for_others
from greenroom.cli_keys import keys
from greenroom.law.policies import ALIEXPRESS_2021, PACKS
from greenroom.law.terms import AccountKind, BroadcastLocation, Language
from greenroom.settings import Settings, address
from greenroom.terminal import (
    DataDir,
    Demo,
    Exit,
    Json,
    called,
    database,
    environment,
    err,
    fail,
    has_cluster,
    now,
    option,
    out,
    print_json,
    read_settings,
    refuse,
    settings_and_faults,
    show,
    table_of,
)

if TYPE_CHECKING:
    from greenroom.doctor import Finding

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
cli.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line."""
    try:
        cli()
    except embedded.PostgresUnavailable as fault:
        fail(str(fault), Exit.DATABASE)


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


cli.command()(demo)
cli.command()(token)


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


cli.command("verify-chain")(verify_chain)
