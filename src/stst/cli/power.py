"""`stst experiment power`: an effect that is planned -> how many trials and participants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stst.analysis.observers import Plan
from stst.analysis.power import ENOUGH, Powers, needed
from stst.cli import options as o
from stst.cli.show import TERMINAL, say
from stst.errors import RecipeError
from stst.recipe.dotted import place
from stst.workflows.analysis import run_power


def power(
    experiment: Annotated[Path, typer.Argument(help="Folder that `stst experiment new` wrote.")],
    effect: Annotated[
        float,
        typer.Option(
            help="Mean that is expected over participants: d' (natural, detection, abx, oddity), "
            "share right (category) or of space (source), rating (similarity)."
        ),
    ],
    spread: Annotated[
        float, typer.Option(help="Standard deviation between participants, in the same unit.")
    ],
    participants: Annotated[str, typer.Option(help="Numbers of them to try: 8,16,24.")],
    repeats: Annotated[
        str | None, typer.Option(help="Numbers of repeats to try: 1,2,4; else the experiment's.")
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(help="Of what the effect is, if not as above: accuracy, threshold."),
    ] = None,
    null: Annotated[
        float | None,
        typer.Option(help="Value that the interval must leave; chance if it has one."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Compare each condition with this one: power of their difference."),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(help="With --against: how much less it has there; of thresholds a factor."),
    ] = None,
    difference_spread: Annotated[
        float, typer.Option(help="Standard deviation of the difference between participants.")
    ] = 0.0,
    out: o.Out = Path("stst-power"),
    seed: o.Seed = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="More: lapse=0.05, slope=3, simulations=1000, rules.least=20."),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Tell how many trials and participants an effect needs, by simulated experiments.

    Each is analysed as `stst experiment analyze` does. Power is the share of them in which the
    95 % interval over all participants leaves chance; with --against, in which that of the
    difference between conditions leaves 0.
    """
    told = {
        "effect": effect,
        "spread": spread,
        "participants": _numbers(participants, "--participants"),
        "repeats": _numbers(repeats, "--repeats") if repeats else (),
        "measure": measure,
        "null": null,
        "against": against,
        "difference": difference,
        "difference_spread": difference_spread,
        "seed": seed or 0,
    }
    data = Plan.parse(told).model_dump(mode="json")
    for name, value in map(o.setting, settings or []):
        place(data, name, value)
    found = run_power(experiment, Plan.parse(data), out, overwrite=overwrite, report=TERMINAL)
    _tell(found, out)


def _numbers(text: str, option: str) -> Any:  # noqa: ANN401
    _, numbers = o.setting(f"{option}=[{text}]")
    if not numbers:
        raise RecipeError(f"{option} takes numbers, such as 8,16,24; got {text!r}.")
    return numbers


def _tell(found: Powers, out: Path) -> None:
    """How many participants are enough in every cell, for each number of repeats."""
    least = needed(found.rows)
    for repeats in found.plan.repeats:
        each = [people for (_, times), people in least.items() if times == repeats]
        enough = max((p for p in each if p), default=0) if all(each) else None
        told = f"{enough} participants" if enough else "more participants than were tried"
        say(f"{repeats} repeat(s): power of {ENOUGH:.0%} in every condition with {told}.")
    say(f"Written to {out}: open {out / 'index.html'}.")
