"""psignifit, an independent engine, finds the same thresholds where the data determine them."""

import warnings

import numpy as np
import pytest

from stst.analysis.psychometric import fit, weibull

LEVELS = np.geomspace(0.01, 1, 8)
STEEP = np.geomspace(0.05, 0.45, 8)  # finer, as a steep slope needs


def by_psignifit(levels, right, trials):
    """Threshold at 63.2 % and its interval, of the same Weibull function of log contrast."""
    psignifit = pytest.importorskip("psignifit", reason="psignifit is not installed")
    data = np.column_stack([np.log(levels), right, np.full(len(levels), trials)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on thresholds that are not at 50 %
        result = psignifit.psignifit(
            data, experiment_type="2AFC", sigmoid="weibull", thresh_PC=1 - np.exp(-1),
            fixed_parameters={"eta": 0.0}, verbose=False,
        )  # fmt: skip
    interval = result.confidence_intervals["threshold"]["0.95"]
    return np.exp([result.parameter_estimate_MAP["threshold"], *interval])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("levels", "truth"),
    [(LEVELS, (0.1, 2, 0.02)), (LEVELS, (0.05, 1.5, 0.0)), (STEEP, (0.15, 3.5, 0.04))],
)
def test_thresholds_are_those_of_psignifit(levels, truth):
    rng, trials = np.random.default_rng(0), 100
    right = rng.binomial(trials, weibull(levels, *truth, 0.5))
    value, low, high = fit(levels, right, [trials] * 8, 0.5).threshold
    their_value, their_low, their_high = by_psignifit(levels, right, trials)
    assert 0.93 < value / their_value < 1.07
    assert 0.8 < np.log(high / low) / np.log(their_high / their_low) < 1.25
