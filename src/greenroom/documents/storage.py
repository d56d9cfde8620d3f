"""Storage: where sealed photos rest, in a directory of this machine or in a bucket of an S3-compatible service.

StoreError
├── ObjectMissing       no object of this name
├── StoreUnavailable    the disk or the service did not do it
└── StoreUrlInvalid     the address names no store that we know
"""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol, Self, TypeVar
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

READ_BYTES = 256 * 1024  # what `get` yields at a time, but for the last
WRITE_BYTES = 1024 * 1024  # what a thread writes at a time: handing it over costs as much as writing 256 KiB
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes as a part
DIRECTORY = "documents"

RETRIES_MAX, RETRY_TIMEOUT = 3, timedelta(seconds=30)
PAUSE_MAX = timedelta(seconds=30)  # of a service that has begun to answer
ANSWER_MAX = timedelta(minutes=5)  # until the end of an answer, which a slow reader draws out

Chunk = bytes | bytearray
Result = TypeVar("Result")
Item = TypeVar("Item")


class StoreError(Exception):
    """The store did not do what was asked. Its text is for the operator, and free of personal data."""


class ObjectMissing(StoreError):
    """No object of this name."""

    def __init__(self, name: "ObjectName") -> None:
        super().__init__(f"There is no object {name}: deleted, never stored, or this is another store than it was.")


class StoreUnavailable(StoreError):
    """The disk or the service did not do it."""

    def __init__(self, store: str, found: str) -> None:
        super().__init__(f"{store}: {found}. See that it can be reached and written and is not full; then try again.")


class StoreUrlInvalid(StoreError):
    """The address names no store that we know."""

    def __init__(self) -> None:
        super().__init__(
            "The address of the store needs the form s3://bucket/prefix, or stays empty for the data directory. "
            "AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say the rest."
        )


@dataclass(frozen=True, slots=True)
class ObjectName:
    """Names one object by ids alone, so nothing that a client wrote can be part of a path.

    Each put takes a new `object_id`, and a document's row names the object that counts: so two uploads to one document
    never meet in the store, and neither can overwrite the other.
    """

    account_id: UUID
    document_id: UUID
    object_id: UUID

    def __str__(self) -> str:
        return f"{self.account_id.int:032x}/{self.document_id.int:032x}.{self.object_id.int:032x}"

    @classmethod
    def read(cls, path: str) -> Self | None:
        """Return the name that a path below the store's root spells; None for a path that is not one of ours."""
        found = _PATH.fullmatch(path)
        return cls(*map(UUID, found.groups())) if found else None


