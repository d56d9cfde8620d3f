"""Evidence: all that the law was given for a decision, frozen, so that it can be asked again from the record (X4)."""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints
from uuid import UUID

from greenroom.law.admission import (
    Admitted,
    Finding,
    Question,
    admit,
    cell_of,
    counting_of,
)
from greenroom.law.basis import RuleBasis
from greenroom.law.paths import cells
from greenroom.law.policies import PACKS, InForce, Policy
from greenroom.law.terms import (
    AdmissionBlockerCode,
    BroadcastLocation,
    PolicyPhase,
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
    answer, policy = admit(question, in_force=in_force, now=now), in_force.policy
    asked = plain(question)
    for member, entry in zip(question.cast, asked["cast"], strict=True):
        cell = cell_of(member, question=question, policy=policy)
        attempt = counting_of(member, question=question, policy=policy, now=now)
        counting = None if attempt is None else {"id": str(attempt.id), "status": attempt.status}
        entry |= {"cell": cell.number, "path": cell.path, "counting": counting}
    return {
        "form": FORM,
        "now": plain(now),
        "phase": in_force.phase(now),
        "policy": policy.name,
        "revision": in_force.revision,
        "launch_at": plain(in_force.launch_at),
        **asked,
        "is_admitted": isinstance(answer, Admitted),
        "would_block": [{**plain(b, only=SHOWN_OF_BLOCKER), "rule": b.basis.rule} for b in answer.would_block],
    }


SHOWN_OF_BLOCKER = ("code", "cell", "member_id", "anchor_id")


def thaw(record: Record, *, packs: Mapping[str, Policy] = PACKS) -> Thawed:
    """Return what the law was given; `admit` decides the same again, or under another policy something else.

    Raises KeyError for a policy that never was, ValueError for a form that this code does not know.
    """
    if record["form"] != FORM:
        raise ValueError(f"a record of form {record['form']}; this code reads form {FORM}")
    in_force = InForce(
        packs[record["policy"]], restored(datetime | None, record["launch_at"]), revision=record["revision"]
    )
    return Thawed(restored(Question, record), in_force, restored(datetime, record["now"]))


def canonical(record: Record) -> bytes:
    """Return the one spelling of a record that is hashed: keys sorted, UTF-8, no spaces."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def plain(value: Any, *, only: Sequence[str] | None = None) -> Any:
    """Return a value as JSON has it: instants in UTC to the microsecond, of a finding never the text."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case frozenset():
            return sorted(value)
        case tuple():
            return [plain(each) for each in value]
        case Finding():
            return {"code": value.code, "requirement": value.requirement}
        case _ if is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value) if only is None or f.name in only}
        case _:
            return value


def restored(kind: Any, value: Any) -> Any:
    """Return a value of this type from what `plain` made of it; what a record has beside is passed over."""
    if value is None or kind in (bool, int, str):
        return value
    match get_origin(kind), get_args(kind):
        case types.UnionType, (inner, _):
            return restored(inner, value)
        case made, (inner, *_):
            return made(restored(inner, each) for each in value)
    if is_dataclass(kind):
        make: Any = kind
        return make(**{n: restored(k, value[n]) for n, k in get_type_hints(kind).items() if n in value})
    return kind.fromisoformat(value) if kind in (datetime, date) else kind(value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One cast member of a record, as it is shown."""

    anchor_id: UUID
    location: BroadcastLocation
    path: VerificationPath
    cell: int
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
        tuple(restored(RecordedBlocker, blocker) for blocker in record["would_block"]),
    )


def basis_of_path(entry: Entry, *, policy: str) -> RuleBasis:
    """Return what the path of a recorded member rested on: its cell's lines under that policy, which never changes."""
    return next(cell.basis for cell in cells(PACKS[policy]) if cell.number == entry.cell)


def entry(member: Record) -> Entry:
    """Read one member of a record."""
    counting = member["counting"] or {"id": None, "status": None}
    found: Entry = restored(Entry, member | {"attempt_id": counting["id"], "status": counting["status"]})
    return found
