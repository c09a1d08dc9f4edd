"""Intervals, d' and psychometric functions against scipy, simulation and closed forms."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, chi2, norm, ttest_1samp

from stst.analysis.intervals import Interval, geometric, mean, mean_of_estimates, proportion
from stst.analysis.psychometric import fit, weibull
from stst.analysis.sensitivity import (
    abx_correct,
    from_correct,
    oddity_correct,
    two_intervals,
)

LEVELS = np.geomspace(0.01, 1, 8)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_of_one_participant_is_wilsons_and_poissons_at_the_ends(case):
    """Brown, Cai & DasGupta (2001): Wilson's covers 84 % where one or two trials differ."""
    hits, trials = case
    low, high = binomtest(*case).proportion_ci(0.95, "wilson")
    few = 3 if trials > 50 else 2
    if 0 < hits <= few:
        low = min(low, chi2.ppf(0.05, 2 * hits) / 2 / trials)
    if 0 < trials - hits <= few:
        high = max(high, 1 - chi2.ppf(0.05, 2 * (trials - hits)) / 2 / trials)
    assert proportion([hits], [trials]) == pytest.approx((hits / trials, low, high))


def test_the_share_of_nearly_all_trials_is_covered():
    """The planted fault: with Wilson's bounds alone the least is 0.837."""
    covered = []
    for trials, share in product((20, 60), np.linspace(0.9, 0.999, 50)):
        bounds = [proportion([k], [trials])[1:] for k in range(trials + 1)]
        chances = binom.pmf(np.arange(trials + 1), trials, share)
        covered.append(sum(c for c, (a, b) in zip(chances, bounds, strict=True) if a <= share <= b))
    assert min(covered) > 0.91


def test_participants_who_differ_widen_the_interval():
    same, apart = (proportion(hits, [40] * 4) for hits in ([30] * 4, [20, 25, 35, 40]))
    wanted = binomtest(120, 160).proportion_ci(0.95, "wilson")
    assert same == pytest.approx((0.75, *wanted))
    assert apart.low < same.low
    assert same.high < apart.high
    assert proportion([30, 0, 20], [40, 0, 40]) == proportion([30, 20], [40, 40])


@given(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=9).filter(lambda x: np.std(x) > 1e-3))
def test_a_mean_has_students_interval(values):
    wanted = ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean(values)[1:] == pytest.approx((wanted.low, wanted.high))


@given(st.lists(st.floats(0.1, 1e3), min_size=2, max_size=3))
def test_few_values_have_a_range_and_no_interval(values):
    assert mean(values)[1:] == (min(values), max(values))
    assert geometric(values)[1:] == pytest.approx((min(values), max(values)))
    shares = proportion([20, 30, 35][: len(values)], [40] * len(values))
    assert shares[1:] == (0.5, max([0.5, 0.75, 0.875][: len(values)]))


def test_two_intervals_by_hand_and_at_the_ends():
    d, c = two_intervals(*map(np.array, (45.0, 60.0, 20.0, 50.0)))
    hit, alarm = norm.ppf(45.5 / 61), norm.ppf(20.5 / 51)
    assert d[0] == pytest.approx((hit - alarm) / math.sqrt(2))
    assert c[0] == pytest.approx(-(hit + alarm) / 2)
    perfect, _ = two_intervals(*map(np.array, (20.0, 20.0, 0.0, 20.0)))
    assert perfect[1] < perfect[0] < math.inf
    assert np.isnan(perfect[2])  # the truth may be any larger
    never, _ = two_intervals(*map(np.array, (0.0, 20.0, 20.0, 20.0)))
    assert never[0] == pytest.approx(-perfect[0])
    assert np.isnan(never[1])


def test_of_perfect_participants_the_mean_has_a_lower_bound_only():
    """The planted fault: Student's interval of values that are all the same has no width."""
    perfect, criterion = two_intervals(*(np.full(8, x) for x in (20.0, 20.0, 0.0, 20.0)))
    assert np.diff(mean(perfect[0])[1:]) == 0
    found = mean_of_estimates(perfect.T)
    assert found.low < found.value - 0.2
    assert math.isnan(found.high)
    assert np.isnan(mean_of_estimates(criterion.T)[1:]).all()


def test_one_perfect_participant_of_many_opens_nothing():
    hits = np.array([20.0, *range(10, 19), 12, 14])
    d, _ = two_intervals(hits, np.full(12, 20.0), np.full(12, 4.0), np.full(12, 20.0))
    assert mean_of_estimates(d.T) == pytest.approx(mean(d[0]))


def test_who_prefers_the_second_interval_has_a_criterion_above_0():
    _, c = two_intervals(*map(np.array, (20.0, 50.0, 5.0, 50.0)))
    assert c[1] > 0


@pytest.mark.parametrize("d", [0.0, 1.0, 2.5])
def test_abx_and_oddity_are_what_their_observers_do(d):
    rng, many = np.random.default_rng(0), 200_000
    a, b, x, y, z, odd = rng.standard_normal((6, many)) + np.array([0, d, d, 0, 0, d])[:, None]
    # Differences: the answer follows the sign of A to B and of their middle to X.
    abx = np.mean((b > a) == (x > (a + b) / 2))
    far = np.abs(np.stack([odd - y, odd - z, y - z]))
    oddity = np.mean(far[2] < far[:2].min(0))
    assert abx_correct(np.array(d)) == pytest.approx(abx, abs=0.005)
    assert oddity_correct(np.array(d)) == pytest.approx(oddity, abs=0.005)


@given(st.floats(0.05, 5), st.sampled_from(["abx", "oddity"]))
def test_conversions_are_undone(d, task):
    correct = float({"abx": abx_correct, "oddity": oddity_correct}[task](np.array(d)))
    assert from_correct(task, Interval(correct, 0, 1)) == pytest.approx((d, 0, 6), abs=2e-3)


def test_the_function_and_a_fit_are_what_they_were():
    assert weibull(0.1, 0.1, 2.0, 0.02, 0.5) == pytest.approx(0.5 + 0.48 * (1 - math.exp(-1)))
    found = fit((0.05, 0.1, 0.2, 0.4), (21, 32, 39, 40), (40,) * 4, 0.5)
    assert [round(x, 3) for x in found.threshold] == [0.114, 0.082, 0.139]


def test_exact_proportions_give_back_the_function():
    right = weibull(LEVELS, 0.12, 2.0, 0.03, 0.5) * 1000
    found = fit(LEVELS, right, [1000] * 8, 0.5)
    values = [interval.value for interval in found[:3]]
    assert values == pytest.approx([0.12, 2.0, 0.03], rel=0.01)
    assert found.deviance == pytest.approx(0, abs=1e-3)


def test_levels_that_do_not_bound_a_threshold_say_so():
    at_chance = fit(LEVELS, [20] * 8, [40] * 8, 0.5)
    assert math.isnan(at_chance.threshold.high)
    always = fit(LEVELS, [40] * 8, [40] * 8, 0.5)
    assert math.isnan(always.threshold.low)
    assert always.lapse.low == 0


def test_a_fit_is_no_worse_than_the_truth():
    rng = np.random.default_rng(1)
    for _ in range(5):
        truth = weibull(LEVELS, 0.1, 1.5, 0.02, 0.5)
        right = rng.binomial(30, truth)
        share = np.clip(right / 30, 1e-12, 1 - 1e-12)
        of_truth = right * np.log(share / truth) + (30 - right) * np.log((1 - share) / (1 - truth))
        assert fit(LEVELS, right, [30] * 8, 0.5).deviance <= 2 * of_truth.sum() + 1e-6
