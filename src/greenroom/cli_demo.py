"""The commands of the demo: its world, and tokens of its own signer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from greenroom import embedded
from greenroom.settings import Settings
from greenroom.terminal import (
    DataDir,
    Exit,
    Json,
    called,
    database,
    err,
    fail,
    faults_explained,
    now,
    opened,
    out,
    print_json,
    progress_bar,
    read_settings,
    refuse,
    show,
    table_of,
)

PERMISSIONS = "ADMINISTER, AUDIT, MEDIA, REVIEW, REVIEW_LEAD"  # access.Permission; a test holds the two together


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


def wait_for_others(url: str) -> None:
    """Say what holds us up where another process fills the database with the demo."""
    from greenroom.demo.world import awaited

    said = "Another process fills this database with demo data: waiting until it is done, or Ctrl-C."
    asyncio.run(awaited(url, waiting=lambda: err.print(said, soft_wrap=True)))


def place_of(settings: Settings) -> str:
    """Return the option that leads another command to this demo."""
    return "" if settings.data_dir == Path(".greenroom") else f" --data-dir {settings.data_dir}"


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
