"""Zones: what the machine-readable zones of an attempt say, held against what was given, and each other (X3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from greenroom.db import Record
from greenroom.documents.actions import REQUIREMENT
from greenroom.documents.tables import Document
from greenroom.law.comparing import Given, contradicted, disagreements
from greenroom.law.mrz import Field, Form, Zone, read
from greenroom.law.states import STATES
from greenroom.law.terms import DocumentKind, FindingCode, RequirementKind

WORK = RequirementKind.RIGHT_TO_WORK


@dataclass(frozen=True, slots=True)
class Paper:
    """One photo that is taken: its document, its last day, and its zone, as typed or as read from the photo.

    What was typed otherwise than its typed zone has it is an error; otherwise than a zone that was only read, a finding
    for the reviewer: recognition may be wrong, and nobody can correct it.
    """

    document: Document
    last_day: date | None
    mrz: str | None
    zone: Zone | None
    is_read: bool = False
    read_too: Zone | None = None
    """What was read from the photo with certainty, where another zone was typed."""

    @property
    def typed_zone(self) -> Zone | None:
        """The zone, unless it was only read."""
        return None if self.is_read else self.zone


def page_of(papers: Sequence[Paper]) -> Paper | None:
    """Return the passport's page that has a zone, one that was typed before one that was read."""
    pages = (paper for paper in papers if paper.zone and paper.zone.form is Form.TD3)
    return min(pages, key=lambda paper: paper.is_read, default=None)


class Known(NamedTuple):
    """A zone that the attempt will hold, with its item and the last day that was given for the document."""

    about: RequirementKind
    zone: Zone
    last_day: date | None


def zones_in(papers: Sequence[Paper]) -> list[Known]:
    """Return the zones of photos that come anew, typed ones first: what was read beside them is compared too."""
    in_order = sorted(papers, key=lambda paper: paper.is_read)
    pairs = [(p, p.zone) for p in in_order] + [(p, p.read_too) for p in in_order]
    return [Known(REQUIREMENT[p.document.kind], zone, p.last_day) for p, zone in pairs if zone]


def zones_staying(staying: Sequence[Record], zones: Mapping[UUID, tuple[str, ...]], *, today: date) -> Iterator[Known]:
    """Yield the zones of photos that were handed in before: typed ones and those read beside them."""
    for row in staying:
        for zone in (read(text, today=today) for text in zones.get(row["document_id"], ())):
            if isinstance(zone, Zone):
                yield Known(REQUIREMENT[DocumentKind(row["kind"])], zone, row["last_day"])


def passports_in(known: Sequence[Known]) -> tuple[tuple[str, str | None], ...]:
    """Return number and issuing state of each passport's zone, the page's own first; None: no state that is known."""
    pages = sorted((each for each in known if each.zone.form is Form.TD3), key=lambda each: each.about is WORK)
    return tuple((each.zone.number, STATES.get(each.zone.issuer)) for each in pages)


OTHERWISE = {
    Field.NAME: FindingCode.NAME_MISMATCH,
    Field.NATIONALITY: FindingCode.NATIONALITY_MISMATCH,
    Field.BIRTH: FindingCode.DATE_OF_BIRTH_MISMATCH,
}


def otherwise(known: Sequence[Known], given: Given) -> tuple[tuple[FindingCode, RequirementKind], ...]:
    """Return what zones say otherwise than was typed, or than the passport's: a person decides what it means."""
    found = dict[tuple[FindingCode, RequirementKind], None]()
    own = next((each.zone for each in known if each.zone.form is Form.TD3), None)
    for about, zone, last_day in known:
        said = replace(given, expires_on=last_day)
        if zone.form is not Form.TD3:  # a visa has an issuer of its own, and its number may be its own
            said = replace(said, number=None, issuer=None)
        for field in contradicted(zone, said):
            found[OTHERWISE.get(field, FindingCode.MRZ_VISUAL_MISMATCH), about] = None
        if own and about is WORK and disagreements(own, zone):
            found[FindingCode.PASSPORT_VISA_MISMATCH, about] = None
    return tuple(found)
