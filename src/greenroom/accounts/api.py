"""The GraphQL face of accounts."""

from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

import strawberry

from greenroom.access import STAFF, Permission, account_id_of
from greenroom.accounts import actions
from greenroom.connections import After, Before, CountedConnection, Edge, First, Last, Search, read_page
from greenroom.context import Context, Info
from greenroom.db import NOBODY, Record, Scope
from greenroom.graph import Node, given, global_id, home, key_of, lacking
from greenroom.law.terms import AccountKind, LiveRoomStatus
from greenroom.payloads import Payload, changed
from greenroom.scalars import CountryCode, Instant
from greenroom.text import pattern, searched

if TYPE_CHECKING:
    from greenroom.anchors.api import AnchorConnection, RememberedAnchorConnection
    from greenroom.events.api import AuditEventConnection
    from greenroom.rooms.api import LiveRoomConnection

ANCHORS = strawberry.lazy("greenroom.anchors.api")

strawberry.enum(AccountKind)
strawberry.enum(Permission)


@strawberry.type
class ConsoleAccess:
    """Whether the live console is open to an account."""

    can_broadcast: bool
    """May start broadcasts; false until a first anchor has submitted, once the rules are enforced."""
    needs_first_authentication: bool
    """The prompt of the home page: no anchor of this account has submitted yet."""


