"""What is planned: an effect, how much participants differ, how many of them and of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field

from stst.errors import RecipeError, guess
from stst.experiment.analysis.exclusions import Rules
from stst.experiment.analysis.sensitivity import CHANCE
from stst.experiment.spec import RATINGS, ExperimentSpec
from stst.recipe import Part, validated

SHARES = ("accuracy", "space chosen")
# What `analyze` finds for each task and a plan can be about; the first if none is named.
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


class Plan(Part):
    """An effect that is expected, and the experiments in which it is looked for.

    The effect is of one condition, against chance or `null`; with `against` it is how much that
    condition differs from each other one, within participants.

    Parameters
    ----------
    effect : float
        Mean over participants, in the unit of `measure`; of a threshold the geometric mean.
        It is the same in every condition and band, and at every level.
    spread : float
        Standard deviation between participants, in the same unit; of a threshold that of its
        natural logarithm, so that 0.2 is about 20 %.
    participants : tuple of int
        Numbers of participants to try.
    repeats : tuple of int
        Numbers of repeats (`ExperimentSpec.repeats`) to try; none is that of the experiment.
    measure : str, optional
        ``d'``, ``accuracy``, ``threshold``, ``rating`` or ``space chosen``; None: the first
        that the task has.
    null : float, optional
        Value that the interval must leave; None: chance, and with `against` no difference. Ratings
        and thresholds have no chance.
    against : str, optional
        Condition that all others are compared with.
    difference : float, optional
        With `against`: how much less than `effect` participants have in that condition, on
        average; of thresholds, by which factor (2: half the threshold).
    difference_spread : float
        Standard deviation of the difference between participants; of thresholds that of the
        natural logarithm of the factor.
    lapse : float
        Share of trials, attention checks among them, that are answered at random.
    slope : float
        Of the psychometric functions, for a threshold.
    simulations : int
        Simulated experiments for each number of participants and repeats.
    seed : int
        Of all that is random.
    rules : Rules
        What is left out, as in `analyze`.

    Examples
    --------
    >>> plan = Plan(effect=0.5, spread=0.3, participants=(8, 16))
    >>> full = planned(plan, ExperimentSpec(task="natural"))
    >>> full.measure, full.null, full.repeats
    ("d'", 0.0, (1,))
    """

    effect: float
    spread: float = Field(ge=0)
    participants: tuple[Annotated[int, Field(ge=2, le=10_000)], ...] = Field(min_length=1)
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
        """Validate plain data; RecipeError names the setting that is wrong."""
        return validated(cls, data, "plan")


def planned(plan: Plan, spec: ExperimentSpec) -> Plan:
    """Fill in what the experiment decides.

    Raises
    ------
    RecipeError
        If the task has no such measure or effect, a staircase chooses the trials, or clips
        cannot be repeated.
    """
    known = MEASURES[spec.task]
    if not known:
        raise RecipeError(f"the task {spec.task} has no measure that an effect could be of.")
    measure = plan.measure or known[0]
    if measure not in known:
        raise RecipeError(
            f"the task {spec.task} has no measure {measure!r}.{guess(measure, known)} "
            f"It has: {', '.join(known)}."
        )
    if spec.method == "quest":
        raise RecipeError("power needs given trials: plan with method: constant, not quest.")
    if spec.once and set(plan.repeats) - {1}:
        raise RecipeError("each clip is seen once: plan a set with more clips, not repeats.")
    null = _null(measure, spec, plan) if plan.null is None else plan.null
    _refuse(measure, plan.effect, plan.spread)
    _refuse_difference(measure, plan)
    return plan.model_copy(
        update={"measure": measure, "null": null, "repeats": plan.repeats or (spec.repeats,)}
    )


def chance(spec: ExperimentSpec) -> float:
    """Share of right answers without any sensitivity; of sources, without any bias."""
    return CHANCE[spec.task] if spec.task in CHANCE else 1 / len(spec.answers)


def _null(measure: str, spec: ExperimentSpec, plan: Plan) -> float:
    if plan.against is not None:
        return 1.0 if measure == "threshold" else 0.0
    if measure in ("rating", "threshold"):
        raise RecipeError(
            f"a {measure} has no value of chance: give the one that it is compared with (null)."
        )
    return 0.0 if measure == "d'" else chance(spec)


def limits(measure: str) -> tuple[float, float]:
    """Least and most that a share, or a rating, can be."""
    return {"rating": (1.0, float(len(RATINGS)))}.get(measure, (0.0, 1.0))


def _refuse(measure: str, effect: float, spread: float) -> None:
    """Refuse what no participants can have."""
    low, high = limits(measure)
    if measure in (*SHARES, "rating"):
        inside = low < effect < high
        most = ((effect - low) * (high - effect)) ** 0.5 if inside else 0.0
        if not inside or spread >= most:
            raise RecipeError(
                f"no participants have a mean {measure} of {effect:g} and a standard deviation "
                f"of {spread:g}: wanted a mean between {low:g} and {high:g}"
                + (f", and then less than {most:.3g}." if inside else ".")
            )
    if measure == "threshold" and effect <= 0:
        raise RecipeError(f"a threshold is above 0, got {effect:g}.")


def _refuse_difference(measure: str, plan: Plan) -> None:
    """Refuse half a comparison, and differences that no participants can have."""
    if (plan.against is None) != (plan.difference is None):
        raise RecipeError("a comparison needs both: the condition (against) and the difference.")
    if plan.difference is None:
        return
    if plan.null is not None:
        raise RecipeError("a comparison is with no difference: leave null out.")
    if measure == "threshold" and plan.difference <= 0:
        raise RecipeError(f"thresholds differ by a factor above 0, got {plan.difference:g}.")
    low, high = limits(measure)
    if measure in (*SHARES, "rating") and not low < plan.effect - plan.difference < high:
        raise RecipeError(
            f"no participants have a mean {measure} of {plan.effect - plan.difference:g}, which is "
            f"{plan.effect:g} less {plan.difference:g}: wanted between {low:g} and {high:g}."
        )
