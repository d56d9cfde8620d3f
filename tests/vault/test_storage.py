"""Stores: whatever happens on the way, an object is there whole or not at all; in a directory and in a bucket."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from greenroom.documents.checks import SWEPT_AT_ONCE, sweep
from greenroom.documents.storage import (
    PART_BYTES,
    READ_BYTES,
    ObjectMissing,
    ObjectName,
    Store,
    StoreUnavailable,
    store_at,
)
from greenroom.documents.stream import Content, NotAsAnnounced, Rendition, Sealing, opened
from vault.conftest import Vault
from vault.places import ACCOUNT, MIB, OTHER_ACCOUNT, content_of, joined, new_name, pieces

LATER = datetime(2100, 1, 1, tzinfo=UTC)
KEY = bytes(32)
SIZES = [0, 1, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 12 * MIB]


async def put(store: Store, size: int = 1000, name: ObjectName | None = None) -> ObjectName:
    name = name or new_name()
    assert await store.put(name, pieces(content_of(name, size))) == size
    return name


async def is_whole(store: Store, name: ObjectName, size: int = 1000) -> bool:
    return await joined(await store.get(name)) == content_of(name, size)


async def is_there(store: Store, name: ObjectName) -> bool:
    try:
        await store.get(name)
    except ObjectMissing:
        return False
    return True


async def names_in(store: Store, account_id: UUID | None = None) -> set[ObjectName]:
    return {found.name async for found in store.listed(account_id=account_id)}


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_put_comes_back(store: Store, size: int) -> None:
    assert await is_whole(store, await put(store, size), size)


@pytest.mark.parametrize("cut", [1, 100_000, 3 * MIB, 20 * MIB])
async def test_it_does_not_matter_how_the_bytes_come(store: Store, cut: int) -> None:
    name, size = new_name(), 300 if cut == 1 else 11 * MIB + 1
    assert await store.put(name, pieces(content_of(name, size), cut)) == size
    assert await is_whole(store, name, size)


async def test_a_sealed_photo_goes_through_and_opens(store: Store) -> None:
    name, size = new_name(), 7 * MIB + 5
    sealing = Sealing(pieces(content_of(name, size)), data_key=KEY, name=name, rendition=Rendition.ORIGINAL)
    assert await store.put(name, sealing) > size
    assert sealing.content == Content(size, sha256(content_of(name, size)).digest())
    found = opened(await store.get(name), data_key=KEY, name=name, rendition=Rendition.ORIGINAL)
    assert await joined(found) == content_of(name, size)


class Gone(ConnectionResetError):
    """A client that hung up; of a type that a disk could raise as well."""


class Vanished(FileNotFoundError):
    """Of the type that a missing object has."""


async def broken(name: ObjectName, size: int, fault: Exception) -> AsyncIterator[bytes]:
    async for piece in pieces(content_of(name, size)):
        yield piece
    raise fault


@pytest.mark.parametrize(
    "fault", [Gone("hung up"), Vanished("away"), ValueError("ours")], ids=lambda f: type(f).__name__
)
@pytest.mark.parametrize("size", [0, 1000, PART_BYTES, 11 * MIB])
async def test_a_put_whose_bytes_break_off_leaves_nothing_and_says_why(
    vault: Vault, size: int, fault: Exception
) -> None:
    name = new_name()
    with pytest.raises(type(fault)) as caught:
        await vault.store.put(name, broken(name, size, fault))
    assert caught.value is fault
    assert not await is_there(vault.store, name)
    assert (await names_in(vault.store), vault.remnants()) == (set(), [])


@pytest.mark.parametrize("size", [1000, 7 * MIB])
async def test_a_photo_that_is_not_the_announced_one_is_not_stored(vault: Vault, size: int) -> None:
    name = new_name()
    for announced in (Content(size, bytes(32)), Content(size + 1, bytes(32)), Content(size - 1, bytes(32))):
        plain = pieces(content_of(name, size))
        with pytest.raises(NotAsAnnounced):
            await vault.store.put(
                name, Sealing(plain, data_key=KEY, name=name, rendition=Rendition.ORIGINAL, announced=announced)
            )
    assert (await names_in(vault.store), vault.remnants()) == (set(), [])


class Stalling:
    """Bytes that come to a stop, and say so."""

    def __init__(self, name: ObjectName, size: int) -> None:
        self._content, self.stalled = content_of(name, size), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in pieces(self._content):
            yield piece
        self.stalled.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("size", [0, 1000, PART_BYTES, 11 * MIB])
async def test_a_put_that_is_cancelled_while_it_waits_for_bytes_leaves_nothing(vault: Vault, size: int) -> None:
    name = new_name()
    bytes_ = Stalling(name, size)
    putting = asyncio.ensure_future(vault.store.put(name, bytes_))
    await bytes_.stalled.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert not await is_there(vault.store, name)
    assert (await names_in(vault.store), vault.remnants()) == (set(), [])


@pytest.mark.parametrize("size", [1000, 11 * MIB])
async def test_a_put_that_is_cancelled_as_its_last_byte_is_in_leaves_nothing(vault: Vault, size: int) -> None:
    name = new_name()

    async def cancelling() -> AsyncIterator[bytes]:
        async for piece in pieces(content_of(name, size)):
            yield piece
        asyncio.get_running_loop().call_soon(putting.cancel)

    putting = asyncio.ensure_future(vault.store.put(name, cancelling()))
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert not await is_there(vault.store, name)
    assert (await names_in(vault.store), vault.remnants()) == (set(), [])


@pytest.mark.parametrize("size", [1000, 6 * MIB])
async def test_a_put_that_is_cancelled_at_any_moment_is_whole_if_it_returned_and_nothing_if_not(
    vault: Vault, size: int
) -> None:
    for moment in range(24):
        name = new_name()
        putting = asyncio.ensure_future(vault.store.put(name, pieces(content_of(name, size))))
        await asyncio.wait({putting}, timeout=moment / 1500)
        putting.cancel()
        await asyncio.wait({putting})
        assert await is_there(vault.store, name) is not putting.cancelled()
        assert putting.cancelled() or await is_whole(vault.store, name, size)
    assert vault.remnants() == []


async def test_a_put_that_is_cancelled_once_it_has_its_name_takes_it_back(directory: Vault) -> None:
    for _ in range(30):
        name = new_name()
        target = directory.data_dir / "documents" / "objects" / str(name)
        putting = asyncio.ensure_future(put(directory.store, name=name))
        while not (target.exists() or putting.done()):  # noqa: ASYNC110  # a thread makes it
            await asyncio.sleep(0)
        putting.cancel()
        await asyncio.wait({putting})
        assert target.exists() is not putting.cancelled()


async def test_an_object_is_not_seen_before_it_is_whole(vault: Vault) -> None:
    name = new_name()
    bytes_ = Stalling(name, 11 * MIB)
    putting = asyncio.ensure_future(vault.store.put(name, bytes_))
    await bytes_.stalled.wait()
    assert not await is_there(vault.store, name)
    assert await names_in(vault.store) == set()
    putting.cancel()
    await asyncio.wait({putting})


async def test_parallel_puts_do_not_mix(store: Store) -> None:
    sizes = [n * 700_001 for n in range(12)]
    names = await asyncio.gather(*(put(store, size) for size in sizes))
    for name, size in zip(names, sizes, strict=True):
        assert await is_whole(store, name, size)
    assert await names_in(store) == set(names)


async def test_two_uploads_to_one_document_never_meet(store: Store) -> None:
    one, two = new_name(), new_name()
    two = ObjectName(one.account_id, one.document_id, two.object_id)
    await asyncio.gather(put(store, name=one), put(store, name=two))
    await store.delete(two)
    assert await is_whole(store, one)
    assert not await is_there(store, two)


async def test_what_was_never_put_is_missing(store: Store) -> None:
    with pytest.raises(ObjectMissing, match="There is no object"):
        await store.get(new_name())


async def test_deleting_twice_is_deleting_once(store: Store) -> None:
    name, other = await put(store), await put(store)
    for _ in range(2):
        await store.delete(name)
        assert not await is_there(store, name)
    await store.delete(new_name(OTHER_ACCOUNT))
    assert await is_whole(store, other)


async def test_a_list_tells_the_objects_of_one_account_or_of_all(store: Store) -> None:
    one, two, other = await put(store), await put(store), await put(store, name=new_name(OTHER_ACCOUNT))
    assert await names_in(store) == {one, two, other}
    assert await names_in(store, ACCOUNT) == {one, two}
    assert await names_in(store, OTHER_ACCOUNT) == {other}
    assert await names_in(store, UUID(int=0)) == set()
    (found,) = [found async for found in store.listed(account_id=OTHER_ACCOUNT)]
    assert found.stored_bytes == 1000
    assert timedelta(minutes=-1) < datetime.now(UTC) - found.stored_at < timedelta(minutes=1)


FOREIGN = ["README.txt", f"{ACCOUNT.hex}/README.txt", f"{ACCOUNT.hex}/{ACCOUNT.hex}", f"{ACCOUNT}/{ACCOUNT}.{ACCOUNT}"]


async def test_a_sweep_takes_what_no_row_names_and_leaves_what_is_not_ours(vault: Vault) -> None:
    store, asked = vault.store, list[ObjectName]()
    rows = {await put(store), await put(store, name=new_name(OTHER_ACCOUNT))}
    orphans = {await put(store), await put(store), await put(store, name=new_name(OTHER_ACCOUNT))}
    for path in FOREIGN:
        vault.plant(path, b"not ours")

    async def kept(names: Sequence[ObjectName]) -> Collection[ObjectName]:
        asked.extend(names)
        return rows & set(names)

    assert await sweep(store, before=LATER, kept=kept) == 3
    assert (await names_in(store), set(asked)) == (rows, rows | orphans)
    assert await sweep(store, before=LATER, kept=kept) == 0


async def test_a_sweep_asks_about_nothing_that_is_young(store: Store) -> None:
    name = await put(store)

    async def kept(names: Sequence[ObjectName]) -> Collection[ObjectName]:
        raise AssertionError(names)

    assert await sweep(store, before=datetime.now(UTC) - timedelta(minutes=1), kept=kept) == 0
    assert await is_whole(store, name)


async def test_a_sweep_asks_in_bounded_batches(directory: Vault) -> None:
    count, asked = SWEPT_AT_ONCE + 3, list[int]()
    for _ in range(count):
        name = new_name()
        directory.plant(str(name), b"")

    async def kept(names: Sequence[ObjectName]) -> Collection[ObjectName]:
        asked.append(len(names))
        return ()

    assert await sweep(directory.store, before=LATER, kept=kept) == count
    assert asked == [SWEPT_AT_ONCE, 3]


async def test_nobody_else_on_the_machine_can_read_the_directory(tmp_path: Path) -> None:
    place = tmp_path / "documents"
    (place / "objects").mkdir(parents=True)
    for found in (place, place / "objects"):
        found.chmod(0o755)
    before = os.umask(0)
    try:
        store = store_at(None, data_dir=tmp_path)
        await put(store)
        bytes_ = Stalling(new_name(), 2 * MIB)
        putting = asyncio.ensure_future(store.put(new_name(), bytes_))
        await bytes_.stalled.wait()
    finally:
        os.umask(before)
    found = [place, *place.rglob("*")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in found if each.is_dir()} == {0o700}
    assert [stat.S_IMODE(each.stat().st_mode) for each in found if each.is_file()] == [0o600, 0o600]
    putting.cancel()
    await asyncio.wait({putting})


async def test_a_disk_that_does_not_write_is_told_and_leaves_nothing(directory: Vault) -> None:
    name = new_name()
    (directory.data_dir / "documents" / "objects" / name.account_id.hex).write_bytes(b"in the way")
    with pytest.raises(StoreUnavailable, match="File exists"):
        await put(directory.store, name=name)
    assert directory.remnants() == []


async def test_a_remnant_is_cleared_once_it_is_old(directory: Vault) -> None:
    arriving = directory.data_dir / "documents" / "arriving"
    for name, age_s in (("old", 7200), ("young", 600)):
        (arriving / name).write_bytes(b"part of a photo")
        at = datetime.now(UTC).timestamp() - age_s
        os.utime(arriving / name, (at, at))
    assert await directory.store.clear_unfinished(before=datetime.now(UTC) - timedelta(hours=1)) == 1
    assert directory.remnants() == ["young"]


@pytest.mark.parametrize("spelling", ["{}/", "{}//"])
async def test_a_slash_at_the_end_of_the_address_changes_nothing(bucket: Vault, spelling: str, tmp_path: Path) -> None:
    name = await put(bucket.store)
    again = store_at(spelling.format(bucket.url), data_dir=tmp_path)
    assert await is_whole(again, name)
    assert await names_in(again) == {name}


async def test_a_prefix_is_not_needed_and_keeps_stores_of_one_bucket_apart(bucket: Vault, tmp_path: Path) -> None:
    whole = store_at(f"s3://{bucket.bucket}", data_dir=tmp_path)
    name = await put(whole)
    assert await is_whole(whole, name)
    assert await names_in(bucket.store) == set()
    other = await put(bucket.store)
    assert await names_in(whole) == {name}
    assert not await is_there(whole, other)


async def test_a_bucket_that_is_not_there_is_no_missing_object(aws: str, tmp_path: Path) -> None:
    store = store_at("s3://no-such-bucket-anywhere", data_dir=tmp_path)
    for attempt in (store.get(new_name()), put(store), put(store, 6 * MIB), names_in(store)):
        with pytest.raises(StoreUnavailable, match="s3://no-such-bucket-anywhere"):
            await attempt


async def test_a_service_that_is_away_is_told(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        store = store_at("s3://photos", data_dir=tmp_path)
        for attempt in (store.get(new_name()), put(store), store.delete(new_name())):
            with pytest.raises(StoreUnavailable, match="can be reached"):
                await attempt
