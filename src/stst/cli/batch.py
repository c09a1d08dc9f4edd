"""`stst batch`: all stimuli of a plan, on this machine or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.batch.items import items_of
from stst.batch.plan import read_plan, refusal
from stst.cli.checking import check as tell
from stst.cli.options import Out, Overwrite
from stst.errors import RecipeError


def batch(
    plan: Annotated[Path, typer.Argument(help="A YAML file: docs/batch.md says what it holds.")],
    out: Out = Path("stst-out"),
    check: Annotated[
        bool, typer.Option("--check", help="Say what would be made and what it takes; make nothing")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of this machine; else as many as fit.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Workers of a scheduler of Dask: tcp://host:8786, tls://...")
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="CA of a tls:// scheduler, PEM.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Your certificate for it, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of that, PEM.")] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Jobs of SLURM, with the resources of the plan.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a set of stimuli: natural clips, metamers, factorised pairs, controls.

    The same command goes on where it was stopped, and makes nothing twice.
    """
    if sum((workers is not None, scheduler is not None, slurm)) > 1:
        raise RecipeError("give one of --workers, --scheduler and --slurm, not several.")
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

    connect, threads = machine(
        wanted,
        out,
        workers=workers,
        scheduler=scheduler,
        tls=(tls_ca, tls_cert, tls_key),
        slurm=slurm,
    )
    carry_out(wanted, items, out, connect, threads=threads, overwrite=overwrite)
