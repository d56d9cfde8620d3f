"""The GraphQL face of verifications: attempts, what is asked for, and what was decided."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

import strawberry

from greenroom.access import Key, acts_for
from greenroom.anchors.actions import NewAnchor
from greenroom.connections import CountedConnection, Edge, Ends, Found, read_page
from greenroom.context import Context, Info
from greenroom.db import Record
from greenroom.graph import Node, bad_argument, batch_of, global_id, home, key_of, sight
from greenroom.law.attempts import Attempt, counting, expiry, last_used, standing
from greenroom.law.paths import cell_for
from greenroom.law.policies import Policy
from greenroom.law.terms import (
    BroadcastLocation,
    EntryPoint,
    Language,
    ReviewDecision,
    TaobaoSessionStatus,
    VerificationPath,
    VerificationStatus,
)
from greenroom.paging import Listing
from greenroom.scalars import URL, Day, EmailAddress, Instant
from greenroom.sealing import Seal, context_of
from greenroom.text import country, pattern
from greenroom.verifications import reads
from greenroom.verifications.reads import attempt_of, case_of, findings_of
from greenroom.verifications.requirements import Measured as Measured  # where `graph.home` looks for it
from greenroom.verifications.requirements import ReviewFinding, VerificationRequirement, requirement_shown

if TYPE_CHECKING:
    from greenroom.anchors.api import Anchor, AnchorReferenceInput
    from greenroom.documents.api import Document
    from greenroom.reviews.api import ReviewTask

ANCHORS = strawberry.lazy("greenroom.anchors.api")
VERIFICATIONS = batch_of(reads.BY_IDS, "ids")
CANDIDATES = batch_of(reads.CANDIDATES, "anchor_ids", by="anchor_id", many=True)
ATTACHED = batch_of(reads.ATTACHED, "verification_ids", by="verification_id", many=True)
REVIEWS = batch_of(reads.REVIEWS, "ids", by="review_id")
SEALED = batch_of(reads.SEALED, "ids")
Listings = tuple[Listing, Listing]  # of all, and of a search

for words in (EntryPoint, ReviewDecision, TaobaoSessionStatus, VerificationStatus):
    strawberry.enum(words)


@strawberry.type
class Review(Node):
    """A reviewer's decision after submission."""

    created_at: Instant
    """When."""
    decision: ReviewDecision
    """Outcome."""
    findings: list[ReviewFinding]
    """Item by item; empty when approved."""
    is_retryable: bool
    """After a rejection: whether it may be submitted again."""

    @classmethod
    def of(cls, row: Record, language: Language) -> Self | None:
        """What a client sees of the newest review in an attempt's row."""
        if row["review_id"] is None:
            return None
        return cls(
            id=global_id("Review", row["account_id"], row["review_id"]),
            created_at=row["reviewed_at"],
            decision=ReviewDecision(row["decision"]),
            findings=[ReviewFinding.of(f, language) for f in findings_of(row["findings"])],
            is_retryable=row["review_is_retryable"],
        )


@strawberry.interface
class Verification(Node):
    """One attempt to prove an anchor's real name, on one path."""

    created_at: Instant
    """When it was opened."""
    expires_at: Instant | None
    """When it stops to admit."""
    entry_point: EntryPoint
    """Where in the console it was begun."""
    path: VerificationPath
    """How."""
    status: VerificationStatus
    """State."""
    submitted_at: Instant | None
    """When it was handed in."""
    version: int
    """For optimistic locking."""
    row: strawberry.Private[Record]

    @strawberry.field
    async def anchor(self, info: Info) -> Annotated["Anchor", ANCHORS]:
        """Whose."""
        key = Key(self.row["account_id"], self.row["anchor_id"])
        return await home("anchors").load(info, key)

    @strawberry.field
    def review(self, info: Info) -> Review | None:
        """The latest decision."""
        return Review.of(self.row, info.context.language)

    @strawberry.field
    async def review_task(self, info: Info) -> Annotated["ReviewTask", strawberry.lazy("greenroom.reviews.api")] | None:
        """The task of deciding it. Staff only."""
        return await home("reviews").load(info, Key(self.row["account_id"], self.row["id"]))


@strawberry.type
class ContactVerification(Verification):
    """Non-Chinese anchors outside China."""

    path: VerificationPath
    """CONTACT."""

    @strawberry.field
    async def legal_name(self, info: Info) -> str | None:
        """Name as given; null once erased, and for staff: see `verificationReveal`."""
        return await opened(info, self.row, "legal_name")

    @strawberry.field
    async def email(self, info: Info) -> EmailAddress | None:
        """Contact address; null once erased, and for staff: see `verificationReveal`."""
        return EmailAddress(value) if (value := await opened(info, self.row, "email")) else None


