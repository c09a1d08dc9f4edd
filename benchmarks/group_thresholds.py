"""How often intervals cover thresholds: of one participant, their mean, and their ratio.

Simulated participants have log-normal thresholds (geometric mean 0.1, deviation 0.2), slope 2 and
2 % random responses; in a second condition their thresholds are 1.5 times as high. They do 32, 64
or 128 trials in each condition at the default contrasts, by constant stimuli or by QUEST+ as the
page runs it, one staircase for both conditions. Each is fitted as `stst experiment analyze` does,
and groups of 8 and 20 participants are drawn from all of them. The table gives the share of
participants with both bounds, the coverage of a participant's own interval (with those that have
one bound only), the geometric mean of the estimated thresholds over the true ones (1: no bias), and
the coverage of Student's interval of the mean threshold and of the mean ratio.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stst.analysis.intervals import geometric
from stst.analysis.psychometric import LEVELS, fit, weibull
from stst.analysis.staircases import run_staircases

Numbers = npt.NDArray[np.float64]
CONTRASTS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0]
TRIALS = (32, 64, 128)  # in each condition
MEAN, DEVIATION, SLOPE, LAPSE, RATIO = 0.1, 0.2, 2.0, 0.02, 1.5
GROUPS = 2000


def thresholds(
    method: str, trials: int, count: int, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """True thresholds in the first condition, (count,), and intervals in both, (count, 2, 3)."""
    truth = MEAN * np.exp(rng.normal(0, DEVIATION, count))

    def answers(trial: int, contrast: Numbers) -> npt.NDArray[np.bool_]:
        threshold = truth * (RATIO if trial % 2 else 1)  # conditions take turns
        right = weibull(contrast, threshold, np.array(SLOPE), np.array(0.0), 0.5)
        return rng.random(count) < np.where(rng.random(count) < LAPSE, 0.5, right)

    if method == "quest":
        shown, correct = run_staircases(CONTRASTS, count, 2 * trials, answers)
    else:
        order = np.tile(np.repeat(CONTRASTS, 2), trials // len(CONTRASTS))
        shown = np.repeat(order[:, None], count, axis=1)
        correct = np.array([answers(trial, row) for trial, row in enumerate(shown)])
    return truth, np.array(
        [
            [threshold(shown[turn::2, who], correct[turn::2, who]) for turn in (0, 1)]
            for who in range(count)
        ]
    )


def threshold(shown: Numbers, correct: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Threshold of a participant in a condition: value, lower and upper bound."""
    levels = np.unique(shown)
    if len(levels) < LEVELS:
        return np.nan, -np.inf, np.inf
    hits = [int(correct[shown == level].sum()) for level in levels]
    counts = [int((shown == level).sum()) for level in levels]
    return fit(levels.tolist(), hits, counts, 0.5).threshold


def coverage(values: Numbers, truth: float, size: int, rng: np.random.Generator) -> float:
    """Share of groups whose interval holds the truth."""
    known = values[np.isfinite(values)]
    groups = [geometric(known[rng.integers(0, len(known), size)]) for _ in range(GROUPS)]
    return float(np.mean([group.low <= truth <= group.high for group in groups]))


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--observers", type=int, default=800, help="for each design")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    print("method | trials | bounded | of one | bias | mean of 8 | of 20 | ratio of 8 | of 20")
    for method in ("constant", "quest"):
        for trials in TRIALS:
            rng = np.random.default_rng((options.seed, trials))
            truth, intervals = thresholds(method, trials, options.observers, rng)
            _, low, high = intervals[:, 0].T
            own = np.mean(~(low > truth) & ~(high < truth))
            # As in an analysis, thresholds without a bound are left out of means.
            each = np.where(np.isfinite(intervals).all(2), intervals[:, :, 0], np.nan)
            bias = np.exp(np.nanmean(np.log(each[:, 0] / MEAN)))
            pairs = ((each[:, 0], MEAN), (each[:, 1] / each[:, 0], RATIO))
            covered = [coverage(*pair, size, rng) for pair in pairs for size in (8, 20)]
            bounded = np.isfinite(each[:, 0]).mean()
            cells = [f"{share:.1%}" for share in (bounded, own, *covered)]
            cells.insert(2, f"{bias:.3f}")
            print(method, trials, *cells, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
