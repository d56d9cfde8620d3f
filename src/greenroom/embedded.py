"""Embedded: the PostgreSQL of the wheel, found, started, shared and stopped by ourselves, on a Unix socket of our own.

Under the data directory lie `postgres.lock`, held while somebody starts or stops, and the home, `postgres/`:

    data/         the cluster, mode 700, of the user that PostgreSQL runs as (embedded_home.py)
    data.new/     a cluster being made; whatever a killed start left here is thrown away
    socket/       mode 700; a temporary directory instead where the path is too long or odd for a socket's address
    alive.lock    locked by PostgreSQL itself, which inherits the open file: the kernel says whether any of it lives
    owner.lock    locked by the process that will stop it; a killed owner loses the lock and the next start adopts
    binaries-*/   the wheel's programs, where its own are out of reach of that user
    pg_hba.conf, pg_ident.conf, postgresql.log

So no stale file is asked whether a server runs, and no process id from a file is given a signal of root's.
"""

import fcntl
import os
import re
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from greenroom.embedded_home import (
    ENVIRONMENT,
    Home,
    PostgresUnavailable,
    advised,
    home_in,
    make_directory,
    own_name,
    own_programs,
    reachable_programs,
    servant_of_ours,
)

__all__ = ["APP", "DATABASE", "OWNER", "SUPERUSER", "Cluster", "PostgresUnavailable", "Running", "running", "start"]

SUPERUSER = "postgres"
OWNER = "greenroom_owner"
APP = "greenroom_app"
DATABASE = "greenroom"

_PORT = 5432  # only a part of the socket's name: nothing listens on the network
_SOCKET_BYTES_MAX = 103  # the shortest sun_path, of macOS
_START_S = 60.0
_ANSWER_S = 2.0
_STOP_S = (("fast", 60.0), ("immediate", 10.0))  # PostgreSQL's modes: with a checkpoint, and without
_POLL_S = 0.01
_LOG_BYTES_SHOWN = 2000

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",  # short statements: compiling costs more than it saves
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # DETAIL quotes the values of the row: nothing personal in logs
    "log_min_error_statement": "panic",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# The build has no ICU; the built-in C.UTF-8 sorts by code point and folds case alike on every system.
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")

_ROLES = """
SELECT format('CREATE ROLE %I', name) FROM (VALUES (:'owner'), (:'app')) AS wanted (name)
 WHERE name NOT IN (SELECT rolname FROM pg_roles) \\gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
ALTER ROLE :"app" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
 WHERE :'database' NOT IN (SELECT datname FROM pg_database) \\gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"app";
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL that answers: the directory of its Unix socket, and the number in the socket's name."""

    socket_dir: Path
    port: int

    def url(self, role: str, database: str) -> str:
        """Return postgresql://role@/database?host=directory&port=number, as asyncpg and libpq read it.

        For SQLAlchemy set the driver: `make_url(url).set(drivername="postgresql+asyncpg")`.
        """
        where = f"host={quote(str(self.socket_dir))}&port={self.port}"
        return f"postgresql://{quote(role)}@/{quote(database, safe='')}?{where}"


class Running:
    """A share in a running cluster; the owner's `stop` ends it, everybody else's does nothing."""

    def __init__(
        self, cluster: Cluster, *, home: Home, owner_lock: int | None, server: subprocess.Popen[bytes] | None
    ) -> None:
        self.cluster = cluster
        self._home = home
        self._owner_lock = owner_lock
        self._server = server

    @property
    def is_owner(self) -> bool:
        """This process stops PostgreSQL: it started it, or adopted it from a starter that was killed."""
        return self._owner_lock is not None

    def stop(self) -> None:
        """Disconnect everybody, write all down, end PostgreSQL and wait for it; a second call does nothing.

        Raises PostgresUnavailable where it does not end.
        """
        lock, self._owner_lock = self._owner_lock, None
        if lock is None:
            return
        try:
            with _explained(self._home.data_dir), _starting_or_stopping(self._home.data_dir):
                _stop(self._home, server=self._server)
            with suppress(OSError):
                self.cluster.socket_dir.rmdir()
        finally:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(data_dir: Path, *, durable: bool = True) -> Running:
    """Start PostgreSQL on `data_dir`, or find the one that runs there, with our roles and our database in it.

    Any number of processes may call it at once: one starts and owns it. `durable=False` (tests) does without fsync.
    Raises PostgresUnavailable.
    """
    data_dir = data_dir.resolve()
    with _explained(data_dir):
        servant = servant_of_ours()
        make_directory(data_dir, servant=servant)
        with _starting_or_stopping(data_dir):
            return _start(home_in(data_dir, servant=servant), durable=durable)


