"""Every change leaves its event: what each mutation did to each row is held against what it wrote in the log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from clients import Client, newcomer, picked
from contracts.calls import BEGUN, CONTACT, MUTATIONS, SCHEMA, UPLOAD, Input, Stage, caller, staged
from rooms.test_policy_locks import in_line
from rooms.test_races import codes, sent
from worlds import LAUNCHED, World, iso

from events.changes import ACCOUNTED, BOOKKEEPING, KEYS, appended, idle, rows, unaccounted
from greenroom.graph import read_id

Before = Callable[[World, Stage], Awaitable[Any]]
CONSENT = {"consentVersion": "2021-08"}
HANDED_IN = "VERIFICATION_SUBMITTED"


@dataclass(frozen=True)
class Case:
    """One call of a mutation that succeeds, and the events that it leaves, in the order of the log."""

    field: str
    said: str
    leaves: str
    """Actions, with a space between them."""
    input: Callable[[Stage], Input] | None = None
    """By default the one of `contracts.calls`."""
    before: Before | None = None
    """What happened to the stage before."""
    by: Callable[[World, Stage], Client] | None = None
    is_again: bool = False
    """The very same call was made before."""


async def unlaunched(world: World, _: Stage) -> None:
    await world.policy()


async def another_notice(world: World, _: Stage) -> None:
    await world.policy("cn-2026")


async def withdrawn(world: World, stage: Stage) -> None:
    await world.anchor_row(stage.ana, consent_withdrawn_at=world.clock())


async def ben_agreed(_: World, stage: Stage) -> None:
    await stage.shop.do("GiveConsent", anchorId=stage.ben, noticeVersion="2021-08")


async def ben_handed_in(_: World, stage: Stage) -> None:
    await stage.shop.hand_in_contact(stage.ben)


async def rejected(world: World, stage: Stage) -> None:
    await world.decide(stage.verification, "REJECTED", findings=[("EMAIL_UNVERIFIED", "EMAIL")])


async def approved(world: World, stage: Stage) -> None:
    await world.decide(stage.verification, "APPROVED")


async def ana_travels(world: World, stage: Stage) -> None:
    await world.attempt(stage.ana, "PASSPORT_VISA")


async def approved_before(world: World, stage: Stage) -> None:
    shown = await stage.shop.ask(ANCHOR_OF, {"id": stage.dora})
    await world.attempt(shown["node"]["anchor"]["id"], "PASSPORT_VISA", at=world.clock.now - timedelta(days=1))


ANCHOR_OF = "query($id: ID!) { node(id: $id) { ... on Verification { anchor { id } } } }"


def reject(s: Stage, code: str) -> Input:
    finding = {"code": code, "requirement": "PASSPORT", "message": ""}
    return {"verificationId": s.dora, "expectedVersion": 1, "decision": "REJECT", "findings": [finding]}


async def moved(world: World, stage: Stage) -> None:
    await stage.shop.do("UpdateRoom", liveRoomId=stage.room, scheduledStartAt=world.tonight(20))


def hand_in(anchor: str, **more: Any) -> Callable[[Stage], Input]:
    return lambda s: {"anchorId": getattr(s, anchor), "evidence": CONTACT} | BEGUN | more


def change(room: str = "room", **more: Any) -> Callable[[Stage], Input]:
    """An edit of a room; what is callable is given the stage."""
    return lambda s: {"liveRoomId": getattr(s, room)} | {n: v(s) if callable(v) else v for n, v in more.items()}


def cast(*entries: Callable[[Stage], Input]) -> Callable[[Stage], list[Input]]:
    return lambda s: [entry(s) for entry in entries]


def create(*entries: Callable[[Stage], Input]) -> Callable[[Stage], Input]:
    return lambda s: {"accountId": s.account, "title": "T", "scheduledStartAt": s.tonight, "cast": cast(*entries)(s)}


def ana(s: Stage) -> Input:
    return picked(s.ana)


def ana_in_china(s: Stage) -> Input:
    return picked(s.ana, "IN_CHINA")


def ben(s: Stage) -> Input:
    return picked(s.ben)


def newly(name: str) -> Callable[[Stage], Input]:
    return lambda _: newcomer(name)


def known(**more: str) -> Callable[[Stage], Input]:
    """The stage's own account, as it is registered."""
    as_it_is = {"kind": "SELLER", "name": "双十一小店", "nationality": "CN"}
    return lambda s: {"externalId": s.shop.external_id} | as_it_is | more


