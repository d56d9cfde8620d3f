"""Worlds: plain builders with real defaults, each committed like a user's own write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from clients import Client, Data, Shop
from sqlmodel import col, select
from starlette.applications import Starlette

from greenroom.access import Actor, Permission, account_id_of
from greenroom.accounts.tables import Account
from greenroom.anchors.tables import Anchor
from greenroom.context import Services
from greenroom.db import Database, Scope, Transaction
from greenroom.documents.tables import Document
from greenroom.events.actions import record
from greenroom.graph import global_id, read_id
from greenroom.law.policies import ALIEXPRESS_2021
from greenroom.law.terms import (
    BroadcastLocation,
    DocumentKind,
    DocumentStatus,
    EntryPoint,
    FindingCode,
    RequirementKind,
    ReviewDecision,
    VerificationPath,
    VerificationStatus,
)
from greenroom.scalars import in_utc
from greenroom.settings import Settings
from greenroom.tokens import DemoSigner
from greenroom.verifications.actions import record_status
from greenroom.verifications.keeping import seal_of
from greenroom.verifications.tables import Review, Verification

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAUNCHED = datetime(2021, 10, 1, tzinfo=UTC)  # any instant after the publicity window and before NOW
TICK = timedelta(milliseconds=1)
STAFF = Actor("reviewer-1", permissions=frozenset({Permission.REVIEW}))
HANDED_IN = ("DRAFT", "CANCELED")
FindingIn = tuple[str, str] | tuple[str, str, str]
"""A reviewer's finding: its code, the requirement that it concerns, and words for the anchor."""


