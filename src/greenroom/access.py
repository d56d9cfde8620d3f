"""Access: who is asking, what they may do, and the only way from an id to a row that they may see or change."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol, TypeVar
from unicodedata import normalize
from uuid import UUID

from sqlmodel import select

from greenroom.db import NOBODY, Scope, Transaction
from greenroom.errors import NotFound, Path, PermissionDenied, Refused


class Permission(StrEnum):
    """What the API lets a viewer do beyond their own account."""

    ADMINISTER = "ADMINISTER"
    """Register accounts, webhooks and the policy."""
    AUDIT = "AUDIT"
    """Read the log."""
    MEDIA = "MEDIA"
    """Check tickets and end broadcasts, for the media server."""
    REVIEW = "REVIEW"
    """See what was handed in, and decide."""
    REVIEW_LEAD = "REVIEW_LEAD"
    """Decide escalated cases, revoke, unlock attempts."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller, as their token says: one account for a shop, several for an agency, none for staff."""

    subject: str
    account_ids: frozenset[UUID] = frozenset()
    permissions: frozenset[Permission] = frozenset()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """Where a row of a tenant table is: what a global id means."""

    account_id: UUID
    id: UUID


NOWHERE = Key(UUID(int=0), UUID(int=0))  # what garbage names: the same as an id that nobody has
PLATFORM = UUID(int=0)  # under which the log of what has no account is chained (X4)
EXTERNAL_ID_LENGTH_MAX = 500  # as typed, accents apart
STAFF = frozenset({Permission.ADMINISTER, Permission.AUDIT, Permission.REVIEW, Permission.REVIEW_LEAD})
ENDS_BROADCASTS = STAFF - {Permission.AUDIT} | {Permission.MEDIA}


class Owned(Protocol):
    """A row of a tenant table: addressed by its account and its own id, never by the id alone."""

    account_id: Any
    id: Any


Row = TypeVar("Row", bound=Owned)


def scope(actor: Actor, account_id: UUID, *, also: frozenset[Permission] = frozenset()) -> Scope:
    """Return the account's scope if the actor acts for it, or has one of the permissions; else nobody's."""
    return Scope(account_id) if account_id in actor.account_ids or actor.permissions & also else NOBODY


def acts_for(actor: Actor, account_id: UUID) -> bool:
    """The actor is the account's own; staff are not, whatever they may read."""
    return account_id in actor.account_ids


def need(actor: Actor, permission: Permission) -> Refused | None:
    """Return the refusal of an actor without the permission."""
    return None if permission in actor.permissions else Refused.of(PermissionDenied(permission=permission.value))


async def own(tx: Transaction, table: type[Row], key: Key, *, at: Path, lock: bool = False) -> Row | Refused:
    """Return a row that the transaction's scope shows, locked until its end where asked.

    Another account's row and no row at all are one answer: NotFound at this place of the input.
    """
    query = select(table).where(table.account_id == key.account_id, table.id == key.id)
    found = (await tx.exec(query.with_for_update() if lock else query)).one_or_none()
    return found or Refused.of(NotFound(at))


def account_id_of(external_id: str) -> UUID:
    """Return our id of the account that the platform calls `external_id`: the same everywhere, without a look-up.

    128 bits of SHA-256 marked as a version 8 UUID (RFC 9562), so a token's accounts scope a transaction at no cost.
    """
    bare = external_id.strip()
    if len(bare) > EXTERNAL_ID_LENGTH_MAX:  # nobody's: none so long is registered, and normalizing it takes long
        return uuid8(b"greenroom.nobody:" + bare.encode(errors="surrogatepass"))
    return uuid8(b"greenroom.account:" + normalize("NFC", bare).encode())


def uuid8(content: bytes) -> UUID:
    """Return a name-based UUID of version 8, from SHA-256."""
    raw = bytearray(sha256(content).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return UUID(bytes=bytes(raw))
