"""Anchors over HTTP: found, paged, changed, forgotten; and what they agreed to."""

from typing import Any

import pytest
from clients import Data, Shop, codes_at, picked
from worlds import World, blocked, items, ready

LISTS = ("rememberedAnchors", "anchors")
PAGE = """query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $search: String) {
  account(by: { id: $id }) {
    page: %s(first: $first, after: $after, last: $last, before: $before, search: $search) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { id displayName } }
    }
  }
}"""


async def page(shop: Shop, name: str, **arguments: Any) -> Data:
    found: Data = (await shop.ask(PAGE % name, {"id": shop.account_id} | arguments))["account"]["page"]
    return found


def names(found: Data) -> list[str]:
    return [edge["node"]["displayName"] for edge in found["edges"]]


# Searching

NAMES = ("李娜", "王小明", "Иван Петров", "José Núñez", "Zoë", "100%_Ana", "a\\b", "Łukasz")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("李", ["李娜"]),
        ("小明", ["王小明"]),
        ("ИВАН", ["Иван Петров"]),
        ("петр", ["Иван Петров"]),
        ("jose", ["José Núñez"]),
        ("NUNEZ", ["José Núñez"]),
        ("zoe", ["Zoë"]),
        ("ＺＯＥ", ["Zoë"]),  # full width, as a Chinese keyboard types it
        ("%", ["100%_Ana"]),
        ("0%_", ["100%_Ana"]),
        ("_", ["100%_Ana"]),
        ("\\", ["a\\b"]),
        ("nobody", []),
    ],
)
async def test_a_search_finds_any_part_of_a_name_in_any_script_and_takes_wildcards_literally(
    world: World, name: str, search: str, found: list[str]
) -> None:
    shop = await world.seller("CN")
    for each in NAMES:
        await world.attempt((await shop.anchor(each, "ES"))["id"], "CONTACT", "SUBMITTED")
    assert names(await page(shop, name, search=search)) == found


# Paging


async def test_remembered_anchors_come_most_recently_used_first(world: World) -> None:  # R26
    shop = await world.seller("CN")
    ana, ben, eva = [await ready(shop, each) for each in ("Ana", "Ben", "Eva")]
    assert names(await page(shop, "rememberedAnchors")) == ["Eva", "Ben", "Ana"]
    await shop.room(picked(ana["id"]), start=world.tonight())  # picked
    assert names(await page(shop, "rememberedAnchors")) == ["Ana", "Eva", "Ben"]
    room = await shop.room(picked(ben["id"]), start=world.tonight())
    await shop.room(picked(eva["id"]), start=world.tonight())
    await shop.go_live(room["id"])  # on air
    assert names(await page(shop, "rememberedAnchors")) == ["Ben", "Eva", "Ana"]


async def walked(shop: Shop, name: str, *, step: int, backwards: bool, meanwhile: Any) -> list[str]:
    """All names of a list, page after page, in its order; between two pages something happens."""
    size, cursor, edge = ("last", "before", "startCursor") if backwards else ("first", "after", "endCursor")
    found, place = list[str](), dict[str, Any]()
    while True:
        part = await page(shop, name, **{size: step}, **place)
        found = names(part) + found if backwards else found + names(part)
        if not part["pageInfo"]["hasPreviousPage" if backwards else "hasNextPage"]:
            return found
        place = {cursor: part["pageInfo"][edge]}
        await meanwhile()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("step", [1, 2, 3])
async def test_pages_neither_skip_nor_repeat_while_anchors_come(
    world: World, name: str, step: int, backwards: bool
) -> None:
    shop = await world.seller("CN")
    there = ["Ana", "Ben", "Eva", "Ivo", "Lea", "Max", "Noa"]
    for each in there:
        await world.attempt((await shop.anchor(each))["id"], "CONTACT", "SUBMITTED")
    coming = ["Abel", "Zita", "Kim"]  # before, behind and amid those of the roster

    async def somebody_comes() -> None:
        if coming:
            await world.attempt((await shop.anchor(coming.pop()))["id"], "CONTACT", "SUBMITTED")

    found = await walked(shop, name, step=step, backwards=backwards, meanwhile=somebody_comes)
    known = [each for each in found if each in there]
    assert known == (there[::-1] if name == "rememberedAnchors" else there)
    assert len(found) == len(set(found))


async def test_a_page_says_what_lies_on_either_side(world: World) -> None:
    shop = await world.seller("CN")
    for each in ("Ana", "Ben", "Eva"):
        await shop.anchor(each)
    first = await page(shop, "anchors", first=1)
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    second = await page(shop, "anchors", first=1, after=first["edges"][0]["cursor"])
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (True, True)
    back = await page(shop, "anchors", last=5, before=second["edges"][0]["cursor"])
    assert (names(back), back["pageInfo"]["hasPreviousPage"]) == (["Ana"], False)


# Changing


async def test_another_nationality_is_asked_for_by_its_own_path_at_once(world: World) -> None:  # R2, R40
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    assert room["admission"]["isAdmitted"]
    changed = await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="cn", expectedVersion=2)
    assert changed["anchor"]["nationality"] == "CN"
    answer = await shop.admission(room["id"])
    assert not answer["isAdmitted"]
    assert answer["blockers"][0]["requirement"]["path"] == "TAOBAO_APP"


