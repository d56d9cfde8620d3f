"""Personal data that was planted turns up nowhere but where the account's own people ask for it (X4, security)."""

import json
from base64 import b64encode

import asyncpg
import pytest
from clients import picked
from structlog.testing import capture_logs
from worlds import World

from contracts.calls import BEGUN, staged

NAME, EMAIL = "Zephyrine Quatermain", "zephyrine.quatermain@example.org"
PARTS = (NAME, EMAIL, "Zephyrine", "Quatermain", "quatermain")
TEXTS = """
SELECT t.relname AS table, a.attname AS column
FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r' ORDER BY 1, 2
"""


def found_in(text: str) -> list[str]:
    """The planted parts that a text holds, as they are or as base64 would carry them."""
    encoded = [b64encode(part.encode()).decode().rstrip("=") for part in (NAME, EMAIL)]
    return [part for part in (*PARTS, *encoded) if part.lower() in text.lower()]


async def planted(world: World) -> tuple[str, str, str]:
    """An account whose anchor handed in the planted name and address, once refused, once with success; on air."""
    shop = await world.seller()
    anchor = await shop.anchor("Zeph")
    evidence = {"contact": {"legalName": NAME, "email": EMAIL, "nationality": "FR"}}
    await shop.refused("SubmitVerification", anchorId=anchor["id"], evidence=evidence, **BEGUN)
    await shop.hand_in_contact(anchor["id"], legalName=NAME, email=EMAIL)
    await world.launch()
    room = await shop.room(picked(anchor["id"]), start=world.tonight())
    token = (await shop.go_live(room["id"]))["ticket"]["token"]
    return anchor["id"], room["id"], token


async def test_at_rest_no_table_holds_a_name_or_an_address_that_can_be_read(
    world: World, boss: asyncpg.Connection
) -> None:
    await planted(world)
    for row in await boss.fetch(TEXTS):
        column = f'"{row["column"]}"'
        for value in await boss.fetch(f'SELECT {column}::text AS said FROM "{row["table"]}"'):
            said = value["said"] or ""
            assert found_in(said) == [], row
            if said.startswith("\\x"):
                assert found_in(bytes.fromhex(said[2:]).decode(errors="replace")) == [], row
    sealed = await boss.fetch("SELECT legal_name, email FROM verifications WHERE legal_name IS NOT NULL")
    assert sealed, "it is there, sealed"


async def test_the_same_text_is_never_sealed_the_same_way_twice(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    for name in ("A", "B"):
        anchor = await shop.anchor(name)
        await shop.hand_in_contact(anchor["id"], legalName=NAME, email=EMAIL)
    first, second = await boss.fetch("SELECT legal_name, email FROM verifications")
    assert first["legal_name"] != second["legal_name"]
    assert first["email"] != second["email"]


async def test_events_records_tickets_logs_and_errors_are_free_of_it(world: World, boss: asyncpg.Connection) -> None:
    with capture_logs() as logs:
        _, room_id, token = await planted(world)
        shop = world.client(accounts=["account-1"])
        records = await shop.call("AdmissionRecords", {"id": room_id})
        log = await shop.call("AccountLog", {"id": (await shop.call("ConsoleHome"))["viewer"]["accounts"][0]["id"]})
        checked = await world.http.post(
            "/tickets/check", json={"ticket": token}, headers=world.staff("MEDIA").headers()
        )
    header, body, _ = token.split(".")
    claims = world.services.tickets.read(token, now=world.clock.now)
    events = await boss.fetch("SELECT row_to_json(e)::text AS said FROM events e")
    frozen = await boss.fetch("SELECT evidence::text AS said FROM admission_records")
    assert events and frozen  # noqa: PT018  # there is something to look at
    said = [str(claims), header, body, checked.text, json.dumps([records, log]), str(logs)]
    for text in (*said, *(row["said"] for row in (*events, *frozen))):
        assert found_in(text) == []


FAULTY = [
    pytest.param({"legalName": NAME * 20}, id="a name too long"),
    pytest.param({"legalName": NAME + "\x07"}, id="a control character in the name"),
    pytest.param({"email": EMAIL + "@"}, id="an impossible address"),
    pytest.param({"nationality": "FR"}, id="another nationality"),
    pytest.param({"email": None}, id="no address"),
]


@pytest.mark.parametrize("wrong", FAULTY)
async def test_no_refusal_repeats_what_was_typed(wrong: dict[str, str | None], world: World) -> None:
    shop = await world.seller()
    anchor = await shop.anchor("Zeph")
    contact = {"legalName": NAME, "email": EMAIL, "nationality": "ES"} | wrong
    input = {"anchorId": anchor["id"], "evidence": {"contact": contact}, "consentVersion": "2021-08"} | BEGUN
    with capture_logs() as logs:
        for language in ("en", "zh"):
            shop.language = language
            errors = await shop.refused("SubmitVerification", **input)
            assert found_in(json.dumps(errors, ensure_ascii=False)) == []
    assert found_in(str(logs)) == []


MISSHAPEN = [
    pytest.param({"legalName": {"first": NAME}, "email": [EMAIL]}, id="values of the wrong type"),
    pytest.param({"legalName": NAME, "email": EMAIL, "faceVideo": "…"}, id="a field that we do not have"),
    pytest.param([NAME, EMAIL], id="no object"),
]


@pytest.mark.parametrize("contact", MISSHAPEN)
async def test_an_input_of_the_wrong_shape_is_not_repeated(contact: object, world: World) -> None:
    shop = await world.seller()
    anchor = await shop.anchor("Zeph")
    whole = {"anchorId": anchor["id"], "evidence": {"contact": contact}} | BEGUN
    headless = {name: value for name, value in whole.items() if name != "entryPoint"}
    for input in (whole, headless):
        with capture_logs() as logs:
            response = await shop.send("SubmitVerification", {"input": input})
        assert response.status_code == 400
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert found_in(response.text) == []
        assert found_in(str(logs)) == []


async def test_only_the_account_s_own_people_read_it_back(world: World) -> None:
    stage = await staged(world)
    ask = "query($id: ID!) { node(id: $id) { ... on ContactVerification { legalName email } } }"
    own = (await stage.shop.ask(ask, {"id": stage.verification}))["node"]
    assert own == {"legalName": "Ana García", "email": "ana@example.com"}
    staff = world.staff("ADMINISTER", "AUDIT", "REVIEW", "REVIEW_LEAD", "MEDIA")
    shown = (await staff.ask(ask, {"id": stage.verification}))["node"]
    assert shown["legalName"] is None
    assert shown["email"] is None
    other = await world.blogger()
    assert (await other.ask(ask, {"id": stage.verification}))["node"] is None