def policy(name: str, launch_at: str | None) -> Callable[[Stage], Input]:
    return lambda _: {"name": name, "launchAt": launch_at, "expectedVersion": 2}


def staff(_: World, stage: Stage) -> Client:
    return stage.staff


def media(world: World, _: Stage) -> Client:
    return world.staff("MEDIA", subject="media-server")


SAME = {"expectedVersion": 1}
CASES = [
    Case("accountRegister", "a new one", "ACCOUNT_REGISTERED"),
    Case("accountRegister", "as it is", "", known()),
    Case("accountRegister", "another nationality", "ACCOUNT_CHANGED", known(nationality="US")),
    Case("accountRegister", "another kind", "ACCOUNT_CHANGED", known(kind="BLOGGER")),
    Case("accountRegister", "another name", "ACCOUNT_CHANGED", known(name="小店")),
    Case("admissionPolicyActivate", "another pack", "ADMISSION_POLICY_ACTIVATED"),
    Case("admissionPolicyActivate", "no launch", "ADMISSION_POLICY_ACTIVATED", policy("aliexpress-2021", None)),
    Case("admissionPolicyActivate", "as it is", "", policy("aliexpress-2021", iso(LAUNCHED))),
    Case("anchorCreate", "a new one", "ANCHOR_CREATED"),
    Case("anchorCreate", "sent twice", "", is_again=True),
    Case("anchorUpdate", "another name", "ANCHOR_CHANGED"),
    Case("anchorUpdate", "another nationality", "ANCHOR_CHANGED", lambda s: {"anchorId": s.ana, "nationality": "FR"}),
    Case("anchorUpdate", "as it is", "", lambda s: {"anchorId": s.ana, "displayName": "Ana"}),
    Case("stagedUploadsCreate", "two", "DOCUMENT_STAGED DOCUMENT_STAGED"),
    Case(
        "stagedUploadsCreate",
        "the first of somebody",
        "DOCUMENT_STAGED",
        lambda s: {"anchorId": s.ben, "uploads": [UPLOAD]},
        before=ben_agreed,
    ),
    Case("stagedUploadsCreate", "sent twice", "", is_again=True),
    Case("anchorForget", "one of the roster", "ANCHOR_FORGOTTEN"),
    Case("anchorForget", "twice", "", is_again=True),
    Case("anchorConsentGive", "the first", "CONSENT_GIVEN"),
    Case("anchorConsentGive", "twice", "", is_again=True),
    Case(
        "anchorConsentGive",
        "to another notice",
        "CONSENT_GIVEN",
        lambda s: {"anchorId": s.ana, "noticeVersion": "2026-01"},
        another_notice,
    ),
    Case(
        "anchorConsentGive",
        "after withdrawing it",
        "CONSENT_GIVEN",
        lambda s: {"anchorId": s.ana, "noticeVersion": "2021-08"},
        withdrawn,
    ),
    Case("verificationSubmit", "in place of one that waits", f"VERIFICATION_CANCELED {HANDED_IN}"),
    Case("verificationSubmit", "with consent", f"CONSENT_GIVEN {HANDED_IN}", hand_in("ben", **CONSENT)),
    Case("verificationSubmit", "consent on file", HANDED_IN, hand_in("ben"), ben_agreed),
    Case("verificationSubmit", "consent said again", HANDED_IN, hand_in("ben", **CONSENT), ben_agreed),
    Case(
        "verificationSubmit",
        "with consent, in place of one that waits",
        f"CONSENT_GIVEN VERIFICATION_CANCELED {HANDED_IN}",
        hand_in("ana", **CONSENT),
        withdrawn,
    ),
    Case(
        "verificationSubmit",
        "what was refused alone",
        HANDED_IN,
        hand_in("ana", evidence={"contact": {"email": "new@example.com"}}),
        rejected,
    ),
    Case("verificationSubmit", "behind an approved one", HANDED_IN, before=approved),
    Case("verificationSubmit", "sent twice", "", is_again=True),
    Case("verificationCancel", "one that waits", "VERIFICATION_CANCELED"),
    Case("liveRoomCreate", "with a newcomer", "ANCHOR_CREATED LIVE_ROOM_CREATED"),
    Case("liveRoomCreate", "with nobody", "LIVE_ROOM_CREATED", create()),
    Case("liveRoomCreate", "with whom one knows", "LIVE_ROOM_CREATED", create(ana, ben)),
    Case(
        "liveRoomCreate",
        "with two newcomers",
        "ANCHOR_CREATED ANCHOR_CREATED LIVE_ROOM_CREATED",
        create(newly("Dai"), ana, newly("Eva")),
    ),
    Case("liveRoomCreate", "sent twice", "", is_again=True),
    Case("liveRoomUpdate", "title and cast", "LIVE_ROOM_CHANGED"),
    Case("liveRoomUpdate", "title", "LIVE_ROOM_CHANGED", change(title="Later")),
    Case("liveRoomUpdate", "as it is", "", change(title="Live tonight")),
    Case("liveRoomUpdate", "start", "LIVE_ROOM_CHANGED", change(scheduledStartAt="2026-11-26T20:00:00Z")),
    Case(
        "liveRoomUpdate",
        "start and cast",
        "LIVE_ROOM_CHANGED",
        change(scheduledStartAt="2026-11-26T20:00:00Z", cast=cast(ben, ana)),
    ),
    Case("liveRoomUpdate", "place", "LIVE_ROOM_CHANGED", change(cast=cast(ana_in_china))),
    Case("liveRoomUpdate", "order", "LIVE_ROOM_CHANGED", change(cast=cast(ben, ana))),
    Case("liveRoomUpdate", "nobody left", "LIVE_ROOM_CHANGED", change(cast=cast())),
    Case("liveRoomUpdate", "a newcomer for all", "ANCHOR_CREATED LIVE_ROOM_CHANGED", change(cast=cast(newly("Dai")))),
    Case("liveRoomUpdate", "title, on air", "LIVE_ROOM_CHANGED", change("live", title="Later")),
    Case(
        "liveRoomUpdate",
        "someone joins on air",
        "LIVE_ROOM_CHANGED LIVE_ROOM_JOINED",
        change("live", cast=cast(ana, ben)),
        ben_handed_in,
    ),
    Case(
        "liveRoomUpdate",
        "a newcomer joins on air",
        "ANCHOR_CREATED LIVE_ROOM_CHANGED LIVE_ROOM_JOINED",
        change("live", cast=cast(ana, newly("Dai"))),
        unlaunched,
    ),
    Case("liveRoomCancel", "one ahead", "LIVE_ROOM_CANCELED"),
    Case("castConfirm", "as they are", "CAST_CONFIRMED"),
    Case("castConfirm", "after a new start", "CAST_CONFIRMED", before=moved),
    Case(
        "castConfirm",
        "elsewhere",
        "CAST_CONFIRMED",
        change(members=lambda s: [{"castMemberId": s.member, "location": "IN_CHINA"}]),
    ),
    Case("liveRoomGoLive", "a ready cast", "LIVE_ROOM_STARTED"),
    Case("liveRoomGoLive", "sent twice", "", is_again=True),
    Case("liveRoomTicketRenew", "on air", ""),  # the record that it names is there already
    Case("reviewTaskClaim", "an open one", ""),
    Case("reviewTaskRelease", "one's own", ""),
    Case("verificationReveal", "one's claim", "VERIFICATION_REVEALED"),
    Case("verificationReview", "approved", "VERIFICATION_APPROVED"),
    Case(
        "verificationReview",
        "approved, behind an approved one",
        "VERIFICATION_SUPERSEDED VERIFICATION_APPROVED",
        before=approved_before,
    ),
    Case(
        "verificationReview",
        "rejected, with a note",
        "VERIFICATION_REJECTED",
        lambda s: reject(s, "IMAGE_GLARE") | {"internalNote": "Twice the same table."},
    ),
    Case("verificationReview", "rejected for good", "VERIFICATION_REJECTED", lambda s: reject(s, "FORGED_DOCUMENT")),
    Case("liveRoomEnd", "by its owner", "LIVE_ROOM_ENDED"),
    Case("liveRoomEnd", "by staff", "LIVE_ROOM_ENDED", by=staff),
    Case("liveRoomEnd", "by the media server", "LIVE_ROOM_ENDED", by=media),
]


