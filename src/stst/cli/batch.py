"""`stst batch`: all stimuli of a plan, on this machine or a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from stst.cli.options import Out, Overwrite
from stst.cli.show import TERMINAL, Terminal, console, say
from stst.errors import RecipeError, RunError
from stst.synthesis.estimate import duration
from stst.workflows.stopping import Stopping

if TYPE_CHECKING:
    from stst.batch.schedule import EndedItem

Item = TypeVar("Item")


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
    # Dask takes a second to be loaded, which no other command shall wait for.
    from stst.batch.run import check_batch, run_batch

    if (workers is not None) + (scheduler is not None) + slurm > 1:
        raise RecipeError("give one of --workers, --scheduler and --slurm, not several.")
    if check:
        check_batch(plan, out, TERMINAL)
        return
    with Stopping("go on with the same command"):
        result = run_batch(
            plan,
            out,
            workers="slurm" if slurm else scheduler or workers,
            tls=(tls_ca, tls_cert, tls_key),
            overwrite=overwrite,
            report=ItemTerminal(),
        )
    if result.failed:
        raise RunError(
            f"{len(result.failed)} of {len(result.items)} items could not be made; "
            f"{out / 'failed.json'} says why. The same command tries them again and keeps the "
            "others."
        )
    say(
        f"All {len(result.items)} items are in {out}: stimuli.csv lists them, "
        "contact_sheet_001.png shows."
    )


class ItemTerminal(Terminal):
    """Shows a line for each item that failed; where no bar can be drawn, for each item."""

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Pass ended items on behind a bar."""
        began = time.monotonic()
        for count, item in enumerate(super().track(items, text, total), 1):
            ended = cast("EndedItem", item)
            if ended.reason or not console.is_terminal:
                left = duration((time.monotonic() - began) / count * (total - count))
                what = ended.reason or ended.outcome.state
                say(f"{count}/{total} {ended.item.name}: {what} ({left} left)")
            yield item
