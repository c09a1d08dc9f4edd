"""`stst experiment analyze`: responses -> tables, figures and one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.analysis.reading import Rules
from stst.cli import options as o
from stst.cli.show import TERMINAL, say
from stst.workflows.analysis import run_analysis


def analyze(
    responses: Annotated[
        list[Path], typer.Argument(help="Tables of responses, or folders of such.")
    ],
    out: o.Out = Path("stst-analysis"),
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help=f"Change a rule: least=20. Rules: {', '.join(Rules.model_fields)}."
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option("--mixed", help="A mixed-effects model of all trials, too (extra mixed)."),
    ] = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Analyse responses: exclusions by declared rules, results with intervals, one page."""
    rules = Rules.parse(dict(map(o.setting, settings or [])))
    found = run_analysis(responses, out, rules, mixed=mixed, overwrite=overwrite, report=TERMINAL)
    for row in found.exclusions:
        say(f"Left out: {row.trials} of {row.of} trials of {row.participant} ({row.rule}).")
    for note in found.notes:
        say(f"Note: {note}")
    say(
        f"{len(found.trials)} trials of {len(found.participants)} participant(s). "
        f"Written to {out}: open {out / 'index.html'}."
    )
