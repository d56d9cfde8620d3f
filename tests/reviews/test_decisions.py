"""Decisions: approved, or rejected item by item; what was accepted stays, and what bars follows the person."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import asyncpg
import pytest
from clients import Client, Data, Shop, codes_at, picked
from contracts.calls import staged
from photos import an_anchor, evidence, hand_in_papers, lasts, photo, ready, sent
from PIL import Image
from race import one_winner, race
from reviewing import claim, decide, finding, queue, reveal, settle
from rooms.test_policy_locks import in_line
from rooms.test_races import Attempt, codes, succeeded
from rooms.test_races import sent as sending
from worlds import World, blocked, items
from worlds import ready as handed_in

from greenroom.graph import read_id
from greenroom.law.policies import CN_2026

IN_CHINA = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
REQUIREMENT_AT = "input.findings.0.requirement"
GLARE = finding("IMAGE_GLARE", "RIGHT_TO_WORK", "Please without flash.")


async def status(shop: Shop, verification_id: str) -> Data:
    """An attempt as fragment Attempt shows it."""
    query = """query($id: ID!) { node(id: $id) { ... on Verification { status version expiresAt
        review { decision isRetryable findings { code message requirement documentKind } } } } }"""
    found: Data = (await shop.ask(query, {"id": verification_id}))["node"]
    return found


async def submit(shop: Shop, anchor_id: str, given: Data, **more: Any) -> Data:
    found: Data = (await shop.do("SubmitVerification", anchorId=anchor_id, evidence=given, **IN_CHINA, **more))[
        "verification"
    ]
    return found


async def test_an_approval_is_shown_and_admits(world: World) -> None:  # R36
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    attempt = await hand_in_papers(world, shop, ivan)
    done = await decide(world.staff("REVIEW"), attempt["id"])
    assert done["review"] == {"decision": "APPROVE", "isRetryable": False, "findings": []}
    assert done["verification"]["status"] == "APPROVED"
    shown = await status(shop, attempt["id"])
    assert (shown["status"], shown["version"]) == ("APPROVED", 2)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert (await shop.go_live(room["id"]))["admission"]["isAdmitted"]


async def test_a_rejection_tells_the_anchor_what_and_why_and_asks_for_that_alone(world: World) -> None:  # R37, R38
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    attempt = await hand_in_papers(world, shop, ivan)
    await decide(
        world.staff("REVIEW"), attempt["id"], GLARE, finding("NAME_MISMATCH", "LEGAL_NAME"), internalNote="Twice."
    )
    review = (await status(shop, attempt["id"]))["review"]
    assert (review["decision"], review["isRetryable"]) == ("REJECT", True)
    assert [(each["code"], each["requirement"]) for each in review["findings"]] == [
        ("IMAGE_GLARE", "RIGHT_TO_WORK"),
        ("NAME_MISMATCH", "LEGAL_NAME"),
    ]
    assert review["findings"][0]["message"] == "Please without flash."
    assert review["findings"][1]["message"].startswith("The name differs"), "the code's own words where none are given"
    answer = await shop.admission(room["id"])
    assert blocked(answer) == [("RESUBMIT", "Ivan")]
    assert set(items(answer["blockers"][0]["requirement"])) == {"RIGHT_TO_WORK", "LEGAL_NAME"}
    (better,) = await ready(world, shop, ivan, "WORK_VISA", seed=9)
    again = {"legalName": "Ivan Petroff", "documents": [{"documentId": better, "expiresOn": lasts(world)}]}
    await submit(shop, ivan, {"passportVisa": again})
    assert (await shop.go_live(room["id"]))["admission"]["isAdmitted"]


async def test_an_image_that_was_refused_is_not_taken_again_also_rescaled(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page = await sent(world, shop, ivan, photo(seed=1), "PASSPORT_DATA_PAGE")
    visa = await sent(world, shop, ivan, photo(seed=2), "WORK_VISA")
    attempt = await submit(shop, ivan, evidence(world, [page["id"], visa["id"]]))
    await decide(world.staff("REVIEW"), attempt["id"], GLARE, finding("MRZ_VISUAL_MISMATCH", "PASSPORT"))
    same = await sent(world, shop, ivan, photo(seed=2), "WORK_VISA")
    smaller = await sent(world, shop, ivan, rescaled(photo(seed=2)), "WORK_VISA")
    for document in (same, smaller):
        assert document["status"] == "FAILED"
        assert [each["code"] for each in document["findings"]] == ["IMAGE_SAME_AS_REJECTED"]
    other = await sent(world, shop, ivan, photo(seed=3), "WORK_VISA")
    assert other["status"] == "READY"
    typed_wrong = await sent(world, shop, ivan, photo(seed=1), "PASSPORT_DATA_PAGE")
    assert typed_wrong["status"] == "READY", "what was wrong with the passport was not its image"


def rescaled(content: bytes) -> bytes:
    image, smaller = Image.open(BytesIO(content)), BytesIO()
    image.resize((1200, 900)).save(smaller, "JPEG", quality=70)
    return smaller.getvalue()


async def test_of_two_documents_of_an_item_only_the_refused_one_is_sent_again(world: World) -> None:  # R37, A21
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    kinds = ("PASSPORT_DATA_PAGE", "RESIDENCE_PERMIT", "WORK_PERMIT")
    photos = await ready(world, shop, ivan, *kinds)
    attempt = await submit(shop, ivan, evidence(world, photos))
    blurred = finding("IMAGE_UNREADABLE", "RIGHT_TO_WORK", documentKind="WORK_PERMIT")
    await decide(world.staff("REVIEW"), attempt["id"], blurred)
    assert (await status(shop, attempt["id"]))["review"]["findings"][0]["documentKind"] == "WORK_PERMIT"
    permit = (await sent(world, shop, ivan, photo(seed=8), "WORK_PERMIT"))["id"]
    soon = {"passportVisa": {"documents": [{"documentId": permit, "expiresOn": lasts(world, 100)}]}}
    errors = await shop.refused("SubmitVerification", anchorId=ivan, evidence={"passportVisa": {}}, **IN_CHINA)
    assert codes_at(errors) == {("REQUIRED", "input.evidence.passportVisa.documents")}
    second = await submit(shop, ivan, soon)
    assert sorted(each["id"] for each in second["documents"]) == sorted([photos[0], photos[1], permit])
    assert (second["passportExpiresOn"], second["workVisaExpiresOn"]) == (lasts(world), lasts(world, 100))
    same = await sent(world, shop, ivan, photo(seed=1), "RESIDENCE_PERMIT")
    assert same["status"] == "READY", "nobody refused that one"


async def test_another_alternative_stands_in_for_all_that_was_there(world: World) -> None:  # A21
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", "RESIDENCE_PERMIT", "WORK_PERMIT")
    attempt = await submit(shop, ivan, evidence(world, photos))
    await decide(
        world.staff("REVIEW"),
        attempt["id"],
        finding("IMAGE_UNREADABLE", "RIGHT_TO_WORK", documentKind="WORK_PERMIT"),
    )
    visa = (await sent(world, shop, ivan, photo(seed=8), "WORK_VISA"))["id"]
    second = await submit(
        shop, ivan, {"passportVisa": {"documents": [{"documentId": visa, "expiresOn": lasts(world, 500)}]}}
    )
    assert sorted(each["id"] for each in second["documents"]) == sorted([photos[0], visa])
    assert second["workVisaExpiresOn"] == lasts(world, 500)


async def test_an_optional_address_that_was_refused_does_not_live_on(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    attempt = await hand_in_papers(world, shop, ivan, email="ivan@example.com")
    reviewer = world.staff("REVIEW")
    await decide(reviewer, attempt["id"], finding("EMAIL_UNVERIFIED", "EMAIL"))
    second = await submit(shop, ivan, {"passportVisa": {}})
    await claim(reviewer, second["id"])
    found = await reveal(reviewer, second["id"])
    assert (found["email"], found["legalName"]) == (None, "Ivan Petrov")


@pytest.mark.parametrize(
    ("said", "code", "at"),
    [
        ({"decision": "APPROVE", "findings": [GLARE]}, "INVALID", "input.findings"),
        ({"decision": "REJECT"}, "REQUIRED", "input.findings"),
        ({"decision": "REJECT", "findings": []}, "REQUIRED", "input.findings"),
        ({"decision": "REJECT", "findings": [GLARE] * 21}, "INVALID", "input.findings"),
        (
            {"decision": "REJECT", "findings": [GLARE, finding("OTHER", "PASSPORT", "  ")]},
            "REQUIRED",
            "input.findings.1.message",
        ),
        (
            {"decision": "REJECT", "findings": [finding("OTHER", "TAOBAO_AUTHENTICATION", "x")]},
            "INVALID",
            "input.findings.0.requirement",
        ),
        (
            {"decision": "REJECT", "findings": [finding("OTHER", "CONSENT", "x")]},
            "INVALID",
            "input.findings.0.requirement",
        ),
        (
            {"decision": "REJECT", "findings": [finding("OTHER", "PASSPORT", "x" * 1001)]},
            "INVALID",
            "input.findings.0.message",
        ),
        (
            {"decision": "REJECT", "findings": [finding("IMAGE_GLARE", "PASSPORT", documentKind="WORK_VISA")]},
            "INVALID",
            "input.findings.0.documentKind",
        ),
        (
            {"decision": "REJECT", "findings": [finding("IMAGE_GLARE", "RIGHT_TO_WORK", documentKind="WORK_PERMIT")]},
            "INVALID",
            "input.findings.0.documentKind",
        ),
        ({"decision": "REJECT", "findings": [finding("FACE_NOT_PASSED", "FACE_CHECK")]}, "INVALID", REQUIREMENT_AT),
        ({"decision": "REJECT", "findings": [finding("EMAIL_UNVERIFIED", "EMAIL")]}, "INVALID", REQUIREMENT_AT),
        ({"decision": "REJECT", "findings": [finding("IMAGE_GLARE", "LEGAL_NAME")]}, "INVALID", REQUIREMENT_AT),
        ({"decision": "REJECT", "findings": [finding("FORGED_DOCUMENT", "NATIONALITY")]}, "INVALID", REQUIREMENT_AT),
        ({"decision": "APPROVE", "internalNote": "x" * 1001}, "INVALID", "input.internalNote"),
        ({"decision": "APPROVE", "internalNote": "a\x07"}, "INVALID", "input.internalNote"),
        ({"decision": "APPROVE", "expectedVersion": 7}, "STALE", "input.expectedVersion"),
    ],
    ids=str,
)
async def test_a_decision_that_says_it_wrongly_is_refused_and_changes_nothing(
    world: World, said: Data, code: str, at: str
) -> None:
    stage = await staged(world)
    input = {"verificationId": stage.dora, "expectedVersion": 1} | said
    for language in ("en", "zh"):
        stage.reviewer.language = language
        errors = await stage.reviewer.refused("DecideVerification", **input)
        assert codes_at(errors) == {(code, at)}
    assert (await status(stage.shop, stage.dora))["status"] == "SUBMITTED"


async def test_a_finding_about_a_face_check_is_refused_while_none_is_taken(world: World) -> None:  # A26
    await world.policy("cn-2026", launch_at=world.clock.now - timedelta(days=100))
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ivan = (await shop.anchor("Ivan", "RU"))["id"]
    await shop.do("GiveConsent", anchorId=ivan, noticeVersion=CN_2026.notice_version)
    photos = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", "WORK_VISA")
    attempt = await submit(shop, ivan, evidence(world, photos))
    await claim(reviewer, attempt["id"])
    said = {"decision": "REJECT", "findings": [finding("FACE_NOT_PASSED", "FACE_CHECK")]}
    errors = await reviewer.refused("DecideVerification", verificationId=attempt["id"], expectedVersion=1, **said)
    assert codes_at(errors) == {("INVALID", REQUIREMENT_AT)}
    assert "FACE_CHECK" not in errors[0]["message"]


async def test_deciding_needs_the_claim_and_it_must_hold(world: World) -> None:
    stage = await staged(world)
    other = world.staff("REVIEW", subject="olga")
    approve = {"decision": "APPROVE", "expectedVersion": 1}

    async def refusal(client: Client, verification_id: str) -> str:
        (error,) = await client.refused("DecideVerification", verificationId=verification_id, **approve)
        return str(error["code"])

    assert await refusal(stage.reviewer, stage.verification) == "INVALID_STATE", "never claimed"
    assert await refusal(other, stage.dora) == "INVALID_STATE", "claimed by another"
    assert await refusal(world.staff("REVIEW_LEAD", subject="lead"), stage.dora) == "INVALID_STATE", "a lead too"
    for client in (stage.shop, stage.staff):
        assert await refusal(client, stage.dora) == "PERMISSION_DENIED"
    world.clock.advance(minutes=21)
    assert await refusal(stage.reviewer, stage.dora) == "INVALID_STATE", "lapsed"
    await decide(stage.reviewer, stage.dora)
    (error,) = await stage.reviewer.refused("DecideVerification", verificationId=stage.dora, **approve)
    assert error["code"] == "STALE"
    (error,) = await stage.reviewer.refused(
        "DecideVerification", verificationId=stage.dora, **(approve | {"expectedVersion": 2})
    )
    assert error["code"] == "INVALID_STATE", "a decision is made once"


async def test_an_approval_gives_way_to_the_next_and_counts_until_then(world: World) -> None:  # R24
    await world.launch()
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ana = await handed_in(shop)
    (first,) = [task["verification"]["id"] for task in await queue(reviewer)]
    await decide(reviewer, first)
    second = await shop.hand_in_contact(ana["id"])
    await decide(reviewer, second["id"], finding("EMAIL_UNVERIFIED", "EMAIL"))
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert (await shop.admission(room["id"]))["isAdmitted"], "what concerns only the newer one"
    third = await shop.hand_in_contact(ana["id"], email="new@example.com")
    await decide(reviewer, third["id"])
    found = [(await status(shop, each))["status"] for each in (first, second["id"], third["id"])]
    assert found == ["SUPERSEDED", "REJECTED", "APPROVED"]


async def test_after_two_rejections_handing_in_is_not_enough_any_more(world: World) -> None:  # A15
    await world.launch()
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ana = await shop.anchor()
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    for n in range(2):
        attempt = await shop.hand_in_contact(ana["id"], email=f"ana{n}@example.com")
        assert (await shop.admission(room["id"]))["isAdmitted"]
        await decide(reviewer, attempt["id"], finding("EMAIL_UNVERIFIED", "EMAIL"))
    third = await shop.hand_in_contact(ana["id"], email="third@example.com")
    assert blocked(await shop.admission(room["id"])) == [("AWAITING_REVIEW", "Ana")]
    await decide(reviewer, third["id"])
    assert (await shop.admission(room["id"]))["isAdmitted"]


async def test_a_note_is_for_staff_alone_and_sealed(world: World, boss: asyncpg.Connection) -> None:  # X7
    stage = await staged(world)
    note = "Looks like Zephyrine's sister."
    await decide(stage.reviewer, stage.dora, internalNote=note)
    (task, *_) = await queue(world.staff("REVIEW", subject="olga"), state="DECIDED")
    assert [(each["author"], each["text"]) for each in task["notes"]] == [("ines", note)]
    for row in await boss.fetch("SELECT t::text AS said FROM review_notes t"):
        assert "Zephyrine" not in row["said"]
        assert b"Zephyrine".hex() not in row["said"]
    for name, variables in (("AnchorHistory", {"id": stage.ana}), ("AccountLog", {"id": stage.account})):
        assert "Zephyrine" not in (await stage.shop.send(name, variables)).text


@pytest.mark.parametrize("code", ["FORGED_DOCUMENT", "BLOCKLISTED_PERSON"])
async def test_what_is_final_bars_the_passport_in_every_account_and_on_every_path(
    world: World, code: str
) -> None:  # X10
    reviewer, first, second = world.staff("REVIEW"), await world.seller(), await world.blogger()
    ivan, other = await an_anchor(first), await an_anchor(second)
    attempt = await hand_in_papers(world, first, ivan)
    elsewhere = await hand_in_papers(world, second, other, legalName="Pyotr Ivanov")
    room = await second.room(picked(other, "IN_CHINA"), start=world.tonight())
    assert (await second.admission(room["id"]))["isAdmitted"]
    done = await decide(reviewer, attempt["id"], finding(code, "PASSPORT"), isRetryable=True)
    assert done["review"]["isRetryable"] is False, "a final finding allows no other attempt"
    answer = await second.admission(room["id"])
    assert blocked(answer) == [("REJECTED", "Ivan")], "in whatever phase"
    again = evidence(world, await ready(world, second, other, "PASSPORT_DATA_PAGE", "WORK_VISA", seed=30))
    (error,) = await second.refused("SubmitVerification", anchorId=other, evidence=again, **IN_CHINA)
    assert error["code"] == "INVALID_STATE"
    await decide(reviewer, elsewhere["id"])
    assert blocked(await second.admission(room["id"])) == [("REJECTED", "Ivan")], "an approval lifts no bar"


async def test_who_shows_a_stranger_s_passport_bars_nobody_but_themselves(world: World) -> None:  # X10, R23
    victim, reviewer = await world.seller(), world.staff("REVIEW")
    ivan = await an_anchor(victim)
    genuine = await hand_in_papers(world, victim, ivan)
    await decide(reviewer, genuine["id"])
    room = await victim.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    for code in ("IMPERSONATION", "FORGED_DOCUMENT"):
        rival = await world.blogger()
        attempt = await hand_in_papers(world, rival, await an_anchor(rival), legalName=f"Rival {code}")
        await decide(reviewer, attempt["id"], finding(code, "PASSPORT"))
        assert blocked(await victim.admission(room["id"])) == [], "it was approved here: that takes a lead"
    lead = world.staff("REVIEW_LEAD", subject="lead")
    rival = await world.seller()
    attempt = await hand_in_papers(world, rival, await an_anchor(rival), legalName="Somebody Else")
    await decide(lead, attempt["id"], finding("FORGED_DOCUMENT", "PASSPORT"))
    assert blocked(await victim.admission(room["id"])) == [("REJECTED", "Ivan")]


async def test_nobody_gets_rid_of_a_bar_by_withdrawing_what_they_showed(world: World) -> None:  # X10
    reviewer, first, second = world.staff("REVIEW"), await world.seller(), await world.blogger()
    ivan, other = await an_anchor(first), await an_anchor(second)
    shown = await hand_in_papers(world, second, other, legalName="Pyotr Ivanov")
    await second.hand_in_contact(other, legalName="Pyotr Ivanov", nationality="RU")
    refused = await hand_in_papers(world, first, ivan)
    await decide(reviewer, refused["id"], finding("FORGED_DOCUMENT", "PASSPORT"))
    room = await second.room(picked(other), start=world.tonight())
    assert blocked(await second.admission(room["id"])) == [("REJECTED", "Ivan")]
    await second.do("CancelVerification", verificationId=shown["id"], expectedVersion=1)
    assert blocked(await second.admission(room["id"])) == [("REJECTED", "Ivan")]


async def test_a_barred_passport_is_known_however_it_is_typed(world: World) -> None:  # X10
    shop = await world.seller()
    ivan = await an_anchor(shop)
    attempt = await hand_in_papers(world, shop, ivan, passportNumber="RU-1234567")
    await decide(world.staff("REVIEW"), attempt["id"], finding("FORGED_DOCUMENT", "PASSPORT"))
    elsewhere = await world.blogger()
    other = await an_anchor(elsewhere)
    photos = await ready(world, elsewhere, other, "PASSPORT_DATA_PAGE", "WORK_VISA", seed=30)
    for number in ("RU1234567", "ru1234567", "R-U1234-567", "RU12345679999"):
        given = evidence(world, photos, passportNumber=number, legalName="Pyotr Ivanov")
        (error,) = await elsewhere.refused("SubmitVerification", anchorId=other, evidence=given, **IN_CHINA)
        assert error["code"] == "INVALID_STATE", number


async def test_a_start_elsewhere_that_asked_just_before_a_bar_is_ended_by_a_later_look(
    world: World, boss: asyncpg.Connection
) -> None:  # A14, X10
    first, second = await world.seller(), await world.blogger()
    ivan, other = await an_anchor(first), await an_anchor(second)
    attempt = await hand_in_papers(world, first, ivan)
    await hand_in_papers(world, second, other, legalName="Pyotr Ivanov")
    room = await second.room(picked(other, "IN_CHINA"), start=world.tonight())
    await claim(world.staff("REVIEW"), attempt["id"])
    forged = deciding(
        world.staff("REVIEW"), attempt["id"], decision="REJECT", findings=[finding("FORGED_DOCUMENT", "PASSPORT")]
    )
    await boss.execute("TRUNCATE jobs.pgqueuer")
    start = sending(second, "GoLive", liveRoomId=room["id"])

    async def bar_and_settle() -> Data:
        done = await forged()
        await settle(world, attempt["id"])  # the job that comes at once sees no broadcast yet
        return done

    started, barred, _ = await in_line(world, read_id(second.account_id)[1].account_id, start, bar_and_settle)
    assert succeeded(started)
    assert succeeded(barred)
    pauses = "SELECT execute_after > now() + interval '30 s' AS is_later FROM jobs.pgqueuer ORDER BY 1"
    assert [row["is_later"] for row in await boss.fetch(pauses)] == [False, True]
    await settle(world, attempt["id"])  # the one that comes later
    shown = (await second.call("RoomForEditing", {"id": room["id"]}))["node"]
    assert (shown["status"], shown["endReason"]) == ("ENDED", "REJECTION")


async def test_of_two_photos_of_one_kind_neither_is_refused_for_the_other(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    front, back = [(await sent(world, shop, ivan, photo(seed=n), "PERMANENT_RESIDENCE_CARD"))["id"] for n in (11, 12)]
    page = (await sent(world, shop, ivan, photo(seed=13), "PASSPORT_DATA_PAGE"))["id"]
    attempt = await submit(shop, ivan, evidence(world, [page, front, back]))
    await decide(world.staff("REVIEW"), attempt["id"], GLARE)
    again = await sent(world, shop, ivan, photo(seed=11), "PERMANENT_RESIDENCE_CARD")
    assert again["status"] == "READY"


async def test_what_can_be_mended_bars_nobody_elsewhere(world: World) -> None:  # R23
    reviewer, first, second = world.staff("REVIEW"), await world.seller(), await world.blogger()
    ivan, other = await an_anchor(first), await an_anchor(second)
    attempt = await hand_in_papers(world, first, ivan)
    await hand_in_papers(world, second, other)
    room = await second.room(picked(other, "IN_CHINA"), start=world.tonight())
    await decide(reviewer, attempt["id"], GLARE, isRetryable=False)
    assert blocked(await second.admission(room["id"])) == []


def deciding(reviewer: Client, verification_id: str, **said: Any) -> Attempt:
    async def send() -> Data:
        input = {"verificationId": verification_id, "expectedVersion": 1} | said
        payload: Data = (await reviewer.call("DecideVerification", {"input": input}))["verificationReview"]
        return payload

    return send


async def test_a_rejection_and_a_start_at_once_come_one_after_the_other(world: World) -> None:  # R38
    for turn in range(2):
        await world.launch()
        shop, reviewer = await world.seller(), world.staff("REVIEW")
        ana = await handed_in(shop, f"Ana{turn}")
        room = await shop.room(picked(ana["id"]), start=world.tonight())
        (attempt,) = [task["verification"]["id"] for task in await queue(reviewer)]
        await claim(reviewer, attempt)
        reject = deciding(reviewer, attempt, decision="REJECT", findings=[finding("EMAIL_UNVERIFIED", "EMAIL")])
        start = sending(shop, "GoLive", liveRoomId=room["id"])
        answers = await race(world, *((reject, start) if turn else (start, reject)))
        rejected, started = answers if turn else answers[::-1]
        assert succeeded(rejected)
        shown = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
        if succeeded(started):
            assert (shown["status"], shown["isFlagged"]) == ("LIVE", True), "it began before, and was flagged"
        else:
            assert (codes(started), shown["status"]) == (["ADMISSION_REFUSED"], "SCHEDULED")


async def test_two_decisions_at_once_are_one(world: World, boss: asyncpg.Connection) -> None:
    stage = await staged(world)
    approve = deciding(stage.reviewer, stage.dora, decision="APPROVE")
    reject = deciding(stage.reviewer, stage.dora, decision="REJECT", findings=[GLARE])
    _, losers = one_winner(await race(world, approve, reject, approve, reject), succeeded)
    assert {code for loser in losers for code in codes(loser)} <= {"STALE", "INVALID_STATE"}
    assert await boss.fetchval("SELECT count(*) FROM reviews") == 2, "this one and Cleo's"


async def test_a_decision_and_a_new_hand_in_at_once_leave_one_truth(world: World) -> None:
    stage = await staged(world)
    await claim(stage.reviewer, stage.verification)
    approve = deciding(stage.reviewer, stage.verification, decision="APPROVE")
    contact = {"contact": {"legalName": "Ana García", "email": "new@example.com", "nationality": "ES"}}
    begun = {"location": "OUTSIDE_CHINA", "entryPoint": "CONSOLE_HOME"}
    again = sending(stage.shop, "SubmitVerification", anchorId=stage.ana, evidence=contact, **begun)
    approved, renewed = await race(world, approve, again)
    assert succeeded(approved), "the claim holds the other off"
    assert succeeded(renewed) or codes(renewed) == ["INVALID_STATE"]
    assert (await status(stage.shop, stage.verification))["status"] == "APPROVED"
