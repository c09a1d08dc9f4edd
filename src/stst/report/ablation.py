"""What an ablation found: a table as text, and a figure of one outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stst.drawing.figures import COLOURS, MARKERS, make_panels

Records = Sequence[Mapping[str, Any]]  # of `stst.workflows.ablation.Finding.record`


def tidy_table(records: Records) -> pd.DataFrame:
    """A row for each outcome of each metamer: factors, seed, outcome, value, error.

    A metamer that could not be made has a single row, with its error and no outcome.
    """
    rows = [
        (*record["factors"].values(), record["seed"], outcome, value, error)
        for record in records
        for outcome, value, error in [
            *((name, value, "") for name, value in record["outcomes"].items()),
            *([("", None, record["error"])] if record.get("error") else []),
        ]
    ]
    columns = [*records[0]["factors"], "seed", "outcome", "value", "error"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float})


def tidy_csv(records: Records) -> str:
    """The `tidy_table` as CSV."""
    table = tidy_table(records)
    return str(table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def outcome_names(records: Records) -> list[str]:
    """Outcomes that any of the metamers has, in their order."""
    return list(dict.fromkeys(name for record in records for name in record["outcomes"]))


def outcome_figure(
    records: Records, outcome: str, *, label: str = "", alike: float | None = None
) -> Figure:
    """Draw an outcome against the levels of each factor: a panel for each.

    A point for each metamer that has it, of a colour and form for each seed, and a bar at their
    mean. `alike`, the value of a clip that is as the natural one, is a dashed line.
    """
    factors = {
        name: list(dict.fromkeys(record["factors"][name] for record in records))
        for name in records[0]["factors"]
    }
    rows = tidy_table(records)
    rows = rows[rows["outcome"] == outcome]
    widths = [1 + len(levels) for levels in factors.values()]
    size = (2 + 0.95 * sum(widths), 4)
    figure, (panels,) = make_panels(1, len(factors), size=size, sharey=True, width_ratios=widths)
    for axes, (factor, levels) in zip(panels, factors.items(), strict=True):
        _draw(axes, rows, factor, levels)
        if alike is not None:
            axes.axhline(alike, color="0.6", linewidth=1, linestyle="--", zorder=0)
    figure.suptitle(outcome)
    panels[0].set_ylabel(fill(label or outcome, 40))
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, factor: str, levels: Sequence[str]) -> None:
    looks = zip(cycle(COLOURS), cycle(MARKERS), strict=False)
    for (seed, own), (colour, marker) in zip(rows.groupby("seed", sort=False), looks, strict=False):
        places = own[factor].map(levels.index)
        axes.plot(places, own["value"], marker, color=colour, alpha=0.8, label=f"seed {seed}")
    for level, mean in rows.groupby(factor, sort=False)["value"].mean().dropna().items():
        place = levels.index(level)
        axes.hlines(mean, place - 0.3, place + 0.3, "black", linewidth=1.5)
    axes.set_xticks(range(len(levels)), [fill(level, 14) for level in levels], fontsize=8)
    axes.set(xlabel=factor, xlim=(-0.6, len(levels) - 0.4))
