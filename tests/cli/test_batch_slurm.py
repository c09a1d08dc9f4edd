"""`stst batch --slurm`: what each job asks for; and a real SLURM, where there is one."""

import gc
import shutil
import subprocess
import sys

import pytest
import yaml
from terminal import manifest_of, waves

from stst.batch.clusters import slurm_options
from stst.batch.plan import SlurmResources
from stst.video.write import write_video

pytest.importorskip("dask_jobqueue", reason="needs pip install 'stst-vision[slurm]'")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of files that dask-jobqueue leaves open
def test_a_job_asks_for_what_the_plan_says(tmp_path):
    from dask_jobqueue import SLURMCluster

    resources = SlurmResources(
        cores=4,
        memory="6GB",
        walltime="02:00:00",
        queue="gpu",
        account="vision",
        directives=("--gres=gpu:1",),
        prologue=("module load cuda",),
    )
    with SLURMCluster(**slurm_options(resources, tmp_path)) as cluster:
        script, address = cluster.job_script().splitlines(), cluster.scheduler_address
    del cluster
    gc.collect()
    for line in (
        *("#SBATCH -p gpu", "#SBATCH -A vision", "#SBATCH -t 02:00:00", "#SBATCH --mem=6G"),
        *("#SBATCH --cpus-per-task=4", "#SBATCH --gres=gpu:1"),
        *("export OMP_NUM_THREADS=4", "module load cuda"),
    ):
        assert line in script
    (command,) = (line for line in script if "dask_worker" in line)
    assert "--nthreads 1" in command
    assert "--preload stst.batch.worker" in command
    assert "--tls-key" in command
    assert address.startswith("tls://")


@pytest.mark.slow
def test_a_real_slurm_makes_a_set(tmp_path):
    if not shutil.which("sinfo"):
        pytest.skip("no SLURM here: sinfo is not found")
    if subprocess.run(["sinfo", "-h"], capture_output=True, timeout=60).returncode:
        pytest.skip("no SLURM answers: sinfo fails")
    write_video(waves(3), tmp_path / "waves.webm")
    plan = {
        "schema": 1,
        "clips": "waves.webm",
        "cut": {"width": 40},
        "streams": {"spatial": "compact"},
        "recipes": {"quick": {"settings": {"octaves": [{"steps": 1}], "pad": 1, "stop": None}}},
        "slurm": {"memory": "2GB", "walltime": "00:10:00", "interface": "lo"},
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    out = tmp_path / "out"
    call = [sys.executable, "-c", "from stst.cli.main import main; main()", "batch", "--slurm"]
    call += [tmp_path / "plan.yaml", "--out", out]
    said = subprocess.run(call, capture_output=True, text=True, timeout=400)
    assert said.returncode == 0, said
    assert "All 2 items are in" in said.stdout
    assert not any("key" in path.name for path in (out / "logs").iterdir())
    assert (
        manifest_of(out / "metamer" / "quick" / "waves" / "seed_0")["environment"]["threads"] == 1
    )
    assert any((out / "logs").glob("dask-worker-*.err"))
