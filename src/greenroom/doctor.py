"""Doctor: looks at what a process will need, and says of each finding what to do. It changes nothing."""

import errno
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import asyncpg

from greenroom import jobs, migrations, sealing, tickets
from greenroom.documents import reading
from greenroom.explorer import BUNDLE
from greenroom.jwks import key_source, keys_of
from greenroom.sealing import MasterKeys, SealingError
from greenroom.settings import Settings
from greenroom.tokens import Tokens

POSTGRES_MIN: Final = 15  # tested: docs/operating.md
SKEW_WARN_S, SKEW_FAIL_S = 2.0, 30.0  # tokens and tickets forgive 30 seconds
DISK_WARN_BYTES, DISK_FAIL_BYTES = 2 * 1024**3, 256 * 1024**2
PUBLIC_URL: Final = "GREENROOM_PUBLIC_URL"
NEAR: Final = 0.7  # how alike a misspelt name must be, of 1
CONNECT_S, PORT_S, LOCK_TIMEOUT = 5.0, 2.0, "5s"
SETTINGS_PAGE: Final = 'docs/operating.md, "Settings"'
ROLES_PAGE: Final = 'docs/operating.md, "Roles"'


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"  # it runs, and something should be done
    FAIL = "fail"  # it does not run, or not safely


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it; nothing where all is well."""

    check: str
    level: Level
    found: str
    todo: str = ""


def look_around(settings: Settings, *, wrong: Sequence[tuple[str, str]], given: Collection[str]) -> Iterator[Finding]:
    """Check what needs no database. `wrong`: what can't be used of the variables; `given`: the names of all."""
    yield from variables(settings, wrong=wrong, given=given)
    if settings.is_demo or settings.master_key_file:
        yield key_file("master keys", settings.master_key_file, settings.data_dir / sealing.FILE_NAME, MasterKeys.load)
    if settings.is_demo or settings.ticket_key_file:
        own = settings.data_dir / tickets.FILE_NAME
        yield key_file("ticket keys", settings.ticket_key_file, own, tickets.load_keys)
    yield disk(settings)
    yield port(settings.host, settings.port)
    yield explorer()
    yield zones()


def zones() -> Finding:
    """Do workers of this installation read machine-readable zones from photos?"""
    if reading.is_installed():
        return Finding("zones", Level.OK, "read from photos by workers that were started since")
    return Finding("zones", Level.OK, "not read from photos: they are typed in; the extra `ocr` reads them")


def variables(settings: Settings, *, wrong: Sequence[tuple[str, str]], given: Collection[str]) -> Iterator[Finding]:
    """Is what the environment says complete, and understood?"""
    for name, said in wrong:
        yield Finding("settings", Level.FAIL, f"{name}: {said}", "Correct it; without it the default was looked at.")
    told = {name for name, _ in wrong}
    missing = [name for name in settings.missing() if name not in told]
    for name in missing:
        yield Finding("settings", Level.FAIL, f"{name}: missing in the production setting", f"Set it: {SETTINGS_PAGE}.")
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(set(given) - {f"GREENROOM_{each}" for each in known}):
        near = get_close_matches(name.removeprefix("GREENROOM_"), known, n=1, cutoff=NEAR)
        todo = f"Did you mean GREENROOM_{near[0]}?" if near else f"Remove it; there are those of {SETTINGS_PAGE}."
        yield Finding("settings", Level.WARN, f"{name}: no such setting", todo)
    is_given = "public_url" in settings.model_fields_set and PUBLIC_URL not in told
    if is_given and settings.public_url.startswith("http:") and not settings.is_demo:
        todo = "Set it to the https address that media servers and browsers reach this by."
        yield Finding(
            "settings", Level.WARN, f"{PUBLIC_URL}: {settings.public_url} is reached from this machine alone", todo
        )
    if not wrong and not missing:
        yield Finding("settings", Level.OK, f"complete for the {settings.setting} setting")


def key_file(check: str, given: Path | None, own: Path, load: Callable[[Path], Any]) -> Finding:
    """Does the file with the keys open, and is it closed to others?"""
    path = given or own
    if given is None and not path.exists():
        return Finding(check, Level.OK, "none yet: the demo makes its own on its first start")
    try:
        load(path)
    except SealingError as error:
        return Finding(check, Level.FAIL, f"{path} can't be used", str(error))
    if path.stat().st_mode & 0o007:
        return Finding(check, Level.WARN, f"{path} can be read by every user of this machine", f"chmod o= {path}")
    return Finding(check, Level.OK, str(path))


def disk(settings: Settings) -> Finding:
    """Is there room where the embedded PostgreSQL writes, and may we write there?"""
    if settings.database_url is not None:
        return Finding("disk", Level.OK, "nothing is written here: the database is elsewhere")
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("disk", Level.FAIL, f"{place} can't be written", "Choose another: GREENROOM_DATA_DIR.")
    free = shutil.disk_usage(place).free
    level = Level.FAIL if free < DISK_FAIL_BYTES else Level.WARN if free < DISK_WARN_BYTES else Level.OK
    todo = "" if level is Level.OK else "Free some space, or choose another place: GREENROOM_DATA_DIR."
    return Finding("disk", level, f"{free / 1024**3:.1f} GiB free at {place}", todo)


