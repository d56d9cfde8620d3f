"""Recognition: where a zone is read from a photo. `python -m greenroom.documents.recognition LIMITS`, by reading.py.

The head is the document's kind and the day, the photo the JPEG that the checks wrote; the answer is the zone, if any.
The engine finds lines in a small copy, which is most of its work, and reads the long ones in full size.
"""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, JpegImagePlugin

from greenroom.documents.findings import Limits
from greenroom.documents.forks import Answer, place_of, serve
from greenroom.documents.zones import LINES_MAX, ReadZone, zone_in
from greenroom.law.terms import DocumentKind

FINDING_PX: Final = 1280  # long side of the copy in which lines are found
LINE_PX: Final = 48  # height of a line as the engine takes it
SLENDER: Final = 10  # how much longer than high a zone's line is at least; whole ones are about 25
# Upright, then upside down: half a turn of the corners. And once more with longer lines, as found ones may lack an end.
ATTEMPTS: Final = ((0, 0.0), (0, 0.15), (2, 0.0), (2, 0.15))
NICE: Final = 10  # photos that wait for their check go first

Corners = Sequence[Sequence[float]]  # upper left, upper right, lower right, lower left
Texts = Callable[[Image.Image], Iterator[list[str]]]


def main() -> int:
    """Serve until the input ends."""
    os.nice(NICE)
    limits = Limits(**json.loads(sys.argv[1]))

    def load() -> Answer:
        texts = engine()
        list(texts(Image.new("RGB", (LINE_PX, LINE_PX), "white")))  # a fork can load no more
        return lambda head, photo: (answered(texts, head, photo),)

    return serve(limits, load)


def answered(texts: Texts, head: bytes, photo: bytes) -> bytes:
    """Return the zone in a photo as JSON, empty where there is none; or the place of a fault."""
    try:
        asked = json.loads(head)
        zone = read(texts, photo, kind=DocumentKind(asked["kind"]), today=date.fromisoformat(asked["today"]))
    except Exception as error:  # ours or the engine's to mend: the server logs the place, and no word of the photo
        return json.dumps({"place": place_of(error)}).encode()
    return json.dumps({"lines": zone.lines, "is_certain": zone.is_certain} if zone else {}).encode()


def read(texts: Texts, photo: bytes, *, kind: DocumentKind, today: date) -> ReadZone | None:
    """Return the zone that a photo shows, upright, on its side or upside down."""
    image = JpegImagePlugin.JpegImageFile(BytesIO(photo))
    image.load()
    for lines in texts(image):
        if zone := zone_in(lines, kind=kind, today=today):
            return zone
    return None


def engine() -> Texts:
    """Load the engine; returns what yields a photo's long lines, read the one way up, and then the other."""
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[threads] = "1"
    import cv2
    import numpy
    import rapidocr

    cv2.setNumThreads(0)
    models = Path(rapidocr.__file__).parent / "models"
    run: Any = rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Det.limit_type": "max",  # else what is small is scaled up
            "Det.limit_side_len": FINDING_PX,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,  # a fork inherits no threads
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            # Named, so that one that is missing is an error: it would be downloaded.
            "Det.model_path": str(next(models.glob("*_det_*.onnx"))),
            "Rec.model_path": str(next(models.glob("*_rec_*.onnx"))),
        }
    )

    def pixels(image: Image.Image) -> Any:
        return numpy.asarray(image)[:, :, ::-1]

    def text_of(line: Image.Image) -> str:
        found = run(pixels(line), use_det=False, use_cls=False, use_rec=True).txts
        return found[0] if found else ""

    def texts(image: Image.Image) -> Iterator[list[str]]:
        scale = min(1.0, FINDING_PX / max(image.size))
        small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
        found = run(pixels(small), use_det=True, use_cls=False, use_rec=False).boxes
        boxes = slender([] if found is None else [[(x / scale, y / scale) for x, y in box] for box in found])
        for turned, longer in ATTEMPTS if boxes else ():
            yield [text_of(cut(image, lengthened(box[turned:] + box[:turned], by=longer))) for box in boxes]

    text_of(Image.new("RGB", (LINE_PX * SLENDER, LINE_PX), "white"))
    return texts


def slender(boxes: Sequence[Corners]) -> list[list[tuple[float, float]]]:
    """Return the most slender lines, the corners of each as it is read unless it is upside down."""
    long = list[tuple[float, list[tuple[float, float]]]]()
    for box in boxes:
        corners = [(float(x), float(y)) for x, y in box]
        width, height = sides(corners)
        if height > width:  # the photo lies on its side
            corners, width, height = corners[3:] + corners[:3], height, width
        if width >= SLENDER * height:
            long.append((width / max(height, 1.0), corners))
    return [corners for _, corners in sorted(long, reverse=True)[:LINES_MAX]]


def sides(corners: Corners) -> tuple[float, float]:
    """Return the length of a line and its height."""
    return math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])


def lengthened(corners: Corners, *, by: float) -> Corners:
    """Return a line that is longer at both ends, by a share of its length."""
    (ul, ur, lr, ll) = corners

    def beyond(end: Sequence[float], start: Sequence[float]) -> tuple[float, float]:
        return end[0] + (end[0] - start[0]) * by, end[1] + (end[1] - start[1]) * by

    return beyond(ul, ur), beyond(ur, ul), beyond(lr, ll), beyond(ll, lr)


def cut(image: Image.Image, corners: Corners) -> Image.Image:
    """Return a line on its own, straight, at the engine's height."""
    width, height = sides(corners)
    size = (max(1, round(width * LINE_PX / max(height, 1.0))), LINE_PX)
    upper_left, upper_right, lower_right, lower_left = corners
    around = (*upper_left, *lower_left, *lower_right, *upper_right)
    return image.transform(size, Image.Transform.QUAD, around, Image.Resampling.BICUBIC)


if __name__ == "__main__":
    sys.exit(main())
