"""What power is planned for: the expected effect, and the designs to try."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field

from stst.analysis.psychometric import LEVELS
from stst.analysis.reading import Rules
from stst.analysis.sensitivity import CHANCE
from stst.errors import RecipeError, guess
from stst.experiment.spec import RATINGS, ExperimentSpec
from stst.metrics.bounds import LEAST_UNITS
from stst.recipe import FrozenConfig, validated

SHARES = ("accuracy", "space chosen")
LIMITS = {**dict.fromkeys(SHARES, (0.0, 1.0)), "rating": (1.0, float(len(RATINGS)))}
ANY = (-math.inf, math.inf)

# Measures that `analyze` estimates in each task and that a plan can be about; the first is the
# default.
MEASURES: dict[str, tuple[str, ...]] = {
    "natural": ("d'", "accuracy", "threshold"),
    "detection": ("d'", "accuracy", "threshold"),
    "abx": ("d'", "accuracy"),
    "oddity": ("d'", "accuracy"),
    "category": ("accuracy",),
    "similarity": ("rating",),
    "source": ("space chosen",),
    "naming": (),
}


class PowerPlan(FrozenConfig):
    """An expected effect and the designs in which its power is simulated.

    The effect is that of one condition against chance or `null`. With `against` it is the
    difference between that condition and each other condition, within participants.

    Parameters
    ----------
    effect : float
        Mean over participants, in the unit of `measure`, the same in every condition, band and
        level. For a threshold, the geometric mean.
    spread : float
        Standard deviation between participants. For a threshold, the standard deviation of its
        natural logarithm.
    participants, repeats : tuple of int
        Numbers of participants and repeats to try. Without `repeats`, those of the experiment.
        At least four participants, because fewer have no interval.
    measure : str, optional
        ``d'``, ``accuracy``, ``threshold``, ``rating`` or ``space chosen``. None: the default of
        the task; with staircases (``method: quest``), ``threshold``.
    null : float, optional
        Null value. None: chance, or no difference with `against`. Ratings and thresholds have no
        chance value.
    against : str, optional
        Reference condition.
    difference : float, optional
        With `against`: how much lower than `effect` the mean is in the reference condition. For
        thresholds, a factor (2: half the threshold).
    difference_spread : float
        Standard deviation of the difference between participants. For thresholds, the standard
        deviation of the natural logarithm of the factor.
    lapse : float
        Proportion of trials, attention checks included, with a random response.
    slope : float
        Slope of the psychometric functions, for a threshold.
    simulations : int
        Simulated experiments for each number of participants and repeats.
    seed : int
        Random seed.
    rules : Rules
        Exclusion rules, as in `analyze`.

    Examples
    --------
    >>> plan = PowerPlan(effect=0.5, spread=0.3, participants=(8, 16))
    >>> full = planned(plan, ExperimentSpec(task="natural"))
    >>> full.measure, full.null, full.repeats
    ("d'", 0.0, (1,))
    """

    effect: float
    spread: float = Field(ge=0)
    participants: tuple[Annotated[int, Field(ge=LEAST_UNITS, le=10_000)], ...] = Field(min_length=1)
    repeats: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = ()
    measure: str | None = None
    null: float | None = None
    against: str | None = None
    difference: float | None = None
    difference_spread: float = Field(0, ge=0)
    lapse: float = Field(0.02, ge=0, le=1)
    slope: float = Field(2, gt=0)
    simulations: int = Field(400, ge=1)
    seed: int = Field(0, ge=0)
    rules: Rules = Rules()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate a mapping of settings.

        Parameters
        ----------
        data : mapping
            Names and values of the settings.

        Returns
        -------
        PowerPlan
            The validated plan.

        Raises
        ------
        RecipeError
            If a setting is unknown or has a wrong value; the message names it.
        """
        return validated(cls, data, "plan")


