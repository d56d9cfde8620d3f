"""The GraphQL face of anchors."""

from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

import strawberry
from uuid_utils.compat import uuid7

from greenroom.access import Key
from greenroom.anchors import actions
from greenroom.anchors.actions import NewAnchor
from greenroom.connections import After, Before, CountedConnection, Edge, Ends, First, Found, Last
from greenroom.context import Info, Once
from greenroom.db import Record
from greenroom.errors import Refused
from greenroom.graph import Node, batch_of, given, global_id, home, key_of
from greenroom.law.terms import BroadcastLocation
from greenroom.payloads import Payload, changed, user_errors
from greenroom.scalars import CountryCode, Instant

if TYPE_CHECKING:
    from greenroom.accounts.api import Account
    from greenroom.documents.api import Document
    from greenroom.events.api import AuditEventConnection
    from greenroom.verifications.api import Verification, VerificationConnection

VERIFICATIONS = strawberry.lazy("greenroom.verifications.api")
ACCOUNTS = strawberry.lazy("greenroom.accounts.api")
ANCHORS = batch_of(actions.BY_IDS, "ids")

strawberry.enum(BroadcastLocation)


@strawberry.type
class Consent:
    """Agreement to a privacy notice."""

    given_at: Instant
    """When."""
    notice_version: str
    """Which version."""


