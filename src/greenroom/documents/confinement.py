"""Confinement: what a process that decodes may still ask of the kernel, which is memory, and to use what is open.

Decoders are where a file becomes code that its sender wrote: libheif and libde265 had many such holes closed in 2026.
So before the first byte of a photo is read, a filter of system calls (seccomp) leaves no way to open a file, reach a
network, start or signal a process, or raise a limit, for good. On other systems than Linux the limits alone hold.
"""

import ctypes
import platform
import resource
import struct
import sys
from typing import Final

from greenroom.documents.findings import Limits

# By name, the numbers on x86-64 and on arm64. What is not here answers "not permitted".
_CALLS: Final[dict[str, tuple[int, int]]] = {
    "read": (0, 63),
    "write": (1, 64),
    "writev": (20, 66),
    "close": (3, 57),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "madvise": (28, 233),
    "brk": (12, 214),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "setitimer": (38, 103),
    "clock_gettime": (228, 113),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "rseq": (334, 293),  # this and the next begin a thread
    "set_robust_list": (273, 99),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)  # libde265 decodes in a thread, which is allowed; a process is not
_CLONE_THREAD = 0x00010000
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH
_LOAD, _IF_EQUAL, _IF_ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_ARCHITECTURE, _NUMBER, _FIRST_ARGUMENT = 4, 0, 16  # where the kernel shows them
_ALLOW, _NOT_PERMITTED, _NO_SUCH_CALL = 0x7FFF0000, 0x00050001, 0x00050026
_SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVILEGES = 4, 22, 38


def limit(limits: Limits) -> None:
    """Bound memory and time, and take away files, for this process."""
    for name, soft, hard in (
        ("RLIMIT_AS", limits.memory_bytes, limits.memory_bytes),
        ("RLIMIT_CPU", limits.cpu_s, limits.cpu_s + 1),  # the first tells by its signal, the second kills
        ("RLIMIT_FSIZE", 0, 0),
        ("RLIMIT_CORE", 0, 0),  # a dump would hold the photo
        ("RLIMIT_NOFILE", 0, 0),  # what is open stays open
    ):
        try:
            resource.setrlimit(getattr(resource, name), (soft, hard))
        except (ValueError, OSError):
            if sys.platform == "linux":  # elsewhere not each of them exists or can be lowered
                raise


def filtered() -> bool:
    """Give up all but a few system calls, for good. Return whether the kernel took the filter."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    program = _program()
    held = ctypes.create_string_buffer(program, len(program))
    filter_of = struct.pack("HL", len(program) // 8, ctypes.addressof(held))
    call = ctypes.CDLL(None, use_errno=True).prctl
    call.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    place = ctypes.create_string_buffer(filter_of, len(filter_of))
    steps = [
        (_SET_DUMPABLE, 0, 0),  # nor does a crash go to a collector of dumps
        (_SET_NO_NEW_PRIVILEGES, 1, 0),
        (_SET_SECCOMP, 2, ctypes.addressof(place)),
    ]
    return all(call(what, first, second, 0, 0) == 0 for what, first, second in steps)


def _program() -> bytes:
    """Return the filter as the kernel's small machine reads it; a line has how many to skip where true, and false."""
    column, machine = _MACHINES[platform.machine()]
    numbers = [each[column] for each in _CALLS.values()]
    count = len(numbers)
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, 5 + count, machine),  # else refused: the calls of another machine have other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_IF_EQUAL, 5 + count, 0, _CLONE3[column]),  # shows no arguments; the C library then takes `clone`
        (_IF_EQUAL, 0, 2, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_ANY, 1 + count, count, _CLONE_THREAD),
        *((_IF_EQUAL, count - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _NOT_PERMITTED),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NO_SUCH_CALL),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in code)
