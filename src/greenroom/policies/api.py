"""The GraphQL face of the policy in force."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

import strawberry

from greenroom.access import PLATFORM, Key, Permission
from greenroom.connections import After, Connection, Edge, First, Found, page_of
from greenroom.context import Context, Info
from greenroom.errors import Refused
from greenroom.graph import Node, RuleBasis, bad_argument, given, global_id, home, lacking
from greenroom.law.notices import notice
from greenroom.law.paths import Cell, cells
from greenroom.law.policies import PACKS, InForce, knobs
from greenroom.law.terms import AccountKind, BroadcastLocation, PolicyPhase, VerificationPath
from greenroom.paging import Slice, cursor_of
from greenroom.payloads import Payload, user_errors
from greenroom.policies import actions
from greenroom.scalars import Instant, instant

if TYPE_CHECKING:
    from greenroom.rooms.admission import Admission
    from greenroom.rooms.api import LiveRoom

ROOMS = strawberry.lazy("greenroom.rooms.api")


@strawberry.type
class PolicyKnob:
    """A reading of an open question."""

    name: str
    """Such as per_room."""
    reading: str
    """Such as A9."""
    value: str
    """Such as CONFIRM."""


@strawberry.type
class DecisionCell:
    """One row of the decision table."""

    account_kind: AccountKind
    """Seller or blogger."""
    basis: RuleBasis
    """Where it is written."""
    is_chinese_account: bool
    """The account is Chinese."""
    is_chinese_anchor: bool
    """The anchor is Chinese."""
    location: BroadcastLocation
    """Place."""
    number: int
    """1 to 16."""
    path: VerificationPath
    """Result."""

    @classmethod
    def of(cls, cell: Cell) -> Self:
        """What a client sees of a cell."""
        return cls(
            account_kind=cell.case.account_kind,
            basis=RuleBasis.of(cell.basis),
            is_chinese_account=cell.case.account_is_chinese,
            is_chinese_anchor=cell.case.anchor_is_chinese,
            location=cell.case.location,
            number=cell.number,
            path=cell.path,
        )


@strawberry.type
class PrivacyNotice:
    """What a person must agree to before anything sensitive is taken."""

    text: str
    """Text in the request's language."""
    version: str
    """Such as 2026-01."""


@strawberry.type
class AdmissionPolicy(Node):
    """The rules in force: a named, versioned table."""

    launch_at: Instant | None
    """Official launch; null while it is still to be announced."""
    name: str
    """Such as aliexpress-2021."""
    phase: PolicyPhase
    """Where the rules stand in time."""
    publicity_from: Instant | None
    """First instant of the publicity window."""
    publicity_until: Instant | None
    """First instant after the publicity window."""
    revision: int
    """What admission records cite: grows with each change of pack or launch."""
    submission_suffices: bool
    """Submitted but not reviewed attempts admit."""
    version: int
    """For optimistic locking."""
    in_force: strawberry.Private[InForce]

    @classmethod
    def of(cls, in_force: InForce, context: Context) -> Self:
        """What a client sees of a policy."""
        pack = in_force.policy
        return cls(
            id=global_id("AdmissionPolicy", PLATFORM, UUID(int=in_force.revision)),
            launch_at=instant(in_force.launch_at),
            name=pack.name,
            phase=in_force.phase(context.now),
            publicity_from=instant(pack.publicity_from),
            publicity_until=instant(pack.publicity_until),
            revision=in_force.revision,
            submission_suffices=pack.submission_suffices,
            version=in_force.revision,
            in_force=in_force,
        )

    @strawberry.field
    def cells(self) -> list[DecisionCell]:
        """The decision table: 16 cells."""
        return [DecisionCell.of(cell) for cell in cells(self.in_force.policy)]

    @strawberry.field
    def knobs(self) -> list[PolicyKnob]:
        """Every reading of an open question, as this policy has it."""
        return [PolicyKnob(name=k.name, reading=k.reading, value=k.value) for k in knobs(self.in_force.policy)]

    @strawberry.field
    def notice(self, info: Info) -> PrivacyNotice:
        """The privacy notice to agree to."""
        version = self.in_force.policy.notice_version
        return PrivacyNotice(text=notice(version, info.context.language), version=version)


@strawberry.type
class AdmissionChange:
    """One room whose answer another policy changes."""

    change: strawberry.Private[actions.Change]

    @strawberry.field
    def before(self) -> Annotated["Admission", ROOMS]:
        """The answer now."""
        return home("rooms").Admission.of(self.change.before)

    @strawberry.field
    def after(self) -> Annotated["Admission", ROOMS]:
        """The answer then."""
        return home("rooms").Admission.of(self.change.after)

    @strawberry.field
    def live_room(self) -> Annotated["LiveRoom", ROOMS]:
        """The room."""
        return home("rooms").LiveRoom.of(self.change.before.room)


