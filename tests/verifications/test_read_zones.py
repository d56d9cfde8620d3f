"""What was read from a photo spares typing where it is certain, asks where it is not, and refuses nothing (X3)."""

import json
from typing import Any

import asyncpg
import pytest
from clients import Data, Shop, picked
from law.mrz_specimens import zone
from photos import an_anchor, evidence, lasts, objects, ready, zone_read
from reviewing import claim, decide, finding, reveal
from worlds import World, blocked

from greenroom.law.mrz import Form

BEGUN = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
NUMBER = "RU1234578"
LEFT_OUT = {"dateOfBirth": None, "passportNumber": None, "passportIssuer": None}
VISA_NUMBER = "V12345578"


@pytest.fixture(autouse=True)
def empty_store(world: World) -> None:
    for path in objects(world):
        path.unlink()


def passport(world: World, **other: Any) -> str:
    """The zone of Ivan Petrov's passport."""
    person = {"issuer": "RUS", "nationality": "RUS", "name": "PETROV<<IVAN", "birth": "900517", "sex": "M"}
    return zone(**(person | {"number": NUMBER, "expiry": lasts(world).replace("-", "")[2:]} | other))


def visa(world: World, **other: Any) -> str:
    """The zone of his visa, with a number of its own."""
    expiry = lasts(world, 90).replace("-", "")[2:]
    person = {"issuer": "CHN", "nationality": "RUS", "name": "PETROV<<IVAN", "birth": "900517", "sex": "M"}
    return zone(Form.MRV_A, **(person | {"number": VISA_NUMBER, "expiry": expiry} | other))


async def photographed(world: World, shop: Shop, page: str, *, is_certain: bool = True) -> tuple[str, list[str]]:
    """An anchor with photos of passport and visa, the passport's zone read."""
    ivan = await an_anchor(shop)
    ids = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", "WORK_VISA")
    await zone_read(world, ids[0], page, is_certain=is_certain)
    return ivan, ids


def given(world: World, ids: list[str], *, days: tuple[str | None, str | None], **other: Any) -> Data:
    found = evidence(world, [], **other)
    found["passportVisa"]["documents"] = [
        {"documentId": id} | ({"expiresOn": day} if day else {}) for id, day in zip(ids, days, strict=True)
    ]
    return found


async def handed_in(shop: Shop, ivan: str, what: Data) -> Data:
    found: Data = (await shop.do("SubmitVerification", anchorId=ivan, evidence=what, **BEGUN))["verification"]
    return found


async def refused(shop: Shop, ivan: str, what: Data) -> set[tuple[str, str]]:
    errors = await shop.refused("SubmitVerification", anchorId=ivan, evidence=what, **BEGUN)
    return {(e["code"], ".".join(e["field"]).removeprefix("input.evidence.passportVisa.")) for e in errors}


async def findings(boss: asyncpg.Connection) -> list[tuple[str, str]]:
    """Of the newest attempt."""
    stored = await boss.fetchrow("SELECT mrz_findings FROM verifications ORDER BY id DESC LIMIT 1")
    assert stored
    return [(each["code"], each["requirement"]) for each in json.loads(stored["mrz_findings"])]


async def test_nothing_need_be_typed_that_a_certain_zone_says(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world))
    await zone_read(world, ids[1], visa(world))
    await handed_in(shop, ivan, given(world, ids, days=(None, None), **LEFT_OUT))
    (row,) = await boss.fetch("SELECT * FROM verifications")
    assert (str(row["passport_last_day"]), str(row["work_last_day"])) == (lasts(world), lasts(world, 90))
    assert row["is_under_age"] is False
    assert await findings(boss) == []
    assert await boss.fetchval("SELECT count(*) FROM verification_documents WHERE mrz IS NOT NULL") == 0, "none typed"
    assert await boss.fetchval("SELECT count(*) FROM documents WHERE zone IS NOT NULL") == 2, "kept with its photo"


async def test_a_passport_that_was_read_is_the_same_person_s_as_when_typed(
    world: World, boss: asyncpg.Connection
) -> None:  # X10
    shop, other = await world.seller(), await world.seller("ES")
    ivan, ids = await photographed(world, shop, passport(world))
    await handed_in(shop, ivan, given(world, ids, days=(None, lasts(world)), **LEFT_OUT))
    again = await an_anchor(other)
    photos = await ready(world, other, again, "PASSPORT_DATA_PAGE", "WORK_VISA", seed=9)
    await handed_in(other, again, evidence(world, photos, passportNumber=NUMBER))
    marks = await boss.fetch("SELECT DISTINCT passport_fingerprint FROM verifications")
    assert len(marks) == 1


async def test_one_that_is_not_certain_spares_nothing(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world), is_certain=False)
    assert await refused(shop, ivan, given(world, ids, days=(None, lasts(world)), **LEFT_OUT)) == {
        ("REQUIRED", "dateOfBirth"),
        ("REQUIRED", "passportNumber"),
        ("REQUIRED", "passportIssuer"),
        ("REQUIRED", "documents.0.expiresOn"),
    }
    typed = given(world, ids, days=(lasts(world), lasts(world)), passportNumber="RU7654321")
    await handed_in(shop, ivan, typed)
    assert await findings(boss) == [], "nor is it held against anyone"


TYPED_OTHERWISE = {
    "the number": ({"passportNumber": "RU7654321"}, ("MRZ_VISUAL_MISMATCH", "PASSPORT")),
    "the birthday": ({"dateOfBirth": "1990-05-18"}, ("DATE_OF_BIRTH_MISMATCH", "PASSPORT")),
    "the name": ({"legalName": "Pyotr Ivanov"}, ("NAME_MISMATCH", "PASSPORT")),
}