@strawberry.type
class Account(Node):
    """A seller or blogger account."""

    external_id: str
    """The platform's own id of this account."""
    kind: AccountKind
    """Seller or blogger."""
    name: str
    """Public name."""
    nationality: CountryCode
    """The account's nationality."""
    created_at: Instant
    """When it was registered."""
    row: strawberry.Private[Record]

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a client sees of a row."""
        return cls(
            id=global_id("Account", row["account_id"], row["account_id"]),
            external_id=row["external_id"],
            kind=AccountKind(row["kind"]),
            name=row["name"],
            nationality=row["nationality"],
            created_at=row["created_at"],
            row=row,
        )

    @strawberry.field
    def console(self, info: Info) -> ConsoleAccess:
        """What the console may do: broadcast, or only authenticate and read."""
        context, is_first = info.context, self.row["first_submitted_at"] is None
        is_closed = is_first and context.in_force.is_enforced(context.now)  # but to authenticate and read (A11, R28)
        return ConsoleAccess(can_broadcast=not is_closed, needs_first_authentication=is_first)

    @strawberry.field
    async def remembered_anchors(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        search: Search = strawberry.UNSET,
    ) -> Annotated["RememberedAnchorConnection", ANCHORS]:
        """Anchors that handed in a verification under this account before, most recently used first: the picker of
        the next room."""
        return await home("anchors").remembered_page(
            info, self.row["account_id"], (first, after, last, before), given(search)
        )

    @strawberry.field
    async def anchors(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        search: Search = strawberry.UNSET,
    ) -> Annotated["AnchorConnection", ANCHORS]:
        """The whole roster, by name, submitted or not."""
        return await home("anchors").roster_page(
            info, self.row["account_id"], (first, after, last, before), given(search)
        )

    @strawberry.field
    async def live_rooms(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        status: Annotated[
            LiveRoomStatus | None, strawberry.argument(description="Only this state.")
        ] = strawberry.UNSET,
    ) -> Annotated["LiveRoomConnection", strawberry.lazy("greenroom.rooms.api")]:
        """This account's rooms, newest first."""
        return await home("rooms").rooms_page(info, self.row["account_id"], (first, after, last, before), given(status))

    @strawberry.field
    async def audit_events(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["AuditEventConnection", strawberry.lazy("greenroom.events.api")]:
        """Entries about this account."""
        return await home("events").account_page(info, self.row["account_id"], (first, after, last, before))


@strawberry.type
class AccountEdge(Edge[Account]):
    """One account of a page."""


@strawberry.type
class AccountConnection(CountedConnection[Account, AccountEdge]):
    """A page of accounts."""


@strawberry.type
class Viewer:
    """Who is asking."""

    id: str
    """The caller's own id, as the token says; `ReviewTask.assignee` names it."""
    name: str | None
    """The caller's name, where the token has one."""
    permissions: list[Permission]
    """What else is allowed."""

    @strawberry.field
    async def accounts(self, info: Info) -> list[Account]:
        """The accounts acted for, at most 100: one for a shop, several for an agency, none for staff and services."""
        ids = tuple(info.context.actor.account_ids)
        rows = await info.context.rows(actions.BY_IDS, Scope(account_ids=ids), account_ids=list(ids)) if ids else []
        return [Account.of(row) for row in sorted(rows, key=lambda row: (row["search_name"], row["account_id"]))]


@strawberry.input(one_of=True)
class AccountReferenceInput:
    """One account by one of two names."""

    external_id: strawberry.Maybe[str]
    """The platform's own id."""
    id: strawberry.Maybe[strawberry.ID]
    """Global ID."""


@strawberry.input
class AccountRegisterInput:
    """Arguments of `accountRegister`."""

    external_id: str
    """The platform's own id."""
    kind: AccountKind
    """Seller or blogger."""
    name: str
    """Public name."""
    nationality: str
    """The account's nationality."""


@strawberry.type
class AccountRegisterPayload(Payload):
    """Result of `accountRegister`."""

    account: Account | None = None
    """The account."""


async def accounts_by_id(context: Context, ids: list[UUID]) -> list[Record | None]:
    """Load accounts that the caller acts for or, as staff, may see; one statement."""
    scope = Scope(account_ids=tuple(context.actor.account_ids))
    if context.actor.permissions & STAFF:
        scope = Scope(reading="accounts")
    elif not set(ids) & context.actor.account_ids:
        scope = NOBODY
    rows = {row["account_id"]: row for row in await context.rows(actions.BY_IDS, scope, account_ids=ids)}
    return [rows.get(account_id) for account_id in ids]


async def load(info: Info, account_id: UUID) -> Account | None:
    """Return an account; None when absent or hidden."""
    row = await info.context.loader(accounts_by_id).load(account_id)
    return Account.of(row) if row else None


@strawberry.type
class AccountQueries:
    """Reads of accounts."""

    @strawberry.field
    async def account(
        self,
        info: Info,
        by: Annotated[AccountReferenceInput, strawberry.argument(description="By one of two names.")],
    ) -> Account | None:
        """An account; null when absent or hidden."""
        if by.external_id is not None:
            return await load(info, account_id_of(by.external_id.value))
        assert by.id is not None
        return await load(info, key_of("Account", by.id.value).account_id)

    @strawberry.field
    async def accounts(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        search: Annotated[
            str | None, strawberry.argument(description="Match on name or the platform's id.")
        ] = strawberry.UNSET,
    ) -> AccountConnection | None:
        """All accounts, by name. Requires ADMINISTER, or REVIEW."""
        if not info.context.actor.permissions & {Permission.ADMINISTER, Permission.REVIEW}:
            raise lacking(info, Permission.ADMINISTER, Permission.REVIEW)
        listing, values, text = actions.DIRECTORY, dict[str, Any](), given(search)
        if text is not None:
            listing, values = actions.FOUND, {"pattern": pattern(text), "external_id": searched(text)}
        found = await read_page(info, listing, (first, after, last, before), Scope(reading="accounts"), **values)
        nodes = [Account.of(row) for row in found.part.rows]
        return found.counted(AccountConnection, AccountEdge, nodes)

    @strawberry.field
    def viewer(self, info: Info) -> Viewer | None:
        """The caller; null when anonymous."""
        actor = info.context.actor
        if not actor.subject:
            return None
        return Viewer(id=actor.subject, name=actor.name, permissions=sorted(actor.permissions))


@strawberry.type
class AccountMutations:
    """What can be done with accounts."""

    @strawberry.mutation
    async def account_register(self, info: Info, input: AccountRegisterInput) -> AccountRegisterPayload | None:
        """Registers or updates an account, by the platform's own id. Requires ADMINISTER."""
        context = info.context
        account, problems = await changed(
            info,
            lambda info, key: load(info, key.account_id),
            lambda tx: actions.register_account(
                tx,
                external_id=input.external_id,
                kind=input.kind,
                name=input.name,
                nationality=input.nationality,
                by=context.actor,
                now=context.now,
            ),
            account_id=account_id_of(input.external_id),
            also=frozenset({Permission.ADMINISTER}),
        )
        return AccountRegisterPayload(account=account, user_errors=problems)
