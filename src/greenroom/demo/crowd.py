"""Crowd: the large world for the bench, made up block by block from a seed and written through COPY.

A block is some accounts with all that hangs on them, as the verbs would have written it: each account's log begins with
its registration, each sealed column opens under the key of its anchor, each room's cast is of its own account. Every
room is still to come or was canceled: one that has been on air would need a record of its admission.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from greenroom.access import account_id_of
from greenroom.accounts.actions import standing_of
from greenroom.demo.scene import FILLING, NOTICE, PLATFORM_STAFF
from greenroom.events.actions import GENESIS, body, kind_of
from greenroom.law.reasons import requirement_of
from greenroom.law.terms import (
    AccountKind,
    BroadcastLocation,
    DataState,
    EntryPoint,
    FindingCode,
    LiveRoomStatus,
    ReviewDecision,
    VerificationPath,
    VerificationStatus,
    is_chinese,
)
from greenroom.sealing import KeyWrapping, Pepper, Seal, context_of, new_data_key
from greenroom.text import folded
from greenroom.verifications.keeping import email_mark, name_mark

EXTERNAL_ID: Final = "crowd-{:05}"  # from crowd-00001 on
ANCHORS, ANCHORS_OF_AN_AGENCY, AGENCY_EVERY = 10, 55, 100  # 209,000 for 20,000 accounts
ROOMS: Final = 5  # each with three in its cast
BLOCK: Final = 200  # accounts between two steps of the progress bar
MADE_AGO, DECIDED_AFTER, LASTS = timedelta(days=60), timedelta(days=1), timedelta(days=700)
LOCK_TIMEOUT_S: Final = 10

APPROVED, SUBMITTED = VerificationStatus.APPROVED, VerificationStatus.SUBMITTED
REJECTED, EXPIRED = VerificationStatus.REJECTED, VerificationStatus.EXPIRED
# What became of an account's anchors, by their place in the roster; an agency's further ones handed in nothing.
STANDINGS: Final = (*(APPROVED,) * 5, *(SUBMITTED,) * 2, REJECTED, EXPIRED, REJECTED)
# Whom each room picks, by their place: two are ready, one has three blockers, one has one, the last is canceled.
CASTS: Final = ((0, 1, 5), (2, 3, 6), (7, 8, 9), (4, 5, 7), (0, 4, 8))
FOUND: Final = {
    VerificationPath.TAOBAO_APP: FindingCode.FACE_NOT_PASSED,
    VerificationPath.PASSPORT_VISA: FindingCode.IMAGE_GLARE,
    VerificationPath.CONTACT: FindingCode.EMAIL_UNVERIFIED,
}
COUNTRIES: Final = ("CN", "ES", "US", "HK", "FR", "RU", "CN", "BR", "KZ", "JP")
NAMES: Final = ("林悦", "Ana", "Boris", "陳晨", "Chloé", "Иван", "王芳", "João", "Ғалым", "Kenji")

# In the order in which foreign keys let them be written.
COLUMNS: Final = {
    "accounts": "account_id external_id kind nationality name search_name first_submitted_at version created_at",
    "event_heads": "account_id seq hash",
    "events": "account_id seq action subject_type subject_id anchor_id actor actor_kind purpose occurred_at detail"
    " hash",
    "anchors": "account_id id display_name search_name nationality consent_version consented_at remembered_at"
    " last_used_at last_location version created_at",
    "anchor_keys": "account_id anchor_id master_key_id wrapped",
    "verifications": "account_id id anchor_id path status entry_point location consent_version nationality created_at"
    " submitted_at queued_at decided_at ends_at documents_last_day is_retryable strikes attempts legal_name email"
    " name_fingerprint email_fingerprint data_state version",
    "reviews": "account_id id verification_id decision is_retryable findings created_at",
    "live_rooms": "account_id id title status scheduled_start_at is_flagged version created_at",
    "cast_members": "account_id id room_id anchor_id position location confirmed_at",
}
Row = tuple[Any, ...]


async def size(connection: asyncpg.Connection) -> int:
    """Return how many accounts of a crowd there are already."""
    async with unforced(connection):
        found: int = await connection.fetchval("SELECT count(*) FROM accounts WHERE external_id LIKE 'crowd-%'")
    return found


async def fill(
    connection: asyncpg.Connection, *, accounts: int, seed: int, keys: KeyWrapping, pepper: Pepper, now: datetime
) -> AsyncIterator[int]:
    """Write the crowd in one transaction, all of it or nothing; yields how many accounts are there so far.

    `connection`: as the role that owns the tables.
    """
    ordered = sorted(range(1, accounts + 1), key=lambda number: account_id_of(EXTERNAL_ID.format(number)))
    async with unforced(connection):
        for start in range(0, accounts, BLOCK):
            numbers = ordered[start : start + BLOCK]
            block = Block(seed=seed, keys=keys, pepper=pepper, now=now)
            for number in numbers:
                await block.add_account(number)
            for table, names in COLUMNS.items():
                await connection.copy_records_to_table(table, records=block.rows[table], columns=names.split())
            yield start + len(numbers)


async def analyze(connection: asyncpg.Connection) -> None:
    """Tell the planner what is there now."""
    for table in COLUMNS:
        await connection.execute(f"VACUUM (ANALYZE) {table}")


@asynccontextmanager
async def unforced(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Open a transaction in which the owner's row security sleeps: COPY does not work under it.

    It locks the tables, so nobody else meets them in that state; whatever ends the transaction, they are as before.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", FILLING)
        for table in COLUMNS:
            await connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        yield
        for table in COLUMNS:
            await connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


@dataclass(frozen=True, slots=True)
class Person:
    """An anchor of the crowd, as far as the rest of its rows needs to know."""

    id: UUID
    nationality: str
    location: BroadcastLocation
    path: VerificationPath
    handed_in_at: datetime


class Block:
    """The rows of some accounts. An account's rows depend on the seed and its number alone, keys apart."""

    def __init__(self, *, seed: int, keys: KeyWrapping, pepper: Pepper, now: datetime) -> None:
        self._seed, self._keys, self._pepper, self._now = seed, keys, pepper, now
        self._random = random.Random(seed)  # noqa: S311  # made-up people, no secrets
        self.rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}

    async def add_account(self, number: int) -> None:
        """Make up one account with its roster, its log and its rooms."""
        self._random.seed(self._seed * 1_000_003 + number)
        account_id = account_id_of(EXTERNAL_ID.format(number))
        made = self._now - MADE_AGO + timedelta(seconds=number)
        self._register(account_id, number, made)
        size = ANCHORS_OF_AN_AGENCY if number % AGENCY_EVERY == 0 else ANCHORS
        roster = [await self._anchor(account_id, place, made, number) for place in range(size)]
        for place, cast in enumerate(CASTS):
            self._room(account_id, place, [roster[k] for k in cast])

    def _register(self, account_id: UUID, number: int, made: datetime) -> None:
        kind, nationality = (AccountKind.SELLER, AccountKind.BLOGGER)[number % 2], COUNTRIES[number // 2 % 10]
        external_id, name = EXTERNAL_ID.format(number), f"{NAMES[number % 10]} {number}"
        columns = (kind, nationality, name, folded(name), made, 1, made)
        self.rows["accounts"].append((account_id, external_id, *columns))
        detail = {"was": None, "became": standing_of(kind, nationality)}
        event = {
            "account_id": account_id,
            "action": "ACCOUNT_REGISTERED",
            "subject_type": "Account",
            "subject_id": account_id,
            "anchor_id": None,
            "actor": PLATFORM_STAFF.subject,
            "actor_kind": kind_of(PLATFORM_STAFF, account_id),
            "purpose": None,
            "occurred_at": made,
            "detail": detail,
        }
        link = sha256(GENESIS + body(event)).digest()
        written = {**event, "seq": 1, "detail": orjson.dumps(detail).decode(), "hash": link}
        self.rows["events"].append(tuple(written[name] for name in COLUMNS["events"].split()))
        self.rows["event_heads"].append((account_id, 1, link))

    async def _anchor(self, account_id: UUID, place: int, made: datetime, number: int) -> Person:
        person = self._person(place, made)
        name = f"{NAMES[place % 10]} {self._random.randrange(1000)}"
        is_in = place < len(STANDINGS)
        agreed = (NOTICE, person.handed_in_at, person.handed_in_at) if is_in else (None, None, None)
        used = (person.handed_in_at, person.location if is_in else None, 1, made)
        self.rows["anchors"].append((account_id, person.id, name, folded(name), person.nationality, *agreed, *used))
        if is_in:
            sealed = await self._sealed(account_id, person, f"{name} {number}")
            self._verification(account_id, person, STANDINGS[place], sealed)
        return person

    def _person(self, place: int, made: datetime) -> Person:
        nationality, is_home = COUNTRIES[place % 10], place % 4 < 2
        location = BroadcastLocation.IN_CHINA if is_home else BroadcastLocation.OUTSIDE_CHINA
        if is_chinese(nationality):
            path = VerificationPath.TAOBAO_APP
        else:
            path = VerificationPath.PASSPORT_VISA if is_home else VerificationPath.CONTACT
        handed_in_at = made + timedelta(days=1, minutes=self._random.randrange(40 * 24 * 60))
        return Person(self._id(made), nationality, location, path, handed_in_at)

    async def _sealed(self, account_id: UUID, person: Person, legal_name: str) -> Row:
        """Return name, e-mail and their marks, sealed under the anchor's own key; the Taobao app gives us neither."""
        if person.path is VerificationPath.TAOBAO_APP:
            return (None,) * 4
        data_key = new_data_key()
        wrapped = await self._keys.wrap(data_key, context=context_of(account_id, person.id))
        self.rows["anchor_keys"].append((account_id, person.id, *wrapped))
        seal = Seal(data_key)
        name = seal.seal(legal_name, account_id=account_id, anchor_id=person.id, column="legal_name")
        mark = name_mark(self._pepper, account_id, legal_name, person.nationality)
        if person.path is VerificationPath.PASSPORT_VISA:
            return name, None, mark, None
        address = f"anchor.{person.id.hex[-12:]}@example.com"
        email = seal.seal(address, account_id=account_id, anchor_id=person.id, column="email")
        return name, email, mark, email_mark(self._pepper, account_id, address)

    def _verification(self, account_id: UUID, person: Person, status: VerificationStatus, sealed: Row) -> None:
        at, id = person.handed_in_at, self._id(person.handed_in_at)
        decided = None if status is SUBMITTED else at + DECIDED_AFTER
        ends = decided + DECIDED_AFTER if decided and status is EXPIRED else None
        last_day = (self._now + LASTS).date() if person.path is VerificationPath.PASSPORT_VISA else None
        asked = (person.path, status, EntryPoint.CONSOLE_HOME, person.location, NOTICE, person.nationality)
        went = (at, at, at, decided, ends, last_day, True if status is REJECTED else None, 0, 1)
        self.rows["verifications"].append(
            (account_id, id, person.id, *asked, *went, *sealed, DataState.ACTIVE, 1 if decided is None else 2)
        )
        if decided:
            self._review(account_id, id, person.path, is_refused=status is REJECTED, at=decided)

    def _review(
        self, account_id: UUID, verification_id: UUID, path: VerificationPath, *, is_refused: bool, at: datetime
    ) -> None:
        code = FOUND[path]
        finding = {"code": code, "requirement": requirement_of(code, path=path), "message": ""}
        findings = orjson.dumps([finding] if is_refused else []).decode()
        decision = ReviewDecision.REJECT if is_refused else ReviewDecision.APPROVE
        self.rows["reviews"].append((account_id, self._id(at), verification_id, decision, is_refused, findings, at))

    def _room(self, account_id: UUID, place: int, cast: Sequence[Person]) -> None:
        start = self._now + timedelta(days=1 + place, minutes=self._random.randrange(14 * 24 * 60))
        made = self._now - timedelta(days=ROOMS - place)
        id, is_canceled = self._id(made), place == ROOMS - 1
        status = LiveRoomStatus.CANCELED if is_canceled else LiveRoomStatus.SCHEDULED
        columns = (f"直播 Broadcast {place + 1}", status, start, False, 2 if is_canceled else 1, made)
        self.rows["live_rooms"].append((account_id, id, *columns))
        self.rows["cast_members"].extend(
            (account_id, self._id(made), id, person.id, position, person.location, made)
            for position, person in enumerate(cast)
        )

    def _id(self, at: datetime) -> UUID:
        """Return a UUID v7 of an instant (RFC 9562), its random part from the seed."""
        noise = self._random.getrandbits(74)
        return UUID(
            int=int(at.timestamp() * 1000) << 80 | 7 << 76 | noise >> 62 << 64 | 2 << 62 | noise & (1 << 62) - 1
        )