@strawberry.type
class Anchor(Node):
    """A person who appears on camera, as one account knows them. The same person may serve many accounts, which never
    see each other."""

    display_name: str
    """Name that the account picks from."""
    nationality: CountryCode
    """Nationality."""
    version: int
    """For optimistic locking."""
    row: strawberry.Private[Record]

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a client sees of a row."""
        return cls(
            id=global_id("Anchor", row["account_id"], row["id"]),
            display_name=row["display_name"],
            nationality=row["nationality"],
            version=row["version"],
            row=row,
        )

    @strawberry.field
    async def account(self, info: Info) -> Annotated["Account", ACCOUNTS]:
        """Whose roster it is on."""
        return await home("accounts").load(info, self.row["account_id"])

    @strawberry.field
    def consent(self) -> Consent | None:
        """What the person agreed to; null before, and after a withdrawal."""
        if self.row["consented_at"] is None or self.row["consent_withdrawn_at"] is not None:
            return None
        return Consent(given_at=self.row["consented_at"], notice_version=self.row["consent_version"])

    @strawberry.field
    def current_verification(
        self,
        info: Info,
        location: Annotated[
            BroadcastLocation | None, strawberry.argument(description="Where the anchor would stand.")
        ] = strawberry.UNSET,
    ) -> Annotated["Verification", VERIFICATIONS] | None:
        """The attempt that counts on the path that applies there; without a place, on the path used last."""
        place, verifications = given(location), home("verifications")
        return verifications.latest(info, self.row) if place is None else verifications.current(info, self.row, place)

    @strawberry.field
    async def documents(self, info: Info) -> list[Annotated["Document", strawberry.lazy("greenroom.documents.api")]]:
        """Photos not handed in yet, newest first."""
        return await home("documents").waiting(info, Key(self.row["account_id"], self.row["id"]))

    @strawberry.field
    async def data_reads(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["AuditEventConnection", strawberry.lazy("greenroom.events.api")]:
        """Who of the staff read this anchor's documents or legal data, when and for what: the subject's right to
        know."""
        return await home("events").reads_page(
            info, Key(self.row["account_id"], self.row["id"]), (first, after, last, before)
        )

    @strawberry.field
    async def verifications(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["VerificationConnection", VERIFICATIONS]:
        """Every attempt by this account, newest first."""
        return await home("verifications").attempts_page(
            info, Key(self.row["account_id"], self.row["id"]), (first, after, last, before)
        )


@strawberry.type
class AnchorEdge(Edge[Anchor]):
    """One anchor of a page."""


@strawberry.type
class AnchorConnection(CountedConnection[Anchor, AnchorEdge]):
    """A page of the roster."""


@strawberry.type
class RememberedAnchorEdge(Edge[Anchor]):
    """The tie between an account and an anchor it remembers."""

    remembered_at: Instant
    """First submission under this account."""
    last_appeared_at: Instant | None
    """Last broadcast for this account."""
    last_location: BroadcastLocation | None
    """Offered as the default next time."""

    @classmethod
    def of(cls, *, cursor: str, node: Anchor) -> Self:
        """What a client sees of the tie."""
        row = node.row
        return cls(
            cursor=cursor,
            node=node,
            remembered_at=row["remembered_at"],
            last_appeared_at=row["last_appeared_at"],
            last_location=BroadcastLocation(row["last_location"]) if row["last_location"] else None,
        )


@strawberry.type
class RememberedAnchorConnection(CountedConnection[Anchor, RememberedAnchorEdge]):
    """A page of remembered anchors."""


async def roster_page(info: Info, account_id: UUID, ends: Ends, search: str | None) -> AnchorConnection:
    """Answer a page of the roster, by name."""
    verifications = home("verifications")
    found: Found = await verifications.anchors_page(info, account_id, ends, verifications.reads.ROSTER, search)
    nodes = [Anchor.of(row) for row in found.part.rows]
    return found.counted(AnchorConnection, AnchorEdge, nodes)


async def remembered_page(info: Info, account_id: UUID, ends: Ends, search: str | None) -> RememberedAnchorConnection:
    """Answer a page of the remembered anchors, most recently used first."""
    verifications = home("verifications")
    found: Found = await verifications.anchors_page(info, account_id, ends, verifications.reads.REMEMBERED, search)
    nodes = [Anchor.of(row) for row in found.part.rows]
    return found.counted(RememberedAnchorConnection, RememberedAnchorEdge.of, nodes)


@strawberry.input
class AnchorInput:
    """A new anchor."""

    display_name: str
    """Name to pick from."""
    nationality: str
    """Nationality."""

    def new(self) -> NewAnchor:
        """Return it as the verbs take it."""
        return NewAnchor(self.display_name, self.nationality)


@strawberry.input(one_of=True)
class AnchorReferenceInput:
    """A remembered anchor or a new one."""

    id: strawberry.Maybe[strawberry.ID]
    """Remembered."""
    new: strawberry.Maybe[AnchorInput]
    """Not yet known to the account."""

    def read(self) -> Key | NewAnchor:
        """Return the key of a known anchor, or what is told of a new one."""
        if self.new is not None:
            return self.new.value.new()
        assert self.id is not None
        return key_of("Anchor", self.id.value)


@strawberry.input
class AnchorCreateInput:
    """Arguments of `anchorCreate`."""

    account_id: strawberry.ID
    """The account."""
    anchor: AnchorInput
    """The anchor."""
    idempotency_key: str | None = strawberry.UNSET
    """Makes a retry safe for 24 hours."""


@strawberry.type
class AnchorCreatePayload(Payload):
    """Result of `anchorCreate`."""

    anchor: Anchor | None = None
    """The anchor."""


@strawberry.input
class AnchorUpdateInput:
    """Arguments of `anchorUpdate`. Omitted fields stay."""

    anchor_id: strawberry.ID
    """The anchor."""
    display_name: str | None = strawberry.UNSET
    """Name to pick from."""
    nationality: str | None = strawberry.UNSET
    """Nationality."""
    expected_version: int | None = strawberry.UNSET
    """Refuse when the anchor has another version."""


@strawberry.type
class AnchorUpdatePayload(Payload):
    """Result of `anchorUpdate`."""

    anchor: Anchor | None = None
    """The anchor."""


@strawberry.input
class AnchorForgetInput:
    """Arguments of `anchorForget`."""

    account_id: strawberry.ID
    """The account."""
    anchor_id: strawberry.ID
    """The anchor."""


@strawberry.type
class AnchorForgetPayload(Payload):
    """Result of `anchorForget`."""

    account: Annotated["Account", ACCOUNTS] | None = None
    """The account."""
    forgotten_anchor_id: strawberry.ID | None = None
    """Gone from the list."""


@strawberry.input
class AnchorConsentGiveInput:
    """Arguments of `anchorConsentGive`."""

    anchor_id: strawberry.ID
    """The anchor."""
    notice_version: str
    """Version of the notice agreed to."""


@strawberry.type
class AnchorConsentGivePayload(Payload):
    """Result of `anchorConsentGive`."""

    anchor: Anchor | None = None
    """The anchor."""


async def load(info: Info, key: Key) -> Anchor | None:
    """Return an anchor; None when absent or hidden."""
    row = await info.context.loader(ANCHORS).load(key)
    return Anchor.of(row) if row else None


@strawberry.type
class AnchorMutations:
    """What can be done with anchors."""

    @strawberry.mutation
    async def anchor_create(self, info: Info, input: AnchorCreateInput) -> AnchorCreatePayload | None:
        """Adds an anchor to an account's roster, before any room names it."""
        context, new_id = info.context, uuid7()
        account_id = key_of("Account", input.account_id).account_id
        anchor, problems = await changed(
            info,
            load,
            lambda tx: actions.create_anchor(
                tx, account_id, id=new_id, new=input.anchor.new(), by=context.actor, now=context.now
            ),
            account_id=account_id,
            once=Once.of(input.idempotency_key, ["anchorCreate", strawberry.asdict(input)], new_id),
        )
        return AnchorCreatePayload(anchor=anchor, user_errors=problems)

    @strawberry.mutation
    async def anchor_update(self, info: Info, input: AnchorUpdateInput) -> AnchorUpdatePayload | None:
        """Changes what an account knows of an anchor; a new nationality may need another path."""
        context, key = info.context, key_of("Anchor", input.anchor_id)
        anchor, problems = await changed(
            info,
            load,
            lambda tx: actions.update_anchor(
                tx,
                key,
                display_name=given(input.display_name),
                nationality=given(input.nationality),
                expected_version=given(input.expected_version),
                by=context.actor,
                now=context.now,
            ),
            account_id=key.account_id,
        )
        return AnchorUpdatePayload(anchor=anchor, user_errors=problems)

    @strawberry.mutation
    async def anchor_forget(self, info: Info, input: AnchorForgetInput) -> AnchorForgetPayload | None:
        """Stops offering an anchor; past rooms keep their record."""
        context, key = info.context, key_of("Anchor", input.anchor_id)
        account_id = key_of("Account", input.account_id).account_id
        outcome = await context.perform(
            lambda tx: actions.forget_anchor(tx, account_id, key, by=context.actor, now=context.now),
            account_id=account_id,
        )
        if isinstance(outcome, Refused):
            return AnchorForgetPayload(user_errors=user_errors(outcome, info))
        account: Any = await home("accounts").load(info, account_id)
        return AnchorForgetPayload(account=account, forgotten_anchor_id=input.anchor_id)

    @strawberry.mutation
    async def anchor_consent_give(self, info: Info, input: AnchorConsentGiveInput) -> AnchorConsentGivePayload | None:
        """Records that the anchor agreed to a privacy notice; nothing sensitive is taken before."""
        context, key = info.context, key_of("Anchor", input.anchor_id)
        anchor, problems = await changed(
            info,
            load,
            lambda tx: actions.give_consent(
                tx, key, notice_version=input.notice_version, by=context.actor, now=context.now
            ),
            account_id=key.account_id,
        )
        return AnchorConsentGivePayload(anchor=anchor, user_errors=problems)
