"""Photos: bytes in; out a clean JPEG and what was measured of it, or the reason why there is none.

Every byte may be hostile, so this runs in a process of its own (sandbox.py), and reads nothing but what it is given.
The type is what the first bytes say. The size is read from the header, and decided upon before anything is decoded.
Then all but the pixels is left behind: the result is encoded from them alone.

Of several pictures in a file the main one counts where the others belong to it, as a telephone's thumbnail, depth or
brighter version does (JPEG with MPF, HEIC). What moves is refused (WebP, APNG, HEIC sequences): no camera takes a page
that way, and a reviewer would see one frame of it while another program shows another.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import pillow_heif
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from greenroom.documents.findings import STANDARD, Examined, Fault, Form, Limits, Unusable
from greenroom.documents.measures import measured
from greenroom.law.terms import DocumentKind

# Only what is shown is decoded, in this thread: each of the others is one more way in.
pillow_heif.options.DECODE_THREADS = 1
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False


def examine(content: bytes, *, kind: DocumentKind, limits: Limits = STANDARD) -> Examined | Unusable:
    """Decode, clean and measure one upload. No content makes it raise, but some may make it crash or starve."""
    if not content:
        return Unusable(Fault.EMPTY)
    if len(content) > limits.photo_bytes_max:
        return Unusable(Fault.TOO_MANY_BYTES)
    form = form_of(content)
    if form is None:
        return Unusable(Fault.NOT_A_PHOTO)
    try:
        header = _READERS[form](content)
        if fault := _fault(header, limits):
            return Unusable(fault)
        image = _cleaned(header, side_max=limits.kept_side_max_px)
    except MemoryError:
        return Unusable(Fault.TOO_COSTLY)
    except ImportError:
        raise  # ours to mend: sandbox.py loads all that is needed before
    except Exception:  # whatever the many parsers raise over damaged input, it means the same
        return Unusable(Fault.BROKEN)
    measures, likeness = measured(image, kind=kind, resolution=max(header.size))
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=limits.kept_quality)
    return Examined(jpeg.getvalue(), image.width, image.height, form, likeness, measures)


def form_of(content: bytes) -> Form | None:
    """Return what the first bytes say the content is, whatever it is called."""
    if content.startswith(b"\xff\xd8\xff"):
        return Form.JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Form.PNG
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return Form.WEBP
    if _brands(content) & (_STILL | _SEQUENCES):
        return Form.HEIC
    return None


@dataclass(frozen=True, slots=True)
class _Header:
    """What is known before anything is decoded, and how to decode it."""

    size: tuple[int, int]
    is_moving: bool
    decoded: Callable[[int], Image.Image]  # takes the longer side that will be kept


def _fault(header: _Header, limits: Limits) -> Fault | None:
    width, height = header.size
    if header.is_moving:
        return Fault.MOVING
    if width * height > limits.pixels_max or max(header.size) > limits.side_max_px:
        return Fault.TOO_MANY_PIXELS
    if max(header.size) < limits.long_side_min_px or min(header.size) < limits.short_side_min_px:
        return Fault.TOO_SMALL
    return None


def _jpeg(content: bytes) -> _Header:
    file = JpegImagePlugin.JpegImageFile(BytesIO(content))  # not `Image.open`, which makes an album of MPF

    def decoded(side_max: int) -> Image.Image:
        share = min(1, side_max * 3 / 4 / max(file.size))  # so 50 megapixels are decoded at half their size, at once
        file.draft(file.mode, (round(file.width * share), round(file.height * share)))
        file.load()
        return file

    return _Header(file.size, is_moving=False, decoded=decoded)


def _png(content: bytes) -> _Header:
    file = PngImagePlugin.PngImageFile(BytesIO(content))
    return _Header(file.size, is_moving=file.is_animated, decoded=lambda _: _loaded(file))


def _webp(content: bytes) -> _Header:
    # Pillow's reader allocates two pictures before it tells their size, so that is read here (RFC 9649).
    kind, body = content[12:16], content[20:30]
    if len(body) < 10:
        raise ValueError("no header")
    match kind:
        case b"VP8X":
            size = (1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        case b"VP8L":
            bits = int.from_bytes(body[1:5], "little")
            size = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        case b"VP8 ":
            size = (int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF)
        case _:
            raise ValueError("no picture")
    is_moving = kind == b"VP8X" and bool(body[0] & 2)
    return _Header(size, is_moving, lambda _: _loaded(WebPImagePlugin.WebPImageFile(BytesIO(content))))


_STILL: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})
_SEQUENCES: Final = frozenset({b"hevc", b"hevx", b"hevm", b"hevs"})


def _heic(content: bytes) -> _Header:
    if content[8:12] in _SEQUENCES | {b"msf1"} or not _brands(content) & _STILL:
        return _Header((0, 0), is_moving=True, decoded=lambda _: Image.new("RGB", (0, 0)))
    file = pillow_heif.open_heif(content, convert_hdr_to_8bit=True)
    return _Header(file.size, is_moving=False, decoded=lambda _: _as_image(file))


def _as_image(file: pillow_heif.HeifFile) -> Image.Image:
    image: Image.Image = file.to_pillow()
    image.info = {"icc_profile": file.info.get("icc_profile")}  # no orientation: libheif has turned it
    return image


def _brands(content: bytes) -> frozenset[bytes]:
    """Return the brands of an ISO base media file (ISO/IEC 14496-12), none where it is no such file."""
    if content[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(content[:4], "big"), 256)
    return frozenset({content[8:12], *(content[at : at + 4] for at in range(16, end, 4))})


_READERS: Final[dict[Form, Callable[[bytes], _Header]]] = {
    Form.JPEG: _jpeg,
    Form.PNG: _png,
    Form.WEBP: _webp,
    Form.HEIC: _heic,
}


def _loaded(file: Image.Image) -> Image.Image:
    file.load()
    return file


def _cleaned(header: _Header, *, side_max: int) -> Image.Image:
    """Return the pixels in sRGB, upright, no larger than is kept, and nothing beside them."""
    image = header.decoded(side_max)
    turn, profile = _turn(image), image.info.get("icc_profile")
    image = _flat(image)
    if (scale := side_max / max(image.size)) < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    image = _in_srgb(image if turn is None else image.transpose(turn), profile)
    image.info = {}
    return image


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turn(image: Image.Image) -> Image.Transpose | None:
    with suppress(Exception):  # metadata that can't be read says nothing
        return _TURNS.get(image.getexif().get(0x0112, 1))
    return None


def _flat(image: Image.Image) -> Image.Image:
    """Return 8 bits a channel without alpha, in grey, RGB or CMYK."""
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(coloured, mask=coloured.getchannel("A"))
        return page
    if image.mode.startswith("I"):
        return image.convert("I").point([value >> 8 for value in range(65_536)], "L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError):  # broken, or of other colours: the plain numbers count
            given = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, given, _SRGB, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")
