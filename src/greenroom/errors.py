"""Errors: everything that we refuse, as values, and the one place that puts it into words.

Problem                     one thing that a caller can understand and act on
├── Required                the value is missing
├── Invalid                 the value has the wrong form; `words` says which
├── NotFound                no such object, or not yours: the same answer
├── PermissionDenied        the caller lacks the permission
├── Stale                   someone else wrote first
├── InvalidState            not from where the object stands now
├── IdempotencyMismatch     the key came before with other input
├── TooManyAttempts         a lead must unlock (A15, X10)
├── WrongPath               the system decides the path (R16)
└── NotAdmitted             the law says no; carries every blocker
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

from greenroom.law.reasons import PATHS
from greenroom.law.terms import LiveRoomStatus, RequirementKind, VerificationPath

Path = tuple[str, ...]  # into the arguments of a mutation: ("input", "cast", "0", "location")


class UserErrorCode(StrEnum):
    """Reasons that a mutation was refused. New values may be added: clients need a default branch."""

    ADMISSION_REFUSED = "ADMISSION_REFUSED"
    """The room may not broadcast: see `AdmissionRefused.blockers`."""
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    """The same idempotency key came with other input."""
    INVALID = "INVALID"
    """The value has the wrong form."""
    INVALID_STATE = "INVALID_STATE"
    """Not allowed in the object's present state."""
    NOT_FOUND = "NOT_FOUND"
    """No such object, or not visible to the viewer."""
    PERMISSION_DENIED = "PERMISSION_DENIED"
    """The viewer lacks the permission."""
    REQUIRED = "REQUIRED"
    """The value is required on this path."""
    STALE = "STALE"
    """The object changed since it was read: see `VersionConflict`."""
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    """Too many attempts."""
    WRONG_PATH = "WRONG_PATH"
    """The anchor's path is another one."""


