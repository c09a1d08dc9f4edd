"""`stst batch`: make a stimulus set from a plan, on this machine or a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar, cast

import typer

from stst.batch.run import EndedItem, check_batch, run_batch
from stst.cli.options import MACHINE, Out
from stst.cli.show import TERMINAL, Terminal
from stst.cli.texts import console, say
from stst.errors import RecipeError, RunError
from stst.synthesis.estimate import duration
from stst.workflows.process import Stopping

Item = TypeVar("Item")


def batch(
    plan: Annotated[
        Path, typer.Argument(help="Plan of the set: a YAML file (see docs/reference/batch.md).")
    ],
    out: Out = Path("stst-out"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Check all clips, list the items and their cost, then stop."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option(help="Replace items that have other settings.", show_default=False)
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Number of processes on this machine; by default as many as cores and memory "
            "allow, or one per GPU.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    slurm: Annotated[
        bool,
        typer.Option(
            "--slurm",
            help="Submit SLURM jobs with the resources in the plan.",
            rich_help_panel=MACHINE,
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a running Dask scheduler: tcp://host:8786 or tls://host:8786.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            help="CA certificate of a tls:// scheduler (PEM file).", rich_help_panel=MACHINE
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            help="Your certificate for a tls:// scheduler (PEM file).", rich_help_panel=MACHINE
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(
            help="Your private key for a tls:// scheduler (PEM file).", rich_help_panel=MACHINE
        ),
    ] = None,
) -> None:
    """Make a whole stimulus set from a plan: natural clips, metamers, factorised pairs, controls.

    Run the same command again to continue a stopped set. Finished items are kept.
    """
    if (workers is not None) + (scheduler is not None) + slurm > 1:
        raise RecipeError("give only one of --workers, --scheduler and --slurm.")
    if check:
        check_batch(plan, out, TERMINAL)
        return
    with Stopping("to continue, run the same command"):
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
            f"{len(result.failed)} of {len(result.items)} items failed; see "
            f"{out / 'failed.json'}. Run the same command to try them again; the others are kept."
        )
    say(
        f"All {len(result.items)} items are in {out}. stimuli.csv lists them; "
        "contact_sheet_001.png shows them."
    )


class ItemTerminal(Terminal):
    """Print a line for each failed item; in a file or pipe, for every item."""

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Yield the ended items and move a bar."""
        began, drawn = time.monotonic(), console.is_interactive
        shown = super().track(items, text, total) if drawn else items
        for count, item in enumerate(shown, 1):
            ended = cast(EndedItem, item)
            if ended.reason or not drawn:
                left = duration((time.monotonic() - began) / count * (total - count))
                result = ended.reason or ended.outcome.state
                say(f"{count}/{total} {ended.item.name}: {result} ({left} left)")
            yield item
