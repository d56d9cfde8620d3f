"""Statements per named operation: exact, so that one more is noticed, and the same whatever the number of rows.

Begin, scope and commit are apart, and what is amortised over requests: the policy held for a second, leases of points.
"""

from collections.abc import Callable

import pytest
from clients import Data, Shop, newcomer, picked
from worlds import World

from contracts.calls import IN_CHINA, UPLOAD, papers, task_of

Statements = Callable[[], list[str]]


async def counted(shop: Shop, statements: Statements, name: str, variables: Data) -> int:
    """How many statements an operation needs, once the policy is held."""
    await shop.call("ConsoleHome")
    statements()
    await shop.call(name, variables)
    return len(statements())


async def remembered(shop: Shop, count: int) -> list[str]:
    """So many anchors that handed in."""
    found = [(await shop.anchor(f"Anchor {i}"))["id"] for i in range(count)]
    for i, anchor_id in enumerate(found):
        await shop.hand_in_contact(anchor_id, legalName=f"Name {i}", email=f"a{i}@example.com")
    return found


@pytest.mark.parametrize("count", [1, 20])
async def test_q1_the_picker_of_remembered_anchors(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    await remembered(shop, count)
    assert await counted(shop, statements, "RememberedAnchors", {"accountId": shop.account_id}) == 2  # at most 2


@pytest.mark.parametrize("count", [1, 20])
async def test_q2_the_list_of_rooms(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    anchors = await remembered(shop, 3)
    for _ in range(count):
        await shop.room(*map(picked, anchors), start=world.tonight())
    assert await counted(shop, statements, "Rooms", {"accountId": shop.account_id}) == 4  # at most 4


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_q3_the_answer_of_the_gate(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    await world.launch()
    room = await shop.room(*(newcomer(f"Anchor {i}") for i in range(count)), start=world.tonight())
    assert len((await shop.admission(room["id"]))["blockers"]) == count
    assert await counted(shop, statements, "Admission", {"id": room["id"]}) == 3  # at most 3


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_m1_a_room_with_anchors_picked(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    cast = [picked(anchor_id) for anchor_id in await remembered(shop, count)]
    input = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": cast}
    asked = {"input": input | {"idempotencyKey": "m1"}}
    assert await counted(shop, statements, "CreateRoom", asked) == 10  # at most 12


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_m1_a_room_with_newcomers(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    cast = [newcomer(f"Anchor {i}") for i in range(count)]
    input = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": cast}
    asked = {"input": input | {"idempotencyKey": "m1"}}
    assert await counted(shop, statements, "CreateRoom", asked) == 10  # at most 12


async def test_m1_a_room_with_both(world: World, statements: Statements) -> None:
    shop = await world.seller()
    cast = [*map(picked, await remembered(shop, 3)), *(newcomer(f"Newcomer {i}") for i in range(3))]
    input = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": cast}
    asked = {"input": input | {"idempotencyKey": "m1"}}
    assert await counted(shop, statements, "CreateRoom", asked) == 12  # at most 12


@pytest.mark.parametrize("count", [1, 3])
async def test_handing_in_passport_and_visa(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    dora = (await shop.anchor("Dora"))["id"]
    await shop.do("GiveConsent", anchorId=dora, noticeVersion="2021-08")
    kinds = ("PASSPORT_DATA_PAGE", *("WORK_VISA",) * count)
    photos = [await world.photo(dora, kind) for kind in kinds]
    input = {"anchorId": dora, "evidence": papers(*photos), "idempotencyKey": "papers"} | IN_CHINA
    assert await counted(shop, statements, "SubmitVerification", {"input": input}) == 19


async def test_mending_what_waits_reads_no_photos_and_whether_it_is_claimed(
    world: World, statements: Statements
) -> None:
    shop = await world.seller()
    dora = (await shop.anchor("Dora"))["id"]
    await shop.do("GiveConsent", anchorId=dora, noticeVersion="2021-08")
    photos = [await world.photo(dora, kind) for kind in ("PASSPORT_DATA_PAGE", "WORK_VISA")]
    await shop.do("SubmitVerification", anchorId=dora, evidence=papers(*photos), **IN_CHINA)
    statements()
    input = {"anchorId": dora, "evidence": {"passportVisa": {"legalName": "Dora"}}} | IN_CHINA
    await shop.call("SubmitVerification", {"input": input})
    told = statements()
    assert not [each for each in told if "rejected_at IS NOT NULL" in each]
    assert len([each for each in told if "review_tasks" in each]) == 1
    assert len(told) == 18


@pytest.mark.parametrize("count", [2, 10])
async def test_places_for_photos(count: int, world: World, statements: Statements) -> None:
    shop = await world.seller()
    dora = (await shop.anchor("Dora"))["id"]
    await shop.do("GiveConsent", anchorId=dora, noticeVersion="2021-08")
    input = {"anchorId": dora, "uploads": [UPLOAD] * count, "idempotencyKey": "places"}
    assert await counted(shop, statements, "StageUploads", {"input": input}) == 10


async def decided(world: World, statements: Statements, rows: int, **said: object) -> tuple[int, int]:
    """How many statements it takes to reveal and to decide about somebody who stands on so many rows of an account."""
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    for n in range(rows):
        anchor = (await shop.anchor(f"Dora {n}"))["id"]
        await shop.do("GiveConsent", anchorId=anchor, noticeVersion="2021-08")
        photos = [await world.photo(anchor, kind) for kind in ("PASSPORT_DATA_PAGE", "WORK_VISA")]
        done = await shop.do("SubmitVerification", anchorId=anchor, evidence=papers(*photos), **IN_CHINA)
    id = done["verification"]["id"]
    await reviewer.do("ClaimTask", reviewTaskId=task_of(id))
    statements()
    await reviewer.do("RevealVerification", verificationId=id, purpose="Review")
    revealed = len(statements())
    await reviewer.do("DecideVerification", verificationId=id, expectedVersion=1, **said)
    return revealed, len(statements())


@pytest.mark.parametrize("rows", [1, 5])
async def test_revealing_and_approving(rows: int, world: World, statements: Statements) -> None:
    assert await decided(world, statements, rows, decision="APPROVE") == (5, 15)


@pytest.mark.parametrize("rows", [1, 5])
async def test_rejecting(rows: int, world: World, statements: Statements) -> None:
    findings = [{"code": "FORGED_DOCUMENT", "requirement": "PASSPORT", "message": ""}]
    said = {"decision": "REJECT", "findings": findings, "internalNote": "Known."}
    assert (await decided(world, statements, rows, **said))[1] == 18