@pytest.mark.parametrize("what", TYPED_OTHERWISE)
async def test_what_is_typed_otherwise_than_read_counts_and_is_shown_to_the_reviewer(
    what: str, world: World, boss: asyncpg.Connection
) -> None:
    other, finding = TYPED_OTHERWISE[what]
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world))
    typed = {"passportNumber": NUMBER} | other
    await handed_in(shop, ivan, given(world, ids, days=(lasts(world), lasts(world)), **typed))
    assert await findings(boss) == [finding]


async def test_a_last_day_that_is_typed_otherwise_counts_even_where_the_one_read_is_past(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world, expiry="200101"))
    asked = given(world, ids, days=(None, lasts(world)), passportNumber=NUMBER)
    assert await refused(shop, ivan, asked) == {("INVALID", "documents.0.expiresOn")}
    await handed_in(shop, ivan, given(world, ids, days=(lasts(world, 30), lasts(world)), passportNumber=NUMBER))
    assert str(await boss.fetchval("SELECT passport_last_day FROM verifications")) == lasts(world, 30)
    assert await findings(boss) == [("MRZ_VISUAL_MISMATCH", "PASSPORT")]


async def test_one_that_is_typed_counts_before_the_one_read(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world, number="X99999578"))
    typed = given(world, ids, days=(None, lasts(world)), **LEFT_OUT)
    typed["passportVisa"]["documents"][0]["mrz"] = passport(world)
    typed["passportVisa"]["passportNumber"] = "X99999578"
    assert await refused(shop, ivan, typed) == {("INVALID", "passportNumber")}
    typed["passportVisa"]["passportNumber"] = NUMBER
    await handed_in(shop, ivan, typed)
    assert await findings(boss) == [("MRZ_VISUAL_MISMATCH", "PASSPORT")], "and that it was read otherwise is told"


async def test_a_visa_s_own_number_is_held_against_nobody_but_another_s_visa_is_shown(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world))
    await zone_read(world, ids[1], visa(world, name="SMITH<<JOHN", birth="850101"))
    await handed_in(shop, ivan, given(world, ids, days=(None, None), **LEFT_OUT))
    assert set(await findings(boss)) == {
        ("NAME_MISMATCH", "RIGHT_TO_WORK"),
        ("DATE_OF_BIRTH_MISMATCH", "RIGHT_TO_WORK"),
        ("PASSPORT_VISA_MISMATCH", "RIGHT_TO_WORK"),
    }


async def test_after_it_was_handed_in_it_fills_in_no_form_any_more(world: World) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world))
    attempt = await handed_in(shop, ivan, given(world, ids, days=(None, lasts(world)), **LEFT_OUT))
    query = """query($id: ID!) { node(id: $id) { ... on PassportVisaVerification {
        documents { id zone { lines } } } } }"""
    shown = (await shop.ask(query, {"id": attempt["id"]}))["node"]["documents"]
    assert {each["id"] for each in shown} == set(ids)
    assert [each["zone"] for each in shown] == [None, None]


OTHERS = {"number": "XX9999999", "name": "SMITH<<JOHN", "birth": "130517"}
TOLD = {("MRZ_VISUAL_MISMATCH", "PASSPORT"), ("NAME_MISMATCH", "PASSPORT"), ("DATE_OF_BIRTH_MISMATCH", "PASSPORT")}


@pytest.mark.parametrize("was_rejected", [False, True])
async def test_what_was_read_is_held_against_what_is_typed_also_when_the_photo_is_named_again(
    was_rejected: bool, world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world, **OTHERS))
    attempt = await handed_in(shop, ivan, evidence(world, ids))
    assert set(await findings(boss)) == TOLD
    if was_rejected:
        await decide(world.staff("REVIEW"), attempt["id"], finding("NAME_MISMATCH", "LEGAL_NAME"))
    again = evidence(world, ids, legalName="Ivan Petroff")
    attempt = await handed_in(shop, ivan, again)
    assert set(await findings(boss)) >= TOLD
    room = await shop.room(picked(ivan, "IN_CHINA"), start=world.tonight())
    assert ("UNDER_MINIMUM_AGE", "Ivan") in blocked(await shop.admission(room["id"]))
    reviewer = world.staff("REVIEW", subject="olga")
    await claim(reviewer, attempt["id"])
    shown = [each["machineReadableZone"] for each in (await reveal(reviewer, attempt["id"]))["photos"]]
    assert sorted(shown, key=str) == [None, passport(world, **OTHERS)]


async def test_what_was_read_beside_a_typed_zone_is_compared_also_where_the_photo_stays(
    world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    ivan, ids = await photographed(world, shop, passport(world, **OTHERS))
    typed = given(world, ids, days=(None, lasts(world)), passportNumber=NUMBER)
    typed["passportVisa"]["documents"][0]["mrz"] = passport(world)
    await handed_in(shop, ivan, typed)
    assert set(await findings(boss)) == TOLD
    attempt = await handed_in(shop, ivan, {"passportVisa": {"nationality": "RU"}})
    assert set(await findings(boss)) >= TOLD
    assert await boss.fetchval("SELECT is_under_age FROM verifications ORDER BY id DESC LIMIT 1")
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt["id"])
    shown = [each["machineReadableZone"] for each in (await reveal(reviewer, attempt["id"]))["photos"]]
    assert sorted(shown, key=str) == [None, passport(world)], "the typed one is shown"
