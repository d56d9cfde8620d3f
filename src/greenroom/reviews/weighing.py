"""Weighing: what a zone says that was read only once its photo was handed in, held against the rest (X3, X9, X10)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from greenroom.access import Key, own
from greenroom.anchors.tables import Anchor
from greenroom.db import Database, Scope, Transaction
from greenroom.documents.actions import SERVICE
from greenroom.documents.tables import Document
from greenroom.errors import Refused
from greenroom.events.actions import record
from greenroom.inforce import in_force
from greenroom.law.comparing import Given
from greenroom.law.days import day_of, is_under_age
from greenroom.law.terms import VerificationStatus
from greenroom.reviews.actions import Revealed, opened
from greenroom.reviews.consequences import settle_later
from greenroom.sealing import KeyWrapping, Pepper
from greenroom.verifications.keeping import passport_mark
from greenroom.verifications.papers import passports_of
from greenroom.verifications.tables import Bar, Verification, VerificationDocument
from greenroom.verifications.zones import Known, otherwise, zones_staying


@dataclass(frozen=True, slots=True)
class Weighing:
    """What the work needs; `clock` tells the present."""

    db: Database
    keys: KeyWrapping
    pepper: Pepper
    clock: Callable[[], datetime]

    async def weigh(self, what: Mapping[str, Any]) -> None:
        """Compare anew the attempt that waits with this document: `{account_id, id}`. Twice changes nothing more."""
        key = Key(UUID(what["account_id"]), UUID(what["id"]))
        async with self.db.transaction(Scope(key.account_id)) as tx:
            attempt = await waiting_with(tx, key)
            if attempt:
                revealed = await opened(tx, attempt, keys=self.keys)
                await weigh_anew(tx, revealed, pepper=self.pepper, now=self.clock())


async def waiting_with(tx: Transaction, key: Key) -> Verification | None:
    """Return the attempt that awaits review with this document, locked after its anchor, as a hand-in does."""
    document = await own(tx, Document, key, at=())
    if isinstance(document, Refused):
        return None
    await own(tx, Anchor, Key(key.account_id, document.anchor_id), at=(), lock=True)
    holding = select(VerificationDocument.verification_id).where(
        VerificationDocument.account_id == key.account_id, VerificationDocument.document_id == key.id
    )
    query = select(Verification).where(
        Verification.account_id == key.account_id,
        col(Verification.id).in_(holding),
        Verification.status == VerificationStatus.SUBMITTED,
    )
    return (await tx.exec(query.with_for_update())).one_or_none()


async def weigh_anew(tx: Transaction, revealed: Revealed, *, pepper: Pepper, now: datetime) -> None:
    """Write down what all zones together say of an attempt: findings are added, and an age only ever becomes too low.

    Whom a later zone shows to be barred, or too young, is not on air for long.
    """
    attempt, before = revealed.attempt, (revealed.attempt.mrz_findings, revealed.attempt.is_under_age)
    given, known = given_in(revealed), known_in(revealed, today=day_of(now))
    if not known:
        return
    found = [{"code": code.value, "requirement": about.value} for code, about in otherwise(known, given)]
    stored = attempt.mrz_findings or []
    attempt.mrz_findings = [*stored, *(each for each in found if each not in stored)]
    minimum_age = (await in_force(tx, is_held=False)).policy.minimum_age
    birthdays = (given.born_on, *(each.zone.born.latest for each in known if each.zone.born))
    if any(is_under_age(born, minimum_age=minimum_age, airs_at=now) for born in birthdays if born):
        attempt.is_under_age = True
    shown = next(passports_of(known, given), None)
    mark = passport_mark(pepper, *shown) if shown else attempt.passport_fingerprint
    is_other = mark != attempt.passport_fingerprint and not await is_barred(tx, attempt.passport_fingerprint)
    if is_other:
        attempt.passport_fingerprint = mark
    if not is_other and before == (attempt.mrz_findings, attempt.is_under_age):
        return
    attempt.version += 1
    await record(tx, "VERIFICATION_WEIGHED", attempt, by=SERVICE, now=now)
    if attempt.is_under_age or (is_other and await is_barred(tx, mark)):
        await settle_later(tx, attempt, is_barred=False)


def given_in(revealed: Revealed) -> Given:
    """Return what was typed, as zones are compared with it."""
    said, born_on = revealed.said, revealed.said.get("date_of_birth")
    return Given(
        said.get("legal_name"),
        revealed.attempt.nationality,
        issuer=said.get("passport_issuer"),
        number=said.get("passport_number"),
        born_on=date.fromisoformat(born_on) if born_on else None,
    )


def known_in(revealed: Revealed, *, today: date) -> list[Known]:
    """Return what the zones say, typed and read."""
    zones = {photo["document_id"]: texts for photo, texts in revealed.photos}
    return list(zones_staying([photo for photo, _ in revealed.photos], zones, today=today))


async def is_barred(tx: Transaction, mark: bytes | None) -> bool:
    """Say whether a passport is barred, by its mark."""
    return mark is not None and await tx.get(Bar, mark) is not None
