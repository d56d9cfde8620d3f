"""Beside GraphQL: addresses that there are not, and callers who have not said who they are."""

import pytest
from clients import newcomer
from worlds import World, foreign


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/console/assets/nothing.js", 404, "NOT_FOUND"),
        ("GET", "/tickets/check", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/healthz", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_is_not_there_is_refused_as_everything_else_is(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    answer = await world.http.request(method, path, headers={"accept-language": "zh"})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (status, code)
    assert any("\u4e00" <= character <= "\u9fff" for character in error["message"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("allow" in answer.headers) == (status == 405)


async def test_a_mutation_without_a_token_is_told_to_send_one_whatever_it_names(world: World) -> None:
    shop = await world.seller()
    room = await shop.room(newcomer(), start=world.tonight())
    for room_id in (room["id"], foreign("LiveRoom"), "garbage"):
        (error,) = (await world.anonymous().send("GoLive", {"input": {"liveRoomId": room_id}})).json()["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert "Authorization: Bearer" in error["message"]


async def test_a_list_of_the_staffs_tells_strangers_the_same(world: World) -> None:
    (error,) = (await world.anonymous().post("{ accounts { nodes { id } } }")).json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
