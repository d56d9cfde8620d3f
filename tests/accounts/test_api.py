"""Accounts over HTTP: registered by the platform, and what follows when it learns something new of one (R1)."""

import asyncpg
import pytest
from clients import Data, codes_at, picked
from race import race
from worlds import World, ready, rests_on

REGISTRATION = {"externalId": "shop-1", "kind": "SELLER", "name": "双十一小店", "nationality": "CN"}


async def test_registering_twice_makes_one_account(world: World) -> None:
    staff = world.staff()
    first, second = [(await staff.do("RegisterAccount", **REGISTRATION))["account"] for _ in range(2)]
    assert first == second
    assert (await staff.call("Accounts", {}))["accounts"]["totalCount"] == 1
    log = (await staff.call("AccountLog", {"id": first["id"]}))["account"]["auditEvents"]["edges"]
    assert [edge["node"]["action"] for edge in log] == ["ACCOUNT_REGISTERED"]


@pytest.mark.parametrize("permissions", [(), ("AUDIT",), ("REVIEW",), ("REVIEW_LEAD",), ("MEDIA",)])
async def test_nobody_but_the_platform_registers_accounts(world: World, permissions: tuple[str, ...]) -> None:
    errors = await world.client(accounts=["shop-1"], permissions=permissions).refused("RegisterAccount", **REGISTRATION)
    assert {error["code"] for error in errors} == {"PERMISSION_DENIED"}
    assert (await world.staff().call("Accounts", {}))["accounts"]["totalCount"] == 0


async def test_an_owner_changes_neither_kind_nor_nationality(world: World) -> None:  # R1
    shop = await world.seller("CN")
    wished = {"externalId": shop.external_id, "kind": "BLOGGER", "name": "Free", "nationality": "ES"}
    (error,) = await shop.refused("RegisterAccount", **wished)
    assert error["code"] == "PERMISSION_DENIED"
    (account,) = (await shop.call("ConsoleHome"))["viewer"]["accounts"]
    assert (account["kind"], account["nationality"]) == ("SELLER", "CN")


async def test_an_administrator_s_change_is_in_the_log_and_open_rooms_answer_by_it_at_once(world: World) -> None:  # R1
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert rests_on(room["cast"][0]["requirement"]["basis"])[:2] == ("R10", 4)
    became = {"externalId": shop.external_id, "kind": "BLOGGER", "name": "双十一小店", "nationality": "RU"}
    await world.staff(subject="wei").do("RegisterAccount", **became)
    after = (await shop.call("RoomForEditing", {"id": room["id"]}))["node"]
    assert rests_on(after["cast"][0]["requirement"]["basis"])[:2] == ("R12", 16)
    log = (await world.staff("AUDIT").call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"]
    assert (log[0]["node"]["action"], log[0]["node"]["actorName"]) == ("ACCOUNT_CHANGED", "wei")
    (own,) = [
        edge["node"]
        for edge in (await shop.call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"]
        if edge["node"]["action"] == "ACCOUNT_CHANGED"
    ]
    assert own["actorName"] == "Platform staff"  # that it was staff, not who
    seen = (await world.staff("REVIEW").call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"]
    names = {edge["node"]["action"]: edge["node"]["actorName"] for edge in seen}
    assert names["LIVE_ROOM_CREATED"] == "The account"  # that it was them, not who
    went = await shop.go_live(room["id"])
    assert went["admission"]["isAdmitted"]


async def test_every_problem_of_a_registration_is_told_at_once(world: World) -> None:
    wrong = {"externalId": " ", "kind": "SELLER", "name": "a\u0007b", "nationality": "Atlantis"}
    errors = await world.staff().refused("RegisterAccount", **wrong)
    assert codes_at(errors) == {
        ("INVALID", "input.externalId"),
        ("INVALID", "input.name"),
        ("INVALID", "input.nationality"),
    }


async def test_the_directory_finds_by_part_of_a_name_or_by_the_whole_platform_id(world: World) -> None:
    await world.seller("CN", external_id="shop-1", name="双十一小店")
    await world.seller("ES", external_id="shop-12", name="Tienda José")
    staff = world.staff()
    for search, found in (("十一", ["shop-1"]), ("jose", ["shop-12"]), ("shop-1", ["shop-1"]), ("%", [])):
        edges = (await staff.call("Accounts", {"search": search}))["accounts"]["edges"]
        assert [edge["node"]["externalId"] for edge in edges] == found, search


async def test_of_many_first_registrations_at_once_one_makes_it(world: World, boss: asyncpg.Connection) -> None:
    staff = world.staff()
    input = {"externalId": "new", "kind": "SELLER", "name": "小店", "nationality": "CN"}

    async def register() -> Data:
        payload = (await staff.call("RegisterAccount", {"input": input}))["accountRegister"]
        assert payload["userErrors"] == []
        found: Data = payload["account"]
        return found

    made = await race(world, *[register] * 10, gate="LOCK TABLE accounts IN EXCLUSIVE MODE")
    assert len({account["id"] for account in made}) == 1
    written = await boss.fetch("SELECT action FROM events")
    assert [row["action"] for row in written] == ["ACCOUNT_REGISTERED"]
