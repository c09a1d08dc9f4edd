"""Import before torch: sets this process up as the command line sets up its own."""

from __future__ import annotations

from stst.workflows.machine import prepare

prepare()
