"""The memory of this process in huge pages, so that to fork it copies a page table of hundreds of entries, not 60,000.

Measured on 1.85.0: to fork a process and to end it takes 3.5 ms of CPU, and 10.5 ms without. Where the system does not
offer it (before Linux 6.1, or without huge pages) nothing happens.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_MADV_COLLAPSE = 25
_HUGE_BYTES = 2 << 20
_MAPPED = Path("/proc/self/maps")


def in_huge_pages() -> None:
    """Bring the memory that is private to this process into huge pages."""
    try:
        madvise = ctypes.CDLL(None).madvise
        maps = _MAPPED.read_text(encoding="utf-8")
    except (AttributeError, OSError):
        return
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in maps.splitlines():
        span, access, *rest = line.split()
        # Fields behind the access are offset, device and inode, and a name where there is one.
        if access == "rw-p" and rest[3:] in ([], ["[heap]"]):
            first, last = (int(end, 16) for end in span.split("-"))
            for at in range(-(-first // _HUGE_BYTES) * _HUGE_BYTES, last - _HUGE_BYTES + 1, _HUGE_BYTES):
                # One that cannot be made is left as it is.
                madvise(at, _HUGE_BYTES, _MADV_COLLAPSE)
