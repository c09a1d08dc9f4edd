"""`benchmarks/batch_throughput.py` with a few items: both ways make them all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "batch_throughput.py"


@pytest.mark.slow
def test_the_ratio_and_the_memory_are_told():
    paths = os.pathsep.join(os.path.abspath(path) for path in filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, SCRIPT, "--items", "4"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "throughput of the set / that of bare processes: " in done.stdout
    assert "MB in the middle" in done.stdout
