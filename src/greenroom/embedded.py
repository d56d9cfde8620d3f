"""Embedded: the PostgreSQL of the wheel, found, started, shared and stopped by ourselves, on a Unix socket of our own.

Under the data directory lie `postgres.lock`, held while somebody starts or stops, and the home, `postgres/`:

    data/         the cluster, mode 700, of the user that PostgreSQL runs as (embedded_home.py)
    data.new/     a cluster being made; whatever a killed start left here is thrown away
    socket/       mode 700; a directory in /tmp instead where the path is too long or odd for a socket's address
    alive.lock    locked by PostgreSQL itself, which inherits the open file: the kernel says whether any of it lives
    users.lock    locked, shared, by every process that uses it: the one that leaves last stops it
    binaries-*/   the wheel's programs, where its own are out of reach of that user
    pg_hba.conf, pg_ident.conf
    postgresql.log, with .1 of the run before and .failed of a start that failed

The kernel drops the locks of a killed process. So no stale file is asked whether a server runs or is used, and no
process id from a file is given a signal of root's. Whoever holds a share has seen the roles made.
"""

import errno
import fcntl
import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Self
from urllib.parse import quote

from greenroom.embedded_home import (
    ENVIRONMENT,
    NEVER,
    Home,
    PostgresUnavailable,
    advised,
    explained,
    home_in,
    is_only_user,
    locked,
    make_directory,
    own_name,
    own_programs,
    polls,
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

    @property
    def socket(self) -> str:
        """The address of its Unix socket."""
        return f"{self.socket_dir}/.s.PGSQL.{self.port}"


class Running:
    """A share in a running cluster: nobody stops it before `stop`, and `ensure` starts it again where it was killed."""

    def __init__(
        self, cluster: Cluster, *, home: Home, durable: bool, users_lock: int, server: subprocess.Popen[bytes] | None
    ) -> None:
        self.cluster = cluster
        self._home = home
        self._durable = durable
        self._users_lock: int | None = users_lock
        self._server = server
        self._one_at_a_time = Lock()

    def ensure(self, *, unless: Event = NEVER) -> bool:
        """Start PostgreSQL again, at the same address, where it does not run; says whether it was this call that did.

        Costs a system call where it runs. Once `unless` is set nothing is started and nothing waited for; after `stop`
        neither. Raises PostgresUnavailable, and may be called again: the share is kept.
        """
        home = self._home
        with explained(home.data_dir), self._one_at_a_time:
            if self._users_lock is None or _is_listening(self.cluster):
                return False
            with _starting_or_stopping(home.data_dir, unless=unless):
                if not home.is_in_place(self._users_lock):  # `make reset`
                    raise PostgresUnavailable(f"The data in {home.path} were removed: stop this and start anew.")
                _, server = _find_or_launch(home, durable=self._durable, unless=unless)
            self._server = server or self._server
            return server is not None

    def stop(self) -> None:
        """Give the share back. The last one disconnects whoever is left, writes all down and waits for the end.

        A second call does nothing. Raises PostgresUnavailable where PostgreSQL does not end.
        """
        with explained(self._home.data_dir), self._one_at_a_time:
            lock, self._users_lock = self._users_lock, None
            if lock is None:
                return
            try:
                with _starting_or_stopping(self._home.data_dir) as start_lock:
                    if self._home.is_in_place(lock) and is_only_user(lock):
                        _stop(self._home, server=self._server, start_lock=start_lock)
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

    Any number of processes may call it at once: one starts it, and the last to leave stops it. `durable=False` (tests)
    does without fsync. Raises PostgresUnavailable.
    """
    data_dir = data_dir.resolve()
    with explained(data_dir):
        servant = servant_of_ours()
        make_directory(data_dir, servant=servant)
        with _starting_or_stopping(data_dir) as start_lock:
            return _join(home_in(data_dir, servant=servant), durable=durable, start_lock=start_lock)


def running(data_dir: Path) -> Cluster | None:
    """Return the cluster that answers on `data_dir`, or None; looks only, and starts nothing."""
    data = (data_dir / "postgres" / "data").resolve()
    file = data / "postmaster.pid"
    with suppress(OSError):
        said = file.read_bytes()
        lines = os.fsdecode(said).split("\n")
        if len(lines) < 8 or lines[7].strip() != "ready" or lines[1] != str(data):  # starting, stopping, a copy
            return None
        cluster = Cluster(socket_dir=Path(lines[4]), port=int(lines[3]))
        # One that has been told to stop still answers, but writes so before it does.
        return cluster if _answers(cluster) and file.read_bytes() == said else None
    return None


def _answers(cluster: Cluster) -> bool:
    """Ask whether it speaks TLS, the shortest question of the protocol: a dying one may still take the connection."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(_ANSWER_S)
        client.connect(cluster.socket)
        client.sendall(struct.pack("!II", 8, 80877103))  # SSLRequest: its length, its code
        return client.recv(1) == b"N"
    return False


def _is_listening(cluster: Cluster) -> bool:
    """Ask the kernel alone: it refuses a datagram as the wrong kind only where a living process holds the address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        return client.connect_ex(cluster.socket) == errno.EPROTOTYPE


def _join(home: Home, *, durable: bool, start_lock: int) -> Running:
    users_lock = os.open(home.users_lock, os.O_RDWR | os.O_CREAT, 0o600)
    server: subprocess.Popen[bytes] | None = None
    try:
        is_first = is_only_user(users_lock)
        fcntl.flock(users_lock, fcntl.LOCK_SH)
        cluster, server = _find_or_launch(home, durable=durable)
        if is_first:  # also of one that was found: it may have been left before it had its roles
            _make_roles(cluster)
    except BaseException:
        if is_only_user(users_lock):
            with suppress(PostgresUnavailable):
                _stop(home, server=server, start_lock=start_lock)
        os.close(users_lock)
        raise
    return Running(cluster, home=home, durable=durable, users_lock=users_lock, server=server)


def _find_or_launch(
    home: Home, *, durable: bool, unless: Event = NEVER
) -> tuple[Cluster, subprocess.Popen[bytes] | None]:
    """Use what runs; wait for what a kill left behind to end or to become ready; else launch."""
    for _ in polls(_START_S, unless=unless):
        if (alive := locked(home.alive_lock)) is not None:
            try:
                return _launch(home, durable=durable, alive=alive, unless=unless)
            finally:
                os.close(alive)  # ours; PostgreSQL keeps its own
        if cluster := running(home.data_dir):
            return cluster, None
    raise PostgresUnavailable(f"Processes of an earlier PostgreSQL hold {home.data}: end them and start again.")


def _launch(home: Home, *, durable: bool, alive: int, unless: Event) -> tuple[Cluster, subprocess.Popen[bytes]]:
    programs = reachable_programs(home)
    if not home.data.exists():
        _initialise(home, programs=programs, durable=durable, alive=alive)
    (home.data / "postmaster.pid").unlink(missing_ok=True)  # none of it lives: that number may be anybody's by now
    settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | _access(home)
    options = [f"--{name}={value}" for name, value in settings.items()]
    log = home.real / "postgresql.log"
    with suppress(FileNotFoundError):
        log.replace(f"{log}.1")
    log.touch(mode=0o600)
    with log.open("wb") as output:
        server = home.servant.begin([programs / "postgres", "-D", home.data, *options], output=output, keep=(alive,))
    cluster = None
    try:
        for _ in polls(_START_S, unless=unless):
            if server.poll() is not None:
                break
            if cluster := running(home.data_dir):
                return cluster, server
    finally:
        if cluster is None:
            server.kill()
            server.wait()
    log = log.replace(f"{log}.failed")  # however often it fails, the log of the last run is kept
    raise PostgresUnavailable(advised(log.read_bytes()[-_LOG_BYTES_SHOWN:].decode(errors="replace")))


def _initialise(home: Home, *, programs: Path, durable: bool, alive: int) -> None:
    """Make a cluster under another name first: a half-made one is never taken for a whole."""
    unfinished = home.emptied(home.real / "data.new")
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
    """Make the socket's directory anew, at an address that stays: in /tmp where that at home is too long or odd."""
    own = home.real / "socket"
    if re.fullmatch(r"[\w/.-]+", str(own), re.ASCII) and len(f"{own}/.s.PGSQL.{_PORT}") <= _SOCKET_BYTES_MAX:
        return home.emptied(own)
    return home.emptied(Path(f"/tmp/greenroom-{home.number}"))  # noqa: S108  # `emptied` takes nobody else's


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


def _stop(home: Home, *, server: subprocess.Popen[bytes] | None, start_lock: int) -> None:
    """End PostgreSQL by its own program, run as its own user: a forged process id can hurt nobody else.

    That program inherits the start lock: after a kill of ours nobody starts while it is still about to end PostgreSQL.
    """
    ended = locked(home.alive_lock)
    for mode, patience_s in _STOP_S:
        if ended is not None:
            break
        command: Sequence[str | Path] = [reachable_programs(home) / "pg_ctl", "stop", "-s", "-W", "-D", home.data]
        home.servant.begin([*command, "-m", mode], output=subprocess.DEVNULL, keep=(start_lock,)).wait()
        ended = locked(home.alive_lock, wait_s=patience_s)
    if ended is None:
        raise PostgresUnavailable(f"PostgreSQL on {home.data} does not end: end its processes.")
    os.close(ended)
    if server:
        server.wait()


@contextmanager
def _starting_or_stopping(data_dir: Path, *, unless: Event = NEVER) -> Iterator[int]:
    """One process at a time changes whether PostgreSQL runs and who uses it. Yields the open lock."""
    lock = locked(data_dir / "postgres.lock", wait_s=2 * _START_S, unless=unless)
    if lock is None:
        raise PostgresUnavailable(f"Another process has been starting PostgreSQL on {data_dir} for too long: end it.")
    try:
        yield lock
    finally:
        os.close(lock)
