"""The GraphQL face of rooms."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar
from uuid import UUID

import orjson
import strawberry
from uuid_utils.compat import uuid7

from greenroom.access import ENDS_BROADCASTS, STAFF, Key, acts_for
from greenroom.context import Context, Info, Once, Replay
from greenroom.db import NOBODY, Record, Scope
from greenroom.errors import NotAdmitted, Problem, Refused, UserErrorCode
from greenroom.graph import (
    CountedConnection,
    Edge,
    Ends,
    Instant,
    Node,
    Payload,
    RuleBasis,
    UserError,
    asks_for,
    batch_of,
    given,
    global_id,
    home,
    key_of,
    lacking,
    made,
    read_page,
    sight,
    user_errors,
)
from greenroom.law.admission import Blocker, LiveEffect
from greenroom.law.evidence import answered
from greenroom.law.policies import ACCOUNT_REJECTIONS_WINDOW
from greenroom.law.reasons import BLOCKERS
from greenroom.law.terms import (
    AdmissionBlockerCode,
    BroadcastLocation,
    EndReason,
    LiveRoomStatus,
    PolicyPhase,
    VerificationPath,
    VerificationStatus,
)
from greenroom.rooms import actions, gate
from greenroom.rooms.actions import Confirmation, Pick, Went
from greenroom.rooms.gate import Verdict, judge
from greenroom.verifications.actions import GATE_CANDIDATES

if TYPE_CHECKING:
    from greenroom.accounts.api import Account
    from greenroom.anchors.api import Anchor, AnchorReferenceInput
    from greenroom.policies.api import AdmissionPolicy
    from greenroom.verifications.api import Verification, VerificationRequirement

T = TypeVar("T")
ACCOUNTS = strawberry.lazy("greenroom.accounts.api")
ANCHORS = strawberry.lazy("greenroom.anchors.api")
POLICIES = strawberry.lazy("greenroom.policies.api")
VERIFICATIONS = strawberry.lazy("greenroom.verifications.api")
ROOMS = batch_of(actions.BY_IDS, "ids")
CASTS = batch_of(gate.CAST, "room_ids", by="room_id", many=True)
MEMBERS = batch_of(actions.MEMBERS, "ids")
RECORDS = batch_of(actions.RECORDS, "room_ids", by="room_id", many=True)
RECORDS_BY_IDS = batch_of(actions.RECORDS_BY_IDS, "ids")

for words in (AdmissionBlockerCode, EndReason, LiveRoomStatus, PolicyPhase):
    strawberry.enum(words)


async def gate_candidates(context: Context, keys: list[Key]) -> list[list[Record]]:
    """Read what the gate looks at, one statement for all anchors of one account."""
    found: dict[Key, list[Record]] = {key: [] for key in keys}
    since = context.now - ACCOUNT_REJECTIONS_WINDOW
    for account_id in dict.fromkeys(key.account_id for key in keys):
        ids = [key.id for key in keys if key.account_id == account_id]
        scope = sight(context, account_id)
        for row in await context.rows(GATE_CANDIDATES, scope, account_id=account_id, anchor_ids=ids, since=since):
            found[Key(account_id, row["of_anchor_id"])].append(row)
    return list(found.values())


async def verdicts(context: Context, keys: list[Key]) -> list[Verdict | None]:
    """Ask the law about rooms: their casts and attempts come in one statement each."""
    rooms = await context.loader(ROOMS).load_many(keys)
    casts = await context.loader(CASTS).load_many(keys)
    anchors = list(dict.fromkeys(Key(m["account_id"], m["id"]) for members in casts for m in members))
    candidates = await context.loader(gate_candidates).load_many(anchors)
    attempts = {key.id: rows for key, rows in zip(anchors, candidates, strict=True)}
    return [
        judge(room, room, members, attempts, in_force=context.in_force, now=context.now) if room else None
        for room, members in zip(rooms, casts, strict=True)
    ]


@strawberry.type
class AdmissionBlocker:
    """One reason against a broadcast."""

    code: AdmissionBlockerCode
    """For programs."""
    basis: RuleBasis
    """The rule."""
    message: str
    """For people."""
    member: strawberry.Private["CastMember | None"]

    @classmethod
    def of(cls, blocker: Blocker, verdict: Verdict, language: str) -> Self:
        """What a client sees of a blocker."""
        words = BLOCKERS[blocker.code]
        return cls(
            code=blocker.code,
            basis=RuleBasis.of(blocker.basis),
            message=words.zh if language == "zh" else words.en,
            member=CastMember.of(member_of(verdict, blocker.member_id), verdict) if blocker.member_id else None,
        )

    @strawberry.field
    def cast_member(self) -> Annotated["CastMember", strawberry.lazy("greenroom.rooms.api")] | None:
        """Whom it concerns; null for the whole room."""
        return self.member

    @strawberry.field
    def requirement(self, info: Info) -> Annotated["VerificationRequirement", VERIFICATIONS] | None:
        """What to provide."""
        return self.member.required(info, self.member.known) if self.member else None


def member_of(verdict: Verdict, member_id: UUID) -> Record:
    """Return the row of a member that the law speaks of."""
    return next(row for row in verdict.members if row["member_id"] == member_id)


@strawberry.type
class Admission:
    """An answer to: may this room broadcast?"""

    evaluated_at: Instant
    """When it was computed."""
    is_admitted: bool
    """The answer under the policy in force."""
    is_admitted_if_enforced: bool
    """The answer if the policy were enforced; differs before the launch."""
    verdict: strawberry.Private[Verdict]

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """What a client sees of the law's answer."""
        return cls(
            evaluated_at=Instant(verdict.now),
            is_admitted=verdict.is_admitted,
            is_admitted_if_enforced=not verdict.blockers and not verdict.would_block,
            verdict=verdict,
        )

    @strawberry.field
    def blockers(self, info: Info) -> list[AdmissionBlocker]:
        """Empty when allowed."""
        return [AdmissionBlocker.of(b, self.verdict, info.context.language) for b in self.verdict.blockers]

    @strawberry.field
    def would_block(self, info: Info) -> list[AdmissionBlocker]:
        """What enforcement would refuse as well; empty once enforced."""
        return [AdmissionBlocker.of(b, self.verdict, info.context.language) for b in self.verdict.would_block]

    @strawberry.field
    def policy(self, info: Info) -> Annotated["AdmissionPolicy", POLICIES]:
        """Which rules were used."""
        return home("policies").AdmissionPolicy.of(self.verdict.in_force, info.context)


