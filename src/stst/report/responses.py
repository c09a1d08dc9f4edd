"""Figures and the page of an analysed experiment; the page is one file without a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from stst._version import __version__
from stst.analysis.analyze import Analysis
from stst.analysis.cells import ALL, ARROW, CellEstimate
from stst.analysis.intervals import Numbers
from stst.analysis.psychometric import weibull
from stst.analysis.reading import grouped
from stst.analysis.sensitivity import CHANCE
from stst.drawing.figures import (
    COLOURS,
    MARKERS,
    NotebookFigure,
    bounds_note,
    draw_bounds,
    log_scale,
    make_panels,
    png_bytes,
)
from stst.report.evaluation import Picture
from stst.report.page import html
from stst.report.surface import surface_picture

_UNITS = {
    "accuracy": "proportion correct",
    "d'": "standard deviations",
    "criterion": "standard deviations; above 0: the second is preferred",
    "rating": "1 to 7",
    "space chosen": "proportion of responses",
    "sensitivity": "1 / contrast",
}
_RATIOS = ("threshold", "sensitivity")  # measures on a logarithmic axis


def pictures(analysis: Analysis) -> dict[str, Picture]:
    """Draw all measures of an analysis.

    Parameters
    ----------
    analysis : Analysis
        Results of an experiment.

    Returns
    -------
    dict of str to Picture
        Figures by file name without extension, with titles and alternative texts.
    """
    measures = dict.fromkeys(row.measure for row in analysis.estimates)
    drawn = {
        name.replace("'", "").replace(" ", "_"): Picture(
            png_bytes(measure_figure(analysis, name)),
            name,
            f"{name} of each condition: grey points are participants, blue diamonds the mean of "
            "all with the bounds named at the axis. The table below has the numbers.",
        )
        for name in measures
        if name not in ("slope", "lapse", "answers")
    }
    if "answers" in measures:
        text = "Matrix: proportion of each response (column) to each stimulus (row)."
        drawn["answers"] = Picture(png_bytes(confusion_figure(analysis)), "answers", text)
    if "threshold" in measures:
        text = (
            "Accuracy by level (logarithmic) with bounds, and psychometric functions, the mean of "
            "all participants' functions; white symbols: mean thresholds; dashed: chance."
        )
        png = png_bytes(function_figure(analysis))
        drawn["functions"] = Picture(png, "psychometric functions", text)
    if analysis.frequencies:
        drawn["surface"] = surface_picture(summary(analysis), analysis.frequencies)
    return drawn


def summary(analysis: Analysis) -> list[CellEstimate]:
    """Select the estimates of all participants together, or of the only one.

    Parameters
    ----------
    analysis : Analysis
        Results of an experiment.

    Returns
    -------
    list of CellEstimate
        Rows of the page's table.
    """
    several = len(analysis.participants) > 1
    return [row for row in analysis.estimates if not several or row.participant == ALL]


def measure_figure(analysis: Analysis, measure: str) -> Figure:
    """Draw participants as points and their mean with bounds, by condition.

    Parameters
    ----------
    analysis : Analysis
        Results of an experiment.
    measure : str
        A measure of `analysis.estimates`.

    Returns
    -------
    matplotlib.figure.Figure
        One panel. White points are participants whose threshold has no bound on a side: they are
        in no mean.
    """
    rows = [row for row in analysis.estimates if row.measure == measure]
    labels = {label: place for place, label in enumerate(dict.fromkeys(map(cell_label, rows)))}
    figure, ((axes,),) = make_panels(1, 1, size=(8, 1.3 + 0.4 * len(labels)))
    outside = [measure in _RATIOS and not row.bounded for row in rows]
    for row, open_side in zip(rows, outside, strict=True):
        if row.participant != ALL:
            fill = "white" if open_side else "0.6"
            place = labels[cell_label(row)] + 0.2
            axes.plot(row.value, place, "o", color="0.6", markerfacecolor=fill, markersize=4)
    means = _table(row for row in summary(analysis) if row.measure == measure)
    places = [labels[cell_label(row)] for row in means.itertuples()]
    draw_bounds(axes.hlines, places, means, COLOURS[0], "value")
    axes.plot(means["value"], places, "D", color=COLOURS[0])
    if rows and math.isfinite(rows[0].chance):
        axes.axvline(rows[0].chance, color="0.3", linestyle="--", linewidth=1)
        axes.set_title("dashed: no sensitivity", fontsize=9, loc="right")
    axes.set_yticks(list(labels.values()), list(labels))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    level = "contrast" if analysis.task == "detection" else "duration, s"
    axes.set_xlabel(f"{measure} ({_UNITS.get(measure, level)})")
    if measure in _RATIOS:
        log_scale(axes, "x")
        _fit_ratios(axes, [*(row.value for row in rows), *means["low"], *means["high"]])
    white = "white: no bound on a side" * any(outside)
    notes = filter(None, (bounds_note(means["bounds"]), white))
    axes.set_xlabel("\n".join(filter(None, (axes.get_xlabel(), "; ".join(notes)))))
    axes.set_ylabel(", ".join(_factors(rows, level)))
    return figure


def _fit_ratios(axes: Axes, values: Sequence[float]) -> None:
    """Show all values and bounds on a logarithmic axis, and label it in plain numbers."""
    known = [value for value in values if math.isfinite(value)]
    axes.set_xlim(min(known) / 1.5, max(known) * 1.5)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _table(rows: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=CellEstimate._fields)


def _factors(rows: Sequence[CellEstimate], level: str) -> list[str]:
    """Names of the parts of the labels."""
    return [
        name
        for name, known in (
            ("condition", any(row.condition for row in rows)),
            ("band", any(row.band for row in rows)),
            (level, any(not math.isnan(row.level) for row in rows)),
        )
        if known
    ] or ["all trials"]


def cell_label(row: Any) -> str:  # noqa: ANN401
    """Label of a cell: condition, band and level of a row, as far as it has them."""
    level = "" if math.isnan(row.level) else f"{row.level:g}"
    return ", ".join(filter(None, (row.condition, row.band, level)))


def function_figure(analysis: Analysis) -> Figure:
    """Draw psychometric functions through the accuracy at each level.

    With several participants the curve is the mean of their functions, so that it passes through
    their common accuracy. Below the data are the thresholds with their bounds. Each condition and
    band has a colour and a marker.

    Parameters
    ----------
    analysis : Analysis
        Results with thresholds.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    rows = summary(analysis)
    lines = dict.fromkeys(row[1:3] for row in analysis.estimates if row.measure == "threshold")
    looks = dict(zip(lines, zip(cycle(COLOURS), cycle(MARKERS), strict=False), strict=False))
    accuracy = [row for row in rows if row.measure == "accuracy" and row.level > 0]
    means = [row for row in rows if row.measure == "threshold" and row.bounded]
    figure, ((axes,),) = make_panels(1, 1, size=(8, 5))
    for index, (line, (colour, marker)) in enumerate(looks.items()):
        points = _table(row for row in accuracy if row[1:3] == line)
        apart = points["level"] * 1.02**index  # so that bounds do not cover each other
        draw_bounds(axes.vlines, apart, points, colour, "value")
        label = ", ".join(filter(None, line)) or "all trials"
        axes.plot(apart, points["value"], marker, color=colour, label=label)
        levels = _dense(points["level"])
        axes.plot(levels, mean_function(analysis, line, levels), color=colour)
    bottom = min(0.32, *(min(row.value, row.low) for row in accuracy))
    for place, row in enumerate(means, 1):
        colour, marker = looks[row[1:3]]
        height = bottom - 0.03 * place
        draw_bounds(axes.hlines, [height], _table([row]), colour, "value")
        axes.plot(row.value, height, marker, color=colour, markerfacecolor="white")
    level = "contrast" if analysis.task == "detection" else "duration, s"
    ylim = (bottom - 0.03 * (len(means) + 1), 1.02)
    axes.set(xlabel=level, ylabel="accuracy (proportion correct)", ylim=ylim)
    log_scale(axes, "x")
    note = bounds_note(row.bounds for row in [*accuracy, *means])
    axes.set_xlabel(f"{axes.get_xlabel()}\n{'white: threshold; ' * bool(means)}{note}")
    ticks = sorted({row.level for row in accuracy})
    axes.set_xticks(ticks, [f"{level:g}" for level in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axhline(CHANCE[analysis.task], color="0.3", linestyle="--", linewidth=1, label="chance")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _dense(levels: pd.Series) -> Numbers:
    """Points of a curve: the levels themselves, and many between them."""
    return np.union1d(levels, np.geomspace(levels.min(), levels.max(), 200))


def mean_function(analysis: Analysis, line: tuple[str, str], levels: Numbers) -> Numbers:
    """Average the fitted psychometric functions of all participants.

    Parameters
    ----------
    analysis : Analysis
        Results with thresholds.
    line : (str, str)
        Condition and band.
    levels : ndarray
        Durations or contrasts, (n,).

    Returns
    -------
    ndarray
        Mean proportion correct, (n,).
    """
    own = [row for row in analysis.estimates if row[1:3] == line and row.participant != ALL]
    curves = []
    for rows in grouped(own, lambda row: row.participant).values():
        values = {row.measure: np.array(row.value) for row in rows}
        if "threshold" in values:
            threshold, slope, lapse = (values[name] for name in ("threshold", "slope", "lapse"))
            curves.append(weibull(levels, threshold, slope, lapse, CHANCE[analysis.task]))
    return np.asarray(np.mean(curves, axis=0))


def confusion_figure(analysis: Analysis) -> Figure:
    """Draw the proportions of responses as a matrix for each condition.

    Parameters
    ----------
    analysis : Analysis
        Results of the task `category` or `naming`.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each condition, with numbers.
    """
    rows = [row for row in summary(analysis) if row.measure == "answers"]
    labels = dict.fromkeys(cell_label(row) for row in rows)
    figure = NotebookFigure(figsize=(6, 5 * len(labels)), dpi=150, layout="constrained")
    for axes, label in zip(figure.subplots(len(labels), squeeze=False)[:, 0], labels, strict=True):
        own = {tuple(row.response.split(ARROW)): row for row in rows if cell_label(row) == label}
        stimuli, answers = (sorted({pair[side] for pair in own}) for side in (0, 1))
        shares = np.array(
            [[own[stimulus, answer].value for answer in answers] for stimulus in stimuli]
        )
        axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
        for (y, x), value in np.ndenumerate(shares):
            ink = "black" if value > 0.5 else "white"
            axes.text(x, y, f"{value:.2f}", color=ink, ha="center", va="center")
        axes.set_xticks(range(len(answers)), answers, rotation=45, ha="right")
        axes.set_yticks(range(len(stimuli)), stimuli)
        axes.set(title=f"{label}\nproportion of responses", xlabel="response", ylabel="stimulus")
    return figure


def analysis_page(analysis: Analysis, drawn: Mapping[str, Picture], citation: str) -> str:
    """Write the page of an analysis.

    Parameters
    ----------
    analysis : Analysis
        Results of an experiment.
    drawn : mapping of str to Picture
        Figures, by `pictures`.
    citation : str
        How to cite the package.

    Returns
    -------
    str
        HTML with the figures inside.
    """
    return html(
        "responses.html",
        found=analysis,
        rows=summary(analysis),
        drawn=drawn,
        rules=analysis.rules.model_dump(mode="json").items(),
        citation=citation,
        version=__version__,
    )
