"""Changes: what a call did to the rows of every table, and which event accounts for what."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlmodel import SQLModel

from greenroom.access import PLATFORM

Row = dict[str, Any]
Rows = dict[str, dict[tuple[Any, ...], Row]]
Event = Row
KEYS = {table.name: [column.name for column in table.primary_key] for table in SQLModel.metadata.sorted_tables}
# The log itself, and what makes a retry safe: no state of anything that a reader of the log could ask about.
# A claim is a lease, by which nothing was read or decided; a bar has no account, and the rejection is in the log.
BOOKKEEPING = {"events", "event_heads", "idempotency_keys", "review_tasks", "bars"}
CREATED, GONE = "created", "gone"


async def rows(boss: asyncpg.Connection) -> Rows:
    """Every row of every table that we declare, by its key."""
    found: Rows = {}
    for table, key in KEYS.items():
        said = [json.loads(row[0]) for row in await boss.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")]
        found[table] = {tuple(row[name] for name in key): row for row in said}
    return found


@dataclass(frozen=True)
class Change:
    """One row that was made, changed or deleted."""

    table: str
    was: Row | None
    now: Row | None

    @property
    def row(self) -> Row:
        """The row as it stands, or stood last."""
        row = self.now or self.was
        assert row is not None
        return row

    @property
    def account_id(self) -> str:
        """Under whose log it belongs; the policy is the platform's."""
        return str(self.row.get("account_id", PLATFORM))

    @property
    def parts(self) -> list[str]:
        """What changed: the row as a whole, or these columns."""
        if self.was is None or self.now is None:
            return [GONE if self.now is None else CREATED]
        return [name for name, value in self.now.items() if self.was[name] != value]


def changes(before: Rows, after: Rows) -> Iterator[Change]:
    """Every difference between two looks at the tables, bookkeeping apart."""
    for table in before.keys() - BOOKKEEPING:
        was, now = before[table], after[table]
        yield from (Change(table, was.get(key), now.get(key)) for key in {**was, **now} if was.get(key) != now.get(key))


def appended(before: Rows, after: Rows) -> list[Event]:
    """The events of a call, account by account, in the order of each log."""
    new = after["events"].keys() - before["events"].keys()
    return [after["events"][key] for key in sorted(new)]


Rule = Callable[[Change, Event, Rows], bool]
"""Says whether an event accounts for a change, given all rows as they are now."""


def any_of(*rules: Rule) -> Rule:
    return lambda change, event, now: any(rule(change, event, now) for rule in rules)


def about(kind: str, *actions: str, by: str = "id") -> Rule:
    """An event with one of these actions whose subject is this row, or the one that it names in a column."""

    def is_about(change: Change, event: Event, _: Rows) -> bool:
        subject = (event["subject_type"], event["subject_id"])
        return event["action"] in actions and subject == (kind, change.row[by])

    return is_about


def concerns(*actions: str, by: str = "id") -> Rule:
    """An event that is about this person's attempt: it names them."""
    return lambda change, event, _: event["action"] in actions and event["anchor_id"] == change.row[by]


def consented(change: Change, event: Event, now: Rows) -> bool:
    is_theirs = about("Anchor", "CONSENT_GIVEN")(change, event, now) and event["anchor_id"] == change.row["id"]
    return is_theirs and event["detail"]["notice_version"] == change.row["consent_version"]


def cast_by(event: Event, now: Rows) -> set[str]:
    """Whom an event about a room names, or finds in its cast."""
    named = event["detail"].get("cast")
    in_room = {m["anchor_id"] for m in now["cast_members"].values() if m["room_id"] == event["subject_id"]}
    return in_room if named is None else set(named)


def cast_in(*actions: str) -> Rule:
    """An event about a room that has this anchor in its cast."""
    return lambda change, event, now: event["action"] in actions and change.row["id"] in cast_by(event, now)


