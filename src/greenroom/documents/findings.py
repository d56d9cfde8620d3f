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
    memory_bytes: int = 1024 * 1024 * 1024  # address space of the process; 60 megapixels of PNG with alpha take 800 MB
    cpu_s: int = 8  # per photo; 60 megapixels take 0.2 (JPEG) to 1.9 (PNG with alpha)
    wall_s: float = 20.0  # per photo, from its last byte to the answer


STANDARD: Final = Limits()
KEPT_BYTES_MAX: Final = 32 * 1024 * 1024  # of the clean JPEG: 4,096 pixels square of noise take 12 MB


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


# Found by tests/documents/measure.py: passports drawn, photographed by drawing ever worse, and read by an OCR engine
# (rapidocr 1.4.4); "misread" is the share of letters in the median line of the machine-readable zone.
THRESHOLDS: Final[Mapping[Measure, Threshold]] = {
    # A page over half of the frame: 3 % misread from 800 pixels on, 10 % at 600, 17 % at 500, 49 % at 400. Small
    # pages in large frames are why it warns before the engine fails.
    Measure.RESOLUTION: Threshold("below", 1_000, FindingCode.IMAGE_UNREADABLE),
    # Blur of a radius of 0.05 % of the frame gives 9.7 to 11.6 (0 % misread), 0.10 % 3.7 to 4.7 (2 %), 0.15 % 1.8 to
    # 2.4 (4 %), 0.20 % 1.0 to 1.5 (40 %). A shake of 0.4 % gives 4.5 to 5.4 (0 %), of 0.6 % 3.0 to 3.9 (3 %), of 0.8 %
    # 2.2 to 2.9 (18 %). Sharp: 13.2 to 20.4, whatever the noise and the light.
    Measure.SHARPNESS: Threshold("below", 3.0, FindingCode.IMAGE_UNREADABLE),
    # A spot of a radius of 3 % of the page's width gives 0.10 at most, of 4 %, which hides four letters, 0.18, of 5 %
    # 0.25 at least, of 8 % 0.7. Without one 0.00, also when exposed by a third too much on a table that is not white.
    Measure.GLARE: Threshold("above", 0.2, FindingCode.IMAGE_GLARE),
    # What GLARE can't see, since the white reaches the frame: exposed twice too much, a page that fills the frame
    # gives 68 to 76, one on a white table 71 to 73; by a third too much 0 and 19. Scanned, also under a white lid: 0.
    Measure.EXPOSURE: Threshold("above", 50, FindingCode.IMAGE_GLARE),
    # The engine reads from 20 on (3 % misread) and fails at 11 (100 %); a reviewer at a screen needs about twice
    # that. A lit room gives 165 to 177.
    Measure.BRIGHTNESS: Threshold("below", 45, FindingCode.IMAGE_UNREADABLE),
    # In grey 0.0; a grey copy photographed in the light of a lamp 0.5 to 0.8, on a brown table 2.9 and not found. A
    # page of which three quarters of the colour were taken 1.05 at least, a page as it is from 3.6 on, in dim light
    # from 4.2.
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
