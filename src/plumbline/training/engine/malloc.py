"""Keep memory that was freed, instead of fetching it anew from the kernel in every step.

The allocator of glibc returns large blocks to the system as soon as they are freed. A training step
asks for the same blocks again, and pays a page fault for every 4 KiB of them: 700 to 3,000
faults a step of a small ResNet, up to a fifth of its time.
"""

from __future__ import annotations

import ctypes

# Numbers of <malloc.h>. Setting either ends glibc's own adjustment of both.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**28  # freed memory at the top of the heap that is not given back
LARGEST_BYTES = 2**25  # larger blocks are still mapped and unmapped; glibc takes no higher number


def keep_freed_memory() -> bool:
    """Tell the allocator, for the rest of the process; return whether it is one that listens.

    No number changes, and the most memory that the process holds hardly does: what is kept is what
    it has needed before. See ``mallopt(3)``.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc; Windows knows no CDLL(None)
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, LARGEST_BYTES))