@strawberry.type
class PassportVisaVerification(Verification):
    """Non-Chinese anchors working in China."""

    expires_at: Instant | None
    """When it stops to admit: the earlier expiry of passport and visa; null for staff: see `verificationReveal`."""
    path: VerificationPath
    """PASSPORT_VISA."""
    handoff_url: URL | None = None
    """Link to the provider's face check, where the policy asks for it."""

    @strawberry.field
    def passport_expires_on(self, info: Info) -> Day | None:
        """Last day of the passport."""
        return self.row["passport_last_day"] if is_own(info, self.row) else None

    @strawberry.field
    def work_visa_expires_on(self, info: Info) -> Day | None:
        """Last day of the visa or permit."""
        return self.row["work_last_day"] if is_own(info, self.row) else None

    @strawberry.field
    async def documents(self, info: Info) -> list[Annotated["Document", strawberry.lazy("greenroom.documents.api")]]:
        """Passport and visa photos."""
        if not is_own(info, self.row):
            return []
        rows = await info.context.loader(ATTACHED).load(Key(self.row["account_id"], self.row["id"]))
        return [home("documents").Document.of(row) for row in rows]

    @strawberry.field
    async def legal_name(self, info: Info) -> str | None:
        """Name as given; null once erased, and for staff: see `verificationReveal`."""
        return await opened(info, self.row, "legal_name")


@strawberry.type
class TaobaoVerification(Verification):
    """Chinese anchors: face and name are checked in the Taobao app; this system stores only the outcome."""

    path: VerificationPath
    """TAOBAO_APP."""
    submitted_at: Instant | None
    """When the app reported completion."""
    session_status: TaobaoSessionStatus = TaobaoSessionStatus.PENDING
    """How far the app has come."""
    handoff_url: URL | None = None
    """Link or QR content that opens the Taobao app; null once used or expired."""
    handoff_expires_at: Instant | None = None
    """When the link ends."""


# What an outcome says of the app session that brought it; sessions of their own come with that path.
SESSION = {
    VerificationStatus.DRAFT: TaobaoSessionStatus.CREATED,
    VerificationStatus.SUBMITTED: TaobaoSessionStatus.PENDING,
    VerificationStatus.REJECTED: TaobaoSessionStatus.FAILED,
    VerificationStatus.CANCELED: TaobaoSessionStatus.ABANDONED,
}


def shown(row: Record, context: Context, *, policy: Policy, now: datetime) -> Verification:
    """Return what a client sees of an attempt's row, as it stands at an instant under a policy."""
    attempt = standing(attempt_of(row), policy=policy, now=now)
    tells_end = attempt.path is not VerificationPath.PASSPORT_VISA or acts_for(context.actor, row["account_id"])
    common: dict[str, Any] = {
        "id": global_id("Verification", row["account_id"], row["id"]),
        "created_at": row["created_at"],
        "expires_at": expiry(attempt, policy=policy) if tells_end else None,  # else it would tell what a document says
        "entry_point": EntryPoint(row["entry_point"]),
        "path": attempt.path,
        "status": attempt.status,
        "submitted_at": row["submitted_at"],
        "version": row["version"],
        "row": row,
    }
    if attempt.path is VerificationPath.TAOBAO_APP:
        session = SESSION.get(attempt.status, TaobaoSessionStatus.PASSED)
        return TaobaoVerification(**common, session_status=session)
    return (PassportVisaVerification if attempt.path is VerificationPath.PASSPORT_VISA else ContactVerification)(
        **common
    )


def shown_now(row: Record, context: Context) -> Verification:
    """Return what a client sees of an attempt's row, now, under the policy in force."""
    return shown(row, context, policy=context.in_force.policy, now=context.now)


def is_own(info: Info, row: Record) -> bool:
    """Say whether the caller is of the account's own people: staff see what was handed in by a reveal alone (X5)."""
    return acts_for(info.context.actor, row["account_id"])


async def opened(info: Info, row: Record, column: str) -> str | None:
    """Open a sealed value for the account's own people; staff read it by a reveal, which is logged (X5)."""
    key = Key(row["account_id"], row["id"])
    if not acts_for(info.context.actor, key.account_id):
        return None
    sealed = await info.context.loader(SEALED).load(key)
    if sealed is None or sealed[column] is None:
        return None
    place = context_of(key.account_id, sealed["anchor_id"])
    data_key = await info.context.services.keys.unwrap(sealed["master_key_id"], sealed["wrapped"], context=place)
    return Seal(data_key).open(sealed[column], account_id=key.account_id, anchor_id=sealed["anchor_id"], column=column)


@strawberry.type
class VerificationEdge(Edge[Verification]):
    """One verification of a page."""


@strawberry.type
class VerificationConnection(CountedConnection[Verification, VerificationEdge]):
    """A page of verifications."""


