"""What can be done with reviews, as reviewers ask for it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import strawberry
from uuid_utils.compat import uuid7

from greenroom.context import Context, Info
from greenroom.db import Record
from greenroom.documents.links import Purpose
from greenroom.errors import Refused
from greenroom.graph import given, home, key_of
from greenroom.law.attempts import Finding
from greenroom.law.reasons import ForAnchor, ForStaff
from greenroom.law.terms import DocumentKind, FindingCode, Language, RequirementKind, ReviewDecision
from greenroom.payloads import Payload, changed, user_errors
from greenroom.reviews import actions
from greenroom.reviews.actions import REVIEWERS, Revealed
from greenroom.reviews.api import ReviewTask, load
from greenroom.reviews.decisions import Judgement, decide_review
from greenroom.scalars import URL, CountryCode, Day, EmailAddress, Instant

if TYPE_CHECKING:
    from greenroom.documents.api import Document
    from greenroom.verifications.api import Review, Verification
    from greenroom.verifications.requirements import ReviewFinding

VERIFICATIONS = strawberry.lazy("greenroom.verifications.api")
DOCUMENTS_AT = "/documents"
LINKS_LAST = timedelta(minutes=1)


@strawberry.input
class ReviewTaskClaimInput:
    """Arguments of `reviewTaskClaim`."""

    review_task_id: strawberry.ID
    """The task."""


@strawberry.type
class ReviewTaskClaimPayload(Payload):
    """Result of `reviewTaskClaim`."""

    review_task: ReviewTask | None = None
    """The task."""


@strawberry.input
class ReviewTaskReleaseInput:
    """Arguments of `reviewTaskRelease`."""

    review_task_id: strawberry.ID
    """The task."""


@strawberry.type
class ReviewTaskReleasePayload(Payload):
    """Result of `reviewTaskRelease`."""

    review_task: ReviewTask | None = None
    """The task."""


@strawberry.type
class RevealedPhoto:
    """A photo and where its bytes can be fetched for one minute."""

    document: Annotated["Document", strawberry.lazy("greenroom.documents.api")]
    """The photo."""
    expires_at: Instant
    """When the link ends."""
    last_day: Day
    """Last day of the document, as given."""
    machine_readable_zone: str | None
    """Its machine-readable zone as typed, else as read from the photo, where that is certain."""
    url: URL
    """The link."""


@strawberry.type
class RevealedEvidence:
    """What an anchor handed in, for the eyes of staff. Null once erased."""

    date_of_birth: Day | None
    """Date of birth."""
    email: EmailAddress | None
    """E-mail address."""
    legal_name: str | None
    """Name as given."""
    mrz_findings: list[Annotated["ReviewFinding", VERIFICATIONS]]
    """What the machine-readable zones say otherwise, and whether an earlier attempt had a birthday under the age."""
    nationality: CountryCode | None
    """Nationality as given."""
    passport_issuer: CountryCode | None
    """Issuing state as given."""
    passport_number: str | None
    """Passport number."""
    photos: list[RevealedPhoto]
    """Photos, each with a link for one minute."""


@strawberry.input
class VerificationRevealInput:
    """Arguments of `verificationReveal`."""

    verification_id: strawberry.ID
    """The attempt."""
    purpose: str
    """Why it is read, for the subject's log: why, not whom. What it repeats of what was handed in is masked there."""


@strawberry.type
class VerificationRevealPayload(Payload):
    """Result of `verificationReveal`."""

    evidence: RevealedEvidence | None = None
    """What was handed in."""


@strawberry.input
class ReviewFindingInput:
    """One refused item."""

    code: FindingCode
    """Why."""
    requirement: RequirementKind
    """Which item."""
    message: str = ""
    """For the anchor. Left empty, the code's own words are shown, in their language; OTHER needs one."""
    document_kind: DocumentKind | None = strawberry.UNSET
    """Which of the item's documents, where the others may stay; left out, the item as a whole."""

    def read(self) -> Finding:
        """Return it as the law knows it."""
        return Finding(self.code, self.requirement, ForAnchor(self.message), given(self.document_kind))


@strawberry.input
class VerificationReviewInput:
    """Arguments of `verificationReview`."""

    verification_id: strawberry.ID
    """The attempt."""
    expected_version: int
    """Refuse when the attempt has another version."""
    decision: ReviewDecision
    """Outcome."""
    findings: list[ReviewFindingInput] | None = strawberry.UNSET
    """Needed to reject, not allowed to approve."""
    is_retryable: bool = True
    """After a rejection: may it be submitted again. Final findings never may."""
    internal_note: str | None = strawberry.UNSET
    """For staff only."""

    def read(self) -> Judgement:
        """Return it as the verbs take it."""
        note = given(self.internal_note)
        return Judgement(
            self.decision,
            tuple(finding.read() for finding in given(self.findings) or ()),
            self.is_retryable,
            ForStaff(note) if note else None,
        )


