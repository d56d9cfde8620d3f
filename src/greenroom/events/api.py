"""The GraphQL face of events: the log as its readers may see it."""

from typing import Annotated, Any, Self
from uuid import UUID

import strawberry
from sqlalchemy import bindparam
from sqlmodel import col, select

from greenroom.access import Key, Permission, acts_for
from greenroom.connections import After, Before, Connection, Edge, Ends, First, Last, read_page
from greenroom.context import Context, Info
from greenroom.db import Read, Record, Scope
from greenroom.events.actions import may_see_who
from greenroom.events.tables import ActorKind, Event
from greenroom.graph import Node, given, global_id, lacking, node_of, sight
from greenroom.paging import Listing
from greenroom.scalars import Instant
from greenroom.text import searched

STAFF_NAME = {"en": "Platform staff", "zh": "平台工作人员"}
SERVICE_NAME = {"en": "Platform service", "zh": "平台系统"}
OWNER_NAME = {"en": "The account", "zh": "账号方"}
SIDES = {ActorKind.OWNER: OWNER_NAME, ActorKind.STAFF: STAFF_NAME, ActorKind.SERVICE: SERVICE_NAME}


@strawberry.type
class AuditEvent(Node):
    """One line of the append-only log."""

    action: str
    """Such as LIVE_ROOM_STARTED."""
    actor_name: str
    """Who, as shown to this viewer."""
    occurred_at: Instant
    """When."""
    purpose: str | None
    """Why staff read it."""
    row: strawberry.Private[Record]

    @classmethod
    def of(cls, row: Record, context: Context) -> Self:
        """What this viewer sees of an event."""
        return cls(
            id=global_id("AuditEvent", row["account_id"], UUID(int=row["seq"])),
            action=row["action"],
            actor_name=actor_shown(row, context),
            occurred_at=row["occurred_at"],
            purpose=row["purpose"],
            row=row,
        )

    @strawberry.field
    async def subject(self, info: Info) -> Node | None:
        """What it is about; null when erased or hidden."""
        return await node_of(info, self.row["subject_type"], Key(self.row["account_id"], self.row["subject_id"]))


def actor_shown(row: Record, context: Context) -> str:
    """Name the actor: an account sees its own people, and of others only which side they were on."""
    actor = context.actor
    is_own = row["actor_kind"] == ActorKind.OWNER and acts_for(actor, row["account_id"])
    if is_own or may_see_who(actor):
        return str(row["actor"])
    return SIDES[ActorKind(row["actor_kind"])][context.language]


@strawberry.type
class AuditEventEdge(Edge[AuditEvent]):
    """One audit event of a page."""


@strawberry.type
class AuditEventConnection(Connection[AuditEvent, AuditEventEdge]):
    """A page of audit events."""


async def events_page(info: Info, listing: Listing, ends: Ends, scope: Scope, **values: Any) -> AuditEventConnection:
    """Answer a page of the log, newest first."""
    found = await read_page(info, listing, ends, scope, **values)
    nodes = [AuditEvent.of(row, info.context) for row in found.part.rows]
    return AuditEventConnection(edges=found.edges(AuditEventEdge, nodes), nodes=nodes, page_info=found.page_info)


async def account_page(info: Info, account_id: UUID, ends: Ends) -> AuditEventConnection:
    """Answer a page of an account's log."""
    return await events_page(info, LOG, ends, sight(info.context, account_id), account_id=account_id)


async def reads_page(info: Info, anchor: Key, ends: Ends) -> AuditEventConnection:
    """Answer a page of what staff read about an anchor (X5)."""
    scope = sight(info.context, anchor.account_id)
    return await events_page(info, READS, ends, scope, account_id=anchor.account_id, anchor_id=anchor.id)


OF_ACCOUNT = select(Event).where(col(Event.account_id) == bindparam("account_id"))
ONE = Read(OF_ACCOUNT.where(col(Event.seq) == bindparam("seq")))
LOG = Listing(OF_ACCOUNT, col(Event.seq), descending=True)
READS = Listing(
    OF_ACCOUNT.where(col(Event.anchor_id) == bindparam("anchor_id"), col(Event.purpose).is_not(None)),
    col(Event.seq),
    descending=True,
)
BY_INSTANT = (col(Event.occurred_at), col(Event.account_id), col(Event.seq))
EVERYWHERE = Listing(select(Event), *BY_INSTANT, descending=True)
OF_ACTION = Listing(select(Event).where(col(Event.action) == bindparam("action")), *BY_INSTANT, descending=True)


async def load(info: Info, key: Key) -> AuditEvent | None:
    """Return an event; None when absent or hidden."""
    if key.id.int >= 2**63:
        return None
    scope = sight(info.context, key.account_id)
    rows = await info.context.rows(ONE, scope, account_id=key.account_id, seq=key.id.int)
    return AuditEvent.of(rows[0], info.context) if rows else None


@strawberry.type
class EventQueries:
    """Reads of the log."""

    @strawberry.field
    async def audit_events(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        action: Annotated[str | None, strawberry.argument(description="Only this action.")] = strawberry.UNSET,
    ) -> AuditEventConnection | None:
        """The log over all accounts. Requires AUDIT."""
        if Permission.AUDIT not in info.context.actor.permissions:
            raise lacking(info, Permission.AUDIT)
        asked = given(action)
        listing, values = (EVERYWHERE, {}) if asked is None else (OF_ACTION, {"action": searched(asked)})
        return await events_page(info, listing, (first, after, last, before), Scope(reading="audit"), **values)
