"""Mixed-effects models of single trials, with random intercepts of participants and items."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from stst.analysis.cells import cell_of
from stst.analysis.intervals import Numbers
from stst.analysis.reading import Response
from stst.errors import ExperimentError
from stst.metrics.bounds import CONFIDENCE, LEAST_UNITS, approximate, bounds_of

WIDEST = 10.0  # log odds; with a larger standard error the data give no bounds
_LOGIT = {"likelihood": "bernoulli_logit", "matrix_inversion_method": "cholesky"}


class Effect(NamedTuple):
    """A fixed effect with bounds, or the standard deviation of a random effect.

    Parameters
    ----------
    outcome : str
        Modelled variable: "accuracy", "space chosen" or "rating".
    term : str
        Name of the effect.
    unit : str
        "log odds", or "points" of a rating.
    value, low, high : float
        Estimate and bounds; NaN is no bound, as with fewer than four participants.
    participants, items, trials : int
        Numbers behind the model.
    bounds : str
        What ``low`` and ``high`` are.
    """

    outcome: str
    term: str
    unit: str
    value: float
    low: float
    high: float
    participants: int
    items: int
    trials: int
    bounds: str


def mixed(trials: Sequence[Response]) -> list[Effect]:
    """Fit one model to all trials of a task.

    ``outcome ~ condition + band + log2(level) + (1 | participant) + (1 | item)``, without
    interactions or random slopes. The model of correct responses, or of the choice of space, is
    logistic, the model of ratings linear. GPBoost (Sigrist 2022) maximises the likelihood (for the
    logistic model by Laplace's approximation). Wald's intervals are named approximate, because
    they cover less than 95 % with few participants or items.

    Parameters
    ----------
    trials : sequence of Response
        Test trials of one task.

    Returns
    -------
    list of Effect
        Fixed effects, then standard deviations of the random effects.

    Raises
    ------
    ExperimentError
        If the extra ``mixed`` is not installed or the model cannot be fitted.
    """
    outcome, unit, values = _outcome(trials)
    terms = _terms(trials)
    named = {name: [getattr(trial, name) for trial in trials] for name in ("participant", "item")}
    groups = {name: own for name, own in named.items() if len(set(own)) > 1}
    design = np.column_stack(list(terms.values()))
    if "participant" not in groups:
        raise ExperimentError("a mixed-effects model needs two or more participants.")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ExperimentError(
            "conditions, bands and levels cannot be separated in this design: they vary together."
        )
    fixed, deviations = _fit(values, design, groups, linear=outcome == "rating")
    people, items = (len(set(own)) for own in named.values())
    counts = people, items, len(trials)
    known = (fixed[1] <= WIDEST) & (people >= LEAST_UNITS)
    halves = np.where(known, ndtri((1 + CONFIDENCE) / 2) * fixed[1], math.nan)
    bounds = np.column_stack([fixed[0], fixed[0] - halves, fixed[0] + halves]).tolist()
    names = ["residual", *groups] if outcome == "rating" else list(groups)
    bounds += [[float(deviation), math.nan, math.nan] for deviation in deviations]
    labels = [*terms, *(f"SD of {name}" for name in names)]
    return [
        Effect(outcome, label, unit, value, low, high, *counts, _named(people, low, high))
        for label, (value, low, high) in zip(labels, bounds, strict=True)
    ]


def _named(participants: int, low: float, high: float) -> str:
    """Name of the bounds of an effect."""
    return approximate(bounds_of(participants, low, high))


def _outcome(trials: Sequence[Response]) -> tuple[str, str, Numbers]:
    """Name and unit of the modelled variable, and its value in each trial."""
    task = trials[0].task
    if task == "naming":
        raise ExperimentError("naming has no mixed-effects model: its responses are typed.")
    if task == "similarity":
        return "rating", "points", np.array([float(t.response) for t in trials])
    if task == "source":
        return "space chosen", "log odds", np.array([t.chosen == "space" for t in trials], float)
    return "accuracy", "log odds", np.array([t.correct == "1" for t in trials], float)


def _terms(trials: Sequence[Response]) -> dict[str, Numbers]:
    """Columns of the design: the reference condition and band, and differences from them."""
    cells = [cell_of(trial) for trial in trials]
    first = (min(cell.condition for cell in cells), min(cell.band for cell in cells))
    terms = {", ".join(["intercept", *filter(None, first)]): np.ones(len(cells))}
    for names in ([cell.condition for cell in cells], [cell.band for cell in cells]):
        base, *others = sorted(set(names))
        terms |= {f"{name} - {base}": np.equal(names, name).astype(float) for name in others}
    levels = np.array([cell.level for cell in cells])
    if (levels > 0).all() and len(set(levels)) > 1:
        log = np.log2(levels)
        level = "contrast" if trials[0].task == "detection" else "duration"
        terms[f"doubling of {level}"] = log - log.mean()
    return terms


def _fit(
    values: Numbers, design: Numbers, groups: Mapping[str, Sequence[str]], *, linear: bool
) -> tuple[Numbers, Numbers]:
    """Fixed effects and standard errors, (2, terms), and standard deviations of random effects."""
    gpboost = _library()
    numbers = [np.unique(list(names), return_inverse=True)[1] for names in groups.values()]
    kind = {} if linear else _LOGIT
    model = gpboost.GPModel(group_data=np.column_stack(numbers), num_parallel_threads=1, **kind)
    try:
        model.fit(y=values, X=design, params={"delta_rel_conv": 1e-9})
    except gpboost.basic.GPBoostError as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"the mixed-effects model cannot be fitted: {reason}.") from error
    variances = np.asarray(model.get_cov_pars(format_pandas=False), float).ravel()
    fixed = np.asarray(model.get_coef(std_err=True, format_pandas=False), float)
    return fixed, np.sqrt(variances)


def _library() -> Any:  # noqa: ANN401
    """Import GPBoost without its printed messages."""
    try:
        import gpboost
    except ImportError as error:
        raise ExperimentError("--mixed needs pip install 'stst-vision[mixed]'.") from error
    quiet = logging.getLogger(__name__)
    quiet.addHandler(logging.NullHandler())
    gpboost.register_logger(quiet)
    return gpboost
