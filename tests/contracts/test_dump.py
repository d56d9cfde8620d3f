"""A filled world, and what a thief of its disk would have: neither dump nor raw store holds what was planted."""

import re
import subprocess
from io import BytesIO

import pytest
from clients import picked
from photos import announced, evidence, lasts, photo, put, working
from PIL import Image
from reviewing import claim, decide, finding, reveal
from stories.whole_way import sent
from structlog.testing import capture_logs
from verifications.test_papers import zone
from worlds import World

from greenroom.documents.storage import store_at
from greenroom.embedded_home import own_programs

NAME, EMAIL, NUMBER, BORN = "Zephyrine Quatermain", "zephyrine.quatermain@example.org", "QX7731945", "1987-03-09"
NOTE = "Her sister Philippa vouches."
COMMENT = "PLANTED-IN-THE-FILE"
TEXTS = (NAME, EMAIL, NUMBER, BORN, "870309", "QUATERMAIN", "Zephyrine", "Philippa", COMMENT)
WINDOW = 24


async def filled(world: World) -> list[bytes]:
    """A person's whole way through both paths, reviewed and revealed; returns the bytes of their photos."""
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    await world.launch()
    person = (await shop.anchor("Zeph", "RU"))["id"]
    first = await shop.hand_in_contact(person, legalName=NAME, email=EMAIL, nationality="RU")
    await decide(reviewer, first["id"], finding("EMAIL_UNVERIFIED", "EMAIL"), internalNote=NOTE)
    photos = [commented(photo(seed=n)) for n in (1, 2)]
    async with working(world):
        page = await sent(world, shop, person, photos[0], "PASSPORT_DATA_PAGE")
        visa = await sent(world, shop, person, photos[1], "WORK_VISA")
        unused = await sent(world, shop, person, commented(photo(seed=3)), "WORK_VISA")
        assert unused["status"] == "READY"
        await sent(world, shop, person, b"no photo " + COMMENT.encode(), "WORK_VISA")
        uploads = [announced(photos[0])]
        (place,) = (await shop.do("StageUploads", anchorId=person, uploads=uploads))["stagedUploads"]
        assert (await put(world, place, photos[0][:-1])).status_code == 400, "cut short: what arrived is taken back"
    typed = {"legalName": NAME, "email": EMAIL, "dateOfBirth": BORN, "passportNumber": NUMBER}
    given = evidence(world, [page["id"], visa["id"]], **typed)
    mrz = zone(world, last_day=lasts(world), born="870309", number=NUMBER, name="QUATERMAIN<<ZEPHYRINE")
    given["passportVisa"]["documents"][0]["mrz"] = mrz
    begun = {"location": "IN_CHINA", "entryPoint": "ROOM_EDITOR", "idempotencyKey": "once"}
    second = (await shop.do("SubmitVerification", anchorId=person, evidence=given, **begun))["verification"]
    room = await shop.room(picked(person, "IN_CHINA"), start=world.tonight())
    await shop.go_live(room["id"])
    await claim(reviewer, second["id"])
    shown = await reveal(reviewer, second["id"])
    assert (shown["legalName"], shown["passportNumber"]) == (NAME, NUMBER), "it is there, for who may see it"
    kept = [(await world.http.get(p["url"].removeprefix(world.settings.public_url))).content for p in shown["photos"]]
    assert all(Image.open(BytesIO(content)).format == "JPEG" for content in kept)
    await decide(reviewer, second["id"], finding("IMAGE_GLARE", "PASSPORT"), internalNote=NOTE)
    return [*photos, *kept]


def commented(content: bytes) -> bytes:
    """A photo with words in its file that are no part of the picture."""
    told, file = Image.Exif(), BytesIO()
    told[0x010E] = COMMENT
    Image.open(BytesIO(content)).save(file, "JPEG", quality=90, exif=told, comment=COMMENT.encode())
    return file.getvalue()


def windows(content: bytes) -> list[bytes]:
    """Pieces of a file that no other file has: from its compressed pixels, all over."""
    start = content.rindex(b"\xff\xda") + 20  # start of scan (JPEG)
    return [
        content[at : at + WINDOW] for at in range(start, len(content) - WINDOW, max(1, (len(content) - start) // 40))
    ]


@pytest.mark.parametrize("form", ["plain", "custom"])
async def test_a_dump_and_the_raw_store_hold_nothing_that_was_handed_in(stored: World, form: str) -> None:
    with capture_logs() as logs:
        photos = await filled(stored)
    dump = dumped(stored, form)
    assert len(dump) > 50_000, "there is something to look at"
    raw = await rested(stored)
    assert len(raw) >= 3, "photos rest in the store"
    for name, content in {"dump": dump, "log": str(logs).encode(), **raw}.items():
        lower = content.lower()
        for text in TEXTS:
            for said in (text, text.encode("utf-16-le").decode("latin-1"), text.encode().hex()):
                assert said.lower().encode("latin-1") not in lower, (name, text)
        for piece in (piece for whole in photos for piece in windows(whole)):
            assert piece not in content, name
            assert piece.hex().encode() not in lower, name


def dumped(world: World, form: str) -> bytes:
    """All of the database, data of jobs included, as `pg_dump` writes it; the custom form without compression."""
    command = [own_programs() / "pg_dump", "--dbname", world.superuser_url, f"--format={form}", "--compress=none"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    if form == "plain":
        tables = re.findall(rb"^COPY (\S+) ", done.stdout, re.MULTILINE)
        assert {b"public.verifications", b"public.documents", b"public.review_notes", b"jobs.pgqueuer_log"} <= set(
            tables
        )
    return done.stdout


async def rested(world: World) -> dict[str, bytes]:
    """Every byte in the store, as it rests there: of the directory each file, of the bucket each object."""
    found = dict[str, bytes]()
    directory = world.settings.data_dir / "documents"
    if world.settings.documents_url is None:
        return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    store = store_at(world.settings.documents_url, data_dir=world.settings.data_dir)
    async for entry in store.listed():
        found[str(entry.name)] = b"".join([piece async for piece in await store.get(entry.name)])
    return found
