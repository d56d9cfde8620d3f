"""Checks: what a worker does with photos: examined and written anew, their zones read, cleared away when unwanted.

Each step asks the rows what is still to do, so a job that is done twice, or killed anywhere, changes nothing that
counts: the new object is there before its row says so, and the old one goes after.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from greenroom.access import Key
from greenroom.anchors.actions import data_key_at
from greenroom.db import Database, Record, Scope
from greenroom.documents import actions
from greenroom.documents.actions import Checked
from greenroom.documents.checking import Checker
from greenroom.documents.findings import Examined, Fault, Unusable
from greenroom.documents.likeness import is_among
from greenroom.documents.reading import Reader
from greenroom.documents.storage import ObjectName, Store, gathered
from greenroom.documents.stream import Rendition, Sealing, opened
from greenroom.law.days import day_of
from greenroom.law.terms import DocumentKind, DocumentStatus
from greenroom.sealing import KeyWrapping, Seal

CLEARING = Scope(reading="clearing")
ORPHAN_AFTER = timedelta(hours=2)  # longer than any upload takes to be committed
SWEPT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Checks:
    """What the work needs; `now` tells the present. Without a reader, zones are not read."""

    db: Database
    store: Store
    checker: Checker
    keys: KeyWrapping
    now: Callable[[], datetime]
    reader: Reader | None = None

    async def check(self, what: Mapping[str, Any]) -> None:
        """Examine one photo that has arrived: `{account_id, id}`. Raises what the queue tries again for."""
        key = Key(UUID(what["account_id"]), UUID(what["id"]))
        row = await self._row(key)
        if row is None or row["status"] != DocumentStatus.CHECKING:
            return
        data_key = await data_key_at(self.db, key.account_id, row["anchor_id"], keys=self.keys)
        if data_key is None:  # erased meanwhile: nothing opens any more
            return
        checked = await self._examined(key, row, data_key)
        async with self.db.transaction(Scope(key.account_id)) as tx:
            spare = await actions.settle(tx, key, checked, now=self.now())
        if spare:
            await self.store.delete(ObjectName(key.account_id, key.id, spare))

    async def _row(self, key: Key) -> Record | None:
        found = await self.db.rows(actions.BY_IDS, Scope(key.account_id), account_id=key.account_id, ids=[key.id])
        return found[0] if found else None

    async def _examined(self, key: Key, row: Record, data_key: bytes) -> Checked:
        plain = self._plain(key, row, data_key, Rendition.ORIGINAL)
        result = await self.checker.examine(plain, kind=DocumentKind(row["kind"]))
        if isinstance(result, Examined) and await self._was_rejected(key, result):
            result = Unusable(Fault.SAME_AS_REJECTED)
        if isinstance(result, Unusable):
            return Checked(None, findings=({"code": result.code.value, "fault": result.fault.value},))
        name = ObjectName(key.account_id, key.id, uuid7())
        await self.store.put(
            name, Sealing(whole(result.jpeg), data_key=data_key, name=name, rendition=Rendition.CHECKED)
        )
        findings = tuple(asdict(finding) for finding in result.findings)
        return Checked(name.object_id, len(result.jpeg), result.likeness, findings)

    async def _was_rejected(self, key: Key, examined: Examined) -> bool:
        rejected = await self.db.rows(actions.REJECTED, Scope(key.account_id), account_id=key.account_id)
        return is_among(examined.likeness, [row["likeness"] for row in rejected])

    def _plain(
        self, key: Key, row: Record, data_key: bytes, rendition: Rendition
    ) -> Callable[[], AsyncIterator[bytes]]:
        name = ObjectName(key.account_id, key.id, row["object_id"])

        async def plain() -> AsyncIterator[bytes]:
            sealed = await self.store.get(name)
            async for piece in opened(sealed, data_key=data_key, name=name, rendition=rendition):
                yield piece

        return plain

    async def read_zone(self, what: Mapping[str, Any]) -> None:
        """Read the zone of one photo that is READY: `{account_id, id}`. The photo stays so, whatever becomes of it."""
        key = Key(UUID(what["account_id"]), UUID(what["id"]))
        row = await self._row(key) if self.reader else None
        if self.reader is None or row is None or not actions.awaits_zone(row):
            return
        data_key = await data_key_at(self.db, key.account_id, row["anchor_id"], keys=self.keys)
        if data_key is None:
            return
        plain = self._plain(key, row, data_key, Rendition.CHECKED)
        zone = await self.reader.read(plain, kind=DocumentKind(row["kind"]), today=day_of(self.now()))
        if zone is None:
            return
        place = {"account_id": key.account_id, "anchor_id": row["anchor_id"], "column": "zone"}
        sealed = Seal(data_key).seal("\n".join(zone.lines), **place)
        async with self.db.transaction(Scope(key.account_id)) as tx:
            await actions.keep_zone(
                tx, key, sealed, object_id=row["object_id"], is_certain=zone.is_certain, now=self.now()
            )

    async def clear(self) -> int:
        """Clear away what was not handed in in time, bytes included; returns how many."""
        cleared = 0
        for row in await self.db.rows(actions.EXPIRED, CLEARING, now=self.now()):
            key = Key(row["account_id"], row["id"])
            async with self.db.transaction(Scope(key.account_id)) as tx:
                gone = await actions.clear_away(tx, key, now=self.now())
            if gone and gone.object_id:
                await self.store.delete(ObjectName(key.account_id, key.id, gone.object_id))
            cleared += gone is not None
        return cleared

    async def sweep(self) -> int:
        """Delete what no row names, as killed uploads and checks leave it; returns how many objects."""
        return await sweep(self.store, before=self.now() - ORPHAN_AFTER, kept=self._kept)

    async def _kept(self, names: Sequence[ObjectName]) -> Collection[ObjectName]:
        rows = await self.db.rows(actions.NAMED, CLEARING, object_ids=[name.object_id for name in names])
        return [ObjectName(row["account_id"], row["id"], row["object_id"]) for row in rows]


async def sweep(
    store: Store, *, before: datetime, kept: Callable[[Sequence[ObjectName]], Awaitable[Collection[ObjectName]]]
) -> int:
    """Delete objects stored before then that `kept` does not return of those it is asked about; return how many.

    `before` lies further back than a put may take to be committed: an object is there before its row says so.
    """
    swept = await store.clear_unfinished(before=before)
    old = (found.name async for found in store.listed() if found.stored_at < before)
    async for names in gathered(old, SWEPT_AT_ONCE, size=lambda _: 1):
        for orphan in set(names).difference(await kept(names) if names else ()):
            await store.delete(orphan)
            swept += 1
    return swept


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """Yield some bytes at once."""
    yield content
