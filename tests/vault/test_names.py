"""Names of objects and addresses of stores: nothing that a client wrote, and nothing that we do not know."""

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.documents.storage import ObjectName, StoreUrlInvalid, store_at
from vault.places import ACCOUNT


@given(st.uuids(), st.uuids(), st.uuids())
def test_a_name_is_read_as_it_was_written(account_id: UUID, document_id: UUID, object_id: UUID) -> None:
    name = ObjectName(account_id, document_id, object_id)
    assert ObjectName.read(str(name)) == name
    assert set(str(name)) <= set("0123456789abcdef/.")
    assert str(name).count("/") == str(name).count(".") == 1


@given(st.text() | st.from_regex(r"[0-9a-fA-F./ -]{98}"))
def test_no_path_is_read_as_a_name_that_has_another(path: str) -> None:
    name = ObjectName.read(path)
    assert name is None or str(name) == path


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "a/b", "x" * 300, "", "\x00", "照片.jpg", None, 7, b"x", 0.5])
@pytest.mark.parametrize("part", ["account_id", "document_id", "object_id"])
def test_what_is_no_id_is_no_part_of_a_name(part: str, hostile: object) -> None:
    ids: dict[str, object] = {"account_id": ACCOUNT, "document_id": ACCOUNT, "object_id": ACCOUNT}
    with pytest.raises(AttributeError):
        str(ObjectName(**(ids | {part: hostile})))  # type: ignore[arg-type]  # what a type checker refuses as well


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://key:planted-secret@bucket/prefix",
        "s3://bucket:9000/prefix",
        "s3://bucket?region=x",
        "s3://bucket#x",
        "s3://[",
        "http://bucket/prefix",
        "file:///tmp",
        "/var/lib/photos",
        "bucket",
    ],
)
def test_an_address_of_another_form_is_refused_without_being_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUrlInvalid, match="s3://bucket/prefix") as caught:
        store_at(url, data_dir=tmp_path)
    assert "planted" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