@strawberry.type
class AdmissionRefused(UserError):
    """The room may not broadcast yet."""

    code: UserErrorCode
    """ADMISSION_REFUSED."""
    blockers: list[AdmissionBlocker]
    """All reasons, at least one."""

    @classmethod
    def of(cls, problem: Problem, common: dict[str, Any], language: str) -> Self:
        """What a client sees of the refusal of a room."""
        assert isinstance(problem, NotAdmitted)
        verdict: Verdict = problem.verdict
        return cls(**common, blockers=[AdmissionBlocker.of(b, verdict, language) for b in verdict.blockers])


@strawberry.type
class CastMember(Node):
    """One anchor's part in one room."""

    location: BroadcastLocation
    """Where the anchor stands."""
    confirmed_at: Instant | None
    """When the anchor was picked with this place, or confirmed again; null once start or place changed."""
    row: strawberry.Private[Record]
    known: strawberry.Private[Verdict | None] = None  # the law's answer that it was read for, where there is one

    @classmethod
    def of(cls, row: Record, verdict: Verdict | None = None) -> Self:
        """What a client sees of a row of the cast."""
        return cls(
            id=global_id("CastMember", row["account_id"], row["member_id"]),
            location=BroadcastLocation(row["location"]),
            confirmed_at=row["confirmed_at"],
            row=row,
            known=verdict,
        )

    @strawberry.field
    def anchor(self) -> Annotated["Anchor", ANCHORS]:
        """The anchor."""
        return home("anchors").Anchor.of(self.row)

    @strawberry.field
    def verification(self, info: Info) -> Annotated["Verification", VERIFICATIONS] | None:
        """The attempt that counts for this appearance."""
        return self.judged(info, self.counted)

    def counted(self, verdict: Verdict | None) -> "Verification | None":
        """Return the attempt that counts by the law's answer."""
        assert verdict is not None
        if (attempt := verdict.counting(self.row["member_id"])) is None:
            return None
        policy, now = verdict.in_force.policy, verdict.now
        return home("verifications").shown(verdict.row_of(attempt), policy=policy, now=now)

    @strawberry.field
    def requirement(self, info: Info) -> Annotated["VerificationRequirement", VERIFICATIONS]:
        """What the anchor still has to provide for this room."""
        return self.judged(info, lambda verdict: self.required(info, verdict))

    def required(self, info: Info, verdict: Verdict | None) -> "VerificationRequirement":
        """Return what is asked of this member by the law's answer."""
        assert verdict is not None
        member_id = self.row["member_id"]
        cell = verdict.cell(member_id)
        return home("verifications").requirement_shown(
            cell.basis,
            cell.path,
            attempt=verdict.counting(member_id),
            has_consent=verdict.appearance(member_id).has_consent,
            policy=verdict.in_force.policy,
            language=info.context.language,
        )

    def judged(self, info: Info, then: Callable[[Verdict | None], T]) -> T:
        """Return what follows from the law's answer about the member's room."""
        if self.known:
            return then(self.known)
        return info.context.loaded(verdicts, Key(self.row["account_id"], self.row["room_id"]), then)


