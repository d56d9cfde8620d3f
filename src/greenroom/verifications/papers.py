"""Papers: what an anchor working in China hands in, passport and right to work, compared before it is taken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from greenroom.access import Key
from greenroom.anchors.tables import Anchor
from greenroom.db import Record
from greenroom.documents.actions import REQUIREMENT
from greenroom.documents.likeness import is_among
from greenroom.documents.tables import Document
from greenroom.errors import (
    BORN_DIFFERS,
    BORN_IMPOSSIBLE,
    IMAGE_REPEATS,
    ISSUER_DIFFERS,
    LAST_DAY_DIFFERS,
    LAST_DAY_PAST,
    MRZ_FAILS,
    MRZ_UNREADABLE,
    NUMBER_DIFFERS,
    NUMBER_FORM,
    PHOTO_NOT_READY,
    PHOTO_REFUSED,
    PHOTO_REPEATS,
    PHOTOS_MISSING,
    NotFound,
    Path,
    Problem,
    Required,
    Words,
    invalid,
)
from greenroom.law.comparing import Given, contradicted
from greenroom.law.days import day_of, is_under_age
from greenroom.law.mrz import CHECKS, Field, Unreadable, Zone, read
from greenroom.law.policies import Policy
from greenroom.law.requirements import accepts, is_whole
from greenroom.law.states import STATES
from greenroom.law.terms import DocumentKind, DocumentStatus, FindingCode, RequirementKind, VerificationPath
from greenroom.text import country, email_address
from greenroom.verifications.contact import read_person
from greenroom.verifications.kept import Kept
from greenroom.verifications.zones import Known, Paper, otherwise, page_of, passports_in, zones_in, zones_staying

AT = ("input", "evidence", "passportVisa")
NUMBER_LENGTH_MAX = 20
BORN_EARLIEST = date(1900, 1, 1)
BORN, PASSPORT, WORK = (
    RequirementKind.DATE_OF_BIRTH,
    RequirementKind.PASSPORT,
    RequirementKind.RIGHT_TO_WORK,
)


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """One photo as evidence, with what its document says."""

    document: Key
    expires_on: date | None = None
    mrz: str | None = None


@dataclass(frozen=True, slots=True)
class PassportVisaEvidence:
    """What is handed in on the path PASSPORT_VISA, as typed; None where it was left out."""

    legal_name: str | None
    nationality: str | None
    email: str | None
    date_of_birth: date | None
    passport_number: str | None
    passport_issuer: str | None
    photos: tuple[PhotoEvidence, ...]

    path = VerificationPath.PASSPORT_VISA
    at = AT

    is_partial = True  # whatever is typed, a photo of one item may be missing that stays handed in

    @property
    def is_empty(self) -> bool:
        """Everything was left out."""
        typed = (self.legal_name, self.nationality, self.email, self.date_of_birth)
        return not self.photos and {*typed, self.passport_number, self.passport_issuer} == {None}


@dataclass(frozen=True, slots=True)
class Papers:
    """What is taken; None for what stays as it was accepted."""

    legal_name: str | None
    nationality: str
    email: str | None
    born_on: date | None
    passport_number: str | None
    passport_issuer: str | None
    passport_last_day: date | None
    work_last_day: date | None
    papers: tuple[Paper, ...]
    staying: tuple[Record, ...]
    """Photos of an earlier attempt that stay handed in."""
    birthdays: tuple[date, ...]
    """Every date of birth that is known: as typed now or before, and as each zone has it, as late as it allows."""
    passports: tuple[tuple[str, str], ...]
    """Number and issuing state of each passport that is known, the one that was shown first: by zones, then typed."""
    findings: tuple[tuple[FindingCode, RequirementKind], ...]
    """What the zones say otherwise, for whoever reviews."""

    def is_under_age(self, *, policy: Policy, now: datetime) -> bool | None:
        """Say whether the person is too young today by any of the dates (X9); None where none is known."""
        if not self.birthdays:
            return None
        return any(is_under_age(born, minimum_age=policy.minimum_age, airs_at=now) for born in self.birthdays)


def read_papers(
    evidence: PassportVisaEvidence,
    anchor: Anchor,
    found: Mapping[UUID, Document],
    zones: Mapping[UUID, str],
    *,
    kept: Kept,
    refused_images: Sequence[bytes],
    policy: Policy,
    now: datetime,
) -> tuple[Papers, list[Problem]]:
    """Check each item on its own and against the others, so that all that is missing or wrong is told at once (R5, X3).

    `found`: the anchor's documents that the photos name; `zones`: those read from them that are certain, which count
    where none was typed; `kept`: what an earlier attempt left (R37), opened; `refused_images`: likenesses.
    """
    today, problems = day_of(now), list[Problem]()
    papers = photos_in(
        evidence.photos, anchor, found, zones, refused_images=refused_images, today=today, problems=problems
    )
    page = page_of(papers)
    name, nationality, wrong = read_person(evidence.legal_name, evidence.nationality, anchor, kept=kept.items, at=AT)
    problems += wrong
    email = None
    if evidence.email is not None:
        email, wrong = email_address(evidence.email, at=(*AT, "email"))
        problems += wrong
    born_on = birthday(evidence, page, is_kept=BORN in kept.typed, today=today, problems=problems)
    number, issuer = passport(evidence, page, is_kept=PASSPORT in kept.typed, problems=problems)
    anew = {REQUIREMENT[paper.document.kind] for paper in papers}
    staying = staying_beside(papers, kept.photos, policy=policy)
    passport_last_day = work_last_day = None
    if PASSPORT not in kept.items or PASSPORT in anew:
        passport_last_day = last_day_of(papers, staying, PASSPORT, policy=policy, problems=problems)
    if WORK not in kept.items or WORK in anew:
        work_last_day = last_day_of(papers, staying, WORK, policy=policy, problems=problems)
    said_born = kept.said.get("date_of_birth")
    given = Given(
        name or kept.said.get("legal_name"),
        nationality,
        issuer=issuer or kept.said.get("passport_issuer"),
        number=number or kept.said.get("passport_number"),
        born_on=born_on or (date.fromisoformat(said_born) if said_born else None),
    )
    known = [*zones_in(papers), *zones_staying(staying, kept.zones, today=today)]
    birthdays = [given.born_on, *(each.zone.born.latest for each in known if each.zone.born)]
    return (
        Papers(
            name,
            nationality,
            email,
            born_on,
            number,
            issuer,
            passport_last_day,
            work_last_day,
            tuple(papers),
            staying,
            tuple(born for born in birthdays if born),
            tuple(passports_of(known, given)),
            otherwise(known, given),
        ),
        problems,
    )


def passports_of(known: Sequence[Known], given: Given) -> Iterator[tuple[str, str]]:
    """Yield the passports that zones say, then what was typed: who types a stranger's number shows another one (X10).

    Where a zone's issuing state is none that we know, the typed one stands for it.
    """
    for number, issuer in (*passports_in(known), (given.number, given.issuer)):
        if number and (issuer or given.issuer):
            yield number, issuer or given.issuer or ""


def photos_in(
    photos: Sequence[PhotoEvidence],
    anchor: Anchor,
    found: Mapping[UUID, Document],
    zones: Mapping[UUID, str],
    *,
    refused_images: Sequence[bytes],
    today: date,
    problems: list[Problem],
) -> list[Paper]:
    """Return the photos that can be taken, with what their zones say; tell what is wrong with the others."""
    papers, seen = list[Paper](), set[UUID]()
    for index, photo in enumerate(photos):
        at = (*AT, "documents", str(index))
        row = found.get(photo.document.id) if photo.document.account_id == anchor.account_id else None
        if row is None:
            problems.append(NotFound((*at, "documentId")))
            continue
        about = REQUIREMENT[row.kind]
        for is_wrong, words in (
            (row.status is not DocumentStatus.READY, PHOTO_NOT_READY),
            (row.likeness is not None and is_among(row.likeness, refused_images), PHOTO_REFUSED),
            (row.id in seen, PHOTO_REPEATS),
            (row.id not in seen and is_twice(row, papers), IMAGE_REPEATS),
        ):
            if is_wrong:
                problems.append(invalid((*at, "documentId"), words, requirement=about))
        seen.add(row.id)
        mrz, is_read = mrz_of(photo, zones)
        zone = zone_of(mrz, at=(*at, "mrz"), about=about, today=today, problems=problems)
        last_day = photo.expires_on or (zone.expires_on if zone else None)
        if zone and not is_read and zone.expires_on and photo.expires_on not in (None, zone.expires_on):
            problems.append(invalid((*at, "expiresOn"), LAST_DAY_DIFFERS, requirement=about))
        if last_day is None:
            problems.append(Required((*at, "expiresOn"), about))
        elif last_day < today:
            problems.append(invalid((*at, "expiresOn"), LAST_DAY_PAST, requirement=about))
        read_too = None if is_read or row.id not in zones else read(zones[row.id], today=today)
        beside = read_too if isinstance(read_too, Zone) else None
        papers.append(Paper(row, last_day, mrz if zone else None, zone, is_read, beside))
    return papers


def is_twice(row: Document, papers: Sequence[Paper]) -> bool:
    """Say whether the same image is there already as the same kind: no finding could tell which of them it is about."""
    kin = [paper.document.likeness for paper in papers if paper.document.kind is row.kind]
    return row.likeness is not None and is_among(row.likeness, filter(None, kin))


def mrz_of(photo: PhotoEvidence, zones: Mapping[UUID, str]) -> tuple[str | None, bool]:
    """Return a photo's zone and whether it was only read: one that was typed counts before it."""
    if photo.mrz is not None and photo.mrz.strip():
        return photo.mrz, False
    mrz = zones.get(photo.document.id)
    return mrz, mrz is not None


