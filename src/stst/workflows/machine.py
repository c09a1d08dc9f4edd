"""Settings of this process that make its steps faster; a library would not touch them."""

from __future__ import annotations

import ctypes
import os
import sys

# glibc's mallopt parameters (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8


def prepare() -> None:
    """Set up threads and memory; to be called before torch is loaded.

    What the user has set in the environment is left as it is.
    """
    # Threads that spin for long while they wait make a machine that is shared with other
    # jobs more than ten times slower; those that sleep at once make a step of many small
    # operations a third slower. A short spin is between (docs/benchmarks.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic mode wants it
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        _keep_memory()


def _keep_memory() -> None:
    """Do not give the memory of a large tensor back before the next one asks for it.

    The kernel clears each page that it gives anew, which takes longer than most operations
    on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_TOP_PAD, 64 << 20)
        mallopt(_ARENA_MAX, 1)  # a thread's own heap would be given back all the same
