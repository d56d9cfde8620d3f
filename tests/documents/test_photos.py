"""A photo comes out upright, in sRGB and stripped of all else; the type is what its content says."""

import struct
from io import BytesIO
from typing import Any

import pytest
from hostile_files.make import SIZE, encoded, frames, heic, multi_picture, picture, sixteen_bits, telling
from PIL import Image, ImageCms, ImageOps

from documents.papers import Shot, jpeg, page, photographed
from greenroom.documents.findings import Examined, Fault, Form, Limits, Measure, Unusable
from greenroom.documents.photos import examine, form_of
from greenroom.law.terms import DocumentKind, FindingCode

PASSPORT = DocumentKind.PASSPORT_DATA_PAGE
RED, GREEN, BLUE, PALE = (200, 30, 30), (30, 160, 30), (30, 30, 200), (240, 240, 235)
FRAME = (1200, 900)


def examined(content: bytes, **limits: Any) -> tuple[Examined, Image.Image]:
    result = examine(content, kind=PASSPORT, limits=Limits(**limits))
    assert isinstance(result, Examined), result
    image = Image.open(BytesIO(result.jpeg))
    image.load()
    assert image.size == (result.width, result.height)
    return result, image


def quarters(image: Image.Image) -> list[tuple[int, int, int]]:
    """The colours near the four corners, row by row."""
    places = [(x, y) for y in (8, image.height - 9) for x in (8, image.width - 9)]
    found = [image.getpixel(place) for place in places]
    return [colour for colour in found if isinstance(colour, tuple)]  # type: ignore[misc]  # three numbers in RGB


def near(found: list[tuple[int, int, int]], expected: list[tuple[int, int, int]], tolerance: int = 12) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(abs(a - b) <= tolerance for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (encoded(picture(), "JPEG"), Form.JPEG),
        (encoded(picture(), "PNG"), Form.PNG),
        (encoded(picture(), "WEBP"), Form.WEBP),
        (heic(), Form.HEIC),
        (multi_picture(), Form.JPEG),
        (encoded(picture(), "GIF"), None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
    ids=lambda value: value if isinstance(value, Form) else "",
)
def test_the_type_is_what_the_content_says(content: bytes, form: Form | None) -> None:
    assert form_of(content) is form
    result = examine(content, kind=PASSPORT)
    assert (result.form if isinstance(result, Examined) else None) is form


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_it_stands_upright_however_the_camera_was_held(orientation: int, form: str) -> None:
    told = Image.Exif()
    told[0x0112] = orientation
    content = encoded(picture(), form, exif=told)
    _, image = examined(content)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(content)))
    assert image.size == upright.size
    assert near(quarters(image), quarters(upright.convert("RGB")))


def test_heic_is_turned_once_by_its_own_reader() -> None:
    told = Image.Exif()
    told[0x0112] = 6
    _, image = examined(heic(exif=told.tobytes()))
    assert image.size == (SIZE[1], SIZE[0])
    assert near(quarters(image), [BLUE, RED, PALE, GREEN])


def test_nothing_of_the_file_is_left_but_its_pixels() -> None:
    content = telling() + b"PLANTED-TRAILER"
    assert content.count(b"PLANTED") >= 5
    result, image = examined(content)
    assert b"PLANTED" not in result.jpeg
    assert segments(result.jpeg) <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}  # JFIF, tables, frame, scan
    assert result.jpeg.endswith(b"\xff\xd9")
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def segments(content: bytes) -> set[int]:
    """The markers before the scan."""
    found, at = set(), 2
    while content[at + 1] != 0xDA:
        marker, length = struct.unpack(">xBH", content[at : at + 4])
        found.add(marker)
        at += 2 + length
    return found | {0xDA}


def test_colours_of_another_profile_become_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    _, image = examined(encoded(picture(), "JPEG", icc_profile=swapped, quality=95))
    assert near(quarters(image)[:2], [(30, 200, 30), (160, 30, 30)], tolerance=16)


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "LA", "L", "1", "I;16"])
def test_every_kind_of_pixel_becomes_eight_bits_of_rgb(mode: str) -> None:
    if mode == "I;16":
        source = picture("I").point(lambda value: value * 257).convert("I;16")
    else:
        source = picture().quantize(64) if mode == "P" else picture(mode)
    _, image = examined(encoded(source, "JPEG" if mode == "CMYK" else "PNG"))
    assert (image.mode, image.size) == ("RGB", SIZE)
    if mode != "1":
        expected = picture() if mode in ("CMYK", "P", "RGBA") else picture("L").convert("RGB")
        assert near(quarters(image), quarters(expected), tolerance=24)


def test_sixteen_bits_a_channel_keep_their_upper_eight() -> None:
    _, image = examined(sixteen_bits())
    left, right = image.getpixel((20, 300)), image.getpixel((780, 300))
    assert near([left, right], [(6, 249, 117), (243, 12, 117)])  # type: ignore[list-item]  # RGB


