"""Evidence: all that the law was given for a decision, frozen, so that it can be asked again from the record (X4)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from greenroom.law.admission import (
    Admitted,
    Appearance,
    Attempt,
    Blocker,
    Finding,
    Question,
    admit,
    cell_of,
    counting_of,
)
from greenroom.law.policies import PACKS, InForce, Policy
from greenroom.law.terms import (
    AccountKind,
    AdmissionBlockerCode,
    BroadcastLocation,
    FindingCode,
    PolicyPhase,
    RequirementKind,
    VerificationPath,
    VerificationStatus,
)

Record: TypeAlias = dict[str, Any]
"""A JSON object: text, whole numbers, booleans, nulls, and lists and objects of them."""

FORM: Final = 1  # of a record; a later form gets a number of its own, and this one stays readable


@dataclass(frozen=True, slots=True)
class Thawed:
    """What the law was given, back from a record."""

    question: Question
    in_force: InForce
    now: datetime


def freeze(question: Question, *, in_force: InForce, now: datetime) -> Record:
    """Return the record of one decision: all that the law was given, and what followed from it.

    Free of personal data: whether someone is Chinese instead of a nationality, ids and codes instead of names, and no
    text of findings. What followed (`is_admitted`, `would_block`, `path`, `cell`, `counting`) is there to be read;
    `thaw` takes none of it.
    """
    answer = admit(question, in_force=in_force, now=now)
    return {
        "form": FORM,
        "now": instant(now),
        "phase": in_force.phase(now),
        "policy": in_force.policy.name,
        "revision": in_force.revision,
        "launch_at": instant(in_force.launch_at),
        "account_kind": question.account_kind,
        "account_is_chinese": question.account_is_chinese,
        "airs_at": instant(question.airs_at),
        "account_rejections": question.account_rejections,
        "cast": [frozen_appearance(member, question, in_force.policy, now) for member in question.cast],
        "is_admitted": isinstance(answer, Admitted),
        "would_block": [frozen_blocker(blocker) for blocker in answer.would_block],
    }


def thaw(record: Record, *, packs: Mapping[str, Policy] = PACKS) -> Thawed:
    """Return what the law was given; `admit` decides the same again, or under another policy something else.

    Raises KeyError for a policy that never was, ValueError for a form that this code does not know.
    """
    if record["form"] != FORM:
        raise ValueError(f"a record of form {record['form']}; this code reads form {FORM}")
    question = Question(
        account_kind=AccountKind(record["account_kind"]),
        account_is_chinese=record["account_is_chinese"],
        airs_at=datetime.fromisoformat(record["airs_at"]),
        account_rejections=record["account_rejections"],
        cast=tuple(thawed_appearance(member) for member in record["cast"]),
    )
    in_force = InForce(packs[record["policy"]], launch_at=at(record["launch_at"]), revision=record["revision"])
    return Thawed(question, in_force, datetime.fromisoformat(record["now"]))


def canonical(record: Record) -> bytes:
    """Return the one spelling of a record that is hashed: keys sorted, UTF-8, no spaces."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def frozen_appearance(member: Appearance, question: Question, policy: Policy, now: datetime) -> Record:
    """Return one cast member, with the cell, path and attempt that applied."""
    cell = cell_of(member, question=question, policy=policy)
    attempt = counting_of(member, question=question, policy=policy, now=now)
    return {
        "member_id": str(member.member_id),
        "anchor_id": str(member.anchor_id),
        "anchor_is_chinese": member.anchor_is_chinese,
        "location": member.location,
        "confirmed_at": instant(member.confirmed_at),
        "has_consent": member.has_consent,
        "consent_withdrawn": member.consent_withdrawn,
        "is_barred": member.is_barred,
        "is_under_age": member.is_under_age,
        "attempts": [frozen_attempt(attempt) for attempt in member.attempts],
        "others": [frozen_attempt(attempt) for attempt in member.others],
        "cell": cell.number,
        "path": cell.path,
        "counting": None if attempt is None else {"id": str(attempt.id), "status": attempt.status},
    }


