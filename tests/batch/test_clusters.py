"""Schedulers that are running: encrypted, or of no use."""

import gc

import pytest
from distributed import Client, LocalCluster, Security

from stst.batch.clusters import connection, running_scheduler, threads_each, worker_count
from stst.batch.plan import BatchPlan
from stst.errors import RecipeError, RunError


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """The address of an encrypted scheduler, and the files to reach it with."""
    pytest.importorskip("cryptography", reason="needs pip install 'stst-vision[slurm]'")
    folder, keys = tmp_path_factory.mktemp("tls"), Security.temporary()
    texts = (keys.tls_ca_file, keys.tls_client_cert, keys.tls_client_key)
    files = tuple(folder / f"{index}.pem" for index in range(3))
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    options = {"n_workers": 1, "processes": False, "protocol": "tls://", "host": "127.0.0.1"}
    with LocalCluster(**options, security=keys, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address, files


def test_certificates_are_passed_on(encrypted, tmp_path):
    address, files = encrypted
    with running_scheduler(address, files, tmp_path) as client:
        assert client.security.require_encryption
        assert client.submit(int, "3").result() == 3


def test_no_certificates_is_an_error_line(encrypted, tmp_path):
    address, _ = encrypted
    with (
        pytest.raises(RunError, match="no Dask scheduler can be reached"),
        running_scheduler(address, (None, None, None), tmp_path),
    ):
        pass


def test_a_client_that_reached_nothing_is_not_left_to_the_collector(encrypted, tmp_path):
    address, _ = encrypted
    for _ in range(2):
        with pytest.raises(RunError), running_scheduler(address, (None, None, None), tmp_path):
            pass
        left = [one for one in gc.get_objects() if issubclass(type(one), Client)]
        assert [one.status for one in left if one.status != "closed"] == []


def test_a_worker_that_does_not_see_the_folder_is_refused(encrypted, tmp_path):
    address, files = encrypted
    with (
        pytest.raises(RunError, match="does not see"),
        running_scheduler(address, files, tmp_path / "none"),
    ):
        pass


def test_workers_and_threads_share_the_cores():
    assert worker_count(3) == 3
    assert worker_count(0) * threads_each(worker_count(0)) >= 1
    assert threads_each(10**6) == 1


def test_less_than_one_worker_is_refused(tmp_path):
    plan = BatchPlan.model_validate({"schema": 1, "clips": "*.mp4"})
    assert connection(plan, tmp_path, 1)[1] == threads_each(1)
    with pytest.raises(RecipeError, match="workers must be at least 1, got 0"):
        connection(plan, tmp_path, 0)