def test_what_shows_through_is_white() -> None:
    clear = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    clear.paste(picture(), (0, 0), mask=Image.new("L", SIZE, 255).crop((0, 0, 400, 600)).crop((0, 0, *SIZE)))
    for form in ("PNG", "WEBP"):
        _, image = examined(encoded(clear, form))
        assert near(quarters(image), [RED, (255, 255, 255), BLUE, (255, 255, 255)], tolerance=24), form


def test_a_photo_is_kept_in_its_size_up_to_what_is_kept() -> None:
    for form, width, kept in (
        ("JPEG", 4000, 4000),
        ("JPEG", 6000, 4096),
        ("JPEG", 8000, 4000),  # decoded at half its size
        ("PNG", 8000, 4096),
    ):
        result, image = examined(encoded(picture(size=(width, width // 10)), form))
        assert abs(image.height - kept / 10) < 1
        assert (image.width, result.measures[Measure.RESOLUTION]) == (kept, width)


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ((600, 300), None),
        ((599, 400), Fault.TOO_SMALL),
        ((900, 299), Fault.TOO_SMALL),
        ((1200, 1200), None),
        ((1201, 1200), Fault.TOO_MANY_PIXELS),
        ((2001, 400), Fault.TOO_MANY_PIXELS),
    ],
)
def test_its_size_is_decided_upon_by_its_header(size: tuple[int, int], fault: Fault | None) -> None:
    limits = Limits(pixels_max=1_440_000, side_max_px=2_000)
    for content in (encoded(picture(size=size), "JPEG"), encoded(picture(size=size), "WEBP"), heic(size)):
        result = examine(content, kind=PASSPORT, limits=limits)
        assert (result.fault if isinstance(result, Unusable) else None) is fault


def test_more_bytes_than_a_photo_may_have_are_not_looked_at() -> None:
    content = encoded(picture(), "JPEG")
    assert examine(content, kind=PASSPORT, limits=Limits(photo_bytes_max=len(content) - 1)) == Unusable(
        Fault.TOO_MANY_BYTES
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIC"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut_short_is_broken(form: str, share: float) -> None:
    content = heic() if form == "HEIC" else encoded(picture(), form)
    result = examine(content[: int(len(content) * share)], kind=PASSPORT)
    assert result == Unusable(Fault.BROKEN)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_what_moves_is_refused(form: str) -> None:
    assert examine(frames(form), kind=PASSPORT) == Unusable(Fault.MOVING)


UNREADABLE, GLARE, GREYSCALE = FindingCode.IMAGE_UNREADABLE, FindingCode.IMAGE_GLARE, FindingCode.IMAGE_GREYSCALE


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, []),
        ({"blur": 0.001 * FRAME[0]}, []),
        ({"blur": 0.002 * FRAME[0]}, [(Measure.SHARPNESS, UNREADABLE)]),
        ({"motion": 10, "blur": 0}, [(Measure.SHARPNESS, UNREADABLE)]),
        ({"noise": 12.0}, []),
        ({"light": 0.4}, []),
        ({"light": 0.12}, [(Measure.BRIGHTNESS, UNREADABLE)]),
        ({"glare": 0.02}, []),
        ({"glare": 0.08}, [(Measure.GLARE, GLARE)]),
        ({"exposure": 1.3}, []),
        ({"exposure": 2.0}, [(Measure.GLARE, GLARE)]),
        ({"exposure": 2.0, "table": (255, 255, 255), "light": 1}, [(Measure.EXPOSURE, GLARE)]),
        ({"size": (800, 600)}, [(Measure.RESOLUTION, UNREADABLE)]),
        ({"table": (255, 255, 255)}, []),
    ],
    ids=str,
)
def test_it_is_told_what_is_wrong_with_it_and_can_be_handed_in_all_the_same(
    how: dict[str, Any], expected: list[tuple[Measure, FindingCode]]
) -> None:
    shot = Shot(**({"size": FRAME, "seed": 3} | how))
    result, _ = examined(jpeg(photographed(page(3).image, shot)))
    assert [(finding.measure, finding.code) for finding in result.findings] == expected
    for finding in result.findings:
        assert finding.value == result.measures[finding.measure] != finding.threshold


def test_a_photo_in_grey_is_told_so_in_whatever_light() -> None:
    shot = Shot(size=FRAME, table=(90, 90, 90), cast=(255, 235, 200))
    copy = page(3, coloured=False).image
    for image in (photographed(page(3).image, shot).convert("L"), photographed(copy, shot)):
        assert [finding.code for finding in examined(jpeg(image))[0].findings] == [GREYSCALE]


def test_bare_white_paper_is_no_reflection() -> None:
    letter = Image.new("RGB", (1240, 1754), "white")
    letter.paste(page(1).image.resize((600, 422)), (320, 700))
    content = jpeg(letter)
    for kind in (DocumentKind.WORK_PERMIT, PASSPORT):
        result = examine(content, kind=kind)
        assert isinstance(result, Examined)
        assert not [finding for finding in result.findings if finding.code is GLARE]
