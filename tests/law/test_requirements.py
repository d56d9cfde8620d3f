"""What each path asks for, and what of it is still due."""

from dataclasses import replace

import pytest

from greenroom.law.admission import Attempt, Finding
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026, PACKS, PassportFace, Policy
from greenroom.law.reasons import REASONS
from greenroom.law.requirements import due, is_satisfied, items
from greenroom.law.terms import (
    DocumentKind,
    FindingCode,
    RequirementKind,
    RequirementStatus,
    VerificationPath,
    VerificationStatus,
)

from .cases import APPROVED, CONTACT, DRAFT, EXPIRED, PASSPORT_VISA, REJECTED, REVOKED, SUBMITTED, TAOBAO_APP, attempt

R = RequirementKind
MISSING, PROVIDED, ACCEPTED, REFUSED = RequirementStatus

ASKED = {
    # L2, L9, L24, L31: 即可, nothing else is asked (R3); no item takes face media (R41)
    TAOBAO_APP: (R.CONSENT, R.TAOBAO_AUTHENTICATION),
    # L3, L8, L25, L30: passport and work visa photos, etc. (R5)
    PASSPORT_VISA: (R.CONSENT, R.LEGAL_NAME, R.NATIONALITY, R.DATE_OF_BIRTH, R.PASSPORT, R.RIGHT_TO_WORK),
    # L4, L5, L7, L18: name, nationality, e-mail and nothing more (R6, R7)
    CONTACT: (R.CONSENT, R.LEGAL_NAME, R.NATIONALITY, R.EMAIL),
}


PAPERS = {
    DocumentKind.PASSPORT_DATA_PAGE,
    DocumentKind.WORK_VISA,
    DocumentKind.RESIDENCE_PERMIT,
    DocumentKind.WORK_PERMIT,
    DocumentKind.PERMANENT_RESIDENCE_CARD,
}


def statuses(
    path: VerificationPath, counts: Attempt | None, *, has_consent: bool = True
) -> dict[RequirementKind, RequirementStatus]:
    return {
        item.kind: item.status for item in items(path, policy=ALIEXPRESS_2021, attempt=counts, has_consent=has_consent)
    }


@pytest.mark.parametrize("path", VerificationPath)
def test_a_path_asks_for_its_items_in_the_order_to_show(path: VerificationPath) -> None:
    assert tuple(item.kind for item in items(path, policy=ALIEXPRESS_2021)) == ASKED[path]


def test_the_stricter_pack_adds_a_face_check_beside_the_photos_and_nowhere_else() -> None:
    # A26, L18
    for path in VerificationPath:
        added = (R.FACE_CHECK,) if path is PASSPORT_VISA else ()
        assert tuple(item.kind for item in items(path, policy=CN_2026)) == ASKED[path] + added


def test_documents_are_shown_as_alternatives() -> None:
    # A21
    accepts = {item.kind: item.accepts for item in items(PASSPORT_VISA, policy=ALIEXPRESS_2021)}
    assert accepts[R.PASSPORT] == ((DocumentKind.PASSPORT_DATA_PAGE,),)
    assert accepts[R.RIGHT_TO_WORK] == (
        (DocumentKind.WORK_VISA,),
        (DocumentKind.RESIDENCE_PERMIT, DocumentKind.WORK_PERMIT),
        (DocumentKind.PERMANENT_RESIDENCE_CARD,),
    )
    assert all(accepts[kind] == () for kind in accepts if kind not in (R.PASSPORT, R.RIGHT_TO_WORK))


@pytest.mark.parametrize("lacking", [R.PASSPORT, R.RIGHT_TO_WORK])
def test_passport_and_visa_are_handed_in_together_or_not_at_all(lacking: RequirementKind) -> None:
    # R5, R35: L3, L8, L25, L30
    draft = attempt(DRAFT, PASSPORT_VISA, provided=frozenset(ASKED[PASSPORT_VISA]) - {R.CONSENT, lacking})
    assert due(items(PASSPORT_VISA, policy=ALIEXPRESS_2021, attempt=draft, has_consent=True)) == (lacking,)


@pytest.mark.parametrize("failed", [FindingCode.ID_NAME_MISMATCH, FindingCode.FACE_NOT_PASSED], ids=["name", "face"])
def test_in_the_app_one_of_name_and_face_passed_is_nothing_passed(failed: FindingCode) -> None:
    # R4: L18 real name verification + face recognition are one item, refused whole
    refused = items(TAOBAO_APP, policy=ALIEXPRESS_2021, attempt=attempt(REJECTED, TAOBAO_APP, found=(failed,)))
    assert [(item.kind, item.status) for item in refused[1:]] == [(R.TAOBAO_AUTHENTICATION, REFUSED)]
    assert refused[1].findings == (Finding(failed, R.TAOBAO_AUTHENTICATION),)
    assert REASONS[failed].basis.rule == "R4"


