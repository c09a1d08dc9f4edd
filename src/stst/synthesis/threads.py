"""CPU threads: how many a process may use, and their effect on a busy machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

log = logging.getLogger(__name__)
TRIAL = 0.1  # s, duration of a timing
GAIN = 0.9  # several threads are worthwhile below this fraction of the time with one


def allowed_cores() -> tuple[int, str]:
    """Return the number of cores this process may use, and what limits it."""
    from dask.system import CPU_COUNT  # respects affinity and cgroups; slow to import

    job = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if job.isdecimal() and 0 < int(job) < CPU_COUNT:
        return int(job), "SLURM_CPUS_PER_TASK"
    cores = int(CPU_COUNT)
    return cores, "all cores" if cores >= (os.cpu_count() or 1) else "the cores of this process"


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Use this number of threads within the ``with`` block; None leaves it unchanged."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number or before)
        yield
    finally:
        torch.set_num_threads(before)


def busy_remark() -> str:
    """Say what a single thread would gain on a busy machine; empty on a free one.

    Times both, which takes a fraction of a second.
    """
    number, load = torch.get_num_threads(), os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if number == 1 or load < (os.cpu_count() or 1) / 2:
        return ""
    ratio = _pass_time(number) / _pass_time(1)
    if ratio < GAIN:
        return ""
    return (
        f"other processes use this machine (load {load:.1f} on {os.cpu_count()} cores): {number} "
        f"threads take {ratio:.2g} times as long as one"
    )


@cache
def warn_if_busy() -> None:
    """Log, once per process, that spinning threads slow each other down."""
    if "OMP_WAIT_POLICY" not in os.environ and (remark := busy_remark()):
        log.warning(
            "%s. Call torch.set_num_threads(1), or set the environment variable "
            "OMP_WAIT_POLICY=PASSIVE before importing torch.",
            remark,
        )


def _pass_time(number: int) -> float:
    """Seconds per pass of a few small convolutions with this number of threads."""
    frame, kernels = (
        torch.ones(shape, device="cpu") for shape in ((1, 16, 72, 128), (16, 16, 3, 3))
    )
    with threads(number), torch.inference_mode():
        torch.conv2d(frame, kernels)  # the first call starts the threads
        began, count = time.perf_counter(), 0
        while (seconds := time.perf_counter() - began) < TRIAL:
            torch.conv2d(frame, kernels)
            count += 1
    return seconds / count