def running(data_dir: Path) -> Cluster | None:
    """Return the cluster that answers on `data_dir`, or None; looks only, and starts nothing."""
    data = (data_dir / "postgres" / "data").resolve()
    try:
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).split("\n")
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready" or lines[1] != str(data):  # starting, stopping, a copy
        return None
    cluster = Cluster(socket_dir=Path(lines[4]), port=int(lines[3]))
    return cluster if _answers(cluster) else None


def _answers(cluster: Cluster) -> bool:
    """Ask whether it speaks TLS, the shortest question of the protocol: a dying one may still take the connection."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(_ANSWER_S)
        client.connect(f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}")
        client.sendall(struct.pack("!II", 8, 80877103))  # SSLRequest: its length, its code
        return client.recv(1) == b"N"
    return False


def _start(home: Home, *, durable: bool) -> Running:
    owner_lock = _lock(home.owner_lock)
    server: subprocess.Popen[bytes] | None = None
    try:
        cluster, server = _find_or_launch(home, durable=durable)
        if owner_lock is not None:  # also an adopted one: it may have been left before it had its roles
            _make_roles(cluster)
    except BaseException:
        if owner_lock is not None:
            with suppress(PostgresUnavailable):
                _stop(home, server=server)
            os.close(owner_lock)
        raise
    return Running(cluster, home=home, owner_lock=owner_lock, server=server)


def _find_or_launch(home: Home, *, durable: bool) -> tuple[Cluster, subprocess.Popen[bytes] | None]:
    """Use what runs; wait for what a killed start left behind to end or to become ready; else launch."""
    until = time.monotonic() + _START_S
    while (alive := _lock(home.alive_lock)) is None:
        if cluster := running(home.data_dir):
            return cluster, None
        if time.monotonic() > until:
            raise PostgresUnavailable(f"Processes of an earlier PostgreSQL hold {home.data}: end them and start again.")
        time.sleep(_POLL_S)
    try:
        return _launch(home, durable=durable, alive=alive)
    finally:
        os.close(alive)  # ours; PostgreSQL keeps its own


def _launch(home: Home, *, durable: bool, alive: int) -> tuple[Cluster, subprocess.Popen[bytes]]:
    programs = reachable_programs(home)
    if not home.data.exists():
        _initialise(home, programs=programs, durable=durable, alive=alive)
    (home.data / "postmaster.pid").unlink(missing_ok=True)  # none of it lives: that number may be anybody's by now
    settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | _access(home)
    options = [f"--{name}={value}" for name, value in settings.items()]
    log = home.real / "postgresql.log"
    log.touch(mode=0o600)
    with log.open("wb") as output:
        server = home.servant.begin([programs / "postgres", "-D", home.data, *options], output=output, keep=(alive,))
    until = time.monotonic() + _START_S
    while server.poll() is None and time.monotonic() < until:
        if cluster := running(home.data_dir):
            return cluster, server
        time.sleep(_POLL_S)
    server.kill()
    server.wait()
    raise PostgresUnavailable(advised(log.read_bytes()[-_LOG_BYTES_SHOWN:].decode(errors="replace")))


def _initialise(home: Home, *, programs: Path, durable: bool, alive: int) -> None:
    """Make a cluster under another name first: a half-made one is never taken for a whole."""
    unfinished = home.emptied("data.new")
    options = ["-U", SUPERUSER, "--auth=peer", *_LOCALE, *(() if durable else ("--no-sync",))]
    with home.servant.begin(
        [programs / "initdb", "-D", unfinished, *options], output=subprocess.PIPE, keep=(alive,)
    ) as child:
        said = child.communicate()[0].decode(errors="replace")
    if child.returncode:
        raise PostgresUnavailable(advised(said))
    unfinished.rename(home.data)


def _access(home: Home) -> dict[str, str]:
    """Write who may connect: the user that we are, as any of our roles; where PostgreSQL cannot change it."""
    rules, users = home.real / "pg_hba.conf", home.real / "pg_ident.conf"
    rules.write_text("local all all peer map=greenroom\n")
    users.write_text("".join(f'greenroom "{own_name()}" {role}\n' for role in (SUPERUSER, OWNER, APP)))
    for file in (rules, users):
        file.chmod(0o644)
    return {"hba_file": str(rules), "ident_file": str(users), "unix_socket_directories": str(_socket_dir(home))}


def _socket_dir(home: Home) -> Path:
    """Make the socket's directory: at home, or a temporary one where its address would be too long or need quoting."""
    own = str(home.real / "socket")
    if re.fullmatch(r"[\w/.-]+", own, re.ASCII) and len(f"{own}/.s.PGSQL.{_PORT}") <= _SOCKET_BYTES_MAX:
        return home.emptied("socket")
    return home.servant.given(Path(tempfile.mkdtemp(prefix="greenroom-", dir="/tmp")))  # as short as paths get


