"""`stst batch`: all stimuli of a plan, on this machine or a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar, cast

import typer

from stst.batch.run import EndedItem, check_batch, run_batch
from stst.cli.options import Out, Overwrite
from stst.cli.show import TERMINAL, Terminal
from stst.cli.texts import console, say
from stst.errors import RecipeError, RunError
from stst.synthesis.estimate import duration
from stst.workflows.process import Stopping

Item = TypeVar("Item")


def batch(
    plan: Annotated[Path, typer.Argument(help="Plan of the set, a YAML file (docs/batch.md).")],
    out: Out = Path("stst-out"),
    check: Annotated[
        bool, typer.Option("--check", help="Only check the clips, list items and cost.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; by default as many as fit.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Use this Dask scheduler: tcp://host:8786, tls://...")
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="CA certificate of a tls:// scheduler (PEM).")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Your certificate for it (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Your private key for it (PEM).")] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Submit SLURM jobs with the resources in the plan.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a stimulus set: natural clips, metamers, factorised pairs, controls.

    If it was stopped, the same command continues; nothing is made twice.
    """
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
    """Prints a line for each item that failed; in a file or a pipe, for each item."""

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Pass ended items on behind a bar."""
        began, drawn = time.monotonic(), console.is_interactive
        shown = super().track(items, text, total) if drawn else items
        for count, item in enumerate(shown, 1):
            ended = cast(EndedItem, item)
            if ended.reason or not drawn:
                left = duration((time.monotonic() - began) / count * (total - count))
                what = ended.reason or ended.outcome.state
                say(f"{count}/{total} {ended.item.name}: {what} ({left} left)")
            yield item
