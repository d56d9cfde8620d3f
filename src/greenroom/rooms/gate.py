"""The gate: what the law is asked about a room, from rows, and what it answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, any_, bindparam, select
from sqlmodel import col

from greenroom.anchors.actions import IDS
from greenroom.anchors.tables import Anchor
from greenroom.columns import table
from greenroom.db import Read, Record
from greenroom.law.admission import (
    Admission,
    Admitted,
    Appearance,
    Blocker,
    LiveEffect,
    Question,
    Refused,
    admit,
    cell_of,
    counting_of,
    while_live,
)
from greenroom.law.attempts import Attempt
from greenroom.law.paths import Cell
from greenroom.law.policies import InForce, Policy
from greenroom.law.terms import AccountKind, BroadcastLocation, LiveRoomStatus, is_chinese
from greenroom.rooms.tables import CastMember
from greenroom.verifications.reads import attempt_of


def cast(*, of_account: bool = True) -> Any:
    """Rooms' casts, each member with the anchor's own columns; `of_account=False` is for a read across accounts."""
    found = (
        select(
            *table(Anchor).c,
            col(CastMember.id).label("member_id"),
            col(CastMember.room_id),
            col(CastMember.position),
            col(CastMember.location),
            col(CastMember.confirmed_at),
        )
        .join(Anchor, and_(col(Anchor.account_id) == CastMember.account_id, col(Anchor.id) == CastMember.anchor_id))
        .where(col(CastMember.room_id) == any_(bindparam("room_ids", type_=IDS)))
    )
    return found.where(col(CastMember.account_id) == bindparam("account_id")) if of_account else found


CAST = Read(cast().order_by(col(CastMember.room_id), col(CastMember.position)))
# Locks the anchors in the one order that all lockers keep, and for update: a start stamps them.
CAST_LOCKED = Read(cast().order_by(col(Anchor.id)).with_for_update(of=Anchor, key_share=True))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The law's answer about one room, with what it was given."""

    room: Record
    members: Sequence[Record]
    attempts: Mapping[UUID, Sequence[Record]]
    question: Question
    in_force: InForce
    now: datetime
    admission: Admission

    @property
    def is_admitted(self) -> bool:
        """The answer under the policy in force."""
        return isinstance(self.admission, Admitted)

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        """Why it is refused."""
        return self.admission.blockers if isinstance(self.admission, Refused) else ()

    @property
    def would_block(self) -> tuple[Blocker, ...]:
        """What enforcement would add."""
        return self.admission.would_block

    def appearance(self, member_id: UUID) -> Appearance:
        """Return what the law was given about one member."""
        return next(a for a in self.question.cast if a.member_id == member_id)

    def cell(self, member_id: UUID) -> Cell:
        """Return the row of the decision table that a member falls into."""
        return cell_of(self.appearance(member_id), question=self.question, policy=self.in_force.policy)

    def counting(self, member_id: UUID) -> Attempt | None:
        """Return the attempt that counts for a member."""
        return counting_of(
            self.appearance(member_id), question=self.question, policy=self.in_force.policy, now=self.now
        )

    def row_of(self, attempt: Attempt) -> Record:
        """Return the row that an attempt was read from."""
        return next(row for rows in self.attempts.values() for row in rows if row["id"] == attempt.id)

    @property
    def live_effect(self) -> LiveEffect:
        """What the answer does to the room's broadcast, which runs (A14)."""
        since = self.room["started_at"]
        return while_live(self.admission, question=self.question, policy=self.in_force.policy, since=since)


def judge(
    room: Record,
    account: Record,
    members: Sequence[Record],
    attempts: Mapping[UUID, Sequence[Record]],
    *,
    in_force: InForce,
    now: datetime,
    airs_at: datetime | None = None,
) -> Verdict:
    """Ask the law about a room as its rows stand. `attempts`: candidates by anchor. `airs_at`: of a start, now."""
    question = question_of(account, members, attempts, airs_at=airs_at or planned(room), policy=in_force.policy)
    return Verdict(room, members, attempts, question, in_force, now, admit(question, in_force=in_force, now=now))


def planned(room: Record) -> datetime:
    """Return when a room airs: the planned start until it starts, the instant of the start when it did."""
    is_ahead = room["status"] in (LiveRoomStatus.SCHEDULED, LiveRoomStatus.CANCELED)
    instant: datetime = room["scheduled_start_at"] if is_ahead else room["started_at"]
    return instant


def question_of(
    account: Record,
    members: Iterable[Record],
    attempts: Mapping[UUID, Sequence[Record]],
    *,
    airs_at: datetime,
    policy: Policy,
) -> Question:
    """Return the question, free of personal data."""
    ordered = sorted(members, key=lambda member: member["position"])
    rejections = (row["account_rejections"] for rows in attempts.values() for row in rows)
    return Question(
        account_kind=AccountKind(account["kind"]),
        account_is_chinese=is_chinese(account["nationality"], regions=policy.regions),
        airs_at=airs_at,
        account_rejections=max(rejections, default=0),
        cast=tuple(appearance_of(m, attempts.get(m["id"], ()), policy=policy) for m in ordered),
    )


def appearance_of(member: Record, attempts: Sequence[Record], *, policy: Policy) -> Appearance:
    """Return one member as the law sees them."""
    withdrawn = member["consent_withdrawn_at"] is not None
    return Appearance(
        member_id=member["member_id"],
        anchor_id=member["id"],
        anchor_is_chinese=is_chinese(member["nationality"], regions=policy.regions),
        location=BroadcastLocation(member["location"]),
        confirmed_at=member["confirmed_at"],
        has_consent=not withdrawn and member["consent_version"] == policy.notice_version,
        consent_withdrawn=withdrawn,
        attempts=tuple(seen(row) for row in attempts if not row["is_other"]),
        others=tuple(seen(row) for row in attempts if row["is_other"]),
        is_barred=any(row["is_barred"] for row in attempts if not row["is_other"]),
        is_under_age=any(row["is_under_age"] for row in attempts) or None,
    )


def seen(row: Record) -> Attempt:
    """Return a candidate as the law sees it; a lead's unlock makes the attempts before it count no more (A15)."""
    attempt, unlocked_at = attempt_of(row), row["unlocked_at"]
    is_unlocked = unlocked_at is not None and attempt.submitted_at is not None and attempt.submitted_at <= unlocked_at
    return replace(attempt, attempts=0) if is_unlocked else attempt


def by_anchor(rows: Iterable[Record]) -> dict[UUID, list[Record]]:
    """Return candidates by the anchor that they were read for."""
    found: dict[UUID, list[Record]] = {}
    for row in rows:
        found.setdefault(row["of_anchor_id"], []).append(row)
    return found
