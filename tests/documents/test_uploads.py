"""Photos over HTTP: a place reserved, bytes sent with plain PUT, checked by the worker, and cleared away."""

import asyncio
import os
from collections.abc import AsyncIterator
from io import BytesIO

import asyncpg
import httpx
import pytest
from clients import Data
from photos import an_anchor, announced, checked, checks, documents, objects, photo, put, staged, working
from PIL import Image
from uuid_utils.compat import uuid7
from worlds import World

from greenroom import uploads
from greenroom.graph import read_id


@pytest.fixture(autouse=True)
def empty_store(world: World) -> None:
    """Rows are cleared before each test; so are the bytes."""
    for path in objects(world):
        path.unlink()


def code_of(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


async def test_a_photo_comes_in_is_checked_and_shown(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    assert place["document"]["status"] == "STAGED"
    assert (await put(world, place, content)).status_code == 204
    assert [each["status"] for each in await documents(shop, anchor_id)] == ["CHECKING"]
    async with working(world):
        (document,) = await checked(shop, anchor_id)
    assert document["status"] == "READY", document


async def test_several_come_in_at_once_in_any_order(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    contents = [photo(seed=n) for n in range(6)]
    places = await staged(shop, anchor_id, *contents)
    assert [place["document"]["byteSize"] for place in places] == [len(content) for content in contents]
    answers = await asyncio.gather(*(put(world, *each) for each in reversed(list(zip(places, contents, strict=True)))))
    assert {answer.status_code for answer in answers} == {204}
    async with working(world):
        found = await checked(shop, anchor_id)
    assert [each["status"] for each in found] == ["READY"] * 6
    assert [each["id"] for each in found] == [place["document"]["id"] for place in reversed(places)], "newest first"


async def test_what_was_cut_short_or_altered_can_be_sent_again_to_the_same_url(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    for wrong, status, code in (
        (content[:-1], 400, "FEWER_BYTES_THAN_ANNOUNCED"),
        (b"", 400, "FEWER_BYTES_THAN_ANNOUNCED"),
        (content[:-1] + b"x", 400, "DIGEST_MISMATCH"),
        (content + b"x", 413, "MORE_BYTES_THAN_ANNOUNCED"),
        (pieces(content + b"x"), 413, "MORE_BYTES_THAN_ANNOUNCED"),
    ):
        answer = await put(world, place, wrong)
        assert (answer.status_code, code_of(answer)) == (status, code)
        assert [each["status"] for each in await documents(shop, anchor_id)] == ["STAGED"]
    assert objects(world) == [], "nothing rests of what was refused"
    assert (await put(world, place, pieces(content))).status_code == 204


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 10_000):
        yield content[at : at + 10_000]


async def test_who_sends_nothing_for_too_long_is_sent_away_and_may_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PAUSE_MAX_S", 0.2)
    shop = await world.seller()
    content = photo()
    (place,) = await staged(shop, await an_anchor(shop), content)

    async def stalling() -> AsyncIterator[bytes]:
        yield content[:1_000]
        await asyncio.sleep(5)
        yield content[1_000:]

    answer = await put(world, place, stalling())
    assert (answer.status_code, code_of(answer)) == (408, "UPLOAD_TOO_SLOW")
    assert objects(world) == []
    assert (await put(world, place, content)).status_code == 204


async def test_what_has_arrived_can_not_be_replaced(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    answers = await asyncio.gather(*(put(world, place, content) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 7
    assert {code_of(answer) for answer in answers if answer.status_code == 409} == {"UPLOAD_COMPLETE"}
    assert len(objects(world)) == 1


async def test_an_address_that_is_not_ours_or_is_over_takes_nothing(world: World) -> None:
    shop = await world.seller()
    content = photo()
    (place,) = await staged(shop, await an_anchor(shop), content)
    token = place["url"].rpartition("/")[2]
    altered = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for wrong in (altered, "x", token + "x", token[:-1], "%00", "..%2F..%2Fetc"):
        answer = await put(world, place | {"url": place["url"].replace(token, wrong)}, content)
        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND"), wrong
    world.clock.advance(hours=1)
    answer = await put(world, place, content)
    assert (answer.status_code, code_of(answer)) == (410, "UPLOAD_EXPIRED")


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"byteSize": 0}, "byteSize"),
        ({"byteSize": 20 * 1024 * 1024 + 1}, "byteSize"),
        ({"mimeType": "image/svg+xml"}, "mimeType"),
        ({"sha256": "g" * 64}, "sha256"),
        ({"sha256": "ab"}, "sha256"),
    ],
)
async def test_a_photo_announced_wrongly_gets_no_place(world: World, wrong: Data, path: str) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    uploads = [announced(b"x"), announced(b"x") | wrong]
    (error,) = await shop.refused("StageUploads", anchorId=anchor_id, uploads=uploads)
    assert (error["code"], error["field"]) == ("INVALID", ["input", "uploads", "1", path])
    assert await documents(shop, anchor_id) == []


async def test_nothing_is_taken_without_consent(world: World) -> None:  # X1
    shop = await world.seller()
    anchor = await shop.anchor("Ivan", "RU")
    (error,) = await shop.refused("StageUploads", anchorId=anchor["id"], uploads=[announced(b"x")])
    assert (error["code"], error["requirement"]) == ("REQUIRED", "CONSENT")


async def test_there_are_so_many_places_and_no_more(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    for count, code in ((0, "REQUIRED"), (11, "INVALID")):
        (error,) = await shop.refused("StageUploads", anchorId=anchor_id, uploads=[announced(b"x")] * count)
        assert (error["code"], error["field"]) == (code, ["input", "uploads"])
    for _ in range(2):
        await staged(shop, anchor_id, *[b"x"] * 10)
    (error,) = await shop.refused("StageUploads", anchorId=anchor_id, uploads=[announced(b"x")])
    assert (error["code"], error["field"]) == ("INVALID", ["input", "uploads"])


async def test_a_repeated_reservation_finds_the_same_places(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    input = {"anchorId": anchor_id, "uploads": [announced(b"x"), announced(b"y")], "idempotencyKey": "once"}
    first, again = [(await shop.do("StageUploads", **input))["stagedUploads"] for _ in range(2)]
    assert first == again
    assert len(await documents(shop, anchor_id)) == 2


async def test_nobody_else_sees_or_uses_a_photo(world: World) -> None:
    shop, other = await world.seller(), await world.seller("ES")
    anchor_id = await an_anchor(shop)
    (place,) = await staged(shop, anchor_id, b"x")
    (error,) = await other.refused("StageUploads", anchorId=anchor_id, uploads=[announced(b"x")])
    assert error["code"] == "NOT_FOUND"
    query = "query($id: ID!) { node(id: $id) { ... on Document { kind } } }"
    asked = {"id": place["document"]["id"]}
    assert await shop.ask(query, asked) == {"node": {"kind": "PASSPORT_DATA_PAGE"}}
    for client in (other, world.staff("REVIEW"), world.staff("AUDIT"), world.anonymous()):
        assert await client.ask(query, asked) == {"node": None}
    assert (await world.staff("REVIEW").call("AnchorHistory", {"id": anchor_id}))["node"]["documents"] == []


async def test_what_is_no_photo_fails_and_says_what_to_do(world: World) -> None:
    shop = await world.seller()
    shop.language = "zh"
    anchor_id = await an_anchor(shop)
    wrong = [b"<svg/>", photo()[:5_000], photo(size=(200, 100))]
    for place, content in zip(await staged(shop, anchor_id, *wrong), wrong, strict=True):
        assert (await put(world, place, content)).status_code == 204
    async with working(world):
        found = await checked(shop, anchor_id)
    assert [each["status"] for each in found] == ["FAILED"] * 3
    assert {each["findings"][0]["code"] for each in found} == {"IMAGE_UNREADABLE"}
    assert len({each["findings"][0]["message"] for each in found}) == 3, "each its own words"
    assert objects(world) == []


async def test_a_photo_that_warns_can_be_handed_in_all_the_same(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    grey = BytesIO()
    Image.open(BytesIO(photo())).convert("L").save(grey, "JPEG")
    (place,) = await staged(shop, anchor_id, grey.getvalue())
    await put(world, place, grey.getvalue())
    async with working(world):
        (document,) = await checked(shop, anchor_id)
    assert document["status"] == "READY"
    assert "IMAGE_GREYSCALE" in [each["code"] for each in document["findings"]]


async def test_what_rests_is_sealed_and_what_is_kept_is_not_what_came(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    await put(world, place, content)
    (original,) = objects(world)
    assert content[:64] not in original.read_bytes()
    async with working(world):
        (document,) = await checked(shop, anchor_id)
    (kept,) = objects(world)
    assert kept != original
    assert b"JFIF" not in kept.read_bytes()
    assert document["byteSize"] != len(content)


async def test_what_nobody_hands_in_is_cleared_away_bytes_included(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    first, _ = await staged(shop, anchor_id, content, photo(seed=1))
    await put(world, first, content)
    async with working(world):
        await checked(shop, anchor_id)
    async with checks(world) as found:
        world.clock.advance(minutes=61)
        assert await found.clear() == 1, "the place that was never used"
        assert [each["id"] for each in await documents(shop, anchor_id)] == [first["document"]["id"]]
        world.clock.advance(days=7)
        assert await found.clear() == 1
    assert await documents(shop, anchor_id) == []
    assert objects(world) == []
    cleared = await boss.fetchval("SELECT count(*) FROM events WHERE action = 'DOCUMENT_CLEARED'")
    assert cleared == 2


async def test_a_photo_whose_check_never_ends_is_cleared_away_too(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    await put(world, place, content)
    async with checks(world) as found:
        world.clock.advance(minutes=61)
        await found.clear()
        await found.check({"account_id": str(read_id(anchor_id)[1].account_id), "id": str(uuid7())})
    assert await documents(shop, anchor_id) == []
    assert objects(world) == []


async def test_an_object_that_no_row_names_goes_once_no_upload_can_want_it(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    await put(world, place, content)
    (wanted,) = objects(world)
    stray = wanted.with_name(wanted.name[:-32] + uuid7().hex)
    stray.write_bytes(b"x")
    async with checks(world) as found:
        old = world.clock.now.timestamp() - 3 * 3600
        for path in (wanted, stray):
            os.utime(path, (old, old))
        assert await found.sweep() == 1
    assert objects(world) == [wanted]


async def test_a_check_that_is_done_twice_or_at_once_changes_nothing_more(world: World) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = photo()
    (place,) = await staged(shop, anchor_id, content)
    await put(world, place, content)
    key = read_id(place["document"]["id"])[1]
    what = {"account_id": str(key.account_id), "id": str(key.id)}
    async with checks(world) as found:
        await asyncio.gather(found.check(what), found.check(what))
        await found.check(what)
    assert [each["status"] for each in await documents(shop, anchor_id)] == ["READY"]
    assert len(objects(world)) == 1
