"""Workers: processes of this machine, a running Dask scheduler, or SLURM jobs."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from distributed import Client, Nanny, Scheduler, Security, SpecCluster
from distributed.system import MEMORY_LIMIT

from stst._version import __version__
from stst.batch.plan import BatchPlan, SlurmResources
from stst.errors import RecipeError, RunError
from stst.synthesis.threads import allowed_cores

log = logging.getLogger(__name__)
PRELOAD = "stst.batch.worker"  # imported first by each worker
SLURM = "slurm"
LOOPBACK = "127.0.0.1"
SILENT = logging.CRITICAL  # a closing worker may log that the scheduler is gone: not an error
WORKER_MEMORY = 4e9  # bytes that a worker may need
HIDDEN = {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}

TlsFiles = tuple[Path | None, Path | None, Path | None]  # CA, certificate, key
NO_TLS: TlsFiles = (None, None, None)
Connect = Callable[[], AbstractContextManager[Client]]


def connection(
    plan: BatchPlan, out: Path, workers: int | str | None = None, tls: TlsFiles = NO_TLS
) -> tuple[Connect, int | None]:
    """Return how to reach the workers for a set in `out`, and their number of threads."""
    if workers == SLURM:
        jobs = partial(slurm_jobs, plan.slurm, out / "logs")
        return jobs, plan.threads or plan.slurm.cores
    if isinstance(workers, str):
        return partial(running_scheduler, workers, tls, out), plan.threads
    gpus = torch.cuda.device_count() if plan.device.startswith("cuda") else 0
    count = worker_count(gpus) if workers is None else workers
    if count < 1:
        raise RecipeError(f"workers must be at least 1, got {count}.")
    threads = plan.threads or threads_each(count)
    return partial(local_workers, count, threads, gpus), threads


def worker_count(gpus: int) -> int:
    """Return the default number of workers: one per GPU, or as many as cores and memory allow."""
    return gpus or max(1, min(allowed_cores()[0], int(MEMORY_LIMIT // WORKER_MEMORY)))


def threads_each(workers: int) -> int:
    """Return the threads of each worker, so that all workers together use all cores."""
    return max(1, allowed_cores()[0] // workers)


@contextmanager
def local_workers(workers: int, threads: int, gpus: int = 0) -> Iterator[Client]:
    """Start processes that listen on the loopback only; worker i sees GPU i mod `gpus`."""
    log.info("%d worker(s) with %d thread(s) each.", workers, threads)
    options = {"host": LOOPBACK, **HIDDEN}
    each = {"nthreads": 1, "memory_limit": 0, "preload": [PRELOAD], "silence_logs": SILENT}
    environments = [environment(threads, i % gpus if gpus else None) for i in range(workers)]
    spec = {
        index: {"cls": Nanny, "options": {**options, **each, "env": variables}}
        for index, variables in enumerate(environments)
    }
    scheduler = {"cls": Scheduler, "options": {**options, "port": 0}}
    with (
        SpecCluster(workers=spec, scheduler=scheduler, silence_logs=SILENT) as cluster,
        Client(cluster) as client,
    ):
        yield client


def environment(threads: int, gpu: int | None = None) -> dict[str, str]:
    """Return the environment variables of a worker."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    visible = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)}
    return dict.fromkeys(names, str(threads)) | visible


@contextmanager
def running_scheduler(address: str, tls: TlsFiles, folder: Path) -> Iterator[Client]:
    """Connect to a running scheduler.

    RunError unless its workers see `folder` and have this version of the package.
    """
    with _client(address, tls) as client:
        for worker, facts in client.run(_facts, str(folder.absolute())).items():
            if facts != (True, __version__):
                raise RunError(
                    f"the worker {worker} does not see {folder} or has another version of stst: "
                    f"wanted {__version__}, got {facts[1]}. Put the folder on a shared disk, and "
                    "install the same version everywhere."
                )
        yield client


def _client(address: str, tls: TlsFiles) -> Client:
    names = ("tls_ca_file", "tls_client_cert", "tls_client_key")
    files = {name: str(path) for name, path in zip(names, tls, strict=True) if path}
    security = Security(require_encryption=True, **files) if files else None
    try:
        return Client(address, security=security, timeout="10s")
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
    # Collect the failed client now. Collected while another client starts, it would wait for ever
    # for a lock that the start holds (seen with distributed 2026.8).
    gc.collect()
    raise RunError(
        f"no Dask scheduler can be reached at {address}: {reason}. Check the address, and that the "
        "scheduler runs."
    )


def _facts(folder: str) -> tuple[bool, str]:
    """Return whether a worker sees a folder, and its version of this package."""
    return Path(folder).is_dir(), __version__


@contextmanager
def slurm_jobs(resources: SlurmResources, logs: Path) -> Iterator[Client]:
    """Start workers as SLURM jobs; their connections are encrypted with keys made for this set.

    `logs` is a folder that all nodes see. It holds the output of the jobs and, while they run, the
    keys.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise RunError("--slurm needs dask-jobqueue: pip install 'stst-vision[slurm]'.") from error
    logs.mkdir(parents=True, exist_ok=True)
    try:
        cluster = SLURMCluster(**slurm_options(resources, logs.absolute()))
        # Submits a new job when one ends.
        cluster.adapt(minimum_jobs=resources.jobs, maximum_jobs=resources.jobs)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"no SLURM job can be submitted: {reason}. Run this on a node that can submit jobs."
        ) from error
    with cluster, Client(cluster) as client:
        yield client


def slurm_options(resources: SlurmResources, logs: Path) -> dict[str, Any]:
    """Return the options of dask-jobqueue."""
    variables = environment(resources.cores)
    exports = [f"export {name}={value}" for name, value in variables.items()]
    same = {"memory", "walltime", "queue", "account", "interface"}
    return {
        **resources.model_dump(include=same),
        "cores": 1,  # Dask threads: one item at a time
        "processes": 1,
        "job_cpu": resources.cores,
        "job_extra_directives": list(resources.directives),
        "job_script_prologue": [*exports, *resources.prologue],
        "worker_extra_args": ["--preload", PRELOAD, "--no-dashboard"],
        "log_directory": str(logs),
        "shared_temp_directory": str(logs),
        "security": True,
        "scheduler_options": HIDDEN,
        "silence_logs": logging.ERROR,
    }
