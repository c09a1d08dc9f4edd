"""`stst batch`: all stimuli of a plan, on this machine or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.batch.items import items_of
from stst.batch.plan import read_plan, refusal
from stst.cli.checking import check as tell
from stst.cli.options import Out, Overwrite


def batch(
    plan: Annotated[Path, typer.Argument(help="A YAML file: docs/batch.md says what it holds.")],
    out: Out = Path("stst-out"),
    check: Annotated[
        bool, typer.Option("--check", help="Say what would be made and what it takes; make nothing")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of this machine; else as many as fit.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a set of stimuli: natural clips, metamers, factorised pairs, controls.

    The same command goes on where it was stopped, and makes nothing twice.
    """
    wanted, wrong = read_plan(plan)
    items, more = items_of(wanted, plan.absolute().parent, out)
    if wrong := wrong + more:
        raise refusal(plan, wrong)
    if check:
        tell(items, out)
        return
    # Dask takes a second to be loaded, which no other command shall wait for.
    from stst.cli.machines import machine
    from stst.cli.sets import carry_out

    connect, threads = machine(wanted, workers)
    carry_out(wanted, items, out, connect, threads=threads, overwrite=overwrite)
