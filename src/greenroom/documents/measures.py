"""Measures: how well a photo shows what is on it, as numbers.

Each is taken of a copy of one size: a telephone's twelve megapixels and a messenger's two are judged as a reader sees
them, by the page in the frame.
"""

import itertools
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from greenroom.documents.findings import ON_WHITE_PAPER, Measure
from greenroom.documents.likeness import GRID, likeness
from greenroom.law.terms import DocumentKind

READING_PX: Final = 1024  # long side of the copy in which edges are judged; an image below it is not scaled up
GLANCE_PX: Final = 128  # of the copy in which areas and hues are: text blurs into its paper
_TILES: Final = 12  # each way
_ACROSS: Final = ImageFilter.Kernel((3, 3), (0, 0, 0, -1, 2, -1, 0, 0, 0), 2, 128)
_DOWN: Final = ImageFilter.Kernel((3, 3), (0, -1, 0, 0, 2, 0, 0, -1, 0), 2, 128)
_WHITE: Final = 250  # what a sensor clips, after compression
_SCAN_SHARE: Final = 0.3  # of white: more is no photo of a white page but a scan of it


def measured(image: Image.Image, *, kind: DocumentKind, resolution: int) -> tuple[dict[Measure, float], bytes]:
    """Return the measures of an upright sRGB image, and its likeness. `resolution` is the upload's longer side."""
    copy = _within(image, READING_PX)
    grey, glance = copy.convert("L"), _within(copy, GLANCE_PX)
    glare, exposure = _white(glance, kind)
    values = {
        Measure.RESOLUTION: resolution,
        Measure.SHARPNESS: _sharpness(grey),
        Measure.GLARE: glare,
        Measure.EXPOSURE: exposure,
        Measure.BRIGHTNESS: _quantile(grey.histogram(), 0.95),
        Measure.COLOUR: _hues(glance),
    }
    cells = grey.convert("F").resize((GRID + 1, GRID), Image.Resampling.BOX).get_flattened_data()
    return {measure: round(float(value), 2) for measure, value in values.items()}, likeness(_numbers(cells))


def _within(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX)


def _sharpness(grey: Image.Image) -> float:
    """Return how strong the finest edges are in the sharpest tenth of the tiles, beyond the noise of the plainest.

    An edge counts by its weaker direction, so that a picture shaken sideways is found blurred; and against the
    contrast, so that a dim one is not.
    """
    if min(grey.size) < 3:
        return 0.0
    inner = (1, 1, grey.width - 1, grey.height - 1)  # Pillow leaves the margin unfiltered
    ways = [_variances(grey.filter(kernel).crop(inner)) for kernel in (_ACROSS, _DOWN)]
    edges = sorted(map(min, *ways))
    histogram = grey.histogram()
    contrast = _quantile(histogram, 0.98) - _quantile(histogram, 0.02)
    finest, noise = edges[len(edges) * 9 // 10], edges[len(edges) // 10]
    return 2 * 100 * float(max(0.0, finest - noise) ** 0.5) / max(contrast, 1)  # twice: the kernels halve


def _variances(image: Image.Image) -> list[float]:
    across = [column * image.width // _TILES for column in range(_TILES + 1)]
    down = [row * image.height // _TILES for row in range(_TILES + 1)]
    return [
        ImageStat.Stat(image.crop((left, top, right, bottom))).var[0] if right > left and bottom > top else 0.0
        for top, bottom in itertools.pairwise(down)
        for left, right in itertools.pairwise(across)
    ]


def _quantile(histogram: list[int], share: float) -> int:
    seen, enough = 0, sum(histogram) * share
    for value, count in enumerate(histogram):
        seen += count
        if seen >= enough:
            return value
    return len(histogram) - 1


def _white(glance: Image.Image, kind: DocumentKind) -> tuple[float, float]:
    """Return the percent of the frame that is white islands, and of what is not a white surrounding, that is white.

    White that reaches the frame's edge is a table or a scanner's lid, and no reflection.
    """
    red, green, blue = glance.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    white = darkest.point([255 * (value >= _WHITE) for value in range(256)])
    drawn = ImageChops.invert(white).getbbox()
    area = white.width * white.height
    if kind in ON_WHITE_PAPER and white.histogram()[255] > area * _SCAN_SHARE:
        return 0.0, 0.0
    framed = ImageOps.expand(white, border=1, fill=255)
    ImageDraw.floodfill(framed, (0, 0), 128)
    islands = 100 * framed.histogram()[255] / area
    if drawn is None:
        return islands, 100.0
    within = white.crop(drawn)
    return islands, 100 * within.histogram()[255] / (within.width * within.height)


def _hues(glance: Image.Image) -> float:
    """Return how far hues spread around what one coloured light makes of grey things, in percent of the brightness.

    Under one light the hue of a grey copy grows with its brightness alone: what a straight line explains is no colour.
    """
    light, *hues = (_numbers(band.get_flattened_data()) for band in glance.convert("YCbCr").split())
    count, mean = len(light), sum(light) / len(light)
    spread = sum((value - mean) ** 2 for value in light) or 1.0
    left = 0.0
    for hue in hues:
        middle = sum(hue) / count
        slope = sum((a - mean) * (b - middle) for a, b in zip(light, hue, strict=True)) / spread
        left += sum((b - middle - slope * (a - mean)) ** 2 for a, b in zip(light, hue, strict=True)) / count
    return float(100 * left**0.5 / max(mean, 1))


def _numbers(band: Sequence[object]) -> list[float]:
    return [value for value in band if isinstance(value, int | float)]
