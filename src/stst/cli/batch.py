"""`stst batch`: all stimuli of a plan, on this machine or a cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from stst.batch.check import check as tell
from stst.batch.items import planned
from stst.cli.options import Out, Overwrite
from stst.cli.show import TERMINAL, console, progress, say
from stst.errors import RunError
from stst.synthesis.estimate import duration
from stst.workflows.stopping import Stopping

if TYPE_CHECKING:
    from stst.batch.stages import Progress


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
    if check:
        _, items = planned(plan, out)
        tell(items, out, TERMINAL)
        return
    # Dask takes a second to be loaded, which no other command shall wait for.
    from stst.batch.sets import make_set

    with Stopping("go on with the same command"), Bar() as bar:
        made = make_set(
            plan,
            out,
            workers=workers,
            scheduler=scheduler,
            tls=(tls_ca, tls_cert, tls_key),
            slurm=slurm,
            overwrite=overwrite,
            progress=bar.show,
        )
    if made.failed:
        raise RunError(
            f"{len(made.failed)} of {len(made.items)} items could not be made; "
            f"{out / 'failed.json'} says why. The same command tries them again and keeps the "
            "others."
        )
    say(
        f"All {len(made.items)} items are in {out}: stimuli.csv lists them, "
        "contact_sheet_001.png shows."
    )


class Bar:
    """The items of each stage behind a bar; where that cannot be drawn, a line for each."""

    def __init__(self) -> None:
        self._bar = progress()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, at: Progress) -> None:
        """Show how far a stage is."""
        if not at.ended:
            self._task = self._bar.add_task(f"{at.total} items", total=at.total)
            self._began = time.monotonic()
            return
        left = (time.monotonic() - self._began) / at.ended * (at.total - at.ended)
        if at.failed or not console.is_terminal:
            say(f"{at.ended}/{at.total} {at.name}: {at.told} ({duration(left)} left)")
        self._bar.update(self._task, completed=at.ended)
