"""What can be done with rooms, as clients ask for it."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from uuid_utils.compat import uuid7

from greenroom.access import ENDS_BROADCASTS, Key
from greenroom.context import Context, Info, Once, Replay
from greenroom.db import Scope
from greenroom.errors import NotAdmitted, Refused
from greenroom.graph import given, global_id, key_of
from greenroom.law.terms import BroadcastLocation
from greenroom.payloads import Payload, changed, made, user_errors
from greenroom.rooms import actions, reads
from greenroom.rooms.actions import Went
from greenroom.rooms.admission import Admission, verdicts
from greenroom.rooms.api import LiveRoom, load
from greenroom.rooms.cast import Confirmation, Pick
from greenroom.scalars import Instant

if TYPE_CHECKING:
    from greenroom.anchors.api import AnchorReferenceInput

ANCHORS = strawberry.lazy("greenroom.anchors.api")


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
        room, problems = await changed(
            info,
            load,
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
        return LiveRoomCreatePayload(live_room=room, user_errors=problems)

    @strawberry.mutation
    async def live_room_update(self, info: Info, input: LiveRoomUpdateInput) -> LiveRoomUpdatePayload | None:
        """Changes title, schedule or cast. Omitted fields stay. While live, a joining anchor passes the same gate."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        cast = given(input.cast)
        room, problems = await changed(
            info,
            load,
            lambda tx: actions.update_room(
                tx,
                key,
                title=given(input.title),
                scheduled_start_at=given(input.scheduled_start_at),
                picks=None if cast is None else picks_of(cast),
                expected_version=given(input.expected_version),
                by=context.actor,
                now=context.now,
                clock=context.clock,
            ),
            account_id=key.account_id,
        )
        return LiveRoomUpdatePayload(live_room=room, user_errors=problems)

    @strawberry.mutation
    async def live_room_cancel(self, info: Info, input: LiveRoomCancelInput) -> LiveRoomCancelPayload | None:
        """Withdraws a room that has not begun."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        room, problems = await changed(
            info,
            load,
            lambda tx: actions.cancel_room(
                tx, key, expected_version=given(input.expected_version), by=context.actor, now=context.now
            ),
            account_id=key.account_id,
        )
        return LiveRoomCancelPayload(live_room=room, user_errors=problems)

    @strawberry.mutation
    async def cast_confirm(self, info: Info, input: CastConfirmInput) -> CastConfirmPayload | None:
        """Confirms cast members again after start or place changed."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        room, problems = await changed(
            info,
            load,
            lambda tx: actions.confirm_cast(
                tx,
                key,
                confirmations=[Confirmation(key_of("CastMember", m.cast_member_id), m.location) for m in input.members],
                expected_version=given(input.expected_version),
                by=context.actor,
                now=context.now,
                clock=context.clock,
            ),
            account_id=key.account_id,
        )
        return CastConfirmPayload(live_room=room, user_errors=problems)

    @strawberry.mutation
    async def live_room_go_live(self, info: Info, input: LiveRoomGoLiveInput) -> LiveRoomGoLivePayload | None:
        """Starts the broadcast, if admitted, and freezes the decision."""
        context, key = info.context, key_of("LiveRoom", input.live_room_id)
        outcome = await context.perform(
            lambda tx: actions.go_live(
                tx, key, expected_version=given(input.expected_version), by=context.actor, clock=context.clock
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
        room, problems = await changed(
            info,
            load_for_anyone,
            lambda tx: actions.end_room(
                tx, key, expected_version=given(input.expected_version), by=context.actor, now=context.now
            ),
            account_id=key.account_id,
            also=ENDS_BROADCASTS,
        )
        return LiveRoomEndPayload(live_room=room, user_errors=problems)


async def load_for_anyone(info: Info, key: Key) -> LiveRoom:
    """Return a room that was just ended: for the media server too, which reads no rooms."""
    (row,) = await info.context.rows(reads.BY_IDS, Scope(key.account_id), account_id=key.account_id, ids=[key.id])
    return LiveRoom.of(row)


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
