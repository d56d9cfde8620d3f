"""Media: where the media server asks whether a ticket still stands."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from greenroom.access import NOWHERE, Permission
from greenroom.answers import Answer, Voice
from greenroom.context import Context
from greenroom.errors import NO_TOKEN, InvalidState, NotAdmitted, Refused, Words
from greenroom.graph import key_of
from greenroom.limits import Exceeded
from greenroom.requests import CONTENT_TYPE, JSON, HttpRefusal, body_of, is_json, language_of
from greenroom.rooms import actions as rooms
from greenroom.scalars import in_utc
from greenroom.tickets import BadTicket

BYTES_MAX = 16_384
NO_TICKET = HttpRefusal(400, "BAD_REQUEST", Words('Send {{"ticket": "…"}}.', '请发送 {{"ticket": "…"}}。'))
ANONYMOUS = HttpRefusal(401, "UNAUTHENTICATED", NO_TOKEN, {"www-authenticate": "Bearer"})
FORBIDDEN = HttpRefusal(
    403,
    "PERMISSION_DENIED",
    Words("This needs a token with the permission MEDIA.", "此操作需要具有 MEDIA 权限的访问令牌。"),
)


class TicketCheck:
    """POST /tickets/check, an ASGI application: is a ticket ours, not over, its room live and not cut (A14)?

    Takes `{"ticket": "…"}`; answers `{"active": true, "room": …, "record": …, "expiresAt": …}` or `{"active": false,
    "reason": code}`. What is refused looks as it does at /graphql. Requires MEDIA. `in_time` bounds an answer and masks
    its faults, as `GraphQLEndpoint.in_time` does.
    """

    def __init__(
        self,
        *,
        context_for: Callable[[Request], Awaitable[Context | HttpRefusal]],
        in_time: Callable[[Awaitable[Answer | Response], Voice], Awaitable[Answer | Response]],
    ) -> None:
        self._context_for = context_for
        self._in_time = in_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        voice = Voice(JSON, language_of(request.headers.get("accept-language")))
        answer = await self._in_time(self._answer(request, voice), voice)
        await answer(scope, receive, send)

    async def _answer(self, request: Request, voice: Voice) -> Answer | Response:
        if not is_json(request.headers.get("content-type", "")):
            return voice.refused(CONTENT_TYPE)
        context = await self._context_for(request)
        if isinstance(context, HttpRefusal):
            return voice.refused(context)
        if not context.actor.subject:
            return voice.refused(ANONYMOUS)
        if Permission.MEDIA not in context.actor.permissions:
            return voice.refused(FORBIDDEN)
        body = await body_of(request, bytes_max=BYTES_MAX)
        if isinstance(body, Exceeded):
            return voice.too_large(body)
        ticket = ticket_in(body)
        if ticket is None:
            return voice.refused(NO_TICKET)
        await context.begin()
        return Answer(200, JSON, orjson.dumps(await standing(ticket, context)))


def ticket_in(body: bytes | bytearray) -> str | None:
    """Return the ticket that a body holds; None for a body that has none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    ticket = found.get("ticket") if isinstance(found, dict) else None
    return ticket if isinstance(ticket, str) else None


async def standing(ticket: str, context: Context) -> dict[str, Any]:
    """Say whether a ticket stands: by its signature, by its minutes, and by what the gate says of its room now."""
    claims = context.services.tickets.read(ticket, now=context.now)
    if isinstance(claims, BadTicket):
        return inactive(claims.reason)
    room = key_of("LiveRoom", claims.room_id)
    if room == NOWHERE:
        return inactive("UNKNOWN_ROOM")
    outcome = await context.perform(
        lambda tx: rooms.renew_ticket(tx, room, now=context.now),
        account_id=room.account_id,
        also=frozenset({Permission.MEDIA}),
    )
    if not isinstance(outcome, Refused):
        expires_at = in_utc(claims.expires_at)
        return {"active": True, "room": claims.room_id, "record": claims.record_id, "expiresAt": expires_at}
    (problem,) = outcome.problems
    match problem:
        case NotAdmitted(verdict=verdict):
            return inactive(problem.code, blockers=[blocker.code for blocker in verdict.blockers])
        case InvalidState():
            return inactive("NOT_LIVE")
        case _:
            return inactive(problem.code)


def inactive(reason: str, **more: Any) -> dict[str, Any]:
    """Say why a ticket does not stand."""
    return {"active": False, "reason": str(reason), **more}