async def attempts_page(info: Info, anchor: Key, ends: Ends) -> VerificationConnection:
    """Answer a page of an anchor's attempts, newest first."""
    scope = sight(info.context, anchor.account_id)
    found = await read_page(info, reads.HISTORY, ends, scope, account_id=anchor.account_id, anchor_id=anchor.id)
    nodes = [shown_now(row, info.context) for row in found.part.rows]
    return found.counted(VerificationConnection, VerificationEdge, nodes)


async def anchors_page(info: Info, account_id: UUID, ends: Ends, listings: Listings, search: str | None) -> Found:
    """Read a page of anchors with the attempts that count, in one statement; the loader then has them."""

    def whole(rows: list[Record]) -> list[Record]:
        found = reads.ungrouped(rows)
        for anchor, candidates in found:
            info.context.loader(CANDIDATES).prime(Key(account_id, anchor["id"]), candidates)
        return [anchor for anchor, _ in found]

    values = {} if search is None else {"pattern": pattern(search)}
    listing, scope = listings[search is not None], sight(info.context, account_id)
    return await read_page(info, listing, ends, scope, whole=whole, account_id=account_id, **values)


def latest(info: Info, anchor: Record) -> Verification | None:
    """Return the attempt that counts for an anchor on the path used last."""
    context = info.context

    def counted(rows: list[Record]) -> Verification | None:
        found = last_used([attempt_of(row) for row in rows], policy=context.in_force.policy, now=context.now)
        return shown_now(row_of(found, rows), context) if found else None

    return context.loaded(CANDIDATES, Key(anchor["account_id"], anchor["id"]), counted)


async def current(info: Info, anchor: Record, location: BroadcastLocation) -> Verification | None:
    """Return the attempt that counts for an anchor in a place."""
    context, policy = info.context, info.context.in_force.policy
    rows = await context.loader(CANDIDATES).load(Key(anchor["account_id"], anchor["id"]))
    account = await home("accounts").load(info, anchor["account_id"])
    cell = cell_for(case_of(account.row, anchor["nationality"], location, policy), policy=policy)
    counted = counting([attempt_of(row) for row in rows], cell.path, policy=policy, now=context.now)
    return shown_now(row_of(counted, rows), context) if counted else None


def row_of(attempt: Attempt, rows: list[Record]) -> Record:
    """Return the row that an attempt was read from."""
    return next(row for row in rows if row["id"] == attempt.id)


@strawberry.input
class VerificationRequirementInput:
    """A case to look up."""

    account_id: strawberry.ID
    """The account."""
    anchor: Annotated["AnchorReferenceInput", ANCHORS]
    """Whose requirement."""
    location: BroadcastLocation
    """Where the anchor will stand."""


async def load(info: Info, key: Key) -> Verification | None:
    """Return an attempt; None when absent or hidden."""
    row = await info.context.loader(VERIFICATIONS).load(key)
    return shown_now(row, info.context) if row else None


async def load_review(info: Info, key: Key) -> Review | None:
    """Return a review; None when absent or hidden."""
    row = await info.context.loader(REVIEWS).load(key)
    return Review.of(row, info.context.language) if row else None


@strawberry.type
class VerificationQueries:
    """Reads of what is asked."""

    @strawberry.field
    async def verification_requirement(
        self, info: Info, input: Annotated[VerificationRequirementInput, strawberry.argument(description="The case.")]
    ) -> VerificationRequirement | None:
        """What an anchor would have to provide, before anything is created."""
        context, policy = info.context, info.context.in_force.policy
        now: dict[str, Any] = {"policy": policy, "language": context.language}
        account = await home("accounts").load(info, key_of("Account", input.account_id).account_id)
        anchor = input.anchor.read()
        if account is None or (isinstance(anchor, Key) and anchor.account_id != account.row["account_id"]):
            return None
        if isinstance(anchor, NewAnchor):
            nationality, problems = country(anchor.nationality, at=())
            for problem in problems:
                raise bad_argument("input.anchor.new.nationality", problem.said(context.language))
            cell = cell_for(case_of(account.row, nationality, input.location, policy), policy=policy)
            return requirement_shown(cell.basis, cell.path, attempt=None, has_consent=False, **now)
        found = await home("anchors").load(info, anchor)
        if found is None:
            return None
        cell = cell_for(case_of(account.row, found.nationality, input.location, policy), policy=policy)
        rows = await context.loader(CANDIDATES).load(anchor)
        attempt = counting([attempt_of(r) for r in rows], cell.path, policy=policy, now=context.now)
        consent = found.row["consent_withdrawn_at"] is None and found.row["consent_version"] == policy.notice_version
        return requirement_shown(cell.basis, cell.path, attempt=attempt, has_consent=consent, **now)