@strawberry.type
class RecordedBlocker:
    """A blocker as it was recorded."""

    cell: int | None
    """Row of the decision table."""
    code: AdmissionBlockerCode
    """For programs."""
    rule: str
    """Such as R20."""
    anchor_key: strawberry.Private[Key | None]

    @strawberry.field
    async def anchor(self, info: Info) -> Annotated["Anchor", ANCHORS] | None:
        """Whom it concerned; null for the whole room or once erased."""
        return await home("anchors").load(info, self.anchor_key) if self.anchor_key else None


@strawberry.type
class AdmissionRecordEntry:
    """One anchor of an admission record."""

    location: BroadcastLocation
    """Where the anchor stood."""
    path: VerificationPath
    """The path."""
    status: VerificationStatus | None
    """State of the verification then; null when there was none."""
    anchor_key: strawberry.Private[Key]
    verification_key: strawberry.Private[Key | None]

    @strawberry.field
    async def anchor(self, info: Info) -> Annotated["Anchor", ANCHORS] | None:
        """The anchor; null once erased."""
        return await home("anchors").load(info, self.anchor_key)

    @strawberry.field
    async def verification(self, info: Info) -> Annotated["Verification", VERIFICATIONS] | None:
        """The verification; null once erased."""
        if self.verification_key is None:
            return None
        return await home("verifications").load(info, self.verification_key)


