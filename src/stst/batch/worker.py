"""What a worker of Dask imports first: ``dask worker ... --preload stst.batch.worker``."""

from __future__ import annotations

import signal

from stst.jobs.machine import prepare

prepare()

import stst.batch.making  # noqa: E402, F401  before the first order, and after `prepare`


def dask_setup(_: object) -> None:
    """Leave Ctrl-C to the process that the set was begun from; Dask calls this in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