def zone_of(mrz: str | None, *, at: Path, about: RequirementKind, today: date, problems: list[Problem]) -> Zone | None:
    """Return what a zone says, if there is one; what can't be read or fails its check digits is told."""
    if mrz is None:
        return None
    zone = read(mrz, today=today)
    if isinstance(zone, Unreadable):
        span = zone.faults[0].span
        problems.append(
            invalid(at, MRZ_UNREADABLE, requirement=about, line=span.line, first=span.first, last=span.last)
        )
        return None
    for failure in (each for each in zone.failures if each.field in CHECKS):
        span = failure.span
        problems.append(invalid(at, MRZ_FAILS, requirement=about, line=span.line, first=span.first, last=span.last))
    return zone


def birthday(
    evidence: PassportVisaEvidence,
    page: Paper | None,
    *,
    is_kept: bool,
    today: date,
    problems: list[Problem],
) -> date | None:
    """Return the date of birth, as typed or as the passport's zone has it; an unknown day counts as the latest (X9)."""
    at, typed = (*AT, "dateOfBirth"), evidence.date_of_birth
    zone = page.zone if page else None
    if typed is None:
        born_on = zone.born.latest if zone and zone.born else None
        if born_on is None and not is_kept:
            problems.append(Required(at, BORN))
        return born_on
    if not BORN_EARLIEST <= typed <= today:
        problems.append(invalid(at, BORN_IMPOSSIBLE, requirement=BORN))
    elif page and page.typed_zone and Field.BIRTH in contradicted(page.typed_zone, Given(born_on=typed)):
        problems.append(invalid(at, BORN_DIFFERS, requirement=BORN))
    return typed


