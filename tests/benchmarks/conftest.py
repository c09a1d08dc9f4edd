"""The benchmarks are scripts beside the package: their folder is where they are found."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
