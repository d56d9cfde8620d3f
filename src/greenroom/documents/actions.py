"""What can be done with photos: a place reserved, bytes taken in, what the checks found, and cleared away."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import and_, any_, bindparam
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from greenroom.access import Actor, Key, own
from greenroom.anchors.actions import IDS, data_key_of, has_agreed, stands
from greenroom.anchors.tables import Anchor, AnchorKey
from greenroom.columns import table
from greenroom.db import Read, Record, Transaction
from greenroom.documents.tables import Document
from greenroom.documents.zones import FORMS
from greenroom.errors import (
    DIGEST_FORM,
    PHOTO_SIZE,
    PHOTO_TYPE,
    PHOTOS_TOO_MANY,
    Path,
    Problem,
    Refused,
    Required,
    invalid,
)
from greenroom.events.actions import record, record_each
from greenroom.inforce import in_force
from greenroom.jobs import Job
from greenroom.law.terms import DocumentKind, DocumentStatus, RequirementKind
from greenroom.sealing import KeyWrapping

AT_ONCE_MAX = 10
WAITING_MAX = 20  # photos of one anchor that are not handed in
PHOTO_BYTES_MAX = 20 * 1024 * 1024
TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif")
STAGED_FOR = timedelta(hours=1)
CHECKED_WITHIN = timedelta(hours=1)  # a check that never ends is cleared away then
KEPT_FOR = timedelta(days=7)  # a READY photo that is not handed in (X6, drafts)
FAILED_FOR = timedelta(hours=1)  # to see why; then its place is free again
CLEARED_AT_ONCE = 500
UPLOADS: Path = ("input", "uploads")
SHA_256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
CHECK = Job("check_photo", at_once=2)
READ_ZONE = Job("read_zone", at_once=1)
WEIGH = Job("weigh_zone")  # done by the reviews, far above
SERVICE = Actor("greenroom")  # checks and clears on nobody's behalf


@dataclass(frozen=True, slots=True)
class Announced:
    """A photo to come, as its sender describes it."""

    kind: DocumentKind
    byte_size: int
    mime_type: str
    sha256: str


async def stage_uploads(
    tx: Transaction,
    key: Key,
    *,
    batch_id: UUID,
    announced: Sequence[Announced],
    keys: KeyWrapping,
    by: Actor,
    now: datetime,
) -> UUID | Refused:
    """Reserve places for an anchor's photos, all or none; nothing is taken without consent (X1). Returns the batch."""
    anchor = await own(tx, Anchor, key, at=("input", "anchorId"), lock=True)
    if isinstance(anchor, Refused):
        return anchor
    if refused := stands(anchor, None):
        return refused
    policy = (await in_force(tx)).policy
    problems = flaws(announced)
    if not has_agreed(anchor, policy):
        problems.append(Required(("input", "anchorId"), RequirementKind.CONSENT))
    waiting = len(await tx.rows(NOT_HANDED_IN, account_id=key.account_id, anchor_ids=[key.id]))
    if waiting + len(announced) > WAITING_MAX:
        problems.append(invalid(UPLOADS, PHOTOS_TOO_MANY, most=WAITING_MAX, given=waiting + len(announced)))
    if problems:
        return Refused(tuple(problems))
    rows = [
        Document(
            account_id=key.account_id,
            anchor_id=key.id,
            batch_id=batch_id,
            kind=each.kind,
            byte_size=each.byte_size,
            sha256=bytes.fromhex(each.sha256),
            created_at=now,
            expires_at=now + STAGED_FOR,
        )
        for each in announced
    ]
    await data_key_of(tx, anchor, keys=keys)  # there before the first byte comes
    tx.add_all(rows)
    await record_each(tx, [("DOCUMENT_STAGED", row, {}) for row in rows], by=by, now=now)
    return batch_id


def flaws(announced: Sequence[Announced]) -> list[Problem]:
    """Say what is wrong with photos as they are announced."""
    if not announced:
        return [Required(UPLOADS)]
    if len(announced) > AT_ONCE_MAX:
        return [invalid(UPLOADS, PHOTOS_TOO_MANY, most=AT_ONCE_MAX, given=len(announced))]
    problems = list[Problem]()
    for index, each in enumerate(announced):
        at = (*UPLOADS, str(index))
        if not 0 < each.byte_size <= PHOTO_BYTES_MAX:
            problems.append(invalid((*at, "byteSize"), PHOTO_SIZE, most=PHOTO_BYTES_MAX))
        if each.mime_type not in TYPES:
            problems.append(invalid((*at, "mimeType"), PHOTO_TYPE, known=", ".join(TYPES)))
        if not SHA_256.fullmatch(each.sha256):
            problems.append(invalid((*at, "sha256"), DIGEST_FORM))
    return problems


