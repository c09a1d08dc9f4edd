"""95 % intervals of a proportion and of a mean, over trials or over participants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri, stdtrit

CONFIDENCE = 0.95

Numbers = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and its interval; NaN is a bound that there is none of."""

    value: float
    low: float
    high: float


def proportion(successes: Sequence[float], trials: Sequence[float]) -> Interval:
    """Share of successes and its interval, from the counts of each participant.

    Of one participant this is Wilson's interval (1927). Of several it is Wilson's interval
    with the trials divided by the design effect, which is how much larger the variance between
    participants is than that of independent trials (at least 1). Where it is above 1,
    Student's t is the quantile (Korn & Graubard 1998; Dean & Pagano 2015).
    """
    hits, counts = np.asarray(successes, float), np.asarray(trials, float)
    people, total = np.count_nonzero(counts), counts.sum()
    if not total:
        return Interval(math.nan, math.nan, math.nan)
    share = hits.sum() / total
    effect, quantile = 1.0, ndtri((1 + CONFIDENCE) / 2)
    if people > 1 and 0 < share < 1:
        spread = people / (people - 1) * np.square(hits - share * counts).sum() / total
        effect = max(1.0, spread / (share * (1 - share)))
    if effect > 1:
        quantile = stdtrit(people - 1, (1 + CONFIDENCE) / 2)
    weight = quantile**2 / (total / effect)  # of Wilson's interval
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    return Interval(float(share), float(max(0.0, middle - half)), float(min(1.0, middle + half)))


def jeffreys(successes: Numbers, trials: Numbers) -> tuple[Numbers, Numbers]:
    """Bounds of shares by Jeffreys' prior, never 0 or 1; arrays of any one shape."""
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    low, high = (betaincinv(successes + 0.5, trials - successes + 0.5, p) for p in tails)
    return low, high


def mean(values: npt.ArrayLike) -> Interval:
    """Mean of independent values and Student's interval, which needs two of them."""
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 2:
        return Interval(float(numbers[0]) if len(numbers) else math.nan, math.nan, math.nan)
    middle, error = numbers.mean(), numbers.std(ddof=1) / math.sqrt(len(numbers))
    half = stdtrit(len(numbers) - 1, (1 + CONFIDENCE) / 2) * error
    return Interval(float(middle), float(middle - half), float(middle + half))


def geometric(values: npt.ArrayLike) -> Interval:
    """Geometric mean of independent values, and Student's interval of their logarithms."""
    return Interval(*map(math.exp, mean(np.log(values))))
