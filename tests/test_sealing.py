"""Sealing: what was sealed opens in its own place alone, and keys are neither lost nor shown."""

import json
import os
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.sealing import (
    KeyFileInvalid,
    MasterKeyMissing,
    MasterKeys,
    NotAuthentic,
    Pepper,
    Seal,
    context_of,
    new_data_key,
    normal,
    rotate,
)
from greenroom.settings import Settings

ACCOUNT, ANCHOR, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
PLACE = {"account_id": ACCOUNT, "anchor_id": ANCHOR, "column": "legal_name"}
NAME = "Марія Planted-Name 陈"


def ids_in(path: Path) -> list[str]:
    return [entry["id"] for entry in json.loads(path.read_text())["keys"]]


class Wrapped(NamedTuple):
    """A data key as its row has it."""

    master_key_id: str
    wrapped: bytes


async def wrapped(keys: MasterKeys, data_key: bytes) -> Wrapped:
    return Wrapped(*await keys.wrap(data_key, context=context_of(ACCOUNT, ANCHOR)))


@pytest.mark.parametrize("text", ["", "Ana", NAME, "👩‍🎤", "n" * 10_000])
def test_a_sealed_text_opens_where_it_was_sealed(text: str) -> None:
    seal = Seal(new_data_key())
    sealed = seal.seal(text, **PLACE)
    assert seal.open(sealed, **PLACE) == text
    assert len(sealed) == len(text.encode()) + 29
    assert seal.seal(text, **PLACE) != sealed


@pytest.mark.parametrize(
    "moved",
    [
        {"account_id": OTHER},
        {"anchor_id": OTHER},
        {"column": "email"},
        {"column": "legal_nam"},
        {"account_id": ANCHOR, "anchor_id": ACCOUNT},
    ],
    ids=str,
)
def test_a_sealed_value_moved_to_another_row_or_column_stays_closed(moved: dict[str, object]) -> None:
    seal = Seal(new_data_key())
    with pytest.raises(NotAuthentic, match="another row or column") as caught:
        seal.open(seal.seal(NAME, **PLACE), **(PLACE | moved))
    assert "Planted" not in str(caught.value)


def test_every_changed_byte_is_noticed() -> None:
    seal = Seal(new_data_key())
    sealed = seal.seal(NAME, **PLACE)
    for at in range(len(sealed)):
        with pytest.raises(NotAuthentic):
            seal.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], **PLACE)


def test_every_cut_or_lengthened_value_is_noticed() -> None:
    seal = Seal(new_data_key())
    sealed = seal.seal(NAME, **PLACE)
    for spoilt in [*(sealed[:end] for end in range(len(sealed))), sealed + b"\x00", sealed[:29], bytes(64)]:
        with pytest.raises(NotAuthentic):
            seal.open(spoilt, **PLACE)


def test_another_anchors_data_key_opens_nothing() -> None:
    with pytest.raises(NotAuthentic):
        Seal(new_data_key()).open(Seal(new_data_key()).seal(NAME, **PLACE), **PLACE)


@given(st.binary(max_size=80))
def test_no_bytes_open_by_accident_or_raise_anything_else(content: bytes) -> None:
    with pytest.raises(NotAuthentic):
        Seal(bytes(32)).open(content, **PLACE)


async def test_a_wrapped_data_key_unwraps_for_its_own_anchor_alone(tmp_path: Path) -> None:
    keys, data_key = MasterKeys.at(tmp_path), new_data_key()
    key_id, content = await keys.wrap(data_key, context=context_of(ACCOUNT, ANCHOR))
    assert await keys.unwrap(key_id, content, context=context_of(ACCOUNT, ANCHOR)) == data_key
    assert data_key not in content
    for context in (context_of(ACCOUNT, OTHER), context_of(OTHER, ANCHOR), b""):
        with pytest.raises(NotAuthentic):
            await keys.unwrap(key_id, content, context=context)
    with pytest.raises(NotAuthentic):
        await keys.unwrap(key_id, content[:-1] + bytes([content[-1] ^ 1]), context=context_of(ACCOUNT, ANCHOR))


async def test_a_lost_master_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    row = await wrapped(MasterKeys.at(tmp_path / "lost"), new_data_key())
    with pytest.raises(MasterKeyMissing, match=rf"{row.master_key_id}.*backup"):
        await MasterKeys.at(tmp_path / "other").unwrap(
            row.master_key_id, row.wrapped, context=context_of(ACCOUNT, ANCHOR)
        )


async def test_the_same_id_with_another_key_behind_it_is_noticed(tmp_path: Path) -> None:
    keys = MasterKeys.at(tmp_path)
    row = await wrapped(keys, new_data_key())
    file = tmp_path / "master-keys.json"
    held = json.loads(file.read_text())
    held["keys"][0]["key"] = b64encode(bytes(32)).decode()
    file.write_text(json.dumps(held))
    with pytest.raises(NotAuthentic):
        await MasterKeys.load(file).unwrap(row.master_key_id, row.wrapped, context=context_of(ACCOUNT, ANCHOR))


def test_the_demo_makes_its_keys_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made = MasterKeys.at(tmp_path / "new" / "dir")
    file = tmp_path / "new" / "dir" / "master-keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert MasterKeys.load(file).current_id == MasterKeys.at(file.parent).current_id == made.current_id
    assert os.listdir(file.parent) == [file.name]


