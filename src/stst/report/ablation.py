"""Results of an ablation: tables, and a figure of one outcome."""

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
    """Make a tidy table of the outcomes of an ablation.

    Parameters
    ----------
    records : sequence of mapping
        One record per metamer, with ``factors``, ``seed``, ``outcomes`` and ``error``.

    Returns
    -------
    DataFrame
        One row per metamer and outcome, with the factors, ``seed``, ``outcome``, ``value`` and
        ``error``. A metamer that failed has one row, with its error and without outcome.

    Examples
    --------
    >>> record = {"factors": {"pad": "2"}, "seed": 0, "outcomes": {"flicker": 0.1}, "error": ""}
    >>> tidy_table([record]).values.tolist()
    [['2', 0, 'flicker', 0.1, '']]
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
    r"""Format the outcomes of an ablation as CSV.

    Parameters
    ----------
    records : sequence of mapping
        Records, as for `tidy_table`.

    Returns
    -------
    str
        The table of `tidy_table`, with six digits.

    Examples
    --------
    >>> record = {"factors": {"pad": "2"}, "seed": 0, "outcomes": {"flicker": 0.1}, "error": ""}
    >>> tidy_csv([record])
    'pad,seed,outcome,value,error\n2,0,flicker,0.1,\n'
    """
    table = tidy_table(records)
    return str(table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def outcome_names(records: Records) -> list[str]:
    """List the outcomes of an ablation.

    Parameters
    ----------
    records : sequence of mapping
        Records, as for `tidy_table`.

    Returns
    -------
    list of str
        Names of all outcomes, in order.

    Examples
    --------
    >>> outcome_names([{"outcomes": {"flicker": 0.1}}, {"outcomes": {"high_frequency": 0.9}}])
    ['flicker', 'high_frequency']
    """
    return list(dict.fromkeys(name for record in records for name in record["outcomes"]))


def outcome_figure(
    records: Records, outcome: str, *, label: str = "", alike: float | None = None
) -> Figure:
    """Draw one outcome against the levels of each factor.

    Parameters
    ----------
    records : sequence of mapping
        Records, as for `tidy_table`.
    outcome : str
        Outcome to draw.
    label : str, optional
        Label of the vertical axis; by default the name of the outcome.
    alike : float, optional
        Value of the outcome for a clip identical to the natural clip, drawn as a dashed line.

    Returns
    -------
    Figure
        One panel per factor, one point per metamer, with a bar at the mean of each level. Colour
        and marker give the seed.

    Examples
    --------
    >>> record = {"factors": {"pad": "2"}, "seed": 0, "outcomes": {"flicker": 0.1}, "error": ""}
    >>> outcome_figure([record], "flicker").axes[0].get_xlabel()
    'pad'
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