def test_every_mutation_of_the_schema_is_called_here() -> None:
    assert SCHEMA.mutation_type is not None
    assert {case.field for case in CASES} == set(SCHEMA.mutation_type.fields)


def test_every_table_says_which_events_account_for_its_rows() -> None:
    assert ACCOUNTED.keys() | BOOKKEEPING == KEYS.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.field}: {case.said}")
async def test_all_that_a_mutation_changes_is_in_the_log_and_nothing_else(
    case: Case, world: World, boss: asyncpg.Connection
) -> None:
    stage = await staged(world)
    if case.before:
        await case.before(world, stage)
    client = case.by(world, stage) if case.by else caller(stage, case.field)
    input = (case.input or MUTATIONS[case.field])(stage)

    type_ = f"{case.field[0].upper()}{case.field[1:]}Input"
    document = f"mutation($input: {type_}!) {{ {case.field}(input: $input) {{ userErrors {{ code field }} }} }}"

    async def call() -> None:
        assert (await client.ask(document, {"input": input}))[case.field]["userErrors"] == []

    if case.is_again:
        await call()
    before = await rows(boss)
    await call()
    after = await rows(boss)
    events = appended(before, after)
    assert " ".join(event["action"] for event in events) == case.leaves
    assert unaccounted(before, after) == []
    assert idle(before, after) == []
    kind = "OWNER" if client is stage.shop else "SERVICE" if case.by is media else "STAFF"
    assert {event["actor_kind"] for event in events} <= {kind}


