"""One successful call of everything that the schema offers, in a world that has one of each thing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clients import Client, Shop, newcomer, picked
from graphql import (
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from worlds import World

from greenroom.graph import global_id, read_id
from greenroom.schema import build

SCHEMA: GraphQLSchema = build()._schema
Input = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One account with one of each thing, by global ids, and who acts for it."""

    shop: Shop
    staff: Client
    reviewer: Client
    tonight: str
    account: str
    ana: str
    """Submitted on CONTACT."""
    verification: str
    ben: str
    """Handed in nothing, agreed to nothing."""
    room: str
    """Scheduled, with Ana in the cast."""
    member: str
    review: str
    live: str
    record: str
    document: str
    """A place for a photo of Ana's."""
    event: str
    dora: str
    """Dora's attempt, submitted on PASSPORT_VISA and claimed by the reviewer; its task has the same key."""
    task: str
    open: str
    """The task of Ana's attempt, which nobody has claimed."""


def papers(*photos: str) -> Input:
    """Evidence of PASSPORT_VISA with these photos."""
    documents = [{"documentId": id, "expiresOn": "2030-01-01"} for id in photos]
    person = {"legalName": "Dora Gil", "nationality": "ES", "dateOfBirth": "1990-01-01"}
    return {"passportVisa": {"passportNumber": "AB123", "passportIssuer": "ES", "documents": documents} | person}


IN_CHINA = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR"}
UPLOAD = {"byteSize": 100, "kind": "WORK_VISA", "mimeType": "image/jpeg", "sha256": "ab" * 32}


async def staged(world: World, shop: Shop | None = None) -> Stage:
    """Set one stage, rules enforced."""
    shop = shop or await world.seller()
    ana, ben, cleo, dora = [(await shop.anchor(name))["id"] for name in ("Ana", "Ben", "Cleo", "Dora")]
    verification = (await shop.hand_in_contact(ana))["id"]
    reviewer = world.staff("REVIEW")
    refused = await shop.hand_in_contact(cleo, legalName="Cleo Sanz", email="cleo@example.com")
    await reviewer.do("ClaimTask", reviewTaskId=task_of(refused["id"]))
    decision = {"decision": "REJECT", "findings": [EMAIL_UNVERIFIED], "internalNote": "No answer."}
    await reviewer.do("DecideVerification", verificationId=refused["id"], expectedVersion=1, **decision)
    history = await shop.ask(
        "query($id: ID!) { node(id: $id) { ... on Anchor { verifications { nodes { review { id } } } } } }",
        {"id": cleo},
    )
    await world.launch()
    start = world.tonight()
    room = await shop.room(picked(ana), start=start)
    live = await shop.room(picked(ana), start=start)
    await shop.go_live(live["id"])
    await shop.do("GiveConsent", anchorId=dora, noticeVersion="2021-08")
    photos = [await world.photo(dora, kind) for kind in ("PASSPORT_DATA_PAGE", "WORK_VISA")]
    handed_in = await shop.do("SubmitVerification", anchorId=dora, evidence=papers(*photos), **IN_CHINA)
    waiting = handed_in["verification"]["id"]
    await reviewer.do("ClaimTask", reviewTaskId=task_of(waiting))
    uploads = (await shop.do("StageUploads", anchorId=ana, uploads=[UPLOAD]))["stagedUploads"]
    record = (await shop.call("AdmissionRecords", {"id": live["id"]}))["node"]["admissionRecords"][0]
    event = (await shop.call("AccountLog", {"id": shop.account_id}))["account"]["auditEvents"]["edges"][0]["node"]
    return Stage(
        shop,
        world.staff(),
        reviewer,
        start,
        shop.account_id,
        ana,
        verification,
        ben,
        room["id"],
        room["cast"][0]["id"],
        history["node"]["verifications"]["nodes"][0]["review"]["id"],
        live["id"],
        record["id"],
        uploads[0]["document"]["id"],
        event["id"],
        waiting,
        task_of(waiting),
        task_of(verification),
    )