@strawberry.type
class AdmissionChangeEdge(Edge[AdmissionChange]):
    """One change of a page."""


@strawberry.type
class AdmissionChangeConnection(Connection[AdmissionChange, AdmissionChangeEdge]):
    """A page of changes."""

    newly_admitted: int
    """Rooms that would be newly admitted, among those counted."""
    newly_refused: int
    """Rooms that would be newly refused, among those counted."""
    rooms_counted: int
    """Rooms looked at for the two counts, at most 10,000, soonest first."""


@strawberry.input
class AdmissionPolicyPreviewInput:
    """A policy and a launch to try."""

    name: str
    """Such as cn-2026."""
    launch_at: Instant | None = strawberry.UNSET
    """Launch; null: observe only."""


@strawberry.input
class AdmissionPolicyActivateInput:
    """Arguments of `admissionPolicyActivate`."""

    name: str
    """Such as aliexpress-2021."""
    expected_version: int
    """Refuse when the policy has another version."""
    launch_at: Instant | None = strawberry.UNSET
    """From when on it refuses; null: observe only."""


@strawberry.type
class AdmissionPolicyActivatePayload(Payload):
    """Result of `admissionPolicyActivate`."""

    admission_policy: AdmissionPolicy | None = None
    """The policy."""


async def load(info: Info, key: Key) -> AdmissionPolicy | None:
    """Return the policy in force where the id names it; those before it are in the log."""
    in_force = info.context.in_force
    is_it = key == Key(PLATFORM, UUID(int=in_force.revision))
    return AdmissionPolicy.of(in_force, info.context) if is_it else None


def place(change: actions.Change) -> tuple[datetime, UUID]:
    """Return where a change stands in its list: soonest rooms first."""
    return change.before.room["scheduled_start_at"], change.before.room["id"]


@strawberry.type
class PolicyQueries:
    """Reads of the policy."""

    @strawberry.field
    def admission_policy(self, info: Info) -> AdmissionPolicy | None:
        """The policy in force."""
        return AdmissionPolicy.of(info.context.in_force, info.context)

    @strawberry.field
    async def admission_policy_preview(
        self,
        info: Info,
        input: Annotated[AdmissionPolicyPreviewInput, strawberry.argument(description="Arguments.")],
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> AdmissionChangeConnection | None:
        """What another policy or launch would change, for rooms scheduled (at their start, or now if that is past) or
        live (now). Requires ADMINISTER."""
        context = info.context
        if Permission.ADMINISTER not in context.actor.permissions:
            raise lacking(info, Permission.ADMINISTER)
        if problem := actions.wrong(input.name, given(input.launch_at)):
            raise bad_argument(problem.at[-1], problem.said(context.language))
        page = page_of(info, first, after, None, None, of=(datetime, UUID))
        tried = InForce(PACKS[input.name], given(input.launch_at), context.in_force.revision + 1)
        seen = await actions.preview_policy(context.services.db, before=context.in_force, after=tried, now=context.now)
        beyond = [change for change in seen.changes if page.after is None or place(change) > page.after]
        part = Slice(beyond[: page.size], has_next=len(beyond) > page.size, has_previous=page.after is not None)
        found = Found(part, [cursor_of(place(change)) for change in part.rows], 0)
        nodes = [AdmissionChange(change=change) for change in part.rows]
        return AdmissionChangeConnection(
            edges=found.edges(AdmissionChangeEdge, nodes),
            nodes=nodes,
            page_info=found.page_info,
            newly_admitted=seen.newly_admitted,
            newly_refused=seen.newly_refused,
            rooms_counted=seen.rooms_counted,
        )


@strawberry.type
class PolicyMutations:
    """What can be done with the policy."""

    @strawberry.mutation
    async def admission_policy_activate(
        self, info: Info, input: AdmissionPolicyActivateInput
    ) -> AdmissionPolicyActivatePayload | None:
        """Puts a policy in force and sets or clears its launch; `admissionPolicyPreview` shows the effects before.
        Requires ADMINISTER."""
        context = info.context
        outcome = await context.perform(
            lambda tx: actions.activate_policy(
                tx,
                name=input.name,
                launch_at=given(input.launch_at),
                expected_version=input.expected_version,
                by=context.actor,
                now=context.now,
            ),
            account_id=PLATFORM,
            also=frozenset({Permission.ADMINISTER}),
        )
        if isinstance(outcome, Refused):
            return AdmissionPolicyActivatePayload(user_errors=user_errors(outcome, info))
        context.services.held.drop()
        context.in_force = await context.services.held.now(context.now)
        return AdmissionPolicyActivatePayload(admission_policy=AdmissionPolicy.of(context.in_force, context))
