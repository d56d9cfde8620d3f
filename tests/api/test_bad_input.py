"""What bad input gets: a code, its place in the input, a sentence in both languages, and nothing written.

Each case is sent in English and in Chinese. None gives a fault of ours, a half-written row, or another's data.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from clients import Data, Shop, codes_at, newcomer, picked
from house import contents
from worlds import World, foreign, iso

HAN = re.compile("[一-鿿]")
LONG = "A" * 10_000
BEGUN = {"location": "OUTSIDE_CHINA", "entryPoint": "CONSOLE_HOME"}
Codes = set[tuple[str, str]]


@pytest.fixture
async def shop(world: World) -> Shop:
    return await world.seller()


class Refusals:
    """Sends what must be refused, in both languages, and sees to it that nothing was written."""

    def __init__(self, boss: asyncpg.Connection) -> None:
        self.boss = boss

    async def __call__(self, shop: Shop, name: str, /, **input: Any) -> tuple[Codes, list[Data]]:
        """The codes with their places, and the errors in English."""
        before = await contents(self.boss)
        said: dict[str, list[Data]] = {}
        for language in ("zh", "en"):
            shop.language = language
            said[language] = await shop.refused(name, **input)
        assert codes_at(said["zh"]) == codes_at(said["en"])
        assert len(codes_at(said["en"])) == len(said["en"]), "no problem is told twice"
        assert all(HAN.search(error["message"]) for error in said["zh"])
        assert not any(HAN.search(error["message"]) for error in said["en"])
        assert await contents(self.boss) == before
        return codes_at(said["en"]), said["en"]


@pytest.fixture
def refusals(boss: asyncpg.Connection) -> Refusals:
    return Refusals(boss)


def contact(**fields: str | None) -> Data:
    return {"contact": {"legalName": "Ana García", "nationality": "ES", "email": "ana@example.com"} | fields}


AT = "input.evidence.contact"
EVIDENCE = [
    pytest.param(
        {"contact": {}},
        {("REQUIRED", f"{AT}.legalName"), ("REQUIRED", f"{AT}.nationality"), ("REQUIRED", f"{AT}.email")},
        id="everything is missing",
    ),
    pytest.param(
        contact(legalName=None, nationality=None, email=None),
        {("REQUIRED", f"{AT}.legalName"), ("REQUIRED", f"{AT}.nationality"), ("REQUIRED", f"{AT}.email")},
        id="everything is null",
    ),
    pytest.param(
        contact(legalName=" ", nationality="", email="\t"),
        {("REQUIRED", f"{AT}.legalName"), ("REQUIRED", f"{AT}.nationality"), ("REQUIRED", f"{AT}.email")},
        id="everything is blank",
    ),
    pytest.param(contact(email=None), {("REQUIRED", f"{AT}.email")}, id="no e-mail"),
    pytest.param(contact(email="ana"), {("INVALID", f"{AT}.email")}, id="no address"),
    pytest.param(contact(email="ana@example..com"), {("INVALID", f"{AT}.email")}, id="an impossible domain"),
    pytest.param(contact(email="a@b@example.com"), {("INVALID", f"{AT}.email")}, id="two at signs"),
    pytest.param(contact(email="ana@exam\x00ple.com"), {("INVALID", f"{AT}.email")}, id="a null in the address"),
    pytest.param(contact(email=f"{LONG}@example.com"), {("INVALID", f"{AT}.email")}, id="an endless address"),
    pytest.param(contact(legalName="Ana\x07García"), {("INVALID", f"{AT}.legalName")}, id="a control character"),
    pytest.param(contact(legalName="Ana\x00"), {("INVALID", f"{AT}.legalName")}, id="a null in the name"),
    pytest.param(contact(legalName="Ana\u202egnitsetnoc"), {("INVALID", f"{AT}.legalName")}, id="text turned around"),
    pytest.param(contact(legalName="\u200d\u200d"), {("INVALID", f"{AT}.legalName")}, id="an invisible name"),
    pytest.param(contact(legalName=LONG), {("INVALID", f"{AT}.legalName")}, id="a name of 10,000 characters"),
    pytest.param(contact(nationality="ZZ"), {("INVALID", f"{AT}.nationality")}, id="an unknown country"),
    pytest.param(contact(nationality="Spain"), {("INVALID", f"{AT}.nationality")}, id="a country's name"),
    pytest.param(contact(nationality="FR"), {("INVALID", f"{AT}.nationality")}, id="not the anchor's nationality"),
    pytest.param(
        contact(legalName=LONG, nationality="ZZ", email="ana"),
        {("INVALID", f"{AT}.legalName"), ("INVALID", f"{AT}.nationality"), ("INVALID", f"{AT}.email")},
        id="everything is wrong",
    ),
]


@pytest.mark.parametrize(("evidence", "expected"), EVIDENCE)
async def test_all_that_is_missing_or_wrong_is_told_at_once(
    evidence: Data, expected: Codes, shop: Shop, refusals: Refusals
) -> None:
    """R6, R35"""
    anchor = await shop.anchor()
    input = {"anchorId": anchor["id"], "evidence": evidence} | BEGUN
    found, errors = await refusals(shop, "SubmitVerification", **input)
    assert found == expected | {("REQUIRED", "input.consentVersion")}, "consent is an item like the others (X1)"
    assert all(error["requirement"] for error in errors), "each says which item it concerns"


async def test_a_notice_that_is_not_in_force_is_no_consent(shop: Shop, refusals: Refusals) -> None:
    anchor = await shop.anchor()
    input = {"anchorId": anchor["id"], "evidence": contact(), "consentVersion": "1999-01"} | BEGUN
    assert (await refusals(shop, "SubmitVerification", **input))[0] == {("INVALID", "input.consentVersion")}
    found, _ = await refusals(shop, "GiveConsent", anchorId=anchor["id"], noticeVersion="")
    assert found == {("INVALID", "input.noticeVersion")}


async def test_evidence_of_another_path_is_refused(shop: Shop, refusals: Refusals) -> None:
    """R16"""
    for nationality, location in (("CN", "OUTSIDE_CHINA"), ("ES", "IN_CHINA")):
        anchor = await shop.anchor(nationality=nationality)
        input = {"anchorId": anchor["id"], "evidence": contact(nationality=nationality)} | BEGUN
        found, _ = await refusals(shop, "SubmitVerification", **(input | {"location": location}))
        assert found == {("WRONG_PATH", AT)}


TYPED = [
    pytest.param("", "INVALID", id="empty"),
    pytest.param("  \u3000", "INVALID", id="blank"),
    pytest.param("\u200b\u200d", "INVALID", id="invisible"),
    pytest.param("Ana\x00", "INVALID", id="null"),
    pytest.param("A\x1b[31m", "INVALID", id="terminal"),
    pytest.param("A\nB", "INVALID", id="two lines"),
    pytest.param("\u202eAna", "INVALID", id="turned around"),
    pytest.param(LONG, "INVALID", id="10,000 characters"),
    pytest.param("😀" * 10_000, "INVALID", id="10,000 faces"),
]


@pytest.mark.parametrize(("typed", "code"), TYPED)
async def test_a_name_or_title_that_cannot_be_read_is_refused_where_it_stands(
    typed: str, code: str, world: World, shop: Shop, refusals: Refusals
) -> None:
    anchor = await shop.anchor()
    new = {"displayName": typed, "nationality": "ES"}
    found, _ = await refusals(shop, "AddAnchor", accountId=shop.account_id, anchor=new)
    assert found == {(code, "input.anchor.displayName")}
    found, _ = await refusals(shop, "ChangeAnchor", anchorId=anchor["id"], displayName=typed)
    assert found == {(code, "input.displayName")}
    room = {"accountId": shop.account_id, "title": typed, "scheduledStartAt": world.tonight()}
    found, _ = await refusals(shop, "CreateRoom", **room, cast=[newcomer(typed), newcomer()])
    assert found == {(code, "input.title"), (code, "input.cast.0.anchor.new.displayName")}
    made = await shop.room(start=world.tonight())
    found, _ = await refusals(shop, "UpdateRoom", liveRoomId=made["id"], title=typed, cast=[newcomer()])
    assert found == {(code, "input.title")}
    staff = Shop(world.http, world.staff().sign)
    account = {"kind": "SELLER", "nationality": "CN"}
    found, _ = await refusals(staff, "RegisterAccount", externalId="x", name=typed, **account)
    assert found == {(code, "input.name")}
    found, _ = await refusals(staff, "RegisterAccount", externalId=typed, name="x", **account)
    assert found == {(code, "input.externalId")}


COUNTRIES = [("", "REQUIRED"), ("ZZ", "INVALID"), ("EU", "INVALID"), ("ESP", "INVALID"), ("中国", "INVALID")]


@pytest.mark.parametrize(("country", "code"), [*COUNTRIES, (LONG, "INVALID"), ("E\x00", "INVALID")])
async def test_an_unknown_country_is_refused_where_it_stands(
    country: str, code: str, world: World, shop: Shop, refusals: Refusals
) -> None:
    anchor = await shop.anchor()
    new = {"displayName": "Ana", "nationality": country}
    found, _ = await refusals(shop, "AddAnchor", accountId=shop.account_id, anchor=new)
    assert found == {(code, "input.anchor.nationality")}
    found, _ = await refusals(shop, "ChangeAnchor", anchorId=anchor["id"], nationality=country)
    assert found == {(code, "input.nationality")}
    cast = [newcomer(nationality=country)]
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": cast}
    assert (await refusals(shop, "CreateRoom", **room))[0] == {(code, "input.cast.0.anchor.new.nationality")}
    staff = Shop(world.http, world.staff().sign)
    account = {"externalId": "x", "kind": "SELLER", "name": "x", "nationality": country}
    assert (await refusals(staff, "RegisterAccount", **account))[0] == {(code, "input.nationality")}


async def test_a_cast_has_at_most_twenty_and_may_be_empty_until_the_start(
    world: World, shop: Shop, refusals: Refusals
) -> None:
    """R21"""
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight()}
    found, errors = await refusals(shop, "CreateRoom", **room, cast=[newcomer(f"A{i}") for i in range(21)])
    assert found == {("INVALID", "input.cast")}
    assert "20" in errors[0]["message"]
    assert "21" in errors[0]["message"]
    await world.launch()
    empty = await shop.room(start=world.tonight())
    found, errors = await refusals(shop, "GoLive", liveRoomId=empty["id"])
    assert found == {("ADMISSION_REFUSED", "input.liveRoomId")}
    assert [blocker["code"] for blocker in errors[0]["blockers"]] == ["CAST_EMPTY"]
    full = await shop.room(*(newcomer(f"A{i}") for i in range(20)), start=world.tonight())
    assert len(full["cast"]) == 20
    found, _ = await refusals(shop, "UpdateRoom", liveRoomId=full["id"], cast=[newcomer(f"A{i}") for i in range(21)])
    assert found == {("INVALID", "input.cast")}


async def test_the_same_anchor_twice_is_refused_at_the_second(world: World, shop: Shop, refusals: Refusals) -> None:
    ana, ben = (await shop.anchor("Ana"))["id"], (await shop.anchor("Ben"))["id"]
    cast = [picked(ana), picked(ben), picked(ana, "IN_CHINA")]
    room = {"title": "T", "scheduledStartAt": world.tonight(), "cast": cast}
    found, _ = await refusals(shop, "CreateRoom", accountId=shop.account_id, **room)
    assert found == {("INVALID", "input.cast.2.anchor.id")}
    made = await shop.room(picked(ana), start=world.tonight())
    found, _ = await refusals(shop, "UpdateRoom", liveRoomId=made["id"], cast=cast)
    assert found == {("INVALID", "input.cast.2.anchor.id")}


@pytest.mark.parametrize("days", [-1, -36_500, 367, 36_500, 2_900_000])
async def test_a_start_in_the_past_or_years_ahead_is_refused(
    days: int, world: World, shop: Shop, refusals: Refusals
) -> None:
    start = iso(world.clock.now + timedelta(days=days))
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": start, "cast": []}
    assert (await refusals(shop, "CreateRoom", **room))[0] == {("INVALID", "input.scheduledStartAt")}
    made = await shop.room(start=world.tonight())
    found, _ = await refusals(shop, "UpdateRoom", liveRoomId=made["id"], scheduledStartAt=start)
    assert found == {("INVALID", "input.scheduledStartAt")}


INSTANTS = ["tomorrow", "2026-11-25", "2026-11-25T20:00:00", "2026-13-01T00:00:00Z", "0000-00-00T00:00:00Z"]
INSTANTS += ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-11-25T20:00:00+99:00", "T", ""]
INSTANTS += ["20261125T200000Z", "2026-W48-3T20:00:00Z", "2026-11-25T20:00:00+08", "2026-11-25T20:00:00,5Z"]


@pytest.mark.parametrize("instant", [*INSTANTS, LONG, 1_764_000_000, 1.5, True, {}, []])
async def test_what_is_no_instant_is_refused_by_its_type(instant: object, shop: Shop) -> None:
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": instant, "cast": []}
    response = await shop.send("CreateRoom", {"input": room})
    assert response.status_code == 400, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "scheduledStartAt" in error["message"]


async def test_an_anchor_of_another_account_is_an_unknown_one(world: World, shop: Shop, refusals: Refusals) -> None:
    theirs = (await (await world.blogger()).anchor())["id"]
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight()}
    answers = []
    for anchor_id in (theirs, foreign("Anchor"), "garbage", shop.account_id):
        found, errors = await refusals(shop, "CreateRoom", **room, cast=[newcomer(), picked(anchor_id)])
        assert found == {("NOT_FOUND", "input.cast.1.anchor.id")}
        answers.append(errors)
    assert all(answer == answers[0] for answer in answers)


async def test_a_list_of_ids_has_at_most_100(shop: Shop) -> None:
    response = await shop.post("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 101})
    (error,) = response.json()["errors"]
    assert error["extensions"]["argument"] == "ids"


@pytest.mark.parametrize("search", ["%", "_", "\\", LONG, "'; DROP TABLE anchors; --", "😀", "\u202e"])
async def test_a_search_takes_what_is_typed_literally(search: str, shop: Shop) -> None:
    await shop.anchor("Ana")
    for name in ("Roster", "RememberedAnchors"):
        (found,) = (await shop.call(name, {"accountId": shop.account_id, "search": search}))["account"].values()
        assert found["edges"] == []


@pytest.mark.parametrize("search", ["", " ", "\x00", None])
async def test_a_search_for_nothing_finds_everybody(search: str | None, shop: Shop) -> None:
    await shop.anchor("Ana")
    found = await shop.call("Roster", {"accountId": shop.account_id, "search": search})
    assert len(found["account"]["anchors"]["edges"]) == 1


async def test_a_replayed_key_answers_as_before_and_does_nothing_twice(
    shop: Shop, world: World, boss: asyncpg.Connection
) -> None:
    cast = [newcomer("Ana"), newcomer("Ben")]
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": cast}
    first = await shop.do("CreateRoom", **room, idempotencyKey="k")
    before = await contents(boss)
    again = await shop.do("CreateRoom", **room, idempotencyKey="k")
    assert again["liveRoom"]["id"] == first["liveRoom"]["id"]
    assert await contents(boss) == before
    other = await shop.do("CreateRoom", **room, idempotencyKey="another")
    assert other["liveRoom"]["id"] != first["liveRoom"]["id"]


async def test_a_key_with_other_input_or_of_another_verb_is_refused(
    shop: Shop, world: World, refusals: Refusals
) -> None:
    room = {"accountId": shop.account_id, "title": "T", "scheduledStartAt": world.tonight(), "cast": [newcomer()]}
    await shop.do("CreateRoom", **room, idempotencyKey="k")
    at = {("IDEMPOTENCY_MISMATCH", "input.idempotencyKey")}
    assert (await refusals(shop, "CreateRoom", **(room | {"title": "U"}), idempotencyKey="k"))[0] == at
    anchor = {"displayName": "Ana", "nationality": "ES"}
    found, _ = await refusals(shop, "AddAnchor", accountId=shop.account_id, anchor=anchor, idempotencyKey="k")
    assert found == at


async def test_a_key_is_its_account_s_own(shop: Shop, world: World) -> None:
    other = await world.blogger()
    made = set()
    for each in (shop, other):
        anchor = {"displayName": "Ana", "nationality": "ES"}
        made.add(
            (await each.do("AddAnchor", accountId=each.account_id, anchor=anchor, idempotencyKey="k"))["anchor"]["id"]
        )
    assert len(made) == 2


async def test_a_refused_request_leaves_its_key_free(shop: Shop, refusals: Refusals) -> None:
    input = {"accountId": shop.account_id, "idempotencyKey": "k"}
    await refusals(shop, "AddAnchor", **input, anchor={"displayName": "", "nationality": "ES"})
    await shop.do("AddAnchor", **input, anchor={"displayName": "Ana", "nationality": "ES"})


@pytest.mark.parametrize("key", ["", "k" * 256, LONG, "\x00"])
async def test_a_key_that_cannot_be_kept_is_refused(key: str, shop: Shop, refusals: Refusals) -> None:
    anchor = {"displayName": "Ana", "nationality": "ES"}
    found, _ = await refusals(shop, "AddAnchor", accountId=shop.account_id, anchor=anchor, idempotencyKey=key)
    assert found == {("INVALID", "input.idempotencyKey")}


STALE: dict[str, Callable[[Data], Data]] = {
    "UpdateRoom": lambda made: {"liveRoomId": made["room"], "title": "T"},
    "CancelRoom": lambda made: {"liveRoomId": made["room"]},
    "GoLive": lambda made: {"liveRoomId": made["room"]},
    "EndRoom": lambda made: {"liveRoomId": made["live"]},
    "ConfirmCast": lambda made: {
        "liveRoomId": made["room"],
        "members": [{"castMemberId": made["member"], "location": "OUTSIDE_CHINA"}],
    },
    "ChangeAnchor": lambda made: {"anchorId": made["anchor"], "displayName": "Anna"},
    "CancelVerification": lambda made: {"verificationId": made["verification"]},
}


@pytest.mark.parametrize("version", [0, 99, -1, 2**31 - 1])
@pytest.mark.parametrize("name", STALE)
async def test_a_stale_version_is_told_the_present_one(
    name: str, version: int, shop: Shop, world: World, refusals: Refusals
) -> None:
    anchor = await shop.anchor()
    verification = await shop.hand_in_contact(anchor["id"])
    room, live = [await shop.room(picked(anchor["id"]), start=world.tonight()) for _ in range(2)]
    await shop.go_live(live["id"])
    made = {"anchor": anchor["id"], "verification": verification["id"], "room": room["id"], "live": live["id"]}
    made["member"] = room["cast"][0]["id"]
    found, errors = await refusals(shop, name, **STALE[name](made), expectedVersion=version)
    assert found == {("STALE", "input.expectedVersion")}
    assert errors[0]["currentVersion"] in (1, 2)


async def test_a_policy_that_changed_meanwhile_is_stale_and_an_unknown_one_is_invalid(
    world: World, refusals: Refusals
) -> None:
    staff = Shop(world.http, world.staff().sign)
    found, errors = await refusals(staff, "ActivatePolicy", name="cn-2026", expectedVersion=7)
    assert found == {("STALE", "input.expectedVersion")}
    assert errors[0]["currentVersion"] == 1
    found, _ = await refusals(staff, "ActivatePolicy", name="x", expectedVersion=1)
    assert found == {("INVALID", "input.name")}
    early = {"name": "aliexpress-2021", "expectedVersion": 1, "launchAt": "1999-01-01T00:00:00Z"}
    assert (await refusals(staff, "ActivatePolicy", **early))[0] == {("INVALID", "input.launchAt")}


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 1.5, "1", True, 10**400])
async def test_what_is_no_whole_number_of_32_bit_is_refused_by_its_type(number: object, shop: Shop) -> None:
    response = await shop.send("ChangeAnchor", {"input": {"anchorId": "x", "expectedVersion": number}})
    assert response.status_code == 400
    assert {error["extensions"]["code"] for error in response.json()["errors"]} <= {"BAD_USER_INPUT", "BAD_REQUEST"}


ANEW = {"UpdateRoom", "ConfirmCast", "GoLive", "RenewTicket"}
INSTEAD = {
    "SCHEDULED": {"RenewTicket": "liveRoomGoLive", "EndRoom": "liveRoomCancel"},
    "LIVE": {"GoLive": "liveRoomTicketRenew", "CancelRoom": "liveRoomEnd"},
    "ENDED": {"CancelRoom": "nothing to cancel", "EndRoom": "nothing is left to do"} | dict.fromkeys(ANEW, "new room"),
    "CANCELED": {"CancelRoom": "nothing is left to do", "EndRoom": "nothing to end"} | dict.fromkeys(ANEW, "new room"),
}


@pytest.mark.parametrize("state", INSTEAD)
async def test_what_a_state_does_not_allow_says_the_state_and_what_can_be_done_instead(
    state: str, shop: Shop, world: World, refusals: Refusals
) -> None:
    anchor = await shop.anchor()
    await shop.hand_in_contact(anchor["id"])
    room = await shop.room(picked(anchor["id"]), start=world.tonight())
    if state in ("LIVE", "ENDED"):
        await shop.go_live(room["id"])
    if state in ("ENDED", "CANCELED"):
        await shop.do("EndRoom" if state == "ENDED" else "CancelRoom", liveRoomId=room["id"])
    more = {"ConfirmCast": {"members": [{"castMemberId": room["cast"][0]["id"], "location": "OUTSIDE_CHINA"}]}}
    for name, way_on in INSTEAD[state].items():
        found, errors = await refusals(shop, name, liveRoomId=room["id"], **more.get(name, {}))
        assert found == {("INVALID_STATE", "input.liveRoomId")}
        assert way_on in errors[0]["message"], name


async def test_staff_s_verbs_are_refused_to_everybody_else(shop: Shop, refusals: Refusals) -> None:
    account = {"externalId": shop.external_id, "kind": "BLOGGER", "name": "x", "nationality": "US"}
    found, errors = await refusals(shop, "RegisterAccount", **account)
    assert {code for code, _ in found} == {"PERMISSION_DENIED"}, "the owner cannot change kind or nationality (R1)"
    assert "ADMINISTER" in errors[0]["message"]
    found, _ = await refusals(shop, "ActivatePolicy", name="cn-2026", expectedVersion=1)
    assert {code for code, _ in found} == {"PERMISSION_DENIED"}
    for name, variables in (("Accounts", {}), ("PreviewPolicy", {"input": {"name": "cn-2026"}})):
        response = await shop.send(name, variables)
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "PERMISSION_DENIED"
