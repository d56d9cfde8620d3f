"""Passport and right to work over HTTP: complete or refused whole, compared with each other, kept after a rejection."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from clients import Data, Shop, picked
from photos import an_anchor, evidence, lasts, objects, ready, zone_read
from reviewing import claim, decide, finding, reveal
from worlds import World, blocked

from greenroom.law.mrz import check_digit

KINDS = ("PASSPORT_DATA_PAGE", "WORK_VISA")
NUMBER = "RU1234567"
BEGUN = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}


@pytest.fixture(autouse=True)
def empty_store(world: World) -> None:
    for path in objects(world):
        path.unlink()


async def handed_in(shop: Shop, anchor_id: str, given: Data) -> Data:
    found: Data = (await shop.do("SubmitVerification", anchorId=anchor_id, evidence=given, **BEGUN))["verification"]
    return found


async def refused(shop: Shop, anchor_id: str, given: Data) -> set[tuple[str, str, str | None]]:
    errors = await shop.refused("SubmitVerification", anchorId=anchor_id, evidence=given, **BEGUN)
    start = "input.evidence.passportVisa."
    return {(e["code"], ".".join(e["field"]).removeprefix(start), e["requirement"]) for e in errors}


def zone(world: World, *, last_day: str, born: str = "900517", number: str = NUMBER, name: str = "PETROV<<IVAN") -> str:
    """A passport's machine-readable zone, its check digits right."""
    expiry = last_day.replace("-", "")[2:]
    number, optional = number.ljust(9, "<"), "<" * 14
    parts = [number + check_digit(number), born + check_digit(born), expiry + check_digit(expiry), optional + "<"]
    composite = check_digit("".join(parts))
    first = f"P<RUS{name}".ljust(44, "<")
    return f"{first}\n{parts[0]}RUS{parts[1]}M{parts[2]}{parts[3]}{composite}"


async def test_all_that_is_asked_for_is_enough_to_broadcast(world: World) -> None:  # R5, R33
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert blocked(await shop.admission(room["id"])) == [("NOT_SUBMITTED", "Ivan")]
    photos = await ready(world, shop, ivan, *KINDS)
    attempt = await handed_in(shop, ivan, evidence(world, photos))
    assert (attempt["status"], attempt["path"]) == ("SUBMITTED", "PASSPORT_VISA")
    assert (await shop.go_live(room["id"]))["admission"]["isAdmitted"]
    query = """query($id: ID!) { node(id: $id) { ... on PassportVisaVerification {
        legalName passportExpiresOn workVisaExpiresOn documents { kind status } } } }"""
    shown = (await shop.ask(query, {"id": attempt["id"]}))["node"]
    assert (shown["legalName"], shown["passportExpiresOn"]) == ("Ivan Petrov", lasts(world))
    assert [each["kind"] for each in shown["documents"]] == list(KINDS)
    hidden = (await world.staff("REVIEW").ask(query, {"id": attempt["id"]}))["node"]
    assert hidden == {"legalName": None, "passportExpiresOn": None, "workVisaExpiresOn": None, "documents": []}


async def test_all_that_is_missing_is_told_at_once(world: World) -> None:  # R35
    shop = await world.seller()
    ivan = await an_anchor(shop)
    assert await refused(shop, ivan, {"passportVisa": {}}) == {
        ("REQUIRED", "legalName", "LEGAL_NAME"),
        ("REQUIRED", "nationality", "NATIONALITY"),
        ("REQUIRED", "dateOfBirth", "DATE_OF_BIRTH"),
        ("REQUIRED", "passportNumber", "PASSPORT"),
        ("REQUIRED", "passportIssuer", "PASSPORT"),
        ("REQUIRED", "documents", "PASSPORT"),
        ("REQUIRED", "documents", "RIGHT_TO_WORK"),
    }


@pytest.mark.parametrize(
    ("kinds", "is_enough"),
    [
        (("WORK_VISA",), True),
        (("RESIDENCE_PERMIT", "WORK_PERMIT"), True),
        (("PERMANENT_RESIDENCE_CARD",), True),
        (("RESIDENCE_PERMIT",), False),
        (("WORK_PERMIT",), False),
        ((), False),
    ],
)
async def test_what_permits_to_work_comes_whole(world: World, kinds: tuple[str, ...], is_enough: bool) -> None:  # A21
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", *kinds)
    if is_enough:
        assert (await handed_in(shop, ivan, evidence(world, photos)))["status"] == "SUBMITTED"
    else:
        assert await refused(shop, ivan, evidence(world, photos)) == {("REQUIRED", "documents", "RIGHT_TO_WORK")}


