"""Terms: the words of the law, each meaning one thing.

The sentence below each member is its description in the GraphQL schema: one sentence serves code, explorer and docs.
"""

from enum import StrEnum
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["zh", "en"]

CHINESE_REGIONS: Final = frozenset({"CN", "HK", "MO", "TW"})


def is_chinese(nationality: str, *, regions: frozenset[str] = CHINESE_REGIONS) -> bool:
    """Say whether a person or company of this nationality (ISO 3166-1 alpha-2, upper case) is Chinese for the path.

    Nationals of Hong Kong, Macao and Taiwan are; a company's nationality is its place of registration (A25).
    `regions` is the knob: `Policy.regions`.
    """
    return nationality in regions


class AccountKind(StrEnum):
    """Who broadcasts."""

    SELLER = "SELLER"
    """商家: a shop."""
    BLOGGER = "BLOGGER"
    """达人: a creator."""


class BroadcastLocation(StrEnum):
    """Where the anchor stands during one broadcast."""

    # Hong Kong, Macao and Taiwan, Chinese for the nationality, are outside the mainland as a place (A25).
    IN_CHINA = "IN_CHINA"
    """In mainland China."""
    OUTSIDE_CHINA = "OUTSIDE_CHINA"
    """Anywhere else."""


class EntryPoint(StrEnum):
    """Where in the console an authentication was begun."""

    CONSOLE_HOME = "CONSOLE_HOME"
    """The console's home page, where a first authentication happens."""
    ROOM_EDITOR = "ROOM_EDITOR"
    """The cast field of the room form."""


class VerificationPath(StrEnum):
    """The three ways to verify an anchor's real name. The server picks the path; clients never do."""

    TAOBAO_APP = "TAOBAO_APP"
    """Real name and face recognition in the Taobao app: Chinese anchors."""
    PASSPORT_VISA = "PASSPORT_VISA"
    """Passport and work-visa photos: non-Chinese anchors working in China."""
    CONTACT = "CONTACT"
    """Name, nationality and e-mail: non-Chinese anchors outside China."""


class VerificationStatus(StrEnum):
    """Life of one verification attempt. SUBMITTED and APPROVED admit; see `AdmissionPolicy.submissionSuffices`.
    Being claimed by a reviewer is not a status."""

    DRAFT = "DRAFT"
    """Opened but not submitted. Never admits."""
    SUBMITTED = "SUBMITTED"
    """Handed in and waiting for review."""
    APPROVED = "APPROVED"
    """A reviewer or the Taobao app confirmed it."""
    REJECTED = "REJECTED"
    """Not accepted: see `review.findings`; submit again where `review.isRetryable`."""
    EXPIRED = "EXPIRED"
    """Was approved, but its validity ended."""
    REVOKED = "REVOKED"
    """Was approved, then withdrawn by a reviewer."""
    SUPERSEDED = "SUPERSEDED"
    """Was approved, then replaced by a newer approval."""
    CANCELED = "CANCELED"
    """Withdrawn by the account, or replaced before review."""


class DataState(StrEnum):
    """What has become of the data of a verification, whatever its status."""

    ACTIVE = "ACTIVE"
    """In use."""
    RESTRICTED = "RESTRICTED"
    """Kept because the law says so, and unusable."""
    ERASED = "ERASED"
    """Gone, files included."""


class DocumentKind(StrEnum):
    """What a photo shows."""

    PASSPORT_DATA_PAGE = "PASSPORT_DATA_PAGE"
    """The passport's data page."""
    WORK_VISA = "WORK_VISA"
    """Visa for work (Z)."""
    RESIDENCE_PERMIT = "RESIDENCE_PERMIT"
    """Residence permit for work."""
    WORK_PERMIT = "WORK_PERMIT"
    """Work permit."""
    PERMANENT_RESIDENCE_CARD = "PERMANENT_RESIDENCE_CARD"
    """Permanent-residence card."""


class DocumentStatus(StrEnum):
    """Life of an uploaded photo."""

    STAGED = "STAGED"
    """Waiting for bytes."""
    CHECKING = "CHECKING"
    """Bytes are here, being checked."""
    READY = "READY"
    """Checked and stored; `findings` may still warn."""
    FAILED = "FAILED"
    """Refused: wrong type, size or digest, unreadable, or refused before."""


