"""Photos as anchors send them: a place reserved, the bytes put there, and checked by a worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from clients import Data, Shop
from PIL import Image, ImageDraw
from worlds import World

from greenroom import worker
from greenroom.documents.checking import Checker
from greenroom.documents.checks import Checks
from greenroom.documents.reading import Reader
from greenroom.documents.storage import store_at
from greenroom.documents.zones import ReadZone
from greenroom.graph import read_id

CONSENT = "2021-08"


def photo(*, size: tuple[int, int] = (1600, 1200), seed: int = 0, **how: Any) -> bytes:
    """A picture with enough drawing on it to be known again."""
    image = Image.new("RGB", size, "#d8d2c4")  # white paper would pass for over-exposed
    draw = ImageDraw.Draw(image)
    for n in range(400):
        x, y = (n * 97 + seed * 31) % size[0], (n * 61 + seed * 17) % size[1]
        draw.rectangle((x, y, x + 40, y + 22), fill=((n * 7) % 256, (n * 13) % 256, (n * 29 + seed) % 256))
    content = BytesIO()
    image.save(content, "JPEG", **({"quality": 90} | how))
    return content.getvalue()


def announced(content: bytes, kind: str = "PASSPORT_DATA_PAGE", **other: Any) -> Data:
    found = {"byteSize": len(content), "kind": kind, "mimeType": "image/jpeg", "sha256": sha256(content).hexdigest()}
    return found | other


async def an_anchor(shop: Shop) -> str:
    anchor_id: str = (await shop.anchor("Ivan", "RU"))["id"]
    await shop.do("GiveConsent", anchorId=anchor_id, noticeVersion=CONSENT)
    return anchor_id


async def staged(shop: Shop, anchor_id: str, *contents: bytes) -> list[Data]:
    uploads = [announced(content) for content in contents]
    found: list[Data] = (await shop.do("StageUploads", anchorId=anchor_id, uploads=uploads))["stagedUploads"]
    return found


async def put(world: World, place: Data, content: Any, **headers: str) -> httpx.Response:
    path = place["url"].removeprefix(world.settings.public_url)
    given = {each["name"]: each["value"] for each in place["headers"]}
    return await world.http.put(path, content=content, headers=given | headers)


async def documents(shop: Shop, anchor_id: str) -> list[Data]:
    found: list[Data] = (await shop.call("AnchorHistory", {"id": anchor_id}))["node"]["documents"]
    return found


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    """A worker of its own, as `greenroom worker` runs one."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.work(world.settings, world.url, stop=stop, now=world.clock, seen_alive_s=2))
    try:
        yield
    finally:
        stop.set()
        await task


async def checked(shop: Shop, anchor_id: str) -> list[Data]:
    """An anchor's photos once none is being checked any more."""
    async with asyncio.timeout(60):
        while True:
            found = await documents(shop, anchor_id)
            if all(each["status"] != "CHECKING" for each in found):
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def checks(world: World, *, reader: Reader | None = None) -> AsyncIterator[Checks]:
    """What a worker does, for tests that call it step by step."""
    async with Checker() as checker:
        store = store_at(world.settings.documents_url, data_dir=world.settings.data_dir)
        yield Checks(world.db, store, checker, world.services.keys, world.clock, reader)


class Says(Reader):
    """A reader without an engine: it reads what it was told, and does something meanwhile."""

    def __init__(self, zone: ReadZone | None, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        super().__init__()
        self.zone, self.meanwhile, self.asked = zone, meanwhile, 0

    async def read(self, *_: Any, **__: Any) -> ReadZone | None:
        self.asked += 1
        if self.meanwhile:
            await self.meanwhile()
        return self.zone


async def zone_read(world: World, document_id: str, text: str, *, is_certain: bool = True, reader: Any = None) -> None:
    """Have a document's zone read, with `text` on its photo."""
    key = read_id(document_id)[1]
    upper, lower = text.split("\n")
    async with checks(world, reader=reader or Says(ReadZone((upper, lower), is_certain))) as found:
        await found.read_zone({"account_id": str(key.account_id), "id": str(key.id)})


def objects(world: World) -> list[Path]:
    """The files in which photos rest."""
    return [path for path in (world.settings.data_dir / "documents").rglob("*") if path.is_file()]


def glaring() -> bytes:
    """A photo with a reflection in its middle."""
    image = Image.open(BytesIO(photo(seed=5)))
    ImageDraw.Draw(image).ellipse((600, 400, 1000, 800), fill="white")
    content = BytesIO()
    image.save(content, "JPEG", quality=90)
    return content.getvalue()


async def sent(world: World, shop: Shop, anchor_id: str, content: bytes, kind: str) -> Data:
    """Send one photo and have it checked; returns the document as it stands then."""
    uploads = [announced(content, kind)]
    (place,) = (await shop.do("StageUploads", anchorId=anchor_id, uploads=uploads))["stagedUploads"]
    assert (await put(world, place, content)).status_code == 204
    key = read_id(place["document"]["id"])[1]
    async with checks(world) as found:
        await found.check({"account_id": str(key.account_id), "id": str(key.id)})
    return next(each for each in await documents(shop, anchor_id) if each["id"] == place["document"]["id"])


async def ready(world: World, shop: Shop, anchor_id: str, *kinds: str, seed: int = 0) -> list[str]:
    """A READY photo of each kind; returns their ids."""
    contents = [photo(seed=seed + n) for n in range(len(kinds))]
    uploads = [announced(content, kind) for content, kind in zip(contents, kinds, strict=True)]
    places = (await shop.do("StageUploads", anchorId=anchor_id, uploads=uploads))["stagedUploads"]
    async with checks(world) as found:
        for place, content in zip(places, contents, strict=True):
            assert (await put(world, place, content)).status_code == 204
            key = read_id(place["document"]["id"])[1]
            await found.check({"account_id": str(key.account_id), "id": str(key.id)})
    return [place["document"]["id"] for place in places]


def lasts(world: World, days: int = 400) -> str:
    """The last day of a document that is good for so long."""
    return str((world.clock.now + timedelta(days=days)).date())


def evidence(world: World, photos: list[str], **other: Any) -> Data:
    """Everything that PASSPORT_VISA asks for, typed in; None leaves something out."""
    given = {
        "legalName": "Ivan Petrov",
        "nationality": "RU",
        "dateOfBirth": "1990-05-17",
        "passportNumber": "RU1234567",
        "passportIssuer": "RU",
        "documents": [{"documentId": id, "expiresOn": lasts(world)} for id in photos],
    }
    return {"passportVisa": {name: value for name, value in (given | other).items() if value is not None}}


async def hand_in_papers(
    world: World, shop: Shop, anchor_id: str, *, last_days: tuple[int, int] = (400, 400), **other: Any
) -> Data:
    """Agree, send a passport and a work visa that last so many days, and hand both in; returns the attempt."""
    await shop.do("GiveConsent", anchorId=anchor_id, noticeVersion=CONSENT)
    photos = await ready(world, shop, anchor_id, "PASSPORT_DATA_PAGE", "WORK_VISA")
    given = evidence(world, photos, **other)
    for document, days in zip(given["passportVisa"]["documents"], last_days, strict=True):
        document["expiresOn"] = lasts(world, days)
    done = await shop.do(
        "SubmitVerification", anchorId=anchor_id, evidence=given, location="IN_CHINA", entryPoint="ROOM_EDITOR"
    )
    found: Data = done["verification"]
    return found
