"""The command line: serve, worker-less commands for people and programs, each with an example in its help."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console

from greenroom import app as application
from greenroom import embedded, migrations
from greenroom.access import Permission
from greenroom.schema import build
from greenroom.settings import Setting, Settings
from greenroom.tokens import DemoSigner

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
out, err = Console(), Console(stderr=True)
DATABASE, OWNER, APP = "greenroom", "greenroom_owner", "greenroom_app"

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded PostgreSQL and demo keys live.")]


def main() -> None:
    """Run the command line; a user's mistake ends with a sentence, not with a traceback."""
    try:
        cli()
    except embedded.PostgresUnavailable as fault:
        fail(str(fault))


def fail(sentence: str, *, code: int = 1) -> None:
    """End with a sentence that says what to do."""
    err.print(f"[red]error[/]  {sentence}", highlight=False)
    raise SystemExit(code)


def read_settings(**given: object) -> Settings:
    """Read the environment; an option that was given wins."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks each
    except ValidationError as wrong:
        for error in wrong.errors():
            place = "_".join(str(part) for part in error["loc"]).upper()
            err.print(
                f"[red]setting[/]  {('GREENROOM_' + place + ': ') if place else ''}{error['msg']}", highlight=False
            )
        raise SystemExit(2) from None


@contextmanager
def database(settings: Settings, *, migrating: bool = False) -> Iterator[str]:
    """Yield the URL of the database: the given one, or the embedded PostgreSQL, started and migrated."""
    if settings.database_url is not None:
        url = settings.migration_url if migrating and settings.migration_url else settings.database_url
        yield url.get_secret_value()
        return
    with embedded.start(settings.data_dir) as running:
        migrations.migrate(running.cluster.url(OWNER, DATABASE))
        yield running.cluster.url(OWNER if migrating else APP, DATABASE)


@cli.command()
def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="A newcomer's setting: own keys, own tokens, demo data.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API.

    Example: greenroom serve --demo --port 8123
    """
    settings = read_settings(setting=Setting.DEMO if demo else None, host=host, port=port, data_dir=data_dir)
    application.configure_logs(settings)
    with database(settings) as url:
        if asyncio.run(migrations.current(url)) != migrations.head():
            fail("The database is not at this version's schema. Run: greenroom migrate", code=3)
        uvicorn.run(
            application.create(settings, database_url=url),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=20,
        )


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Where to, up or down.")] = "head", data_dir: DataDir = None
) -> None:
    """Bring the database to this version's schema, as the role that owns the tables.

    Example: GREENROOM_MIGRATION_URL=postgresql://owner@db/greenroom greenroom migrate
    """
    settings = read_settings(data_dir=data_dir)
    with database(settings, migrating=True) as url:
        migrations.migrate(url, revision=revision)
    out.print(f"migrated to {revision}")


@cli.command()
def token(
    account: Annotated[list[str] | None, typer.Option(help="The platform's id of an account to act for.")] = None,
    permission: Annotated[list[Permission] | None, typer.Option(help="What else is allowed.")] = None,
    subject: Annotated[str, typer.Option(help="Who it is for.")] = "demo",
    name: Annotated[str | None, typer.Option(help="Their name.")] = None,
    expires_in: Annotated[int, typer.Option(help="Seconds that it holds.", min=-86_400, max=31_536_000)] = 86_400,
    audience: Annotated[str | None, typer.Option(help="Whom it is meant for.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print an access token of the demo setting's own signer.

    Example: greenroom token --account seller-cn
    """
    settings = read_settings(setting=Setting.DEMO, data_dir=data_dir)
    signed = DemoSigner.of(settings).sign(
        subject,
        name=name,
        accounts=account or [],
        permissions=permission or [],
        expires_in=timedelta(seconds=expires_in),
        audience=audience or settings.token_audience,
        now=application.now(),
    )
    typer.echo(signed)


@cli.command()
def schema() -> None:
    """Print the GraphQL schema.

    Example: greenroom schema > schema.graphql
    """
    typer.echo(build().as_str())