class RequirementKind(StrEnum):
    """One thing that a path asks for."""

    CONSENT = "CONSENT"
    """Agreement to the privacy notice in force."""
    TAOBAO_AUTHENTICATION = "TAOBAO_AUTHENTICATION"
    """Authentication inside the Taobao app: real name and face."""
    LEGAL_NAME = "LEGAL_NAME"
    """Name as in the passport."""
    NATIONALITY = "NATIONALITY"
    """Nationality."""
    EMAIL = "EMAIL"
    """E-mail address."""
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    """Date of birth."""
    PASSPORT = "PASSPORT"
    """Number, issuing state, last day and photo of the passport."""
    RIGHT_TO_WORK = "RIGHT_TO_WORK"
    """A document that permits to work: see `accepts`."""
    FACE_CHECK = "FACE_CHECK"
    """Face check by the provider, where the policy asks for it beside the photos."""


class RequirementStatus(StrEnum):
    """State of one required item."""

    MISSING = "MISSING"
    """Not provided yet."""
    PROVIDED = "PROVIDED"
    """Provided, not reviewed."""
    ACCEPTED = "ACCEPTED"
    """Accepted."""
    REJECTED = "REJECTED"
    """Refused: provide it again."""


class LiveRoomStatus(StrEnum):
    """Life of a live room."""

    SCHEDULED = "SCHEDULED"
    """Created, not started."""
    LIVE = "LIVE"
    """Broadcasting."""
    ENDED = "ENDED"
    """Over."""
    CANCELED = "CANCELED"
    """Withdrawn before it began."""


class EndReason(StrEnum):
    """Why a broadcast was ended for its owner."""

    REJECTION = "REJECTION"
    """The policy, or a final rejection, ended it."""
    STAFF = "STAFF"
    """Someone of the staff ended it."""


class PolicyPhase(StrEnum):
    """Where the rules stand in time."""

    AWAITING_PUBLICITY = "AWAITING_PUBLICITY"
    """Not published yet: records what it would refuse."""
    PUBLICITY = "PUBLICITY"
    """In the publicity window: records what it would refuse."""
    AWAITING_LAUNCH = "AWAITING_LAUNCH"
    """Published and waiting for the launch notice: records what it would refuse."""
    ENFORCED = "ENFORCED"
    """Refuses broadcasts that break the rules."""


class AdmissionBlockerCode(StrEnum):
    """Why a room is refused."""

    CAST_EMPTY = "CAST_EMPTY"
    """Nobody is in the cast."""
    NOT_SUBMITTED = "NOT_SUBMITTED"
    """The anchor has submitted nothing on the required path."""
    PATH_CHANGED = "PATH_CHANGED"
    """Another path applies now and is not covered."""
    AWAITING_REVIEW = "AWAITING_REVIEW"
    """Submitted, but this policy or too many rejections ask for an approval first."""
    RESUBMIT = "RESUBMIT"
    """Rejected: provide the named items again."""
    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    """No attempt is left: a lead must unlock."""
    EXPIRED = "EXPIRED"
    """The verification ran out."""
    REVOKED = "REVOKED"
    """The approval was taken back."""
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    """Consent was withdrawn."""
    DOCUMENT_EXPIRES_BEFORE_BROADCAST = "DOCUMENT_EXPIRES_BEFORE_BROADCAST"
    """A document runs out before the broadcast."""
    NOT_CONFIRMED = "NOT_CONFIRMED"
    """Start or place changed since the anchor was confirmed for this room, or the policy wants a fresh attempt."""
    REJECTED = "REJECTED"
    """Rejected for good."""
    UNDER_MINIMUM_AGE = "UNDER_MINIMUM_AGE"
    """Under the minimum age."""


class ReviewDecision(StrEnum):
    """Outcome of a review."""

    APPROVE = "APPROVE"
    """Meets the requirements."""
    REJECT = "REJECT"
    """Must be uploaded again."""


class ReviewTaskState(StrEnum):
    """Life of a review task."""

    OPEN = "OPEN"
    """Waiting."""
    CLAIMED = "CLAIMED"
    """Taken by someone, while the lease lasts."""
    HALF_DECIDED = "HALF_DECIDED"
    """One of two decisions is there."""
    DECIDED = "DECIDED"
    """Decided."""


