"""Clusters of Dask: processes of this machine, or a scheduler that is running."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask
import torch
from dask.system import CPU_COUNT
from distributed import Client, Nanny, Scheduler, Security, SpecCluster
from distributed.system import MEMORY_LIMIT

from stst import __version__
from stst.batch.plan import Plan, Slurm
from stst.errors import RunError

LOOPBACK = "127.0.0.1"
SILENT = logging.CRITICAL  # a worker that closes may miss the scheduler, which is no error
EACH = 4e9  # bytes of memory that a worker may need
HIDDEN = {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}

Tls = tuple[Path | None, Path | None, Path | None]  # CA, certificate, key
TLS = ("tls_ca_file", "tls_client_cert", "tls_client_key")


def worker_count(gpus: int) -> int:
    """Workers of this machine unless told otherwise: one a GPU, or as many as it has room for."""
    return gpus or max(1, min(CPU_COUNT, int(MEMORY_LIMIT // EACH)))


def threads_each(workers: int) -> int:
    """Threads of each worker, so that all together are as many as there are cores."""
    return int(max(1, CPU_COUNT // workers))


@contextmanager
def local(workers: int, *, gpus: int, threads: int, preload: str, deaths: int) -> Iterator[Client]:
    """Processes of this machine, which only its own loopback can reach.

    Parameters
    ----------
    workers, gpus : int
        How many; with GPUs, worker i sees the (i mod gpus)-th alone.
    threads : int
        Of each worker.
    preload : str
        A module that each imports first.
    deaths : int
        How many workers an order may lose before it is given up.
    """
    options = {"host": LOOPBACK, **HIDDEN}
    each = {"nthreads": 1, "memory_limit": 0, "preload": [preload], "silence_logs": SILENT}
    spec = {
        index: {
            "cls": Nanny,
            "options": {
                **options,
                **each,
                "env": environment(threads, index % gpus if gpus else None),
            },
        }
        for index in range(workers)
    }
    settings = {"distributed.scheduler.allowed-failures": deaths}
    with (
        dask.config.set(settings),
        SpecCluster(
            workers=spec,
            scheduler={"cls": Scheduler, "options": {**options, "port": 0}},
            silence_logs=SILENT,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def environment(threads: int, gpu: int | None = None) -> dict[str, str]:
    """Variables of a worker's process."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    seen = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)}
    return dict.fromkeys(names, str(threads)) | seen


@contextmanager
def running(address: str, tls: Tls, folder: Path) -> Iterator[Client]:
    """A scheduler that is running, whose workers see `folder` and have this version.

    Raises
    ------
    RunError
        If none answers there, or a worker is of no use.
    """
    with _reached(address, tls) as client:
        for worker, found in client.run(_sees, str(folder.absolute())).items():
            if found != (True, __version__):
                raise RunError(
                    f"the worker {worker} does not see {folder}, which must be on a disk that all "
                    f"share, or has another version than {__version__}: {found[1]}."
                )
        yield client


def _reached(address: str, tls: Tls) -> Client:
    files = {name: str(path) for name, path in zip(TLS, tls, strict=True) if path}
    security = Security(require_encryption=True, **files) if files else None
    try:
        return Client(address, security=security, timeout="10s")
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
    # What is left of that client is closed now. If the collector came upon it while another one
    # starts, it would wait for ever for a lock that the start holds (seen with distributed 2026.8).
    gc.collect()
    raise RunError(f"no scheduler can be reached at {address}: {reason}.")


def _sees(folder: str) -> tuple[bool, str]:
    return Path(folder).is_dir(), __version__


@contextmanager
def slurm_jobs(given: Slurm, *, preload: str, logs: Path, deaths: int) -> Iterator[Client]:
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


PRELOAD = "stst.batch.worker"
Connect = Callable[[], AbstractContextManager[Client]]


def machine(
    plan: Plan,
    out: Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    tls: Tls = (None, None, None),
    slurm: bool = False,
) -> tuple[Connect, int | None]:
    """How to reach the workers of a plan, and how many threads each has."""
    if scheduler is not None:
        return partial(running, scheduler, tls, out), plan.threads
    more: dict[str, Any] = {"preload": PRELOAD, "deaths": plan.retries}
    if slurm:
        jobs = partial(slurm_jobs, plan.slurm, logs=out / "logs", **more)
        return jobs, plan.threads or plan.slurm.cores
    gpus = torch.cuda.device_count() if plan.device.startswith("cuda") else 0
    count = workers or worker_count(gpus)
    threads = plan.threads or threads_each(count)
    return partial(local, count, gpus=gpus, threads=threads, **more), threads