@strawberry.type
class VerificationReviewPayload(Payload):
    """Result of `verificationReview`."""

    review: Annotated["Review", VERIFICATIONS] | None = None
    """The decision."""
    verification: Annotated["Verification", VERIFICATIONS] | None = None
    """The attempt."""


@strawberry.type
class ReviewMutations:
    """What can be done with reviews."""

    @strawberry.mutation
    async def review_task_claim(self, info: Info, input: ReviewTaskClaimInput) -> ReviewTaskClaimPayload | None:
        """Claims the task for 20 minutes, anew if it is the caller's. Requires REVIEW."""
        context, key = info.context, key_of("ReviewTask", input.review_task_id)
        task, problems = await changed(
            info,
            load,
            lambda tx: actions.claim_review(tx, key, by=context.actor, now=context.now),
            account_id=key.account_id,
            also=REVIEWERS,
        )
        return ReviewTaskClaimPayload(review_task=task, user_errors=problems)

    @strawberry.mutation
    async def review_task_release(self, info: Info, input: ReviewTaskReleaseInput) -> ReviewTaskReleasePayload | None:
        """Gives the claim back. Requires REVIEW."""
        context, key = info.context, key_of("ReviewTask", input.review_task_id)
        task, problems = await changed(
            info,
            load,
            lambda tx: actions.release_review(tx, key, by=context.actor, now=context.now),
            account_id=key.account_id,
            also=REVIEWERS,
        )
        return ReviewTaskReleasePayload(review_task=task, user_errors=problems)

    @strawberry.mutation
    async def verification_reveal(self, info: Info, input: VerificationRevealInput) -> VerificationRevealPayload | None:
        """Shows staff what an attempt contains, for a stated purpose, and logs the read where the subject can see it.
        Requires REVIEW and a claim on it, or REVIEW_LEAD."""
        context, key = info.context, key_of("Verification", input.verification_id)
        outcome = await context.perform(
            lambda tx: actions.reveal_verification(
                tx, key, purpose=input.purpose, keys=context.services.keys, by=context.actor, now=context.now
            ),
            account_id=key.account_id,
            also=REVIEWERS,
        )
        if isinstance(outcome, Refused):
            return VerificationRevealPayload(user_errors=user_errors(outcome, info))
        assert isinstance(outcome, Revealed)  # it takes no idempotency key
        return VerificationRevealPayload(evidence=evidence_shown(outcome, context))

    @strawberry.mutation
    async def verification_review(self, info: Info, input: VerificationReviewInput) -> VerificationReviewPayload | None:
        """Decides about a submission. Requires REVIEW, and a claim on its task."""
        context, key, new_id = info.context, key_of("Verification", input.verification_id), uuid7()
        review, problems = await changed(
            info,
            home("verifications").load_review,
            lambda tx: decide_review(
                tx,
                key,
                input.read(),
                id=new_id,
                expected_version=input.expected_version,
                keys=context.services.keys,
                by=context.actor,
                clock=context.clock,
            ),
            account_id=key.account_id,
            also=REVIEWERS,
        )
        attempt = await home("verifications").load(info, key) if review else None
        return VerificationReviewPayload(review=review, verification=attempt, user_errors=problems)


def evidence_shown(revealed: Revealed, context: Context) -> RevealedEvidence:
    """Return what a reviewer sees of an attempt, with a link to each photo that lasts a minute."""
    said, attempt = revealed.said, revealed.attempt
    born_on, email, issuer = said.get("date_of_birth"), said.get("email"), said.get("passport_issuer")
    return RevealedEvidence(
        date_of_birth=Day(date.fromisoformat(born_on)) if born_on else None,
        email=EmailAddress(email) if email else None,
        legal_name=said.get("legal_name"),
        mrz_findings=[finding_shown(each, context.language) for each in attempt.mrz_findings or []],
        nationality=CountryCode(attempt.nationality) if said else None,
        passport_issuer=CountryCode(issuer) if issuer else None,
        passport_number=said.get("passport_number"),
        photos=[photo_shown(row, zones, context) for row, zones in revealed.photos],
    )


def finding_shown(stored: dict[str, str], language: Language) -> "ReviewFinding":
    """Return what a reviewer sees of what a zone says otherwise."""
    finding = Finding(FindingCode(stored["code"]), RequirementKind(stored["requirement"]))
    shown: ReviewFinding = home("verifications").ReviewFinding.of(finding, language)
    return shown


def photo_shown(row: Record, zones: Sequence[str], context: Context) -> RevealedPhoto:
    """Return a photo with a link that lasts a minute and needs nothing else."""
    ends_at = context.now + LINKS_LAST
    token = context.services.links.sign(
        Purpose.DOWNLOAD, account_id=row["account_id"], document_id=row["document_id"], expires_at=ends_at
    )
    return RevealedPhoto(
        document=home("documents").Document.of(row),
        expires_at=Instant(ends_at),
        last_day=row["last_day"],
        machine_readable_zone=next(iter(zones), None),
        url=URL(f"{context.services.public_url}{DOCUMENTS_AT}/{token}"),
    )
