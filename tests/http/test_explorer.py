"""The page that a browser gets: the explorer if its bundle is there, else how to get it; nothing from elsewhere."""

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest
from console.build import BuildFailed, build
from desk import Desk
from graphql import OperationDefinitionNode, parse
from starlette.applications import Starlette
from starlette.routing import Mount

from greenroom import explorer

CONSOLE = Path(__file__).parents[2] / "console"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Greenroom</title>")
    (tmp_path / "assets" / "index-abc.js").write_text("1")
    return tmp_path


async def test_a_browser_gets_a_page_at_the_apis_own_address(desk: Desk) -> None:
    async with desk.client() as client:
        response = await client.get("/graphql", headers=BROWSER)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert (await client.get("/console/assets/nothing.js")).status_code == 404
        assert (await client.get("/console/../greenroom/http.py")).status_code == 404


def test_without_a_bundle_the_page_says_how_to_get_it(tmp_path: Path) -> None:
    response = explorer.page(tmp_path, failed=tmp_path / "failed")
    assert b"not built yet" in response.body
    assert b"make console" in response.body
    assert "script-src" not in response.headers["content-security-policy"]


def test_a_build_that_failed_is_told_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "failed").touch()
    assert b"build failed" in explorer.page(tmp_path, failed=tmp_path / "failed").body


def test_a_bundle_that_comes_later_is_found_without_a_restart(tmp_path: Path) -> None:
    assert b"make console" in explorer.page(tmp_path).body
    (tmp_path / "index.html").write_text("<!doctype html>")
    assert explorer.page(tmp_path).body == b"<!doctype html>"


async def test_the_bundles_files_may_be_kept_and_are_nothing_but_what_they_are(bundle: Path) -> None:
    app = Starlette(routes=[Mount(explorer.ASSETS_AT, explorer.Assets(bundle))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://greenroom.test") as client:
        response = await client.get("/console/assets/index-abc.js")
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == explorer.POLICY
        assert (await client.get("/console/assets/")).status_code == 404


def test_the_policy_lets_in_nothing_from_another_origin() -> None:
    sources = {source for rule in explorer.POLICY.split("; ") for source in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert re.search(r"script-src 'self';", explorer.POLICY)


@pytest.mark.parametrize("lock", ["console/package-lock.json", "tests/http/audits/package-lock.json"])
def test_lock_files_pin_by_digest_and_name_no_address(lock: str) -> None:
    packages = json.loads((CONSOLE.parent / lock).read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}
    assert all("resolved" not in package for package in installed.values())
    assert all(package["integrity"].startswith("sha512-") for package in installed.values())


def test_the_first_query_is_an_operation_of_our_clients() -> None:
    source = (CONSOLE / "src" / "first-query.ts").read_text("utf-8")
    query = parse(source.split("`", 1)[1].rsplit("`", 1)[0].replace("\\`", "`"))
    (operation,) = query.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value == "ConsoleHome"
    assert ".venv/bin/greenroom token --account seller-cn" in source


def test_a_build_without_sources_says_so(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="checkout"):
        build(tmp_path, bundle=tmp_path / "out")


def test_a_build_that_fails_says_why_and_leaves_the_old_bundle(tmp_path: Path, bundle: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "package-lock.json").write_text("{")
    (source / "package.json").write_text("{")
    with pytest.raises(BuildFailed, match="ci` failed"):
        build(source, bundle=bundle)
    assert (bundle / "index.html").exists()


def test_the_bundle_builds_and_needs_nothing_from_elsewhere() -> None:
    made = CONSOLE / "node_modules" / ".bundle-of-tests"
    shutil.rmtree(made, ignore_errors=True)
    try:
        assert build(bundle=made)
        html = bytes(explorer.page(made).body).decode()
        named = [at for at in re.findall(r'(?:src|href)="([^"]*)"', html) if at != "data:,"]
        assert named
        assert [name for name in named if not name.startswith(f"{explorer.ASSETS_AT}/")] == []
        for name in named:
            assert (made / name.removeprefix(f"{explorer.ASSETS_AT}/")).is_file(), name
        scripts = "".join(path.read_text("utf-8") for path in made.rglob("*.js"))
        assert "GraphiQL" in scripts
        assert not re.search(r"(?:import|importScripts)\(\s*[\"']https?://", scripts)
        assert not build(bundle=made), "nothing to do a second time"
    finally:
        shutil.rmtree(made, ignore_errors=True)
