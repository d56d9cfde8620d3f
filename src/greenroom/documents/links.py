"""Links: leave for minutes to send or fetch the bytes of one document, in a URL that needs nothing else.

version 1 | purpose 1 | key 4 | end 6, in seconds | account 16 | document 16 | HMAC-SHA-256 of these, first 16
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from greenroom.sealing import KEY_BYTES

VERSION: Final = 1
TAG_BYTES: Final = 16  # 128 bits, as RFC 2104 allows: nobody hits one by trying
HEAD: Final = struct.Struct(">BB4s6s16s16s")
TOKEN_CHARACTERS: Final = (HEAD.size + TAG_BYTES) * 4 // 3  # 80; of 60 bytes, so each token has one spelling


class Purpose(Enum):
    """What a link is for; the values are in links that are out."""

    UPLOAD = 1
    DOWNLOAD = 2


class LinkFault(StrEnum):
    """Why a link does not count."""

    MALFORMED = "MALFORMED"  # no link of ours could look like this
    FOREIGN = "FOREIGN"  # signed under another key
    ALTERED = "ALTERED"  # names our key, and is not signed under it
    WRONG_PURPOSE = "WRONG_PURPOSE"  # ours, for something else
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link of ours says."""

    purpose: Purpose
    account_id: UUID
    document_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BadLink:
    """Not a link of ours that holds now."""

    reason: LinkFault


class LinkSigner:
    """Signs and reads links under one key of 32 bytes, used for nothing else and the same in all processes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of links has {KEY_BYTES} bytes")
        self._key, self._key_id = key, sha256(b"greenroom.links:" + key).digest()[:4]

    def sign(self, purpose: Purpose, *, account_id: UUID, document_id: UUID, expires_at: datetime) -> str:
        """Return a token of 80 characters, safe in a path; it ends with the second in which `expires_at` lies."""
        end = int(expires_at.timestamp()).to_bytes(6)
        head = HEAD.pack(VERSION, purpose.value, self._key_id, end, account_id.bytes, document_id.bytes)
        return urlsafe_b64encode(head + self._tag(head)).decode()

    def read(self, token: str, *, purpose: Purpose, now: datetime) -> Link | BadLink:
        """Return what a link says; nothing in it is told apart before its signature is known to be ours."""
        if (signed := _decoded(token)) is None:
            return BadLink(LinkFault.MALFORMED)
        head, tag = signed[: HEAD.size], signed[HEAD.size :]
        version, found_purpose, key_id, end, account, document = HEAD.unpack(head)
        if version != VERSION:
            return BadLink(LinkFault.MALFORMED)
        if key_id != self._key_id:
            return BadLink(LinkFault.FOREIGN)
        if not hmac.compare_digest(tag, self._tag(head)):
            return BadLink(LinkFault.ALTERED)
        if found_purpose != purpose.value:
            return BadLink(LinkFault.WRONG_PURPOSE)
        expires_at = datetime.fromtimestamp(int.from_bytes(end), UTC)
        if now >= expires_at:
            return BadLink(LinkFault.EXPIRED)
        return Link(purpose, UUID(bytes=account), UUID(bytes=document), expires_at)

    def _tag(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")[:TAG_BYTES]


def _decoded(token: str) -> bytes | None:
    """Return the bytes of a token in the one spelling that it has."""
    if len(token) != TOKEN_CHARACTERS:
        return None
    try:
        found = urlsafe_b64decode(token)
    except ValueError:
        return None
    return found if urlsafe_b64encode(found).decode() == token else None
