"""Which workers make a set: those of this machine, of a scheduler, or of SLURM."""

from __future__ import annotations

from functools import partial

import torch

from stst.batch import clusters
from stst.batch.plan import Plan
from stst.cli.sets import Connect

PRELOAD = "stst.cli.item"


def machine(plan: Plan, workers: int | None) -> tuple[Connect, int | None]:
    """How to begin the workers of a plan, and how many threads each has."""
    gpus = torch.cuda.device_count() if plan.device.startswith("cuda") else 0
    count = workers or clusters.worker_count(gpus)
    threads = plan.threads or clusters.threads_each(count)
    local = partial(
        clusters.local, count, gpus=gpus, threads=threads, preload=PRELOAD, deaths=plan.retries
    )
    return local, threads
