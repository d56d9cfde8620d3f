"""Reveals: what was handed in is read with a claim and for a purpose, and the subject can see who read it (X5)."""

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import pytest
from clients import Data, Shop
from contracts.calls import staged
from photos import an_anchor, evidence, hand_in_papers, lasts, objects, photo, ready, sent
from PIL import Image
from reviewing import claim, decide, reveal
from verifications.test_papers import zone
from worlds import World

from greenroom import transfers
from greenroom.documents.links import Purpose
from greenroom.graph import read_id

READS = """query($id: ID!) { node(id: $id) { ... on Anchor { dataReads { nodes {
    action actorName purpose occurredAt subject { id } } } } } }"""


async def waiting(world: World) -> tuple[Shop, str, str]:
    """An account, its anchor, and their attempt with passport and visa."""
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    attempt = await hand_in_papers(world, shop, anchor_id, email="ivan@example.com")
    return shop, anchor_id, attempt["id"]


async def fetched(world: World, url: str) -> httpx.Response:
    return await world.http.get(url.removeprefix(world.settings.public_url))


async def test_a_reviewer_reads_it_all_with_a_claim_and_a_purpose(world: World) -> None:
    _, _, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    found = await reveal(reviewer, attempt)
    photos = found.pop("photos")
    assert found == {
        "legalName": "Ivan Petrov",
        "nationality": "RU",
        "email": "ivan@example.com",
        "dateOfBirth": "1990-05-17",
        "passportNumber": "RU1234567",
        "passportIssuer": "RU",
        "mrzFindings": [],
    }
    assert sorted(each["document"]["kind"] for each in photos) == ["PASSPORT_DATA_PAGE", "WORK_VISA"]
    for each in photos:
        answer = await fetched(world, each["url"])
        assert answer.status_code == 200
        assert Image.open(BytesIO(answer.content)).size == (1600, 1200)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-length"] == str(len(answer.content))
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert [(each["lastDay"], each["machineReadableZone"]) for each in photos] == [(lasts(world), None)] * 2
    assert [each["document"]["findings"] for each in photos] == [[], []]


async def test_what_the_zone_says_otherwise_is_shown_to_who_reviews(world: World) -> None:  # X3
    shop = await world.seller()
    ivan = await an_anchor(shop)
    photos = await ready(world, shop, ivan, "PASSPORT_DATA_PAGE", "WORK_VISA")
    given = evidence(world, photos, legalName="Someone Else")
    last_day = lasts(world)
    given["passportVisa"]["documents"][0]["mrz"] = zone(world, last_day=last_day)
    begun = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
    attempt = (await shop.do("SubmitVerification", anchorId=ivan, evidence=given, **begun))["verification"]["id"]
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    assert [each["code"] for each in (await reveal(reviewer, attempt))["mrzFindings"]] == ["NAME_MISMATCH"]


async def test_the_subject_can_list_every_read_with_its_purpose_and_not_who_it_was(world: World) -> None:  # X5
    shop, anchor_id, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    assert (await shop.ask(READS, {"id": anchor_id}))["node"]["dataReads"]["nodes"] == []
    await reveal(reviewer, attempt, "审核护照")
    await reveal(reviewer, attempt, "  Comparing the visa  ")
    reads = (await shop.ask(READS, {"id": anchor_id}))["node"]["dataReads"]["nodes"]
    assert [(each["action"], each["purpose"]) for each in reads] == [
        ("VERIFICATION_REVEALED", "Comparing the visa"),
        ("VERIFICATION_REVEALED", "审核护照"),
    ]
    assert {each["actorName"] for each in reads} == {"Platform staff"}
    assert {each["subject"]["id"] for each in reads} == {attempt}
    lead = world.staff("REVIEW_LEAD", subject="lead")
    seen = (await lead.ask(READS, {"id": anchor_id}))["node"]["dataReads"]["nodes"]
    assert {each["actorName"] for each in seen} == {"ines"}


