"""Means of rows of similarity with their intervals, and what these are over."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from stst.evaluate.deep.rows import Likeness
from stst.evaluate.statistics import mean_interval, units

CURVE = ("condition", "network", "view", "measure")  # what one line over layers is of
LAYER = ("layer", "depth")

Groups = dict[tuple[Any, ...], list[Likeness]]


class Mean(NamedTuple):
    """A mean and its 95 % bootstrap interval over clips, seeds or frames.

    Frames are those of a single clip with one seed. They are not independent: such an interval
    tells how even the clip is over time, and nothing of other clips.
    """

    over: str
    units: int
    mean: float
    low: float
    high: float


def grouped(rows: Iterable[Likeness], *names: str) -> Groups:
    """Rows by their values in these columns."""
    found: Groups = defaultdict(list)
    for row in rows:
        found[tuple(getattr(row, name) for name in names)].append(row)
    return dict(found)


def mean_of(rows: Sequence[Likeness]) -> Mean:
    """Mean over clips, or over the seeds of a single clip, or over the frames of a single seed.

    Examples
    --------
    >>> place = ("toy", "places", "cosine", "layer", 0.0, "natural")
    >>> rows = [Likeness("a", "metamer", seed, *place, "clip", "", 0.25) for seed in (0, 1)]
    >>> mean_of(rows)
    Mean(over='seeds', units=2, mean=0.25, low=0.25, high=0.25)
    """
    found = units(row for row in rows if row.axis == "clip")
    values, over = list(found.values()), "clips" if len({r.stimulus for r in rows}) > 1 else "seeds"
    if len(values) != 1:
        return Mean(over, len(values), *mean_interval(values))
    frames = [row.value for row in rows if row.axis == "frame" and math.isfinite(row.value)]
    if len(frames) < 2:
        return Mean("", 1, values[0], math.nan, math.nan)
    return Mean("frames", len(frames), values[0], *mean_interval(frames)[1:])