async def test_the_zone_says_what_need_not_be_typed(world: World) -> None:  # X3
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    given = evidence(world, [], dateOfBirth=None, passportNumber=None, passportIssuer=None)
    given["passportVisa"]["documents"] = [
        {"documentId": page, "mrz": zone(world, last_day=lasts(world))},
        {"documentId": visa, "expiresOn": lasts(world, 90)},
    ]
    attempt = await handed_in(shop, ivan, given)
    query = "query($id: ID!) { node(id: $id) { ... on PassportVisaVerification { passportExpiresOn expiresAt } } }"
    shown = (await shop.ask(query, {"id": attempt["id"]}))["node"]
    assert shown["passportExpiresOn"] == lasts(world)
    assert shown["expiresAt"] == f"{lasts(world, 90)}T16:00:00Z", "the earlier of the two, at the end of its day"


async def test_a_zone_that_contradicts_itself_or_what_is_typed_is_refused(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    good = zone(world, last_day=lasts(world))

    async def told(mrz: str, **other: Any) -> set[tuple[str, str, str | None]]:
        given = evidence(world, [], **other)
        given["passportVisa"]["documents"] = [
            {"documentId": page, "expiresOn": lasts(world), "mrz": mrz},
            {"documentId": visa, "expiresOn": lasts(world)},
        ]
        return await refused(shop, ivan, given)

    assert await told("nonsense") == {("INVALID", "documents.0.mrz", "PASSPORT")}
    assert ("INVALID", "documents.0.mrz", "PASSPORT") in await told(good.replace("RU1234567", "RU1234568"))
    assert await told(good, passportNumber="RU7654321") == {("INVALID", "passportNumber", "PASSPORT")}
    assert await told(good, dateOfBirth="1990-05-18") == {("INVALID", "dateOfBirth", "DATE_OF_BIRTH")}
    later = zone(world, last_day=lasts(world, 401))
    assert await told(later) == {("INVALID", "documents.0.expiresOn", "PASSPORT")}
    assert await told("\x00" * 1_000) == {("INVALID", "documents.0.mrz", "PASSPORT")}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"nationality": "US"}, ("INVALID", "nationality", "NATIONALITY")),
        ({"nationality": "Atlantis"}, ("INVALID", "nationality", "NATIONALITY")),
        ({"legalName": "a\u0007b"}, ("INVALID", "legalName", "LEGAL_NAME")),
        ({"dateOfBirth": "1880-01-01"}, ("INVALID", "dateOfBirth", "DATE_OF_BIRTH")),
        ({"dateOfBirth": "2030-01-01"}, ("INVALID", "dateOfBirth", "DATE_OF_BIRTH")),
        ({"passportNumber": "x" * 30}, ("INVALID", "passportNumber", "PASSPORT")),
        ({"passportNumber": "<script>"}, ("INVALID", "passportNumber", "PASSPORT")),
        ({"passportIssuer": "R"}, ("INVALID", "passportIssuer", "PASSPORT")),
        ({"email": "no"}, ("INVALID", "email", "EMAIL")),
    ],
)
async def test_each_wrong_value_is_told_with_its_place(world: World, other: Data, told: tuple[str, str, str]) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, *KINDS)
    assert await refused(shop, ivan, evidence(world, photos, **other)) == {told}


