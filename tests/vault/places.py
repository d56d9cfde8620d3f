"""What tests of the vault share: names, contents that their names foretell, and streams of them."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from hashlib import shake_256
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from greenroom.documents.storage import ObjectName

Result = TypeVar("Result")
ACCOUNT, OTHER_ACCOUNT = UUID(int=0xA), UUID(int=0xB)
MIB = 1024 * 1024


def new_name(account_id: UUID = ACCOUNT) -> ObjectName:
    """A name that no test had before."""
    return ObjectName(account_id, uuid7(), uuid7())


def content_of(name: ObjectName, size: int) -> bytes:
    """So many bytes that are this object's alone."""
    block = shake_256(name.object_id.bytes).digest(64 * 1024)
    return (block * (size // len(block) + 1))[:size]


async def pieces(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """The content as a server hands it over."""
    for start in range(0, len(content), size):
        await asyncio.sleep(0)
        yield content[start : start + size]


async def each(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """These parts, asynchronously."""
    for part in parts:
        yield part


async def joined(chunks: AsyncIterable[bytes]) -> bytes:
    """All of a stream."""
    return b"".join([chunk async for chunk in chunks])


def run(what: Awaitable[Result]) -> Result:
    """The result of something asynchronous, for tests that hypothesis repeats."""

    async def awaited() -> Result:
        return await what

    return asyncio.run(awaited())
