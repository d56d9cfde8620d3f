"""Findings: what a photo is told about itself, and the one table of thresholds. No image library is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from greenroom.law.reasons import Words
from greenroom.law.terms import DocumentKind, FindingCode


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo and the process that decodes it may cost; the defaults are for production."""

    photo_bytes_max: int = 20 * 1024 * 1024  # an upload's limit; a telephone's 50 megapixels take 8 to 15 MB
    pixels_max: int = 60_000_000  # the cameras of 2026 give 12 to 50; 240 MB decoded
    side_max_px: int = 20_000  # what is longer is no photo of a document
    long_side_min_px: int = 600  # below it nobody can read a page that fills half the frame: see RESOLUTION
    short_side_min_px: int = 300
    kept_side_max_px: int = 4_096  # of what is kept: 33 pixels a millimetre where the page fills the frame
    kept_quality: int = 85  # JPEG; letters survive it unchanged (tests/documents/measure.py)
    memory_bytes: int = 1024 * 1024 * 1024  # address space of the process; 60 megapixels of PNG with alpha take 700 MB
    cpu_s: int = 8  # per photo; the costliest valid one measured takes 2.5
    wall_s: float = 20.0  # per photo, from its last byte to the answer


STANDARD: Final = Limits()


class Form(StrEnum):
    """What a photo is encoded as, by its content."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    HEIC = "HEIC"


class Measure(StrEnum):
    """What is measured of a photo."""

    RESOLUTION = "RESOLUTION"
    """Pixels of the longer side."""
    SHARPNESS = "SHARPNESS"
    """Strength of the finest edges, in percent of the contrast: 0 is fog."""
    GLARE = "GLARE"
    """Percent of the frame that is white without any drawing, within the picture."""
    EXPOSURE = "EXPOSURE"
    """Percent of what is not a plain white surrounding that is white without any drawing."""
    BRIGHTNESS = "BRIGHTNESS"
    """Grey value, 0 to 255, that a twentieth of the picture exceeds."""
    COLOUR = "COLOUR"
    """Spread of the hues that the light alone does not explain, in percent of the mean brightness."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on a measure is told to the anchor."""

    warns: Literal["above", "below"]
    limit: float
    code: FindingCode