async def test_a_photo_counts_for_its_anchor_and_when_it_is_ready(world: World) -> None:
    shop, other = await world.seller(), await world.seller("ES")
    ivan, olga = await an_anchor(shop), (await shop.anchor("Olga", "RU"))["id"]
    await shop.do("GiveConsent", anchorId=olga, noticeVersion="2021-08")
    theirs = await ready(world, other, await an_anchor(other), "WORK_VISA")
    hers = await ready(world, shop, olga, "WORK_VISA")
    page, visa = await ready(world, shop, ivan, *KINDS)
    upload = {"byteSize": 9, "kind": "WORK_VISA", "mimeType": "image/png", "sha256": "ab" * 32}
    places = (await shop.do("StageUploads", anchorId=ivan, uploads=[upload]))["stagedUploads"]
    for wrong, code in (
        (theirs[0], "NOT_FOUND"),
        (hers[0], "NOT_FOUND"),
        ("garbage", "NOT_FOUND"),
        (places[0]["document"]["id"], "INVALID"),
        (page, "INVALID"),
    ):
        found = await refused(shop, ivan, evidence(world, [page, wrong]))
        assert (code, "documents.1.documentId") in {error[:2] for error in found}, wrong
    await handed_in(shop, ivan, evidence(world, [page, visa]))
    again = await handed_in(shop, ivan, evidence(world, [page, visa], legalName="Ivan Petroff"))
    assert {each["id"] for each in again["documents"]} == {page, visa}, "a letter was wrong, and no photo"


async def test_evidence_of_another_path_is_refused(world: World) -> None:  # R16
    shop = await world.seller()
    ivan = await an_anchor(shop)
    (error,) = await shop.refused(
        "SubmitVerification",
        anchorId=ivan,
        evidence={"passportVisa": {}},
        location="OUTSIDE_CHINA",
        entryPoint="ROOM_EDITOR",
    )
    assert (error["code"], error["field"]) == ("WRONG_PATH", ["input", "evidence", "passportVisa"])


async def test_a_visa_that_ends_before_the_broadcast_is_told_before_anyone_tries(world: World) -> None:  # X2
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    given = evidence(world, [page, visa])
    given["passportVisa"]["documents"][1]["expiresOn"] = lasts(world, 9)
    await handed_in(shop, ivan, given)
    later = (world.clock.now + timedelta(days=10)).isoformat().replace("+00:00", "Z")
    room = await shop.room(picked(ivan, "IN_CHINA"), start=later)
    assert blocked(await shop.admission(room["id"])) == [("DOCUMENT_EXPIRES_BEFORE_BROADCAST", "Ivan")]
    soon = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert blocked(await shop.admission(soon["id"])) == []


async def test_a_document_that_has_run_out_is_not_taken(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    given = evidence(world, [page, visa])
    given["passportVisa"]["documents"][1]["expiresOn"] = lasts(world, -1)
    assert await refused(shop, ivan, given) == {("INVALID", "documents.1.expiresOn", "RIGHT_TO_WORK")}


async def test_who_is_under_sixteen_is_never_admitted(world: World) -> None:  # X9
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, *KINDS)
    young = str((world.clock.now - timedelta(days=15 * 365)).date())
    await handed_in(shop, ivan, evidence(world, photos, dateOfBirth=young))
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert ("UNDER_MINIMUM_AGE", "Ivan") in blocked(await shop.admission(room["id"]))


async def test_after_a_rejection_only_what_failed_is_asked_for_again(world: World) -> None:  # R37
    await world.launch()
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    first = await handed_in(shop, ivan, evidence(world, [page, visa], email="ivan@example.com"))
    await world.decide(first["id"], "REJECTED", findings=[("IMAGE_GLARE", "RIGHT_TO_WORK")])
    (better,) = await ready(world, shop, ivan, "WORK_VISA", seed=7)
    only = {"passportVisa": {"documents": [{"documentId": better, "expiresOn": lasts(world)}]}}
    assert await refused(shop, ivan, {"passportVisa": {}}) == {("REQUIRED", "documents", "RIGHT_TO_WORK")}
    second = await handed_in(shop, ivan, only)
    query = """query($id: ID!) { node(id: $id) { ... on PassportVisaVerification {
        legalName passportExpiresOn documents { id } } } }"""
    shown = (await shop.ask(query, {"id": second["id"]}))["node"]
    assert (shown["legalName"], shown["passportExpiresOn"]) == ("Ivan Petrov", lasts(world))
    assert {each["id"] for each in shown["documents"]} == {page, better}
    earlier = (await shop.ask(query, {"id": first["id"]}))["node"]
    assert {each["id"] for each in earlier["documents"]} == {page, visa}


async def test_a_passport_that_was_barred_stays_barred_under_another_row_and_name(world: World) -> None:  # X10
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, *KINDS)
    first = await handed_in(shop, ivan, evidence(world, photos))
    await world.decide(first["id"], "REJECTED", findings=[("FORGED_DOCUMENT", "PASSPORT")], is_retryable=False)
    again = await an_anchor(shop)
    photos = await ready(world, shop, again, *KINDS, seed=20)
    given = evidence(world, photos, legalName="Pyotr Ivanov")
    (error,) = await shop.refused("SubmitVerification", anchorId=again, evidence=given, **BEGUN)
    assert error["code"] == "INVALID_STATE"


