"""Intervals and tests over clips and seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np
from scipy.stats import bootstrap, permutation_test

from stst.metrics.tables import Error

RESAMPLES = 9999
CONFIDENCE = 0.95


class Unit(Protocol):
    """A value of one seed of one clip."""

    @property
    def stimulus(self) -> str: ...  # noqa: D102

    @property
    def seed(self) -> int: ...  # noqa: D102

    @property
    def value(self) -> float: ...  # noqa: D102


class Summary(NamedTuple):
    """The error of a condition in a measure: mean, and its interval where there is one.

    ``units`` are clips, or the seeds of a single clip.
    """

    condition: str
    measure: str
    units: int
    mean: float
    low: float
    high: float


class Contrast(NamedTuple):
    """How much larger the error of a condition is than that of another; p of a permutation."""

    measure: str
    condition: str
    other: str
    units: int
    difference: float
    p: float


def units(errors: Iterable[Unit]) -> dict[str | int, float]:
    """Errors of what counts as independent: the mean of each clip, or the seeds of one.

    Seeds of a clip are no further clips: where there are several clips, their seeds are
    averaged. The keys are the clips' names, or the seeds.

    Examples
    --------
    >>> one = [Error("a", "metamer", seed, "speed", seed / 8) for seed in (1, 3)]
    >>> units(one), units([*one, Error("b", "metamer", 1, "speed", 0.5)])
    ({1: 0.125, 3: 0.375}, {'a': 0.25, 'b': 0.5})
    """
    clips = defaultdict[str, dict[int, float]](dict)
    for error in errors:
        if math.isfinite(error.value):
            clips[error.stimulus][error.seed] = error.value
    if len(clips) == 1:
        return {seed: value for seeds in clips.values() for seed, value in seeds.items()}
    return {clip: float(np.mean(list(seeds.values()))) for clip, seeds in clips.items()}


def summarised(errors: Iterable[Error]) -> list[Summary]:
    """Mean and bootstrap interval of each condition and measure."""
    return [
        Summary(condition, measure, len(found), *mean_interval(list(found.values())))
        for measure, row in _table(errors).items()
        for condition, found in row.items()
    ]


def contrasted(errors: Iterable[Error]) -> list[Contrast]:
    """Each condition against each that comes after it, in each measure."""
    return [
        Contrast(measure, one, other, *_test(row[one], row[other]))
        for measure, row in _table(errors).items()
        for one, other in combinations(row, 2)
    ]


def _table(errors: Iterable[Error]) -> dict[str, dict[str, dict[str | int, float]]]:
    """Measure -> condition -> units."""
    cells = defaultdict[str, defaultdict[str, list[Error]]](lambda: defaultdict(list))
    for error in errors:
        cells[error.measure][error.condition].append(error)
    return {m: {c: units(found) for c, found in row.items()} for m, row in cells.items()}


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and its 95 % bootstrap interval (percentile) from two values on."""
    if len(values) < 2:
        return (values[0] if values else math.nan), math.nan, math.nan
    low, high = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(np.mean(values)), float(low), float(high)


def _test(
    one: Mapping[str | int, float], other: Mapping[str | int, float]
) -> tuple[int, float, float]:
    """How many, mean difference, and p: clips in pairs, seeds independently."""
    paired = [key for key in one if key in other and isinstance(key, str)]
    samples = [[cell[k] for k in paired or cell] for cell in (one, other)]
    count = min(map(len, samples))
    if not count:
        return 0, math.nan, math.nan
    difference = float(np.mean(samples[0]) - np.mean(samples[1]))
    if count < 2:
        return count, difference, math.nan
    found = permutation_test(
        samples,
        lambda a, b, axis: np.mean(a, axis) - np.mean(b, axis),
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return count, difference, float(found.pvalue)


KEPT, LOST, UNTESTABLE = "kept", "lost", "not testable"


class Claim(NamedTuple):
    """A verdict on "the condition keeps the measure of its natural clip", and why."""

    condition: str
    measure: str
    verdict: str
    why: str
