"""Import before torch: sets this process up as the command line sets up its own."""

from __future__ import annotations

import sys
from pathlib import Path

from stst.workflows.process import prepare

prepare()
sys.path.append(str(Path(__file__).parents[1] / "tools"))  # for the film that they take