@strawberry.type
class AdmissionRecord(Node):
    """The answer that was given when a broadcast started, frozen: hash-chained and free of personal data."""

    admitted_at: Instant
    """When."""
    chain_hash: str
    """Hash of this record and the one before it."""
    entries: list[AdmissionRecordEntry]
    """Who stood before the camera, verified how."""
    phase: PolicyPhase
    """Where the rules stood."""
    policy_name: str
    """Such as aliexpress-2021."""
    policy_revision: int
    """Revision of that policy."""
    would_block: list[RecordedBlocker]
    """What enforcement would have refused; empty once enforced."""
    room_key: strawberry.Private[Key]

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a client sees of a record."""
        account_id, answer = row["account_id"], answered(orjson.loads(row["evidence"]))
        return cls(
            id=global_id("AdmissionRecord", account_id, row["id"]),
            admitted_at=row["admitted_at"],
            chain_hash=row["chain_hash"].hex(),
            entries=[
                AdmissionRecordEntry(
                    location=entry.location,
                    path=entry.path,
                    status=entry.status,
                    anchor_key=Key(account_id, entry.anchor_id),
                    verification_key=Key(account_id, entry.attempt_id) if entry.attempt_id else None,
                )
                for entry in answer.entries
            ],
            phase=answer.phase,
            policy_name=answer.policy,
            policy_revision=answer.revision,
            would_block=[
                RecordedBlocker(
                    cell=b.cell,
                    code=b.code,
                    rule=b.rule,
                    anchor_key=Key(account_id, b.anchor_id) if b.anchor_id else None,
                )
                for b in answer.would_block
            ],
            room_key=Key(account_id, row["room_id"]),
        )

    @strawberry.field
    async def live_room(self, info: Info) -> Annotated["LiveRoom", strawberry.lazy("greenroom.rooms.api")]:
        """The room."""
        found = await load(info, self.room_key)
        assert found is not None
        return found


@strawberry.type
class LiveRoom(Node):
    """A broadcast that is planned, running or over."""

    end_reason: EndReason | None
    """Why it ended, if not by its owner."""
    ended_at: Instant | None
    """When it ended."""
    scheduled_start_at: Instant
    """Planned start."""
    started_at: Instant | None
    """When it went live."""
    status: LiveRoomStatus
    """State."""
    title: str
    """Title."""
    version: int
    """For optimistic locking."""
    row: strawberry.Private[Record]

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a client sees of a row."""
        return cls(
            id=global_id("LiveRoom", row["account_id"], row["id"]),
            end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
            ended_at=row["ended_at"],
            scheduled_start_at=row["scheduled_start_at"],
            started_at=row["started_at"],
            status=LiveRoomStatus(row["status"]),
            title=row["title"],
            version=row["version"],
            row=row,
        )

    @property
    def key(self) -> Key:
        """Where the room is."""
        return Key(self.row["account_id"], self.row["id"])

    @strawberry.field
    async def account(self, info: Info) -> Annotated["Account", ACCOUNTS]:
        """The owner."""
        self.seen(info)
        return await home("accounts").load(info, self.row["account_id"])

    def seen(self, info: Info) -> None:
        """Refuse what lies around a room to who ends broadcasts and reads nothing else. Raises GraphQLError."""
        if sight(info.context, self.key.account_id) == NOBODY:
            raise lacking(info, *sorted(STAFF))

    @strawberry.field
    def is_flagged(self, info: Info) -> bool:
        """A rejection came while it was live (A14)."""
        if self.row["is_flagged"] or self.status is not LiveRoomStatus.LIVE:
            return bool(self.row["is_flagged"])
        return self.judged(info, lambda verdict: verdict.live_effect is not LiveEffect.NONE)

    @strawberry.field
    def cast(self, info: Info) -> list[CastMember]:
        """Everyone on camera, at most 20."""
        self.seen(info)
        return info.context.loaded(CASTS, self.key, lambda rows: [CastMember.of(row) for row in rows])

    @strawberry.field
    def admission(self, info: Info) -> Admission:
        """Whether it may broadcast now, and why not."""
        return self.judged(info, Admission.of)

    @strawberry.field
    def viewer_can_go_live(self, info: Info) -> bool:
        """The viewer may start it now."""
        if self.status is not LiveRoomStatus.SCHEDULED or not acts_for(info.context.actor, self.key.account_id):
            return False
        return self.judged(info, lambda verdict: verdict.is_admitted)

    @strawberry.field
    async def admission_records(self, info: Info) -> list[AdmissionRecord]:
        """Its start and every later joining, oldest first."""
        self.seen(info)
        return [AdmissionRecord.of(row) for row in await info.context.loader(RECORDS).load(self.key)]

    def judged(self, info: Info, then: Callable[[Any], T]) -> T:
        """Return what follows from the law's answer, a Verdict, about this room."""
        self.seen(info)
        info.context.loader(ROOMS).prime(self.key, self.row)
        return info.context.loaded(verdicts, self.key, then)


@strawberry.type
class LiveRoomEdge(Edge[LiveRoom]):
    """One room of a page."""


@strawberry.type
class LiveRoomConnection(CountedConnection[LiveRoom, LiveRoomEdge]):
    """A page of rooms."""


ASK_THE_LAW = ("admission", "isFlagged", "requirement", "verification", "viewerCanGoLive")


async def rooms_page(info: Info, account_id: UUID, ends: Ends, status: LiveRoomStatus | None) -> LiveRoomConnection:
    """Answer a page of an account's rooms, newest first."""
    listing, values = actions.ROOMS, dict[str, Any]()
    if status is not None:
        listing, values = actions.ROOMS_IN, {"status": status.value}
    found = await read_page(info, listing, ends, sight(info.context, account_id), account_id=account_id, **values)
    for row in found.part.rows:
        info.context.loader(ROOMS).prime(Key(account_id, row["id"]), row)
    nodes = [LiveRoom.of(row) for row in found.part.rows]
    keys = [node.key for node in nodes]
    if asks_for(info, "cast", deep=True):  # at once for all, so that what stands below is there when it is asked for
        await info.context.loader(CASTS).load_many(keys)
    if asks_for(info, *ASK_THE_LAW, deep=True):
        await info.context.loader(verdicts).load_many(keys)
    return LiveRoomConnection(
        edges=found.edges(LiveRoomEdge, nodes), nodes=nodes, page_info=found.page_info, total_count=found.total
    )


