"""Set up a Dask worker; imported first with ``dask worker ... --preload stst.batch.worker``."""

from __future__ import annotations

import os
import signal

import dask

from stst.workflows.process import prepare

TRIM = "MALLOC_TRIM_THRESHOLD_"


def undo_dask_settings() -> None:
    """Undo settings of Dask that slow items down; settings of the user are kept.

    Dask's nanny asks glibc to return memory at once, which `prepare` would take for a setting of
    the user. Its profiler interrupts a worker a hundred times a second.
    """
    by_dask = dask.config.get(f"distributed.nanny.pre-spawn-environ.{TRIM}", None)
    if os.environ.get(TRIM) == str(by_dask):
        del os.environ[TRIM]
    dask.config.set({"distributed.worker.profile.enabled": False})


undo_dask_settings()
prepare()

import stst.batch.make_item  # noqa: E402, F401  before the first item, but after `prepare`


def dask_setup(_: object) -> None:
    """Leave Ctrl-C to the process that started the set; Dask calls this in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
