"""Intervals, tests and verdicts over clips and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy  # scipy.stats is slow to import: it loads on first use

from stst.metrics.bounds import CONFIDENCE, INTERVAL, LEAST_UNITS, NO_BOUNDS, bounds_of, least_p
from stst.metrics.tables import make_table

RESAMPLES = 9999
KEPT, LOST, UNTESTABLE = "kept", "lost", "not testable"


class Claim(NamedTuple):
    """Hold a verdict on "the condition keeps this property of its natural clip".

    Parameters
    ----------
    condition : str
        Condition, such as ``"metamer"``.
    measure : str
        Measure or property.
    verdict : str
        ``"kept"``, ``"lost"`` or ``"not testable"``.
    why : str
        Reason, with the numbers.

    Examples
    --------
    >>> Claim("metamer", "contrast", KEPT, "error 2.0 %").verdict
    'kept'
    """

    condition: str
    measure: str
    verdict: str
    why: str


def units(rows: pd.DataFrame) -> pd.Series:
    """Average the values of each independent unit.

    Parameters
    ----------
    rows : DataFrame
        Rows with the columns ``stimulus``, ``seed`` and ``value``. Values that are not finite are
        left out.

    Returns
    -------
    Series
        With several natural clips, the mean of each clip over its seeds, indexed by clip; with one
        clip, its seeds.

    Examples
    --------
    >>> rows = pd.DataFrame({"stimulus": ["a", "a", "b"], "seed": [0, 1, 0], "value": [1.0, 3, 4]})
    >>> units(rows).to_dict()
    {'a': 2.0, 'b': 4.0}
    """
    rows = rows[np.isfinite(rows["value"])]
    by = "stimulus" if rows["stimulus"].nunique() > 1 else "seed"
    return rows.groupby(by, sort=False)["value"].mean()


NO_ENDS = math.nan, math.nan, NO_BOUNDS


class Average(NamedTuple):
    """Hold a mean and its bounds.

    Parameters
    ----------
    mean : float
        Mean.
    low, high : float
        Lower and upper bound; NaN if there is none.
    bounds : str
        Kind of bounds, from `stst.metrics.bounds.bounds_of`.

    Examples
    --------
    >>> average([1, 2, 3])
    Average(mean=2.0, low=1.0, high=3.0, bounds='range')
    """

    mean: float
    low: float
    high: float
    bounds: str

    @property
    def judged(self) -> tuple[float, float]:
        """Ends that a verdict depends on: the 95 % interval, or else the mean twice.

        Examples
        --------
        >>> average([1, 2, 3]).judged
        (2.0, 2.0)
        """
        return (self.low, self.high) if self.bounds == INTERVAL else (self.mean, self.mean)


def average(values: Sequence[float] | pd.Series) -> Average:
    """Compute a mean and its bounds.

    Parameters
    ----------
    values : sequence of float or Series
        One value per independent unit.

    Returns
    -------
    Average
        With four values or more the bounds are a 95 % percentile bootstrap interval, with two or
        three the range of the values, and with fewer there are none.

    Examples
    --------
    >>> average([0.1, 0.1, 0.2, 0.2, 0.3]).bounds
    '95 % interval'
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return Average(float(values[0]) if len(values) else math.nan, *NO_ENDS)
    mean, low, high = (float(pooled(values)) for pooled in (np.mean, np.min, np.max))
    if len(values) >= LEAST_UNITS:
        interval = scipy.stats.bootstrap(
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
    """Compute the mean error and its bounds for each condition and measure.

    Parameters
    ----------
    errors : DataFrame
        Table ``errors`` of an `Evaluation`.

    Returns
    -------
    DataFrame
        Table ``summary``.

    Examples
    --------
    >>> rows = [("clip", "metamer", seed, "contrast", 0.1 * (seed + 1)) for seed in range(2)]
    >>> summarise(make_table("errors", rows))[["measure", "units", "bounds"]].values.tolist()
    [['contrast', 2, 'range']]
    """
    rows = [
        (condition, measure, len(values), *average(values))
        for measure, conditions in _units_of_measures(errors)
        for condition, values in conditions.items()
    ]
    return make_table("summary", rows)


def contrast(errors: pd.DataFrame) -> pd.DataFrame:
    """Compare the errors of each pair of conditions in each measure.

    Parameters
    ----------
    errors : DataFrame
        Table ``errors`` of an `Evaluation`.

    Returns
    -------
    DataFrame
        Table ``contrasts``: the difference of mean errors, the p value of a permutation test, and
        the smallest p value that the test can give.

    Examples
    --------
    >>> rows = [
    ...     ("clip", condition, seed, "contrast", error + seed / 100)
    ...     for condition, error in (("metamer", 0.1), ("stps", 0.3))
    ...     for seed in range(2)
    ... ]
    >>> contrast(make_table("errors", rows))["difference"].round(6).tolist()
    [-0.2]
    """
    rows = [
        (measure, first, second, *_test(conditions[first], conditions[second]))
        for measure, conditions in _units_of_measures(errors)
        for first, second in combinations(conditions, 2)
    ]
    return make_table("contrasts", rows)


def _units_of_measures(errors: pd.DataFrame) -> Iterator[tuple[str, dict[str, pd.Series]]]:
    """Yield each measure with the units of each condition."""
    for measure, rows in errors.groupby("measure", sort=False):
        yield measure, {name: units(own) for name, own in rows.groupby("condition", sort=False)}


def _test(first: pd.Series, second: pd.Series) -> tuple[int, float, float, float]:
    """Return units, mean difference, p and smallest possible p; clips are paired, seeds are not."""
    paired = [key for key in first.index if key in second.index and isinstance(key, str)]
    samples = [(values[paired] if paired else values).to_numpy() for values in (first, second)]
    count = min(map(len, samples))
    if not count:
        return 0, math.nan, math.nan, math.nan
    difference = float(samples[0].mean() - samples[1].mean())
    if count < 2:
        return count, difference, math.nan, math.nan
    test = scipy.stats.permutation_test(
        samples,
        lambda a, b, axis: np.mean(a, axis) - np.mean(b, axis),
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    orders = 2**count if paired else math.comb(sum(map(len, samples)), count)
    return count, difference, float(test.pvalue), least_p(min(orders, RESAMPLES + 1))