@dataclass
class Clock:
    """The present of the application under test: stands where it is put, but for a millisecond with each look."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        present, self.now = self.now, self.now + TICK
        return present

    def advance(self, **span: float) -> datetime:
        """Let time pass, as `timedelta` takes it: `advance(days=1)`. Returns the present."""
        self.now += timedelta(**span)
        return self.now


def iso(instant: datetime) -> str:
    """An instant as the API writes it."""
    return in_utc(instant)


@dataclass
class World:
    """The running application with an empty database, and builders of what a test needs in it."""

    app: Starlette
    settings: Settings
    clock: Clock
    http: httpx.AsyncClient
    signer: DemoSigner
    url: str
    superuser_url: str
    made: int = field(default=0)

    @property
    def services(self) -> Services:
        """What the application holds."""
        found: Services = self.app.state.held.services
        return found

    @property
    def db(self) -> Database:
        """Both pools, connected as the application's own role."""
        return self.services.db

    def tonight(self, hours: float = 8) -> str:
        """A start time a few hours ahead of the clock, as the API writes it."""
        return iso(self.clock.now + timedelta(hours=hours))

    def client(self, *, accounts: Sequence[str] = (), permissions: Sequence[str] = (), subject: str = "mei") -> Client:
        """Somebody who acts for accounts, by the platform's ids, or has permissions of the staff's."""
        return Client(self.http, lambda: self.token(accounts, permissions, subject=subject))

    def token(self, accounts: Sequence[str], permissions: Sequence[str] = (), *, subject: str = "mei") -> str:
        """A token of the demo signer that holds now; asking is not a look at the clock."""
        return self.signer.sign(
            subject,
            accounts=accounts,
            permissions=[Permission(word) for word in permissions],
            expires_in=timedelta(hours=1),
            audience=self.settings.token_audience,
            now=self.clock.now,
        )

    def staff(self, *permissions: str, subject: str = "ines") -> Client:
        """Somebody of the staff: ADMINISTER unless told otherwise."""
        return self.client(permissions=permissions or ("ADMINISTER",), subject=subject)

    def anonymous(self) -> Client:
        """A caller without a token."""
        return Client(self.http)

    async def seller(self, nationality: str = "CN", **more: str) -> Shop:
        """Somebody who acts for a new seller account (商家); `external_id`, `name` and `subject` may be given."""
        return await self.shop("SELLER", nationality, **more)

    async def blogger(self, nationality: str = "CN", **more: str) -> Shop:
        """Somebody who acts for a new blogger account (达人)."""
        return await self.shop("BLOGGER", nationality, **more)

    async def shop(
        self, kind: str, nationality: str, *, external_id: str = "", name: str = "双十一小店", subject: str = ""
    ) -> Shop:
        """Register an account as the platform does, and return a client that acts for it."""
        self.made += 1
        external_id = external_id or f"account-{self.made}"
        subject = subject or f"owner-of-{external_id}"
        input = {"externalId": external_id, "kind": kind, "name": name, "nationality": nationality}
        account = (await self.staff().do("RegisterAccount", **input))["account"]
        return Shop(
            self.http,
            lambda: self.token([external_id], subject=subject),
            external_id=external_id,
            account_id=account["id"],
        )

    async def policy(self, name: str = "aliexpress-2021", launch_at: datetime | None = None) -> Data:
        """Put a pack and a launch in force, as an administrator does; returns the policy."""
        staff = self.staff()
        version = (await staff.call("CurrentPolicy"))["admissionPolicy"]["version"]
        launch = iso(launch_at) if launch_at else None
        done = await staff.do("ActivatePolicy", name=name, launchAt=launch, expectedVersion=version)
        found: Data = done["admissionPolicy"]
        return found

    async def launch(self, at: datetime = LAUNCHED) -> Data:
        """Have the rules enforced from an instant on; without one, they are by now."""
        return await self.policy(launch_at=at)

    async def attempt(
        self,
        anchor_id: str,
        path: str = "PASSPORT_VISA",
        status: str = "APPROVED",
        *,
        at: datetime | None = None,
        ends_at: datetime | None = None,
        last_day: date | None = None,
        nationality: str | None = None,
        location: str = "IN_CHINA",
        findings: Sequence[FindingIn] = (),
        is_retryable: bool = True,
        is_under_age: bool | None = None,
        strikes: int = 0,
        attempts: int = 1,
        consented: bool = True,
    ) -> str:
        """A verification in any state on any path, written as the verbs to come will write it; returns its global id.

        `at`: when it was handed in and decided, the present by default; a decided one has its review. An approval
        supersedes the one before it on this path.
        """
        at = at or self.clock()
        key = read_id(anchor_id)[1]
        async with self.db.transaction(Scope(key.account_id)) as tx:
            anchor = (await tx.exec(select(Anchor).where(Anchor.id == key.id).with_for_update())).one()
            if consented and anchor.consented_at is None:
                anchor.consent_version, anchor.consented_at = ALIEXPRESS_2021.notice_version, at
            row = Verification(
                account_id=key.account_id,
                anchor_id=key.id,
                path=VerificationPath(path),
                status=VerificationStatus(status),
                entry_point=EntryPoint.CONSOLE_HOME,
                location=BroadcastLocation(location),
                consent_version=anchor.consent_version or "",
                nationality=nationality or anchor.nationality,
                created_at=at,
                submitted_at=None if status in HANDED_IN else at,
                queued_at=None if status in HANDED_IN else at,
                ends_at=ends_at,
                documents_last_day=last_day,
                is_under_age=is_under_age,
                strikes=strikes,
                attempts=attempts,
            )
            if path == "CONTACT" and row.submitted_at:
                await self._sealed(tx, anchor, row)
            if row.submitted_at:
                await remembered(tx, anchor, at=at)
            await self._decided(tx, row, status, findings=findings, is_retryable=is_retryable, at=at)
        return global_id("Verification", key.account_id, row.id)

    async def photo(self, anchor_id: str, kind: str = "PASSPORT_DATA_PAGE") -> str:
        """A READY photo whose bytes are nowhere, for tests that only hand it in; returns its global id."""
        key, now = read_id(anchor_id)[1], self.clock()
        row = Document(
            account_id=key.account_id,
            anchor_id=key.id,
            batch_id=uuid4(),
            kind=DocumentKind(kind),
            status=DocumentStatus.READY,
            byte_size=1,
            sha256=bytes(32),
            object_id=uuid4(),
            created_at=now,
            uploaded_at=now,
            checked_at=now,
            expires_at=now + timedelta(days=1),
        )
        async with self.db.transaction(Scope(key.account_id)) as tx:
            tx.add(row)
            await record(tx, "DOCUMENT_READY", row, by=STAFF, now=now)
        return global_id("Document", key.account_id, row.id)

    async def decide(
        self,
        verification_id: str,
        status: str,
        *,
        findings: Sequence[FindingIn] = (),
        is_retryable: bool = True,
        ends_at: datetime | None = None,
    ) -> None:
        """Decide a verification as a reviewer will: APPROVED, REJECTED, REVOKED, or EXPIRED by the clock."""
        key = read_id(verification_id)[1]
        async with self.db.transaction(Scope(key.account_id)) as tx:
            row = (await tx.exec(select(Verification).where(Verification.id == key.id).with_for_update())).one()
            row.ends_at, row.version = ends_at or row.ends_at, row.version + 1
            await self._decided(tx, row, status, findings=findings, is_retryable=is_retryable, at=self.clock())

    async def anchor_row(self, anchor_id: str, **changes: Any) -> None:
        """Change columns of an anchor that no verb changes yet, such as `consent_withdrawn_at` or `unlocked_at`."""
        key = read_id(anchor_id)[1]
        async with self.db.transaction(Scope(key.account_id)) as tx:
            anchor = (await tx.exec(select(Anchor).where(Anchor.id == key.id).with_for_update())).one()
            for name, value in changes.items():
                setattr(anchor, name, value)

    async def _decided(
        self,
        tx: Transaction,
        row: Verification,
        status: str,
        *,
        findings: Sequence[FindingIn],
        is_retryable: bool,
        at: datetime,
    ) -> None:
        """Write a status, with its review where it is a reviewer's word, and its event."""
        if status == "APPROVED":
            await superseded(tx, row)
        row.status = VerificationStatus(status)
        if row.status in DECISIONS:  # a revocation is a decision too: its instant replaces the approval's
            row.decided_at = at
        if status == "REJECTED":
            row.is_retryable = is_retryable
        tx.add(row)
        await tx.flush()
        if decision := DECISIONS.get(row.status):
            tx.add(
                Review(
                    account_id=row.account_id,
                    verification_id=row.id,
                    decision=decision,
                    is_retryable=is_retryable,
                    findings=[finding(*each) for each in findings],
                    created_at=at,
                )
            )
        await record_status(tx, row, row.path, was=None, status=row.status, by=STAFF, now=at)

    async def _sealed(self, tx: Transaction, anchor: Anchor, row: Verification) -> None:
        """Put sealed contact data on a row."""
        seal = await seal_of(tx, anchor, keys=self.services.keys)
        place = {"account_id": anchor.account_id, "anchor_id": anchor.id}
        row.legal_name = seal.seal("Ana García", **place, column="legal_name")
        row.email = seal.seal("ana@example.com", **place, column="email")