def port(host: str, number: int) -> Finding:
    """Can we listen there, or do we already?"""
    at = f"{host}:{number}"
    try:
        for listener in listeners(host, number):
            listener.close()
    except OSError as error:
        if serves_already(host, number):
            return Finding("port", Level.OK, f"{at}: a Greenroom serves there already")
        todo = (
            "Name an address of this machine: GREENROOM_HOST." if is_host(error) else "Choose another: GREENROOM_PORT."
        )
        return Finding("port", Level.FAIL, f"{at}: {error.strerror}", todo)
    return Finding("port", Level.OK, f"{at} is free")


def listeners(host: str, number: int) -> list[socket.socket]:
    """Listen on every address that `host` stands for. Raises OSError where one can't be had."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "No such host") from None
    addresses = {(found[0], found[4][:2]) for found in socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)}
    held: list[socket.socket] = []
    try:
        for family, address in sorted(addresses):
            held.append(socket.create_server((str(address[0]), number), family=family, backlog=2048))
    except OSError:
        for listener in held:
            listener.close()
        raise
    return held


def is_host(error: OSError) -> bool:
    """Say whether it is the host that can't be listened on, whatever the port."""
    return isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL


def serves_already(host: str, number: int) -> bool:
    """Ask what listens there whether it is one of us."""
    connection = HTTPConnection(host, number, timeout=PORT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read(64) == b'{"status":"ok"}'
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def explorer() -> Finding:
    """Is the explorer built?"""
    if (BUNDLE / "index.html").exists():
        return Finding("explorer", Level.OK, "built")
    return Finding("explorer", Level.WARN, "not built: the API works without it", "make console")


async def issuer(settings: Settings, *, now: datetime) -> Finding:
    """Can access tokens be checked: does the issuer give its keys?"""
    if settings.token_jwks is None:
        signer = (
            "the demo's own signer: greenroom token" if settings.is_demo else "nobody yet: the settings are missing"
        )
        return Finding("tokens", Level.OK, f"signed by {signer}")
    if wrong := issuer_file(settings.token_jwks):
        return wrong
    todo = "Is GREENROOM_TOKEN_JWKS the https address of the issuer's keys, and does it answer this machine?"
    try:
        Tokens.of(settings)
        keys = await key_source(settings.token_jwks).looked_again(now.timestamp())
    except (ValueError, SealingError, ssl.SSLError) as error:
        return Finding("tokens", Level.FAIL, str(error), "Correct GREENROOM_TOKEN_ISSUER, _JWKS or _ALGORITHMS.")
    if not keys:
        return Finding("tokens", Level.FAIL, f"{settings.token_jwks} gives no keys", todo)
    return Finding("tokens", Level.OK, f"{settings.token_issuer}: {len(keys)} key(s)")


def issuer_file(jwks: str) -> Finding | None:
    """Return what is wrong with the issuer's keys where they lie in a file."""
    if "://" in jwks:
        return None
    try:
        keys_of(Path(jwks).read_bytes())
    except (OSError, ValueError) as error:
        todo = "Save the issuer's JWKS, its public keys, there, or correct GREENROOM_TOKEN_JWKS."
        return Finding("tokens", Level.FAIL, f"{jwks}: {getattr(error, 'strerror', None) or error}", todo)
    return None


async def look_into(url: str, settings: Settings, *, clock: Callable[[], datetime]) -> AsyncIterator[Finding]:
    """Check the database as the application's role meets it."""
    todo = "Is it running, and are address, role and password in GREENROOM_DATABASE_URL right?"
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S, server_settings={"lock_timeout": LOCK_TIMEOUT})
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            todo = "As a superuser, for the role in GREENROOM_DATABASE_URL: GRANT greenroom_app TO …"
        yield Finding("database", Level.FAIL, f"no connection: {type(error).__name__}: {error}".strip(": "), todo)
        return
    try:
        yield server(connection)
        yield (own := await role(connection))
        yield await durability(connection)
        yield await clocks(connection, clock=clock)
        if (schema := await migrated(connection)) != own:
            yield schema
        if schema.level is Level.OK:
            yield await data_keys(connection, settings)
            yield await queue(connection)
    except asyncpg.PostgresError as error:
        yield Finding("database", Level.FAIL, f"refuses: {error}", "Mend what is above, then look again.")
    finally:
        await connection.close()


def server(connection: asyncpg.Connection) -> Finding:
    """Is it a PostgreSQL that we know?"""
    about = connection.get_settings()
    version, encoding = about.server_version.split()[0], about.server_encoding
    major, found = connection.get_server_version().major, f"PostgreSQL {version}, {encoding}"
    if encoding != "UTF8":
        return Finding("database", Level.FAIL, found, "Names need UTF8: make the database anew with ENCODING 'UTF8'.")
    if major < POSTGRES_MIN:
        return Finding("database", Level.FAIL, found, f"PostgreSQL {POSTGRES_MIN} or newer is needed: upgrade.")
    return Finding("database", Level.OK, found)


