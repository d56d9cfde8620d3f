"""Both stores, new for each test: a directory, and a bucket of a real HTTP S3 on the loopback.

`store` is each of them in turn, for what both promise; `vault` says with it what a test may look at behind its back.
"""

from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from house import new_bucket

from greenroom.documents.storage import Store, store_at


@dataclass(frozen=True)
class Vault:
    """A store as an operator sees it."""

    store: Store
    data_dir: Path
    url: str | None = None
    endpoint: str = ""

    def remnants(self) -> list[str]:
        """What unfinished puts have left."""
        if self.url is None:
            return sorted(path.name for path in (self.data_dir / "documents" / "arriving").iterdir())
        found = httpx.get(f"{self.endpoint}/{self.bucket}?uploads").text
        return ["parts"] * found.count("<UploadId>")

    def plant(self, path: str, content: bytes) -> None:
        """Put something beside the objects that is not ours."""
        if self.url is None:
            target = self.data_dir / "documents" / "objects" / path
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
        else:
            httpx.put(f"{self.endpoint}/{self.bucket}/of/tests/{path}", content=content).raise_for_status()

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return str(self.url).split("/")[2]


@pytest.fixture
def directory(tmp_path: Path) -> Vault:
    return Vault(store_at(None, data_dir=tmp_path), tmp_path)


@pytest.fixture
def bucket(aws: str, tmp_path: Path) -> Vault:
    url = new_bucket(aws)
    return Vault(store_at(url, data_dir=tmp_path), tmp_path, url, aws)


@pytest.fixture(params=["directory", "bucket"])
def vault(request: pytest.FixtureRequest) -> Vault:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Vault)
    return found


@pytest.fixture
def store(vault: Vault) -> Store:
    return vault.store