@strawberry.type
class AdmissionTicket:
    """A signed permission to broadcast, for the media server: a JWT, checked against the service's JWKS."""

    expires_at: Instant
    """When it ends, minutes from now: renew it while live."""
    token: str
    """The JWT: room, record, audience, id."""


def ticket_of(context: Context, room: Key, record_id: UUID) -> AdmissionTicket:
    """Sign the next ticket of a room on air."""
    signed = context.services.tickets.sign(
        global_id("LiveRoom", room.account_id, room.id),
        record_id=global_id("AdmissionRecord", room.account_id, record_id),
        account_id=global_id("Account", room.account_id, room.account_id),
        now=context.now,
    )
    return AdmissionTicket(expires_at=Instant(signed.expires_at), token=signed.token)


async def load(info: Info, key: Key) -> LiveRoom | None:
    """Return a room; None when absent or hidden."""
    row = await info.context.loader(ROOMS).load(key)
    return LiveRoom.of(row) if row else None


async def load_member(info: Info, key: Key) -> CastMember | None:
    """Return a cast member; None when absent or hidden."""
    member = await info.context.loader(MEMBERS).load(key)
    if member is None:
        return None
    cast = await info.context.loader(CASTS).load(Key(key.account_id, member["room_id"]))
    return next((CastMember.of(row) for row in cast if row["member_id"] == key.id), None)


async def load_record(info: Info, key: Key) -> AdmissionRecord | None:
    """Return an admission record; None when absent or hidden."""
    row = await info.context.loader(RECORDS_BY_IDS).load(key)
    return AdmissionRecord.of(row) if row else None


@strawberry.input
class CastMemberInput:
    """A place in the cast. Picking an anchor with a place confirms it for this room; stating it again unchanged does
    not, unless the start changes in the same edit."""

    anchor: Annotated["AnchorReferenceInput", ANCHORS]
    """Who."""
    location: BroadcastLocation
    """Where the anchor will stand."""


def picks_of(cast: list[CastMemberInput]) -> list[Pick]:
    """Return a cast as the verbs take it."""
    return [Pick(place.anchor.read(), place.location) for place in cast]


@strawberry.input
class LiveRoomCreateInput:
    """Arguments of `liveRoomCreate`."""

    account_id: strawberry.ID
    """The owner."""
    cast: list[CastMemberInput]
    """Everyone on camera, at most 20."""
    scheduled_start_at: Instant
    """Planned start."""
    title: str
    """Title."""
    idempotency_key: str | None = strawberry.UNSET
    """Makes a retry safe for 24 hours."""


@strawberry.type
class LiveRoomCreatePayload(Payload):
    """Result of `liveRoomCreate`."""

    live_room: LiveRoom | None = None
    """The new room."""


@strawberry.input
class LiveRoomUpdateInput:
    """Arguments of `liveRoomUpdate`."""

    live_room_id: strawberry.ID
    """The room."""
    cast: list[CastMemberInput] | None = strawberry.UNSET
    """The cast as it shall be: members are matched by anchor and keep their ids and confirmations where nothing
    changed."""
    expected_version: int | None = strawberry.UNSET
    """Refuse when the room has another version."""
    scheduled_start_at: Instant | None = strawberry.UNSET
    """New start."""
    title: str | None = strawberry.UNSET
    """New title."""


@strawberry.type
class LiveRoomUpdatePayload(Payload):
    """Result of `liveRoomUpdate`."""

    live_room: LiveRoom | None = None
    """The room."""


@strawberry.input
class LiveRoomCancelInput:
    """Arguments of `liveRoomCancel`."""

    live_room_id: strawberry.ID
    """The room."""
    expected_version: int | None = strawberry.UNSET
    """Refuse when the room has another version."""


@strawberry.type
class LiveRoomCancelPayload(Payload):
    """Result of `liveRoomCancel`."""

    live_room: LiveRoom | None = None
    """The room."""


@strawberry.input
class LiveRoomEndInput:
    """Arguments of `liveRoomEnd`."""

    live_room_id: strawberry.ID
    """The room."""
    expected_version: int | None = strawberry.UNSET
    """Refuse when the room has another version."""