def recast(*actions: str) -> Rule:
    """An event about this member's room that states the cast, with this member's anchor in it."""

    def is_recast(change: Change, event: Event, now: Rows) -> bool:
        is_stated = about("LiveRoom", *actions, by="room_id")(change, event, now) and event["detail"].get("cast")
        return bool(is_stated) and change.row["anchor_id"] in event["detail"]["cast"]

    return is_recast


def dismissed(change: Change, event: Event, now: Rows) -> bool:
    is_ours = about("LiveRoom", "LIVE_ROOM_CHANGED", by="room_id")(change, event, now)
    return is_ours and change.row["anchor_id"] not in event["detail"]["cast"]


def undone(change: Change, event: Event, now: Rows) -> bool:
    is_ours = about("LiveRoom", "LIVE_ROOM_CHANGED", by="room_id")(change, event, now)
    return is_ours and change.row["confirmed_at"] is None and event["detail"]["is_start_changed"] is True


def confirmed(change: Change, event: Event, now: Rows) -> bool:
    is_ours = about("LiveRoom", "CAST_CONFIRMED", by="room_id")(change, event, now)
    return is_ours and change.row["id"] in event["detail"]["members"]


def became(change: Change, event: Event, now: Rows) -> bool:
    """An event named after the attempt's new status, that says what it was before."""
    status, was = change.row["status"], change.was and change.was["status"]
    said = (event["detail"].get("status"), event["detail"].get("previous_status"))
    is_ours = about("Verification", f"VERIFICATION_{status}")(change, event, now) and said == (status, was)
    return is_ours and event["anchor_id"] == change.row["anchor_id"]


def warned(change: Change, event: Event, now: Rows) -> bool:
    is_ours = about("Verification", "VERIFICATION_EXPIRING")(change, event, now)
    return is_ours and event["detail"]["days"] == change.row["warned_days"]


def vouched(change: Change, event: Event, now: Rows) -> bool:
    is_ours = about("LiveRoom", "LIVE_ROOM_STARTED", "LIVE_ROOM_JOINED", by="room_id")(change, event, now)
    return is_ours and (event["detail"]["record"], event["seq"]) == (change.row["id"], change.row["event_seq"])


def room_became(change: Change, event: Event, now: Rows) -> bool:
    action = {"LIVE": "LIVE_ROOM_STARTED"}.get(change.row["status"], f"LIVE_ROOM_{change.row['status']}")
    return about("LiveRoom", action)(change, event, now)


def activated(change: Change, event: Event, _: Rows) -> bool:
    row, detail = change.row, event["detail"]
    said = (detail.get("name"), detail.get("revision"), detail.get("launch_at") is None)
    is_it = (event["action"], event["subject_id"]) == (
        "ADMISSION_POLICY_ACTIVATED",
        str(UUID(int=row["revision"])),
    )
    return is_it and said == (row["name"], row["revision"], row["launch_at"] is None)


ACCOUNT = about("Account", "ACCOUNT_CHANGED", by="account_id")
ROOM = about("LiveRoom", "LIVE_ROOM_CHANGED")
ANY_OF_ROOM = [f"LIVE_ROOM_{word}" for word in ("CREATED", "CHANGED", "STARTED", "JOINED", "ENDED", "CANCELED")]
USED = any_of(concerns("VERIFICATION_SUBMITTED"), cast_in(*ANY_OF_ROOM, "CAST_CONFIRMED"))
MEMBER = any_of(recast("LIVE_ROOM_CREATED", "LIVE_ROOM_CHANGED"), confirmed)

