"""Set up this process like the command line; import this before torch."""

from __future__ import annotations

import sys
from pathlib import Path

from stst.workflows.process import prepare

prepare()
sys.path.append(str(Path(__file__).parents[1] / "tools"))  # for the film that they take
