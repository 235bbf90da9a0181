"""Make forking cheap: most of a fork is copying page tables, and a huge page takes one entry instead of 512."""

import ctypes
import logging
import sys
from pathlib import Path

logger = logging.getLogger("towline.pilot")

_HUGE_PAGE_BYTES = 2 << 20
_MADV_HUGEPAGE = 14
_MADV_COLLAPSE = 25


def use_huge_pages() -> int:
    """Put the memory that this process has so far on huge pages; return how many bytes that worked for.

    It needs Linux 6.1. Elsewhere it does nothing, and a fork takes about 1.5 times as long. In contrast to a different
    memory allocator it changes nothing for the jobs.
    """
    if sys.platform != "linux":
        return 0
    library = ctypes.CDLL(None, use_errno=True)
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    done = 0
    for start, end in _private_areas():
        first = -(-start // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
        size = (end - first) // _HUGE_PAGE_BYTES * _HUGE_PAGE_BYTES
        if size <= 0:
            continue
        library.madvise(first, size, _MADV_HUGEPAGE)
        if library.madvise(first, size, _MADV_COLLAPSE) == 0:
            done += size
    return done


def _private_areas() -> list[tuple[int, int]]:
    areas = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights.startswith("rw") and (not name or name[0] == "[heap]"):
            start, _, end = place.partition("-")
            areas.append((int(start, 16), int(end, 16)))
    return areas
