"""What is shipped beside the code: lock files, the container and its neighbours, checked without an engine."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from greenroom import embedded, embedded_home
from greenroom.settings import Settings

ROOT = Path(__file__).parents[1]
RUNTIME, CONSOLE, DEV = "requirements.lock", "requirements-console.lock", "requirements-dev.lock"
OCR = "requirements-ocr.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", "")
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())


def locked(name: str) -> dict[str, str]:
    """The packages of a lock file with their versions."""
    found = re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return dict(found)


def instruction(word: str) -> list[str]:
    """The arguments of an instruction of the Dockerfile, in its order."""
    return re.findall(rf"^\s*{word} (.+)$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", [RUNTIME, CONSOLE, OCR, DEV])
def test_a_lock_holds_only_pinned_packages_and_their_digests_and_no_address(name: str) -> None:
    pin = r"[a-z0-9.-]+==[^ ;\\]+(?: ; [^\\]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(f"(?:{pin})+", (ROOT / name).read_text())


@pytest.mark.parametrize("name", [RUNTIME, CONSOLE, OCR])
def test_what_is_tested_is_what_runs(name: str) -> None:
    assert locked(name).items() <= locked(DEV).items()


def test_the_locks_are_not_older_than_what_the_project_asks_for() -> None:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    runtime = [*project["dependencies"], *project["optional-dependencies"]["embedded"], *groups["build"]]
    tools = [line for line in groups["dev"] if isinstance(line, str)]
    extra = project["optional-dependencies"]["ocr"]
    asked = {RUNTIME: runtime, CONSOLE: groups["console"], OCR: extra}
    asked[DEV] = [*runtime, *tools, *groups["console"], *extra]
    for name, lines in asked.items():
        versions = locked(name)
        for wanted in map(Requirement, lines):
            assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), f"{wanted} in {name}: make lock"


def test_the_engine_that_reads_zones_is_no_part_of_what_make_run_installs() -> None:
    assert not {"rapidocr", "onnxruntime", "numpy"} & locked(RUNTIME).keys()


def test_the_backend_that_builds_the_package_is_in_the_lock() -> None:
    for wanted in map(Requirement, PROJECT["build-system"]["requires"]):
        assert wanted.name in locked(RUNTIME)


def test_ci_runs_what_the_readme_says() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_the_wheel_holds_the_package_its_migrations_and_its_licence_and_nothing_else() -> None:
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=ROOT, check=True)
        (wheel,) = Path(out).glob("greenroom-*.whl")
        names = zipfile.ZipFile(wheel).namelist()
    assert {"greenroom/cli.py", "greenroom/migrations/env.py"} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"greenroom"}


@pytest.mark.skipif(shutil.which("hadolint", path=Path(sys.executable).parent) is None, reason="no hadolint here")
def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    done = subprocess.run([Path(sys.executable).parent / "hadolint", ROOT / "docker" / "Dockerfile"], text=True)
    assert done.returncode == 0


def test_the_container_runs_the_console_script_as_a_user_without_rights() -> None:
    assert json.loads(instruction("ENTRYPOINT")[0]) == [*PROJECT["project"]["scripts"]]
    assert instruction("USER") == ["10001:10001"]
    for name in re.findall(r"GREENROOM_[A-Z_]+", " ".join(instruction("ENV"))):
        assert name.removeprefix("GREENROOM_").lower() in Settings.model_fields


def test_what_the_dockerfile_copies_is_here_and_not_ignored() -> None:
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().split()
    for line in instruction("COPY"):
        if not line.startswith("--from"):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


def test_the_container_does_not_uninstall_what_it_needs() -> None:
    (line,) = [line for line in instruction("RUN") if "uninstall" in line]
    gone = set(re.findall(r"[a-z-]+", " ".join(re.findall(r"--yes ([a-z -]+)", line))))
    needed = {canonicalize_name(Requirement(wanted).name) for wanted in PROJECT["project"]["dependencies"]}
    assert not gone & needed
    assert gone - {"pip", "setuptools"} <= set(locked(RUNTIME))


class Health(BaseHTTPRequestHandler):
    """A stand-in for the API that is well, or not."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_tells_a_well_container_from_a_sick_one(
    port: int, status: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Health, "status", status)
    (check,) = instruction("HEALTHCHECK")
    _, *arguments = json.loads(check.partition("CMD ")[2])
    environment = {"GREENROOM_PORT": str(port), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL)
    assert done.returncode == code


