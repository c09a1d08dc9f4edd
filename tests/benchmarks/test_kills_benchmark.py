"""A few of the kills that `benchmarks/kills.py` makes: of the whole command, films and all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on_to_the_files_of_one_that_is_not():
    paths = os.pathsep.join(os.path.abspath(path) for path in filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, SCRIPT, "--kills", "3"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 are those of the unbroken run" in done.stdout
