"""Sandbox: where photos are decoded. `python -m greenroom.documents.sandbox LIMITS`, started by checking.py alone.

It loads the decoders, and then forks for each photo: the fork confines itself, reads one photo from standard input,
answers and ends. So a photo finds nothing of the one before, its memory is given back whatever a decoder leaks, and
what stays is a process that never saw a byte of either. It ends with its input, which closes when the server ends.

    server -> fork   the kind, then the photo in pieces, then an empty piece
    fork -> server   ready; then the answer, then the clean photo, empty where there is none

Each of these is four bytes with its length, and that many bytes.
"""

import gc
import json
import math
import os
import signal
import sys
from dataclasses import replace
from io import BytesIO
from typing import IO, Any, Final

from PIL import Image

from greenroom.documents import confinement, photos
from greenroom.documents.findings import Examined, Fault, Limits, Unusable
from greenroom.law.terms import DocumentKind

LENGTH_BYTES: Final = 4
OVER: Final = 3  # exit code of a fork whose input ended
DIED: Final = 128  # and a signal: exit code of the process whose fork it killed


def main() -> int:
    """Serve until the input ends, or a fork dies: which answers are whole is then unknown, so all ends."""
    limits = Limits(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # no library's word among the answers
    _warm(limits)
    gc.disable()  # a fork lives for one photo, and would copy what a collection touches
    gc.freeze()
    while True:
        if (fork := os.fork()) == 0:
            code = 1
            try:
                code = _once(answers, limits)
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
        if code:
            return 0 if code == OVER else DIED - code if code < 0 else code


def _once(answers: IO[bytes], limits: Limits) -> int:
    confinement.limit(limits)
    _say(answers, json.dumps({"confined": confinement.filtered()}).encode())
    with open(0, "rb", buffering=0, closefd=False) as pieces:
        kind, photo = _heard(pieces), BytesIO()
        while kind is not None and (piece := _heard(pieces)):
            photo.write(piece)
        if kind is None or piece is None:
            return OVER
    signal.setitimer(signal.ITIMER_REAL, math.ceil(limits.wall_s) + 1)  # should the server be gone
    answer, jpeg = _answer(photo.getvalue(), DocumentKind(kind.decode()), limits)
    _say(answers, json.dumps(answer).encode())
    _say(answers, jpeg)
    return 0


def _answer(content: bytes, kind: DocumentKind, limits: Limits) -> tuple[dict[str, Any], bytes]:
    try:
        result = photos.examine(content, kind=kind, limits=limits)
    except MemoryError:
        result = Unusable(Fault.TOO_COSTLY)
    except Exception as error:  # ours to mend: the server logs the place, and no word of the photo
        return {"fault": Fault.CRASHED, "place": _place(error)}, b""
    match result:
        case Unusable(fault):
            return {"fault": fault}, b""
        case Examined():
            told = {
                "width": result.width,
                "height": result.height,
                "form": result.form,
                "likeness": result.likeness.hex(),
                "measures": dict(result.measures),
            }
            return told, result.jpeg


def _place(error: Exception) -> str:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return (
        f"{type(error).__name__} {os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}" if step else ""
    )


def _say(answers: IO[bytes], frame: bytes) -> None:
    answers.write(len(frame).to_bytes(LENGTH_BYTES, "big"))
    answers.write(frame)
    answers.flush()


def _heard(pieces: IO[bytes]) -> bytes | None:
    """Return the next piece, and None at the end of the input."""
    length = _exactly(pieces, LENGTH_BYTES)
    return None if length is None else _exactly(pieces, int.from_bytes(length, "big"))


def _exactly(pieces: IO[bytes], count: int) -> bytes | None:
    content = bytearray()
    while len(content) < count:
        if not (more := pieces.read(count - len(content))):
            return None
        content += more
    return bytes(content)


def _warm(limits: Limits) -> None:
    """Load what Pillow loads at its first photo: a fork can open no file."""
    told, file = Image.Exif(), BytesIO()
    told[0x0112] = 6
    Image.new("RGB", (4, 3)).save(file, "JPEG", exif=told)
    any_size = replace(limits, long_side_min_px=1, short_side_min_px=1)
    photos.examine(file.getvalue(), kind=DocumentKind.WORK_VISA, limits=any_size)


if __name__ == "__main__":
    sys.exit(main())
