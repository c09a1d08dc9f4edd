"""d' and criterion of two-interval tasks, ABX and oddity, and the frequencies of bands."""

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
MOST = 6.0  # largest d'; proportions hardly change above it


def two_intervals(
    hits: Numbers, firsts: Numbers, alarms: Numbers, seconds: Numbers
) -> tuple[Numbers, Numbers]:
    """Estimate d' and criterion of a two-interval task.

    ``d' = (z(H) - z(F)) / sqrt(2)`` and ``c = -(z(H) + z(F)) / 2``, above 0 if the second
    interval is preferred (Green & Swets 1966; Macmillan & Creelman 2005, ch. 7). H and F have the
    log-linear correction, 0.5 responses "first" more in 1 trial more (Hautus 1995), which is the
    mean under Jeffreys' prior. Bounds combine Jeffreys bounds of both rates (MOVER; Zou & Donner
    2008). A rate of 0 or 1 has no bound on that side, because the true rate may be any more
    extreme.

    Parameters
    ----------
    hits, firsts : ndarray
        Responses "first", and trials, with the target in the first interval; any one shape.
    alarms, seconds : ndarray
        Responses "first", and trials, with the target in the second interval.

    Returns
    -------
    d, criterion : ndarray
        Value, low and high, (3, ...); NaN is no bound.

    Examples
    --------
    >>> counts = (np.array(n) for n in (15.0, 20.0, 5.0, 20.0))
    >>> two_intervals(*counts)[0].round(2).tolist()
    [0.9, 0.35, 1.53]
    """
    hit, alarm = _z(hits, firsts), _z(alarms, seconds)
    d = _combined(hit, -alarm[[0, 2, 1]])
    return d / math.sqrt(2), -_combined(hit, alarm)[[0, 2, 1]] / 2


def _z(first: Numbers, trials: Numbers) -> Numbers:
    value = ndtri((first + 0.5) / (trials + 1))
    low, high = ndtri(jeffreys(first, trials))
    low, high = np.where(first == 0, np.nan, low), np.where(first == trials, np.nan, high)
    return np.array([value, low, high])


def _combined(first: Numbers, second: Numbers) -> Numbers:
    """The sum of two independent estimates, with bounds from theirs."""
    value = first[0] + second[0]
    low = value - np.hypot(first[0] - first[1], second[0] - second[1])  # NaN without a bound
    return np.array([value, low, value + np.hypot(first[2] - first[0], second[2] - second[0])])


def abx_correct(d: Numbers) -> Numbers:
    """Proportion correct in ABX by the differencing model, for clips that change between trials.

    Macmillan & Creelman (2005), ch. 9, without a response bias.

    Parameters
    ----------
    d : ndarray
        Sensitivity d'.

    Returns
    -------
    ndarray
        Proportion correct, 0.5 to 1.

    Examples
    --------
    >>> abx_correct(np.array([0.0, 2.0])).round(3).tolist()
    [0.5, 0.747]
    """
    ab, x = ndtr(d / math.sqrt(2)), ndtr(d / math.sqrt(6))
    return np.asarray(ab * x + (1 - ab) * (1 - x))


def oddity_correct(d: Numbers) -> Numbers:
    """Proportion correct in oddity by the differencing model (the triangular method).

    ``2 int_0^inf [Phi(-u sqrt 3 + d sqrt(2/3)) + Phi(-u sqrt 3 - d sqrt(2/3))] phi(u) du``
    (Frijters 1979; Macmillan & Creelman 2005, ch. 9).

    Parameters
    ----------
    d : ndarray
        Sensitivity d'.

    Returns
    -------
    ndarray
        Proportion correct, 1/3 to 1.

    Examples
    --------
    >>> oddity_correct(np.array([0.0, 2.0])).round(3).tolist()
    [0.333, 0.605]
    """
    u, width = 4 * (_NODES + 1), 4 * _WEIGHTS  # from 0 to 8
    far, shift = u * math.sqrt(3), np.asarray(d)[..., None] * math.sqrt(2 / 3)
    both = ndtr(shift - far) + ndtr(-shift - far)
    return np.asarray((2 * both * np.exp(-u * u / 2) / math.sqrt(2 * math.pi) * width).sum(-1))


