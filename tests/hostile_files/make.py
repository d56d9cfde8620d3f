"""Make the hostile files: `python -m hostile_files.make DIRECTORY`, from tests/; or `CORPUS`, for tests.

Each is made from nothing, the same every time, and named as its sender would have it. Beside it stands what becomes of
it: a fault, or None where the photo can be used and something about it has to be gone.
"""

import random
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageCms, ImageDraw

from greenroom.documents.findings import Fault

SIZE = (800, 600)
MARKED = b"<script>alert('PLANTED')</script>"
GPS_TEXT = "PLANTED-GPS"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file."""

    content: Callable[[], bytes]
    fault: Fault | None = None


@cache
def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Red, green, blue and white quarters, so that a turn shows; with lines, so that there is something to read."""
    image = Image.new("RGB", size, (240, 240, 235))
    draw = ImageDraw.Draw(image)
    middle = (size[0] // 2, size[1] // 2)
    for box, colour in (
        ((0, 0, *middle), (200, 30, 30)),
        ((middle[0], 0, size[0], middle[1]), (30, 160, 30)),
        ((0, middle[1], middle[0], size[1]), (30, 30, 200)),
    ):
        draw.rectangle(box, fill=colour)
    for at in range(0, size[0], 16):
        draw.line((at, size[1] // 3, at + 9, size[1] * 2 // 3), fill=(20, 20, 20), width=2)
    return image if mode == "RGB" else image.convert(mode)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def heic(size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    file = BytesIO()
    fast = {"preset": "ultrafast"}
    pillow_heif.from_pillow(picture(size=size)).save(file, quality=50, enc_params=fast, **options)
    return file.getvalue()


def png(width: int, height: int, *, bits: int, colour: int, rows: bytes, before: bytes = b"") -> bytes:
    """A PNG by hand: `rows` is what stands in IDAT, already deflated; `before` are chunks before it."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zeros(count: int) -> bytes:
    """As many zeros, deflated, without ever holding them."""
    deflate, block = zlib.compressobj(6), bytes(1 << 20)
    parts = [deflate.compress(block) for _ in range(count >> 20)]
    return b"".join([*parts, deflate.compress(bytes(count & 0xFFFFF)), deflate.flush()])


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + segment(marker, body) + jpeg[2:]


def sized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    jpeg = encoded(picture(), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def sized_webp(size: int) -> bytes:
    """A lossless WebP whose header claims to be `size` pixels square."""
    webp = encoded(Image.new("RGB", (64, 64)), "WEBP", lossless=True)
    at = webp.index(b"VP8L") + 9
    return webp[:at] + struct.pack("<I", (size - 1) | (size - 1) << 14) + webp[at + 4 :]


def sized_heic(size: int) -> bytes:
    """A HEIC whose header claims another size."""
    content = heic()
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", size, size) + content[at + 8 :]


def extended_webp(width: int, height: int) -> bytes:
    """A WebP whose canvas is larger than any picture in it."""
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little") + encoded(Image.new("RGB", (64, 64)), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def scans_without_end(count: int, size: tuple[int, int] = (2000, 1500)) -> bytes:
    """A progressive JPEG that goes over the picture again and again, for a few bytes each time."""
    jpeg = encoded(Image.new("L", size, 128), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * count + b"\xff\xd9"


def telling() -> bytes:
    """A photo that tells where it was taken, lies on its side, and carries words, a profile and a comment."""
    told = Image.Exif()
    told[0x0112], told[0x010E] = 6, GPS_TEXT
    place = told.get_ifd(0x8825)
    place[1], place[2], place[29] = "N", (31.0, 14.0, 1.0), GPS_TEXT
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    jpeg = encoded(picture(), "JPEG", exif=told, icc_profile=profile, comment=MARKED, quality=95)
    return with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>PLANTED-XMP</x:xmpmeta>")


def sixteen_bits() -> bytes:
    """An RGB picture of 16 bits a channel."""
    row = b"\0" + b"".join(struct.pack(">HHH", x * 80, 65_535 - x * 80, 30_000) for x in range(SIZE[0]))
    return png(*SIZE, bits=16, colour=2, rows=zlib.compress(row * SIZE[1]))


def frames(form: str) -> bytes:
    second = picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return encoded(picture(), form, save_all=True, append_images=[second], duration=100)


def multi_picture() -> bytes:
    """Two pictures in one JPEG, as telephones send a brighter version along."""
    return encoded(picture(), "MPO", save_all=True, append_images=[picture().reduce(2)])


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def nothing_but_noise() -> bytes:
    return random.Random("noise").randbytes(5_000)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)' width='900' height='900'/>"
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n"
PALE = {"transparency": 7}

NOT_A_PHOTO, BROKEN, MOVING = Fault.NOT_A_PHOTO, Fault.BROKEN, Fault.MOVING
TOO_MANY_PIXELS, TOO_SMALL, TOO_COSTLY = Fault.TOO_MANY_PIXELS, Fault.TOO_SMALL, Fault.TOO_COSTLY

CORPUS: dict[str, Hostile] = {
    # not what they are called
    "empty.jpg": Hostile(bytes, Fault.EMPTY),
    "text.jpg": Hostile(lambda: b"my passport\n" * 99, NOT_A_PHOTO),
    "noise.heic": Hostile(nothing_but_noise, NOT_A_PHOTO),
    "drawing.png": Hostile(lambda: SVG, NOT_A_PHOTO),
    "document.jpg": Hostile(lambda: PDF + bytes(2_000), NOT_A_PHOTO),
    "page.jpg": Hostile(lambda: b"<!doctype html>" + MARKED, NOT_A_PHOTO),
    "moving-gif.jpg": Hostile(lambda: frames("GIF"), NOT_A_PHOTO),
    "bitmap.jpg": Hostile(lambda: encoded(picture(), "BMP"), NOT_A_PHOTO),
    "scan.tiff.jpg": Hostile(lambda: encoded(picture(), "TIFF"), NOT_A_PHOTO),
    "avif.heic": Hostile(lambda: box(b"ftyp", b"avif\0\0\0\0mif1miaf") + bytes(400), NOT_A_PHOTO),
    "film.heic": Hostile(lambda: box(b"ftyp", b"isom\0\0\0\0isommp42") + bytes(400), NOT_A_PHOTO),
    "postscript.jpg": Hostile(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 900 900\n", NOT_A_PHOTO),
    # larger than they look
    "bomb.png": Hostile(lambda: png(19_999, 19_999, bits=1, colour=0, rows=zeros(19_999 * 2_501)), TOO_MANY_PIXELS),
    "huge.png": Hostile(lambda: png(60_000, 60_000, bits=8, colour=6, rows=zeros(9)), TOO_MANY_PIXELS),
    "huge.jpg": Hostile(lambda: sized_jpeg(60_000, 60_000), TOO_MANY_PIXELS),
    "huge.heic": Hostile(lambda: sized_heic(60_000), TOO_MANY_PIXELS),
    "bomb.webp": Hostile(lambda: sized_webp(16_384), TOO_MANY_PIXELS),
    "canvas.webp": Hostile(lambda: extended_webp(60_000, 60_000), TOO_MANY_PIXELS),
    "ribbon.png": Hostile(lambda: png(2_000_000, 1, bits=8, colour=0, rows=zeros(2_000_001)), TOO_MANY_PIXELS),
    "profile-bomb.png": Hostile(
        lambda: png(*SIZE, bits=8, colour=0, rows=zeros(801 * 600), before=chunk(b"iCCP", b"p\0\0" + zeros(1 << 26))),
        BROKEN,
    ),
    "text-bomb.png": Hostile(
        lambda: png(*SIZE, bits=8, colour=0, rows=zeros(801 * 600), before=chunk(b"zTXt", b"t\0\0" + zeros(1 << 26))),
        BROKEN,
    ),
    "just-allowed.png": Hostile(lambda: png(7_745, 7_745, bits=8, colour=6, rows=zeros(7_745 * 30_981))),
    # cut short or damaged
    "cut.jpg": Hostile(lambda: halved(encoded(picture(), "JPEG")), BROKEN),
    "cut.png": Hostile(lambda: halved(encoded(picture(), "PNG")), BROKEN),
    "cut.webp": Hostile(lambda: halved(encoded(picture(), "WEBP")), BROKEN),
    "cut.heic": Hostile(lambda: halved(heic()), BROKEN),
    "header-only.jpg": Hostile(lambda: encoded(picture(), "JPEG")[:200], BROKEN),
    "first-bytes.jpg": Hostile(lambda: b"\xff\xd8\xff", BROKEN),
    "first-bytes.png": Hostile(lambda: b"\x89PNG\r\n\x1a\n", BROKEN),
    "first-bytes.webp": Hostile(lambda: b"RIFF\xff\xff\xff\xffWEBP", BROKEN),
    "first-bytes.heic": Hostile(lambda: box(b"ftyp", b"heic\0\0\0\0mif1heic"), BROKEN),
    "no-rows.png": Hostile(lambda: png(*SIZE, bits=8, colour=2, rows=zeros(9)), BROKEN),
    "flipped.png": Hostile(lambda: encoded(picture(), "PNG").replace(b"IDAT", b"IDAS", 1), BROKEN),
    # too small
    "dot.png": Hostile(lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), TOO_SMALL),
    "thread.png": Hostile(lambda: encoded(Image.new("RGB", (1, 900)), "PNG"), TOO_SMALL),
    "thumbnail.jpg": Hostile(lambda: encoded(picture(size=(320, 240)), "JPEG"), TOO_SMALL),
    # moving
    "moving.webp": Hostile(lambda: frames("WEBP"), MOVING),
    "moving.png": Hostile(lambda: frames("PNG"), MOVING),
    "sequence.heic": Hostile(lambda: box(b"ftyp", b"msf1\0\0\0\0msf1hevc") + bytes(400), MOVING),
    # usable, once they are clean
    "polyglot.jpg": Hostile(lambda: encoded(picture(), "JPEG", comment=MARKED) + MARKED),
    "archive.jpg": Hostile(lambda: encoded(picture(), "JPEG") + b"PK\x03\x04" + MARKED),
    "polyglot.png": Hostile(lambda: encoded(picture(), "PNG") + MARKED),
    "telling.jpg": Hostile(telling),
    "telling.heic": Hostile(lambda: heic(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0" + GPS_TEXT.encode())),
    "two.jpg": Hostile(multi_picture),
    "cmyk.jpg": Hostile(lambda: encoded(picture("CMYK"), "JPEG")),
    "grey.jpg": Hostile(lambda: encoded(picture("L"), "JPEG")),
    "sixteen-bits.png": Hostile(sixteen_bits),
    "sixteen-bits-grey.png": Hostile(lambda: encoded(picture("I").convert("I;16"), "PNG")),
    "palette-with-alpha.png": Hostile(lambda: encoded(picture("P"), "PNG", **PALE)),
    "alpha.png": Hostile(lambda: encoded(picture("RGBA"), "PNG")),
    "grey-alpha.png": Hostile(lambda: encoded(picture("LA"), "PNG")),
    "one-bit.png": Hostile(lambda: encoded(picture("1"), "PNG")),
    "alpha.webp": Hostile(lambda: encoded(picture("RGBA"), "WEBP")),
    "profile-of-nonsense.jpg": Hostile(lambda: encoded(picture(), "JPEG", icc_profile=nothing_but_noise())),
    "exif-of-nonsense.jpg": Hostile(
        lambda: with_segment(encoded(picture(), "JPEG"), 0xE1, b"Exif\0\0" + nothing_but_noise())
    ),
}


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, hostile in CORPUS.items():
        (directory / name).write_bytes(hostile.content())
        print(f"{name:32} {hostile.fault or 'usable'}")


if __name__ == "__main__":
    main()
