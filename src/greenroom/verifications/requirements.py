"""The GraphQL face of requirements: what an anchor has to provide, and what was wrong with it."""

from typing import Self

import strawberry

from greenroom.documents.findings import Measure
from greenroom.graph import RuleBasis
from greenroom.law.attempts import Attempt, Finding
from greenroom.law.basis import RuleBasis as Basis
from greenroom.law.policies import Policy
from greenroom.law.reasons import REASONS, REQUIREMENTS
from greenroom.law.requirements import Item, is_satisfied, items
from greenroom.law.terms import (
    DocumentKind,
    FindingCode,
    Language,
    RequirementKind,
    RequirementStatus,
    VerificationPath,
)

for words in (DocumentKind, FindingCode, RequirementKind, RequirementStatus, VerificationPath):
    strawberry.enum(words)
strawberry.enum(Measure, name="PhotoMeasure")


@strawberry.type
class Measured:
    """What was measured of a photo, and from where on it is told."""

    name: Measure
    """Of what."""
    threshold: float
    """Values beyond it are told: above it for GLARE and EXPOSURE, below it for the others."""
    value: float
    """How much."""


@strawberry.type
class ReviewFinding:
    """What was wrong with one item."""

    code: FindingCode
    """For programs."""
    message: str
    """For the anchor."""
    requirement: RequirementKind
    """Which item."""
    document_kind: DocumentKind | None = None
    """Which of the item's documents; null: the item as a whole."""
    measured: Measured | None = None
    """Of a photo's checks: the value behind it; null where nothing is measured, and of a reviewer's finding."""

    @classmethod
    def of(cls, finding: Finding, language: Language) -> Self:
        """What a client sees of a finding: the reviewer's words for the anchor, else the code's own."""
        return cls(
            code=finding.code,
            message=finding.message or REASONS[finding.code].words.said_in(language),
            requirement=finding.requirement,
            document_kind=finding.document_kind,
        )


@strawberry.type
class RequirementItem:
    """One required item."""

    accepts: list[list[DocumentKind]]
    """Alternatives, each a set of documents to hand in together; empty when the item is no document."""
    findings: list[ReviewFinding]
    """Why it was refused."""
    kind: RequirementKind
    """What is asked."""
    label: str
    """For people, in the request's language."""
    status: RequirementStatus
    """State."""


@strawberry.type
class VerificationRequirement:
    """What one anchor has to provide, for one account and place."""

    basis: RuleBasis
    """Why this path."""
    items: list[RequirementItem]
    """Everything asked for, in the order to show."""
    is_satisfied: bool
    """Nothing is missing or rejected."""
    path: VerificationPath
    """The path that the policy picked."""


def requirement_shown(
    basis: Basis,
    path: VerificationPath,
    *,
    attempt: Attempt | None,
    has_consent: bool,
    policy: Policy,
    language: Language,
) -> VerificationRequirement:
    """Return what a client sees of what a policy asks for on a path."""
    found = items(path, policy=policy, attempt=attempt, has_consent=has_consent)
    return VerificationRequirement(
        basis=RuleBasis.of(basis),
        items=[item_shown(item, language) for item in found],
        is_satisfied=is_satisfied(found),
        path=path,
    )


def item_shown(item: Item, language: Language) -> RequirementItem:
    """Return what a client sees of one item."""
    return RequirementItem(
        accepts=[list(alternative) for alternative in item.accepts],
        findings=[ReviewFinding.of(finding, language) for finding in item.findings],
        kind=item.kind,
        label=REQUIREMENTS[item.kind].said_in(language),
        status=item.status,
    )