# Found by tests/documents/measure.py on drawn passports, photographed by drawing, whose machine-readable zone an OCR
# engine (rapidocr 1.4.4) and a reader by templates then read. They warn, they never block.
THRESHOLDS: Final[Mapping[Measure, Threshold]] = {
    # A page that fills half of the frame's width has letters of 10 pixels at 1,000 and of 6 at 600. The engine misreads
    # 2 % of the letters at 10 pixels and 14 % at 6.5.
    Measure.RESOLUTION: Threshold("below", 1_000, FindingCode.IMAGE_UNREADABLE),
    # Blur with a radius of 0.10 % of the frame's width gives 3.5 to 4.4 (2 % misread), 0.15 % 1.7 to 2.4 (5 %), 0.20 %
    # 1.0 to 1.4 (27 %). A shake of 0.6 % gives 3.1 to 3.4 (3 %), of 0.8 % 2.2 to 2.8 (42 %). Sharp: 8 to 19.
    Measure.SHARPNESS: Threshold("below", 3.0, FindingCode.IMAGE_UNREADABLE),
    # A spot of 4 % of the page's width in radius, 5 mm, gives 0.2, of 5 % 0.3, of 8 % 0.7; without one 0.0, also when
    # exposed by a third too much.
    Measure.GLARE: Threshold("above", 0.2, FindingCode.IMAGE_GLARE),
    # MEASURED BELOW
    Measure.EXPOSURE: Threshold("above", 50, FindingCode.IMAGE_GLARE),
    # The engine reads to 21 and fails at 17; people see less than it. A lit room gives 160 to 180.
    Measure.BRIGHTNESS: Threshold("below", 45, FindingCode.IMAGE_UNREADABLE),
    # MEASURED BELOW
    Measure.COLOUR: Threshold("below", 0.9, FindingCode.IMAGE_GREYSCALE),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning: the photo can be handed in, and the reviewer sees it too."""

    measure: Measure
    value: float
    threshold: float
    code: FindingCode


@dataclass(frozen=True, slots=True)
class Examined:
    """A photo that can be handed in: a JPEG in sRGB, upright, without a trace of what else the file held."""

    jpeg: bytes
    width: int
    height: int
    form: Form  # of the upload
    likeness: bytes  # to know the image again: see likeness.py
    measures: Mapping[Measure, float]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the anchor can do better at once."""
        return findings_of(self.measures)


def findings_of(measures: Mapping[Measure, float]) -> tuple[Finding, ...]:
    """Return a finding for each value beyond its threshold."""
    return tuple(
        Finding(measure, value, row.limit, row.code)
        for measure, row in THRESHOLDS.items()
        if (value := measures.get(measure)) is not None
        and (value < row.limit if row.warns == "below" else value > row.limit)
    )


class Fault(StrEnum):
    """Why a photo can't be used at all."""

    EMPTY = "EMPTY"
    """No bytes."""
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    """A larger file than is taken."""
    NOT_A_PHOTO = "NOT_A_PHOTO"
    """Neither JPEG nor PNG, WebP or HEIC, whatever its name says."""
    MOVING = "MOVING"
    """Several frames, shown one after the other."""
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    """By its header larger than is decoded."""
    TOO_SMALL = "TOO_SMALL"
    """So few pixels that nobody can read it."""
    BROKEN = "BROKEN"
    """Cut short or damaged: it does not decode to its end."""
    SAME_AS_REJECTED = "SAME_AS_REJECTED"
    """The image was rejected before. Its caller says so, who has the rejected ones."""
    TOO_COSTLY = "TOO_COSTLY"
    """It took more memory or time than a photo may."""
    CRASHED = "CRASHED"
    """The decoder crashed over it."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A photo that can't be handed in."""

    fault: Fault

    @property
    def code(self) -> FindingCode:
        """The code that goes with the words."""
        return FAULTS[self.fault][0]

    @property
    def words(self) -> Words:
        """What is wrong, and what to do next."""
        return FAULTS[self.fault][1]


_UNREADABLE = FindingCode.IMAGE_UNREADABLE

FAULTS: Final[Mapping[Fault, tuple[FindingCode, Words]]] = {
    Fault.EMPTY: (_UNREADABLE, Words("文件是空的，请重新选择照片。", "The file is empty: pick the photo again.")),
    Fault.TOO_MANY_BYTES: (
        _UNREADABLE,
        Words(
            "文件过大，请用手机重新拍摄一张普通照片。", "The file is too large: take an ordinary photo with a phone."
        ),
    ),
    Fault.NOT_A_PHOTO: (
        _UNREADABLE,
        Words(
            "该文件不是照片，请上传JPEG、PNG、WebP或HEIC格式的照片。",
            "This is no photo: hand in a JPEG, PNG, WebP or HEIC file.",
        ),
    ),
    Fault.MOVING: (
        _UNREADABLE,
        Words("不能使用动图或视频，请拍摄一张静态照片。", "A moving picture can't be used: take a still photo."),
    ),
    Fault.TOO_MANY_PIXELS: (
        _UNREADABLE,
        Words(
            "照片像素过高，请降低分辨率后重新拍摄。", "The photo has too many pixels: take it at a lower resolution."
        ),
    ),
    Fault.TOO_SMALL: (
        _UNREADABLE,
        Words("照片太小，无法辨认，请重新拍摄。", "The photo is too small to be read: take it again, not a thumbnail."),
    ),
    Fault.BROKEN: (
        _UNREADABLE,
        Words(
            "文件不完整或已损坏，请重新上传或拍摄。",
            "The file is cut short or damaged: send it again, or take it anew.",
        ),
    ),
    Fault.SAME_AS_REJECTED: (
        FindingCode.IMAGE_SAME_AS_REJECTED,
        Words("该照片此前已被退回，请重新拍摄。", "This image was refused before: take a new one."),
    ),
    Fault.TOO_COSTLY: (
        _UNREADABLE,
        Words("该照片无法处理，请用手机重新拍摄。", "This file takes too much work to open: take the photo again."),
    ),
    Fault.CRASHED: (
        _UNREADABLE,
        Words("该照片无法打开，请重新拍摄。", "This file can't be opened: take the photo again."),
    ),
}

# A letter of authorisation is printed on white paper, where bare paper and a reflection look alike once it is scanned.
ON_WHITE_PAPER: Final = frozenset({DocumentKind.WORK_PERMIT})
