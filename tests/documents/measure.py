"""Measure: where the thresholds in findings.py and likeness.py come from: `python -m documents.measure`, from tests/.

Pages are drawn and photographed ever worse (papers.py), and measured. Where rapidocr-onnxruntime is installed beside,
it reads each machine-readable zone, and the share of letters that it misreads stands in the last column.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from statistics import mean, median
from typing import Any

from PIL import Image

from documents.papers import Page, Shot, encoded, jpeg, page, photographed
from greenroom.documents.findings import Measure
from greenroom.documents.likeness import distance, drawn
from greenroom.documents.measures import measured
from greenroom.law.terms import DocumentKind

PASSPORT = DocumentKind.PASSPORT_DATA_PAGE
FINE = Shot()
WIDE = (2000, 1500)


def main() -> None:
    reader = _reader()
    table("RESOLUTION: the page over half of the frame", Measure.RESOLUTION, reader, resolutions())
    table("SHARPNESS: blur and shake, in % of the frame's width", Measure.SHARPNESS, reader, blurs())
    table("GLARE: radius of the spot in % of the page's width", Measure.GLARE, None, glares())
    table("EXPOSURE, and white where nothing is wrong", Measure.EXPOSURE, None, exposures())
    table("BRIGHTNESS: light on the page", Measure.BRIGHTNESS, reader, lights())
    table("COLOUR", Measure.COLOUR, None, colours())
    kept(reader)
    likenesses()


Case = tuple[str, Page, Image.Image]


def shots(name: str, **how: Any) -> Iterator[Case]:
    for seed in range(1, 5):
        drawn_page = page(seed * 7, template=seed)
        yield name, drawn_page, _sent(photographed(drawn_page.image, replace(FINE, seed=seed, **how)))


def resolutions() -> Iterator[Case]:
    for width in (400, 500, 600, 800, 1000, 1200, 1600):
        yield from shots(f"{width} px", size=(width, width * 3 // 4), fill=0.5, blur=0.4)


def blurs() -> Iterator[Case]:
    for width in (1280, 2000, 4000):
        for percent in (0, 0.05, 0.10, 0.15, 0.20, 0.30, 0.50):
            yield from shots(
                f"{width} px, blur {percent:.2f}", size=(width, width * 3 // 4), blur=width * percent / 100
            )
    for percent in (0.2, 0.4, 0.6, 0.8, 1.2):
        yield from shots(f"shake {percent}", motion=round(WIDE[0] * percent / 100))
    for noise in (0, 6, 12, 20):
        yield from shots(f"noise {noise}", noise=noise)
    for light in (0.2, 0.4):
        yield from shots(f"light {light}", light=light)
    yield from shots("blur 0.20 and noise 12", blur=WIDE[0] * 0.002, noise=12)


def glares() -> Iterator[Case]:
    for percent in (0, 1, 2, 3, 4, 5, 8, 12):
        yield from shots(f"spot {percent}", glare=percent / 100)
    yield from shots("white table", table=(255, 255, 255))


def exposures() -> Iterator[Case]:
    for exposure in (1.0, 1.3, 1.5, 1.8, 2.2, 3.0):
        yield from shots(f"x{exposure}", exposure=exposure)
        yield from shots(f"x{exposure}, page fills the frame", exposure=exposure, fill=1.15)
        yield from shots(f"x{exposure}, white table", exposure=exposure, table=(255, 255, 255), light=1)
    for seed in range(4):
        drawn_page = page(seed, template=seed)
        lid = Image.new("RGB", (2480, 3508), "white")
        lid.paste(drawn_page.image, (200, 200))
        yield "scanned under a white lid", drawn_page, _sent(lid)
        yield "scanned", drawn_page, _sent(drawn_page.image)


def lights() -> Iterator[Case]:
    for light in (0.05, 0.08, 0.10, 0.13, 0.16, 0.20, 0.25, 0.30, 0.40, 0.60, 0.85):
        yield from shots(f"{light:.2f}", light=light, noise=4)


def colours() -> Iterator[Case]:
    for seed in range(10):
        drawn_page = page(seed, template=seed)
        copy = drawn_page.image.convert("L").convert("RGB")
        pale = [Image.blend(copy, drawn_page.image, share) for share in (0.25, 0.5)]
        shot = replace(FINE, seed=seed, table=(90, 90, 90))
        for name, image in {
            "photographed in grey": photographed(drawn_page.image, shot).convert("L").convert("RGB"),
            "grey copy, lamp light, grey table": photographed(copy, replace(shot, cast=(255, 235, 200))),
            "grey copy, fills the frame": photographed(copy, replace(shot, fill=1.2)),
            "grey copy, brown table": photographed(copy, replace(FINE, seed=seed)),
            "a quarter of its colour, grey table": photographed(pale[0], shot),
            "half of its colour, grey table": photographed(pale[1], shot),
            "colour, grey table": photographed(drawn_page.image, shot),
            "colour, light 0.2": photographed(drawn_page.image, replace(shot, light=0.2)),
            "colour, scanned": drawn_page.image,
        }.items():
            yield name, drawn_page, _sent(image)


def table(
    title: str, measure: Measure, reader: Callable[[Image.Image], list[str]] | None, cases: Iterable[Case]
) -> None:
    print(f"\n{title}")
    values: dict[str, list[float]] = {}
    wrong: dict[str, list[float]] = {}
    for name, drawn_page, image in cases:
        values.setdefault(name, []).append(measured(image, kind=PASSPORT, resolution=max(image.size))[0][measure])
        wrong.setdefault(name, []).extend(misread(drawn_page, reader(image)) if reader else [])
    for name, row in values.items():
        read = f"{100 * median(wrong[name]):8.1f} %" if wrong[name] else ""
        print(f"  {name:38} {min(row):8.2f} to {max(row):8.2f}{read}", flush=True)


def kept(reader: Callable[[Image.Image], list[str]] | None) -> None:
    """What encoding again costs."""
    print("\nKEPT: letters misread after encoding again, and bytes of it")
    for width in (1000, 2000, 4000):
        cases = list(shots("", size=(width, width * 3 // 4), fill=0.6, blur=width * 0.0008))
        for quality in (100, 60, 75, 85, 92):
            again = [(drawn_page, jpeg(image, quality)) for _, drawn_page, image in cases]
            wrong = [share for p, content in again for share in misread(p, reader(opened(content)))] if reader else [0]
            size = mean(len(content) for _, content in again) / 1e6
            print(f"  {width} px, quality {quality:3}  {100 * median(wrong):5.1f} %  {size:6.2f} MB", flush=True)


def likenesses() -> None:
    """The same image, scaled and compressed; and others that look alike."""
    print("\nLIKENESS: cells two levels apart, least and most")
    people = range(24)
    scans = [page(person).image for person in people]
    placed = Shot(seed=7, size=(1600, 1200))
    stands = [photographed(scan, replace(placed, noise=0)) for scan in scans]
    again = [photographed(scans[0], replace(placed, seed=seed)) for seed in range(20, 40)]
    for name, images in (("scanned", scans), ("from a stand, without noise", stands)):
        told = [_likeness(image) for image in images]
        pairs = [distance(one, other) for one, other in combinations(told, 2)]
        print(f"  another person, {name:30} {min(pairs):4} {max(pairs):4}")
        print(f"  cells with anything in them, {name:17} {min(map(drawn, told)):4} {max(map(drawn, told)):4}")
        same: dict[str, list[int]] = {}
        for person in people[::3]:
            for how, other in altered(images[person]):
                same.setdefault(how, []).append(distance(told[person], _likeness(other)))
        for how, found in same.items():
            print(f"    same, {how:40} {min(found):4} {max(found):4}")
    told = [_likeness(image) for image in again]
    pairs = [distance(one, other) for one, other in combinations(told, 2)]
    print(f"  the same page, photographed again              {min(pairs):4} {max(pairs):4}")
    moved = [
        _likeness(photographed(scans[0], replace(placed, tilt=tilt))) for tilt in (0.04, 0.041, 0.042, 0.045, 0.05)
    ]
    print(f"  the same page, corners to 0.1, 0.2, 0.5, 1 % away {[distance(moved[0], other) for other in moved[1:]]}")
    one_bit = [_difference_hash(scan) for scan in scans]
    least = min((one ^ other).bit_count() for one, other in combinations(one_bit, 2))
    print(f"  for comparison, one hash of 64 bits: another person, scanned, from {least}")


def altered(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """What becomes of an image on its way through telephones and messengers."""
    width, height = image.size
    for quality in (30, 50, 85, 95):
        yield f"JPEG {quality}", opened(jpeg(image, quality))
    for scale in (0.31, 0.37, 0.5, 0.75, 1.4):
        other = image.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
        yield f"scaled {scale}, JPEG 50", opened(jpeg(other, 50))
    yield "halved, pixels left out", image.resize((width // 2, height // 2), Image.Resampling.NEAREST)
    many = image
    for quality in (80, 70, 60, 75, 50):
        many = opened(jpeg(many, quality))
    yield "JPEG, five times over", many
    yield "WebP 40", opened(encoded(image, "WEBP", quality=40))
    yield "a tenth brighter", image.point([min(255, round(value * 1.1)) for value in range(256)] * 3)
    yield "in grey", image.convert("L").convert("RGB")
    for part in (200, 50):  # in brackets: others, for comparison
        cut = (width // part, height // part, width - width // part, height - height // part)
        yield f"(cut by {100 / part} % each side)", image.crop(cut)


def _likeness(image: Image.Image) -> bytes:
    return measured(image, kind=PASSPORT, resolution=max(image.size))[1]


def _difference_hash(image: Image.Image) -> int:
    grey = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    return sum((grey[y * 9 + x + 1] > grey[y * 9 + x]) << (y * 8 + x) for y in range(8) for x in range(8))


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content)).convert("RGB")


def _sent(image: Image.Image) -> Image.Image:
    return opened(jpeg(image, 88))


def misread(drawn_page: Page, texts: list[str]) -> list[float]:
    """The share of each line's letters that the nearest text lacks; O and 0 are one, as are fillers in a row.

    The engine overlooks a whole line now and then, however sharp: so a table has the median of eight.
    """
    found = [_folded(text) for text in texts]
    lines = [_folded(line) for line in drawn_page.lines]
    return [min([len(line), *(_edits(line, text) for text in found)]) / len(line) for line in lines]


def _folded(text: str) -> str:
    return re.sub("<+", "<", text.upper().replace("O", "0").replace(" ", ""))


def _edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        last, row[0] = row[0], at
        for to, second in enumerate(other, 1):
            last, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, last + (letter != second))
    return row[-1]


def _reader() -> Callable[[Image.Image], list[str]] | None:
    try:
        from rapidocr_onnxruntime import RapidOCR  # type: ignore[import-not-found]  # not needed to run the project
    except ImportError:
        print("No OCR: pip install rapidocr-onnxruntime", file=sys.stderr)
        return None
    engine = RapidOCR()
    return lambda image: [line[1] for line in engine(jpeg(image, 100, subsampling=0))[0] or []]


if __name__ == "__main__":
    main()