async def test_what_was_handed_in_is_sealed_and_not_cleared_away(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, *KINDS)
    given = evidence(world, photos)
    given["passportVisa"]["documents"][0]["mrz"] = zone(world, last_day=lasts(world))
    await handed_in(shop, ivan, given)
    for table in ("verifications", "verification_documents", "documents", "events", "idempotency_keys"):
        for row in await boss.fetch(f"SELECT t::text AS said FROM {table} t"):
            for planted in (NUMBER, "Petrov", "PETROV", "1990-05-17", "900517"):
                assert planted not in row["said"], table
                assert planted.encode().hex() not in row["said"], table


async def revealed(world: World, attempt: Data) -> Data:
    """What a reviewer sees of an attempt."""
    reviewer = world.staff("REVIEW", subject="olga")
    await claim(reviewer, attempt["id"])
    return await reveal(reviewer, attempt["id"])


async def test_one_that_waits_can_be_mended_without_sending_all_again(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    await handed_in(shop, ivan, evidence(world, [page, visa], email="ivan@example.com"))
    (better,) = await ready(world, shop, ivan, "WORK_VISA", seed=7)
    only = {"passportVisa": {"documents": [{"documentId": better, "expiresOn": lasts(world, 90)}]}}
    second = await handed_in(shop, ivan, only)
    assert {each["id"] for each in second["documents"]} == {page, better}
    found = await revealed(world, second)
    assert (found["legalName"], found["email"], found["passportNumber"]) == (
        "Ivan Petrov",
        "ivan@example.com",
        NUMBER,
    )


async def test_a_new_photo_of_a_refused_page_needs_nothing_typed_again(world: World) -> None:  # R37
    shop = await world.seller()
    ivan = await an_anchor(shop)
    first = await handed_in(shop, ivan, evidence(world, await ready(world, shop, ivan, *KINDS)))
    blurred = finding("IMAGE_UNREADABLE", "PASSPORT", documentKind="PASSPORT_DATA_PAGE")
    await decide(world.staff("REVIEW"), first["id"], blurred)
    (better,) = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", seed=7)
    only = {"passportVisa": {"documents": [{"documentId": better, "expiresOn": lasts(world)}]}}
    assert (await revealed(world, await handed_in(shop, ivan, only)))["passportNumber"] == NUMBER


async def test_where_the_passport_as_a_whole_was_refused_it_is_asked_for_as_a_whole(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    first = await handed_in(shop, ivan, evidence(world, await ready(world, shop, ivan, *KINDS)))
    await decide(world.staff("REVIEW"), first["id"], finding("MRZ_VISUAL_MISMATCH", "PASSPORT"))
    (better,) = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", seed=7)
    only = {"passportVisa": {"documents": [{"documentId": better, "expiresOn": lasts(world)}]}}
    assert {at for _, at, _ in await refused(shop, ivan, only)} == {"passportNumber", "passportIssuer"}


async def test_a_kept_document_that_has_run_out_is_asked_for_again(world: World) -> None:  # X2, R37
    shop = await world.seller()
    ivan = await an_anchor(shop)
    given = evidence(world, await ready(world, shop, ivan, *KINDS))
    given["passportVisa"]["documents"][0]["expiresOn"] = lasts(world, 10)
    first = await handed_in(shop, ivan, given)
    await decide(world.staff("REVIEW"), first["id"], finding("IMAGE_GLARE", "RIGHT_TO_WORK"))
    world.clock.advance(days=12)
    (better,) = await ready(world, shop, ivan, "WORK_VISA", seed=7)
    only = {"passportVisa": {"documents": [{"documentId": better, "expiresOn": lasts(world)}]}}
    found = await refused(shop, ivan, only)
    assert ("REQUIRED", "documents", "PASSPORT") in found


async def test_what_comes_anew_is_compared_with_what_stays(world: World) -> None:  # X3
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    given = evidence(world, [page, visa])
    given["passportVisa"]["documents"][0]["mrz"] = zone(world, last_day=lasts(world))
    first = await handed_in(shop, ivan, given)
    reviewer = world.staff("REVIEW")
    await decide(reviewer, first["id"], finding("IMAGE_GLARE", "RIGHT_TO_WORK"))
    (other,) = await ready(world, shop, ivan, "WORK_VISA", seed=7)
    stranger = visa_zone(last_day=lasts(world), name="SMITH<<JOHN", born="800101")
    only = {"documents": [{"documentId": other, "expiresOn": lasts(world), "mrz": stranger}]}
    second = await handed_in(shop, ivan, {"passportVisa": only})
    codes = {each["code"] for each in (await revealed(world, second))["mrzFindings"]}
    assert codes == {"NAME_MISMATCH", "DATE_OF_BIRTH_MISMATCH", "PASSPORT_VISA_MISMATCH"}


async def test_what_was_put_right_is_held_against_nobody_any_more(world: World) -> None:  # X3
    shop = await world.seller()
    ivan = await an_anchor(shop)
    given = evidence(world, await ready(world, shop, ivan, *KINDS), legalName="Somebody Else")
    given["passportVisa"]["documents"][0]["mrz"] = zone(world, last_day=lasts(world))
    first = await handed_in(shop, ivan, given)
    assert [each["code"] for each in (await revealed(world, first))["mrzFindings"]] == ["NAME_MISMATCH"]
    await decide(world.staff("REVIEW", subject="olga"), first["id"], finding("NAME_MISMATCH", "LEGAL_NAME"))
    second = await handed_in(shop, ivan, {"passportVisa": {"legalName": "Ivan Petrov"}})
    assert (await revealed(world, second))["mrzFindings"] == []


def visa_zone(*, last_day: str, name: str, born: str) -> str:
    """A visa's machine-readable zone (MRV-A), its check digits right."""
    expiry, number = last_day.replace("-", "")[2:], "V12345678"
    lower = number + check_digit(number) + "RUS" + born + check_digit(born) + "M" + expiry + check_digit(expiry)
    return f"V<CHN{name}".ljust(44, "<") + "\n" + lower.ljust(44, "<")


@pytest.mark.parametrize("where", ["passport", "visa"])
async def test_too_young_by_any_zone_is_too_young_whatever_was_typed(world: World, where: str) -> None:  # X9
    shop = await world.seller()
    ivan = await an_anchor(shop)
    given = evidence(world, await ready(world, shop, ivan, *KINDS))
    if where == "visa":
        given["passportVisa"]["documents"][1]["mrz"] = visa_zone(
            last_day=lasts(world), name="PETROV<<IVAN", born="130517"
        )
        attempt = await handed_in(shop, ivan, given)
    else:
        await zone_read(
            world,
            given["passportVisa"]["documents"][0]["documentId"],
            zone(world, last_day=lasts(world), born="130517"),
        )
        attempt = await handed_in(shop, ivan, given)
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert ("UNDER_MINIMUM_AGE", "Ivan") in blocked(await shop.admission(room["id"]))
    await decide(world.staff("REVIEW"), attempt["id"])  # who has seen the page, and that it was misread
    assert blocked(await shop.admission(room["id"])) == []


async def test_who_is_too_young_by_what_they_gave_is_not_approved(world: World) -> None:  # X9
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ivan = await an_anchor(shop)
    young = str((world.clock.now - timedelta(days=15 * 365)).date())
    photos = await ready(world, shop, ivan, *KINDS)
    attempt = await handed_in(shop, ivan, evidence(world, photos, dateOfBirth=young))
    await claim(reviewer, attempt["id"])
    approve = {"verificationId": attempt["id"], "expectedVersion": 1, "decision": "APPROVE"}
    (error,) = await reviewer.refused("DecideVerification", **approve)
    assert (error["code"], "UNDER_MINIMUM_AGE" in error["message"]) == ("INVALID_STATE", True)
    await decide(reviewer, attempt["id"], finding("UNDER_MINIMUM_AGE", "DATE_OF_BIRTH"))


async def test_a_barred_number_that_only_a_zone_says_is_barred(world: World) -> None:  # X10
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ivan = await an_anchor(shop)
    first = await handed_in(shop, ivan, evidence(world, await ready(world, shop, ivan, *KINDS)))
    await decide(reviewer, first["id"], finding("FORGED_DOCUMENT", "PASSPORT"))
    other = await world.blogger()
    again = await an_anchor(other)
    photos = await ready(world, other, again, *KINDS, seed=20)
    await zone_read(world, photos[0], zone(world, last_day=lasts(world)))
    given = evidence(world, photos, passportNumber="XY7654321", legalName="Pyotr Ivanov")
    (error,) = await other.refused("SubmitVerification", anchorId=again, evidence=given, **BEGUN)
    assert error["code"] == "INVALID_STATE"


async def test_a_second_copy_of_a_refused_image_is_not_taken_either(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    (copy,) = await ready(world, shop, ivan, "WORK_VISA", seed=1)
    first = await handed_in(shop, ivan, evidence(world, [page, visa]))
    await decide(world.staff("REVIEW"), first["id"], finding("IMAGE_GLARE", "RIGHT_TO_WORK"))
    only = {"passportVisa": {"documents": [{"documentId": copy, "expiresOn": lasts(world)}]}}
    found = await refused(shop, ivan, only)
    assert ("INVALID", "documents.0.documentId", "RIGHT_TO_WORK") in found
    only["passportVisa"]["documents"][0]["documentId"] = visa
    assert ("INVALID", "documents.0.documentId", "RIGHT_TO_WORK") in await refused(shop, ivan, only)


async def test_a_birthday_that_was_mistyped_holds_nobody_off_once_the_right_one_is_approved(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    await handed_in(shop, ivan, evidence(world, [page, visa], dateOfBirth="2019-05-17"))
    right = await handed_in(shop, ivan, {"passportVisa": {"dateOfBirth": "1990-05-17"}})
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert blocked(await shop.admission(room["id"])) == [("UNDER_MINIMUM_AGE", "Ivan")], "until somebody has looked"
    await decide(world.staff("REVIEW"), right["id"])
    assert blocked(await shop.admission(room["id"])) == []


async def test_an_earlier_birthday_under_the_age_is_told_to_who_approves(world: World) -> None:  # X9
    shop = await world.seller()
    ivan = await an_anchor(shop)
    first = await handed_in(shop, ivan, evidence(world, await ready(world, shop, ivan, *KINDS)))
    assert (await revealed(world, first))["mrzFindings"] == []
    await decide(world.staff("REVIEW", subject="olga"), first["id"], finding("DATE_OF_BIRTH_MISMATCH", "DATE_OF_BIRTH"))
    await handed_in(shop, ivan, {"passportVisa": {"dateOfBirth": "2013-05-17"}})
    last = await handed_in(shop, ivan, {"passportVisa": {"dateOfBirth": "1990-05-17"}})
    found = [(each["code"], each["requirement"]) for each in (await revealed(world, last))["mrzFindings"]]
    assert found == [("DATE_OF_BIRTH_MISMATCH", "DATE_OF_BIRTH")]


async def test_the_same_image_is_not_handed_in_twice_as_one_kind(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page, visa = await ready(world, shop, ivan, *KINDS)
    (copy,) = await ready(world, shop, ivan, "WORK_VISA", seed=1)
    (other,) = await ready(world, shop, ivan, "WORK_VISA", seed=2)
    (permit,) = await ready(world, shop, ivan, "WORK_PERMIT", seed=1)
    found = await refused(shop, ivan, evidence(world, [page, visa, copy]))
    assert found == {("INVALID", "documents.2.documentId", "RIGHT_TO_WORK")}
    assert (await handed_in(shop, ivan, evidence(world, [page, visa, other, permit])))["status"] == "SUBMITTED"


async def test_what_waits_is_not_replaced_by_nothing(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    await handed_in(shop, ivan, evidence(world, await ready(world, shop, ivan, *KINDS)))
    for _ in range(2):
        (error,) = await shop.refused(
            "SubmitVerification", anchorId=ivan, evidence={"passportVisa": {}}, consentVersion="2021-08", **BEGUN
        )
        assert (error["code"], error["field"]) == ("INVALID_STATE", ["input", "evidence", "passportVisa"])
    ana = (await shop.anchor())["id"]
    await shop.hand_in_contact(ana)
    begun = {"location": "OUTSIDE_CHINA", "entryPoint": "ROOM_EDITOR"}
    (error,) = await shop.refused("SubmitVerification", anchorId=ana, evidence={"contact": {}}, **begun)
    assert error["code"] == "INVALID_STATE"
