"""Requirements: what a path asks for, and what of it is still due."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import assert_never

from greenroom.law.attempts import Attempt, Finding
from greenroom.law.policies import PassportFace, Policy
from greenroom.law.terms import (
    DocumentKind,
    RequirementKind,
    RequirementStatus,
    VerificationPath,
    VerificationStatus,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One required item and its state."""

    kind: RequirementKind
    status: RequirementStatus
    accepts: tuple[tuple[DocumentKind, ...], ...] = ()  # alternatives, each handed in together
    findings: tuple[Finding, ...] = ()


def items(
    path: VerificationPath, *, policy: Policy, attempt: Attempt | None = None, has_consent: bool = False
) -> tuple[Item, ...]:
    """Return what `path` asks for, in the order to show.

    `attempt`: the one that counts, as `counting` returns it; or a draft, while nothing counts (A26).
    """
    asked = kinds(path, policy=policy)
    refused = refused_kinds(asked, attempt)
    asked += tuple(kind for kind in OPTIONAL[path] if kind in refused)
    return tuple(
        Item(
            kind=kind,
            status=status_of(kind, attempt, has_consent=has_consent, is_refused=kind in refused),
            accepts=accepts(kind, policy=policy),
            findings=tuple(f for f in attempt.findings if f.requirement is kind) if attempt and kind in refused else (),
        )
        for kind in asked
    )


def is_satisfied(items: Sequence[Item]) -> bool:
    """Say whether nothing is missing or rejected."""
    return not due(items)


def due(items: Sequence[Item]) -> tuple[RequirementKind, ...]:
    """Return what must be handed in: all that is missing or rejected, and no more (R35, R37)."""
    lacking = (RequirementStatus.MISSING, RequirementStatus.REJECTED)
    return tuple(item.kind for item in items if item.status in lacking)


def kinds(path: VerificationPath, *, policy: Policy) -> tuple[RequirementKind, ...]:
    """Return what a path asks for, in the order to show; consent comes first (X1)."""
    match path:
        case VerificationPath.CONTACT:  # R6, R7: all three, and nothing more
            return (
                RequirementKind.CONSENT,
                RequirementKind.LEGAL_NAME,
                RequirementKind.NATIONALITY,
                RequirementKind.EMAIL,
            )
        case VerificationPath.TAOBAO_APP:  # R3: nothing else is asked
            return RequirementKind.CONSENT, RequirementKind.TAOBAO_AUTHENTICATION
        case VerificationPath.PASSPORT_VISA:  # R5, A21, A26
            return PASSPORT_VISA + FACE[policy.passport_face]
        case _:
            assert_never(path)


PASSPORT_VISA = (
    RequirementKind.CONSENT,
    RequirementKind.LEGAL_NAME,
    RequirementKind.NATIONALITY,
    RequirementKind.DATE_OF_BIRTH,
    RequirementKind.PASSPORT,
    RequirementKind.RIGHT_TO_WORK,
)
FACE = {PassportFace.NONE: (), PassportFace.PROVIDER: (RequirementKind.FACE_CHECK,)}

# Given if the anchor likes, so never missing; but what was given can be refused.
OPTIONAL: dict[VerificationPath, tuple[RequirementKind, ...]] = {
    VerificationPath.TAOBAO_APP: (),
    VerificationPath.PASSPORT_VISA: (RequirementKind.EMAIL,),
    VerificationPath.CONTACT: (),
}


def accepts(kind: RequirementKind, *, policy: Policy) -> tuple[tuple[DocumentKind, ...], ...]:
    """Return the alternatives of documents for an item, each a set to hand in together; empty for no document."""
    if kind is RequirementKind.PASSPORT:
        return ((DocumentKind.PASSPORT_DATA_PAGE,),)
    return policy.documents if kind is RequirementKind.RIGHT_TO_WORK else ()


def is_whole(kind: RequirementKind, documents: Collection[DocumentKind], *, policy: Policy) -> bool:
    """Say whether these documents hold one of the item's alternatives (A21)."""
    return any(set(together) <= set(documents) for together in accepts(kind, policy=policy))


def stays(document: DocumentKind, about: RequirementKind, findings: Sequence[Finding]) -> bool:
    """Say whether a document of a refused item need not be sent again: each finding names another one of it (R37)."""
    named = [finding.document_kind for finding in findings if finding.requirement is about]
    return bool(named) and None not in named and document not in named


def refused_kinds(asked: Sequence[RequirementKind], attempt: Attempt | None) -> frozenset[RequirementKind]:
    """Return the items that a refusal names; all that were handed in, if it names none of this path."""
    if attempt is None or attempt.status not in (VerificationStatus.REJECTED, VerificationStatus.REVOKED):
        return frozenset()
    can_be_named = {*asked, *OPTIONAL[attempt.path]} - {RequirementKind.CONSENT}
    named = can_be_named & {finding.requirement for finding in attempt.findings}
    return frozenset(named or set(asked) - {RequirementKind.CONSENT})


def status_of(
    kind: RequirementKind, attempt: Attempt | None, *, has_consent: bool, is_refused: bool
) -> RequirementStatus:
    """Return the state of one item; consent is given or not, whatever the attempt."""
    if kind is RequirementKind.CONSENT:
        return RequirementStatus.ACCEPTED if has_consent else RequirementStatus.MISSING
    if is_refused:
        return RequirementStatus.REJECTED
    match attempt.status if attempt else VerificationStatus.DRAFT:
        case VerificationStatus.DRAFT:
            is_in = attempt is not None and kind in attempt.provided
            return RequirementStatus.PROVIDED if is_in else RequirementStatus.MISSING
        case VerificationStatus.SUBMITTED:
            return RequirementStatus.PROVIDED
        case VerificationStatus.APPROVED | VerificationStatus.REJECTED:  # R37: what a rejection does not name stays
            return RequirementStatus.ACCEPTED
        case (
            VerificationStatus.EXPIRED
            | VerificationStatus.REVOKED
            | VerificationStatus.SUPERSEDED
            | VerificationStatus.CANCELED
        ):
            return RequirementStatus.MISSING  # authenticates anew
        case _ as other:
            assert_never(other)
