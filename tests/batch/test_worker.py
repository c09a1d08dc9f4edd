"""What a worker of a local cluster is like."""

import os

import dask
import pytest

from stst.batch.clusters import local_workers
from stst.batch.worker import TRIM


def found():
    """In a worker: what glibc was asked for by way of the environment, and the profiler."""
    return os.environ.get(TRIM), dask.config.get("distributed.worker.profile.enabled")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("set_by_user", "left"),
    [("131072", "131072"), (None, None)],
)
def test_settings_of_dask_are_taken_back_and_those_of_the_user_are_not(
    monkeypatch, set_by_user, left
):
    monkeypatch.delenv(TRIM, raising=False)  # Dask leaves its own in the process that begins it
    if set_by_user:
        monkeypatch.setenv(TRIM, set_by_user)
    with local_workers(1, threads=1) as client:
        assert list(client.run(found).values()) == [(left, False)]