class Words(NamedTuple):
    """One sentence in both languages, with places for a problem's values: what is wrong, and what to do next."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a verb did not happen. Nothing was written."""

    code: ClassVar[UserErrorCode]
    words: ClassVar[Words]
    at: Path = ("input",)
    requirement: RequirementKind | None = None
    sentence: Words | None = None  # where one says more than the code's own words

    def said(self, language: str) -> str:
        """Return the sentence for people, in `zh` or `en`."""
        words = self.sentence or self.own_words()
        return (words.zh if language == "zh" else words.en).format(**self.places(language))

    def own_words(self) -> Words:
        """Return what is said where no sentence says more."""
        return self.words

    def places(self, language: str) -> dict[str, object]:
        """Return what stands in the places of the sentence, in `zh` or `en`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Required(Problem):
    code = UserErrorCode.REQUIRED
    words = Words("This is required. Fill it in and send the form again.", "此项为必填项，请填写后重新提交。")

    def own_words(self) -> Words:
        """Consent is asked for, not filled in."""
        return CONSENT_MISSING if self.requirement is RequirementKind.CONSENT else self.words


@dataclass(frozen=True, slots=True)
class Invalid(Problem):
    values: tuple[tuple[str, object], ...] = ()
    code = UserErrorCode.INVALID
    words = Words("This value has the wrong form.", "格式不正确。")

    def places(self, language: str) -> dict[str, object]:
        """Return the values that this sentence names."""
        return dict(self.values)


@dataclass(frozen=True, slots=True)
class NotFound(Problem):
    code = UserErrorCode.NOT_FOUND
    words = Words(
        "There is no such object. Read the list again and pick from it.", "找不到该对象，请刷新列表后重新选择。"
    )


@dataclass(frozen=True, slots=True)
class PermissionDenied(Problem):
    permission: str = ""
    code = UserErrorCode.PERMISSION_DENIED
    words = Words(
        "This needs the permission {permission}. Ask an administrator for it.",
        "此操作需要 {permission} 权限，请联系管理员。",
    )


@dataclass(frozen=True, slots=True)
class Stale(Problem):
    current_version: int = 0
    code = UserErrorCode.STALE
    words = Words(
        "It changed since you read it. Read it again, then repeat your change.",
        "内容已被更新，请重新读取后再修改。",
    )


@dataclass(frozen=True, slots=True)
class InvalidState(Problem):
    code = UserErrorCode.INVALID_STATE
    words = Words(
        "Its present state does not allow this. Read it again to see what is possible now.",
        "当前状态不支持此操作，请刷新后查看。",
    )


@dataclass(frozen=True, slots=True)
class IdempotencyMismatch(Problem):
    code = UserErrorCode.IDEMPOTENCY_MISMATCH
    words = Words(
        "This idempotency key was used for another request. Use a new key for a new request.",
        "该幂等键已用于其他请求，请为新请求使用新的键。",
    )


@dataclass(frozen=True, slots=True)
class TooManyAttempts(Problem):
    code = UserErrorCode.TOO_MANY_ATTEMPTS
    words = Words(
        "No attempt is left. Ask the platform's support to unlock this anchor.",
        "认证次数已用完，请联系平台客服解锁。",
    )


@dataclass(frozen=True, slots=True)
class WrongPath(Problem):
    path: str = ""
    code = UserErrorCode.WRONG_PATH
    words = Words(
        "For this anchor at this place another path applies: {path}. Check nationality and place; the anchor's"
        " requirement lists what that path asks for.",
        "该主播在此地点适用的认证方式为“{path}”。请核对国籍和所在地；所需项目见该主播的认证要求（requirement）。",
    )

    def places(self, language: str) -> dict[str, object]:
        """Return the path as people call it."""
        called = PATHS[VerificationPath(self.path)]
        return {"path": called.zh if language == "zh" else called.en[:1].lower() + called.en[1:]}


@dataclass(frozen=True, slots=True)
class NotAdmitted(Problem):
    verdict: Any = None  # rooms.gate.Verdict: with every blocker; the slice below cannot name it
    code = UserErrorCode.ADMISSION_REFUSED
    words = Words(
        "This room may not go on air yet. Each blocker says what is missing.",
        "该直播间暂时不能开播，请按各项提示补充。",
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """The outcome of a verb that did not happen, with every problem at once. What it had begun is rolled back."""

    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, *problems: Problem) -> "Refused":
        """Return the refusal of these problems."""
        return cls(problems)


def invalid(at: Path, words: Words, *, requirement: RequirementKind | None = None, **values: object) -> Invalid:
    """Return the problem of a value with the wrong form."""
    return Invalid(at, requirement, words, tuple(values.items()))


NO_TOKEN = Words(
    "Say who you are: send an access token in the header Authorization: Bearer.",
    "请先登录：在 Authorization: Bearer 请求头中发送访问令牌。",
)

CONSENT_MISSING = Words(
    "The anchor's consent is missing. Show them the privacy notice (admissionPolicy.notice), then send its version as"
    " consentVersion where the input takes it, or with anchorConsentGive.",
    "尚未取得主播同意。请向其展示隐私声明（admissionPolicy.notice），同意后将声明版本填入 consentVersion，"
    "或通过 anchorConsentGive 提交。",
)

# The words of `Invalid`, one entry for each way in which a value can be wrong.
BLANK = Words("This is empty. Give at least one visible character.", "内容为空，请至少填写一个可见字符。")
TOO_LONG = Words("At most {most} characters are allowed; this has {given}.", "最多 {most} 个字符，当前为 {given} 个。")
CONTROL_CHARACTERS = Words(
    "Invisible control characters are not allowed. Type the text anew.", "不允许包含不可见的控制字符，请重新输入。"
)
EMAIL_IMPOSSIBLE = Words(
    "This is not the form of an e-mail address. Check it for typing errors.", "邮箱格式不正确，请检查拼写。"
)
COUNTRY_UNKNOWN = Words(
    "This is no country code. Use the two letters of ISO 3166-1, such as ES.",
    "国家/地区代码无效，请使用 ISO 3166-1 两位字母代码，例如 ES。",
)
NATIONALITY_DIFFERS = Words(
    "The nationality differs from the anchor's. Correct one of the two.", "国籍与主播资料不一致，请更正其中一项。"
)
NOTICE_UNKNOWN = Words(
    "This is not the privacy notice in force, which is {version}. Show that one and ask again.",
    "隐私声明版本不是现行版本 {version}，请展示现行版本后重新征求同意。",
)
CAST_TOO_LARGE = Words(
    "At most {most} anchors can be in a cast; this has {given}.", "每场直播最多 {most} 位主播，当前为 {given} 位。"
)
CAST_REPEATS = Words(
    "This anchor is in the cast already. Name each anchor once.", "该主播已在参演名单中，请勿重复添加。"
)
START_PAST = Words("The start is in the past. Choose a later one.", "开播时间已过，请选择之后的时间。")
START_FAR = Words(
    "The start is more than {days} days ahead. Choose an earlier one.", "开播时间超过 {days} 天，请选择更早的时间。"
)
START_FIXED = Words("The broadcast runs: its start can't change any more.", "直播已开始，无法再修改开播时间。")
ANCHOR_FORGOTTEN = Words(
    "This anchor was taken off the list of those to pick. Add them anew.", "该主播已从可选列表中移除，请重新添加。"
)
REJECTED_FOR_GOOD = Words(
    "This anchor was rejected for good and can't hand in again. Ask the platform's support.",
    "该主播的认证已被最终驳回，不能再次提交，请联系平台客服。",
)
ATTEMPT_CLOSED = Words(
    "This attempt was decided, replaced or taken back before. Read it again.",
    "该认证已审核、已被替代或已撤回，请刷新查看。",
)
BEING_DECIDED = Words(
    "A reviewer is deciding about this attempt right now. Try again once it is decided, or in 20 minutes.",
    "审核员正在审核该认证，请待审核完成或 20 分钟后重试。",
)
NOTHING_NEW = Words(
    "This attempt waits for review as it is, and nothing was given to change it. Give what is to change.",
    "该认证正在等待审核，本次未提交任何新内容，请填写需要更改的项目。",
)
CLAIMED_BY_ANOTHER = Words(
    "Somebody else has claimed this task. Take another one, or come back when the claim has lapsed: claimExpiresAt.",
    "该任务已被他人领取，请处理其他任务，或在领取到期（claimExpiresAt）后重试。",
)
CLAIM_LACKING = Words(
    "You have no claim on this review, or it has lapsed. Claim it first: reviewTaskClaim.",
    "您尚未领取该审核任务，或领取已到期，请先领取（reviewTaskClaim）。",
)
REVIEW_CLOSED = Words(
    "Nothing is left to decide here: it was decided before, or withdrawn. Read the queue again.",
    "该任务已审核或已撤回，无需处理，请刷新队列。",
)
NOT_YOUR_OWN = Words(
    "You act for this account. Somebody else has to review it.", "您是该账号的操作人，须由其他审核员处理。"
)
FINDINGS_OF_APPROVAL = Words(
    "An approval has no findings. Leave them out, or reject.", "通过审核时不能填写问题，请删除，或改为驳回。"
)
FINDINGS_TOO_MANY = Words("At most {most} findings; these are {given}.", "最多 {most} 条问题，当前为 {given} 条。")
FINDING_ELSEWHERE = Words(
    "No such item was handed in here. Name one of: {known}.", "本次提交没有此项目，可选：{known}。"
)
FINDING_OTHER_ITEM = Words(
    "This reason is never about that item. Name one of: {known}.", "该原因不适用于此项目，可选：{known}。"
)
FINDING_NO_SUCH_PHOTO = Words(
    "No such document was handed in for this item. Name one of: {known}; or none, for the item as a whole.",
    "此项目未提交该类证件，可选：{known}；不填则表示整个项目。",
)
UNDER_AGE = Words(
    "By the date of birth that was given this person is under the minimum age. Reject it: UNDER_MINIMUM_AGE.",
    "按所填出生日期，该主播未达到最低年龄，不能通过，请以 UNDER_MINIMUM_AGE 驳回。",
)
REVIEW_OVER = Words(
    "It was decided or withdrawn before: only a lead (REVIEW_LEAD) may look into it now.",
    "该认证已审核或已撤回，仅审核主管（REVIEW_LEAD）可查看。",
)

# What a verb says of a room that stands where it can do nothing: the states that it refuses, each with the way on.
InsteadOf = Mapping[LiveRoomStatus, Words]
ROOM_OVER: Final[InsteadOf] = {
    LiveRoomStatus.ENDED: Words("The broadcast has ended. Create a new room.", "直播已结束，请新建直播间。"),
    LiveRoomStatus.CANCELED: Words("The room was canceled. Create a new room.", "直播间已取消，请新建直播间。"),
}
CANNOT_GO_LIVE: Final[InsteadOf] = {
    **ROOM_OVER,
    LiveRoomStatus.LIVE: Words(
        "The room is on air already. The next ticket comes from liveRoomTicketRenew.",
        "直播间正在直播，无需再次开播；如需新票据，请使用 liveRoomTicketRenew。",
    ),
}
CANNOT_RENEW: Final[InsteadOf] = {
    **ROOM_OVER,
    LiveRoomStatus.SCHEDULED: Words(
        "The room is not on air. Its first ticket comes from liveRoomGoLive.",
        "直播间尚未开播，首张票据在开播（liveRoomGoLive）时签发。",
    ),
}
CANNOT_END: Final[InsteadOf] = {
    LiveRoomStatus.SCHEDULED: Words(
        "The room is not on air, so there is nothing to end. Cancel it instead: liveRoomCancel.",
        "直播间尚未开播，无法结束；如不再直播，请取消直播间（liveRoomCancel）。",
    ),
    LiveRoomStatus.ENDED: Words(
        "The broadcast has ended already: nothing is left to do.", "直播此前已结束，无需再次操作。"
    ),
    LiveRoomStatus.CANCELED: Words(
        "The room was canceled before it went on air: there is nothing to end.", "直播间在开播前已取消，无需结束。"
    ),
}
CANNOT_CANCEL: Final[InsteadOf] = {
    LiveRoomStatus.LIVE: Words(
        "A broadcast that has begun can't be canceled. End it instead: liveRoomEnd.",
        "直播已开始，无法取消；请结束直播（liveRoomEnd）。",
    ),
    LiveRoomStatus.ENDED: Words("The broadcast has ended: there is nothing to cancel.", "直播已结束，无需取消。"),
    LiveRoomStatus.CANCELED: Words(
        "The room was canceled already: nothing is left to do.", "直播间此前已取消，无需再次操作。"
    ),
}
JOIN_REFUSED = Words(
    "With this cast the broadcast may not go on, so nothing was changed. Each blocker says what is missing.",
    "更改后的参演名单不符合开播要求，更改未生效，请按各项提示补充。",
)
CUT = Words(
    "This broadcast must end: no further ticket is given. Each blocker says why.",
    "该直播须立即结束，不再签发新票据，原因见各项提示。",
)
PHOTO_NOT_READY = Words(
    "This photo is not ready. Wait until it is checked, or send another one.",
    "该照片尚未就绪，请等待检查完成或重新上传。",
)
PHOTO_REFUSED = Words("This image was refused before. Take a new one.", "该照片此前已被退回，请重新拍摄。")
PHOTOS_MISSING = Words(
    "A photo is missing for this item. Hand in {kinds}, and what of it is there already need not come again.",
    "该项目缺少照片，请提交 {kinds}；其中已提交且未被退回的无需重复提交。",
)
PHOTO_REPEATS = Words("This photo is named twice. Name each once.", "该照片重复，请勿重复提交。")
IMAGE_REPEATS = Words(
    "This is the same image as another one here. Hand in each once, and another photo in its place if one is due.",
    "该照片与本次提交的另一张相同，请勿重复提交；如仍缺照片，请另行拍摄。",
)
MRZ_UNREADABLE = Words(
    "The machine-readable zone can't be read in line {line}, characters {first} to {last}. Type both lines anew.",
    "机读区第 {line} 行第 {first} 至 {last} 位无法识别，请重新输入两行内容。",
)
MRZ_FAILS = Words(
    "The machine-readable zone contradicts itself: a check digit covers line {line}, characters {first} to {last}."
    " Compare it with the document, letter by letter.",
    "机读区校验不符（第 {line} 行第 {first} 至 {last} 位），请与证件逐字核对。",
)
NUMBER_FORM = Words(
    "A passport number has letters and digits, at most {most}. Type it as it stands in the passport.",
    "护照号码仅含字母和数字，最多 {most} 位，请按护照填写。",
)
NUMBER_DIFFERS = Words(
    "This is not the number in the machine-readable zone. Correct one of the two.",
    "护照号码与机读区不一致，请更正其中一项。",
)
ISSUER_DIFFERS = Words(
    "This is not the issuing state in the machine-readable zone. Correct one of the two.",
    "签发国与机读区不一致，请更正其中一项。",
)
BORN_IMPOSSIBLE = Words("Nobody on camera was born then. Check the date.", "出生日期不正确，请核对。")
BORN_DIFFERS = Words(
    "This is not the date of birth in the machine-readable zone. Correct one of the two.",
    "出生日期与机读区不一致，请更正其中一项。",
)
LAST_DAY_DIFFERS = Words(
    "This is not the last day in the machine-readable zone. Correct one of the two.",
    "有效期与机读区不一致，请更正其中一项。",
)
LAST_DAY_PAST = Words("This document has run out. Send one that is still good.", "该证件已过期，请提供有效证件。")
PHOTOS_TOO_MANY = Words(
    "At most {most} photos fit here; this makes {given}. Hand in or wait for those that are there.",
    "最多 {most} 张照片，当前为 {given} 张，请先提交已有照片或稍后再试。",
)
PHOTO_SIZE = Words(
    "A photo has 1 to {most} bytes. Take it again in ordinary quality.",
    "照片大小须为 1 至 {most} 字节，请以普通画质重新拍摄。",
)
PHOTO_TYPE = Words("This type of file is not taken. Send one of: {known}.", "不支持该文件类型，请使用：{known}。")
DIGEST_FORM = Words(
    "Give the SHA-256 of the file, 64 hexadecimal digits.", "请提供文件的 SHA-256 摘要（64 位十六进制）。"
)
LAUNCH_PUBLICITY = Words(
    "In the publicity window nothing is enforced. Choose a launch at its end or later: see publicityUntil.",
    "规则公示期内不得执行规则，请选择公示期结束之后的上线时间（见 publicityUntil）。",
)
POLICY_UNKNOWN = Words("There is no such policy. Known are: {known}.", "没有该规则版本，可选：{known}。")
KEY_LENGTH = Words("An idempotency key has 1 to {most} characters.", "幂等键长度须为 1 至 {most} 个字符。")

# Names of constraints that a racing writer can meet, and what it is told then:
# Python explains, PostgreSQL guarantees.
CONSTRAINTS: dict[str, Problem] = {
    "cast_members_once": invalid(("input", "cast"), CAST_REPEATS),
    "cast_members_of_anchor": NotFound(("input", "cast")),
    "live_rooms_of_account": NotFound(("input", "accountId")),
    "anchors_of_account": NotFound(("input", "accountId")),
    "verifications_one_awaiting_review": Stale(("input", "anchorId")),
}
