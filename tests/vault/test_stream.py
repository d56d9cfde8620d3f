"""Streams: what was sealed opens whole, in its own place and under its own key; else not one wrong byte comes out."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.documents.storage import ObjectName
from greenroom.documents.stream import (
    CHUNK_BYTES,
    HEADER_BYTES,
    Content,
    Damaged,
    Difference,
    NotAsAnnounced,
    Rendition,
    Sealing,
    opened,
)
from greenroom.sealing import SealingError
from vault.places import MIB, content_of, each, joined, new_name, pieces, run

KEY = bytes(range(32))
NAME = ObjectName(UUID(int=1), UUID(int=2), UUID(int=3))
SEALED_CHUNK = CHUNK_BYTES + 16
BORDERS = sorted({max(0, n * CHUNK_BYTES + by) for n in range(4) for by in (-1, 0, 1)})
sizes = st.sampled_from(BORDERS) | st.integers(0, 4 * CHUNK_BYTES)
cuts = st.integers(5000, 5 * CHUNK_BYTES)


def content(size: int) -> bytes:
    return content_of(NAME, size)


def sealed(plain: bytes, *, name: ObjectName = NAME, cut: int = 64 * 1024, announced: Content | None = None) -> bytes:
    stream = Sealing(pieces(plain, cut), data_key=KEY, name=name, rendition=Rendition.ORIGINAL, announced=announced)
    return run(joined(stream))


def open_(
    content: bytes,
    *,
    data_key: bytes = KEY,
    name: ObjectName = NAME,
    rendition: Rendition = Rendition.ORIGINAL,
    cut: int = 64 * 1024,
) -> tuple[bytes, bool]:
    """What came out, and whether it came to its end."""

    async def read() -> tuple[bytes, bool]:
        found = b""
        try:
            async for plain in opened(pieces(content, cut), data_key=data_key, name=name, rendition=rendition):
                found += plain
        except Damaged:
            return found, False
        return found, True

    return run(read())


def parts_of(content: bytes) -> list[bytes]:
    """The header and the chunks."""
    starts = range(HEADER_BYTES, len(content), SEALED_CHUNK)
    return [content[:HEADER_BYTES], *(content[start : start + SEALED_CHUNK] for start in starts)]


PLAIN = content(3 * CHUNK_BYTES + 1000)
SEALED = sealed(PLAIN)
PARTS = parts_of(SEALED)


@settings(deadline=None, max_examples=60)
@given(size=sizes, sealing_cut=cuts, opening_cut=cuts)
def test_any_content_comes_back_however_it_is_cut_on_the_way(size: int, sealing_cut: int, opening_cut: int) -> None:
    plain = content(size)
    assert open_(sealed(plain, cut=sealing_cut), cut=opening_cut) == (plain, True)


def test_a_trickle_of_single_bytes_comes_back() -> None:
    plain = content(1000)
    assert open_(sealed(plain, cut=1), cut=1) == (plain, True)


@pytest.mark.parametrize("size", BORDERS)
def test_a_sealed_photo_is_larger_by_its_header_and_a_tag_for_each_chunk(size: int) -> None:
    chunks = max(1, -(-size // CHUNK_BYTES))
    assert len(sealed(content(size))) == size + HEADER_BYTES + 16 * chunks


def test_the_layout_is_the_one_described() -> None:
    """Read by hand: what rests in stores must open for years."""
    header, *chunks = PARTS
    assert (header[:1], len(header)) == (b"\x01", 40)
    info = bytes(15) + b"\x01" + bytes(15) + b"\x02" + bytes(15) + b"\x03" + b"greenroom.stream:original"
    cipher = AESGCM(HKDF(algorithm=SHA256(), length=32, salt=header[1:33], info=info).derive(KEY))
    nonces = [header[33:] + number.to_bytes(4) + bytes([number == 3]) for number in range(4)]
    assert b"".join(cipher.decrypt(n, c, None) for n, c in zip(nonces, chunks, strict=True)) == PLAIN


def test_equal_photos_look_different() -> None:
    first, second = parts_of(sealed(PLAIN)), parts_of(sealed(PLAIN))
    assert not set(first) & set(second)


def is_damaged(content: bytes) -> bool:
    """Whether it does not open, and gives only what is true and stood before the damage."""
    found, ended = open_(content)
    intact = next((n for n, part in enumerate(parts_of(content)) if n >= len(PARTS) or part != PARTS[n]), len(PARTS))
    return not ended and PLAIN.startswith(found) and len(found) <= max(0, intact - 1) * CHUNK_BYTES


@settings(deadline=None, max_examples=150)
@given(at=st.integers(0, len(SEALED) - 1) | st.integers(0, HEADER_BYTES), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed_before_a_byte_of_its_chunk_comes_out(at: int, bit: int) -> None:
    assert is_damaged(SEALED[:at] + bytes([SEALED[at] ^ 1 << bit]) + SEALED[at + 1 :])


CHUNK_ENDS = [HEADER_BYTES + n * SEALED_CHUNK for n in range(4)]


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(SEALED) - 1) | st.sampled_from(CHUNK_ENDS) | st.integers(0, HEADER_BYTES + 20))
def test_any_cut_is_noticed_even_between_two_chunks(end: int) -> None:
    assert is_damaged(SEALED[:end])


@settings(deadline=None, max_examples=50)
@given(st.binary(min_size=1, max_size=100) | st.sampled_from([*PARTS, SEALED, bytes(SEALED_CHUNK)]))
def test_anything_appended_is_noticed(more: bytes) -> None:
    assert is_damaged(SEALED + more)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 4), max_size=6).filter(lambda order: order != [1, 2, 3, 4]))
def test_chunks_left_out_repeated_or_in_another_order_are_noticed(order: list[int]) -> None:
    assert is_damaged(PARTS[0] + b"".join(PARTS[n] for n in order))


@pytest.mark.parametrize("number", range(5), ids=["header", "first", "second", "third", "last"])
def test_a_part_of_another_photo_is_noticed_even_of_one_name_and_key(number: int) -> None:
    other = parts_of(sealed(content(len(PLAIN))))
    assert is_damaged(b"".join([*PARTS[:number], other[number], *PARTS[number + 1 :]]))


@pytest.mark.parametrize(
    "other",
    [
        {"data_key": bytes(32)},
        {"rendition": Rendition.CHECKED},
        {"name": replace(NAME, account_id=UUID(int=9))},
        {"name": replace(NAME, document_id=UUID(int=9))},
        {"name": replace(NAME, object_id=UUID(int=9))},
        {"name": ObjectName(NAME.document_id, NAME.account_id, NAME.object_id)},
    ],
    ids=["key", "rendition", "account", "document", "object", "swapped"],
)
def test_a_photo_opens_nowhere_else(other: dict[str, object]) -> None:
    assert open_(SEALED, **other) == (b"", False)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_open_by_accident_or_raise_anything_else(found: bytes) -> None:
    assert open_(found) == open_(b"\x01" + found) == (b"", False)


def test_what_is_damaged_is_told_with_the_objects_name_as_sealing_tells_it() -> None:
    with pytest.raises(SealingError, match=rf"{NAME}.*Restore"):
        run(joined(opened(each([SEALED[:-1]]), data_key=KEY, name=NAME, rendition=Rendition.ORIGINAL)))


@settings(deadline=None, max_examples=30)
@given(size=sizes, cut=cuts)
def test_the_digest_is_that_of_what_came_in(size: int, cut: int) -> None:
    plain = content(size)
    stream = Sealing(pieces(plain, cut), data_key=KEY, name=NAME, rendition=Rendition.ORIGINAL)
    run(joined(stream))
    assert stream.content == Content(size, sha256(plain).digest())


def told(plain: bytes, announced: Content) -> Difference:
    with pytest.raises(NotAsAnnounced) as caught:
        sealed(plain, announced=announced)
    return caught.value.difference


@settings(deadline=None, max_examples=30)
@given(size=sizes, by=st.integers(1, 2 * CHUNK_BYTES), flipped=st.integers(0, 255))
def test_what_was_not_announced_is_refused_for_what_differs(size: int, by: int, flipped: int) -> None:
    plain = content(size + 1)
    digest = sha256(plain).digest()
    assert sealed(plain, announced=Content(len(plain), digest))
    assert told(plain, Content(len(plain) + by, digest)) is Difference.FEWER_BYTES
    assert told(plain, Content(max(0, len(plain) - by), digest)) is Difference.MORE_BYTES
    other = digest[: flipped // 8] + bytes([digest[flipped // 8] ^ 1 << flipped % 8]) + digest[flipped // 8 + 1 :]
    assert told(plain, Content(len(plain), other)) is Difference.OTHER_DIGEST


def test_more_than_announced_is_refused_before_the_rest_has_come() -> None:
    taken = list[int]()

    async def endless() -> AsyncIterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield bytes(1000)

    announced = Content(2500, bytes(32))
    with pytest.raises(NotAsAnnounced):
        run(joined(Sealing(endless(), data_key=KEY, name=NAME, rendition=Rendition.ORIGINAL, announced=announced)))
    assert taken == [0, 1, 2]


def test_what_is_refused_at_the_end_has_not_let_out_its_last_chunk() -> None:
    announced, out = Content(len(PLAIN), bytes(32)), list[int]()

    async def let_out() -> None:
        async for chunk in Sealing(
            pieces(PLAIN), data_key=KEY, name=NAME, rendition=Rendition.ORIGINAL, announced=announced
        ):
            out.append(len(chunk))

    with pytest.raises(NotAsAnnounced):
        run(let_out())
    assert sum(out) == HEADER_BYTES + 3 * SEALED_CHUNK


def test_memory_does_not_grow_with_the_photo() -> None:
    async def through(size: int) -> int:
        async def plain() -> AsyncIterator[bytes]:
            for _ in range(size // len(block)):
                yield block

        block, name = content(64 * 1024), new_name()
        tracemalloc.start()
        try:
            stream = Sealing(plain(), data_key=KEY, name=name, rendition=Rendition.ORIGINAL)
            async for _ in opened(stream, data_key=KEY, name=name, rendition=Rendition.ORIGINAL):
                await asyncio.sleep(0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = run(through(4 * MIB)), run(through(40 * MIB))
    assert large < small + MIB
    assert large < 9 * CHUNK_BYTES
