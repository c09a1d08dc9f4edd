"""Threads of the CPU: how many a process may use, and what they gain on a busy machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

log = logging.getLogger(__name__)
TRIAL = 0.1  # s in which a number of threads is tried
GAIN = 0.9  # share of the time of one thread that several must stay below to be worth it


def allowed_cores() -> tuple[int, str]:
    """How many cores this process may use, and who says so."""
    from dask.system import CPU_COUNT  # affinity and cgroups heeded; takes a fifth of a second

    job = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if job.isdecimal() and 0 < int(job) < CPU_COUNT:
        return int(job), "SLURM_CPUS_PER_TASK"
    cores = int(CPU_COUNT)
    return cores, "all cores" if cores >= (os.cpu_count() or 1) else "the cores of this process"


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute with so many threads within the ``with``; None: as many as before."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number or before)
        yield
    finally:
        torch.set_num_threads(before)


def busy_remark() -> str:
    """Say what one thread would gain where other processes use the cores; empty on a free machine.

    Both are then timed, which takes a fraction of a second.
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
    """Log, once for each process, that threads which spin while they wait hinder each other."""
    if "OMP_WAIT_POLICY" not in os.environ and (remark := busy_remark()):
        log.warning(
            "%s. Call torch.set_num_threads(1), or set the environment variable "
            "OMP_WAIT_POLICY=PASSIVE before torch is imported.",
            remark,
        )


def _pass_time(number: int) -> float:
    """Seconds of a few small convolutions with so many threads."""
    frame, kernels = (
        torch.ones(shape, device="cpu") for shape in ((1, 16, 72, 128), (16, 16, 3, 3))
    )
    with threads(number), torch.inference_mode():
        torch.conv2d(frame, kernels)  # the first one starts the threads
        began, count = time.perf_counter(), 0
        while (seconds := time.perf_counter() - began) < TRIAL:
            torch.conv2d(frame, kernels)
            count += 1
    return seconds / count