async def test_without_a_claim_that_holds_nothing_is_read_and_nothing_logged(world: World) -> None:
    shop, anchor_id, attempt = await waiting(world)
    reviewer, other = world.staff("REVIEW"), world.staff("REVIEW", subject="olga")
    asked = {"verificationId": attempt, "purpose": "Review"}

    async def refusal(client: Shop | object) -> str:
        (error,) = await client.refused("RevealVerification", **asked)  # type: ignore[attr-defined]  # a Client
        return str(error["code"])

    assert await refusal(reviewer) == "INVALID_STATE"
    await claim(other, attempt)
    assert await refusal(reviewer) == "INVALID_STATE"
    world.clock.advance(minutes=21)
    assert await refusal(other) == "INVALID_STATE", "it has lapsed"
    await claim(reviewer, attempt)
    await decide(reviewer, attempt)
    assert await refusal(reviewer) == "INVALID_STATE", "it is decided"
    for client in (shop, world.staff("ADMINISTER", "AUDIT", "MEDIA")):
        assert await refusal(client) == "PERMISSION_DENIED"
    assert (await shop.ask(READS, {"id": anchor_id}))["node"]["dataReads"]["nodes"] == []


async def test_a_lead_needs_no_claim_also_when_it_is_decided(world: World) -> None:
    _, _, attempt = await waiting(world)
    lead = world.staff("REVIEW_LEAD", subject="lead")
    assert (await reveal(lead, attempt))["legalName"] == "Ivan Petrov"
    await decide(world.staff("REVIEW"), attempt)
    assert (await reveal(lead, attempt))["legalName"] == "Ivan Petrov"


@pytest.mark.parametrize("purpose", ["", "   ", "x" * 501, "a\x07b", "\u200b"])
async def test_a_purpose_has_to_be_stated(world: World, purpose: str) -> None:
    _, _, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    (error,) = await reviewer.refused("RevealVerification", verificationId=attempt, purpose=purpose)
    assert error["field"] == ["input", "purpose"]


async def logged(shop: Shop, anchor_id: str) -> list[str]:
    """The purposes that the account reads, newest first."""
    return [each["purpose"] for each in (await shop.ask(READS, {"id": anchor_id}))["node"]["dataReads"]["nodes"]]


@pytest.mark.parametrize("said", ["ivan petrov", "RU-1234567", "IVAN@example.com", "1990-05-17", "17.05.1990"])
async def test_a_purpose_is_logged_without_what_it_repeats_of_the_person(world: World, said: str) -> None:
    shop, anchor_id, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    await reveal(reviewer, attempt, f"Compare {said} with the page")
    (purpose,) = await logged(shop, anchor_id)
    assert purpose in ("Compare … with the page", "Compare … … with the page")


async def test_guesses_are_answered_by_nothing_and_each_is_logged(world: World) -> None:
    shop, anchor_id, attempt = await waiting(world)
    lead = world.staff("REVIEW_LEAD")
    for guess in ("RU1234567", "RU7654321"):
        await reveal(lead, attempt, f"is it {guess}?")
    assert await logged(shop, anchor_id) == ["is it RU7654321?", "is it …?"]


async def test_contact_data_is_revealed_too(world: World) -> None:
    stage = await staged(world)
    await claim(stage.reviewer, stage.verification)
    found = await reveal(stage.reviewer, stage.verification)
    assert (found["legalName"], found["email"], found["photos"]) == ("Ana García", "ana@example.com", [])
    assert (found["passportNumber"], found["dateOfBirth"], found["nationality"]) == (None, None, "ES")


async def test_a_link_ends_with_its_minute(world: World) -> None:
    _, _, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    (link, _) = (await reveal(reviewer, attempt))["photos"]
    assert (await fetched(world, link["url"])).status_code == 200
    world.clock.advance(minutes=1)
    answer = await fetched(world, link["url"])
    assert (answer.status_code, code_of(answer)) == (410, "LINK_EXPIRED")