_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)(?:/([A-Za-z0-9/._-]*?)/*)?")
_PATH = re.compile(r"([0-9a-f]{32})/([0-9a-f]{32})\.([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing shows it."""

    name: ObjectName
    stored_bytes: int
    stored_at: datetime


class Store(Protocol):
    """Objects by name, each whole or not there. Every method raises StoreUnavailable."""

    async def put(self, name: ObjectName, chunks: AsyncIterable[Chunk]) -> int:
        """Store the chunks as one object and return its bytes; once this returns, no crash takes it back.

        All or nothing: where `chunks` raises, the caller is cancelled or the process killed, there is no object. What
        `chunks` raises comes through as it is. Memory does not grow with the object.
        """

    async def get(self, name: ObjectName) -> AsyncIterator[bytes]:
        """Return an object piece by piece. Raises ObjectMissing, at once or never."""

    async def delete(self, name: ObjectName) -> None:
        """See that there is no such object, whether or not there was one; once this returns it stays away."""

    def listed(self, *, account_id: UUID | None = None) -> AsyncIterator[Stored]:
        """List the objects, of one account where one is given, in no order; what is not ours is left out."""

    async def clear_unfinished(self, *, before: datetime) -> int:
        """Remove what was left by puts that were killed and last wrote before then; return how many."""


def store_at(url: str | None, *, data_dir: Path) -> Store:
    """Return the store at `url`, s3://bucket/prefix; without one, `documents` in the data directory.

    Raises StoreUrlInvalid or StoreUnavailable. A bucket is not asked for anything yet.
    """
    return Bucket(url) if url else Directory(data_dir / DIRECTORY)


class _Shelf:
    """What both stores do alike; what each method promises stands in Store."""

    def __init__(self, store: LocalStore | S3Store, *, label: str) -> None:
        self._store, self._label = store, label

    async def get(self, name: ObjectName) -> AsyncIterator[bytes]:
        with _faults(self._label, name):
            found = await obstore.get_async(self._store, str(name))
        return self._pieces(found.stream(READ_BYTES))

    async def _pieces(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        with _faults(self._label):
            async for piece in stream:
                yield piece

    async def listed(self, *, account_id: UUID | None = None) -> AsyncIterator[Stored]:
        with _faults(self._label):
            async for page in obstore.list(self._store, None if account_id is None else account_id.hex):
                for found in page:
                    if name := ObjectName.read(found["path"]):
                        yield Stored(name, found["size"], found["last_modified"])


class Directory(_Shelf):
    """A directory, mode 700, its files 600, for the processes of one machine.

    A put writes beside the objects, syncs the file, moves it to its name in one step and syncs the directory: a kill or
    a power cut at any moment leaves the whole object or none, and at most a remnant that `clear_unfinished` takes.
    Writing is ours and not obstore's, which syncs nothing and leaves the mode to the umask. No file stays open between
    two chunks, so whoever is cancelled leaves none behind; threads write, so a slow disk holds up no other request.
    """

    def __init__(self, path: Path) -> None:
        self._objects, self._arriving = path / "objects", path / "arriving"
        with _faults(str(path)):
            for each in (path, self._objects, self._arriving):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                each.chmod(0o700)
            _settle(path)
        super().__init__(LocalStore(self._objects), label=str(path))

    async def put(self, name: ObjectName, chunks: AsyncIterable[Chunk]) -> int:
        spare = self._arriving / f"{name.object_id.hex}.{secrets.token_hex(8)}"
        target, stored_bytes = self._objects / str(name), 0
        writing: asyncio.Task[None] | None = None
        try:
            async for batch in gathered(chunks, WRITE_BYTES, size=len):
                if writing:  # one batch is written while the next one comes
                    await writing
                writing = asyncio.create_task(self._done(partial(_appended, spare, batch)))
                stored_bytes += sum(map(len, batch))
            if writing:
                await writing
            await self._done(partial(_kept, spare, target), undo=partial(_removed, target))
        finally:
            if writing and not writing.done():
                await asyncio.wait({writing})
            if writing and not writing.cancelled():
                writing.exception()  # retrieved: where something else went wrong first, that is told
            with suppress(OSError):
                spare.unlink()
        return stored_bytes

    async def delete(self, name: ObjectName) -> None:
        await self._done(partial(_removed, self._objects / str(name)))

    async def clear_unfinished(self, *, before: datetime) -> int:
        return await self._done(partial(_cleared, self._arriving, before))

    async def _done(self, step: Callable[[], Result], *, undo: Callable[[], None] | None = None) -> Result:
        """Run a step in a thread, to its end even where the caller is cancelled; then it is undone."""
        running = asyncio.get_running_loop().run_in_executor(None, step)
        with _faults(self._label):
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait({running})
                if running.exception() is None and undo is not None:
                    undo()
                raise


class Bucket(_Shelf):
    """A bucket of S3, or of what speaks its protocol, below a prefix.

    An object up to PART_BYTES goes in one request, a larger one in parts of that size, one after the other; the service
    shows it once it has all. Endpoint, region and credentials come from the environment as obstore reads it
    (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, …). A put that fails takes its parts back; those of a killed
    process are never shown, yet paid for, and obstore can't list them: give the bucket a lifecycle rule,
    AbortIncompleteMultipartUpload after a day. Leave its versioning off: a version outlives its object's deletion.
    """

    def __init__(self, url: str) -> None:
        if (place := _URL.fullmatch(url)) is None:
            raise StoreUrlInvalid
        bucket, prefix = place.groups()
        with _faults(url):
            store = S3Store(
                bucket,
                prefix=prefix or None,
                # An endpoint may be http:// where its operator says so: what goes there is sealed.
                client_options={"read_timeout": PAUSE_MAX, "timeout": ANSWER_MAX, "allow_http": True},
                retry_config={"max_retries": RETRIES_MAX, "retry_timeout": RETRY_TIMEOUT},
            )
        super().__init__(store, label=url)

    async def put(self, name: ObjectName, chunks: AsyncIterable[Chunk]) -> int:
        feed = _Feed(chunks)
        pushing = asyncio.ensure_future(self._push(name, feed))
        try:
            await asyncio.shield(pushing)
        except BaseException as error:
            feed.stop()  # obstore takes its parts back after an error, not where it is cancelled
            await asyncio.wait({pushing})
            if feed.ended:  # it may be stored, and only the answer lost
                with suppress(StoreError):
                    await self.delete(name)
            if pushing.cancelled() or pushing.exception() is not error or feed.fault is None:
                raise
            raise feed.fault from None
        return feed.fed_bytes

    async def delete(self, name: ObjectName) -> None:
        with _faults(self._label):
            await obstore.delete_async(self._store, str(name))

    async def clear_unfinished(self, *, before: datetime) -> int:
        return 0  # the bucket's lifecycle rule does it

    async def _push(self, name: ObjectName, feed: "_Feed") -> None:
        first = list[Chunk]()
        async for chunk in feed:
            first.append(chunk)
            if feed.fed_bytes >= PART_BYTES:
                break
        with _faults(self._label):
            if feed.ended:
                await obstore.put_async(self._store, str(name), first, use_multipart=False)
            else:
                chunks = _joined(first, feed)
                await obstore.put_async(self._store, str(name), chunks, chunk_size=PART_BYTES, max_concurrency=1)


class _Feed:
    """Hands chunks on, and can be stopped while it waits for the next."""

    def __init__(self, chunks: AsyncIterable[Chunk]) -> None:
        self._chunks, self._pulling, self._stopped = aiter(chunks), asyncio.Future[Chunk](), False
        self.fed_bytes, self.ended = 0, False
        self.fault: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._stopped:
            raise _Stopped
        self._pulling = asyncio.ensure_future(self._chunks.__anext__())
        try:
            chunk = await self._pulling
        except StopAsyncIteration:
            self.ended = True
            raise
        except asyncio.CancelledError:
            raise _Stopped from None
        except Exception as error:
            self.fault = error
            raise
        self.fed_bytes += len(chunk)
        return chunk

    def stop(self) -> None:
        """End the feed with an error, now."""
        self._stopped = True
        self._pulling.cancel()


class _Stopped(Exception):
    """Whoever put was cancelled."""


async def gathered(
    items: AsyncIterable[Item], wanted: int, *, size: Callable[[Item], int]
) -> AsyncIterator[list[Item]]:
    """Yield the items in lists that reach a size, but for the last, which may be empty."""
    held, held_size = list[Item](), 0
    async for item in items:
        held.append(item)
        held_size += size(item)
        if held_size >= wanted:
            yield held
            held, held_size = [], 0
    yield held


async def _joined(first: list[Chunk], rest: AsyncIterable[Chunk]) -> AsyncIterator[Chunk]:
    while first:
        yield first.pop(0)  # kept no longer than needed
    async for chunk in rest:
        yield chunk


@contextmanager
def _faults(store: str, name: ObjectName | None = None) -> Iterator[None]:
    """Tell by our own types what obstore and the system raise."""
    try:
        yield
    except FileNotFoundError as error:
        if name is None or "NoSuchBucket" in str(error):
            raise StoreUnavailable(store, "not found") from error
        raise ObjectMissing(name) from error
    except (BaseError, OSError) as error:
        raise StoreUnavailable(store, getattr(error, "strerror", None) or type(error).__name__) from error


def _appended(path: Path, chunks: Sequence[Chunk]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as file:
        file.writelines(chunks)


def _kept(spare: Path, target: Path) -> None:
    """Only what is on the disk gets its name, and only with its name on the disk does it count."""
    _settle(spare)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    spare.replace(target)
    try:
        _settle(target.parent)
        _settle(target.parent.parent)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _removed(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
        _settle(path.parent)


def _cleared(directory: Path, before: datetime) -> int:
    cleared = 0
    for remnant in directory.iterdir():
        with suppress(FileNotFoundError):  # finished meanwhile
            if remnant.stat().st_mtime < before.timestamp():
                remnant.unlink()
                cleared += 1
    return cleared


def _settle(path: Path) -> None:
    """See that a file's content, or a directory's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
