"""Cases: plain builders with real defaults. A room of a Chinese seller, on air in an hour, with a ready cast."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from greenroom.law.admission import Admission, Appearance, Attempt, Finding, Question, Refused
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026, InForce
from greenroom.law.reasons import requirement_of
from greenroom.law.terms import (
    AccountKind,
    AdmissionBlockerCode,
    BroadcastLocation,
    FindingCode,
    VerificationPath,
    VerificationStatus,
)

SELLER, BLOGGER = AccountKind
IN_CHINA, OUTSIDE_CHINA = BroadcastLocation
TAOBAO_APP, PASSPORT_VISA, CONTACT = VerificationPath
DRAFT, SUBMITTED, APPROVED, REJECTED, EXPIRED, REVOKED, SUPERSEDED, CANCELED = VerificationStatus
B = AdmissionBlockerCode
F = FindingCode

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)  # noon in Shanghai
LAUNCH = datetime(2021, 10, 1, tzinfo=UTC)
ENFORCED = InForce(ALIEXPRESS_2021, launch_at=LAUNCH, revision=3)
STRICT = InForce(CN_2026, launch_at=LAUNCH, revision=4)
OBSERVED = InForce(ALIEXPRESS_2021, launch_at=None, revision=2)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def attempt(
    status: VerificationStatus = SUBMITTED,
    path: VerificationPath = CONTACT,
    *,
    days_ago: float = 2,
    found: tuple[FindingCode, ...] = (),
    **given: Any,
) -> Attempt:
    """An attempt handed in `days_ago`, decided at once where its status says so; drafts were never handed in."""
    handed_in = None if status is DRAFT else ago(days_ago)
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "submitted_at": handed_in,
        "decided_at": None if status in (DRAFT, SUBMITTED, CANCELED) else handed_in,
        "is_retryable": True if status is REJECTED else None,
        "has_email": path is CONTACT,
        "findings": tuple(Finding(code, requirement_of(code, path=path)) for code in found),
    }
    return Attempt(path=path, status=status, **defaults | given)


def appearance(*attempts: Attempt, **given: Any) -> Appearance:
    """A foreign anchor abroad, picked for the room a day ago."""
    defaults: dict[str, Any] = {
        "member_id": uuid4(),
        "anchor_id": uuid4(),
        "anchor_is_chinese": False,
        "location": OUTSIDE_CHINA,
        "confirmed_at": ago(1),
        "has_consent": True,
    }
    return Appearance(attempts=attempts, **defaults | given)


def ready(**given: Any) -> Appearance:
    return appearance(attempt(SUBMITTED), **given)


def in_china(*attempts: Attempt, **given: Any) -> Appearance:
    return appearance(*attempts, location=IN_CHINA, **given)


def room(*cast: Appearance, airs_at: datetime = NOW + timedelta(hours=1), **given: Any) -> Question:
    return Question(
        account_kind=given.get("kind", SELLER),
        account_is_chinese=given.get("is_chinese", True),
        airs_at=airs_at,
        cast=cast,
    )


def refused_for(answer: Admission) -> list[AdmissionBlockerCode]:
    """The codes that refuse, in order; empty when admitted."""
    return [blocker.code for blocker in answer.blockers] if isinstance(answer, Refused) else []


def recorded(answer: Admission) -> list[AdmissionBlockerCode]:
    """The codes that are only recorded."""
    return [blocker.code for blocker in answer.would_block]


def an_id(number: int) -> UUID:
    return UUID(int=number)