def code_of(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


async def test_no_other_link_opens_a_photo(world: World) -> None:
    shop, anchor_id, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    (link, _) = (await reveal(reviewer, attempt))["photos"]
    token = link["url"].rpartition("/")[2]
    key = read_id(link["document"]["id"])[1]
    elsewhere = read_id((await world.blogger()).account_id)[1]

    def signed(**other: object) -> str:
        place = {"account_id": key.account_id, "document_id": key.id} | other
        return world.services.links.sign(
            Purpose.DOWNLOAD,
            **place,  # type: ignore[arg-type]  # as they are
            expires_at=world.clock.now.replace(year=2030),
        )

    upload = world.services.links.sign(
        Purpose.UPLOAD, account_id=key.account_id, document_id=key.id, expires_at=world.clock.now.replace(year=2030)
    )
    altered = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    staged_place = (await shop.do("StageUploads", anchorId=anchor_id, uploads=[upload_of()]))["stagedUploads"][0]
    not_there = read_id(staged_place["document"]["id"])[1].id
    wrong = [altered, token[:-1], "x", "..%2F..%2Fetc%2Fpasswd", upload]
    wrong += [signed(account_id=elsewhere.account_id), signed(document_id=not_there)]
    for each in wrong:
        answer = await world.http.get(f"/documents/{each}")
        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND"), each
    assert (await world.http.post(f"/documents/{token}")).status_code == 405


def upload_of() -> Data:
    return {"byteSize": 10, "kind": "WORK_VISA", "mimeType": "image/jpeg", "sha256": "ab" * 32}


async def test_who_reads_too_slowly_is_cut_off_and_holds_no_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "GIVES_MAX_S", 3.0)
    _, _, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    (link, other) = (await reveal(reviewer, attempt))["photos"]
    scope = {"type": "http", "method": "GET", "path": f"/documents/{link['url'].rpartition('/')[2]}"}
    scope |= {"headers": [], "query_string": b""}
    begun = asyncio.Semaphore(0)

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(_: Any) -> None:
        begun.release()
        await asyncio.Event().wait()

    readers = range(transfers.AT_ONCE_WITH_ONE_TOKEN_MAX)
    stuck = [asyncio.create_task(world.app(dict(scope), receive, send)) for _ in readers]
    for _ in readers:
        await asyncio.wait_for(begun.acquire(), 2)
    answer = await fetched(world, link["url"])
    assert (answer.status_code, code_of(answer)) == (503, "BUSY")
    assert (await fetched(world, other["url"])).status_code == 200, "another photo has places of its own"
    await asyncio.wait_for(asyncio.gather(*stuck), 10)
    assert (await fetched(world, link["url"])).status_code == 200


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
async def test_a_photo_that_was_harmed_is_not_shown(world: World, harm: str) -> None:
    _, _, attempt = await waiting(world)
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    links = (await reveal(reviewer, attempt))["photos"]
    harms: dict[str, Callable[[bytes], bytes]] = {
        "cut": lambda content: content[:-1],
        "changed": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    }
    for path in objects(world):
        if harm == "gone":
            path.unlink()
        else:
            path.write_bytes(harms[harm](path.read_bytes()))
    answers = [await fetched(world, link["url"]) for link in links]
    assert {answer.status_code for answer in answers} == ({410} if harm == "gone" else {500})
    assert all(len(answer.content) < 1_000 for answer in answers)


async def test_what_a_reveal_shows_is_nowhere_else_for_staff(world: World) -> None:
    _, anchor_id, attempt = await waiting(world)
    reviewer = world.staff("REVIEW", "REVIEW_LEAD", "AUDIT", "ADMINISTER")
    await claim(reviewer, attempt)
    (shown, _) = (await reveal(reviewer, attempt))["photos"]
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { __typename
        ... on Document { findings { code } }
        ... on Anchor { documents { id } }
        ... on PassportVisaVerification {
            legalName passportExpiresOn workVisaExpiresOn documents { id } } } }"""
    document, anchor, verification = (
        await reviewer.ask(query, {"ids": [shown["document"]["id"], anchor_id, attempt]})
    )["nodes"]
    assert document is None
    assert anchor["documents"] == []
    hidden = {name: verification[name] for name in ("legalName", "passportExpiresOn", "workVisaExpiresOn", "documents")}
    assert hidden == {"legalName": None, "passportExpiresOn": None, "workVisaExpiresOn": None, "documents": []}


async def test_a_photo_of_any_size_comes_whole(world: World) -> None:
    shop = await world.seller()
    ivan = await an_anchor(shop)
    page = await sent(world, shop, ivan, photo(size=(4000, 3000), quality=98), "PASSPORT_DATA_PAGE")
    visa = await sent(world, shop, ivan, photo(seed=3), "WORK_VISA")
    given = evidence(world, [page["id"], visa["id"]])
    begun = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
    attempt = (await shop.do("SubmitVerification", anchorId=ivan, evidence=given, **begun))["verification"]["id"]
    reviewer = world.staff("REVIEW")
    await claim(reviewer, attempt)
    for link in (await reveal(reviewer, attempt))["photos"]:
        answer = await fetched(world, link["url"])
        assert len(answer.content) == int(answer.headers["content-length"])
        Image.open(BytesIO(answer.content)).load()
