"""Keeping: what was handed in, put on its attempt: sealed, marked to be known again, with its photos."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from greenroom.anchors.actions import data_key_of
from greenroom.anchors.tables import Anchor
from greenroom.db import Transaction
from greenroom.documents.tables import Document
from greenroom.law.comparing import principal
from greenroom.law.days import end_of
from greenroom.law.policies import Policy
from greenroom.law.terms import RequirementKind
from greenroom.sealing import KeyWrapping, Pepper, Seal, normal
from greenroom.verifications.contact import Contact
from greenroom.verifications.kept import OF_COLUMN, Kept
from greenroom.verifications.papers import Papers
from greenroom.verifications.tables import Verification, VerificationDocument

OF_MARK = {
    "name_fingerprint": RequirementKind.LEGAL_NAME,
    "email_fingerprint": RequirementKind.EMAIL,
    "passport_fingerprint": RequirementKind.PASSPORT,
}


@dataclass(frozen=True, slots=True)
class Safe:
    """What seals personal data and knows it again."""

    keys: KeyWrapping
    pepper: Pepper


async def seal_of(tx: Transaction, anchor: Anchor, *, keys: KeyWrapping) -> Seal:
    """Return the seal of an anchor's data key, made on first use."""
    return Seal(await data_key_of(tx, anchor, keys=keys))


def zones_of(photos: Iterable[Document], *, seal: Seal) -> dict[UUID, str]:
    """Return the zones that were read from these photos and can stand for typed ones."""
    return {
        row.id: seal.open(row.zone, account_id=row.account_id, anchor_id=row.anchor_id, column="zone")
        for row in photos
        if row.zone and row.is_zone_certain
    }


def put_on(attempt: Verification, taken: Contact | Papers, kept: Kept, *, seal: Seal, pepper: Pepper) -> None:
    """Put what was taken on an attempt, sealed and marked; what is kept stays sealed as it lies."""
    account_id = attempt.account_id
    values: dict[str, str | None] = {"legal_name": taken.legal_name, "email": taken.email}
    marks: dict[str, bytes] = {}
    if taken.legal_name is not None:
        marks["name_fingerprint"] = name_mark(pepper, account_id, taken.legal_name, taken.nationality)
    if taken.email is not None:
        marks["email_fingerprint"] = email_mark(pepper, account_id, taken.email)
    if isinstance(taken, Papers):
        values["date_of_birth"] = taken.born_on.isoformat() if taken.born_on else None
        values |= {"passport_number": taken.passport_number, "passport_issuer": taken.passport_issuer}
        if taken.passports:
            marks["passport_fingerprint"] = passport_mark(pepper, *taken.passports[0])
    place = {"account_id": account_id, "anchor_id": attempt.anchor_id}
    for column, value in values.items():
        if value is not None:
            setattr(attempt, column, seal.seal(value, **place, column=column))
        elif kept.attempt and OF_COLUMN[column] in kept.typed:
            setattr(attempt, column, getattr(kept.attempt, column))
    for column, kind in OF_MARK.items():
        before = kept.attempt if kind in kept.typed else None
        setattr(attempt, column, marks.get(column) or (before and getattr(before, column)))


def put_days_on(attempt: Verification, taken: Papers, kept: Kept, *, policy: Policy, now: datetime) -> None:
    """Put on an attempt until when its documents are good (X2), and whether the person is too young (X9)."""
    before = kept.attempt
    attempt.passport_last_day = taken.passport_last_day or (before.passport_last_day if before else None)
    attempt.work_last_day = taken.work_last_day or (before.work_last_day if before else None)
    last_days = [day for day in (attempt.passport_last_day, attempt.work_last_day) if day]
    attempt.documents_last_day = min(last_days)
    attempt.ends_at = end_of(attempt.documents_last_day)
    attempt.is_under_age = taken.is_under_age(policy=policy, now=now)
    attempt.mrz_findings = [{"code": code.value, "requirement": about.value} for code, about in taken.findings]


async def attach(tx: Transaction, attempt: Verification, taken: Papers, *, seal: Seal, now: datetime) -> None:
    """Hand the photos in with the attempt, those of an earlier one too that stay."""
    place = {"account_id": attempt.account_id, "anchor_id": attempt.anchor_id}
    await tx.flush()
    for paper in taken.papers:
        paper.document.handed_in_at = paper.document.handed_in_at or now
        assert paper.last_day is not None  # else it was refused
        tx.add(
            VerificationDocument(
                account_id=attempt.account_id,
                verification_id=attempt.id,
                document_id=paper.document.id,
                last_day=paper.last_day,
                mrz=seal.seal(paper.mrz, **place, column="mrz") if paper.mrz and not paper.is_read else None,
            )
        )
    for row in taken.staying:
        earlier = {name: row[name] for name in ("account_id", "document_id", "last_day", "mrz")}
        tx.add(VerificationDocument(verification_id=attempt.id, **earlier))


def name_mark(pepper: Pepper, account_id: UUID, legal_name: str, nationality: str) -> bytes:
    """Return the mark of a name with its nationality; no other account's comes out the same."""
    return pepper.fingerprint("name", str(account_id), identifying(legal_name), nationality)


def identifying(legal_name: str) -> str:
    """Return a name as it tells people apart (X10): without case, spaces and accents.

    An accent is a mark on a Latin or Greek letter, and on a Cyrillic one what makes no letter of its own (й is one).
    Elsewhere marks are letters: กุ้ง is not กง, and かわだ not かわた.
    """
    kept, is_on_accented = list[str](), False
    for character in normal(legal_name):
        if unicodedata.category(character).startswith("M"):
            kept += [] if is_on_accented else [character]
            continue
        script = unicodedata.name(character, "").partition(" ")[0]
        is_on_accented = script in ("LATIN", "GREEK", "CYRILLIC")
        kept.append(unicodedata.normalize("NFD", character)[0] if script in ("LATIN", "GREEK") else character)
    return "".join(kept)


def passport_mark(pepper: Pepper, number: str, issuer: str) -> bytes:
    """Return the mark of a passport, the same in every account: a person is one person for staff (X10, X11).

    However it is typed: as a zone has room for it, nine letters and digits.
    """
    return pepper.fingerprint("passport", principal(number), issuer)


def email_mark(pepper: Pepper, account_id: UUID, email: str) -> bytes:
    """Return the mark of an address; no other account's comes out the same."""
    return pepper.fingerprint("email", str(account_id), email)
