"""How attempts end with time: written down once their documents have ended, and warned of before."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from greenroom.access import Key, own
from greenroom.anchors.tables import Anchor
from greenroom.db import Transaction
from greenroom.documents.actions import SERVICE
from greenroom.errors import Refused
from greenroom.events.actions import Entry, record_each
from greenroom.inforce import in_force
from greenroom.law import lifecycle
from greenroom.law.attempts import counting, expiry, warning_due
from greenroom.law.terms import VerificationPath, VerificationStatus
from greenroom.verifications.actions import record_status
from greenroom.verifications.reads import CANDIDATES, attempt_of
from greenroom.verifications.tables import Verification

EXPIRED = VerificationStatus.EXPIRED


async def expire(tx: Transaction, key: Key, *, now: datetime) -> bool:
    """Write down that an approval ended with its documents (X2), once. Says whether this call did.

    What a policy's refresh ends is not written down: another policy may let it last, so `law.attempts.standing` tells
    that on reading. For the gate the mark changes nothing: who was good when a broadcast began stays so on air.
    """
    found = await own(tx, Verification, key, at=())
    if isinstance(found, Refused):
        return False
    await own(tx, Anchor, Key(key.account_id, found.anchor_id), at=(), lock=True)  # as a go-live does
    await tx.refresh(found, with_for_update=True)
    was = found.status
    has_ended = found.ends_at is not None and found.ends_at <= now
    if not has_ended or not lifecycle.may(was, EXPIRED):
        return False
    found.status, found.version = EXPIRED, found.version + 1
    await record_status(tx, found, found.path, was=was, status=EXPIRED, by=SERVICE, now=now)
    return True


async def warn(tx: Transaction, anchor: Key, *, now: datetime) -> int:
    """Record a warning for each attempt of an anchor that counts and ends in 30 days, or in 7; returns how many.

    Each attempt is warned of once for each of the two: the row remembers the last one, in this same transaction.
    """
    if isinstance(await own(tx, Anchor, anchor, at=(), lock=True), Refused):
        return 0
    policy = (await in_force(tx)).policy
    rows = {row["id"]: row for row in await tx.rows(CANDIDATES, account_id=anchor.account_id, anchor_ids=[anchor.id])}
    attempts = [attempt_of(row) for row in rows.values()]
    on_each_path = (counting(attempts, path, policy=policy, now=now) for path in VerificationPath)
    found = {attempt.id: attempt for attempt in on_each_path if attempt}  # one may cover another path too
    entries = list[Entry]()
    for attempt in await locked(tx, anchor, ids=found):
        seen = found[attempt.id]
        days = warning_due(seen, policy=policy, now=now, warned_days=attempt.warned_days)
        end = expiry(seen, policy=policy)
        if days is None or end is None:
            continue
        attempt.warned_days = days
        detail = {"path": attempt.path.value, "days": days, "ends_at": end.isoformat()}
        entries.append(("VERIFICATION_EXPIRING", attempt, detail))
    if entries:
        await record_each(tx, entries, by=SERVICE, now=now)
    return len(entries)


async def locked(tx: Transaction, anchor: Key, *, ids: Collection[UUID]) -> Sequence[Verification]:
    """Return these attempts of an anchor, locked."""
    query = select(Verification).where(Verification.account_id == anchor.account_id, col(Verification.id).in_(ids))
    return (await tx.exec(query.order_by(col(Verification.id)).with_for_update())).all()