# What accounts for each part of each row. A part that is not here must not change: whoever adds one says which event.
DECIDED = ("VERIFICATION_APPROVED", "VERIFICATION_REJECTED")
ACCOUNTED: Mapping[str, Mapping[str, Rule]] = {
    "accounts": {
        CREATED: about("Account", "ACCOUNT_REGISTERED", by="account_id"),
        **dict.fromkeys(("kind", "nationality", "name", "search_name", "version"), ACCOUNT),
        "first_submitted_at": lambda _, event, __: event["action"] == "VERIFICATION_SUBMITTED",
    },
    "anchors": {
        CREATED: about("Anchor", "ANCHOR_CREATED"),
        **dict.fromkeys(("display_name", "search_name", "nationality"), about("Anchor", "ANCHOR_CHANGED")),
        "forgotten_at": about("Anchor", "ANCHOR_FORGOTTEN"),
        **dict.fromkeys(("consent_version", "consented_at", "consent_withdrawn_at"), consented),
        "version": about("Anchor", "ANCHOR_CHANGED", "ANCHOR_FORGOTTEN", "CONSENT_GIVEN"),
        "remembered_at": concerns("VERIFICATION_SUBMITTED"),
        **dict.fromkeys(("last_used_at", "last_location"), USED),
        "last_appeared_at": cast_in("LIVE_ROOM_STARTED", "LIVE_ROOM_JOINED"),
    },
    "anchor_keys": {CREATED: concerns("VERIFICATION_SUBMITTED", "DOCUMENT_STAGED", by="anchor_id")},
    "documents": {
        CREATED: about("Document", "DOCUMENT_STAGED"),
        "handed_in_at": concerns("VERIFICATION_SUBMITTED", by="anchor_id"),
        "rejected_at": concerns("VERIFICATION_REJECTED", by="anchor_id"),
    },
    "verification_documents": {CREATED: about("Verification", "VERIFICATION_SUBMITTED", by="verification_id")},
    "verifications": {
        **dict.fromkeys((CREATED, "status", "version", "decided_at", "is_retryable"), became),
        "warned_days": warned,
        "is_under_age": concerns("VERIFICATION_APPROVED", by="anchor_id"),
    },
    "reviews": {CREATED: about("Verification", *DECIDED, by="verification_id")},
    "review_notes": {CREATED: about("Verification", *DECIDED, by="task_id")},
    "live_rooms": {
        CREATED: about("LiveRoom", "LIVE_ROOM_CREATED"),
        **dict.fromkeys(("title", "scheduled_start_at"), ROOM),
        "status": room_became,
        "started_at": about("LiveRoom", "LIVE_ROOM_STARTED"),
        **dict.fromkeys(("ended_at", "end_reason"), about("LiveRoom", "LIVE_ROOM_ENDED")),
        "version": about("LiveRoom", *ANY_OF_ROOM, "CAST_CONFIRMED"),
    },
    "cast_members": {
        CREATED: recast("LIVE_ROOM_CREATED", "LIVE_ROOM_CHANGED"),
        GONE: dismissed,
        "position": recast("LIVE_ROOM_CHANGED"),
        "location": MEMBER,
        "confirmed_at": any_of(MEMBER, undone),
    },
    "admission_records": {CREATED: vouched},
    "policy_in_force": dict.fromkeys(("name", "launch_at", "revision", "changed_at"), activated),
}
SUBJECTS = {
    "accounts": "Account",
    "anchors": "Anchor",
    "documents": "Document",
    "verifications": "Verification",
    "live_rooms": "LiveRoom",
    "policy_in_force": "AdmissionPolicy",
}


def unaccounted(before: Rows, after: Rows) -> list[str]:
    """Every part of a row that changed without an event of a fitting action in its own account's log."""
    events = appended(before, after)
    return [
        f"{change.table}.{part}"
        for change in changes(before, after)
        for part in change.parts
        if (rule := ACCOUNTED[change.table].get(part)) is None
        or not any(event["account_id"] == change.account_id and rule(change, event, after) for event in events)
    ]


def idle(before: Rows, after: Rows) -> list[str]:
    """The events about something that did not change; those of a read, which say for what, apart."""
    changed = {(SUBJECTS.get(change.table), change.account_id, subject_id(change)) for change in changes(before, after)}
    return [
        event["action"]
        for event in appended(before, after)
        if event["purpose"] is None and (event["subject_type"], event["account_id"], event["subject_id"]) not in changed
    ]


def subject_id(change: Change) -> str:
    """The id by which an event names a row."""
    if change.table == "policy_in_force":
        return str(UUID(int=change.row["revision"]))
    return str(change.row.get("id", change.account_id))