def _make_roles(cluster: Cluster) -> None:
    """Make what is missing of the roles and the database, as ourselves: psql does not mind root."""
    names = [f"--set={name}={value}" for name, value in (("owner", OWNER), ("app", APP), ("database", DATABASE))]
    where: list[str | Path] = ["-h", cluster.socket_dir, "-p", str(cluster.port), "-U", SUPERUSER, "-d", SUPERUSER]
    done = subprocess.run(
        [own_programs() / "psql", "-X", "-q", "--set=ON_ERROR_STOP=1", *names, *where],
        input=_ROLES.encode(),
        env=ENVIRONMENT,
        capture_output=True,
        timeout=_START_S,
    )
    if done.returncode:
        raise PostgresUnavailable(advised(done.stderr.decode(errors="replace")))


def _stop(home: Home, *, server: subprocess.Popen[bytes] | None) -> None:
    """End PostgreSQL by its own program, run as its own user: a forged process id can hurt nobody else."""
    for mode, patience_s in _STOP_S:
        command: Sequence[str | Path] = [reachable_programs(home) / "pg_ctl", "stop", "-s", "-W", "-D", home.data]
        home.servant.begin([*command, "-m", mode], output=subprocess.DEVNULL).wait()  # fails where all has ended
        if (ended := _lock(home.alive_lock, wait_s=patience_s)) is not None:
            os.close(ended)
            break
    else:
        raise PostgresUnavailable(f"PostgreSQL on {home.data} does not end: end its processes.")
    if server:
        server.wait()


@contextmanager
def _starting_or_stopping(data_dir: Path) -> Iterator[None]:
    """One process at a time changes whether PostgreSQL runs; the kernel frees the lock of a killed one."""
    lock = _lock(data_dir / "postgres.lock", wait_s=2 * _START_S)
    if lock is None:
        raise PostgresUnavailable(f"Another process has been starting PostgreSQL on {data_dir} for too long: end it.")
    try:
        yield
    finally:
        os.close(lock)


def _lock(path: Path, *, wait_s: float = 0.0) -> int | None:
    """Lock a file and return it opened (closing it unlocks), or None where another holds it all that time."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(file)
                return None
            time.sleep(_POLL_S)


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PostgresUnavailable(advised(f"{data_dir}: {error}")) from error
