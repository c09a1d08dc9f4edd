"""Workers that are jobs of SLURM, through dask-jobqueue."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
from distributed import Client

from stst.batch.clusters import HIDDEN, environment
from stst.batch.plan import Slurm
from stst.errors import RunError


@contextmanager
def slurm(given: Slurm, *, preload: str, logs: Path, deaths: int) -> Iterator[Client]:
    """Workers as jobs of SLURM; what goes between them is encrypted with keys of this set.

    Parameters
    ----------
    given : Slurm
        What each job asks for.
    preload, deaths
        As for `stst.batch.clusters.local`.
    logs : Path
        A folder that all nodes see, for what the jobs say, and for the keys while they run.

    Raises
    ------
    RunError
        If the extra is not installed, or no job can be given to SLURM.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise RunError("--slurm needs pip install 'stst-vision[slurm]'.") from error
    logs.mkdir(parents=True, exist_ok=True)
    with dask.config.set({"distributed.scheduler.allowed-failures": deaths}):
        try:
            cluster = SLURMCluster(**slurm_options(given, preload, logs.absolute()))
            cluster.adapt(minimum_jobs=given.jobs, maximum_jobs=given.jobs)  # again if one ends
        except (OSError, RuntimeError, ValueError) as error:
            raise RunError(f"SLURM takes no jobs: {' '.join(str(error).split())}.") from error
        with cluster, Client(cluster) as client:
            yield client


def slurm_options(given: Slurm, preload: str, logs: Path) -> dict[str, Any]:
    """What dask-jobqueue is told."""
    exports = [f"export {name}={value}" for name, value in environment(given.cores).items()]
    return {
        "cores": 1,  # threads of Dask: one item at a time
        "processes": 1,
        "job_cpu": given.cores,
        "memory": given.memory,
        "walltime": given.walltime,
        "queue": given.queue,
        "account": given.account,
        "interface": given.interface,
        "job_extra_directives": list(given.directives),
        "job_script_prologue": [*exports, *given.prologue],
        "worker_extra_args": ["--preload", preload, "--no-dashboard"],
        "log_directory": str(logs),
        "shared_temp_directory": str(logs),
        "security": True,
        "scheduler_options": HIDDEN,
        "silence_logs": logging.ERROR,
    }