# Tasks with a d' that follows from the proportion correct.
CORRECT: dict[str, Callable[[Numbers], Numbers]] = {"abx": abx_correct, "oddity": oddity_correct}


def from_correct(task: str, proportion: Interval) -> Interval:
    """Convert a proportion correct and its bounds to d'.

    Parameters
    ----------
    task : {"abx", "oddity"}
        Task.
    proportion : Interval
        Proportion correct with bounds.

    Returns
    -------
    Interval
        d' with bounds, from 0 to `MOST`.
    """
    d, correct = _table(task)
    inverse = PchipInterpolator(correct, d)
    bounds = np.clip(proportion, correct[0], correct[-1])
    return Interval(*(round(float(x), 3) for x in inverse(bounds)))


@cache
def _table(task: str) -> tuple[Numbers, Numbers]:
    """Values of d' and proportions correct, finer near d' = 0, where the function is flat."""
    d = np.concatenate([[0], np.geomspace(1e-3, MOST, 400)])
    return d, CORRECT[task](d)


DESCRIPTION = "experiment.yaml"


class FrequencyRange(NamedTuple):
    """Limits of a frequency band.

    Parameters
    ----------
    low, high : float or None
        Limits; None is no limit.
    """

    low: float | None
    high: float | None


class BandLimits(NamedTuple):
    """Passband in space and time.

    Parameters
    ----------
    space, time : FrequencyRange
        Spatial and temporal frequencies.
    """

    space: FrequencyRange
    time: FrequencyRange


class Frequencies(NamedTuple):
    """Passbands of an experiment.

    Parameters
    ----------
    unit : str
        Unit of spatial frequency; temporal frequency is in Hz.
    bands : dict of str to BandLimits
        Passband of each band.
    """

    unit: str
    bands: dict[str, BandLimits]

    def plain(self) -> dict[str, Any]:
        """Convert to plain data for JSON."""
        return {"unit": self.unit, "bands": {k: band._asdict() for k, band in self.bands.items()}}


def frequencies(paths: Sequence[Path], fingerprint: str) -> Frequencies | None:
    """Read the passbands of an experiment.

    Parameters
    ----------
    paths : sequence of Path
        Responses; ``experiment.yaml`` is searched beside them and in the folder above.
    fingerprint : str
        Fingerprint of the experiment.

    Returns
    -------
    Frequencies or None
        None without a description of this experiment, or if its bands are not cells of spatial by
        temporal frequency.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    for folder in (near for own in folders for near in (own, own.absolute().parent)):
        try:
            text = (folder / DESCRIPTION).read_text("utf-8")
            spec = ExperimentSpec.parse(yaml.safe_load(text))
        except (OSError, ValueError, TypeError, yaml.YAMLError, RecipeError):
            continue
        if spec.fingerprint == fingerprint:
            return cells_of(spec.bands) if spec.task == "detection" else None
    return None


def cells_of(bands: Mapping[str, Mapping[str, object]]) -> Frequencies | None:
    """Convert bands to cells of spatial by temporal frequency.

    Parameters
    ----------
    bands : mapping
        Settings of each band.

    Returns
    -------
    Frequencies or None
        None unless the bands have one unit, do not overlap, and differ in space and time.
    """
    filters = {name: validated(Band, own, f"band {name}") for name, own in bands.items()}
    limits = {
        name: BandLimits(
            FrequencyRange(band.low, band.high), FrequencyRange(band.low_hz, band.high_hz)
        )
        for name, band in filters.items()
    }
    units = {"cycles/degree" if band.degrees else "cycles/px" for band in filters.values()}
    apart = not any(_overlap(*pair) for pair in combinations(limits.values(), 2))
    differ = all(len(set(ranges)) > 1 for ranges in zip(*limits.values(), strict=True))
    return Frequencies(units.pop(), limits) if len(units) == 1 and apart and differ else None


def _overlap(first: BandLimits, second: BandLimits) -> bool:
    return all(
        (a.low or 0) < (b.high or float("inf")) and (b.low or 0) < (a.high or float("inf"))
        for a, b in zip(first, second, strict=True)
    )
