"""The GraphQL face of events: the log as its readers may see it."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry
from sqlalchemy import Select, bindparam
from sqlmodel import col, select

from greenroom.access import Key, Permission, acts_for
from greenroom.columns import table
from greenroom.context import Context, Info
from greenroom.db import Read, Record, Scope
from greenroom.events.actions import may_see_who
from greenroom.events.tables import ActorKind, Event
from greenroom.graph import (
    After,
    Before,
    First,
    Instant,
    Last,
    Node,
    PageInfo,
    given,
    global_id,
    lacking,
    node_of,
    page_info,
    page_of,
    sight,
)
from greenroom.paging import cursor_of, paged, parameters, slice_of
from greenroom.text import searched

Ends = tuple[int | None, str | None, int | None, str | None]  # first, after, last, before
STAFF_NAME = {"en": "Platform staff", "zh": "平台工作人员"}
SERVICE_NAME = {"en": "Platform service", "zh": "平台系统"}


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
        found: Node | None = await node_of(
            info, self.row["subject_type"], Key(self.row["account_id"], self.row["subject_id"])
        )
        return found


def actor_shown(row: Record, context: Context) -> str:
    """Name the actor: an account sees its own people, and of the platform's only that it was the platform."""
    actor = context.actor
    is_own = row["actor_kind"] == ActorKind.OWNER and acts_for(actor, row["account_id"])
    if is_own or may_see_who(actor):
        return str(row["actor"])
    return (STAFF_NAME if row["actor_kind"] == ActorKind.STAFF else SERVICE_NAME)[context.language]


@strawberry.type
class AuditEventEdge:
    """One audit event of a page."""

    cursor: str
    """Cursor."""
    node: AuditEvent
    """The event."""


@strawberry.type
class AuditEventConnection:
    """A page of audit events."""

    edges: list[AuditEventEdge]
    """The page."""
    nodes: list[AuditEvent]
    """Nodes without edge data."""
    page_info: PageInfo
    """Paging state."""


async def account_page(info: Info, account_id: UUID, ends: Ends) -> AuditEventConnection:
    """Answer a page of an account's log, newest first."""
    scope = sight(info.context, account_id)
    return await events_page(info, scope, ends, OF_ACCOUNT, order=("seq",), values={"account_id": account_id})


async def reads_page(info: Info, anchor: Key, ends: Ends) -> AuditEventConnection:
    """Answer a page of what staff read about an anchor, newest first (X5)."""
    values = {"account_id": anchor.account_id, "anchor_id": anchor.id}
    scope = sight(info.context, anchor.account_id)
    return await events_page(info, scope, ends, READS_OF_ANCHOR, order=("seq",), values=values)


async def events_page(
    info: Info, scope: Scope, ends: Ends, base: Select[Any], *, order: tuple[str, ...], values: dict[str, Any]
) -> AuditEventConnection:
    """Answer a page of the log, newest first."""
    page = page_of(info, *ends, of=tuple(CURSOR_TYPES[name] for name in order))
    read = Read(paged(base, [table(Event).c[name] for name in order], page, descending=True))
    part = slice_of(await info.context.rows(read, scope, **values, **parameters(page)), page)
    nodes = [AuditEvent.of(row, info.context) for row in part.rows]
    cursors = [cursor_of([row[name] for name in order]) for row in part.rows]
    return AuditEventConnection(
        edges=[AuditEventEdge(cursor=c, node=n) for c, n in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=page_info(part, cursors),
    )


CURSOR_TYPES: dict[str, type] = {"seq": int, "account_id": UUID, "occurred_at": datetime}
OF_ACCOUNT = select(Event).where(col(Event.account_id) == bindparam("account_id"))
READS_OF_ANCHOR = OF_ACCOUNT.where(col(Event.anchor_id) == bindparam("anchor_id"), col(Event.purpose).is_not(None))
ONE = Read(OF_ACCOUNT.where(col(Event.seq) == bindparam("seq")))
EVERYWHERE = select(Event)
OF_ACTION = select(Event).where(col(Event.action) == bindparam("action"))


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
        base, values = (EVERYWHERE, {}) if asked is None else (OF_ACTION, {"action": searched(asked)})
        order = ("occurred_at", "account_id", "seq")
        return await events_page(
            info, Scope(reading="audit"), (first, after, last, before), base, order=order, values=values
        )
