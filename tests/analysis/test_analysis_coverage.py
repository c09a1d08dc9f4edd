"""Simulated observers whose truth is known: 95 % intervals cover it in 93 to 97 % of cases.

More than 400 simulations where that is cheap, so that chance alone can hardly pass a test.
"""

import numpy as np
import pytest
from scipy.stats import norm

from stst.analysis.cells import CellEstimate, DesignCell, differences
from stst.analysis.intervals import Interval, mean, mean_of_estimates, proportion
from stst.analysis.psychometric import fit, over_participants, weibull
from stst.analysis.sensitivity import (
    abx_correct,
    from_correct,
    oddity_correct,
    two_intervals,
)
from stst.metrics.bounds import APPROXIMATE, INTERVAL, RANGE

pytestmark = pytest.mark.slow
LEVELS = np.geomspace(0.01, 1, 8)
CELLS = [DesignCell(condition, "", np.nan) for condition in "ab"]


def covered(intervals, truth):
    """Share of intervals, (n, 2) of low and high, that hold the truth; NaN is no bound."""
    low, high = np.array(intervals, float).T
    return np.mean(~(low > truth) & ~(high < truth))


def good(share):
    return 0.93 <= share <= 0.97


def two_interval_choices(rng, d, c, trials, size):
    """Counts of observers with a d' and a criterion; half the trials with each interval."""
    half = np.full(size, trials / 2)
    hits, alarms = (rng.binomial(trials // 2, norm.cdf(s * d / 2**0.5 - c), size) for s in (1, -1))
    return hits.astype(float), half, alarms.astype(float), half


@pytest.mark.parametrize("trials", [60, 100, 200])
@pytest.mark.parametrize(("d", "c"), [(0, 0), (0.5, 0.5), (1, 0), (1, 0.5), (2, 0)])
def test_d_and_criterion(d, c, trials):
    rng = np.random.default_rng(0)
    found = two_intervals(*two_interval_choices(rng, d, c, trials, 4000))
    shares = [covered(f[1:].T, truth) for f, truth in zip(found, (d, c), strict=True)]
    assert all(map(good, shares)), shares


def test_d_over_participants():
    rng, found = np.random.default_rng(0), []
    for _ in range(2000):
        d, c = rng.normal(1.2, 0.4, 12), rng.normal(0, 0.2, 12)
        values, _ = two_intervals(*two_interval_choices(rng, d, c, 100, 12))
        found.append(mean(values[0])[1:])
    assert good(covered(found, 1.2)), covered(found, 1.2)


@pytest.mark.parametrize("people", [4, 8, 16])
@pytest.mark.parametrize("trials", [20, 60])
@pytest.mark.parametrize(
    ("d", "spread"), [(0, 0.3), (1, 0), (1, 0.4), (2, 0), (2, 0.4), (3, 0.4), (4.5, 0.3)]
)
def test_hopeless_good_and_perfect_participants(d, spread, people, trials):
    """Where many are perfect there is no upper bound; a one-sided one covers 97.5 % or more."""
    rng, bounds = np.random.default_rng(0), []
    for _ in range(1500):
        own, c = rng.normal(d, spread, people), rng.normal(0, 0.2, people)
        found, _ = two_intervals(*two_interval_choices(rng, own, c, trials, people))
        bounds.append(mean_of_estimates(found.T)[1:])
    opened, share = np.isnan(bounds).any(1).mean(), covered(bounds, d)
    assert good(share) or (opened > 0.05 and share > 0.93), (share, opened)


def test_differences_of_d_within_participants():
    rng, found = np.random.default_rng(0), []
    for _ in range(2000):
        common = rng.normal(1.2, 0.5, 12)  # wider than what is asked for
        each = [
            two_intervals(*two_interval_choices(rng, d, rng.normal(0, 0.2, 12), 100, 12))[0][0]
            for d in (common, common - rng.normal(0.5, 0.3, 12))
        ]
        rows = [
            CellEstimate("d'", *cell, "", str(who), 1, 100, value, 0, 0, 0.0, INTERVAL)
            for cell, values in zip(CELLS, each, strict=True)
            for who, value in enumerate(values)
        ]
        found.append(differences(rows)[0][9:11])
    assert good(covered(found, 0.5)), covered(found, 0.5)


@pytest.mark.parametrize(("share", "people", "spread"), [(0.5, 12, 0.1), (0.75, 8, 0.1),
                                                         (0.8, 20, 0.05), (0.7, 1, 0)])  # fmt: skip
def test_shares_over_participants(share, people, spread):
    """Accuracy, the spatial bias, and cells of a confusion matrix."""
    rng, found = np.random.default_rng(0), []
    for _ in range(2000):
        size = share * (1 - share) / spread**2 - 1 if spread else 1e12
        each = rng.beta(share * size, (1 - share) * size, people)
        found.append(proportion(rng.binomial(60, each), [60] * people)[1:])
    assert good(covered(found, share)), covered(found, share)


@pytest.mark.parametrize("task", ["abx", "oddity"])
@pytest.mark.parametrize("d", [1.0, 2.0])
def test_d_of_abx_and_oddity(task, d):
    correct = {"abx": abx_correct, "oddity": oddity_correct}[task](np.array(d))
    hits = np.random.default_rng(0).binomial(120, correct, 4000)
    kinds = {n: from_correct(task, proportion([n], [120])) for n in np.unique(hits)}
    share = covered([kinds[n][1:] for n in hits], d)
    assert good(share), share


@pytest.mark.parametrize(("people", "trials"), [(15, 12), (8, 30)])
def test_mean_ratings(people, trials):
    rng, found = np.random.default_rng(0), []
    points = np.arange(1, 8)
    chances = np.exp(-((points - rng.normal(4, 1, (200_000, 1))) ** 2) / 2)
    chances /= chances.sum(1, keepdims=True)
    truth = (chances @ points).mean()
    for who in chances[: 2000 * people].reshape(2000, people, 7):
        means = [rng.choice(points, trials, p=p).mean() for p in who]
        found.append(mean(means)[1:])
    assert good(covered(found, truth)), covered(found, truth)


STEEP = np.geomspace(0.05, 0.45, 8)


@pytest.mark.parametrize(
    ("levels", "trials", "truth"),
    [
        (LEVELS, 40, (0.1, 2, 0.05)),
        (LEVELS, 100, (0.1, 2, 0.02)),
        (LEVELS, 100, (0.1, 2, 0.03)),
        (STEEP, 60, (0.15, 3.5, 0.04)),
    ],
)
def test_psychometric_functions(levels, trials, truth):
    """Threshold, slope and lapse, where the levels tell of each."""
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        right = rng.binomial(trials, weibull(levels, *truth, 0.5))
        found.append([i[1:] for i in fit(levels, right, [trials] * 8, 0.5)[:3]])
    each = np.array(found).swapaxes(0, 1)
    shares = [covered(f, t) for f, t in zip(each, truth, strict=True)]
    assert all(map(good, shares)), shares


def parameters(rng, levels, trials, truth, spread):
    """What is estimated of a participant whose threshold and slope vary by factors."""
    a, b = np.array(truth[:2]) * np.exp(rng.normal(0, spread, 2))
    right = rng.binomial(trials, weibull(levels, a, b, truth[2], 0.5))
    found = fit(levels, right, [trials] * len(levels), 0.5)
    names = ("threshold", "slope", "lapse")
    return [(name, interval) for name, interval in zip(names, found, strict=False)]


@pytest.mark.parametrize(("trials", "lapse"), [(15, 0.02), (30, 0.0)])
def test_slopes_over_participants(trials, lapse):
    """Few trials at four levels: a quarter of slopes is at the limit of 10, for a truth of 2.

    Groups are drawn of 500 participants. The planted fault: their mean with all slopes is 3.2.
    """
    rng, levels = np.random.default_rng(0), np.array([0.02, 0.05, 0.12, 0.3])
    pool = [parameters(rng, levels, trials, (0.1, 2, lapse), 0.2) for _ in range(500)]
    found = {"threshold": [], "slope": [], "lapse": []}
    for _ in range(1000):
        rows = [
            CellEstimate(name, *CELLS[0], "", str(who), 1, 60, *interval, np.nan, INTERVAL)
            for who, pick in enumerate(rng.integers(0, len(pool), 8))
            for name, interval in pool[pick]
        ]
        for row in over_participants(CELLS[0], rows):
            found[row.measure].append(row)
    assert {row.bounds for row in found["lapse"]} == {RANGE}
    for name, truth in (("threshold", 0.1), ("slope", 2)):
        own = [row for row in found[name] if row.bounds == APPROXIMATE]
        share = covered([(row.low, row.high) for row in own], truth)
        assert good(share) or (name == "threshold" and share > 0.9), (name, share)
    means = [row.value for row in found["slope"]]
    assert 1.8 < np.exp(np.log(means).mean()) < 2.3
    assert len(means) > 800  # of the others, half of the slopes or more are at the limit


@pytest.mark.parametrize(("people", "trials"), [(1, 60), (4, 20), (8, 40), (16, 60)])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98, 0.995, 1.0])
def test_shares_of_hopeless_and_perfect_participants(share, people, trials):
    """Counts near the end are few: no interval covers 95 % there at every share, but no less."""
    rng, differ = np.random.default_rng(0), people > 1 and share <= 0.9
    size = share * (1 - share) / 0.08**2 - 1  # of a beta distribution of this deviation
    each = rng.beta(share * size, (1 - share) * size, (2000, people)) if differ else share
    hits = rng.binomial(trials, each, (2000, people))
    found = covered([proportion(own, [trials] * people)[1:] for own in hits], share)
    assert found > 0.93, found
    assert found <= 0.97 or share > 0.9, found


def test_a_planted_interval_is_caught():
    """Wald's interval for the same shares, and one that is too wide, do not pass."""
    hits = np.random.default_rng(0).binomial(20, 0.95, 4000) / 20
    half = 1.96 * np.sqrt(hits * (1 - hits) / 20)
    assert not good(covered(np.stack([hits - half, hits + half], 1), 0.95))
    assert not good(covered([Interval(0.5, 0, 1)[1:]] * 10, 0.95))
