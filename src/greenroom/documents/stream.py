"""Streams: photos sealed chunk by chunk under an anchor's data key, so that memory does not grow with the photo.

The layout of version 1, after the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) as Tink writes it:

    version 1 | salt 32 | prefix 7 | chunk 0 | … | chunk n        each chunk: ciphertext of CHUNK_BYTES, tag 16

AES-256-GCM under HKDF-SHA-256(data key, salt, whose bytes these are); nonce = prefix 7 | number of the chunk 4 | 1 for
the last, 0 for others. All chunks but the last are full, and the last is empty only where all is: so nothing that is
cut, lengthened, put in another order or moved to another object opens.
"""

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from greenroom.documents.storage import ObjectName
from greenroom.sealing import KEY_BYTES, TAG_BYTES, SealingError

# A thread takes the 0.3 ms of digest and encryption, so that the event loop is free for others. Handing a chunk over
# costs 0.05 ms: smaller ones lose what the thread gains, and larger ones gain nothing.
CHUNK_BYTES: Final = 512 * 1024
VERSION: Final = b"\x01"
SALT_BYTES, PREFIX_BYTES = 32, 7
HEADER_BYTES: Final = len(VERSION) + SALT_BYTES + PREFIX_BYTES


class Rendition(StrEnum):
    """Which bytes of a photo an object holds: bound in, so the one never opens as the other."""

    ORIGINAL = "original"  # as it arrived, hostile until it is checked
    CHECKED = "checked"  # as we wrote it anew


class Difference(StrEnum):
    """How what arrived differs from what was announced."""

    MORE_BYTES = "MORE_BYTES"
    FEWER_BYTES = "FEWER_BYTES"
    OTHER_DIGEST = "OTHER_DIGEST"


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of some bytes: how many, and their SHA-256 (32 bytes)."""

    plain_bytes: int
    sha256: bytes


class NotAsAnnounced(Exception):
    """What arrived is not what was announced; raised before the last chunk is sealed, so no store has the object."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference)
        self.difference = difference


class Damaged(SealingError):
    """Cut, lengthened, changed, or of another object or key."""

    def __init__(self, name: ObjectName) -> None:
        super().__init__(
            f"The object {name} does not open: it was cut, changed or taken from another place, or its key is another. "
            "Restore it and the wrapped key of its anchor from backups of one day, and find out who wrote there."
        )


class Sealing:
    """Seals plain chunks of any sizes; iterate over it once, then `content` says what it was.

    With `announced`, raises NotAsAnnounced: at the first byte too many, else at the end, before the last chunk is out.
    """

    def __init__(
        self,
        plain: AsyncIterable[bytes],
        *,
        data_key: bytes,
        name: ObjectName,
        rendition: Rendition,
        announced: Content | None = None,
    ) -> None:
        self._plain, self._announced = plain, announced
        self._salt, self._prefix = os.urandom(SALT_BYTES), os.urandom(PREFIX_BYTES)
        self._cipher = _cipher(data_key, self._salt, name, rendition)
        self._digest, self._plain_bytes, self._chunks = sha256(), 0, 0

    @property
    def content(self) -> Content:
        """What was sealed so far."""
        return Content(self._plain_bytes, self._digest.digest())

    async def __aiter__(self) -> AsyncIterator[bytearray]:
        """Yield the sealed bytes, a chunk at a time, the header with the first.

        While one chunk is sealed in a thread, the next one is filled: two buffers take turns.
        """
        held, spare, at = memoryview(bytearray(CHUNK_BYTES)), memoryview(bytearray(CHUNK_BYTES)), 0
        sealing: asyncio.Task[bytearray] | None = None
        try:
            async for piece in self._plain:
                left = memoryview(piece)
                self._count(len(left))
                while left:
                    if at == CHUNK_BYTES:  # more follows, so it is not the last
                        done = sealing and await sealing
                        sealing = asyncio.create_task(self._sealed(held, last=False))
                        held, spare, at = spare, held, 0
                        if done:
                            yield done
                    taken = left[: CHUNK_BYTES - at]
                    held[at : at + len(taken)] = taken
                    at, left = at + len(taken), left[len(taken) :]
            if sealing:
                yield await sealing
            last = await self._sealed(held[:at], last=True)
        finally:
            if sealing and not sealing.done():
                await asyncio.wait({sealing})
        self._compare()
        yield last

    def _count(self, arrived_bytes: int) -> None:
        self._plain_bytes += arrived_bytes
        if self._announced and self._plain_bytes > self._announced.plain_bytes:
            raise NotAsAnnounced(Difference.MORE_BYTES)

    def _compare(self) -> None:
        if self._announced and self._plain_bytes < self._announced.plain_bytes:
            raise NotAsAnnounced(Difference.FEWER_BYTES)
        if self._announced and self.content != self._announced:
            raise NotAsAnnounced(Difference.OTHER_DIGEST)

    async def _sealed(self, plain: memoryview, *, last: bool) -> bytearray:
        header = b"" if self._chunks else VERSION + self._salt + self._prefix
        sealed = bytearray(
            len(header) + len(plain) + TAG_BYTES
        )  # not in a thread: its heap would grow and shrink each time
        sealed[: len(header)] = header
        await asyncio.to_thread(self._seal, plain, memoryview(sealed)[len(header) :], last=last)
        return sealed

    def _seal(self, plain: memoryview, sealed: memoryview, *, last: bool) -> None:
        self._digest.update(plain)
        self._cipher.encrypt_into(_nonce(self._prefix, self._chunks, last=last), plain, None, sealed)
        self._chunks += 1


