"""d' and criterion: two intervals, ABX, and the odd one of three."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

from stst.analysis.intervals import Interval, Numbers, jeffreys
from stst.errors import RecipeError
from stst.experiment.spec import ExperimentSpec
from stst.recipe import validated
from stst.stimuli.bands import Band

CHANCE = {"natural": 1 / 2, "detection": 1 / 2, "abx": 1 / 2, "oddity": 1 / 3, "source": 1 / 2}
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
MOST = 6.0  # d' beyond which proportions tell no more


def two_intervals(
    hits: Numbers, firsts: Numbers, alarms: Numbers, seconds: Numbers
) -> tuple[Numbers, Numbers]:
    """Sensitivity d' and criterion of two intervals, each with (value, low, high) first.

    Counts are arrays of one shape: the answer "first" is a hit in the `firsts`, where the target
    is in the first interval, and a false alarm in the `seconds`.
    ``d' = (z(H) - z(F)) / sqrt(2)`` and ``c = -(z(H) + z(F)) / 2``, above 0 where the second
    interval is preferred (Green & Swets 1966; Macmillan & Creelman 2005, ch. 7). H and F are
    log-linear: 0.5 more of ``first`` in 1 more trial (Hautus 1995), which is the mean by
    Jeffreys' prior. Bounds combine Jeffreys bounds of both rates (MOVER; Zou & Donner 2008); a
    rate of 0 or 1 has none on that side (NaN), as the truth may be any more extreme.
    """
    hit, alarm = _z(hits, firsts), _z(alarms, seconds)
    d = _combined(hit, -alarm[[0, 2, 1]])
    return d / math.sqrt(2), -_combined(hit, alarm)[[0, 2, 1]] / 2


def _z(first: Numbers, trials: Numbers) -> Numbers:
    value = ndtri((first + 0.5) / (trials + 1))
    low, high = ndtri(jeffreys(first, trials))
    low, high = np.where(first == 0, np.nan, low), np.where(first == trials, np.nan, high)
    return np.array([value, low, high])


def _combined(one: Numbers, other: Numbers) -> Numbers:
    """The sum of two independent estimates, and its bounds from theirs."""
    value = one[0] + other[0]
    low = value - np.hypot(one[0] - one[1], other[0] - other[1])  # NaN if one has no bound
    return np.array([value, low, value + np.hypot(one[2] - one[0], other[2] - other[0])])


def abx_correct(d: Numbers) -> Numbers:
    """Proportion correct of ABX by differences, where clips change from trial to trial.

    Macmillan & Creelman (2005), ch. 9, without preference for an answer.
    """
    one, other = ndtr(d / math.sqrt(2)), ndtr(d / math.sqrt(6))
    return np.asarray(one * other + (1 - one) * (1 - other))


def oddity_correct(d: Numbers) -> Numbers:
    """Proportion correct of three clips by differences (the triangular method).

    ``2 int_0^inf [Phi(-u sqrt 3 + d sqrt(2/3)) + Phi(-u sqrt 3 - d sqrt(2/3))] phi(u) du``
    (Frijters 1979; Macmillan & Creelman 2005, ch. 9).
    """
    u, width = 4 * (_NODES + 1), 4 * _WEIGHTS  # from 0 to 8
    far, shift = u * math.sqrt(3), np.asarray(d)[..., None] * math.sqrt(2 / 3)
    both = ndtr(shift - far) + ndtr(-shift - far)
    return np.asarray((2 * both * np.exp(-u * u / 2) / math.sqrt(2 * math.pi) * width).sum(-1))


# Proportion correct of d' in the tasks whose d' is that of the proportion.
CORRECT: dict[str, Callable[[Numbers], Numbers]] = {"abx": abx_correct, "oddity": oddity_correct}


def from_correct(task: str, found: Interval) -> Interval:
    """Sensitivity d' of a proportion correct and of its bounds, from 0 to `MOST`."""
    d, correct = _table(task)
    inverse = PchipInterpolator(correct, d)
    bounds = np.clip(found, correct[0], correct[-1])
    return Interval(*(round(float(x), 3) for x in inverse(bounds)))


@cache
def _table(task: str) -> tuple[Numbers, Numbers]:
    """Values of d' and proportion correct, finer where the latter is flat."""
    d = np.concatenate([[0], np.geomspace(1e-3, MOST, 400)])
    return d, CORRECT[task](d)


DESCRIPTION = "experiment.yaml"


class FrequencyRange(NamedTuple):
    """Limits of frequency; None is none: 0 below, whatever the film has above."""

    low: float | None
    high: float | None


class BandLimits(NamedTuple):
    """What a band passes."""

    space: FrequencyRange
    time: FrequencyRange


class Frequencies(NamedTuple):
    """What each band passes: in space in `unit`, in time in Hz."""

    unit: str
    bands: dict[str, BandLimits]

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {"unit": self.unit, "bands": {k: band._asdict() for k, band in self.bands.items()}}


def frequencies(paths: Sequence[Path], fingerprint: str) -> Frequencies | None:
    """Find the description of an experiment beside its responses, or in the folder above.

    None where there is no such file, it is of another experiment, or its bands are not cells
    of spatial by temporal frequency.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    for folder in (near for one in folders for near in (one, one.absolute().parent)):
        try:
            text = (folder / DESCRIPTION).read_text("utf-8")
            spec = ExperimentSpec.parse(yaml.safe_load(text))
        except (OSError, ValueError, TypeError, yaml.YAMLError, RecipeError):
            continue
        if spec.fingerprint == fingerprint:
            return cells_of(spec.bands) if spec.task == "detection" else None
    return None


def cells_of(bands: Mapping[str, Mapping[str, object]]) -> Frequencies | None:
    """The bands as cells, if they have one unit, do not overlap, and differ in space and time."""
    made = {name: validated(Band, own, f"band {name}") for name, own in bands.items()}
    passed = {
        name: BandLimits(FrequencyRange(one.low, one.high), FrequencyRange(one.low_hz, one.high_hz))
        for name, one in made.items()
    }
    units = {"cycles/degree" if one.degrees else "cycles/px" for one in made.values()}
    apart = not any(_overlap(*pair) for pair in combinations(passed.values(), 2))
    differ = all(len(set(ranges)) > 1 for ranges in zip(*passed.values(), strict=True))
    return Frequencies(units.pop(), passed) if len(units) == 1 and apart and differ else None


def _overlap(one: BandLimits, other: BandLimits) -> bool:
    return all(
        (a.low or 0) < (b.high or float("inf")) and (b.low or 0) < (a.high or float("inf"))
        for a, b in zip(one, other, strict=True)
    )