async def test_what_was_handed_in_for_one_nationality_proves_nothing_of_another(world: World) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="FR")
    answer = await shop.admission(room["id"])
    assert blocked(answer) == [("NOT_SUBMITTED", "Ana")]
    assert items(answer["blockers"][0]["requirement"]) == ["LEGAL_NAME", "NATIONALITY", "EMAIL"]
    await shop.hand_in_contact(ana["id"], nationality="FR")
    assert (await shop.admission(room["id"]))["isAdmitted"]
    await shop.do("ChangeAnchor", anchorId=ana["id"], nationality="ES")  # back: the first was replaced meanwhile
    assert blocked(await shop.admission(room["id"])) == [("NOT_SUBMITTED", "Ana")]


async def test_another_name_changes_no_answer(world: World) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.do("ChangeAnchor", anchorId=ana["id"], displayName="Ana María")
    assert (await shop.admission(room["id"]))["isAdmitted"]
    assert names(await page(shop, "anchors", search="maria")) == ["Ana María"]


async def test_a_stale_change_is_refused_with_the_version_that_holds(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await shop.do("ChangeAnchor", anchorId=ana["id"], displayName="Anna", expectedVersion=1)
    (error,) = await shop.refused("ChangeAnchor", anchorId=ana["id"], displayName="Anne", expectedVersion=1)
    assert (error["code"], error["currentVersion"]) == ("STALE", 2)


async def test_all_that_is_wrong_with_a_new_anchor_is_told_at_once(world: World) -> None:
    shop = await world.seller("CN")
    wrong = {"displayName": "x" * 10_000, "nationality": "ZZ"}
    errors = await shop.refused("AddAnchor", accountId=shop.account_id, anchor=wrong)
    assert codes_at(errors) == {("INVALID", "input.anchor.displayName"), ("INVALID", "input.anchor.nationality")}


# Forgetting


async def test_a_forgotten_anchor_is_offered_nowhere_and_stays_where_they_are(world: World) -> None:  # R25
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    gone = await shop.do("ForgetAnchor", accountId=shop.account_id, anchorId=ana["id"])
    assert gone["forgottenAnchorId"] == ana["id"]
    assert [names(await page(shop, each)) for each in LISTS] == [[], []]
    new = {"accountId": shop.account_id, "title": "Again", "scheduledStartAt": world.tonight()}
    (error,) = await shop.refused("CreateRoom", cast=[picked(ana["id"])], **new)
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "cast", "0", "anchor", "id"])
    kept = await shop.do("UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"])])
    assert kept["liveRoom"]["admission"]["isAdmitted"]
    await shop.go_live(room["id"])
    (record,) = (await shop.call("AdmissionRecords", {"id": room["id"]}))["node"]["admissionRecords"]
    assert [entry["anchor"]["id"] for entry in record["entries"]] == [ana["id"]]


async def test_forgetting_twice_is_fine_and_leaves_one_event(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    for _ in range(2):
        await shop.do("ForgetAnchor", accountId=shop.account_id, anchorId=ana["id"])
    log = (await shop.call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"]
    assert [edge["node"]["action"] for edge in log].count("ANCHOR_FORGOTTEN") == 1


async def test_a_forgotten_anchor_is_neither_changed_nor_verified(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    await shop.do("ForgetAnchor", accountId=shop.account_id, anchorId=ana["id"])
    tried = (
        ("ChangeAnchor", {"displayName": "Anna"}),
        ("GiveConsent", {"noticeVersion": "2021-08"}),
        (
            "SubmitVerification",
            {"location": "OUTSIDE_CHINA", "entryPoint": "ROOM_EDITOR", "evidence": {"contact": {}}},
        ),
    )
    for name, input in tried:
        (error,) = await shop.refused(name, anchorId=ana["id"], **input)
        assert (error["code"], error["field"]) == ("INVALID_STATE", ["input", "anchorId"]), name


# Consent (X1)


async def test_consent_is_given_once_per_version(world: World) -> None:
    shop = await world.seller("CN")
    ana = await shop.anchor()
    first, second = [
        (await shop.do("GiveConsent", anchorId=ana["id"], noticeVersion="2021-08"))["anchor"]["consent"]
        for _ in range(2)
    ]
    assert first == second
    log = (await shop.call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"]
    assert [edge["node"]["action"] for edge in log].count("CONSENT_GIVEN") == 1


async def test_consent_that_was_withdrawn_can_be_given_again(world: World) -> None:
    await world.launch()
    shop = await world.seller("CN")
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await world.anchor_row(ana["id"], consent_withdrawn_at=world.clock())
    assert blocked(await shop.admission(room["id"])) == [("CONSENT_WITHDRAWN", "Ana")]
    given = await shop.do("GiveConsent", anchorId=ana["id"], noticeVersion="2021-08")
    assert given["anchor"]["consent"]["noticeVersion"] == "2021-08"
    assert (await shop.admission(room["id"]))["isAdmitted"]


async def test_past_the_end_of_a_list_its_length_is_told_all_the_same(world: World) -> None:
    shop = await world.seller()
    for name in ("Ana", "Ben"):
        await ready(shop, name)
        await shop.room(start=world.tonight())
    for operation, field in (("Roster", "anchors"), ("RememberedAnchors", "rememberedAnchors"), ("Rooms", "liveRooms")):
        whole = (await shop.call(operation, {"accountId": shop.account_id}))["account"][field]
        beyond = {"accountId": shop.account_id, "after": whole["pageInfo"]["endCursor"]}
        page = (await shop.call(operation, beyond))["account"][field]
        assert (page["edges"], page["totalCount"]) == ([], whole["totalCount"]), operation
        assert whole["totalCount"] == 2