def passport(
    evidence: PassportVisaEvidence, page: Paper | None, *, is_kept: bool, problems: list[Problem]
) -> tuple[str | None, str | None]:
    """Return the passport's number and issuing state, as typed or as its zone has them; None for what stays."""
    at, typed = (*AT, "passportNumber"), (evidence.passport_number or "").strip().upper()
    zone = page.zone if page else None
    if typed and not (len(typed) <= NUMBER_LENGTH_MAX and typed.isascii() and typed.replace("-", "").isalnum()):
        problems.append(invalid(at, NUMBER_FORM, requirement=PASSPORT, most=NUMBER_LENGTH_MAX))
    elif typed and page and page.typed_zone and Field.NUMBER in contradicted(page.typed_zone, Given(number=typed)):
        problems.append(invalid(at, NUMBER_DIFFERS, requirement=PASSPORT))
    elif not typed and zone is None and not is_kept:
        problems.append(Required(at, PASSPORT))
    issuer = STATES.get(zone.issuer) if zone else None
    if evidence.passport_issuer is not None or (issuer is None and not is_kept):
        where = (*AT, "passportIssuer")
        issuer, wrong = country(evidence.passport_issuer, at=where, requirement=PASSPORT)
        problems += wrong
        if (
            not wrong
            and page
            and page.typed_zone
            and Field.ISSUER in contradicted(page.typed_zone, Given(issuer=issuer))
        ):
            problems.append(invalid(where, ISSUER_DIFFERS, requirement=PASSPORT))
    return typed or (zone.number if zone else None), issuer


def staying_beside(papers: Sequence[Paper], kept_photos: Sequence[Record], *, policy: Policy) -> tuple[Record, ...]:
    """Return the photos that stay: of other kinds than came anew, of items that these do not make whole by themselves.

    So who was asked for a work permit alone sends that alone, and a new visa stands in for whatever was there before.
    """
    anew: set[DocumentKind] = {paper.document.kind for paper in papers}
    return tuple(
        row
        for row in kept_photos
        if (kind := DocumentKind(row["kind"])) not in anew and not is_whole(REQUIREMENT[kind], anew, policy=policy)
    )


def last_day_of(
    papers: Sequence[Paper],
    staying: Sequence[Record],
    about: RequirementKind,
    *,
    policy: Policy,
    problems: list[Problem],
) -> date | None:
    """Return the earliest last day of an item's documents; tell where no alternative is whole (A21)."""
    days = [(paper.document.kind, paper.last_day) for paper in papers]
    days += [(DocumentKind(row["kind"]), row["last_day"]) for row in staying]
    own = [(kind, day) for kind, day in days if REQUIREMENT[kind] is about]
    if not is_whole(about, {kind for kind, _ in own}, policy=policy):
        kinds = " / ".join(" + ".join(together) for together in accepts(about, policy=policy))
        missing = Words(PHOTOS_MISSING.en.format(kinds=kinds), PHOTOS_MISSING.zh.format(kinds=kinds))
        problems.append(Required((*AT, "documents"), about, missing))
    return min((day for _, day in own if day), default=None)
