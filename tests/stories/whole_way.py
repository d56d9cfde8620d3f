"""The whole way of who shows passport and visa: a poor photo, a better one, on air, refused, mended, approved."""

from typing import Any

from clients import Data, Shop, newcomer, picked
from photos import announced as told
from photos import checked, evidence, glaring, lasts, photo, put, working
from reviewing import claim, decide, finding, queue, reveal
from worlds import World, blocked, items


async def sent(world: World, shop: Shop, anchor_id: str, content: bytes, kind: str) -> Data:
    """Send a photo as a client does, and wait until a worker has checked it."""
    input = {"anchorId": anchor_id, "uploads": [told(content, kind)]}
    (place,) = (await shop.do("StageUploads", **input))["stagedUploads"]
    assert (await put(world, place, content)).status_code == 204
    return next(each for each in await checked(shop, anchor_id) if each["id"] == place["document"]["id"])


async def hand_in(shop: Shop, anchor_id: str, given: Data) -> Data:
    begun = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
    found: Data = (await shop.do("SubmitVerification", anchorId=anchor_id, evidence=given, **begun))["verification"]
    return found


async def the_whole_way(world: World, shop: Shop, nationality: str) -> None:  # R5, R33, R36, R37, R38, R39
    await world.launch()
    reviewer = world.staff("REVIEW")
    async with working(world):
        room = await shop.room(newcomer("Alex", nationality, "IN_CHINA"), start=world.tonight())
        alex = room["cast"][0]["anchor"]["id"]
        assert blocked(room["admission"]) == [("NOT_SUBMITTED", "Alex")]

        await shop.do("GiveConsent", anchorId=alex, noticeVersion="2021-08")
        page = await sent(world, shop, alex, photo(seed=1), "PASSPORT_DATA_PAGE")
        poor = await sent(world, shop, alex, glaring(), "WORK_VISA")
        assert poor["status"] == "READY", "it may be handed in all the same"
        assert [each["code"] for each in poor["findings"]] == ["IMAGE_GLARE"], "but that is told at once"
        visa = await sent(world, shop, alex, photo(seed=2), "WORK_VISA")
        assert (visa["status"], visa["findings"]) == ("READY", [])
        first = await hand_in(shop, alex, evidence(world, [page["id"], visa["id"]], nationality=nationality))
        assert (first["status"], first["expiresAt"][:10]) == ("SUBMITTED", lasts(world)), "to the end of its last day"
        assert (await shop.go_live(room["id"]))["ticket"]

        (task,) = await queue(reviewer)
        await claim(reviewer, task["verification"]["id"])
        for each in (await reveal(reviewer, first["id"]))["photos"]:
            fetched = await world.http.get(each["url"].removeprefix(world.settings.public_url))
            assert fetched.headers["content-type"] == "image/jpeg"
        await decide(reviewer, first["id"], finding("IMAGE_INCOMPLETE", "RIGHT_TO_WORK"))
        assert await shown(shop, room["id"], "status", "isFlagged") == ["LIVE", True], "the broadcast goes on"
        await shop.do("RenewTicket", liveRoomId=room["id"])
        await shop.do("EndRoom", liveRoomId=room["id"])

        room = await shop.room(picked(alex, "IN_CHINA"), start=world.tonight())
        answer = await shop.admission(room["id"])
        assert blocked(answer) == [("RESUBMIT", "Alex")], "the next start waits"
        assert items(answer["blockers"][0]["requirement"]) == ["RIGHT_TO_WORK"], "and for this alone"
        same = await sent(world, shop, alex, photo(seed=2, quality=60), "WORK_VISA")
        assert [each["code"] for each in same["findings"]] == ["IMAGE_SAME_AS_REJECTED"]
        whole = await sent(world, shop, alex, photo(seed=3), "WORK_VISA")
        again = {"documents": [{"documentId": whole["id"], "expiresOn": lasts(world, 200)}]}
        second = await hand_in(shop, alex, {"passportVisa": again})
        assert {each["id"] for each in second["documents"]} == {page["id"], whole["id"]}
        assert (await shop.go_live(room["id"]))["admission"]["isAdmitted"]
        await decide(reviewer, second["id"])
        (member,) = await shown(shop, room["id"], "cast")
        assert member["verification"]["status"] == "APPROVED"
        assert member["verification"]["expiresAt"][:10] == lasts(world, 200), "the earlier of the two documents"


async def the_day_before(world: World, shop: Shop, nationality: str) -> None:  # X2
    """A visa that ends the day before the broadcast: told when the room is made."""
    await world.launch()
    async with working(world):
        alex = (await shop.anchor("Alex", nationality))["id"]
        await shop.do("GiveConsent", anchorId=alex, noticeVersion="2021-08")
        page = await sent(world, shop, alex, photo(seed=1), "PASSPORT_DATA_PAGE")
        visa = await sent(world, shop, alex, photo(seed=2), "WORK_VISA")
        given = evidence(world, [page["id"], visa["id"]], nationality=nationality)
        given["passportVisa"]["documents"][1]["expiresOn"] = lasts(world, 9)
        await hand_in(shop, alex, given)
        in_time = await shop.room(picked(alex, "IN_CHINA"), start=world.tonight(hours=24 * 9 - 12))
        too_late = await shop.room(picked(alex, "IN_CHINA"), start=world.tonight(hours=24 * 10))
        assert in_time["admission"]["isAdmitted"]
        assert blocked(too_late["admission"]) == [("DOCUMENT_EXPIRES_BEFORE_BROADCAST", "Alex")]


async def shown(shop: Shop, room_id: str, *fields: str) -> list[Any]:
    found = (await shop.call("RoomForEditing", {"id": room_id}))["node"]
    return [found[name] for name in fields] if len(fields) > 1 else found[fields[0]]
