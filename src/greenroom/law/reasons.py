"""Reasons: every code of the law in Chinese and English, what it concerns, and the lines that it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NewType, assert_never

from greenroom.law.basis import RuleBasis
from greenroom.law.terms import (
    AdmissionBlockerCode,
    FindingCode,
    Language,
    RequirementKind,
    VerificationPath,
)

ForAnchor = NewType("ForAnchor", str)
"""Text that the anchor and the account may read (X7)."""
ForStaff = NewType("ForStaff", str)
"""Text that staff write for themselves: never shown to the account, and no `ForAnchor` by type (X7)."""


@dataclass(frozen=True, slots=True)
class Words:
    """One text in both languages."""

    zh: str
    en: str

    def said_in(self, language: Language) -> ForAnchor:
        """Return the text in one language."""
        match language:
            case "zh":
                return ForAnchor(self.zh)
            case "en":
                return ForAnchor(self.en)
            case _:
                assert_never(language)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is refused: the words, the items that it can concern, and what follows for the anchor."""

    words: Words
    concerns: tuple[RequirementKind, ...]  # the first that the attempt's path asks for is meant
    basis: RuleBasis
    is_final: bool = False  # never to be submitted again, whoever decides
    concerns_only_itself: bool = True  # says nothing against an older approval (R24)
    is_of_image: bool = False  # the image itself is refused: the same one is not taken again


def requirement_of(code: FindingCode, *, path: VerificationPath) -> RequirementKind:
    """Return the item that a finding concerns on this path, where the reviewer names none."""
    return next((kind for kind in REASONS[code].concerns if kind in ASKED[path]), ASKED[path][0])


def is_about(code: FindingCode, requirement: RequirementKind) -> bool:
    """Say whether a finding can be about an item; what has words of its own can be about any."""
    return needs_message(code) or requirement in REASONS[code].concerns


def needs_message(code: FindingCode) -> bool:
    """Say whether the finding says nothing without a text of its own."""
    return code is FindingCode.OTHER


CONSENT, TAOBAO, NAME, NATIONALITY, EMAIL, BORN, PASSPORT, PERMIT, FACE = RequirementKind

# Which items a finding can be about on each path; the first is meant where a reason names none of them.
ASKED: Final[Mapping[VerificationPath, tuple[RequirementKind, ...]]] = {
    VerificationPath.TAOBAO_APP: (TAOBAO,),
    VerificationPath.PASSPORT_VISA: (PASSPORT, PERMIT, NAME, NATIONALITY, BORN, FACE, EMAIL),
    VerificationPath.CONTACT: (NAME, NATIONALITY, EMAIL),
}

PHOTOS = RuleBasis("R37", ("L3", "L8", "L12", "L25", "L30"))  # photos that do not conform are uploaded again
AGAIN = RuleBasis("R37", ("L12",))  # the same of what is typed, on whatever path
FACES = RuleBasis("R4", ("L18",))
WORK = RuleBasis("R5", ("L3", "L8", "L25", "L30"), reading="A21")
REAL_NAME = RuleBasis("X10", ("L17", "L18"))
DOCUMENT = (PASSPORT, PERMIT)

