"""What an ablation found: a table as text, and a figure of one outcome."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stst.report.figures import COLOURS

Records = Sequence[Mapping[str, Any]]  # of `stst.workflows.ablation.Finding.record`


def tidy_csv(records: Records) -> str:
    """One line for each outcome of each metamer: factors, seed, outcome, value, error.

    A metamer that could not be made has a single line, with its error and no outcome.

    Examples
    --------
    >>> print(tidy_csv([{"factors": {"pad": "2"}, "seed": 0, "outcomes": {"flicker": 0.5}}]))
    pad,seed,outcome,value,error
    2,0,flicker,0.5,
    <BLANKLINE>
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*records[0]["factors"], "seed", "outcome", "value", "error"])
    for record in records:
        start = [*record["factors"].values(), record["seed"]]
        for outcome, value in record["outcomes"].items():
            table.writerow([*start, outcome, "" if math.isnan(value) else f"{value:.6g}", ""])
        if record.get("error"):
            table.writerow([*start, "", "", record["error"]])
    return text.getvalue()


def outcome_names(records: Records) -> list[str]:
    """Outcomes that any of the metamers has, in their order."""
    return list(dict.fromkeys(name for record in records for name in record["outcomes"]))


def outcome_figure(
    records: Records, outcome: str, *, label: str = "", alike: float | None = None
) -> Figure:
    """Draw an outcome against the levels of each factor: a panel for each.

    Parameters
    ----------
    records : sequence of mapping
        As `stst.workflows.ablation.Finding.record`; those without the outcome are left out.
    outcome : str
        Which; the title.
    label : str
        Of the ordinate.
    alike : float, optional
        The value of a clip that is as the natural one: a dashed line.

    Returns
    -------
    matplotlib.figure.Figure
        A point for each metamer, of a colour and form for each seed, and a bar at their mean.

    Examples
    --------
    >>> record = {"factors": {"pad": "2"}, "seed": 0, "outcomes": {"flicker": 0.5}}
    >>> [axes.get_xlabel() for axes in outcome_figure([record], "flicker").axes]
    ['pad']
    """
    factors = {
        name: list(dict.fromkeys(record["factors"][name] for record in records))
        for name in records[0]["factors"]
    }
    widths = [1 + len(levels) for levels in factors.values()]
    figure = Figure(figsize=(2 + 0.95 * sum(widths), 4), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(factors), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, (factor, levels) in zip(panels, factors.items(), strict=True):
        _draw(axes, records, outcome, factor, levels)
        if alike is not None:
            axes.axhline(alike, color="0.6", linewidth=1, linestyle="--", zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(outcome)
    panels[0].set_ylabel(fill(label, 40))
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _draw(axes: Axes, records: Records, outcome: str, factor: str, levels: Sequence[str]) -> None:
    seeds = list(dict.fromkeys(record["seed"] for record in records))
    for seed, colour, marker in zip(seeds, cycle(COLOURS), cycle("os^Dv"), strict=False):
        found = [
            (levels.index(record["factors"][factor]), record["outcomes"].get(outcome, np.nan))
            for record in records
            if record["seed"] == seed
        ]
        places, values = zip(*found, strict=True)
        axes.plot(places, values, marker, color=colour, alpha=0.8, label=f"seed {seed}")
    for place, level in enumerate(levels):
        here = [
            r["outcomes"].get(outcome, np.nan) for r in records if r["factors"][factor] == level
        ]
        if known := [value for value in here if np.isfinite(value)]:
            axes.hlines(np.mean(known), place - 0.3, place + 0.3, "black", linewidth=1.5)
    axes.set_xticks(range(len(levels)), [fill(level, 14) for level in levels], fontsize=8)
    axes.set(xlabel=factor, xlim=(-0.6, len(levels) - 0.4))
