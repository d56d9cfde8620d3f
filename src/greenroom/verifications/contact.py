"""Contact: name, nationality and e-mail of an anchor abroad, checked before they are taken."""

from collections.abc import Collection
from dataclasses import dataclass

from greenroom.anchors.tables import Anchor
from greenroom.errors import NATIONALITY_DIFFERS, Path, Problem, invalid
from greenroom.law.terms import RequirementKind, VerificationPath
from greenroom.text import country, email_address, one_line

AT: Path = ("input", "evidence", "contact")
LEGAL_NAME_LENGTH_MAX = 150


@dataclass(frozen=True, slots=True)
class ContactEvidence:
    """What is handed in on the path CONTACT, as typed; None where it was left out."""

    legal_name: str | None
    nationality: str | None
    email: str | None

    path = VerificationPath.CONTACT
    at = AT

    @property
    def is_partial(self) -> bool:
        """Something was left out."""
        return None in (self.legal_name, self.nationality, self.email)

    @property
    def is_empty(self) -> bool:
        """Everything was left out."""
        return self.legal_name is self.nationality is self.email is None


@dataclass(frozen=True, slots=True)
class Contact:
    """Checked contact data; None for what stays as it was accepted."""

    legal_name: str | None
    nationality: str
    email: str | None


def read_contact(
    evidence: ContactEvidence, anchor: Anchor, *, kept: Collection[RequirementKind]
) -> tuple[Contact, list[Problem]]:
    """Check each item on its own, so that all that is missing or wrong is told at once (R6)."""
    name, nationality, problems = read_person(evidence.legal_name, evidence.nationality, anchor, kept=kept, at=AT)
    email = None
    if evidence.email is not None or RequirementKind.EMAIL not in kept:
        email, wrong = email_address(evidence.email, at=(*AT, "email"))
        problems += wrong
    return Contact(name, nationality, email), problems


def read_person(
    legal_name: str | None, nationality: str | None, anchor: Anchor, *, kept: Collection[RequirementKind], at: Path
) -> tuple[str | None, str, list[Problem]]:
    """Return name and nationality as typed, with what is wrong with them; what was `kept` may be left out."""
    name, country_typed, problems = None, anchor.nationality, list[Problem]()
    if legal_name is not None or RequirementKind.LEGAL_NAME not in kept:
        kind = RequirementKind.LEGAL_NAME
        name, wrong = one_line(legal_name, at=(*at, "legalName"), most=LEGAL_NAME_LENGTH_MAX, requirement=kind)
        problems += wrong
    if nationality is not None or RequirementKind.NATIONALITY not in kept:
        where, kind = (*at, "nationality"), RequirementKind.NATIONALITY
        country_typed, wrong = country(nationality, at=where, requirement=kind)
        if not wrong and country_typed != anchor.nationality:
            wrong = [invalid(where, NATIONALITY_DIFFERS, requirement=kind)]
        problems += wrong
    return name, country_typed, problems
