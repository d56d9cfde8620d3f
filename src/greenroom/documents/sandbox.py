"""Sandbox: where photos are decoded. `python -m greenroom.documents.sandbox LIMITS`, started by checking.py alone.

The head is the photo's kind; the answer is what was measured, and then the clean photo, empty where there is none.
"""

import json
import sys
from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image

from greenroom.documents import photos
from greenroom.documents.findings import Examined, Fault, Limits, Unusable
from greenroom.documents.forks import Answer, place_of, serve
from greenroom.law.terms import DocumentKind


def main() -> int:
    """Serve until the input ends."""
    limits = Limits(**json.loads(sys.argv[1]))

    def load() -> Answer:
        _warm(limits)
        return lambda head, photo: _answer(photo, DocumentKind(head.decode()), limits)

    return serve(limits, load)


def _answer(content: bytes, kind: DocumentKind, limits: Limits) -> tuple[bytes, bytes]:
    try:
        result = photos.examine(content, kind=kind, limits=limits)
    except MemoryError:
        result = Unusable(Fault.TOO_COSTLY)
    except Exception as error:  # ours to mend: the server logs the place, and no word of the photo
        return _told({"fault": Fault.CRASHED, "place": place_of(error)}), b""
    match result:
        case Unusable(fault):
            return _told({"fault": fault}), b""
        case Examined():
            told = {
                "width": result.width,
                "height": result.height,
                "form": result.form,
                "likeness": result.likeness.hex(),
                "measures": dict(result.measures),
            }
            return _told(told), result.jpeg


def _told(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode()


def _warm(limits: Limits) -> None:
    """Load what Pillow loads at its first photo: a fork can open no file."""
    told, file = Image.Exif(), BytesIO()
    told[0x0112] = 6
    Image.new("RGB", (4, 3)).save(file, "JPEG", exif=told)
    any_size = replace(limits, long_side_min_px=1, short_side_min_px=1)
    photos.examine(file.getvalue(), kind=DocumentKind.WORK_VISA, limits=any_size)


if __name__ == "__main__":
    sys.exit(main())