def planned(plan: PowerPlan, spec: ExperimentSpec) -> PowerPlan:
    """Fill in the settings that depend on the experiment.

    Parameters
    ----------
    plan : PowerPlan
        Plan that may lack a measure, a null value and repeats.
    spec : ExperimentSpec
        The experiment.

    Returns
    -------
    PowerPlan
        The plan with all three.

    Raises
    ------
    RecipeError
        If the experiment cannot show such an effect.
    """
    measure = plan.measure or next(iter(_measures(spec)))
    if measure not in _measures(spec):
        raise RecipeError(
            f"the task {spec.task} has no measure {measure!r}"
            + (" with method: quest" if spec.method == "quest" else "")
            + f".{guess(measure, _measures(spec))} Measures: {', '.join(_measures(spec))}."
        )
    if spec.once and set(plan.repeats) - {1}:
        raise RecipeError("each clip is seen once: use a set with more clips instead of repeats.")
    null = _null(measure, spec, plan) if plan.null is None else plan.null
    _refuse_effect(measure, plan.effect, plan.spread)
    _refuse_difference(measure, plan)
    repeats = plan.repeats or (spec.repeats,)
    return plan.model_copy(update={"measure": measure, "null": null, "repeats": repeats})


def _measures(spec: ExperimentSpec) -> tuple[str, ...]:
    """Measures of the experiment that a plan can be about."""
    if not MEASURES[spec.task]:
        raise RecipeError(f"the task {spec.task} has no measure with a power.")
    if spec.method != "quest":
        return MEASURES[spec.task]
    # A staircase chooses the contrasts, and with them d' and accuracy.
    if len(set(spec.contrasts)) < LEVELS:
        raise RecipeError(f"a threshold needs {LEVELS} contrasts or more.")
    return ("threshold",)


def chance(spec: ExperimentSpec) -> float:
    """Proportion of correct responses without sensitivity; in `source`, without a bias.

    Parameters
    ----------
    spec : ExperimentSpec
        The experiment.

    Returns
    -------
    float
        Proportion in [0, 1].
    """
    return CHANCE[spec.task] if spec.task in CHANCE else 1 / len(spec.answers)


def _null(measure: str, spec: ExperimentSpec, plan: PowerPlan) -> float:
    if plan.against is not None:
        return 1.0 if measure == "threshold" else 0.0
    if measure in ("rating", "threshold"):
        raise RecipeError(f"a {measure} has no chance value: give the null value (null).")
    return 0.0 if measure == "d'" else chance(spec)


def _refuse_effect(measure: str, effect: float, spread: float) -> None:
    """Refuse a mean and a standard deviation that no sample of the measure can have."""
    if measure == "threshold" and effect <= 0:
        raise RecipeError(f"a threshold must be above 0, got {effect:g}.")
    low, high = LIMITS.get(measure, ANY)
    inside = low < effect < high
    most = math.sqrt((effect - low) * (high - effect)) if inside else 0.0
    if not inside or spread >= most:
        raise RecipeError(
            f"the mean {measure} must be between {low:g} and {high:g}"
            + (f", with a standard deviation below {most:.3g}" if inside else "")
            + f"; got {effect:g} and {spread:g}."
        )


def _refuse_difference(measure: str, plan: PowerPlan) -> None:
    """Refuse an incomplete comparison, and a reference mean that the measure cannot have."""
    if (plan.against is None) != (plan.difference is None):
        raise RecipeError(
            "a comparison needs both the reference condition (against) and the difference."
        )
    if plan.difference is None:
        return
    if plan.null is not None:
        raise RecipeError("the null value of a comparison is no difference: leave out null.")
    if measure == "threshold" and plan.difference <= 0:
        raise RecipeError(f"thresholds differ by a factor above 0, got {plan.difference:g}.")
    low, high = LIMITS.get(measure, ANY)
    reference = plan.effect - plan.difference
    if not low < reference < high:
        raise RecipeError(
            f"the mean {measure} of the reference condition must be between {low:g} and {high:g}; "
            f"got {plan.effect:g} - {plan.difference:g} = {reference:g}."
        )
