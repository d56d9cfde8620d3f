"""The command line as people and scripts meet it: what it prints, where, and with which code it ends."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import click
import httpx
import pytest
import structlog
import typer.main
from clients import Client, data_of, document
from house import Postgres
from joserfc.jwk import OKPKey
from typer.testing import CliRunner
from worlds import World

from greenroom import __version__, doctor, embedded, migrations, sealing
from greenroom.access import Permission, account_id_of
from greenroom.cli import cli
from greenroom.cli_demo import PERMISSIONS
from greenroom.embedded import APP, OWNER, SUPERUSER
from greenroom.law.announcement import line
from greenroom.law.policies import PACKS
from greenroom.sealing import MasterKeys
from greenroom.settings import Setting, Settings
from greenroom.terminal import Exit
from greenroom.tickets import load_keys
from greenroom.tokens import DemoSigner

ROOT = Path(__file__).parents[1]
OURS = [name for name in os.environ if name.upper().startswith("GREENROOM_")]
SECRET = "s3cret-of-ours"
Result = Any  # click's own
Environment = dict[str, str]


def greenroom(*arguments: object, typed: str = "", **environment: str) -> Result:
    """Run a command in this process, as the shell would with no other setting than these."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    logging = structlog.get_config()
    try:
        given = dict.fromkeys(OURS) | {"COLUMNS": "400"} | environment
        return CliRunner().invoke(cli, [*map(str, arguments)], env=given, input=typed)
    finally:
        structlog.configure(**logging)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def begun(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    own = {name: value for name, value in os.environ.items() if name not in OURS}
    command = [sys.executable, "-m", "greenroom", *map(str, arguments)]
    return subprocess.Popen(
        command, env=own | environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; returns code, standard output and standard error."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Run a command in a process of its own to its end."""
    return ended(begun(*arguments, **environment))


def on(postgres: Postgres, database: str, **more: str) -> Environment:
    """The settings of a demo on a database of the tests' cluster."""
    return {
        "GREENROOM_SETTING": "demo",
        "GREENROOM_DATABASE_URL": postgres.url(APP, database),
        "GREENROOM_MIGRATION_URL": postgres.url(OWNER, database),
        "GREENROOM_DATA_DIR": str(postgres.place / "keys"),
    } | more


async def asked(url: str, query: str, *values: Any) -> list[Any]:
    """Rows, straight from a database."""
    connection = await asyncpg.connect(url)
    try:
        found: list[Any] = await connection.fetch(query, *values)
        return found
    finally:
        await connection.close()


def ask(url: str, query: str, *values: Any) -> list[Any]:
    """Rows, straight from a database, for a test without a loop."""
    return asyncio.run(asked(url, query, *values))


@contextmanager
def held(url: str, *statements: str) -> Iterator[None]:
    """Hold what these statements lock, from another thread, until the block is left."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()

    def do(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    connection = do(asyncpg.connect(url))
    try:
        do(connection.execute("BEGIN"))
        for statement in statements:
            assert do(connection.fetch(statement)), "nothing is held"
        yield
    finally:
        do(connection.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def wait_until_somebody_waits(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a session of the application waits for a lock."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        if ask(url, query):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that PostgreSQL may pass, whoever it runs as."""
    with tempfile.TemporaryDirectory(prefix="cli-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
async def database(postgres: Postgres) -> AsyncIterator[str]:
    """A migrated database without rows, and none is written."""
    async with postgres.database("of_cli") as name:
        yield name


@pytest.fixture
async def unmade(postgres: Postgres) -> AsyncIterator[str]:
    """A database without tables."""
    async with postgres.database("of_cli_unmade", template="template0") as name:
        yield name


@pytest.fixture(scope="module")
async def to_fill(postgres: Postgres) -> AsyncIterator[str]:
    """A database for `template`."""
    async with postgres.database("of_cli_template") as name:
        yield name


@pytest.fixture(scope="module")
def template(postgres: Postgres, to_fill: str) -> str:
    """A database with the demo's world and a crowd beside it, to clone."""
    done = greenroom("demo", "--accounts", 80, **on(postgres, to_fill))
    assert done.exit_code == 0, done.output
    return to_fill


@pytest.fixture
async def populated(postgres: Postgres, template: str) -> AsyncIterator[str]:
    """A database with people in it."""
    async with postgres.database("of_cli_populated", template=template) as name:
        yield name


# Help and usage


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it."""

    def below(words: str, command: Any) -> Iterator[tuple[str, click.Command]]:
        for name, found in getattr(command, "commands", {}).items():
            yield from below(f"{words} {name}", found)
        if not hasattr(command, "commands"):
            yield words, command

    yield from below("greenroom", typer.main.get_command(cli))


def test_every_command_that_was_promised_is_there() -> None:
    promised = ["serve", "worker", "migrate", "demo", "token", "schema", "explain", "doctor", "verify-chain"]
    keys = ["keys make", "keys tickets", "keys rotate"]
    assert {words for words, _ in commands()} == {f"greenroom {name}" for name in [*promised, *keys]}


@pytest.mark.parametrize("words", [words for words, _ in commands()])
def test_the_help_of_a_command_ends_with_an_example_that_can_be_copied(words: str) -> None:
    shown = greenroom(*words.split()[1:], "--help")
    assert shown.exit_code == 0
    (example,) = [each for each in shown.stdout.splitlines() if "Example: " in each]
    assert words in example


@pytest.mark.parametrize("words", [words for words, command in commands()])
def test_every_option_and_argument_says_what_it_is_for(words: str) -> None:
    (command,) = [found for name, found in commands() if name == words]
    assert [each.name for each in command.params if not getattr(each, "help", None)] == []


def test_the_version_and_an_example_of_keys_are_told() -> None:
    assert greenroom("--version").stdout == f"greenroom {__version__}\n"
    assert "Example: greenroom keys make" in greenroom("keys", "--help").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("serve", "--nonsense"),
        ("serve", "--port", "many"),
        ("token", "--expires-in", "forever"),
        ("demo", "--accounts", "-1"),
        ("demo", "--accounts", "200001"),
        ("explain", "--account-kind", "PAINTER"),
        ("explain", "--location", "MOON"),
        ("explain", "--lang", "fr"),
        ("keys", "make"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_a_sentence_on_standard_error(arguments: tuple[str, ...]) -> None:
    done = greenroom(*arguments)
    assert done.exit_code == Exit.USAGE
    assert done.stdout == ""
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.output


def test_the_codes_that_commands_end_with_are_those_of_the_help() -> None:
    said = greenroom("--help").stdout
    assert all(f"{code.value} " in said for code in Exit)


BAD_PUBLIC_URLS = (
    "greenroom.example",
    "ftp://greenroom.example",
    "https://",
    "https://:443",
    "https://greenroom.example:99999",
    "https://greenroom.example/",
    "https://greenroom.example?a=b",
    "https://greenroom.example#a",
    "https://user@greenroom.example",
    "https://green room.example",
    "https://a..b",
    "https://[::1",
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GREENROOM_PORT", "many"),
        ("GREENROOM_PORT", "70000"),
        ("GREENROOM_TICKET_LIFETIME_S", "1"),
        *(("GREENROOM_TOKEN_ALGORITHMS", value) for value in ('["HS256"]', "EdDSA,HS256", "[]", ",", "[1]", "[EdDSA")),
        *(("GREENROOM_PUBLIC_URL", value) for value in BAD_PUBLIC_URLS),
    ],
)
def test_a_setting_that_cannot_be_is_named_and_ends_with_code_2(name: str, value: str, place: Path) -> None:
    given = {name: value, "GREENROOM_DATA_DIR": str(place / "data")}
    for command in ("serve", "migrate", "token"):
        done = greenroom(command, **given)
        assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
        assert f"{name}: " in done.stderr
        assert "missing" not in done.stderr.partition(f"{name}: ")[2].partition("\n")[0]
        assert "Value error" not in done.stderr
        assert isinstance(done.exception, SystemExit)  # and no traceback
    done = greenroom("doctor", "--json", **given)
    (told,) = [each["found"] for each in json.loads(done.stdout)["findings"] if name in each["found"]]
    assert not told.endswith("missing in the production setting")


def test_an_option_that_cannot_be_is_named_as_it_was_typed(place: Path) -> None:
    done = greenroom("serve", "--demo", "--port", 99_999, "--data-dir", place / "data")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "--port" in done.stderr
    assert "PORT=" in done.stderr
    assert "GREENROOM_PORT" not in done.stderr


@pytest.mark.parametrize("value", ["EdDSA,RS256", " EdDSA , RS256,", '["EdDSA", "RS256"]'])
def test_algorithms_are_a_list_with_commas_or_json(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_TOKEN_ALGORITHMS", value)
    assert Settings().token_algorithms == ("EdDSA", "RS256")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "greenroom.example"])
def test_without_tls_the_public_address_is_this_machine_s_or_a_demo_s(
    host: str, production: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_PUBLIC_URL", f"http://{host}")
    assert Settings(setting=Setting.DEMO).public_url == f"http://{host}"
    told = greenroom("doctor", "--json", **production | {"GREENROOM_PUBLIC_URL": f"http://{host}"}).stdout
    levels = [each["level"] for each in json.loads(told)["findings"] if "PUBLIC_URL" in each["found"]]
    assert levels == ["fail" if "example" in host else "warn"]
    if "example" in host:
        with pytest.raises(ValueError, match="https"):
            Settings(setting=Setting.PRODUCTION)


BAD_URLS = (
    "nonsense",
    f"mysql://u:{SECRET}@h/x",
    f"postgresql://u:{SECRET}@h:abc/x",
    f"postgresql://u:{SECRET}@a..b/x",
    f"postgresql://u:{SECRET}@h/x?sslmode=require",
    *(f"postgresql://u:{cut}{sign}{SECRET}@h/x" for cut in ("", "12") for sign in "/?#@["),
)


@pytest.mark.parametrize("url", BAD_URLS)
def test_an_address_that_is_none_is_told_without_the_password(url: str) -> None:
    for name in ("GREENROOM_DATABASE_URL", "GREENROOM_MIGRATION_URL"):
        done = greenroom("migrate", GREENROOM_SETTING="demo", **{name: url})
        assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
        assert name in done.stderr
        assert SECRET not in done.output


@pytest.mark.parametrize("url", ["postgresql://r:p%2F%40@[::1]:5433/x", "postgresql://r@/x?host=/a%20b&port=5432"])
def test_an_address_that_both_drivers_read_is_taken(url: str) -> None:
    assert Settings(setting=Setting.DEMO, database_url=url).database_url is not None


def test_tickets_name_the_address_that_the_demo_serves_and_none_is_made_up_for_production() -> None:
    assert Settings(setting=Setting.DEMO, port=8123).public_url == "http://127.0.0.1:8123"
    assert Settings(setting=Setting.DEMO, host="::", port=1).public_url == "http://[::1]:1"
    assert "GREENROOM_PUBLIC_URL" in Settings(setting=Setting.PRODUCTION).missing()
    assert Settings(setting=Setting.PRODUCTION, host="192.0.2.1").host == "192.0.2.1"  # as `migrate` may find it


# What may become a demo


@pytest.mark.parametrize("arguments", [("token",), ("demo",), ("serve", "--demo"), ("doctor", "--demo")])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GREENROOM_SETTING", "production"),
        ("GREENROOM_SETTING", "Production"),
        ("GREENROOM_SETTING", "nonsense"),
        ("greenroom_database_url", f"postgresql://u:{SECRET}@127.0.0.1:1/x"),
        ("GREENROOM_MIGRATION_URL", f"postgresql://u:{SECRET}@127.0.0.1:1/x"),
    ],
)
def test_nothing_becomes_a_demo_that_somebody_meant_otherwise(
    arguments: tuple[str, ...], name: str, value: str, place: Path
) -> None:
    done = greenroom(*arguments, "--data-dir", place / "data", **{name: value})
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert name.upper() in done.stderr
    assert SECRET not in done.stderr
    assert not (place / "data").exists()


# Tokens


def test_the_permissions_in_the_help_are_those_that_there_are() -> None:
    assert PERMISSIONS.split(", ") == list(Permission.__members__)


def token(*arguments: object, place: Path, **more: str) -> str:
    """What `greenroom token` prints, one line and nothing beside it."""
    done = greenroom("token", *arguments, "--data-dir", place, **more)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    return str(done.stdout.strip())


@pytest.fixture
def presently(world: World) -> World:
    """A world whose clock shows the hour that `greenroom token` signs at."""
    world.clock.now = datetime.now(UTC)
    return world


def bearing(world: World, text: str) -> Client:
    return Client(world.http, lambda: text)


async def test_a_token_says_who_asks_and_for_which_accounts(presently: World) -> None:
    shops = [await presently.seller("CN"), await presently.blogger("ES")]
    named = [argument for shop in shops for argument in ("--account", shop.external_id)]
    text = token(*named, "--subject", "mei", "--name", "梅 Mei", place=presently.settings.data_dir)
    viewer = (await bearing(presently, text).call("ConsoleHome"))["viewer"]
    assert (viewer["name"], viewer["permissions"]) == ("梅 Mei", [])
    assert {each["externalId"] for each in viewer["accounts"]} == {shop.external_id for shop in shops}


async def test_a_token_carries_the_permissions_that_were_asked_for(presently: World) -> None:
    asked_for = [argument for each in Permission for argument in ("--permission", each.lower())]
    text = token(*asked_for, place=presently.settings.data_dir)
    viewer = (await bearing(presently, text).call("ConsoleHome"))["viewer"]
    assert sorted(viewer["permissions"]) == sorted(Permission)
    assert viewer["accounts"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--expires-in", -3600), "TOKEN_EXPIRED"),
        (("--audience", "another-service"), "TOKEN_WRONG_AUDIENCE"),
    ],
)
async def test_a_token_can_be_made_that_is_refused_for_people_who_test_their_clients(
    presently: World, arguments: tuple[object, ...], code: str
) -> None:
    refused = await bearing(presently, token(*arguments, place=presently.settings.data_dir)).send("ConsoleHome")
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["extensions"]["code"] == code


async def test_a_token_is_for_the_audience_of_the_settings_and_no_other_signer_s_is_taken(
    presently: World, place: Path
) -> None:
    data_dir = presently.settings.data_dir
    elsewhere = {"GREENROOM_TOKEN_AUDIENCE": "elsewhere"}
    own = token("--audience", presently.settings.token_audience, place=data_dir, **elsewhere)
    assert (await bearing(presently, own).send("ConsoleHome")).status_code == 200
    DemoSigner.at(place)
    for text in (token(place=data_dir, **elsewhere), token(place=place)):
        assert (await bearing(presently, text).send("ConsoleHome")).status_code == 401


def test_an_unknown_permission_is_refused_with_the_list_of_those_that_there_are(place: Path) -> None:
    done = greenroom("token", "--permission", "REVIEW", "--permission", "FLY", "--data-dir", place / "data")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "FLY" in done.stderr
    assert PERMISSIONS in done.stderr
    assert not (place / "data").exists()


def test_no_token_is_signed_where_no_demo_would_take_it(place: Path) -> None:
    done = greenroom("token", "--account", "seller-cn", "--data-dir", place / "data")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "make run" in done.stderr
    assert "--data-dir" in done.stderr
    assert not (place / "data").exists()


def test_an_account_that_is_empty_or_unknown_is_told(postgres: Postgres, populated: str) -> None:
    settings = on(postgres, populated)
    for empty in ("", " "):
        done = greenroom("token", "--account", empty, **settings)
        assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
        assert "--account" in done.stderr
    done = greenroom("token", "--account", "seller-cn", "--account", "nope", **settings)
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert done.stderr.endswith(": nope.\n")
    assert greenroom("token", "--account", "seller-cn", **settings).stderr == ""


def test_a_token_is_signed_where_nobody_can_be_asked_whether_the_account_is_known(place: Path) -> None:
    DemoSigner.at(place)
    url = f"postgresql://greenroom_app@127.0.0.1:{free_port()}/greenroom"
    for more in ({}, {"GREENROOM_SETTING": "demo", "GREENROOM_DATABASE_URL": url}):
        assert token("--account", "nope", place=place, **more)


def test_a_broken_signer_is_named_without_a_traceback(place: Path) -> None:
    (place / "demo-signer.json").write_text("{}")
    done = greenroom("token", "--data-dir", place)
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "demo-signer.json" in done.stderr


# Schema and law


def test_the_schema_is_printed_byte_for_byte_as_it_is_committed() -> None:
    done = subprocess.run([sys.executable, "-m", "greenroom", "schema"], capture_output=True, check=True)
    assert done.stdout == (ROOT / "schema.graphql").read_bytes()
    assert done.stderr == b""


@pytest.mark.parametrize(("lang", "heading"), [("en", "to provide"), ("zh", "需提供")])
def test_explain_quotes_the_announcement_and_speaks_both_languages(lang: str, heading: str) -> None:
    case = ("--account-kind", "seller", "--account-nationality", "CN", "--anchor-nationality", "us")
    done = greenroom("explain", *case, "--location", "in_china", "--lang", lang.upper())
    assert done.exit_code == 0
    assert "PASSPORT_VISA" in done.stdout
    assert heading in done.stdout
    assert line("L25").text.strip() in done.stdout


def test_explain_as_json_is_json_and_says_what_the_text_says() -> None:
    told = json.loads(
        greenroom("explain", "--anchor-nationality", "ES", "--location", "OUTSIDE_CHINA", "--json").stdout
    )
    assert (told["path"], told["policy"]) == ("CONTACT", "aliexpress-2021")
    assert [item["kind"] for item in told["items"]]
    assert all(quote["text"] == line(quote["line"]).text for quote in told["basis"]["lines"])


@pytest.mark.parametrize("policy", PACKS)
def test_explain_shows_the_table_of_any_pack(policy: str) -> None:
    shown = greenroom("explain", "--table", "--policy", policy)
    assert shown.exit_code == 0
    assert policy in shown.stdout
    assert all(f"│ {number} " in shown.stdout for number in range(1, 17))
    told = json.loads(greenroom("explain", "--table", "--policy", policy, "--json").stdout)
    assert (told["policy"], len(told["cells"])) == (policy, 16)


def test_tables_fold_what_is_long_and_cut_nothing(place: Path) -> None:
    narrow = greenroom("explain", "--table", COLUMNS="80").stdout
    assert "PASSPORT_VISA" in narrow
    told = greenroom("doctor", COLUMNS="80", GREENROOM_DATA_DIR=str(place)).stdout
    assert all(f"GREENROOM_{name}" in told for name in NEEDED)
    assert "…" not in narrow + told


def test_a_table_in_a_pipe_has_each_row_on_one_line() -> None:
    _, table, _ = run("explain", "--table")
    assert len(table.splitlines()) == 16 + 5  # title, heading, borders
    assert "R15 · L18, L3, L8 · A3 over L27" in table


def test_the_table_is_of_every_case_and_takes_no_case() -> None:
    done = greenroom("explain", "--table", "--anchor-nationality", "US", "--location", "IN_CHINA")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "--anchor-nationality, --location" in done.stderr


def test_explain_refuses_a_pack_that_is_none_with_the_list_of_those_that_there_are() -> None:
    done = greenroom("explain", "--policy", "aliexpress-1999")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert all(name in done.stderr for name in PACKS)


def test_explain_names_every_country_that_is_none_in_the_language_asked_for() -> None:
    arguments = ("explain", "--account-nationality", "QQ", "--anchor-nationality", "Spain", "--lang")
    said = {lang: greenroom(*arguments, lang) for lang in ("en", "zh")}
    for done in said.values():
        assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
        assert "--account-nationality: " in done.stderr
        assert "--anchor-nationality: " in done.stderr
    assert said["en"].stderr != said["zh"].stderr


# Keys


@pytest.mark.parametrize("command", ["make", "tickets"])
def test_a_file_of_keys_is_made_for_its_owner_alone_and_is_usable(command: str, place: Path) -> None:
    file = place / "keys.json"
    told = json.loads(greenroom("keys", command, file, "--json").stdout)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = MasterKeys.load(file).current_id if command == "make" else load_keys(file)[0].kid
    assert told == {"file": str(file), "id": found}
    assert [each.name for each in file.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("command", ["make", "tickets"])
def test_no_file_of_keys_is_ever_overwritten(command: str, place: Path) -> None:
    file = place / "keys.json"
    file.write_text("somebody's only copy")
    done = greenroom("keys", command, file)
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "nothing was changed" in done.stderr
    assert ("keys rotate" in done.stderr) == (command == "make")
    assert file.read_text() == "somebody's only copy"


@pytest.mark.parametrize("command", ["make", "tickets"])
def test_keys_that_cannot_be_written_are_told_with_the_path(command: str, place: Path) -> None:
    (place / "file").touch()
    for file in (place / "file" / "keys.json", Path("/proc/1/keys.json"), place / "gone" / "keys.json", place):
        done = greenroom("keys", command, file)
        assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
        assert str(file.parent) in done.stderr
        assert "Traceback" not in done.output
        assert "nothing was changed" not in done.stderr
    assert not (place / "gone").exists()


def test_neither_command_prints_a_key(place: Path) -> None:
    printed = "".join(greenroom("keys", each, place / each).output for each in ("make", "tickets"))
    master = json.loads((place / "make").read_text())
    (ticket,) = json.loads((place / "tickets").read_text())["keys"]
    assert not any(secret in printed for secret in (master["pepper"], master["keys"][0]["key"], ticket["d"]))


# Migrations


def test_a_database_is_brought_up_down_and_to_a_named_revision(postgres: Postgres, unmade: str) -> None:
    settings, newest = on(postgres, unmade), migrations.head()
    for arguments, at in ((), newest), (("base", "--yes"), "base"), ((newest,), newest), ((), newest):
        done = greenroom("migrate", *arguments, **settings)
        assert (done.exit_code, done.stdout) == (0, f"at {at}\n"), done.output
    for answer in ("n\n", ""):  # "" is a script's
        asked_first = greenroom("migrate", "base", typed=answer, **settings)
        assert asked_first.exit_code == Exit.DECLINED
        assert "--yes" in asked_first.stdout
        assert "Nothing was changed" in asked_first.stderr
    assert migrated_to(postgres, unmade) == newest


def migrated_to(postgres: Postgres, database: str) -> str:
    return str(ask(postgres.url(SUPERUSER, database), "SELECT version_num FROM alembic_version")[0][0])


@pytest.mark.parametrize("setting", ["demo", "production"])
def test_migrating_needs_the_owner_s_address_and_nothing_else(setting: str, postgres: Postgres, unmade: str) -> None:
    done = greenroom("migrate", GREENROOM_SETTING=setting, GREENROOM_MIGRATION_URL=postgres.url(OWNER, unmade))
    assert (done.exit_code, done.stdout) == (0, f"at {migrations.head()}\n"), done.output
    assert migrated_to(postgres, unmade) == migrations.head()


def test_migrating_nothing_named_is_refused_in_production() -> None:
    done = greenroom("migrate")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "GREENROOM_MIGRATION_URL" in done.stderr


def test_the_owner_s_address_alone_is_not_passed_over(postgres: Postgres, database: str, place: Path) -> None:
    alone = {"GREENROOM_SETTING": "demo", "GREENROOM_MIGRATION_URL": postgres.url(OWNER, database)}
    done = greenroom("demo", "--data-dir", place / "data", **alone)
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "GREENROOM_MIGRATION_URL" in done.stderr
    assert failing(examined(alone | {"GREENROOM_DATA_DIR": str(place / "data")})) == {"database"}
    assert not (place / "data").exists()


def test_an_unknown_revision_is_refused_and_changes_nothing(postgres: Postgres, database: str) -> None:
    done = greenroom("migrate", "--demo", "4711", **on(postgres, database))
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "4711" in done.stderr
    assert migrated_to(postgres, database) == migrations.head()


def test_migrating_as_the_role_that_serves_is_refused_with_the_setting_to_use(postgres: Postgres, unmade: str) -> None:
    settings = on(postgres, unmade)
    del settings["GREENROOM_MIGRATION_URL"]
    done = greenroom("migrate", "--demo", **settings)
    assert (done.exit_code, done.stdout) == (Exit.DATABASE, "")
    assert "GREENROOM_MIGRATION_URL" in done.stderr


# A database that can't be had


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--demo", "--port", "0"),
        ("migrate", "--demo"),
        ("demo",),
        ("keys", "rotate", "--demo"),
        ("verify-chain", "--demo"),
    ],
)
def test_a_database_that_does_not_answer_ends_with_code_4_and_advice_and_without_the_password(
    arguments: tuple[str, ...], place: Path
) -> None:
    MasterKeys.at(place)
    for host in ("127.0.0.1:1", "nowhere.invalid"):
        if "--port" in arguments:
            arguments = (*arguments[:-1], str(free_port()))
        url = f"postgresql://greenroom_app:{SECRET}@{host}/greenroom"
        settings = {"GREENROOM_SETTING": "demo", "GREENROOM_DATABASE_URL": url, "GREENROOM_DATA_DIR": str(place)}
        done = greenroom(*arguments, **settings)
        assert (done.exit_code, done.stdout) == (Exit.DATABASE, "")
        assert "GREENROOM_DATABASE_URL" in done.stderr
        assert SECRET not in done.output
        assert isinstance(done.exception, SystemExit)  # and no fault that the shell would see as a traceback


def test_a_database_that_does_not_exist_is_told_with_what_to_do(postgres: Postgres) -> None:
    done = greenroom("verify-chain", **on(postgres, "nowhere"))
    assert (done.exit_code, done.stdout) == (Exit.DATABASE, "")
    assert "nowhere" in done.stderr
    assert "Create the database" in done.stderr


@pytest.mark.parametrize("arguments", [("verify-chain",), ("keys", "rotate"), ("demo",), ("serve",)])
def test_a_database_that_is_not_migrated_ends_with_code_3(
    arguments: tuple[str, ...], postgres: Postgres, unmade: str
) -> None:
    MasterKeys.at(postgres.place / "keys")
    done = greenroom(*arguments, **on(postgres, unmade, GREENROOM_PORT=str(free_port())))
    assert (done.exit_code, done.stdout) == (Exit.NOT_MIGRATED, "")
    assert "greenroom migrate" in done.stderr


@pytest.mark.parametrize("arguments", [("verify-chain", "--demo"), ("keys", "rotate", "--demo")])
def test_what_looks_at_data_makes_none(arguments: tuple[str, ...], place: Path) -> None:
    done = greenroom(*arguments, "--data-dir", place / "data")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "Nothing here" in done.stderr
    assert not (place / "data").exists()


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_demo_with_a_file_of_keys_that_cannot_be_used_says_so(
    content: str | None, postgres: Postgres, database: str, place: Path
) -> None:
    path = place / "master.json"
    if content:
        path.write_text(content)
    settings = on(postgres, database, GREENROOM_MASTER_KEY_FILE=str(path), GREENROOM_PORT=str(free_port()))
    for command in ("demo", "serve"):
        done = greenroom(command, **settings)
        assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
        assert str(path) in done.stderr


# Serving


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def production(postgres: Postgres, database: str, place: Path) -> Environment:
    """The settings of a production place, complete."""
    for command in ("make", "tickets"):
        assert greenroom("keys", command, place / f"{command}.json").exit_code == 0
    key = OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=False)
    (place / "issuer.json").write_text(json.dumps({"keys": [key]}))
    return on(
        postgres,
        database,
        GREENROOM_SETTING="production",
        GREENROOM_MASTER_KEY_FILE=str(place / "make.json"),
        GREENROOM_TICKET_KEY_FILE=str(place / "tickets.json"),
        GREENROOM_TOKEN_ISSUER="https://issuer.example",
        GREENROOM_TOKEN_JWKS=str(place / "issuer.json"),
        GREENROOM_PUBLIC_URL="https://greenroom.example",
        GREENROOM_PORT=str(free_port()),
    )


NEEDED = ("DATABASE_URL", "MASTER_KEY_FILE", "TICKET_KEY_FILE", "TOKEN_ISSUER", "TOKEN_JWKS", "PUBLIC_URL")


def test_production_does_not_start_without_what_it_must_be_given_and_names_all_of_it() -> None:
    done = greenroom("serve")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert all(f"GREENROOM_{name}" in done.stderr for name in NEEDED)


@pytest.mark.parametrize("name", NEEDED)
def test_production_names_the_one_setting_that_is_missing_and_no_other(name: str, production: Environment) -> None:
    del production[f"GREENROOM_{name}"]
    done = greenroom("serve", **production)
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert [each for each in NEEDED if f"GREENROOM_{each}" in done.stderr] == [name]
    told = json.loads(greenroom("doctor", "--json", **production).stdout)["findings"]
    (missing,) = [each["found"] for each in told if each["check"] == "settings"]
    assert f"GREENROOM_{name}" in missing


@pytest.mark.parametrize("name", ["MASTER_KEY_FILE", "TICKET_KEY_FILE", "TOKEN_JWKS"])
def test_production_does_not_start_with_a_file_of_keys_that_is_not_there(name: str, production: Environment) -> None:
    production[f"GREENROOM_{name}"] += ".gone"
    done = greenroom("serve", **production)
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert production[f"GREENROOM_{name}"] in done.stderr
    assert not Path(production[f"GREENROOM_{name}"]).exists()


@pytest.mark.parametrize(("role", "why"), [(SUPERUSER, "superuser"), (OWNER, "owns the tables")])
def test_nobody_serves_whom_row_security_does_not_bind(role: str, why: str, postgres: Postgres, database: str) -> None:
    settings = on(postgres, database, GREENROOM_DATABASE_URL=postgres.url(role, database))
    done = greenroom("serve", "--port", free_port(), **settings)
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert why in done.stderr
    assert "greenroom_app" in done.stderr
    assert ask(postgres.url(SUPERUSER, database), "SELECT * FROM accounts") == []
    found = examined(settings)["role"]
    assert found["level"] == "fail"
    assert role in found["found"]


async def test_a_role_that_may_not_read_the_tables_is_told_the_statement_that_lets_it(
    postgres: Postgres, database: str
) -> None:
    boss = await asyncpg.connect(postgres.url(SUPERUSER, database))
    transaction = boss.transaction()
    await transaction.start()
    try:
        await boss.execute('CREATE ROLE "of-cli"; SET LOCAL SESSION AUTHORIZATION "of-cli"')
        found = await doctor.role(boss)
    finally:
        await transaction.rollback()
        await boss.close()
    assert (found.level, found.todo) == (doctor.Level.FAIL, 'As a superuser: GRANT greenroom_app TO "of-cli"')


@pytest.mark.parametrize("host", ["bad", "a..b", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_not_called_a_taken_port(host: str, place: Path) -> None:
    done = greenroom("serve", "--demo", "--host", host, "--port", free_port(), "--data-dir", place / "data")
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "--host" in done.stderr
    assert "--port" not in done.stderr


def test_a_port_that_is_taken_is_refused_before_the_database_is_touched(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = greenroom("serve", "--demo", "--port", port, "--data-dir", place / "data")
    assert (done.exit_code, done.stdout) == (Exit.PORT, "")
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert not (place / "data").exists()


@contextmanager
def answers(process: subprocess.Popen[str], port: str | int) -> Iterator[httpx.Client]:
    """A client of a server that has started."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        for _ in range(600):
            assert process.poll() is None, process.communicate()
            try:
                client.get("/healthz")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                break
        yield client


def test_production_serves_and_takes_no_token_of_the_demo_and_makes_nobody_up(
    production: Environment, postgres: Postgres, database: str, place: Path
) -> None:
    process = begun("serve", **production)
    try:
        with answers(process, production["GREENROOM_PORT"]) as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            assert client.get("/readyz").json() == {"status": "ok"}
            DemoSigner.at(place)
            forged = {"authorization": f"Bearer {token('--permission', 'ADMINISTER', place=place)}"}
            refused = client.post("/graphql", json={"query": "{ viewer { id } }"}, headers=forged)
            assert refused.status_code == 401
            assert refused.json()["errors"][0]["extensions"]["code"] == "TOKEN_WRONG_ISSUER"
    finally:
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
    assert code == 0, err
    assert "Traceback" not in err
    assert ask(postgres.url(SUPERUSER, database), "SELECT * FROM accounts") == []


def test_a_server_that_is_told_to_stop_finishes_what_is_under_way(postgres: Postgres, populated: str) -> None:
    port, boss, settings = free_port(), postgres.url(SUPERUSER, populated), on(postgres, populated)
    process = begun("serve", "--demo", "--port", port, **settings)
    try:
        with answers(process, port) as client:
            assert client.get("/readyz").json() == {"status": "ok"}
            staff = token("--permission", "ADMINISTER", place=Path(settings["GREENROOM_DATA_DIR"]))
            input = {"externalId": "seller-cn", "kind": "SELLER", "name": "Renamed", "nationality": "CN"}
            said: list[httpx.Response] = []

            def rename() -> None:
                body = {"query": document("RegisterAccount"), "variables": {"input": input}}
                said.append(client.post("/graphql", json=body, headers={"authorization": f"Bearer {staff}"}))

            caller = Thread(target=rename)
            with held(boss, "SELECT * FROM accounts WHERE external_id = 'seller-cn' FOR UPDATE"):
                caller.start()
                wait_until_somebody_waits(boss, process)
                process.send_signal(signal.SIGTERM)
                wait_until_closed(port)
                assert process.poll() is None
            caller.join(30)
        code, out, err = ended(process)
    finally:
        process.kill()
    assert data_of(said[0])["accountRegister"]["account"]["name"] == "Renamed"
    (row,) = ask(boss, "SELECT name FROM accounts WHERE external_id = 'seller-cn'")
    assert row["name"] == "Renamed"
    assert code == 0, err
    assert f"http://127.0.0.1:{port}/graphql" in out
    assert "token --account seller-cn" in out
    assert "Traceback" not in err


def wait_until_closed(port: int) -> None:
    """Wait until nobody new is let in."""
    for _ in range(600):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise AssertionError("the port is open still")


# Doctor


def findings(done: Result) -> dict[str, dict[str, str]]:
    """Each check's finding; whatever is not well says what to do, and the code says whether something fails."""
    told = json.loads(done.stdout)
    for each in told["findings"]:
        assert each.keys() == {"check", "level", "found", "todo"}
        assert each["level"] in ("ok", "warn", "fail")
        assert bool(each["todo"]) == (each["level"] != "ok"), each
    failing = any(each["level"] == "fail" for each in told["findings"])
    assert (told["ok"], done.exit_code) == (not failing, Exit.FOUND if failing else 0)
    return {each["check"]: each for each in told["findings"]}


def examined(settings: Environment, *arguments: str) -> dict[str, dict[str, str]]:
    done = greenroom("doctor", "--json", *arguments, **{"GREENROOM_PORT": str(free_port())} | settings)
    found = findings(done)
    # The tests' cluster writes nothing through, for speed, and the doctor says so.
    assert found.pop("durability", {"level": "fail"})["level"] == "fail"
    return found


def failing(found: dict[str, dict[str, str]]) -> set[str]:
    return {name for name, each in found.items() if each["level"] == "fail"}


def test_the_doctor_finds_a_machine_without_a_demo_ready_for_one_and_makes_nothing(place: Path) -> None:
    done = greenroom("doctor", "--demo", "--json", "--data-dir", place / "data", GREENROOM_PORT=str(free_port()))
    found = findings(done)
    assert done.exit_code == 0
    assert {"settings", "master keys", "ticket keys", "disk", "port", "tokens", "database"} <= found.keys()
    assert not (place / "data").exists()


def test_the_doctor_finds_a_demo_well_and_leaves_its_postgres_stopped(place: Path) -> None:
    settings = {"GREENROOM_DATA_DIR": str(place / "data"), "GREENROOM_PORT": str(free_port())}
    assert greenroom("demo", "--json", **settings).exit_code == 0
    done = greenroom("doctor", "--demo", "--json", **settings)
    found = findings(done)
    assert done.exit_code == 0, found
    assert {"role", "durability", "clock", "migrations", "data keys"} <= found.keys()
    assert embedded.running(place / "data") is None


def test_the_doctor_finds_a_production_place_well(production: Environment) -> None:
    found = examined(production)
    assert failing(found) == set(), found
    assert {name for name, each in found.items() if each["level"] == "warn"} <= {"explorer", "database"}


def test_the_doctor_s_table_shows_what_its_json_says(production: Environment) -> None:
    found = examined(production)
    shown = greenroom("doctor", **production)
    assert shown.exit_code == Exit.FOUND  # durability, as above
    assert all(each["check"] in shown.stdout and each["found"] in shown.stdout for each in found.values())


def test_the_doctor_names_files_of_keys_that_are_missing_or_no_such_files(production: Environment) -> None:
    Path(production["GREENROOM_MASTER_KEY_FILE"]).unlink()
    Path(production["GREENROOM_TICKET_KEY_FILE"]).write_text("{}")
    found = examined(production)
    assert failing(found) == {"master keys", "ticket keys"}
    assert production["GREENROOM_MASTER_KEY_FILE"] in found["master keys"]["found"]
    assert production["GREENROOM_TICKET_KEY_FILE"] in found["ticket keys"]["found"]


def test_the_doctor_warns_of_a_file_of_keys_that_everybody_may_read(production: Environment) -> None:
    path = Path(production["GREENROOM_MASTER_KEY_FILE"])
    path.chmod(0o644)
    found = examined(production)["master keys"]
    assert found["level"] == "warn"
    assert found["todo"] == f"chmod o= {path}"


def test_the_doctor_names_an_issuer_s_keys_that_are_not_there(production: Environment) -> None:
    Path(production["GREENROOM_TOKEN_JWKS"]).unlink()
    found = examined(production)
    assert failing(found) == {"tokens"}
    assert "issuer's JWKS" in found["tokens"]["todo"]


def test_the_doctor_says_how_to_migrate(postgres: Postgres, unmade: str) -> None:
    settings = on(postgres, unmade)
    found = examined(settings)
    assert failing(found) == {"migrations"}
    assert "greenroom migrate" in found["migrations"]["todo"]
    for revision in ("head", "base"):
        assert greenroom("migrate", revision, "--yes", **settings).exit_code == 0
    assert examined(settings)["migrations"]["found"] == f"at base, this version needs {migrations.head()}"


def test_the_doctor_tells_the_version_that_the_server_tells(postgres: Postgres, database: str) -> None:
    (row,) = ask(postgres.url(APP, database), "SHOW server_version")
    assert f"PostgreSQL {row[0].split()[0]}, UTF8" == examined(on(postgres, database))["database"]["found"]


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid", "127.0.0.1:abc"])
def test_the_doctor_names_a_database_that_does_not_answer_without_its_password(host: str, place: Path) -> None:
    url = f"postgresql://greenroom_app:{SECRET}@{host}/greenroom"
    settings = {"GREENROOM_SETTING": "demo", "GREENROOM_DATABASE_URL": url, "GREENROOM_DATA_DIR": str(place)}
    found = examined(settings)
    assert failing(found) == {"settings" if "abc" in host else "database"}
    assert SECRET not in str(found)


def test_the_doctor_goes_on_past_a_setting_that_cannot_be_and_knows_one_that_is_misspelt(place: Path) -> None:
    wrong = {"GREENROOM_PORT": "many", "GREENROOM_DATABSE_URL": SECRET, "GREENROOM_DATA_DIR": str(place / "data")}
    done = greenroom("doctor", "--demo", "--json", **wrong)
    told = json.loads(done.stdout)["findings"]
    assert done.exit_code == Exit.FOUND
    assert [each["level"] for each in told if each["check"] == "settings"] == ["fail", "warn"]
    assert "Did you mean GREENROOM_DATABASE_URL?" in str(told)
    assert SECRET not in str(told)
    assert {"disk", "port", "database"} <= {each["check"] for each in told}
    assert "GREENROOM_PORT" in greenroom("doctor", "--demo", **wrong).stdout


def test_the_doctor_does_not_guess_at_a_name_that_is_like_none(place: Path) -> None:
    told = greenroom("doctor", "--json", GREENROOM_FOO="x", GREENROOM_DATA_DIR=str(place)).stdout
    (foo,) = [each for each in json.loads(told)["findings"] if "GREENROOM_FOO" in each["found"]]
    assert "Did you mean" not in foo["todo"]


def test_the_doctor_tells_a_port_that_another_program_holds(postgres: Postgres, database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        Thread(target=lambda: taken.accept()[0].close(), daemon=True).start()  # lets go of whoever asks
        found = examined(on(postgres, database, GREENROOM_PORT=str(taken.getsockname()[1])), "--demo")
    assert failing(found) == {"port"}
    assert "GREENROOM_PORT" in found["port"]["todo"]


# Rotation


@pytest.fixture
def keys(postgres: Postgres, place: Path) -> Path:
    """A copy of the master keys of the tests, to rotate without others noticing."""
    MasterKeys.at(postgres.place / "keys")  # makes them where no other test has
    path = place / "master-keys.json"
    path.write_bytes((postgres.place / "keys" / "master-keys.json").read_bytes())
    path.chmod(0o640)
    return path


def under(postgres: Postgres, database: str) -> dict[str, int]:
    """How many data keys lie under which master key."""
    rows = ask(postgres.url(SUPERUSER, database), "SELECT master_key_id, count(*) FROM anchor_keys GROUP BY 1")
    return {row["master_key_id"]: row["count"] for row in rows}


async def legal_names(url: str, master: MasterKeys) -> list[str]:
    """Every legal name that is kept, as somebody with these keys reads it."""
    read = []
    query = (
        "SELECT v.account_id, v.anchor_id, v.legal_name, k.master_key_id, k.wrapped"
        " FROM verifications v JOIN anchor_keys k USING (account_id, anchor_id)"
        " WHERE v.legal_name IS NOT NULL ORDER BY v.id"
    )
    for row in await asked(url, query):
        where = (row["account_id"], row["anchor_id"])
        data_key = await master.unwrap(row["master_key_id"], row["wrapped"], context=sealing.context_of(*where))
        seal = sealing.Seal(data_key)
        read.append(seal.open(row["legal_name"], account_id=where[0], anchor_id=where[1], column="legal_name"))
    return read


def test_rotation_wraps_every_data_key_anew_and_all_that_was_sealed_still_opens(
    postgres: Postgres, populated: str, keys: Path
) -> None:
    boss = postgres.url(SUPERUSER, populated)
    serving = MasterKeys.load(keys)  # as a process has them that serves meanwhile
    before, (old,) = asyncio.run(legal_names(boss, serving)), serving.ids
    (total,) = under(postgres, populated).values()
    assert total > 500  # more than a batch
    settings = on(postgres, populated, GREENROOM_MASTER_KEY_FILE=str(keys))
    told = json.loads(greenroom("keys", "rotate", "--demo", "--json", **settings).stdout)
    new, kept = MasterKeys.load(keys).ids
    assert kept == old
    assert told == {"masterKey": new, "isNew": True, "rewrapped": total, "failed": {}}
    assert under(postgres, populated) == {new: total}
    assert asyncio.run(legal_names(boss, MasterKeys.load(keys))) == before
    assert asyncio.run(legal_names(boss, serving)) == before
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640
    again = greenroom("keys", "rotate", "--demo", "--resume", **settings)
    assert (again.exit_code, again.stdout) == (0, f"master key {new}: 0 data keys wrapped under it\n")
    assert MasterKeys.load(keys).ids == (new, old)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_rotation_that_was_interrupted_is_resumed_where_it_stopped(
    number: signal.Signals, postgres: Postgres, populated: str, keys: Path
) -> None:
    boss, settings = postgres.url(SUPERUSER, populated), on(postgres, populated, GREENROOM_MASTER_KEY_FILE=str(keys))
    before, (total,) = asyncio.run(legal_names(boss, MasterKeys.load(keys))), under(postgres, populated).values()
    last = "(SELECT account_id, anchor_id FROM anchor_keys ORDER BY account_id DESC, anchor_id DESC LIMIT 1)"
    with held(boss, f"SELECT * FROM anchor_keys WHERE (account_id, anchor_id) IN {last} FOR UPDATE"):
        process = begun("keys", "rotate", "--demo", **settings)
        wait_until_somebody_waits(boss, process)
        process.send_signal(number)
        code, _, err = ended(process)
    assert code == (-number if number is signal.SIGKILL else 128 + number)
    assert "Traceback" not in err
    ids = MasterKeys.load(keys).ids
    assert under(postgres, populated) == {ids[0]: 500, ids[1]: total - 500}
    assert asyncio.run(legal_names(boss, MasterKeys.load(keys))) == before
    warned = examined(settings, "--demo")["data keys"]
    assert (warned["level"], warned["todo"]) == ("warn", "greenroom keys rotate --resume")

    told = json.loads(greenroom("keys", "rotate", "--demo", "--resume", "--json", **settings).stdout)
    assert told == {"masterKey": ids[0], "isNew": False, "rewrapped": total - 500, "failed": {}}
    assert MasterKeys.load(keys).ids == ids
    assert under(postgres, populated) == {ids[0]: total}
    assert asyncio.run(legal_names(boss, MasterKeys.load(keys))) == before


def test_a_data_key_that_does_not_open_is_named_and_the_others_go_on(
    postgres: Postgres, populated: str, keys: Path
) -> None:
    boss, settings = postgres.url(SUPERUSER, populated), on(postgres, populated, GREENROOM_MASTER_KEY_FILE=str(keys))
    (total,) = under(postgres, populated).values()
    newest = "(SELECT max(anchor_id::text) FROM anchor_keys)::uuid"
    (spoilt,) = ask(
        boss, f"UPDATE anchor_keys SET wrapped = sha256(wrapped) WHERE anchor_id = {newest} RETURNING anchor_id"
    )
    done = greenroom("keys", "rotate", "--demo", "--json", **settings)
    told = json.loads(done.stdout)
    assert done.exit_code == Exit.FOUND
    assert (told["rewrapped"], [*told["failed"]]) == (total - 1, [str(spoilt["anchor_id"])])
    shown = greenroom("keys", "rotate", "--demo", "--resume", **settings)
    assert shown.exit_code == Exit.FOUND
    assert str(spoilt["anchor_id"]) in shown.stderr


def test_a_rotation_without_the_file_of_keys_changes_nothing(postgres: Postgres, database: str, place: Path) -> None:
    path = place / "gone.json"
    done = greenroom("keys", "rotate", "--demo", **on(postgres, database, GREENROOM_MASTER_KEY_FILE=str(path)))
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert str(path) in done.stderr
    assert not path.exists()


def test_no_new_key_is_made_where_the_database_does_not_answer(keys: Path) -> None:
    before = keys.read_bytes()
    url = f"postgresql://greenroom_app@127.0.0.1:{free_port()}/greenroom"
    given = {"GREENROOM_DATABASE_URL": url, "GREENROOM_MASTER_KEY_FILE": str(keys)}
    done = greenroom("keys", "rotate", GREENROOM_SETTING="demo", **given)
    assert done.exit_code == Exit.DATABASE
    assert keys.read_bytes() == before


# The chain


def test_an_unbroken_log_is_proved(postgres: Postgres, populated: str) -> None:
    settings = on(postgres, populated)
    (written,) = ask(
        postgres.url(SUPERUSER, populated), "SELECT count(*) AS events, count(DISTINCT account_id) AS logs FROM events"
    )
    done = greenroom("verify-chain", "--demo", "--json", **settings)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"logs": written["logs"], "events": written["events"], "broken": []}
    shown = greenroom("verify-chain", "--demo", **settings)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == f"{written['logs']} logs, {written['events']} events, 0 broken\n"


def tampered(url: str, statement: str, *values: Any) -> None:
    """Do what nobody may: as superuser, with triggers off."""

    async def do() -> None:
        connection = await asyncpg.connect(url, server_settings={"session_replication_role": "replica"})
        assert not (await connection.execute(statement, *values)).endswith(" 0")
        await connection.close()

    asyncio.run(do())


def test_the_first_broken_link_of_each_account_is_named_by_the_platform_s_id(
    postgres: Postgres, populated: str
) -> None:
    settings, boss = on(postgres, populated), postgres.url(SUPERUSER, populated)
    for external_id, seq in (("seller-cn", 3), ("seller-cn", 9), ("crowd-00007", 1)):
        change = "UPDATE events SET actor = 'nobody' WHERE account_id = $1 AND seq = $2"
        tampered(boss, change, account_id_of(external_id), seq)
    done = greenroom("verify-chain", "--demo", "--json", **settings)
    assert done.exit_code == Exit.FOUND
    named = {(each["account"], each["seq"], each["why"]) for each in json.loads(done.stdout)["broken"]}
    assert named == {(each, seq, "the event was changed") for each, seq in (("seller-cn", 3), ("crowd-00007", 1))}
    shown = greenroom("verify-chain", "--demo", "--account", "seller-cn", **settings)
    assert shown.exit_code == Exit.FOUND
    assert "seller-cn, event 3" in shown.stderr
    assert "1 logs, 0 events, 1 broken" in shown.stdout
    whole = greenroom("verify-chain", "--demo", "--account", "seller-us", "--json", **settings)
    assert (whole.exit_code, json.loads(whole.stdout)["broken"]) == (0, [])


def test_a_log_that_is_gone_as_a_whole_is_missed(postgres: Postgres, populated: str) -> None:
    boss = postgres.url(SUPERUSER, populated)
    for table in ("events", "event_heads"):
        tampered(boss, f"DELETE FROM {table} WHERE account_id = $1", account_id_of("crowd-00009"))
    done = greenroom("verify-chain", "--demo", "--json", **on(postgres, populated))
    assert done.exit_code == Exit.FOUND
    (broken,) = json.loads(done.stdout)["broken"]
    assert (broken["account"], broken["seq"]) == ("crowd-00009", 1)


def test_an_account_that_nobody_registered_has_no_log_to_prove(postgres: Postgres, database: str) -> None:
    done = greenroom("verify-chain", "--demo", "--account", "nobody", **on(postgres, database))
    assert (done.exit_code, done.stdout) == (Exit.USAGE, "")
    assert "nobody" in done.stderr