async def take_in(tx: Transaction, key: Key, *, object_id: UUID, now: datetime) -> bool:
    """Say that a photo's bytes rest in this object, and have them checked. Of several uploads the first one counts."""
    row = await locked(tx, key)
    if row is None or row.status is not DocumentStatus.STAGED or row.expires_at <= now:
        return False
    row.status, row.object_id, row.uploaded_at = DocumentStatus.CHECKING, object_id, now
    row.expires_at = now + CHECKED_WITHIN
    await CHECK.enqueue(tx, account_id=str(key.account_id), id=str(key.id))
    await record(tx, "DOCUMENT_UPLOADED", row, by=SERVICE, now=now)
    return True


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks made of a photo: the object with its new bytes and what warns; without one, why it FAILED."""

    object_id: UUID | None
    byte_size: int = 0
    likeness: bytes | None = None
    findings: tuple[dict[str, Any], ...] = ()


async def settle(tx: Transaction, key: Key, checked: Checked, *, now: datetime) -> UUID | None:
    """Write down what the checks found, once; returns the object that is needed no more, if there is one."""
    row = await locked(tx, key)
    if row is None or row.status is not DocumentStatus.CHECKING:
        return checked.object_id  # it was done before, or cleared away meanwhile
    if checked.object_id and row.kind in FORMS:
        await READ_ZONE.enqueue(tx, account_id=str(key.account_id), id=str(key.id))
    original = row.object_id
    row.status = DocumentStatus.READY if checked.object_id else DocumentStatus.FAILED
    row.object_id, row.likeness, row.findings = checked.object_id, checked.likeness, list(checked.findings)
    row.byte_size = checked.byte_size or row.byte_size
    row.checked_at, row.expires_at = now, now + (KEPT_FOR if checked.object_id else FAILED_FOR)
    await record(tx, f"DOCUMENT_{row.status.value}", row, by=SERVICE, now=now)
    return original


async def keep_zone(
    tx: Transaction, key: Key, sealed: bytes, *, object_id: UUID, is_certain: bool, now: datetime
) -> bool:
    """Keep the zone that was read in this object, once; what was cleared away meanwhile is left alone.

    Where the photo is handed in already, what it was handed in with is weighed anew.
    """
    row = await locked(tx, key)
    if row is None or not awaits_zone(row.model_dump()) or row.object_id != object_id:
        return False
    if row.handed_in_at is not None and is_certain:
        await WEIGH.enqueue(tx, account_id=str(key.account_id), id=str(key.id))
    row.zone, row.is_zone_certain = sealed, is_certain
    await record(tx, "DOCUMENT_ZONE_READ", row, by=SERVICE, now=now)
    return True


def awaits_zone(row: Record) -> bool:
    """Say whether a document's zone would still be of use: it fills in the form, or tells whoever reviews."""
    return row["status"] == DocumentStatus.READY and row["zone"] is None and row["kind"] in FORMS


async def clear_away(tx: Transaction, key: Key, *, now: datetime) -> Document | None:
    """Delete a document that was not handed in in time; returns what it was, None where it is wanted after all."""
    row = await locked(tx, key)
    if row is None or row.handed_in_at is not None or row.expires_at > now:
        return None
    await tx.delete(row)
    await record(tx, "DOCUMENT_CLEARED", row, by=SERVICE, now=now)
    return row


async def locked(tx: Transaction, key: Key) -> Document | None:
    """Return a document of the transaction's scope, locked."""
    found = await own(tx, Document, key, at=(), lock=True)
    return None if isinstance(found, Refused) else found


def findings_in(row: Record) -> list[dict[str, Any]]:
    """Return what the checks found: JSON arrives as text from the read pool."""
    stored = row["findings"]
    found: list[dict[str, Any]] = orjson.loads(stored) if isinstance(stored, str) else stored
    return found


REQUIREMENT = {
    kind: RequirementKind.PASSPORT if kind is DocumentKind.PASSPORT_DATA_PAGE else RequirementKind.RIGHT_TO_WORK
    for kind in DocumentKind
}
OF_ACCOUNT = select(Document).where(col(Document.account_id) == bindparam("account_id"))
NOT_HANDED_IN = Read(
    OF_ACCOUNT.where(
        col(Document.anchor_id) == any_(bindparam("anchor_ids", type_=IDS)), col(Document.handed_in_at).is_(None)
    ).order_by(col(Document.id).desc())
)
BY_IDS = Read(OF_ACCOUNT.where(col(Document.id) == any_(bindparam("ids", type_=IDS))))
REJECTED = Read(
    select(Document).where(
        col(Document.account_id) == bindparam("account_id"),
        col(Document.rejected_at).is_not(None),
        col(Document.likeness).is_not(None),
    )
)
EXPIRED = Read(
    select(Document)
    .where(col(Document.handed_in_at).is_(None), col(Document.expires_at) <= bindparam("now"))
    .order_by(col(Document.expires_at))
    .limit(CLEARED_AT_ONCE)
)
NAMED = Read(select(Document).where(col(Document.object_id) == any_(bindparam("object_ids", type_=IDS))))
ZONES = Read(
    select_columns(*(table(Document).c[name] for name in ("id", "anchor_id", "zone", "is_zone_certain")))
    .add_columns(col(AnchorKey.master_key_id), col(AnchorKey.wrapped))
    .join(
        AnchorKey,
        and_(col(AnchorKey.account_id) == Document.account_id, col(AnchorKey.anchor_id) == Document.anchor_id),
    )
    .where(
        col(Document.account_id) == bindparam("account_id"),
        col(Document.id) == any_(bindparam("ids", type_=IDS)),
        col(Document.handed_in_at).is_(None),
        col(Document.zone).is_not(None),
    )
)
OF_BATCH = Read(OF_ACCOUNT.where(col(Document.batch_id) == bindparam("batch_id")).order_by(col(Document.id)))