@strawberry.type
class LiveRoomEndPayload(Payload):
    """Result of `liveRoomEnd`."""

    live_room: LiveRoom | None = None
    """The room."""


@strawberry.input
class LiveRoomGoLiveInput:
    """Arguments of `liveRoomGoLive`."""

    live_room_id: strawberry.ID
    """The room."""
    expected_version: int | None = strawberry.UNSET
    """Refuse when the room has another version."""
    idempotency_key: str | None = strawberry.UNSET
    """Makes a retry safe for 24 hours."""


@strawberry.type
class LiveRoomGoLivePayload(Payload):
    """Result of `liveRoomGoLive`."""

    admission: Admission | None = None
    """The decision, also when refused."""
    live_room: LiveRoom | None = None
    """The room."""
    ticket: AdmissionTicket | None = None
    """For the media server; null when refused."""


@strawberry.input
class LiveRoomTicketRenewInput:
    """Arguments of `liveRoomTicketRenew`."""

    live_room_id: strawberry.ID
    """The room."""


@strawberry.type
class LiveRoomTicketRenewPayload(Payload):
    """Result of `liveRoomTicketRenew`."""

    live_room: LiveRoom | None = None
    """The room."""
    ticket: AdmissionTicket | None = None
    """For the media server; null when refused."""


@strawberry.input
class CastMemberConfirmationInput:
    """One cast member confirmed."""

    cast_member_id: strawberry.ID
    """The cast member."""
    location: BroadcastLocation
    """Where the anchor stands."""


@strawberry.input
class CastConfirmInput:
    """Arguments of `castConfirm`."""

    live_room_id: strawberry.ID
    """The room."""
    members: list[CastMemberConfirmationInput]
    """Who, and where they stand."""
    expected_version: int | None = strawberry.UNSET
    """Refuse when the room has another version."""


@strawberry.type
class CastConfirmPayload(Payload):
    """Result of `castConfirm`."""

    live_room: LiveRoom | None = None
    """The room, with its new admission."""