def task_of(verification_id: str) -> str:
    """The task of an attempt."""
    key = read_id(verification_id)[1]
    return global_id("ReviewTask", key.account_id, key.id)


EMAIL_UNVERIFIED = {"code": "EMAIL_UNVERIFIED", "requirement": "EMAIL", "message": ""}


CONTACT = {"contact": {"legalName": "Ana García", "email": "ana@example.com", "nationality": "ES"}}
BEGUN = {"location": "OUTSIDE_CHINA", "entryPoint": "CONSOLE_HOME"}
KEY = {"idempotencyKey": "a-key"}

# Every mutation with an input that succeeds on a fresh stage and changes something, all that takes an id given.
MUTATIONS: dict[str, Callable[[Stage], Input]] = {
    "accountRegister": lambda _: {"externalId": "another", "kind": "BLOGGER", "name": "Mei", "nationality": "CN"},
    "admissionPolicyActivate": lambda _: {"name": "cn-2026", "launchAt": None, "expectedVersion": 2},
    "anchorCreate": lambda s: {"accountId": s.account, "anchor": {"displayName": "Dai", "nationality": "CN"}} | KEY,
    "anchorUpdate": lambda s: {"anchorId": s.ben, "displayName": "Benjamin", "expectedVersion": 1},
    "anchorForget": lambda s: {"accountId": s.account, "anchorId": s.ben},
    "anchorConsentGive": lambda s: {"anchorId": s.ben, "noticeVersion": "2021-08"},
    "stagedUploadsCreate": lambda s: {"anchorId": s.ana, "uploads": [UPLOAD, UPLOAD]} | KEY,
    "verificationSubmit": lambda s: {"anchorId": s.ana, "evidence": CONTACT} | BEGUN | KEY,
    "verificationCancel": lambda s: {"verificationId": s.verification, "expectedVersion": 1},
    "liveRoomCreate": lambda s: (
        {"accountId": s.account, "title": "T", "scheduledStartAt": s.tonight, "cast": [picked(s.ana), newcomer()]} | KEY
    ),
    "liveRoomUpdate": lambda s: {"liveRoomId": s.room, "title": "Later", "cast": [picked(s.ana), picked(s.ben)]},
    "liveRoomCancel": lambda s: {"liveRoomId": s.room, "expectedVersion": 1},
    "castConfirm": lambda s: {
        "liveRoomId": s.room,
        "members": [{"castMemberId": s.member, "location": "OUTSIDE_CHINA"}],
    },
    "liveRoomGoLive": lambda s: {"liveRoomId": s.room} | KEY,
    "liveRoomTicketRenew": lambda s: {"liveRoomId": s.live},
    "liveRoomEnd": lambda s: {"liveRoomId": s.live},
    "reviewTaskClaim": lambda s: {"reviewTaskId": s.open},
    "reviewTaskRelease": lambda s: {"reviewTaskId": s.task},
    "verificationReveal": lambda s: {"verificationId": s.dora, "purpose": "Review"},
    "verificationReview": lambda s: {"verificationId": s.dora, "expectedVersion": 1, "decision": "APPROVE"},
}
# Another call of a mutation, for what its first one leaves out: by a name on the path to it.
OTHERS: dict[str, Callable[[Stage], Input]] = {
    "passportVisa": lambda s: {"anchorId": s.ana, "evidence": papers(s.document)} | IN_CHINA | KEY,
}
BY_STAFF = {"accountRegister", "admissionPolicyActivate"}
BY_REVIEWERS = {"reviewTaskClaim", "reviewTaskRelease", "verificationReveal", "verificationReview"}

