"""Intervals, tests and verdicts over clips and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, permutation_test

from stst.metrics.bounds import CONFIDENCE, INTERVAL, LEAST_UNITS, NO_BOUNDS, bounds_of, least_p
from stst.metrics.tables import make_table

RESAMPLES = 9999
KEPT, LOST, UNTESTABLE = "kept", "lost", "not testable"


class Claim(NamedTuple):
    """A verdict on "the condition keeps the measure of its natural clip", and why."""

    condition: str
    measure: str
    verdict: str
    why: str


def units(rows: pd.DataFrame) -> pd.Series:
    """Finite values of what counts as independent: the mean of each clip, or the seeds of one.

    The index holds the clips' names, or the seeds.
    """
    rows = rows[np.isfinite(rows["value"])]
    by = "stimulus" if rows["stimulus"].nunique() > 1 else "seed"
    return rows.groupby(by, sort=False)["value"].mean()


NO_ENDS = math.nan, math.nan, NO_BOUNDS


class Average(NamedTuple):
    """A mean and its `bounds`: a 95 % interval, or the range of values that are few."""

    mean: float
    low: float
    high: float
    bounds: str

    @property
    def judged(self) -> tuple[float, float]:
        """The ends that a verdict is of: the interval's, or the mean where there is none."""
        return (self.low, self.high) if self.bounds == INTERVAL else (self.mean, self.mean)


def average(values: Sequence[float] | pd.Series) -> Average:
    """Mean, and its 95 % bootstrap interval (percentile) from four values on."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return Average(float(values[0]) if len(values) else math.nan, *NO_ENDS)
    mean, low, high = (float(pooled(values)) for pooled in (np.mean, np.min, np.max))
    if len(values) >= LEAST_UNITS:
        interval = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = map(float, interval)
    return Average(mean, low, high, bounds_of(len(values), low, high))


def summarise(errors: pd.DataFrame) -> pd.DataFrame:
    """Mean and bounds of each condition and measure."""
    rows = [
        (condition, measure, len(values), *average(values))
        for measure, conditions in _units_of_measures(errors)
        for condition, values in conditions.items()
    ]
    return make_table("summary", rows)


def contrast(errors: pd.DataFrame) -> pd.DataFrame:
    """Each condition against each that comes after it, in each measure."""
    rows = [
        (measure, one, other, *_test(conditions[one], conditions[other]))
        for measure, conditions in _units_of_measures(errors)
        for one, other in combinations(conditions, 2)
    ]
    return make_table("contrasts", rows)


def _units_of_measures(errors: pd.DataFrame) -> Iterator[tuple[str, dict[str, pd.Series]]]:
    """Each measure with the units of each condition."""
    for measure, rows in errors.groupby("measure", sort=False):
        yield measure, {name: units(own) for name, own in rows.groupby("condition", sort=False)}


def _test(one: pd.Series, other: pd.Series) -> tuple[int, float, float, float]:
    """How many, mean difference, p and the least it can be: clips in pairs, seeds independently."""
    paired = [key for key in one.index if key in other.index and isinstance(key, str)]
    samples = [(values[paired] if paired else values).to_numpy() for values in (one, other)]
    count = min(map(len, samples))
    if not count:
        return 0, math.nan, math.nan, math.nan
    difference = float(samples[0].mean() - samples[1].mean())
    if count < 2:
        return count, difference, math.nan, math.nan
    test = permutation_test(
        samples,
        lambda a, b, axis: np.mean(a, axis) - np.mean(b, axis),
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    orders = 2**count if paired else math.comb(sum(map(len, samples)), count)
    return count, difference, float(test.pvalue), least_p(min(orders, RESAMPLES + 1))