async def test_who_moves_on_air_is_in_the_log_with_the_record(world: World, boss: asyncpg.Connection) -> None:
    stage = await staged(world)
    await ana_travels(world, stage)
    shown = (await stage.shop.call("RoomForEditing", {"id": stage.live}))["node"]
    before = await rows(boss)
    member = {"castMemberId": shown["cast"][0]["id"], "location": "IN_CHINA"}
    await stage.shop.do("ConfirmCast", liveRoomId=stage.live, members=[member])
    after = await rows(boss)
    assert [event["action"] for event in appended(before, after)] == ["CAST_CONFIRMED", "LIVE_ROOM_JOINED"]
    assert (unaccounted(before, after), idle(before, after)) == ([], [])


async def test_an_account_s_first_hand_in_is_in_the_log(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.blogger("ES")
    anchor = await shop.anchor()
    before = await rows(boss)
    await shop.hand_in_contact(anchor["id"])
    after = await rows(boss)
    (account,) = after["accounts"].values()
    assert account["first_submitted_at"]
    assert [event["action"] for event in appended(before, after)] == ["CONSENT_GIVEN", HANDED_IN]
    assert (unaccounted(before, after), idle(before, after)) == ([], [])


async def test_an_attempt_that_a_newer_one_replaces_is_withdrawn_once(world: World, boss: asyncpg.Connection) -> None:
    """Whoever cancels it at that moment has seen an attempt that is none any more."""
    stage = await staged(world)
    log = read_id(stage.account)[1].account_id
    newer = sent(stage.shop, "SubmitVerification", **hand_in("ana")(stage))
    cancel = sent(stage.shop, "CancelVerification", verificationId=stage.verification, expectedVersion=1)
    before = await rows(boss)
    replaced, refused, _ = await in_line(world, log, newer, cancel)
    after = await rows(boss)
    assert (codes(replaced), codes(refused)) == ([], ["STALE"])
    assert [event["action"] for event in appended(before, after)] == ["VERIFICATION_CANCELED", HANDED_IN]
    assert (unaccounted(before, after), idle(before, after)) == ([], [])


async def test_a_change_behind_the_log_s_back_is_found(world: World, boss: asyncpg.Connection) -> None:
    """What these tests look for they do find."""
    stage = await staged(world)
    before = await rows(boss)
    await world.anchor_row(stage.ana, nationality="FR", consent_withdrawn_at=world.clock())
    after = await rows(boss)
    assert sorted(unaccounted(before, after)) == ["anchors.consent_withdrawn_at", "anchors.nationality"]