def thawed_appearance(member: Record) -> Appearance:
    """Return one cast member as the law was given it."""
    return Appearance(
        member_id=UUID(member["member_id"]),
        anchor_id=UUID(member["anchor_id"]),
        anchor_is_chinese=member["anchor_is_chinese"],
        location=BroadcastLocation(member["location"]),
        confirmed_at=at(member["confirmed_at"]),
        has_consent=member["has_consent"],
        consent_withdrawn=member["consent_withdrawn"],
        is_barred=member["is_barred"],
        is_under_age=member["is_under_age"],
        attempts=tuple(thawed_attempt(attempt) for attempt in member["attempts"]),
        others=tuple(thawed_attempt(attempt) for attempt in member["others"]),
    )


def frozen_attempt(attempt: Attempt) -> Record:
    """Return one attempt; of its findings the codes, never the text."""
    return {
        "id": str(attempt.id),
        "path": attempt.path,
        "status": attempt.status,
        "submitted_at": instant(attempt.submitted_at),
        "decided_at": instant(attempt.decided_at),
        "ends_at": instant(attempt.ends_at),
        "documents_last_day": attempt.documents_last_day and attempt.documents_last_day.isoformat(),
        "is_retryable": attempt.is_retryable,
        "strikes": attempt.strikes,
        "attempts": attempt.attempts,
        "findings": [{"code": finding.code, "requirement": finding.requirement} for finding in attempt.findings],
        "has_email": attempt.has_email,
        "is_for_nationality": attempt.is_for_nationality,
        "provided": sorted(attempt.provided),
    }


def thawed_attempt(attempt: Record) -> Attempt:
    """Return one attempt as the law was given it."""
    last_day = attempt["documents_last_day"]
    return Attempt(
        id=UUID(attempt["id"]),
        path=VerificationPath(attempt["path"]),
        status=VerificationStatus(attempt["status"]),
        submitted_at=at(attempt["submitted_at"]),
        decided_at=at(attempt["decided_at"]),
        ends_at=at(attempt["ends_at"]),
        documents_last_day=None if last_day is None else date.fromisoformat(last_day),
        is_retryable=attempt["is_retryable"],
        strikes=attempt["strikes"],
        attempts=attempt["attempts"],
        findings=tuple(thawed_finding(finding) for finding in attempt["findings"]),
        has_email=attempt["has_email"],
        is_for_nationality=attempt["is_for_nationality"],
        provided=frozenset(RequirementKind(kind) for kind in attempt["provided"]),
    )


def thawed_finding(finding: Record) -> Finding:
    """Return one finding, without its text."""
    return Finding(FindingCode(finding["code"]), RequirementKind(finding["requirement"]))


def frozen_blocker(blocker: Blocker) -> Record:
    """Return one blocker as it is shown later: what, whom, and on what grounds."""
    return {
        "code": blocker.code,
        "rule": blocker.basis.rule,
        "cell": blocker.cell,
        "member_id": blocker.member_id and str(blocker.member_id),
        "anchor_id": blocker.anchor_id and str(blocker.anchor_id),
    }


def instant(value: datetime | None) -> str | None:
    """Return an instant in UTC, to the microsecond."""
    return None if value is None else value.astimezone(UTC).isoformat()


def at(value: str | None) -> datetime | None:
    """Return an instant of a record."""
    return None if value is None else datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One cast member of a record, as it is shown."""

    anchor_id: UUID
    location: BroadcastLocation
    path: VerificationPath
    attempt_id: UUID | None
    status: VerificationStatus | None


@dataclass(frozen=True, slots=True)
class RecordedBlocker:
    """What enforcement would have refused."""

    code: AdmissionBlockerCode
    rule: str
    cell: int | None
    anchor_id: UUID | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a record says that the law answered."""

    phase: PolicyPhase
    policy: str
    revision: int
    entries: tuple[Entry, ...]
    would_block: tuple[RecordedBlocker, ...]


def answered(record: Record) -> Answered:
    """Read what followed from a record's question, as it was written down then."""
    return Answered(
        PolicyPhase(record["phase"]),
        record["policy"],
        record["revision"],
        tuple(entry(member) for member in record["cast"]),
        tuple(
            RecordedBlocker(
                AdmissionBlockerCode(b["code"]), b["rule"], b["cell"], UUID(b["anchor_id"]) if b["anchor_id"] else None
            )
            for b in record["would_block"]
        ),
    )


def entry(member: Record) -> Entry:
    """Read one member of a record."""
    counting = member["counting"]
    return Entry(
        UUID(member["anchor_id"]),
        BroadcastLocation(member["location"]),
        VerificationPath(member["path"]),
        UUID(counting["id"]) if counting else None,
        VerificationStatus(counting["status"]) if counting else None,
    )
