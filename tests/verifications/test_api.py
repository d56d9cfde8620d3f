"""Verifications over HTTP: complete or refused whole, one open at a time, and how often somebody may try."""

import unicodedata
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from clients import Data, Shop, codes_at, picked
from worlds import World, blocked, ready

from greenroom.law.reasons import PATHS
from greenroom.law.terms import VerificationPath
from greenroom.sealing import Pepper
from greenroom.verifications.keeping import name_mark

COMPLETE = {"legalName": "Ana García", "nationality": "ES", "email": "ana@example.com"}
AT = "input.evidence.contact."


async def refused(shop: Shop, anchor: Data, contact: Data, **more: Any) -> list[Data]:
    input = {"location": "OUTSIDE_CHINA", "entryPoint": "ROOM_EDITOR", "consentVersion": "2021-08"} | more
    return await shop.refused("SubmitVerification", anchorId=anchor["id"], evidence={"contact": contact}, **input)


async def history(shop: Shop, anchor: Data) -> list[Data]:
    """Every attempt, newest first."""
    found = (await shop.call("AnchorHistory", {"id": anchor["id"]}))["node"]["verifications"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"] for edge in found["edges"]]


# Complete, or refused whole (R6, R35)


@pytest.mark.parametrize("given", [{}, {"legalName": " ", "nationality": "", "email": "\t"}])
async def test_each_missing_item_is_an_error_of_its_own(world: World, given: Data) -> None:  # R6, L4, L18
    shop = await world.seller("CN")
    errors = await refused(shop, await shop.anchor(), given)
    assert codes_at(errors) == {("REQUIRED", AT + name) for name in COMPLETE}


@pytest.mark.parametrize(
    ("item", "value", "code"),
    [
        ("legalName", "A\u0000na", "INVALID"),
        ("legalName", "\u202eanA", "INVALID"),
        ("legalName", "x" * 10_000, "INVALID"),
        ("legalName", "\u200b", "INVALID"),
        ("email", "ana", "INVALID"),
        ("email", "ana@", "INVALID"),
        ("email", "ana@@example.com", "INVALID"),
        ("email", f"{'a' * 300}@example.com", "INVALID"),
        ("nationality", "Atlantis", "INVALID"),
        ("nationality", "FR", "INVALID"),  # another one than the anchor's
    ],
)
async def test_one_wrong_item_refuses_all(world: World, item: str, value: str, code: str) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    errors = await refused(shop, ana, COMPLETE | {item: value})
    assert codes_at(errors) == {(code, AT + item)}
    node = (await shop.call("AnchorHistory", {"id": ana["id"]}))["node"]
    assert (node["consent"], node["verifications"]["totalCount"]) == (None, 0)  # nor was the consent kept
    assert (await shop.call("RememberedAnchors", {"accountId": shop.account_id}))["account"]["rememberedAnchors"][
        "totalCount"
    ] == 0


async def test_all_that_is_wrong_is_told_at_once_missing_or_malformed(world: World) -> None:
    shop = await world.seller("CN")
    errors = await refused(shop, await shop.anchor(), {"email": "ana", "nationality": "Atlantis"}, consentVersion=None)
    assert codes_at(errors) == {
        ("REQUIRED", "input.consentVersion"),
        ("REQUIRED", AT + "legalName"),
        ("INVALID", AT + "nationality"),
        ("INVALID", AT + "email"),
    }


async def test_what_was_handed_in_is_read_back_by_its_own_people_only(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    attempt = await shop.hand_in_contact(ana["id"], legalName=" Ana García ", email="Ana@Example.COM")
    query = "query ($id: ID!) { node(id: $id) { ... on ContactVerification { legalName email } } }"
    said = (await shop.ask(query, {"id": attempt["id"]}))["node"]
    assert said == {"legalName": "Ana García", "email": "Ana@example.com"}
    staff = (await world.staff("REVIEW").ask(query, {"id": attempt["id"]}))["node"]
    assert staff == {"legalName": None, "email": None}  # by a reveal, which is logged (X5)
    other = await world.seller("CN")
    assert (await other.ask(query, {"id": attempt["id"]}))["node"] is None


async def test_name_and_e_mail_lie_sealed_in_the_database(world: World, boss: Any) -> None:
    shop = await world.seller("CN")
    await shop.hand_in_contact((await shop.anchor())["id"], legalName="Ana García", email="ana@example.com")
    row = await boss.fetchrow("SELECT legal_name, email FROM verifications")
    for sealed in row:
        assert b"Garc" not in sealed
        assert b"ana@" not in sealed


# The system decides the path (R16)


@pytest.mark.parametrize(
    ("nationality", "location", "path"),
    [("ES", "IN_CHINA", "PASSPORT_VISA"), ("CN", "OUTSIDE_CHINA", "TAOBAO_APP"), ("HK", "IN_CHINA", "TAOBAO_APP")],
)
async def test_contact_data_where_another_path_applies_are_refused(
    world: World, nationality: str, location: str, path: str
) -> None:
    shop = await world.seller("CN")
    anchor = await shop.anchor("Ana", nationality)
    errors = await refused(shop, anchor, COMPLETE | {"nationality": nationality}, location=location)
    assert codes_at(errors) == {("WRONG_PATH", "input.evidence.contact")}
    assert path not in errors[0]["message"], "in words, not in code"
    assert PATHS[VerificationPath(path)].en[1:] in errors[0]["message"]


# One waits at a time; what was handed in can be taken back


async def test_a_newer_attempt_replaces_the_one_that_waits(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first = await shop.hand_in_contact(ana["id"])
    second = await shop.hand_in_contact(ana["id"], email="other@example.com")
    assert [(each["id"], each["status"]) for each in await history(shop, ana)] == [
        (second["id"], "SUBMITTED"),
        (first["id"], "CANCELED"),
    ]


async def test_the_same_key_hands_in_once(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first, again = [await shop.hand_in_contact(ana["id"], idempotencyKey="k") for _ in range(2)]
    assert first == again
    assert len(await history(shop, ana)) == 1


async def test_a_canceled_attempt_admits_no_more(world: World) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    attempt = await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    gone = await shop.do("CancelVerification", verificationId=attempt["id"], expectedVersion=attempt["version"])
    assert gone["verification"]["status"] == "CANCELED"
    assert blocked(await shop.admission(room["id"])) == [("NOT_SUBMITTED", "Ana")]


async def test_a_canceled_attempt_gives_way_to_the_approval_before_it(world: World) -> None:  # never displaces another
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first = await shop.hand_in_contact(ana["id"])
    await world.decide(first["id"], "APPROVED")
    second = await shop.hand_in_contact(ana["id"], email="other@example.com")
    await shop.do("CancelVerification", verificationId=second["id"], expectedVersion=second["version"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert room["cast"][0]["verification"]["id"] == first["id"]


@pytest.mark.parametrize("status", ["APPROVED", "REJECTED", "EXPIRED", "REVOKED", "SUPERSEDED", "CANCELED"])
async def test_what_was_decided_is_not_canceled(world: World, status: str) -> None:
    shop = await world.seller("CN")
    attempt = await world.attempt((await shop.anchor())["id"], "CONTACT", status)
    (error,) = await shop.refused("CancelVerification", verificationId=attempt, expectedVersion=1)
    assert error["code"] == "INVALID_STATE"


async def test_an_attempt_decided_meanwhile_is_not_canceled_by_who_has_not_seen_it(world: World) -> None:
    shop = await world.seller("CN")
    attempt = await shop.hand_in_contact((await shop.anchor())["id"])
    await world.decide(attempt["id"], "APPROVED")
    (error,) = await shop.refused("CancelVerification", verificationId=attempt["id"], expectedVersion=1)
    assert (error["code"], error["currentVersion"]) == ("STALE", 2)


# Strikes and ceilings (A15, X10)

UNANSWERED = [("EMAIL_UNVERIFIED", "EMAIL")]


async def rejected(world: World, shop: Shop, anchor: Data, times: int) -> None:
    for _ in range(times):
        attempt = await shop.hand_in_contact(anchor["id"])
        await world.decide(attempt["id"], "REJECTED", findings=UNANSWERED)


@pytest.mark.parametrize(("times", "stands"), [(1, []), (2, [("AWAITING_REVIEW", "Ana")])])
async def test_after_two_rejections_in_a_row_having_submitted_no_longer_suffices(
    world: World, times: int, stands: list[Any]
) -> None:  # A15
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await rejected(world, shop, ana, times)
    attempt = await shop.hand_in_contact(ana["id"])
    answer = await shop.admission(room["id"])
    assert blocked(answer) == stands
    await world.decide(attempt["id"], "APPROVED")
    assert (await shop.admission(room["id"]))["isAdmitted"]


async def test_an_approval_ends_the_row_of_rejections(world: World) -> None:  # A15: "in a row"
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await rejected(world, shop, ana, 2)
    await world.decide((await shop.hand_in_contact(ana["id"]))["id"], "APPROVED")
    await world.decide((await shop.hand_in_contact(ana["id"]))["id"], "REJECTED", findings=UNANSWERED)
    attempt = await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert room["admission"]["isAdmitted"], attempt


async def test_a_strike_follows_the_person_to_an_anchor_made_anew(world: World) -> None:  # X10
    await world.launch()
    shop = await world.seller("CN")
    await rejected(world, shop, await shop.anchor(), 2)
    anew = await shop.anchor("Anita")
    await shop.hand_in_contact(anew["id"], email="new@example.com")  # the same name and nationality
    room = await shop.room(picked(anew["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("AWAITING_REVIEW", "Anita")]
    third = await shop.anchor("Carmen")
    await shop.hand_in_contact(third["id"], legalName="Carmen Ruiz", email="ANA@example.com")  # the same address
    room = await shop.room(picked(third["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("AWAITING_REVIEW", "Carmen")]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Ana García", "ANA  GARCIA", True),
        ("Nguyễn Thế", "nguyen the", True),
        ("Σοφία", "ΣΟΦΙΑ", True),
        ("Ива́н", "Иван", True),
        ("Ｌｉ", "Li", True),
        ("กุ้ง", "กง", False),
        ("かわだ", "かわた", False),
        ("कि", "क", False),
        ("Андрей", "Андреи", False),
    ],
)
def test_accents_make_no_other_person_and_marks_that_are_letters_do(one: str, other: str, is_same: bool) -> None:
    # X10, ADR 10
    pepper, account_id = Pepper(bytes(32)), UUID(int=1)
    marks = [name_mark(pepper, account_id, name, "XX") for name in (one, other, unicodedata.normalize("NFD", one))]
    assert (marks[0] == marks[1]) is is_same
    assert marks[0] == marks[2], "however it is composed"


async def test_strikes_are_the_account_s_own(world: World) -> None:  # X10: within the account; R23
    await world.launch()
    shop, other = await world.seller("CN"), await world.seller("CN")
    await rejected(world, shop, await shop.anchor(), 2)
    there = await other.anchor()
    await other.hand_in_contact(there["id"])
    assert (await other.room(picked(there["id"]), start=world.tonight()))["admission"]["isAdmitted"]


async def test_after_nine_attempts_a_lead_must_unlock(world: World) -> None:  # A15
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await rejected(world, shop, ana, 9)
    (error,) = await refused(shop, ana, COMPLETE)
    assert (error["code"], error["field"]) == ("TOO_MANY_ATTEMPTS", ["input", "anchorId"])
    assert blocked(await shop.admission(room["id"])) == [("ATTEMPTS_EXHAUSTED", "Ana")]
    await world.anchor_row(ana["id"], unlocked_at=world.clock())
    assert blocked(await shop.admission(room["id"])) == [("RESUBMIT", "Ana")], "the gate knows of the unlock"
    assert (await shop.hand_in_contact(ana["id"]))["status"] == "SUBMITTED"


async def test_gate_and_hand_in_agree_on_the_attempts_of_a_person_with_two_rows(world: World) -> None:  # A15, X10
    await world.launch()
    shop = await world.seller("CN")
    ana, anita = await shop.anchor("Ana"), await shop.anchor("Anita")
    room = await shop.room(picked(ana["id"]), picked(anita["id"]), start=world.tonight())
    await rejected(world, shop, ana, 5)
    await rejected(world, shop, anita, 3)
    assert blocked(await shop.admission(room["id"])) == [("RESUBMIT", "Ana"), ("RESUBMIT", "Anita")]
    await rejected(world, shop, anita, 1)
    assert blocked(await shop.admission(room["id"])) == [("ATTEMPTS_EXHAUSTED", "Ana"), ("ATTEMPTS_EXHAUSTED", "Anita")]
    for anchor in (ana, anita):
        (error,) = await refused(shop, anchor, COMPLETE)
        assert error["code"] == "TOO_MANY_ATTEMPTS"
    await world.anchor_row(ana["id"], unlocked_at=world.clock())
    assert blocked(await shop.admission(room["id"])) == [("RESUBMIT", "Ana"), ("ATTEMPTS_EXHAUSTED", "Anita")]
    (error,) = await refused(shop, anita, COMPLETE)
    assert error["code"] == "TOO_MANY_ATTEMPTS"
    assert (await shop.hand_in_contact(ana["id"]))["status"] == "SUBMITTED"


async def test_canceled_attempts_do_not_count(world: World) -> None:  # A15
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await rejected(world, shop, ana, 8)
    for number in range(3):  # each replaces the one before, which is canceled
        await shop.hand_in_contact(ana["id"], email=f"again{number}@example.com")


async def test_an_account_with_thirty_rejections_in_thirty_days_waits_for_a_lead(world: World) -> None:  # X10
    shop = await world.seller("CN")
    for number in range(6):
        anchor = await shop.anchor(f"Anchor {number}")
        for _ in range(5):
            await world.attempt(anchor["id"], "CONTACT", "REJECTED", findings=UNANSWERED)
    newcomer = await shop.anchor("Somebody new")
    (error,) = await refused(shop, newcomer, COMPLETE)
    assert error["code"] == "TOO_MANY_ATTEMPTS"
    world.clock.advance(days=30, minutes=1)
    assert (await shop.hand_in_contact(newcomer["id"]))["status"] == "SUBMITTED"


async def test_twenty_nine_are_not_thirty(world: World) -> None:  # X10
    shop = await world.seller("CN")
    for number in range(29):
        anchor = await shop.anchor(f"Anchor {number}")
        await world.attempt(anchor["id"], "CONTACT", "REJECTED", findings=UNANSWERED)
    assert (await shop.hand_in_contact((await shop.anchor("Somebody new"))["id"]))["status"] == "SUBMITTED"


async def test_who_was_rejected_for_good_does_not_come_again_under_another_row(world: World) -> None:  # X10
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    attempt = await shop.hand_in_contact(ana["id"])
    await world.decide(attempt["id"], "REJECTED", findings=[("BLOCKLISTED_PERSON", "LEGAL_NAME")], is_retryable=False)
    for anchor in (ana, await shop.anchor("Anita")):
        (error,) = await refused(shop, anchor, COMPLETE)
        assert (error["code"], error["field"]) == ("INVALID_STATE", ["input", "anchorId"])


async def test_a_bar_reaches_the_same_person_where_they_handed_in_before(world: World) -> None:  # X10
    shop = await world.seller("CN")  # before the launch as well
    ana, anita, carmen = [await shop.anchor(name) for name in ("Ana", "Anita", "Carmen")]
    attempt = await shop.hand_in_contact(ana["id"], email="other@example.com")
    await shop.hand_in_contact(anita["id"], legalName="ANA  GARCIA")  # accents and spaces do not make another person
    await shop.hand_in_contact(carmen["id"], legalName="Carmen Ruiz", email="carmen@example.com")
    room = await shop.room(picked(anita["id"]), picked(carmen["id"]), start=world.tonight())
    assert room["admission"]["isAdmitted"]
    await world.decide(attempt["id"], "REJECTED", findings=[("IMPERSONATION", "LEGAL_NAME")], is_retryable=False)
    assert blocked(await shop.admission(room["id"])) == [("REJECTED", "Anita")]
    (error,) = await shop.refused("GoLive", liveRoomId=room["id"])
    assert blocked(error) == [("REJECTED", "Anita")]


async def test_a_bar_by_a_revocation_reaches_them_too(world: World) -> None:  # X10
    shop = await world.seller("CN")
    ana, anita = await shop.anchor("Ana"), await shop.anchor("Anita")
    attempt = await shop.hand_in_contact(ana["id"])
    await shop.hand_in_contact(anita["id"])
    await world.decide(attempt["id"], "APPROVED")
    await world.decide(attempt["id"], "REVOKED", findings=[("FORGED_DOCUMENT", "LEGAL_NAME")])
    room = await shop.room(picked(ana["id"]), picked(anita["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("REJECTED", "Ana"), ("REJECTED", "Anita")]


async def test_strikes_reach_the_same_person_where_they_handed_in_before(world: World) -> None:  # A15, X10
    await world.launch()
    shop = await world.seller("CN")
    anita = await shop.anchor("Anita")
    await shop.hand_in_contact(anita["id"])
    room = await shop.room(picked(anita["id"]), start=world.tonight())
    await rejected(world, shop, await shop.anchor("Ana"), 2)
    assert blocked(await shop.admission(room["id"])) == [("AWAITING_REVIEW", "Anita")]


async def test_colleagues_who_share_a_mailbox_do_not_use_up_each_other_s_attempts(world: World) -> None:  # L10, X10
    await world.launch()
    shop = await world.seller("CN")
    studio = {"email": "studio@example.com"}
    for number in range(10):
        anchor = await shop.anchor(f"Anchor {number}")
        attempt = await shop.hand_in_contact(anchor["id"], legalName=f"Name {number}", **studio)
        await world.decide(attempt["id"], "APPROVED")
    ana = await shop.anchor("Ana")
    for _ in range(2):
        attempt = await shop.hand_in_contact(ana["id"], **studio)
        await world.decide(attempt["id"], "REJECTED", findings=UNANSWERED)
    colleague = await shop.anchor("Bea")
    attempt = await shop.hand_in_contact(colleague["id"], legalName="Bea Ruiz", **studio)
    await world.decide(attempt["id"], "APPROVED")  # of the colleague, so it clears nothing of Ana's
    await shop.hand_in_contact(ana["id"], **studio)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("AWAITING_REVIEW", "Ana")]


async def test_a_lesser_refusal_on_another_path_does_not_keep_contact_data_out(world: World) -> None:  # ADR 10.3
    shop = await world.seller("CN")
    ana = await shop.anchor()
    glare = [("IMAGE_GLARE", "PASSPORT")]
    await world.attempt(ana["id"], "PASSPORT_VISA", "REJECTED", findings=glare, is_retryable=False)
    assert (await shop.hand_in_contact(ana["id"]))["status"] == "SUBMITTED"


async def test_at_the_account_s_ceiling_the_gate_says_that_no_attempt_is_left(world: World) -> None:  # X10
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await world.attempt(ana["id"], "CONTACT", "REJECTED", findings=UNANSWERED)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("RESUBMIT", "Ana")]
    for number in range(29):
        anchor = await shop.anchor(f"Anchor {number}")
        await world.attempt(anchor["id"], "CONTACT", "REJECTED", findings=UNANSWERED)
    assert blocked(await shop.admission(room["id"])) == [("ATTEMPTS_EXHAUSTED", "Ana")]
    preview = await world.staff().call("PreviewPolicy", {"input": {"name": "aliexpress-2021"}})
    assert preview["admissionPolicyPreview"]["newlyAdmitted"] == 1


async def test_a_lead_who_unlocks_an_anchor_unlocks_the_account_s_ceiling(world: World) -> None:  # X10
    await world.launch()
    shop = await world.seller("CN")
    ana, newcomer = await shop.anchor("Ana"), await shop.anchor("Somebody new")
    for _ in range(30):
        await world.attempt(ana["id"], "CONTACT", "REJECTED", findings=UNANSWERED)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("ATTEMPTS_EXHAUSTED", "Ana")]
    (error,) = await refused(shop, newcomer, COMPLETE)
    assert error["code"] == "TOO_MANY_ATTEMPTS"
    await world.anchor_row(ana["id"], unlocked_at=world.clock())
    assert blocked(await shop.admission(room["id"])) == [("RESUBMIT", "Ana")]
    for anchor in (ana, newcomer):
        assert (await shop.hand_in_contact(anchor["id"]))["status"] == "SUBMITTED"


# After a rejection (R37)


async def test_what_a_rejection_did_not_name_need_not_be_sent_again(world: World, boss: Any) -> None:  # R37, L12
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first = await shop.hand_in_contact(ana["id"], email="wrong@example.com")
    await world.decide(first["id"], "REJECTED", findings=UNANSWERED)
    again = await sent(shop, ana, {"email": "right@example.com"})
    assert again["userErrors"] == []
    shown = await shop.ask(
        "query($id: ID!) { node(id: $id) { ... on ContactVerification { legalName email status } } }",
        {"id": again["verification"]["id"]},
    )
    assert shown["node"] == {"legalName": "Ana García", "email": "right@example.com", "status": "SUBMITTED"}
    marks = await boss.fetch("SELECT DISTINCT name_fingerprint FROM verifications")
    assert len(marks) == 1, "the person is known again"


async def test_what_is_kept_is_of_the_newest_rejection_though_an_approval_counts(world: World) -> None:  # R37, R24
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await world.decide((await shop.hand_in_contact(ana["id"]))["id"], "APPROVED")
    await world.decide((await shop.hand_in_contact(ana["id"]))["id"], "REJECTED", findings=UNANSWERED)
    assert (await sent(shop, ana, {"email": "right@example.com"}))["userErrors"] == []


async def test_what_it_named_is_required_and_what_is_sent_empty_is_not_kept(world: World) -> None:  # R35, R37
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first = await shop.hand_in_contact(ana["id"])
    await world.decide(first["id"], "REJECTED", findings=UNANSWERED)
    refused = await sent(shop, ana, {"legalName": " "})
    contact = "input.evidence.contact"
    assert codes_at(refused["userErrors"]) == {("REQUIRED", f"{contact}.legalName"), ("REQUIRED", f"{contact}.email")}


@pytest.mark.parametrize("findings", [[], [("NATIONALITY_MISMATCH", "NATIONALITY")]])
async def test_nothing_is_kept_that_the_rejection_named_or_where_it_named_nothing(
    world: World, findings: list[Any]
) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first = await shop.hand_in_contact(ana["id"])
    await world.decide(first["id"], "REJECTED", findings=findings)
    refused = await sent(shop, ana, {})
    missing = {".".join(error["field"][3:]) for error in refused["userErrors"]}
    assert missing == ({"nationality"} if findings else {"legalName", "nationality", "email"})


async def test_what_was_rejected_for_another_nationality_leaves_nothing(world: World) -> None:  # R2
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first = await shop.hand_in_contact(ana["id"])
    await world.decide(first["id"], "REJECTED", findings=UNANSWERED)
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="FR")
    refused = await sent(shop, ana, {"email": "right@example.com"})
    assert len(refused["userErrors"]) == 2


async def sent(shop: Shop, anchor: Data, contact: Data) -> Data:
    """What comes of handing in only these items."""
    given = {"anchorId": anchor["id"], "location": "OUTSIDE_CHINA", "entryPoint": "ROOM_EDITOR"}
    found: Data = (await shop.call("SubmitVerification", {"input": given | {"evidence": {"contact": contact}}}))[
        "verificationSubmit"
    ]
    return found


# Which attempt counts (the gate), where the rows are many


async def test_an_older_approval_does_not_outlive_a_rejection_that_concerns_it_too(world: World) -> None:  # R24
    await world.launch()
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await world.attempt(ana["id"], "CONTACT", "APPROVED")
    await world.attempt(ana["id"], "CONTACT", "REJECTED", findings=[("NATIONALITY_MISMATCH", "NATIONALITY")])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("RESUBMIT", "Ana")]
    newest = await shop.hand_in_contact(ana["id"])  # behind it stands the rejection, not the approval
    after = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    assert after["cast"][0]["verification"]["id"] == newest["id"]
    await world.decide(newest["id"], "REJECTED", findings=UNANSWERED)
    assert blocked(await shop.admission(room["id"])) == [("RESUBMIT", "Ana")]


async def test_what_bars_a_person_follows_them_to_every_path_and_past_every_later_attempt(world: World) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    forged = [("FORGED_DOCUMENT", "PASSPORT")]
    await world.attempt(ana["id"], "PASSPORT_VISA", "REJECTED", findings=forged, is_retryable=False)
    await world.attempt(ana["id"], "PASSPORT_VISA", "SUBMITTED")
    assert ("REJECTED", "Ana") in blocked(await shop.admission(room["id"]))  # X10


async def test_a_person_known_to_be_too_young_is_not_admitted_by_a_later_attempt(world: World) -> None:  # X9
    shop = await world.seller("CN")
    ana = await shop.anchor()
    at = world.clock.now - timedelta(days=1)
    await world.attempt(ana["id"], "PASSPORT_VISA", "SUBMITTED", is_under_age=True, at=at)
    room = await shop.room(picked(ana["id"], "IN_CHINA"), start=world.tonight())
    assert blocked(room["admission"]) == [("UNDER_MINIMUM_AGE", "Ana")]  # before the launch as well
    await shop.do("UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"])])
    await shop.hand_in_contact(ana["id"])
    assert ("UNDER_MINIMUM_AGE", "Ana") in blocked(await shop.admission(room["id"]))


async def test_a_person_known_to_be_too_young_stays_so_when_the_attempt_is_withdrawn(world: World) -> None:  # X9
    shop = await world.seller("CN")
    ana = await shop.anchor()
    attempt = await world.attempt(ana["id"], "PASSPORT_VISA", "SUBMITTED", is_under_age=True)
    await shop.do("CancelVerification", verificationId=attempt, expectedVersion=1)
    await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert blocked(room["admission"]) == [("UNDER_MINIMUM_AGE", "Ana")]


async def test_a_nationality_that_changes_the_path_says_so(world: World) -> None:  # the gate: PATH_CHANGED
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="CN")
    assert blocked(await shop.admission(room["id"])) == [("PATH_CHANGED", "Ana")]
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="ES")
    assert (await shop.admission(room["id"]))["isAdmitted"]