def test_compose_gives_a_production_setting_all_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    service: dict[str, Any] = COMPOSE["services"]["api"]
    environment: dict[str, str] = service["environment"]
    ours = {name.removeprefix("GREENROOM_").lower() for name in environment if name != "PGPASSWORD"}  # the driver's
    assert ours <= set(Settings.model_fields)
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?\}", "https://given", value))
    settings = Settings()
    assert not settings.is_demo
    assert settings.missing() == []
    for path in (settings.master_key_file, settings.ticket_key_file):
        assert path
        assert path.parent == Path("/run/secrets")
    assert any(":/run/secrets:ro" in each for each in service["volumes"])
    assert {*COMPOSE["services"]["migrate"]["environment"]} == {"GREENROOM_MIGRATION_URL", "PGPASSWORD"}


def test_compose_migrates_once_before_it_serves() -> None:
    services: dict[str, Any] = COMPOSE["services"]
    assert services["db"]["image"] == "postgres:18"
    assert services["migrate"]["command"] == ["migrate"]
    assert services["api"]["command"] == ["serve"]
    assert services["api"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "restart" not in services["migrate"]
    assert all(services[name]["read_only"] for name in ("migrate", "api"))


def test_only_migrate_is_given_the_role_that_owns_the_tables() -> None:
    given = {name for name, service in COMPOSE["services"].items() if "OWNER_PASSWORD" in str(service["environment"])}
    assert given == {"db", "migrate"}


RIGHTS = """
SELECT format('%s %s %s %s %s %s %s', rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls,
              rolreplication) FROM pg_roles WHERE rolname LIKE 'greenroom%'
UNION ALL SELECT format('%s %s', pg_get_userbyid(datdba), datacl) FROM pg_database WHERE datname = 'greenroom'
ORDER BY 1
"""
UNDO = "DROP DATABASE greenroom; DROP ROLE greenroom_owner; DROP ROLE greenroom_app;"


def test_the_roles_of_the_container_have_the_rights_of_the_embedded_ones() -> None:
    with tempfile.TemporaryDirectory(prefix="roles-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        with embedded.start(Path(name) / "data", durable=False) as running:

            def psql(*arguments: str) -> str:
                where = ["-h", str(running.cluster.socket_dir), "-U", embedded.SUPERUSER, "-d", "postgres"]
                command = [
                    embedded_home.own_programs() / "psql",
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-v",
                    "ON_ERROR_STOP=1",
                    *where,
                ]
                passwords = {"OWNER_PASSWORD": "o'wner", "APP_PASSWORD": "app"}
                return subprocess.run(
                    [*command, *arguments], check=True, capture_output=True, text=True, env=os.environ | passwords
                ).stdout

            ours = psql("-c", RIGHTS)
            for statement in UNDO.rstrip(";").split(";"):
                psql("-c", statement)
            psql("-f", str(ROOT / "docker" / "roles.sql"))
            assert psql("-c", RIGHTS) == ours
            assert ours.count("\n") == 3
            for statement in UNDO.rstrip(";").split(";"):
                psql("-c", statement)
            psql("-c", "CREATE ROLE plain")
            sql = psql_of_operating()
            psql(*(word for statement in sql for word in ("-c", statement)))
            assert psql("-c", "SELECT pg_has_role('greenroom_api', 'greenroom_app', 'USAGE')") == "t\n"
            assert psql("-c", "SELECT has_database_privilege('plain', 'greenroom', 'CONNECT')") == "f\n"


def psql_of_operating() -> list[str]:
    """The statements that docs/operating.md has a superuser run."""
    roles = (ROOT / "docs" / "operating.md").read_text().partition("## Roles\n")[2]
    block = roles.partition("```sql\n")[2].partition("```")[0]
    return [statement for statement in block.split(";\n") if statement]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_what_a_page_links_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [each for each in targets if "://" not in each and not (page.parent / each).exists()] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile with an installation that is a sham: `serve` waits for SIGTERM, every Python program fails."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    programs = {"greenroom": "trap 'echo stopped; exit' TERM; echo $$; while :; do sleep 0.1; done", "python": "exit 3"}
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name, script in programs.items():
        (tmp_path / ".venv" / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / ".venv" / "bin" / name).chmod(0o755)
    for name in ("requirements.lock", "pyproject.toml", ".venv/run.stamp"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_signal_to_make_run_reaches_the_server_and_a_failed_explorer_is_told(checkout: Path) -> None:
    process = subprocess.Popen(
        ["make", "run"], cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    told = ""
    while "could not be built" not in told or not (number := re.search(r"^(\d+)$", told, re.MULTILINE)):
        line = process.stdout.readline()
        assert line, told
        told += line
    process.terminate()
    assert "stopped" in process.communicate(timeout=10)[0]
    with pytest.raises(ProcessLookupError):
        os.kill(int(number[1]), 0)
    assert (checkout / ".venv" / "console.failed").exists()  # the page reads it
    assert ".venv/console.log" in told
