"""What can be done with verifications, as clients ask for it."""

import strawberry
from uuid_utils.compat import uuid7

from greenroom.context import Info, Once
from greenroom.graph import given, key_of
from greenroom.law.terms import BroadcastLocation, EntryPoint
from greenroom.payloads import Payload, changed
from greenroom.scalars import Day
from greenroom.verifications import actions
from greenroom.verifications.actions import Begun
from greenroom.verifications.api import Verification, load
from greenroom.verifications.contact import ContactEvidence
from greenroom.verifications.keeping import Safe
from greenroom.verifications.papers import PassportVisaEvidence, PhotoEvidence


@strawberry.input
class ContactEvidenceInput:
    """Evidence for CONTACT. Values are nullable so that everything missing is told at once."""

    legal_name: str | None = strawberry.UNSET
    """Name. Required."""
    nationality: str | None = strawberry.UNSET
    """Nationality, a CountryCode; must be the anchor's. Required."""
    email: str | None = strawberry.UNSET
    """E-mail address. Required."""


@strawberry.input
class DocumentEvidenceInput:
    """One photo as evidence."""

    document_id: strawberry.ID
    """A READY document of this anchor."""
    expires_on: Day | None = strawberry.UNSET
    """Its last day. Required unless the MRZ gives it, typed or read."""
    mrz: str | None = strawberry.UNSET
    """Its machine-readable zone: TD3 (2 × 44), MRV-A (2 × 44) or MRV-B (2 × 36). Left out, what was read from the photo
    counts where `Document.zone` is certain; what is typed otherwise is then shown to the reviewer, not refused."""


@strawberry.input
class PassportVisaEvidenceInput:
    """Evidence for PASSPORT_VISA. After a rejection, items that were accepted may be left out."""

    date_of_birth: Day | None = strawberry.UNSET
    """Date of birth. Required unless the MRZ gives it."""
    documents: list[DocumentEvidenceInput] | None = strawberry.UNSET
    """Photos, each READY."""
    email: str | None = strawberry.UNSET
    """Contact address. Optional; with it, the attempt also covers CONTACT."""
    legal_name: str | None = strawberry.UNSET
    """Name as in the passport. Required."""
    nationality: str | None = strawberry.UNSET
    """Nationality, a CountryCode; must be the anchor's. Required."""
    passport_issuer: str | None = strawberry.UNSET
    """Issuing state. Required unless the MRZ gives it."""
    passport_number: str | None = strawberry.UNSET
    """Passport number. Required unless the MRZ gives it."""

    def read(self) -> PassportVisaEvidence:
        """Return it as the verbs take it."""
        return PassportVisaEvidence(
            legal_name=given(self.legal_name),
            nationality=given(self.nationality),
            email=given(self.email),
            date_of_birth=given(self.date_of_birth),
            passport_number=given(self.passport_number),
            passport_issuer=given(self.passport_issuer),
            photos=tuple(
                PhotoEvidence(key_of("Document", each.document_id), given(each.expires_on), given(each.mrz))
                for each in given(self.documents) or ()
            ),
        )


@strawberry.input(one_of=True)
class VerificationEvidenceInput:
    """Evidence of exactly one path; another path than the required one gives WRONG_PATH."""

    contact: strawberry.Maybe[ContactEvidenceInput]
    """Path CONTACT."""
    passport_visa: strawberry.Maybe[PassportVisaEvidenceInput]
    """Path PASSPORT_VISA."""

    def read(self) -> ContactEvidence | PassportVisaEvidence:
        """Return the one that was given, as the verbs take it."""
        if self.contact is not None:
            contact = self.contact.value
            return ContactEvidence(given(contact.legal_name), given(contact.nationality), given(contact.email))
        assert self.passport_visa is not None  # exactly one is given
        return self.passport_visa.value.read()


@strawberry.input
class VerificationSubmitInput:
    """Arguments of `verificationSubmit`."""

    anchor_id: strawberry.ID
    """The anchor."""
    entry_point: EntryPoint
    """Where in the console."""
    evidence: VerificationEvidenceInput
    """What is handed in."""
    location: BroadcastLocation
    """Where the anchor will stand: with the nationality, it decides the path."""
    consent_version: str | None = strawberry.UNSET
    """Records consent to this version of the notice in the same step; left out when it is on file."""
    idempotency_key: str | None = strawberry.UNSET
    """Makes a retry safe for 24 hours."""


@strawberry.type
class VerificationSubmitPayload(Payload):
    """Result of `verificationSubmit`."""

    verification: Verification | None = None
    """The attempt."""


@strawberry.input
class VerificationCancelInput:
    """Arguments of `verificationCancel`."""

    verification_id: strawberry.ID
    """The attempt."""
    expected_version: int
    """Refuse when the attempt has another version."""


@strawberry.type
class VerificationCancelPayload(Payload):
    """Result of `verificationCancel`."""

    verification: Verification | None = None
    """The attempt."""


@strawberry.type
class VerificationMutations:
    """What can be done with verifications."""

    @strawberry.mutation
    async def verification_submit(self, info: Info, input: VerificationSubmitInput) -> VerificationSubmitPayload | None:
        """Hands in evidence, the first time or again after a rejection: accepted items need not be sent again. One that
        waits is replaced and leaves its place in the queue, but not while a reviewer is deciding about it."""
        context, key, new_id = info.context, key_of("Anchor", input.anchor_id), uuid7()
        evidence = input.evidence.read()
        attempt, problems = await changed(
            info,
            load,
            lambda tx: actions.submit(
                tx,
                key,
                id=new_id,
                evidence=evidence,
                begun=Begun(input.entry_point, input.location),
                consent_version=given(input.consent_version),
                safe=Safe(context.services.keys, context.services.pepper),
                by=context.actor,
                now=context.now,
            ),
            account_id=key.account_id,
            once=Once.of(input.idempotency_key, ["verificationSubmit", strawberry.asdict(input)], new_id),
        )
        return VerificationSubmitPayload(verification=attempt, user_errors=problems)

    @strawberry.mutation
    async def verification_cancel(self, info: Info, input: VerificationCancelInput) -> VerificationCancelPayload | None:
        """Withdraws an open attempt, but not while a reviewer is deciding about it."""
        context, key = info.context, key_of("Verification", input.verification_id)
        attempt, problems = await changed(
            info,
            load,
            lambda tx: actions.cancel_verification(
                tx, key, expected_version=input.expected_version, by=context.actor, now=context.now
            ),
            account_id=key.account_id,
        )
        return VerificationCancelPayload(verification=attempt, user_errors=problems)