@pytest.mark.parametrize("policy", PACKS.values(), ids=list(PACKS))
@pytest.mark.parametrize("path", VerificationPath)
def test_no_item_takes_a_photo_of_a_face(path: VerificationPath, policy: Policy) -> None:
    # R41: L2, L24; where a face is checked (A26), the provider does it
    taken = {item.kind for item in items(path, policy=policy) if item.accepts}
    assert taken == ({R.PASSPORT, R.RIGHT_TO_WORK} if path is PASSPORT_VISA else set())
    assert set(DocumentKind) == PAPERS


def test_the_contact_path_accepts_no_document() -> None:
    # R7: L5 只需, L18
    assert all(item.accepts == () for item in items(CONTACT, policy=ALIEXPRESS_2021))


def test_all_that_is_missing_is_told_at_once() -> None:
    # R6, R35, X1
    nothing = items(CONTACT, policy=ALIEXPRESS_2021)
    assert due(nothing) == ASKED[CONTACT]
    assert not is_satisfied(nothing)


@pytest.mark.parametrize("path", VerificationPath)
@pytest.mark.parametrize(
    ("status", "shown"),
    [(DRAFT, MISSING), (SUBMITTED, PROVIDED), (APPROVED, ACCEPTED), (EXPIRED, MISSING)],
)
def test_items_stand_as_the_attempt_that_counts(
    path: VerificationPath, status: VerificationStatus, shown: RequirementStatus
) -> None:
    shown_items = statuses(path, attempt(status, path))
    assert shown_items.pop(R.CONSENT) is ACCEPTED
    assert set(shown_items.values()) == {shown}


def test_consent_to_another_version_is_due_again_whatever_was_approved() -> None:
    # X1
    approved = items(CONTACT, policy=ALIEXPRESS_2021, attempt=attempt(APPROVED), has_consent=False)
    assert due(approved) == (R.CONSENT,)


def test_after_a_rejection_only_what_failed_is_asked_again() -> None:
    # R37: L12 重新上传相应信息
    refused = attempt(REJECTED, PASSPORT_VISA, found=(FindingCode.VISA_NOT_FOR_WORK,))
    assert statuses(PASSPORT_VISA, refused) == {
        kind: REFUSED if kind is R.RIGHT_TO_WORK else ACCEPTED for kind in ASKED[PASSPORT_VISA]
    }
    item = items(PASSPORT_VISA, policy=ALIEXPRESS_2021, attempt=refused, has_consent=True)[-1]
    assert item.findings == (Finding(FindingCode.VISA_NOT_FOR_WORK, R.RIGHT_TO_WORK),)


def test_a_revocation_asks_for_everything_again_and_says_what_was_wrong() -> None:
    revoked = attempt(REVOKED, found=(FindingCode.EMAIL_UNVERIFIED,))
    assert statuses(CONTACT, revoked) == {
        R.CONSENT: ACCEPTED,
        R.LEGAL_NAME: MISSING,
        R.NATIONALITY: MISSING,
        R.EMAIL: REFUSED,
    }


def test_a_rejection_that_names_no_item_of_the_path_refuses_all_that_was_handed_in() -> None:
    # the policy has let the face check go since: nothing may look satisfied that is not
    refused = attempt(REJECTED, PASSPORT_VISA, findings=(Finding(FindingCode.FACE_NOT_PASSED, R.FACE_CHECK),))
    shown = statuses(PASSPORT_VISA, refused)
    assert shown.pop(R.CONSENT) is ACCEPTED
    assert set(shown.values()) == {REFUSED}


def test_an_optional_e_mail_is_an_item_only_once_refused() -> None:
    refused = attempt(REJECTED, PASSPORT_VISA, found=(FindingCode.EMAIL_UNVERIFIED,))
    asked = items(PASSPORT_VISA, policy=ALIEXPRESS_2021, attempt=refused, has_consent=True)
    assert tuple(item.kind for item in asked) == (*ASKED[PASSPORT_VISA], R.EMAIL)
    assert due(asked) == (R.EMAIL,)


def test_a_draft_that_waits_for_its_face_check_lacks_only_that() -> None:
    # A26
    policy = replace(ALIEXPRESS_2021, passport_face=PassportFace.PROVIDER)
    draft = attempt(DRAFT, PASSPORT_VISA, provided=frozenset(ASKED[PASSPORT_VISA]) - {R.CONSENT})
    assert due(items(PASSPORT_VISA, policy=policy, attempt=draft, has_consent=True)) == (R.FACE_CHECK,)
