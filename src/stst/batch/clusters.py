"""Where workers come from: processes of this machine, a scheduler of Dask, or jobs of SLURM."""

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
SILENT = logging.CRITICAL  # a worker that closes may miss the scheduler, which is no error
WORKER_MEMORY = 4e9  # bytes that a worker may need
HIDDEN = {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}

TlsFiles = tuple[Path | None, Path | None, Path | None]  # CA, certificate, key
NO_TLS: TlsFiles = (None, None, None)
Connect = Callable[[], AbstractContextManager[Client]]


def connection(
    plan: BatchPlan, out: Path, workers: int | str | None = None, tls: TlsFiles = NO_TLS
) -> tuple[Connect, int | None]:
    """How to reach the workers of a plan for a set in `out`, and how many threads each has."""
    if workers == SLURM:
        jobs = partial(slurm_jobs, plan.slurm, out / "logs")
        return jobs, plan.threads or plan.slurm.cores
    if isinstance(workers, str):
        return partial(running_scheduler, workers, tls, out), plan.threads
    gpus = torch.cuda.device_count() if plan.device.startswith("cuda") else 0
    count = worker_count(gpus) if workers is None else workers
    if count < 1:
        raise RecipeError(f"workers must be 1 or more, got {count}.")
    threads = plan.threads or threads_each(count)
    return partial(local_workers, count, threads, gpus), threads


def worker_count(gpus: int) -> int:
    """Default number of workers: one for each GPU, or as many as there are cores and memory for."""
    return gpus or max(1, min(allowed_cores()[0], int(MEMORY_LIMIT // WORKER_MEMORY)))


def threads_each(workers: int) -> int:
    """Threads of each worker, so that all together are as many as there are cores."""
    return max(1, allowed_cores()[0] // workers)


@contextmanager
def local_workers(workers: int, threads: int, gpus: int = 0) -> Iterator[Client]:
    """Processes of this machine, for its loopback alone; worker i sees the (i mod gpus)-th GPU."""
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
    """Variables of a worker's process."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    visible = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)}
    return dict.fromkeys(names, str(threads)) | visible


@contextmanager
def running_scheduler(address: str, tls: TlsFiles, folder: Path) -> Iterator[Client]:
    """A running scheduler; RunError unless its workers see `folder` and have this version."""
    with _client(address, tls) as client:
        for worker, facts in client.run(_facts, str(folder.absolute())).items():
            if facts != (True, __version__):
                raise RunError(
                    f"the worker {worker} does not see {folder}, which must be on a disk that all "
                    f"share, or has another version than {__version__}: {facts[1]}."
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
    # What is left of that client is closed now. If the collector came upon it while another one
    # starts, it would wait for ever for a lock that the start holds (seen with distributed 2026.8).
    gc.collect()
    raise RunError(f"no scheduler can be reached at {address}: {reason}.")


def _facts(folder: str) -> tuple[bool, str]:
    """Whether a worker sees a folder, and its version of this package."""
    return Path(folder).is_dir(), __version__


@contextmanager
def slurm_jobs(resources: SlurmResources, logs: Path) -> Iterator[Client]:
    """Workers as jobs of SLURM; their connections are encrypted with keys of this set.

    `logs` is a folder that all nodes see, for what the jobs print, and the keys while they run.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise RunError("--slurm needs pip install 'stst-vision[slurm]'.") from error
    logs.mkdir(parents=True, exist_ok=True)
    try:
        cluster = SLURMCluster(**slurm_options(resources, logs.absolute()))
        cluster.adapt(minimum_jobs=resources.jobs, maximum_jobs=resources.jobs)  # again if one ends
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(f"SLURM takes no jobs: {' '.join(str(error).split())}.") from error
    with cluster, Client(cluster) as client:
        yield client


def slurm_options(resources: SlurmResources, logs: Path) -> dict[str, Any]:
    """Options of dask-jobqueue."""
    variables = environment(resources.cores)
    exports = [f"export {name}={value}" for name, value in variables.items()]
    same = {"memory", "walltime", "queue", "account", "interface"}
    return {
        **resources.model_dump(include=same),
        "cores": 1,  # threads of Dask: one item at a time
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
