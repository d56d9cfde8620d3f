"""Forks: how a process that reads photos serves them, a fork for each. children.py is the other side, which starts it.

What is needed is loaded before; then the fork confines itself, reads one photo from standard input, answers and ends.
So a photo finds nothing of the one before, its memory is given back whatever a library leaks, and what stays is a
process that never saw a byte of either. It ends with its input, which closes when the server ends.

    server -> fork   a head, then the photo in pieces, then an empty piece
    fork -> server   ready; then the frames of the answer

Each of these is four bytes with its length, and that many bytes.
"""

import gc
import json
import math
import os
import signal
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import IO, Final

from greenroom.documents import confinement
from greenroom.documents.findings import Limits

LENGTH_BYTES: Final = 4
OVER: Final = 3  # exit code of a fork whose input ended
DIED: Final = 128  # and a signal: exit code of the process whose fork it killed

Answer = Callable[[bytes, bytes], Sequence[bytes]]
"""Takes the head and the photo, and returns the frames of the answer."""


def serve(limits: Limits, load: Callable[[], Answer]) -> int:
    """Serve until the input ends, or a fork dies: which answers are whole is then unknown, so all ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # no library's word among the answers
    answer = load()
    gc.disable()  # a fork lives for one photo, and would copy what a collection touches
    gc.freeze()
    while True:
        if (fork := os.fork()) == 0:
            code = 1
            try:
                code = _once(answers, limits, answer)
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
        if code:
            return 0 if code == OVER else DIED - code if code < 0 else code


def place_of(error: Exception) -> str:
    """Return where an error was raised, without its message, which may quote a photo."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return (
        f"{type(error).__name__} {os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}" if step else ""
    )


def _once(answers: IO[bytes], limits: Limits, answer: Answer) -> int:
    confinement.limit(limits)
    _say(answers, json.dumps({"confined": confinement.filtered()}).encode())
    with open(0, "rb", buffering=0, closefd=False) as pieces:
        head, photo = _heard(pieces), BytesIO()
        while head is not None and (piece := _heard(pieces)):
            photo.write(piece)
        if head is None or piece is None:
            return OVER
    signal.setitimer(signal.ITIMER_REAL, math.ceil(limits.wall_s) + 1)  # should the server be gone
    for frame in answer(head, photo.getvalue()):
        _say(answers, frame)
    return 0


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
