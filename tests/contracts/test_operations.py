"""The operations that our clients send, each valid against the schema and sent once with success."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from clients import OPERATIONS, definitions, document, newcomer, picked
from graphql import parse, validate
from subscriptions.wires import wired
from worlds import World

from contracts.calls import BEGUN, CONTACT, SCHEMA, UPLOAD, Stage, staged
from greenroom.graph import read_id
from greenroom.paging import cursor_of

# What stands in `operations/` for issues to come; it leaves this list with the issue that builds it.
TO_COME = {
    "AddWebhook",
    "AdmissionChanges",
    "ClaimNextTask",
    "EscalateTask",
    "RefreshTaobao",
    "RevokeVerification",
    "StartTaobao",
    "UnlockAttempts",
    "WithdrawConsent",
}


def new_room(s: Stage) -> dict[str, Any]:
    return {"accountId": s.account, "title": "T", "scheduledStartAt": s.tonight, "cast": [picked(s.ana), newcomer()]}


CASES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "ConsoleHome": lambda _: {},
    "Rooms": lambda s: {"accountId": s.account, "status": "LIVE"},
    "AddAnchor": lambda s: {
        "input": {"accountId": s.account, "anchor": {"displayName": "王芳", "nationality": "CN"}},
    },
    "ChangeAnchor": lambda s: {"input": {"anchorId": s.ben, "nationality": "FR"}},
    "Roster": lambda s: {"accountId": s.account, "search": "an"},
    "DecisionTable": lambda _: {},
    "RememberedAnchors": lambda s: {"accountId": s.account, "first": 1},
    "RequirementFor": lambda s: {"input": {"accountId": s.account, "anchor": {"id": s.ben}, "location": "IN_CHINA"}},
    "RoomForEditing": lambda s: {"id": s.room},
    "CreateRoom": lambda s: {"input": new_room(s)},
    "UpdateRoom": lambda s: {"input": {"liveRoomId": s.room, "cast": [picked(s.ana, "IN_CHINA")]}},
    "CancelRoom": lambda s: {"input": {"liveRoomId": s.room}},
    "ConfirmCast": lambda s: {
        "input": {"liveRoomId": s.room, "members": [{"castMemberId": s.member, "location": "OUTSIDE_CHINA"}]}
    },
    "ForgetAnchor": lambda s: {"input": {"accountId": s.account, "anchorId": s.ben}},
    "Admission": lambda s: {"id": s.room},
    "GoLive": lambda s: {"input": {"liveRoomId": s.room}},
    "RenewTicket": lambda s: {"input": {"liveRoomId": s.live}},
    "EndRoom": lambda s: {"input": {"liveRoomId": s.live}},
    "AdmissionRecords": lambda s: {"id": s.live},
    "GiveConsent": lambda s: {"input": {"anchorId": s.ben, "noticeVersion": "2021-08"}},
    "StageUploads": lambda s: {"input": {"anchorId": s.ana, "uploads": [UPLOAD]}},
    "SubmitVerification": lambda s: {
        "input": {"anchorId": s.ben, "evidence": CONTACT, "consentVersion": "2021-08"} | BEGUN
    },
    "CancelVerification": lambda s: {"input": {"verificationId": s.verification, "expectedVersion": 1}},
    "AnchorHistory": lambda s: {"id": s.ana},
    "RegisterAccount": lambda _: {
        "input": {"externalId": "x", "kind": "SELLER", "name": "Tienda", "nationality": "ES"}
    },
    "ActivatePolicy": lambda _: {"input": {"name": "cn-2026", "expectedVersion": 2}},
    "PreviewPolicy": lambda s: {"input": {"name": "cn-2026", "launchAt": s.tonight}},
    "Accounts": lambda _: {"search": "小店"},
    "CurrentPolicy": lambda _: {},
    "AccountLog": lambda s: {"id": s.account},
    "ReviewQueue": lambda _: {"path": "CONTACT"},
    "ClaimTask": lambda s: {"input": {"reviewTaskId": s.open}},
    "ReleaseTask": lambda s: {"input": {"reviewTaskId": s.task}},
    "RevealVerification": lambda s: {"input": {"verificationId": s.dora, "purpose": "Review"}},
    "DecideVerification": lambda s: {
        "input": {"verificationId": s.dora, "expectedVersion": 1, "decision": "REJECT", "findings": [GLARE]}
    },
}
GLARE = {"code": "IMAGE_GLARE", "requirement": "RIGHT_TO_WORK", "message": "Bitte ohne Blitz."}
BY_REVIEWERS = {"ReviewQueue", "ClaimTask", "ReleaseTask", "RevealVerification", "DecideVerification"}
BY_STAFF = {"RegisterAccount", "ActivatePolicy", "PreviewPolicy", "Accounts", "CurrentPolicy"}


def before_all(account: str) -> str:
    """The cursor before the first event of an account."""
    return cursor_of((read_id(account)[1].account_id, 0))


# Followed from the first event on, so that there is something to tell.
FOLLOWED: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "VerificationChanges": lambda s: {
        "accountId": s.account,
        "after": cursor_of((read_id(s.account)[1].account_id, 0)),
    },
}


def test_the_guide_says_what_is_to_come() -> None:
    guide = (OPERATIONS.parent / "docs" / "client.md").read_text()
    told = guide[guide.index("Some of `operations/`") :].partition("**Errors.**")[0]
    assert set(re.findall(r"`(\w+)`", told)) == TO_COME


def test_every_operation_is_sent_here_or_to_come() -> None:
    operations, _ = definitions()
    assert set(operations) == set(CASES) | set(FOLLOWED) | TO_COME


@pytest.mark.parametrize("name", sorted(CASES))
async def test_an_operation_is_valid_and_succeeds(name: str, world: World) -> None:
    assert validate(SCHEMA, parse(document(name))) == []
    stage = await staged(world)
    client = stage.staff if name in BY_STAFF else stage.reviewer if name in BY_REVIEWERS else stage.shop
    data = await client.call(name, CASES[name](stage))
    for root, answer in data.items():
        assert answer is not None, root
        assert not answer.get("userErrors"), answer


@pytest.mark.parametrize("name", sorted(FOLLOWED))
async def test_a_subscription_is_valid_and_tells(name: str, world: World) -> None:
    assert validate(SCHEMA, parse(document(name))) == []
    stage = await staged(world)
    async with wired(world) as wire, wire.socket(stage.shop.sign()) as talk:
        await talk.subscribe(document(name), FOLLOWED[name](stage), operationName=name)
        told = await talk.hear()
    assert told["type"] == "next", told
    assert "errors" not in told["payload"], told
    assert all(told["payload"]["data"].values())


@pytest.mark.parametrize("name", sorted(TO_COME))
def test_what_is_to_come_is_not_offered_rather_than_pretended(name: str) -> None:
    assert validate(SCHEMA, parse(document(name))) != []