# Every query that takes an id, with variables that find something.
QUERIES: dict[str, Callable[[Stage], Input]] = {
    "node": lambda s: {"id": s.room},
    "nodes": lambda s: {"ids": [s.room, s.ana]},
    "account": lambda s: {"by": {"id": s.account}},
    "verificationRequirement": lambda s: {
        "input": {"accountId": s.account, "anchor": {"id": s.ana}, "location": "IN_CHINA"}
    },
}
# Every subscription, with variables that it takes.
SUBSCRIPTIONS: dict[str, Callable[[Stage], Input]] = {
    "verificationStatusChanged": lambda s: {"accountId": s.account},
}
ROOTS = {"mutation": SCHEMA.mutation_type, "query": SCHEMA.query_type, "subscription": SCHEMA.subscription_type}
CALLS = {"mutation": MUTATIONS, "query": QUERIES, "subscription": SUBSCRIPTIONS}


def caller(stage: Stage, field: str) -> Client:
    """Who makes a call: the account's own people, or staff where only they may."""
    if field in BY_REVIEWERS:
        return stage.reviewer
    return stage.staff if field in BY_STAFF else stage.shop


def document(kind: str, field: str) -> str:
    """A document of one root field with every required argument as a variable of its name, asking for all nearby."""
    root = ROOTS[kind]
    assert root is not None
    found = root.fields[field]
    needed = {name: argument.type for name, argument in found.args.items() if is_required_argument(argument)}
    declared = ", ".join(f"${name}: {type_}" for name, type_ in needed.items())
    passed = ", ".join(f"{name}: ${name}" for name in needed)
    return f"{kind}({declared}) {{ {field}({passed}) {shape(found.type)} }}"


def shape(type_: Any, *, depth: int = 3) -> str:
    """A selection of everything that needs no argument, to a depth, lists in pages apart."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    parts = ["__typename"]
    if isinstance(named, GraphQLObjectType | GraphQLInterfaceType) and depth:
        for name, field in named.fields.items():
            if not any(is_required_argument(a) for a in field.args.values()) and "Connection" not in str(field.type):
                parts.append(f"{name} {shape(field.type, depth=depth - 1)}".strip())
    return "{ " + " ".join(parts) + " }"


def ids_in(type_: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every place below an argument that takes an id: `*` stands for each entry of a list."""
    if isinstance(type_, GraphQLNonNull):
        yield from ids_in(type_.of_type, path)
    elif isinstance(type_, GraphQLList):
        yield from ids_in(type_.of_type, (*path, "*"))
    elif type_ is GraphQLID or getattr(type_, "name", "") == "ID":
        yield path
    elif isinstance(type_, GraphQLInputObjectType):
        for name, field in type_.fields.items():
            yield from ids_in(field.type, (*path, name))


def id_places() -> list[tuple[str, str, tuple[str, ...]]]:
    """Every argument and input field of the schema that takes an id, as (kind, root field, path).

    Raises AssertionError for one below the root: no call here would reach it.
    """
    found = []
    for type_ in SCHEMA.type_map.values():
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            continue
        kind = next((kind for kind, root in ROOTS.items() if root is type_), "")
        for name, field in type_.fields.items():
            paths = [path for a, argument in field.args.items() for path in ids_in(argument.type, (a,))]
            assert kind or not paths, f"{type_.name}.{name} takes an id: give it a call"
            found += [(kind, name, path) for path in paths]
    return found


def replaced(value: Any, path: tuple[str, ...], put: str) -> Any:
    """A copy of variables with another id at one place; in a list, at its last entry that has the place."""
    if not path:
        return put
    head, *rest = path
    if head == "*":
        at = max(i for i, entry in enumerate(value) if has(entry, tuple(rest)))
        return [replaced(entry, tuple(rest), put) if i == at else entry for i, entry in enumerate(value)]
    return value | {head: replaced(value[head], tuple(rest), put)}


def has(value: Any, path: tuple[str, ...]) -> bool:
    """Say whether variables have something at a place."""
    if not path:
        return True
    head, *rest = path
    if head == "*":
        return any(has(entry, tuple(rest)) for entry in value)
    return head in value and has(value[head], tuple(rest))
