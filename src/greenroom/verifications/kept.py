"""Kept: what an earlier attempt leaves to the next one, so that only what failed is asked for again (R37)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from greenroom.anchors.tables import Anchor
from greenroom.db import Record, Transaction
from greenroom.documents.actions import REQUIREMENT
from greenroom.law.attempts import Finding, newest
from greenroom.law.days import day_of
from greenroom.law.policies import Policy
from greenroom.law.requirements import OPTIONAL, kinds, refused_kinds, stays
from greenroom.law.terms import DataState, DocumentKind, RequirementKind, VerificationPath, VerificationStatus
from greenroom.sealing import Seal
from greenroom.verifications.reads import ATTACHED, CANDIDATES, attempt_of
from greenroom.verifications.tables import Verification

OF_COLUMN = {
    "legal_name": RequirementKind.LEGAL_NAME,
    "email": RequirementKind.EMAIL,
    "date_of_birth": RequirementKind.DATE_OF_BIRTH,
    "passport_number": RequirementKind.PASSPORT,
    "passport_issuer": RequirementKind.PASSPORT,
}
LEAVES = (VerificationStatus.REJECTED, VerificationStatus.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Kept:
    """What an attempt leaves to the next one: a rejected one what was not refused, one that still waits all of it."""

    items: frozenset[RequirementKind] = frozenset()
    """They need not come again."""
    typed: frozenset[RequirementKind] = frozenset()
    """What was typed for them stays: for these items, and where only a document was refused."""
    photos: tuple[Record, ...] = ()
    """Those of kept items, and of a refused one those that no finding is about; none that has run out."""
    attempt: Verification | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    """The values that stay, opened, by their column."""
    zones: Mapping[UUID, tuple[str, ...]] = field(default_factory=dict)
    """The zones of the photos that stay, opened, by document: see `zones_at`."""


NOTHING_KEPT = Kept()


async def kept_for(tx: Transaction, anchor: Anchor, path: VerificationPath, *, policy: Policy, now: datetime) -> Kept:
    """Return what the newest attempt handed in leaves to the next one, whatever else counts."""
    rows = await tx.rows(CANDIDATES, account_id=anchor.account_id, anchor_ids=[anchor.id])
    last = newest([attempt_of(row) for row in rows], path)
    if last is None or last.status not in LEAVES or not last.is_for_nationality:
        return NOTHING_KEPT
    found = await tx.get(Verification, (anchor.account_id, last.id))
    if found is None or found.data_state is not DataState.ACTIVE:
        return NOTHING_KEPT
    asked = kinds(path, policy=policy)
    refused = refused_kinds(asked, last)
    photos = await tx.rows(ATTACHED, account_id=anchor.account_id, verification_ids=[last.id])
    ended = {requirement_of(photo) for photo in photos if photo["last_day"] < day_of(now)}
    kept = frozenset({*asked, *OPTIONAL[path]} - refused - ended)
    typed = kept | {kind for kind in refused - ended if is_for_documents(kind, last.findings)}
    staying = (p for p in photos if requirement_of(p) not in ended and is_kept(p, kept, last.findings))
    return Kept(kept, frozenset(typed), tuple(staying), found)


def requirement_of(photo: Record) -> RequirementKind:
    """Return the item that a photo belongs to."""
    return REQUIREMENT[DocumentKind(photo["kind"])]


def is_for_documents(kind: RequirementKind, findings: Sequence[Finding]) -> bool:
    """Say whether an item was refused for its documents alone: each finding about it names one."""
    named = [finding.document_kind for finding in findings if finding.requirement is kind]
    return bool(named) and None not in named


def is_kept(photo: Record, kept: Collection[RequirementKind], findings: Sequence[Finding]) -> bool:
    """Say whether a photo stays: its item does, or what was wrong with it was another of its documents."""
    about = requirement_of(photo)
    return about in kept or stays(DocumentKind(photo["kind"]), about, findings)


def opened(kept: Kept, *, seal: Seal) -> Kept:
    """Open what stays, so that what comes anew is compared with it too (X3)."""
    if (attempt := kept.attempt) is None:
        return kept
    place = {"account_id": attempt.account_id, "anchor_id": attempt.anchor_id}
    sealed = {column: getattr(attempt, column) for column, kind in OF_COLUMN.items() if kind in kept.typed}
    said = {column: seal.open(value, **place, column=column) for column, value in sealed.items() if value}
    zones = {photo["document_id"]: zones_at(photo, anchor_id=attempt.anchor_id, seal=seal) for photo in kept.photos}
    return replace(kept, said=said, zones=zones)


def zones_at(photo: Record, *, anchor_id: UUID, seal: Seal) -> tuple[str, ...]:
    """Open the zones of a photo that was handed in: as typed, then as read with certainty."""
    place = {"account_id": photo["account_id"], "anchor_id": anchor_id}
    sealed = {"mrz": photo["mrz"], "zone": photo["zone"] if photo["is_zone_certain"] else None}
    found = [seal.open(value, **place, column=column) for column, value in sealed.items() if value]
    return tuple(dict.fromkeys(found))