def test_making_keys_changes_no_mode_of_a_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    MasterKeys.at(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o711


def test_twenty_who_make_the_keys_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: MasterKeys.at(tmp_path), range(20)))
    assert len({keys.current_id for keys in made}) == 1
    assert len({keys.pepper.fingerprint("email", "a@b.c") for keys in made}) == 1
    assert os.listdir(tmp_path) == ["master-keys.json"]


KEY = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        json.dumps({"pepper": KEY, "keys": []}),
        json.dumps({"pepper": KEY, "keys": "x"}),
        json.dumps({"keys": [{"id": "a", "key": KEY}]}),
        json.dumps({"pepper": "short", "keys": [{"id": "a", "key": KEY}]}),
        json.dumps({"pepper": KEY, "keys": [{"id": "a", "key": KEY[:-4]}]}),
        json.dumps({"pepper": KEY, "keys": [{"id": "a", "key": KEY}, {"id": "a", "key": KEY}]}),
        "\x00" * 100_000,
    ],
)
def test_a_file_that_is_no_key_file_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    with pytest.raises(KeyFileInvalid, match=r"keys: .*greenroom keys") as caught:
        MasterKeys.load(file)
    assert KEY not in str(caught.value)


def test_an_absent_file_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(KeyFileInvalid, match="No such file"):
        MasterKeys.load(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_outside_the_demo_no_master_key_is_invented(tmp_path: Path) -> None:
    settings = Settings.model_construct(setting="production", data_dir=tmp_path, master_key_file=None)
    with pytest.raises(KeyFileInvalid, match="GREENROOM_MASTER_KEY_FILE"):
        MasterKeys.of(settings)
    assert not list(tmp_path.iterdir())


async def test_rotation_puts_a_new_key_first_and_keeps_what_the_old_one_wrapped(tmp_path: Path) -> None:
    keys, data_key, file = MasterKeys.at(tmp_path), new_data_key(), tmp_path / "master-keys.json"
    before = await wrapped(keys, data_key)
    new = rotate(file)
    assert ids_in(file) == [new, before.master_key_id]
    rotated = MasterKeys.load(file)
    assert rotated.current_id == new
    assert await rotated.unwrap(before.master_key_id, before.wrapped, context=context_of(ACCOUNT, ANCHOR)) == data_key
    assert rotated.pepper.fingerprint("name", NAME) == keys.pepper.fingerprint("name", NAME)


async def test_a_running_server_opens_what_a_rotation_beside_it_has_rewrapped(tmp_path: Path) -> None:
    running, data_key = MasterKeys.at(tmp_path), new_data_key()
    rotate(tmp_path / "master-keys.json")
    row = await wrapped(MasterKeys.at(tmp_path), data_key)
    assert row.master_key_id != running.current_id
    assert await running.unwrap(row.master_key_id, row.wrapped, context=context_of(ACCOUNT, ANCHOR)) == data_key
    assert running.current_id == row.master_key_id


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    first, file = MasterKeys.at(tmp_path).current_id, tmp_path / "master-keys.json"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(rotate, [file] * 16))
    assert set(ids_in(file)) == {first, *made}
    assert os.listdir(tmp_path) == [file.name]


def test_rotation_keeps_mode_and_link_of_the_file(tmp_path: Path) -> None:
    MasterKeys.make(tmp_path / "real" / "keys.json")
    (tmp_path / "real" / "keys.json").chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "keys.json")
    rotate(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "keys.json").stat().st_mode & 0o777 == 0o640
    assert len(ids_in(tmp_path / "real" / "keys.json")) == 2


def test_a_broken_file_is_not_rotated(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("{}")
    with pytest.raises(KeyFileInvalid):
        rotate(tmp_path / "keys")
    assert (tmp_path / "keys").read_text() == "{}"


async def test_nothing_printed_shows_a_key(tmp_path: Path) -> None:
    keys, data_key = MasterKeys.at(tmp_path), new_data_key()
    shown = repr(keys) + repr(keys.pepper) + repr(Seal(data_key)) + repr(vars(keys))
    held = json.loads((tmp_path / "master-keys.json").read_text())
    for secret in (repr(data_key)[2:-1], held["pepper"], held["keys"][0]["key"]):
        assert secret not in shown


PEPPER = Pepper(bytes(32))


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("Anna@Example.com", " anna@example.COM "),
        ("Straße", "STRASSE"),
        ("Ａｎｎａ", "anna"),
        ("José", "Jose\u0301"),
        ("张三", "张 三"),
        ("张三", "张\u3000三"),
        ("张三", "张\u200b三\ufe0f"),
        ("anna", "an\u00adna\x00\u2060"),
        ("ﬁona", "FIONA"),
    ],
)
def test_a_text_is_known_again_however_it_is_typed(one: str, same: str) -> None:  # X10
    assert PEPPER.fingerprint("name", one) == PEPPER.fingerprint("name", same)


def test_what_differs_has_another_fingerprint() -> None:  # X10
    prints = [
        PEPPER.fingerprint("name", "anna"),
        PEPPER.fingerprint("email", "anna"),
        PEPPER.fingerprint("name", "anne"),
        PEPPER.fingerprint("name", "anna", "RU"),
        PEPPER.fingerprint("name", "annar", "U"),
        PEPPER.fingerprint("name", "anna", ""),
        PEPPER.fingerprint("name", "ánna"),
        Pepper(b"\x01" * 32).fingerprint("name", "anna"),
    ]
    assert len(set(prints)) == len(prints)
    assert {len(each) for each in prints} == {32}


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@given(st.text(), st.text())
def test_parts_never_run_into_each_other(one: str, two: str) -> None:
    whole = PEPPER.fingerprint("name", one + two)
    assert whole != PEPPER.fingerprint("name", one, two)
