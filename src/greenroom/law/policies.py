"""Policies: dated readings of what the announcement leaves open. Packs are never edited, only added."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from greenroom.law.terms import CHINESE_REGIONS, DocumentKind, PolicyPhase

# X10: an account with so many rejected attempts in so long a time waits for a lead.
ACCOUNT_REJECTIONS_MAX: Final = 30
ACCOUNT_REJECTIONS_WINDOW: Final = timedelta(days=30)


class ForeignSeller(StrEnum):
    """What decides for the cast of a seller that is not Chinese (A3-A5)."""

    BY_ANCHOR = "BY_ANCHOR"
    """The anchor, as everywhere else (R15): a foreign shop is no loophole."""
    ENGLISH_LITERAL = "ENGLISH_LITERAL"
    """The English text to the letter: contact data, whoever the anchor is (L27)."""


class PerRoom(StrEnum):
    """What "authenticate for each new room" (L13) asks of a remembered anchor (A9)."""

    CONFIRM = "CONFIRM"
    """To be picked for the room, with a place."""
    FRESH = "FRESH"
    """An attempt handed in after the pick."""


class OnRejectWhileLive(StrEnum):
    """What a rejection that can be submitted again does to a running broadcast (A14)."""

    KEEP = "KEEP"
    """It goes on and is flagged."""
    CUT = "CUT"
    """It ends."""


class PassportFace(StrEnum):
    """Who compares the face on the path PASSPORT_VISA (A26)."""

    NONE = "NONE"
    """A reviewer, by the photos."""
    PROVIDER = "PROVIDER"
    """The provider, as one more item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy pack: one answer to every question that the text leaves open. Instants are UTC."""

    name: str
    notice_version: str  # of the privacy notice that an anchor agrees to (X1)
    publicity_from: datetime | None = None  # first instant of the window (A1)
    publicity_until: datetime | None = None  # first instant after it
    foreign_seller: ForeignSeller = ForeignSeller.BY_ANCHOR
    per_room: PerRoom = PerRoom.CONFIRM
    freshness_months: int | None = None  # an approval older than this has ended (A9)
    submission_suffices: bool = True
    on_reject_while_live: OnRejectWhileLive = OnRejectWhileLive.KEEP
    strikes: int = 2  # so many rejections in a row, and submission no longer suffices
    max_attempts: int = 9  # so many handed-in attempts on a path, and a lead must unlock
    documents: tuple[tuple[DocumentKind, ...], ...] = (  # alternatives, each handed in together
        (DocumentKind.WORK_VISA,),
        (DocumentKind.RESIDENCE_PERMIT, DocumentKind.WORK_PERMIT),
        (DocumentKind.PERMANENT_RESIDENCE_CARD,),
    )
    regions: frozenset[str] = CHINESE_REGIONS
    passport_face: PassportFace = PassportFace.NONE
    review_contact: bool = True
    minimum_age: int = 16
    manifest_kept_years: int | None = None  # how long the cast manifest must be kept, at least


# Publicity: the Chinese text says 1-7 September, the English 31 August - 6 September, both "US West". The union
# of both, 31 August 00:00 to 8 September 00:00 in America/Los_Angeles (UTC-7 then), bears no one a wrong date (A1).
ALIEXPRESS_2021: Final = Policy(
    name="aliexpress-2021",
    notice_version="2021-08",
    publicity_from=datetime(2021, 8, 31, 7, tzinfo=UTC),
    publicity_until=datetime(2021, 9, 8, 7, tzinfo=UTC),
)

# After the 2026 measures on live-commerce: approval before the broadcast, a refresh every six months, a cast
# manifest kept for three years, a face check beside the photos. It has no publicity window: it waits for its launch.
CN_2026: Final = Policy(
    name="cn-2026",
    notice_version="2026-01",
    freshness_months=6,
    submission_suffices=False,
    on_reject_while_live=OnRejectWhileLive.CUT,
    passport_face=PassportFace.PROVIDER,
    manifest_kept_years=3,
)

PACKS: Final = {policy.name: policy for policy in (ALIEXPRESS_2021, CN_2026)}


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy and its launch, as they are in force; `launch_at` None: observe only (A2)."""

    policy: Policy
    launch_at: datetime | None = None
    revision: int = 1  # what admission records cite: grows with each change of pack or launch

    def is_enforced(self, now: datetime) -> bool:
        """Say whether broadcasts are refused at `now`: from the launch instant on (R31), never in publicity (R30)."""
        if self.launch_at is None:
            return False
        return now >= max(self.launch_at, self.policy.publicity_until or self.launch_at)

    def phase(self, now: datetime) -> PolicyPhase:
        """Return where the rules stand at `now`; a launch that comes early waits for the end of publicity (R30)."""
        if self.is_enforced(now):
            return PolicyPhase.ENFORCED
        if self.policy.publicity_from is not None and now < self.policy.publicity_from:
            return PolicyPhase.AWAITING_PUBLICITY
        if self.policy.publicity_until is not None and now < self.policy.publicity_until:
            return PolicyPhase.PUBLICITY
        return PolicyPhase.AWAITING_LAUNCH


@dataclass(frozen=True, slots=True)
class Knob:
    """A reading of an open question."""

    reading: str
    """Such as A9."""
    name: str
    """Such as per_room."""
    value: str
    """Such as CONFIRM."""


def knobs(policy: Policy) -> tuple[Knob, ...]:
    """Return every reading that this pack has fixed. The launch (A2) is no part of a pack: see `InForce`."""
    return tuple(Knob(reading, name, value(policy)) for reading, name, value in KNOBS)


def publicity(policy: Policy) -> str:
    """Return the window as an ISO 8601 interval, the end excluded, or NONE."""
    if policy.publicity_from is None or policy.publicity_until is None:
        return "NONE"
    return f"{policy.publicity_from:%Y-%m-%dT%H:%MZ}/{policy.publicity_until:%Y-%m-%dT%H:%MZ}"


def documents(policy: Policy) -> str:
    """Return the alternatives of A21 in one line."""
    return " | ".join(" + ".join(alternative) for alternative in policy.documents)


def months(count: int | None) -> str:
    """Return a number of months as an ISO 8601 duration, or NONE."""
    return "NONE" if count is None else f"P{count}M"


KNOBS: Final[tuple[tuple[str, str, Callable[[Policy], str]], ...]] = (
    ("A1", "publicity", publicity),
    ("A3", "foreign_seller", lambda policy: policy.foreign_seller),
    ("A9", "per_room", lambda policy: policy.per_room),
    ("A9", "freshness", lambda policy: months(policy.freshness_months)),
    ("A12", "submission_suffices", lambda policy: str(policy.submission_suffices).lower()),
    ("A14", "on_reject_while_live", lambda policy: policy.on_reject_while_live),
    ("A15", "strikes", lambda policy: str(policy.strikes)),
    ("A15", "max_attempts", lambda policy: str(policy.max_attempts)),
    ("A21", "documents", documents),
    ("A25", "regions", lambda policy: " ".join(sorted(policy.regions))),
    ("A26", "passport_face", lambda policy: policy.passport_face),
    ("A27", "review_contact", lambda policy: str(policy.review_contact).lower()),
    ("X1", "notice_version", lambda policy: policy.notice_version),
    ("X4", "manifest_kept", lambda policy: months(policy.manifest_kept_years and policy.manifest_kept_years * 12)),
    ("X9", "minimum_age", lambda policy: str(policy.minimum_age)),
)