REASONS: Final[Mapping[FindingCode, Reason]] = {
    FindingCode.IMAGE_UNREADABLE: Reason(
        Words("照片模糊、过暗或过小，请重新拍摄。", "The photo is blurred, dark or too small: take it again."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.IMAGE_GLARE: Reason(
        Words("照片反光，遮住了信息，请避开光源重拍。", "A reflection hides data: take the photo away from the light."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.IMAGE_INCOMPLETE: Reason(
        Words("证件未完整入镜或被遮挡。", "The document is cropped or partly hidden: show it whole."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.IMAGE_GREYSCALE: Reason(
        Words("请提供彩色照片。", "The photo must be in colour."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.IMAGE_SCREEN_OR_COPY: Reason(
        Words("请拍摄证件原件，不要翻拍屏幕或复印件。", "Photograph the document itself, not a screen or a copy."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.IMAGE_SAME_AS_REJECTED: Reason(
        Words("该照片此前已被退回，请重新拍摄。", "This image was refused before: take a new one."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.WRONG_DOCUMENT: Reason(
        Words("证件类型不符。", "This is another kind of document than the one asked for."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.PAGE_MISSING: Reason(
        Words("缺少页面或其中一面。", "A page or side is missing."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.DOCUMENT_EXPIRED: Reason(
        Words("证件已过期。", "The document is past its expiry date."),
        DOCUMENT,
        RuleBasis("X2", ("L3", "L8", "L25", "L30")),
        is_of_image=True,
    ),
    FindingCode.DOCUMENT_EXPIRES_BEFORE_BROADCAST: Reason(
        Words("证件将在直播前过期。", "The document runs out before the broadcast."),
        DOCUMENT,
        RuleBasis("X2", ("L3", "L8", "L25", "L30")),
    ),
    FindingCode.DOCUMENT_DAMAGED: Reason(
        Words("证件破损、受潮或污损。", "The document is torn, wet or soiled."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.MRZ_UNREADABLE: Reason(
        Words("证件机读码无法识别。", "The machine-readable zone can't be read."),
        DOCUMENT,
        PHOTOS,
        is_of_image=True,
    ),
    FindingCode.MRZ_CHECK_DIGIT_FAILED: Reason(
        Words("证件机读码校验不通过。", "The machine-readable zone contradicts itself: a check digit fails."),
        DOCUMENT,
        PHOTOS,
    ),
    FindingCode.MRZ_VISUAL_MISMATCH: Reason(
        Words("证件机读码与页面信息不一致。", "The machine-readable zone differs from what the page says."),
        DOCUMENT,
        PHOTOS,
    ),
    FindingCode.NAME_MISMATCH: Reason(
        Words("姓名不一致。", "The name differs from the document or from what was given before."),
        (NAME, PASSPORT, TAOBAO, PERMIT),
        AGAIN,
    ),
    FindingCode.NATIONALITY_MISMATCH: Reason(
        Words("国籍不一致。", "The nationality differs from the document or from what was given before."),
        (NATIONALITY, PASSPORT, TAOBAO, PERMIT),
        AGAIN,
        concerns_only_itself=False,  # the path itself rests on the nationality
    ),
    FindingCode.DATE_OF_BIRTH_MISMATCH: Reason(
        Words("出生日期不一致。", "The date of birth differs between items."),
        (BORN, PASSPORT, TAOBAO, PERMIT),
        AGAIN,
    ),
    FindingCode.PASSPORT_VISA_MISMATCH: Reason(
        Words("签证与护照不匹配。", "The visa belongs to another passport."),
        (PERMIT, PASSPORT),
        WORK,
        is_of_image=True,
    ),
    FindingCode.VISA_NOT_FOR_WORK: Reason(
        Words("该签证不允许在中国工作。", "The visa does not permit work."),
        (PERMIT,),
        WORK,
        is_of_image=True,
    ),
    FindingCode.EMAIL_UNVERIFIED: Reason(
        Words("邮箱未能联系上，请核对后重新填写。", "The e-mail address did not answer: check it and give it again."),
        (EMAIL,),
        RuleBasis("R6", ("L4", "L5", "L7", "L18"), reading="A27"),
    ),
    FindingCode.FACE_NOT_PASSED: Reason(
        Words("人脸识别未通过，请重试。", "The face check failed: try again."),
        (TAOBAO, FACE, PASSPORT),
        FACES,
    ),
    FindingCode.ID_NAME_MISMATCH: Reason(
        Words("姓名与身份证号不匹配。", "Name and identity number do not belong together."),
        (TAOBAO, NAME),
        FACES,
    ),
    FindingCode.WRONG_PATH: Reason(
        Words("根据所提交的信息，应使用其他认证方式。", "What was shown calls for another way to authenticate."),
        (NATIONALITY, PASSPORT, TAOBAO),
        RuleBasis("R16", ("L2", "L3", "L4", "L5", "L7", "L8", "L9")),
        concerns_only_itself=False,
    ),
    FindingCode.OTHER: Reason(
        Words("其他原因，请查看说明。", "Another reason: see the message."),
        (TAOBAO, PASSPORT, NAME),
        AGAIN,
        concerns_only_itself=False,  # what the reviewer meant is not known here
    ),
    FindingCode.UNDER_MINIMUM_AGE: Reason(
        Words("未达到最低年龄，不能出镜直播。", "Too young to appear in a live broadcast."),
        (BORN, TAOBAO, NAME, PASSPORT),
        RuleBasis("X9", ()),
        is_final=True,
        concerns_only_itself=False,
    ),
    FindingCode.IMPERSONATION: Reason(
        Words("非本人认证。", "The person is someone else."),
        (FACE, PASSPORT, TAOBAO, NAME),
        REAL_NAME,
        is_final=True,
        concerns_only_itself=False,
        is_of_image=True,
    ),
    FindingCode.FORGED_DOCUMENT: Reason(
        Words("证件系伪造或经过篡改。", "The document is forged or edited."),
        DOCUMENT,
        REAL_NAME,
        is_final=True,
        concerns_only_itself=False,
        is_of_image=True,
    ),
    FindingCode.BLOCKLISTED_PERSON: Reason(
        Words("该主播已被禁止开播。", "This person is barred from broadcasting."),
        (NAME, TAOBAO, PASSPORT),
        RuleBasis("X10", ()),
        is_final=True,
        concerns_only_itself=False,
    ),
}

BLOCKERS: Final[Mapping[AdmissionBlockerCode, Words]] = {
    AdmissionBlockerCode.CAST_EMPTY: Words(
        "参演主播为空，请至少选择一位主播。", "Nobody is in the cast: pick at least one anchor."
    ),
    AdmissionBlockerCode.NOT_SUBMITTED: Words(
        "该主播尚未提交所需的实名认证。", "This anchor has not submitted the authentication that applies here."
    ),
    AdmissionBlockerCode.PATH_CHANGED: Words(
        "国籍或所在地变化后，需要改用另一种认证方式。",
        "With this nationality and place another way to authenticate applies: what was submitted does not cover it.",
    ),
    AdmissionBlockerCode.AWAITING_REVIEW: Words(
        "认证已提交，需审核通过后方可开播。",
        "Submitted: it must be approved before the broadcast.",
    ),
    AdmissionBlockerCode.RESUBMIT: Words(
        "认证未通过，请重新提交被退回的项目。", "Rejected: provide the named items again."
    ),
    AdmissionBlockerCode.ATTEMPTS_EXHAUSTED: Words(
        "认证次数已用完，请联系平台客服解锁。", "No attempt is left: ask the platform's support to unlock this anchor."
    ),
    AdmissionBlockerCode.EXPIRED: Words("认证已过期，请重新认证。", "The verification ran out: authenticate again."),
    AdmissionBlockerCode.REVOKED: Words(
        "认证已被撤销，请重新认证。", "The approval was taken back: authenticate again."
    ),
    AdmissionBlockerCode.CONSENT_WITHDRAWN: Words(
        "该主播已撤回个人信息处理同意。", "This anchor has withdrawn consent to the use of their data."
    ),
    AdmissionBlockerCode.DOCUMENT_EXPIRES_BEFORE_BROADCAST: Words(
        "证件将在本场直播前过期，请更新证件。",
        "A document runs out before this broadcast: hand in one that lasts.",
    ),
    AdmissionBlockerCode.NOT_CONFIRMED: Words(
        "请为本场直播重新确认该主播及其所在地。",
        "Confirm this anchor and where they stand for this room.",
    ),
    AdmissionBlockerCode.REJECTED: Words("认证已被最终驳回，该主播不能开播。", "Rejected for good: not to broadcast."),
    AdmissionBlockerCode.UNDER_MINIMUM_AGE: Words(
        "该主播未达到最低年龄，不能出镜。", "This anchor is under the minimum age."
    ),
}

# Of NOT_CONFIRMED where every room wants an attempt of its own (A9, FRESH).
AUTHENTICATE_ANEW: Final = Words(
    "每场直播均需重新认证，请为本场直播重新提交实名认证。",
    "Every room asks for an attempt of its own: authenticate anew for this room.",
)

REQUIREMENTS: Final[Mapping[RequirementKind, Words]] = {
    CONSENT: Words("同意隐私声明", "Agreement to the privacy notice"),
    TAOBAO: Words("在淘宝APP完成实名认证和人脸识别", "Real name and face, authenticated in the Taobao app"),
    NAME: Words("姓名（与护照一致）", "Name, as in the passport"),
    NATIONALITY: Words("国籍", "Nationality"),
    EMAIL: Words("邮箱", "E-mail address"),
    BORN: Words("出生日期", "Date of birth"),
    PASSPORT: Words(
        "护照：号码、签发国、有效期和资料页照片", "Passport: number, issuer, last day, photo of the data page"
    ),
    PERMIT: Words("在中国工作的证件照片", "Photo of the document that permits to work in China"),
    FACE: Words("人脸核验", "Face check"),
}

PATHS: Final[Mapping[VerificationPath, Words]] = {
    VerificationPath.TAOBAO_APP: Words("淘宝APP认证", "Authentication in the Taobao app"),
    VerificationPath.PASSPORT_VISA: Words("护照和工作签证认证", "Passport and work visa"),
    VerificationPath.CONTACT: Words("姓名、国籍和邮箱", "Name, nationality and e-mail"),
}