DECISIONS = {
    VerificationStatus.APPROVED: ReviewDecision.APPROVE,
    VerificationStatus.REJECTED: ReviewDecision.REJECT,
    VerificationStatus.REVOKED: ReviewDecision.REJECT,
}


def finding(code: str, requirement: str, message: str = "请重新提供。") -> Data:
    """A finding as its row has it."""
    return {"code": FindingCode(code).value, "requirement": RequirementKind(requirement).value, "message": message}


async def superseded(tx: Transaction, row: Verification) -> None:
    """Let an approval that stands on this path give way."""
    same = (Verification.anchor_id == row.anchor_id, Verification.path == row.path)
    standing = col(Verification.status) == VerificationStatus.APPROVED
    for earlier in await tx.exec(select(Verification).where(*same, standing)):
        earlier.status = VerificationStatus.SUPERSEDED
    await tx.flush()


async def remembered(tx: Transaction, anchor: Anchor, *, at: datetime) -> None:
    """Remember that an anchor handed in, on itself and on its account (R25, R28)."""
    anchor.remembered_at, anchor.last_used_at = anchor.remembered_at or at, at
    account = (await tx.exec(select(Account).where(Account.account_id == anchor.account_id))).one()
    account.first_submitted_at = account.first_submitted_at or at


def foreign(kind: str) -> str:
    """A well-formed global id of this type that nobody has."""
    account_id = account_id_of("nobody")
    return global_id(kind, account_id, account_id)


SOURCE = ["", *(Path(__file__).parent / "law" / "source.txt").read_text().splitlines()]


def blocked(answer: Data) -> list[tuple[str, str | None]]:
    """What stands against a room, of an answer or an error with blockers: each one's code, and whom it names."""
    named = [(each["code"], each["castMember"]) for each in answer["blockers"]]
    return [(code, member and member["anchor"]["displayName"]) for code, member in named]


def rests_on(basis: Data) -> tuple[str, int | None, list[str]]:
    """What an answer rests on: rule, cell of the decision table, lines; each line quoted to the letter (X8)."""
    for line in basis["lines"] + basis["overrides"]:
        assert line["text"] == SOURCE[int(line["line"][1:])], line
    return basis["rule"], basis["cell"], [line["line"] for line in basis["lines"]]


def items(requirement: Data, *states: str) -> list[str]:
    """What is asked for in one of these states; by default what is still to hand in."""
    return [item["kind"] for item in requirement["items"] if item["status"] in (states or ("MISSING", "REJECTED"))]


async def ready(shop: Shop, name: str = "Ana") -> Data:
    """A Spanish anchor who has handed in contact data of their own: ready for any room outside China."""
    anchor = await shop.anchor(name)
    email = f"{name.lower()}@example.com"
    await shop.hand_in_contact(anchor["id"], legalName=f"{name} García", email=email)
    return anchor
