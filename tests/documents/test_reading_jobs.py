"""A zone comes after READY, once, sealed, for the account's own people, while it is of use for form or review."""

import asyncio
from io import BytesIO
from typing import Any

import asyncpg
import pytest
from clients import Client, Data
from law.mrz_specimens import zone
from photos import Says, an_anchor, checked, objects, put, ready, staged, working, zone_read
from structlog.testing import capture_logs
from worlds import World

from documents.papers import Shot, page, photographed
from greenroom.documents import reading
from greenroom.documents.zones import ReadZone

ZONE = zone(number="X12345578", birth="900517", expiry="310101", nationality="RUS", issuer="RUS", name="PETROV<<IVAN")
LINES = ZONE.split("\n")
ASKED = """query($id: ID!) { node(id: $id) { ... on Document { status zone {
    lines name documentNumber nationality issuer dateOfBirth expiresOn isCertain } } } }"""


@pytest.fixture(autouse=True)
async def empty(world: World, boss: asyncpg.Connection) -> None:
    await boss.execute("TRUNCATE jobs.pgqueuer")
    for path in objects(world):
        path.unlink()


async def shown(client: Client, document_id: str) -> Data | None:
    found: Data | None = (await client.ask(ASKED, {"id": document_id}))["node"]
    return found


async def idle(boss: asyncpg.Connection) -> None:
    """Wait until no job is left."""
    async with asyncio.timeout(60):
        while await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer"):  # noqa: ASYNC110  # it is the database that tells
            await asyncio.sleep(0.02)


def taken() -> bytes:
    """A passport's page, photographed."""
    content = BytesIO()
    photographed(page(1, zone=ZONE).image, Shot(size=(2000, 1500))).save(content, "JPEG", quality=90)
    return content.getvalue()


async def test_a_photo_that_came_in_fills_in_the_form(world: World, boss: asyncpg.Connection) -> None:
    """From the upload on, with the engine."""
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = taken()
    (place,) = await staged(shop, anchor_id, content)
    assert (await put(world, place, content)).status_code == 204
    with capture_logs() as logs:
        async with working(world):
            await checked(shop, anchor_id)
            await idle(boss)
    assert await shown(shop, place["document"]["id"]) == {
        "status": "READY",
        "zone": {
            "lines": LINES,
            "name": "PETROV IVAN",
            "documentNumber": "X12345578",
            "nationality": "RU",
            "issuer": "RU",
            "dateOfBirth": "1990-05-17",
            "expiresOn": "2031-01-01",
            "isCertain": True,
        },
    }
    assert "X12345578" not in str(logs)


async def test_without_the_extra_all_goes_on_as_before(
    world: World, boss: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "NEEDED", ("an_engine_that_nobody_wrote",))
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    content = taken()
    (place,) = await staged(shop, anchor_id, content)
    await put(world, place, content)
    async with working(world):
        await checked(shop, anchor_id)
        await idle(boss)
    assert await shown(shop, place["document"]["id"]) == {"status": "READY", "zone": None}


async def test_only_the_account_s_own_people_see_it(world: World) -> None:
    shop, other = await world.seller(), await world.seller("ES")
    anchor_id = await an_anchor(shop)
    (id,) = await ready(world, shop, anchor_id, "PASSPORT_DATA_PAGE")
    await zone_read(world, id, ZONE)
    own = await shown(shop, id)
    assert own is not None
    assert own["zone"]["lines"] == LINES
    strangers = [world.staff(permission) for permission in ("REVIEW", "AUDIT", "ADMINISTER", "MEDIA")]
    for client in (other, world.anonymous(), *strangers):
        assert await shown(client, id) is None
    batch = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Document { zone { lines } } } }"
    assert (await world.staff("REVIEW").ask(batch, {"ids": [id]}))["nodes"] == [None]


async def test_it_rests_sealed(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    (id,) = await ready(world, shop, await an_anchor(shop), "PASSPORT_DATA_PAGE")
    await zone_read(world, id, ZONE)
    for table in ("documents", "events"):
        for row in await boss.fetch(f"SELECT t::text AS said FROM {table} t"):
            for planted in ("X12345578", "PETROV", "900517"):
                assert planted not in row["said"]
                assert planted.encode().hex() not in row["said"]


async def count_read(boss: asyncpg.Connection) -> Any:
    return await boss.fetchval("SELECT count(*) FROM events WHERE action = 'DOCUMENT_ZONE_READ'")


async def test_a_job_that_is_done_twice_or_at_once_keeps_one_zone(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    (id,) = await ready(world, shop, await an_anchor(shop), "PASSPORT_DATA_PAGE")
    await asyncio.gather(*(zone_read(world, id, ZONE) for _ in range(3)))
    again = Says(None)
    await zone_read(world, id, ZONE, reader=again)
    assert again.asked == 0, "what is there is not read again"
    assert await count_read(boss) == 1


MEANWHILE = {
    "cleared away": "DELETE FROM documents",
    "another photo": "UPDATE documents SET object_id = gen_random_uuid()",
    "failed": "UPDATE documents SET status = 'FAILED'",
}


@pytest.mark.parametrize("name", MEANWHILE)
async def test_what_changed_while_it_was_read_is_left_alone(name: str, world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    (id,) = await ready(world, shop, await an_anchor(shop), "PASSPORT_DATA_PAGE")
    meanwhile = Says(ReadZone((LINES[0], LINES[1]), is_certain=True), lambda: boss.execute(MEANWHILE[name]))
    await zone_read(world, id, ZONE, reader=meanwhile)
    assert meanwhile.asked == 1
    assert await boss.fetchval("SELECT count(*) FROM documents WHERE zone IS NOT NULL") == 0
    assert await count_read(boss) == 0


@pytest.mark.parametrize("is_certain", [True, False])
async def test_what_was_handed_in_meanwhile_keeps_its_zone_and_is_weighed_anew_where_it_is_certain(
    is_certain: bool, world: World, boss: asyncpg.Connection
) -> None:
    shop = await world.seller()
    (id,) = await ready(world, shop, await an_anchor(shop), "PASSPORT_DATA_PAGE")
    handed_in = "UPDATE documents SET handed_in_at = uploaded_at"
    meanwhile = Says(ReadZone((LINES[0], LINES[1]), is_certain), lambda: boss.execute(handed_in))
    await zone_read(world, id, ZONE, reader=meanwhile)
    assert await count_read(boss) == 1
    assert (await shown(shop, id) or {})["zone"] is None, "it fills in no form any more"
    queued = await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE entrypoint = 'weigh_zone'")
    assert queued == is_certain


async def test_what_has_no_zone_is_not_even_queued(world: World, boss: asyncpg.Connection) -> None:
    shop = await world.seller()
    anchor_id = await an_anchor(shop)
    await ready(world, shop, anchor_id, "PASSPORT_DATA_PAGE", "WORK_VISA", "RESIDENCE_PERMIT", "WORK_PERMIT")
    queued = await boss.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE entrypoint = 'read_zone'")
    assert queued == 2
