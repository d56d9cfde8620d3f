"""Scene: what happens to one account of the demo world, one verb after the other, at instants in the past.

What has a verb is done by the verb. What has none yet (attempts on TAOBAO_APP and PASSPORT_VISA, decisions, a
withdrawn consent) is written as the verbs to come will write it, events included.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import func
from sqlmodel import select
from uuid_utils.compat import uuid7

from greenroom.access import Actor, Key, Permission, account_id_of
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import NewAnchor, create_anchor
from greenroom.anchors.tables import Anchor
from greenroom.db import Scope, Transaction
from greenroom.errors import Refused
from greenroom.events.actions import record
from greenroom.law.policies import ALIEXPRESS_2021
from greenroom.law.reasons import requirement_of
from greenroom.law.terms import (
    BroadcastLocation,
    EntryPoint,
    FindingCode,
    ReviewDecision,
    VerificationPath,
    VerificationStatus,
)
from greenroom.rooms.actions import create_room, end_room, go_live
from greenroom.rooms.cast import Pick
from greenroom.verifications.actions import Begun, record_status, submit
from greenroom.verifications.contact import ContactEvidence
from greenroom.verifications.keeping import Safe, name_mark, seal_of
from greenroom.verifications.tables import Review, Verification

IN_CHINA, OUTSIDE = BroadcastLocation
TAOBAO, PASSPORT, CONTACT = VerificationPath
FILLING: Final = 7_315_200_412  # an advisory lock: one at a time fills a database
NOTICE: Final = ALIEXPRESS_2021.notice_version
Done = TypeVar("Done")

PLATFORM_STAFF: Final = Actor("demo-platform", permissions=frozenset({Permission.ADMINISTER}))
REVIEWER: Final = Actor("demo-reviewer", permissions=frozenset({Permission.REVIEW}))
PROVIDER: Final = Actor("demo-taobao")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt, and why."""

    status: VerificationStatus
    findings: tuple[FindingCode, ...] = ()
    is_retryable: bool = True


PASSED: Final = Outcome(VerificationStatus.APPROVED)
RAN_OUT: Final = Outcome(VerificationStatus.EXPIRED)


def rejected(*findings: FindingCode, is_retryable: bool = True) -> Outcome:
    """Return a rejection."""
    return Outcome(VerificationStatus.REJECTED, findings, is_retryable)


async def rescoped(tx: Transaction, scope: Scope) -> None:
    """Turn to another account inside the one transaction that makes the world."""
    await tx.flush()
    await tx.exec(select(func.greenroom_scope(scope.account_id, list(scope.account_ids), scope.reading)))


def took(outcome: Done | Refused) -> Done:
    """Return what a verb made; a refusal here is a mistake in this file."""
    assert not isinstance(outcome, Refused), outcome.problems
    return outcome


@dataclass(slots=True)
class Scene:
    """One account's part: each method is one thing that happened, a minute after the one before."""

    tx: Transaction
    safe: Safe
    account_id: UUID
    owner: Actor
    present: datetime
    now: datetime

    @classmethod
    async def of(cls, tx: Transaction, external_id: str, *, safe: Safe, present: datetime) -> "Scene":
        """Turn to an account."""
        account_id = account_id_of(external_id)
        await rescoped(tx, Scope(account_id))
        owner = Actor(f"owner-of-{external_id}", frozenset({account_id}))
        return cls(tx, safe, account_id, owner, present, present)

    def days_ago(self, days: float) -> "Scene":
        """Go on from so long before the present."""
        self.now = self.present - timedelta(days=days)
        return self

    async def do(self, verb: Callable[..., Awaitable[Done | Refused]], *given: Any, **more: Any) -> Done:
        """Run one verb by the account's owner, unless `by` says who."""
        done = took(await verb(self.tx, *given, **{"by": self.owner, "now": self.now, **more}))
        await self.tx.flush()
        self.tx.expunge_all()  # the next one reads what this one wrote, as another transaction would
        self.now += timedelta(minutes=1)
        return done

    async def anchor(self, name: str, nationality: str) -> Key:
        """Add somebody to the roster."""
        new = NewAnchor(name, nationality)
        return Key(self.account_id, await self.do(create_anchor, self.account_id, id=uuid7(), new=new))

    async def contact(
        self, anchor: Key, legal_name: str, nationality: str, email: str, outcome: Outcome | None = None
    ) -> Key:
        """Hand in contact data; a day later comes the decision, if any. Returns the anchor."""
        evidence = ContactEvidence(legal_name, nationality, email)
        begun, id = Begun(EntryPoint.CONSOLE_HOME, OUTSIDE), uuid7()
        given = {"evidence": evidence, "begun": begun, "consent_version": NOTICE, "safe": self.safe}
        await self.do(submit, anchor, id=id, **given)
        if outcome:
            await self.decided(id, outcome)
        return anchor

    async def taobao(self, anchor: Key, outcome: Outcome | None = None, *, place: BroadcastLocation = IN_CHINA) -> Key:
        """Authenticate in the Taobao app; without an outcome the provider has not decided yet (A13)."""
        id = await self.do(handed_in, anchor, path=TAOBAO, place=place)
        if outcome:
            await self.decided(id, outcome, by=PROVIDER)
        return anchor

    async def passport(
        self, anchor: Key, legal_name: str, *outcomes: Outcome, lasts_days: int = 700, under_age: bool = False
    ) -> Key:
        """Hand in passport and work permit, whose earliest last day is so many days ahead."""
        last_day = (self.present + timedelta(days=lasts_days)).date()
        sealed = {"legal_name": legal_name, "safe": self.safe, "last_day": last_day, "is_under_age": under_age or None}
        id = await self.do(handed_in, anchor, path=PASSPORT, place=IN_CHINA, **sealed)
        for outcome in outcomes:
            await self.decided(id, outcome)
        return anchor

    async def decided(self, id: UUID, outcome: Outcome, *, by: Actor = REVIEWER) -> None:
        """Decide an attempt, a day after the last thing that happened."""
        self.now += timedelta(days=1)
        await self.do(decide, Key(self.account_id, id), outcome=outcome, by=by)

    async def room(self, title: str, *cast: tuple[Key, BroadcastLocation], in_days: float = 1) -> Key:
        """Plan a broadcast, so many days from the present."""
        start = self.present + timedelta(days=in_days)
        picks = [Pick(anchor, place) for anchor, place in cast]
        given = {"title": title, "scheduled_start_at": start, "picks": picks}
        return Key(self.account_id, await self.do(create_room, self.account_id, id=uuid7(), **given))

    async def on_air(self, room: Key) -> Key:
        """Start a broadcast, through the gate."""
        await self.do(started, room)
        return room

    async def off_air(self, room: Key) -> None:
        """End a broadcast after an hour."""
        self.now += timedelta(hours=1)
        await self.do(end_room, room, expected_version=None)


