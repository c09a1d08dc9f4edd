"""Which workers make a set: those of this machine, of a scheduler, or of SLURM."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from distributed import Client

from stst.batch import clusters
from stst.batch import slurm as slurm_jobs
from stst.batch.plan import Plan

PRELOAD = "stst.batch.worker"
Connect = Callable[[], AbstractContextManager[Client]]


def machine(
    plan: Plan,
    out: Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    tls: clusters.Tls = (None, None, None),
    slurm: bool = False,
) -> tuple[Connect, int | None]:
    """How to reach the workers of a plan, and how many threads each has."""
    if scheduler is not None:
        return partial(clusters.running, scheduler, tls, out), plan.threads
    more: dict[str, Any] = {"preload": PRELOAD, "deaths": plan.retries}
    if slurm:
        jobs = partial(slurm_jobs.slurm, plan.slurm, logs=out / "logs", **more)
        return jobs, plan.threads or plan.slurm.cores
    gpus = torch.cuda.device_count() if plan.device.startswith("cuda") else 0
    count = workers or clusters.worker_count(gpus)
    threads = plan.threads or clusters.threads_each(count)
    return partial(clusters.local, count, gpus=gpus, threads=threads, **more), threads
