"""Power of small planned experiments, and what Student's t test has."""

import math

import numpy as np
from scipy.stats import binom, nct, norm, t

from small_sets import rows
from stst.analysis.plan import PowerPlan
from stst.analysis.power import power
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec

SET = rows(4, 2, factorized=True)
TWO = {"conditions": ["natural", "metamer"]}


def experiment(task, **settings):
    return resolved(ExperimentSpec.parse({"task": task, **settings}), SET)


def powers(task, settings=TWO, **plan):
    """Power of a plan; `TWO` leaves one cell, of 16 trials."""
    told = {"lapse": 0, "simulations": 150, "participants": (10,), **plan}
    return power(experiment(task, **settings), SET, PowerPlan.parse(told)).rows


def students(mean, sd, people):
    """Power of a two-sided t test at 5 %, by the noncentral t distribution."""
    far, edge = mean / sd * math.sqrt(people), t.ppf(0.975, people - 1)
    return nct.sf(edge, people - 1, far) + nct.cdf(-edge, people - 1, far)


def agrees(row, wanted):
    """Whether a share of simulations can be by chance what is wanted (two-sided 0.1 %)."""
    low, high = binom.ppf([0.0005, 0.9995], row.simulations, wanted)
    return low <= row.found <= high


def measured_d(effect, spread, half):
    """Mean and SD over participants of d' as measured in 2 x `half` trials, by enumeration."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    d = effect + spread * nodes[:, None]
    k = np.arange(half + 1)
    z = norm.ppf((k + 0.5) / (half + 1))
    chances = [binom.pmf(k, half, norm.cdf(sign * d / math.sqrt(2))) for sign in (1, -1)]
    (hit, hit2), (alarm, alarm2) = (((c * z).sum(1), (c * z**2).sum(1)) for c in chances)
    mean = (hit - alarm) / math.sqrt(2)
    square = (hit2 - 2 * hit * alarm + alarm2) / 2
    first, second = (weights @ x / weights.sum() for x in (mean, square))
    return first, math.sqrt(second - first**2)