@strawberry.type
class RoomMutations:
    """What can be done with rooms."""

    @strawberry.mutation
    async def live_room_create(self, info: Info, input: LiveRoomCreateInput) -> LiveRoomCreatePayload | None:
        """Creates a room with its cast."""
        context, new_id = info.context, uuid7()
        account_id = key_of("Account", input.account_id).account_id
        outcome = await context.perform(
            lambda tx: actions.create_room(
                tx,
                account_id,
                id=new_id,
                title=input.title,
                scheduled_start_at=input.scheduled_start_at,
                picks=picks_of(input.cast),
                by=context.actor,
                now=context.now,
            ),
            account_id=account_id,
            once=Once.of(input.idempotency_key, ["liveRoomCreate", strawberry.asdict(input)], new_id),
        )
        if isinstance(outcome, Refused):
            return LiveRoomCreatePayload(user_errors=user_errors(outcome, info))
        return LiveRoomCreatePayload(live_room=await load(info, Key(account_id, made(outcome))))

    @strawberry.mutation
    async def live_room_update(self, info: Info, input: LiveRoomUpdateInput) -> LiveRoomUpdatePayload | None:
        """Changes title, schedule or cast. Omitted fields stay. While live, a joining anchor passes the same gate."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        cast = given(input.cast)
        outcome = await context.perform(
            lambda tx: actions.update_room(
                tx,
                key,
                title=given(input.title),
                scheduled_start_at=given(input.scheduled_start_at),
                picks=None if cast is None else picks_of(cast),
                expected_version=given(input.expected_version),
                by=context.actor,
                now=context.now,
            ),
            account_id=key.account_id,
        )
        if isinstance(outcome, Refused):
            return LiveRoomUpdatePayload(user_errors=user_errors(outcome, info))
        return LiveRoomUpdatePayload(live_room=await load(info, key))

    @strawberry.mutation
    async def live_room_cancel(self, info: Info, input: LiveRoomCancelInput) -> LiveRoomCancelPayload | None:
        """Withdraws a room that has not begun."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        outcome = await context.perform(
            lambda tx: actions.cancel_room(
                tx, key, expected_version=given(input.expected_version), by=context.actor, now=context.now
            ),
            account_id=key.account_id,
        )
        if isinstance(outcome, Refused):
            return LiveRoomCancelPayload(user_errors=user_errors(outcome, info))
        return LiveRoomCancelPayload(live_room=await load(info, key))

    @strawberry.mutation
    async def cast_confirm(self, info: Info, input: CastConfirmInput) -> CastConfirmPayload | None:
        """Confirms cast members again after start or place changed."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        outcome = await context.perform(
            lambda tx: actions.confirm_cast(
                tx,
                key,
                confirmations=[Confirmation(key_of("CastMember", m.cast_member_id), m.location) for m in input.members],
                expected_version=given(input.expected_version),
                by=context.actor,
                now=context.now,
            ),
            account_id=key.account_id,
        )
        if isinstance(outcome, Refused):
            return CastConfirmPayload(user_errors=user_errors(outcome, info))
        return CastConfirmPayload(live_room=await load(info, key))

    @strawberry.mutation
    async def live_room_go_live(self, info: Info, input: LiveRoomGoLiveInput) -> LiveRoomGoLivePayload | None:
        """Starts the broadcast, if admitted, and freezes the decision."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        outcome = await context.perform(
            lambda tx: actions.go_live(
                tx, key, expected_version=given(input.expected_version), by=context.actor, now=context.now
            ),
            account_id=key.account_id,
            once=Once.of(input.idempotency_key, ["liveRoomGoLive", strawberry.asdict(input)], key.id),
        )
        match outcome:
            case Refused(problems):
                verdict = next((p.verdict for p in problems if isinstance(p, NotAdmitted)), None)
                return LiveRoomGoLivePayload(
                    admission=Admission.of(verdict) if verdict else None,
                    live_room=await load(info, key),
                    user_errors=user_errors(outcome, info),
                )
            case Replay():
                return await replayed(info, key)
            case Went(verdict, record_id):
                return LiveRoomGoLivePayload(
                    admission=Admission.of(verdict),
                    live_room=await load(info, key),
                    ticket=ticket_of(context, key, record_id),
                )

    @strawberry.mutation
    async def live_room_ticket_renew(
        self, info: Info, input: LiveRoomTicketRenewInput
    ) -> LiveRoomTicketRenewPayload | None:
        """A fresh ticket while live; asks the gate again."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        outcome = await context.perform(
            lambda tx: actions.renew_ticket(tx, key, now=context.now), account_id=key.account_id
        )
        if isinstance(outcome, Refused):
            return LiveRoomTicketRenewPayload(live_room=await load(info, key), user_errors=user_errors(outcome, info))
        return LiveRoomTicketRenewPayload(
            live_room=await load(info, key), ticket=ticket_of(context, key, made(outcome))
        )

    @strawberry.mutation
    async def live_room_end(self, info: Info, input: LiveRoomEndInput) -> LiveRoomEndPayload | None:
        """Ends the broadcast. For its owner, and for MEDIA and staff."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        outcome = await context.perform(
            lambda tx: actions.end_room(
                tx, key, expected_version=given(input.expected_version), by=context.actor, now=context.now
            ),
            account_id=key.account_id,
            also=ENDS_BROADCASTS,
        )
        if isinstance(outcome, Refused):
            return LiveRoomEndPayload(user_errors=user_errors(outcome, info))
        (row,) = await context.rows(actions.BY_IDS, Scope(key.account_id), account_id=key.account_id, ids=[key.id])
        return LiveRoomEndPayload(live_room=LiveRoom.of(row))  # for the media server too, which reads no rooms


async def replayed(info: Info, key: Key) -> LiveRoomGoLivePayload:
    """Answer a repeated go-live with the room and a fresh ticket, as long as the law lets it stay on air (A28)."""
    context = info.context
    outcome = await context.perform(
        lambda tx: actions.renew_ticket(tx, key, now=context.now), account_id=key.account_id
    )
    room = await load(info, key)
    verdict = await context.loader(verdicts).load(key)
    admission = Admission.of(verdict) if verdict else None
    if isinstance(outcome, Refused):
        return LiveRoomGoLivePayload(admission=admission, live_room=room, user_errors=user_errors(outcome, info))
    return LiveRoomGoLivePayload(admission=admission, live_room=room, ticket=ticket_of(context, key, made(outcome)))
