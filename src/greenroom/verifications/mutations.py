"""What can be done with verifications, as clients ask for it."""

import strawberry
from uuid_utils.compat import uuid7

from greenroom.context import Info, Once
from greenroom.graph import given, key_of
from greenroom.law.terms import BroadcastLocation, EntryPoint
from greenroom.payloads import Payload, changed
from greenroom.verifications import actions
from greenroom.verifications.actions import Begun, ContactEvidence, Safe
from greenroom.verifications.api import Verification, load


@strawberry.input
class ContactEvidenceInput:
    """Evidence for CONTACT. Values are nullable so that everything missing is told at once."""

    legal_name: str | None = strawberry.UNSET
    """Name. Required."""
    nationality: str | None = strawberry.UNSET
    """Nationality, a CountryCode; must be the anchor's. Required."""
    email: str | None = strawberry.UNSET
    """E-mail address. Required."""


@strawberry.input(one_of=True)
class VerificationEvidenceInput:
    """Evidence of exactly one path; another path than the required one gives WRONG_PATH."""

    contact: strawberry.Maybe[ContactEvidenceInput]
    """Path CONTACT."""


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
        """Hands in evidence, the first time or again after a rejection: accepted items need not be sent again."""
        context, key, new_id = info.context, key_of("Anchor", input.anchor_id), uuid7()
        assert input.evidence.contact is not None
        contact = input.evidence.contact.value
        attempt, problems = await changed(
            info,
            load,
            lambda tx: actions.submit_contact(
                tx,
                key,
                id=new_id,
                evidence=ContactEvidence(given(contact.legal_name), given(contact.nationality), given(contact.email)),
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
        """Withdraws an open attempt."""
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