class FindingCode(StrEnum):
    """Why a reviewer refused an item."""

    IMAGE_UNREADABLE = "IMAGE_UNREADABLE"
    """Blurred, dark or too small."""
    IMAGE_GLARE = "IMAGE_GLARE"
    """A reflection hides data."""
    IMAGE_INCOMPLETE = "IMAGE_INCOMPLETE"
    """Cropped or partly hidden."""
    IMAGE_GREYSCALE = "IMAGE_GREYSCALE"
    """Not in colour."""
    IMAGE_SCREEN_OR_COPY = "IMAGE_SCREEN_OR_COPY"
    """A photo of a screen or of a copy."""
    IMAGE_SAME_AS_REJECTED = "IMAGE_SAME_AS_REJECTED"
    """The same image was refused before."""
    WRONG_DOCUMENT = "WRONG_DOCUMENT"
    """Another kind of document."""
    PAGE_MISSING = "PAGE_MISSING"
    """A page or side is missing."""
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED"
    """Past its expiry date."""
    DOCUMENT_EXPIRES_BEFORE_BROADCAST = "DOCUMENT_EXPIRES_BEFORE_BROADCAST"
    """Runs out before the broadcast."""
    DOCUMENT_DAMAGED = "DOCUMENT_DAMAGED"
    """Torn, wet or defaced."""
    MRZ_UNREADABLE = "MRZ_UNREADABLE"
    """The machine-readable zone can't be read."""
    MRZ_CHECK_DIGIT_FAILED = "MRZ_CHECK_DIGIT_FAILED"
    """The machine-readable zone contradicts itself."""
    MRZ_VISUAL_MISMATCH = "MRZ_VISUAL_MISMATCH"
    """The machine-readable zone differs from the page."""
    NAME_MISMATCH = "NAME_MISMATCH"
    """The name differs."""
    NATIONALITY_MISMATCH = "NATIONALITY_MISMATCH"
    """The nationality differs."""
    DATE_OF_BIRTH_MISMATCH = "DATE_OF_BIRTH_MISMATCH"
    """Date of birth differs between items."""
    PASSPORT_VISA_MISMATCH = "PASSPORT_VISA_MISMATCH"
    """The visa belongs to another passport."""
    VISA_NOT_FOR_WORK = "VISA_NOT_FOR_WORK"
    """The visa does not permit work."""
    EMAIL_UNVERIFIED = "EMAIL_UNVERIFIED"
    """The address did not answer."""
    FACE_NOT_PASSED = "FACE_NOT_PASSED"
    """The face check failed."""
    ID_NAME_MISMATCH = "ID_NAME_MISMATCH"
    """Name and identity number do not belong together."""
    WRONG_PATH = "WRONG_PATH"
    """What was shown calls for another path."""
    OTHER = "OTHER"
    """See the message."""
    UNDER_MINIMUM_AGE = "UNDER_MINIMUM_AGE"
    """Final: too young."""
    IMPERSONATION = "IMPERSONATION"
    """Final: the person is someone else."""
    FORGED_DOCUMENT = "FORGED_DOCUMENT"
    """Final: the document is forged or edited."""
    BLOCKLISTED_PERSON = "BLOCKLISTED_PERSON"
    """Final: the person is barred."""


class TaobaoSessionStatus(StrEnum):
    """How far the app has come. Only PASSED and FAILED decide; the others ask to try again."""

    CREATED = "CREATED"
    """Link made, not opened."""
    OPENED = "OPENED"
    """The anchor is in the app."""
    PENDING = "PENDING"
    """Finished; the outcome is still open."""
    PASSED = "PASSED"
    """Name and face passed."""
    FAILED = "FAILED"
    """Name or face did not pass."""
    DECLINED = "DECLINED"
    """The anchor declined."""
    ABANDONED = "ABANDONED"
    """Left unfinished."""
    EXPIRED = "EXPIRED"
    """The link ran out."""
    UNAVAILABLE = "UNAVAILABLE"
    """The other side does not answer; nobody's fault here."""