async def role(connection: asyncpg.Connection) -> Finding:
    """Does row security hold for the role that serves, and may it do what we do?"""
    (own,) = await connection.fetch(ROLE)
    name, todo = own["name"], f"Serve as a role that is a member of greenroom_app and nothing more: {ROLES_PAGE}."
    if own["is_super"]:
        return Finding("role", Level.FAIL, f"{name} is a superuser: no row security holds for it", todo)
    if own["is_exempt"]:
        return Finding("role", Level.FAIL, f"{name} may bypass row security", todo)
    if own["is_owner"]:
        return Finding("role", Level.FAIL, f"{name} owns the tables: it could switch row security off", todo)
    if own["is_member"] is False:
        grant = f"As a superuser: GRANT greenroom_app TO {name}"
        return Finding("role", Level.FAIL, f"{name} is no member of greenroom_app: it may not read the tables", grant)
    return Finding("role", Level.OK, f"{name}: owns nothing, row security holds")


ROLE: Final = """
SELECT quote_ident(rolname) AS name, rolsuper AS is_super, rolbypassrls AS is_exempt,
       EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('accounts') AND pg_has_role(relowner, 'MEMBER'))
       AS is_owner,
       (SELECT pg_has_role(app.oid, 'USAGE') FROM pg_roles app WHERE app.rolname = 'greenroom_app') AS is_member
FROM pg_roles WHERE rolname = current_user
"""


async def durability(connection: asyncpg.Connection) -> Finding:
    """Does what was acknowledged survive a crash?"""
    off = [
        name
        for name in ("fsync", "synchronous_commit", "full_page_writes")
        if await connection.fetchval("SELECT current_setting($1)", name) == "off"
    ]
    if off:
        return Finding("durability", Level.FAIL, f"{', '.join(off)} off: a crash loses writes", "Set to on.")
    return Finding("durability", Level.OK, "what is acknowledged is on the disk")


async def clocks(connection: asyncpg.Connection, *, clock: Callable[[], datetime]) -> Finding:
    """Do this machine's clock and the database's agree?"""
    before = clock()
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    after = clock()
    apart_s = abs((theirs - (before + (after - before) / 2)).total_seconds())
    level = Level.FAIL if apart_s > SKEW_FAIL_S else Level.WARN if apart_s > SKEW_WARN_S else Level.OK
    todo = "" if level is Level.OK else "Let NTP set both clocks: tokens, tickets and the launch go by them."
    return Finding("clock", level, f"{apart_s:.1f} s from the database's", todo)


async def migrated(connection: asyncpg.Connection) -> Finding:
    """Is the database at the schema that this version needs?"""
    needed = migrations.head()
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return Finding("migrations", Level.FAIL, "the database is empty", "greenroom migrate")
    except asyncpg.InsufficientPrivilegeError:
        return await role(connection)
    if found == needed:
        return Finding("migrations", Level.OK, f"at {found}, as this version needs")
    todo = "greenroom migrate; if the database is of a newer version, upgrade Greenroom instead."
    return Finding("migrations", Level.FAIL, f"at {found or 'base'}, this version needs {needed}", todo)


async def queue(connection: asyncpg.Connection) -> Finding:
    """Is the work that follows commits done?"""
    counts = await jobs.counts(connection)
    if counts.failed:
        todo = "See the log for `job given up`; mend the cause, then: greenroom worker --retry"
        return Finding("jobs", Level.FAIL, f"{counts.failed} were given up", todo)
    if counts.late:
        return Finding("jobs", Level.WARN, f"{counts.late} wait for more than {jobs.LATE_S} s", "Run greenroom worker.")
    return Finding("jobs", Level.OK, f"{counts.waiting} wait, none was given up")


async def data_keys(connection: asyncpg.Connection, settings: Settings) -> Finding:
    """Is every anchor's data key under a master key that we have, and under the newest?"""
    async with connection.transaction(readonly=True):
        await connection.execute("SELECT greenroom_scope(NULL, '{}', 'key_rotation')")
        rows = await connection.fetch("SELECT master_key_id, count(*) FROM anchor_keys GROUP BY 1")
    used: dict[str, int] = {row["master_key_id"]: row["count"] for row in rows}
    try:
        known = MasterKeys.load(settings.master_key_file or settings.data_dir / sealing.FILE_NAME).ids if used else ()
    except SealingError as error:
        return Finding("data keys", Level.FAIL, "the master keys can't be read", str(error))
    if lost := sum(count for key, count in used.items() if key not in known):
        todo = "Put the missing master keys back from the file's backup, behind the newest."
        return Finding("data keys", Level.FAIL, f"{lost} are under master keys that the file does not have", todo)
    if old := sum(count for key, count in used.items() if key != known[0]):
        return Finding(
            "data keys", Level.WARN, f"{old} are under an older master key", "greenroom keys rotate --resume"
        )
    return Finding("data keys", Level.OK, f"{sum(used.values())} anchors' keys, all under the newest master key")