async def opened(
    sealed: AsyncIterable[bytes], *, data_key: bytes, name: ObjectName, rendition: Rendition
) -> AsyncIterator[bytes]:
    """Yield the plain bytes a chunk at a time, each once it is known to be authentic. Raises Damaged.

    That nothing was cut off is known at the end alone: who must not act on a part reads to the end first.
    """
    held, opening = bytearray(), _Opening(data_key, name, rendition)
    async for piece in sealed:
        left = memoryview(piece)
        while left:
            if len(held) == opening.wanted_bytes:  # more follows, so it is not the last
                if plain := opening.open(held, last=False):
                    yield plain
                held.clear()
            taken = left[: opening.wanted_bytes - len(held)]
            held += taken
            left = left[len(taken) :]
    if plain := opening.open(held, last=True):
        yield plain


class _Opening:
    """The header, then chunk after chunk."""

    def __init__(self, data_key: bytes, name: ObjectName, rendition: Rendition) -> None:
        self._data_key, self._name, self._rendition = data_key, name, rendition
        self._cipher: AESGCM | None = None
        self._prefix, self._opened, self.wanted_bytes = b"", 0, HEADER_BYTES

    def open(self, held: bytearray, *, last: bool) -> bytes:
        """Return the plain bytes of what is held: none of a header."""
        if self._cipher is None:
            self._read_header(bytes(held), last=last)
            return b""
        try:
            plain = self._cipher.decrypt(_nonce(self._prefix, self._opened, last=last), held, None)
        except InvalidTag:
            raise Damaged(self._name) from None
        self._opened += 1
        return plain

    def _read_header(self, header: bytes, *, last: bool) -> None:
        if last or not header.startswith(VERSION):
            raise Damaged(self._name)
        salt, self._prefix = header[len(VERSION) : -PREFIX_BYTES], header[-PREFIX_BYTES:]
        self._cipher = _cipher(self._data_key, salt, self._name, self._rendition)
        self.wanted_bytes = CHUNK_BYTES + TAG_BYTES


def _cipher(data_key: bytes, salt: bytes, name: ObjectName, rendition: Rendition) -> AESGCM:
    """Return the cipher of one object, with a key of its own: the ids keep it so even where clones draw one salt."""
    ids = name.account_id.bytes + name.document_id.bytes + name.object_id.bytes  # of one length: no two read the same
    info = ids + f"greenroom.stream:{rendition}".encode()
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(data_key))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4) + bytes([last])