async def handed_in(
    tx: Transaction,
    key: Key,
    *,
    path: VerificationPath,
    place: BroadcastLocation,
    by: Actor,
    now: datetime,
    safe: Safe | None = None,
    legal_name: str | None = None,
    last_day: date | None = None,
    is_under_age: bool | None = None,
) -> UUID:
    """Write an attempt on a path that has no verb yet, handed in complete. Returns its id."""
    anchor = (await tx.exec(select(Anchor).where(Anchor.account_id == key.account_id, Anchor.id == key.id))).one()
    account = (await tx.exec(select(Account).where(Account.account_id == key.account_id))).one()
    anchor.consent_version, anchor.consented_at = NOTICE, anchor.consented_at or now
    anchor.remembered_at, anchor.last_used_at, anchor.last_location = anchor.remembered_at or now, now, place
    account.first_submitted_at = account.first_submitted_at or now
    row = Verification(
        account_id=key.account_id,
        anchor_id=key.id,
        path=path,
        status=VerificationStatus.SUBMITTED,
        entry_point=EntryPoint.ROOM_EDITOR,
        location=place,
        consent_version=NOTICE,
        nationality=anchor.nationality,
        created_at=now,
        submitted_at=now,
        queued_at=now,
        documents_last_day=last_day,
        passport_last_day=last_day + timedelta(days=365) if last_day else None,
        work_last_day=last_day,
        is_under_age=is_under_age,
    )
    if safe and legal_name:
        seal = await seal_of(tx, anchor, keys=safe.keys)
        row.legal_name = seal.seal(legal_name, account_id=key.account_id, anchor_id=key.id, column="legal_name")
        row.name_fingerprint = name_mark(safe.pepper, key.account_id, legal_name, anchor.nationality)
    tx.add(row)
    await record_status(tx, row, path, was=None, status=row.status, by=by, now=now)
    return row.id


async def decide(tx: Transaction, key: Key, *, outcome: Outcome, by: Actor, now: datetime) -> None:
    """Write what became of an attempt, with its review where somebody decided, and its event."""
    found = select(Verification).where(Verification.account_id == key.account_id, Verification.id == key.id)
    row = (await tx.exec(found)).one()
    was, row.status, row.version = row.status, outcome.status, row.version + 1
    row.decided_at = row.decided_at or now
    if outcome.status is VerificationStatus.EXPIRED:
        row.ends_at = now
    if outcome.status is VerificationStatus.REJECTED:
        row.is_retryable = outcome.is_retryable
    if outcome is not RAN_OUT:
        tx.add(review_of(row, outcome, now=now))
    await record_status(tx, row, row.path, was=was, status=row.status, by=by, now=now)


def review_of(row: Verification, outcome: Outcome, *, now: datetime) -> Review:
    """Return the decision about an attempt; the words for the anchor are each reason's own."""
    findings = [
        {"code": code.value, "requirement": requirement_of(code, path=row.path).value, "message": ""}
        for code in outcome.findings
    ]
    return Review(
        account_id=row.account_id,
        verification_id=row.id,
        decision=ReviewDecision.REJECT if findings else ReviewDecision.APPROVE,
        is_retryable=outcome.is_retryable,
        findings=findings,
        created_at=now,
    )


async def withdrawn(tx: Transaction, key: Key, *, by: Actor, now: datetime) -> None:
    """Take back an anchor's consent (X1)."""
    anchor = (await tx.exec(select(Anchor).where(Anchor.account_id == key.account_id, Anchor.id == key.id))).one()
    anchor.consent_withdrawn_at, anchor.version = now, anchor.version + 1
    await record(tx, "CONSENT_WITHDRAWN", anchor, by=by, now=now)


async def started(tx: Transaction, room: Key, *, by: Actor, now: datetime) -> Any:
    """Go live in the scene's present."""
    return await go_live(tx, room, expected_version=None, by=by, clock=lambda: now)
