"""The GraphQL face of an admission: the answer of the law, each blocker, the cast, and the frozen record."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar
from uuid import UUID

import orjson
import strawberry

from greenroom.access import Key
from greenroom.context import Context, Info
from greenroom.db import Record
from greenroom.errors import NotAdmitted, Problem, UserErrorCode
from greenroom.graph import Node, RuleBasis, batch_of, global_id, home
from greenroom.law.admission import Blocker
from greenroom.law.evidence import answered, basis_of_path
from greenroom.law.policies import ACCOUNT_REJECTIONS_WINDOW
from greenroom.law.terms import (
    AdmissionBlockerCode,
    BroadcastLocation,
    Language,
    PolicyPhase,
    VerificationPath,
    VerificationStatus,
)
from greenroom.payloads import UserError
from greenroom.rooms import gate, reads
from greenroom.rooms.gate import Verdict, judge
from greenroom.scalars import Instant
from greenroom.verifications.reads import GATE_CANDIDATES

if TYPE_CHECKING:
    from greenroom.anchors.api import Anchor
    from greenroom.policies.api import AdmissionPolicy
    from greenroom.rooms.api import LiveRoom
    from greenroom.verifications.api import Verification
    from greenroom.verifications.requirements import VerificationRequirement


T = TypeVar("T")
ANCHORS = strawberry.lazy("greenroom.anchors.api")
POLICIES = strawberry.lazy("greenroom.policies.api")
VERIFICATIONS = strawberry.lazy("greenroom.verifications.api")
ROOMS = batch_of(reads.BY_IDS, "ids")
CASTS = batch_of(gate.CAST, "room_ids", by="room_id", many=True)
CANDIDATES = batch_of(GATE_CANDIDATES, "anchor_ids", by="of_anchor_id", many=True, looks_back=ACCOUNT_REJECTIONS_WINDOW)

for words in (AdmissionBlockerCode, PolicyPhase):
    strawberry.enum(words)


async def verdicts(context: Context, keys: list[Key]) -> list[Verdict | None]:
    """Ask the law about rooms: their casts and attempts come in one statement each."""
    rooms = await context.loader(ROOMS).load_many(keys)
    casts = await context.loader(CASTS).load_many(keys)
    anchors = list(dict.fromkeys(Key(m["account_id"], m["id"]) for members in casts for m in members))
    candidates = await context.loader(CANDIDATES).load_many(anchors)
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
    def of(cls, blocker: Blocker, verdict: Verdict, language: Language) -> Self:
        """What a client sees of a blocker."""
        return cls(
            code=blocker.code,
            basis=RuleBasis.of(blocker.basis),
            message=blocker.words.said_in(language),
            member=CastMember.of(member_of(verdict, blocker.member_id), verdict) if blocker.member_id else None,
        )

    @strawberry.field
    def cast_member(self) -> "CastMember | None":
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
    """The answer under the policy in force; of a room that ended or was canceled, as if it were still to come."""
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
    def of(cls, problem: Problem, common: dict[str, Any], language: Language) -> Self:
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
        return self.judged(info, lambda verdict: self.counted(info, verdict))

    def counted(self, info: Info, verdict: Verdict | None) -> "Verification | None":
        """Return the attempt that counts by the law's answer."""
        assert verdict is not None
        if (attempt := verdict.counting(self.row["member_id"])) is None:
            return None
        policy, now = verdict.in_force.policy, verdict.now
        return home("verifications").shown(verdict.row_of(attempt), info.context, policy=policy, now=now)

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

    basis: RuleBasis
    """The rule that decided the path, with the lines of the announcement."""
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
                    basis=RuleBasis.of(basis_of_path(entry, policy=answer.policy)),
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
        found = await home("rooms").load(info, self.room_key)
        assert found is not None
        return found
