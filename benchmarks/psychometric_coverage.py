"""How often 95 % intervals of a threshold cover it: this package's and psignifit's.

Simulated observers answer 40, 80 or 160 trials at the eight default contrasts (method of constant
stimuli, chance 0.5). Their thresholds are log-uniform from 0.05 to 0.2. Each data set is fitted by
`stst.analysis.psychometric.fit` and, where psignifit is installed (``pip install psignifit``), by
psignifit as well: the same Weibull function of log contrast, the threshold at 63.2 %, no
overdispersion, otherwise its defaults. The table gives, for each design, the coverage of both
intervals, the share without a bound on a side, the median width (factor from low to high, of the
intervals with both bounds) and the root-mean-square error of log10 threshold. The last columns
compare the estimates of the same data: the median and the 95th percentile of the factor between
both thresholds, whichever is larger.
"""

from __future__ import annotations

import argparse
import importlib.util
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from stst.analysis.intervals import Interval
from stst.analysis.psychometric import fit, weibull

Numbers = npt.NDArray[np.float64]
LEVELS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
TRIALS = (40, 80, 160)
OBSERVERS = {  # slope and lapses
    "shallow, lapses 5 %": (1.5, 0.05),
    "slope 2, lapses 2 %": (2, 0.02),
    "steep, no lapses": (3.5, 0),
}
THRESHOLDS = (0.05, 0.2)
GUESS = 0.5
AT_THRESHOLD = 1 - np.exp(-1)  # of the way up

Fitter = Callable[[Numbers, int], Interval]


def ours(right: Numbers, each: int) -> Interval:
    """Threshold by this package."""
    return fit(LEVELS.tolist(), right.tolist(), [each] * len(LEVELS), GUESS).threshold


def psignifits(right: Numbers, each: int) -> Interval:
    """Threshold by psignifit, whose sigmoids are functions of log contrast."""
    import psignifit

    data = np.column_stack([np.log(LEVELS), right, np.full(len(LEVELS), each)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on thresholds that are not at 50 %
        result = psignifit.psignifit(
            data, experiment_type="2AFC", sigmoid="weibull", thresh_PC=AT_THRESHOLD,
            fixed_parameters={"eta": 0.0}, verbose=False,
        )  # fmt: skip
    low, high = result.confidence_intervals["threshold"]["0.95"]
    value = result.parameter_estimate_MAP["threshold"]
    return Interval(*np.exp([value, low, high]).tolist())


def simulated(
    observers: int, each: int, slope: float, lapse: float, seed: int
) -> tuple[Numbers, Numbers]:
    """True thresholds (n,) and numbers of right answers (n, levels)."""
    rng = np.random.default_rng((seed, each))
    truth = np.exp(rng.uniform(*np.log(THRESHOLDS), observers))
    share = weibull(LEVELS, truth[:, None], np.array(slope), np.array(lapse), GUESS)
    return truth, rng.binomial(each, share).astype(float)


def described(intervals: Numbers, truth: Numbers) -> str:
    """Coverage, share of open intervals, median width, error of the estimates, as table cells."""
    value, low, high = intervals.T
    covered = np.mean(~(low > truth) & ~(high < truth))
    closed = np.isfinite(low) & np.isfinite(high)
    width = np.median(high[closed] / low[closed]) if closed.any() else np.nan
    error = np.sqrt(np.mean(np.log10(value / truth) ** 2))
    return f"{covered:.1%} | {1 - closed.mean():.0%} | {width:.2f} | {error:.3f}"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--observers", type=int, default=400, help="for each design")
    parser.add_argument("--psignifit", type=int, default=100, help="of them, fitted by psignifit")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    fitters: dict[str, tuple[Fitter, int]] = {"stst": (ours, options.observers)}
    if importlib.util.find_spec("psignifit"):
        fitters["psignifit"] = (psignifits, options.psignifit)
    print("observer | trials | engine | n | coverage | open | width | error | factor")
    for name, (slope, lapse) in OBSERVERS.items():
        for trials in TRIALS:
            each = trials // len(LEVELS)
            truth, right = simulated(options.observers, each, slope, lapse, options.seed)
            estimates = dict[str, Numbers]()
            for engine, (fitter, count) in fitters.items():
                intervals = np.array([fitter(counts, each) for counts in right[:count]])
                estimates[engine] = intervals[:, 0]
                line = f"{name} | {trials} | {engine} | {count} | "
                print(line + described(intervals, truth[:count]) + compared(estimates), flush=True)


def compared(estimates: dict[str, Numbers]) -> str:
    """Median and 95th percentile of the factor between the estimates of both engines."""
    if len(estimates) < 2:
        return ""
    first, second = estimates.values()
    count = min(len(first), len(second))
    factor = np.exp(np.abs(np.log(first[:count] / second[:count])))
    return f" | {np.median(factor):.3f}, {np.percentile(factor, 95):.2f}"


if __name__ == "__main__":
    main()
