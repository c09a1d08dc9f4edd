"""Simulated observers: the trials of an experiment, answered by people of known truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field
from scipy.special import ndtr

from stst.analysis.cells import cell_of
from stst.analysis.intervals import Numbers
from stst.analysis.psychometric import weibull
from stst.analysis.reading import Response, Rules
from stst.analysis.sensitivity import CHANCE, CORRECT
from stst.errors import RecipeError, guess
from stst.experiment.design import Trial, make_lists
from stst.experiment.spec import INTERVALS, RATINGS, ExperimentSpec
from stst.experiment.stimuli import StimulusRow
from stst.metrics.bounds import LEAST_UNITS
from stst.recipe import FrozenConfig, validated

SHARES = ("accuracy", "space chosen")
LIMITS = {**dict.fromkeys(SHARES, (0.0, 1.0)), "rating": (1.0, float(len(RATINGS)))}
ANY = (-math.inf, math.inf)

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


class PowerPlan(FrozenConfig):
    """An effect that is expected, and the experiments in which it is looked for.

    The effect is of one condition, against chance or `null`; with `against` it is how much that
    condition differs from each other one, within participants.

    Parameters
    ----------
    effect : float
        Mean over participants, in the unit of `measure`, in every condition and band and at every
        level; of a threshold the geometric mean.
    spread : float
        Standard deviation between participants; of a threshold that of its natural logarithm.
    participants, repeats : tuple of int
        Numbers of both to try; no `repeats` are those of the experiment. Fewer than four
        participants have no interval, and find nothing.
    measure : str, optional
        ``d'``, ``accuracy``, ``threshold``, ``rating`` or ``space chosen``; None: the task's first.
    null : float, optional
        Value that the interval must leave; None: chance, which ratings and thresholds do not have,
        and with `against` no difference.
    against : str, optional
        Condition that all others are compared with.
    difference : float, optional
        With `against`: how much less than `effect` participants have in that condition, on
        average; of thresholds, by which factor (2: half the threshold).
    difference_spread : float
        Its standard deviation between participants; of the natural logarithm of a factor.
    lapse : float
        Share of trials, attention checks among them, that are answered at random.
    slope : float
        Of the psychometric functions, for a threshold.
    simulations : int
        Simulated experiments for each number of participants and repeats.
    seed : int
        Random seed.
    rules : Rules
        What is left out, as in `analyze`.

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
        """Validate plain data; RecipeError names the setting that is wrong."""
        return validated(cls, data, "plan")


def planned(plan: PowerPlan, spec: ExperimentSpec) -> PowerPlan:
    """Fill in what the experiment decides; RecipeError if it cannot have such an effect."""
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
    _refuse_effect(measure, plan.effect, plan.spread)
    _refuse_difference(measure, plan)
    repeats = plan.repeats or (spec.repeats,)
    return plan.model_copy(update={"measure": measure, "null": null, "repeats": repeats})


def chance(spec: ExperimentSpec) -> float:
    """Share of right answers without any sensitivity; of sources, without any bias."""
    return CHANCE[spec.task] if spec.task in CHANCE else 1 / len(spec.answers)


def _null(measure: str, spec: ExperimentSpec, plan: PowerPlan) -> float:
    if plan.against is not None:
        return 1.0 if measure == "threshold" else 0.0
    if measure in ("rating", "threshold"):
        raise RecipeError(
            f"a {measure} has no value of chance: give the one that it is compared with (null)."
        )
    return 0.0 if measure == "d'" else chance(spec)


def _refuse_effect(measure: str, effect: float, spread: float) -> None:
    """Refuse what no participants can have."""
    if measure == "threshold" and effect <= 0:
        raise RecipeError(f"a threshold is above 0, got {effect:g}.")
    low, high = LIMITS.get(measure, ANY)
    inside = low < effect < high
    most = math.sqrt((effect - low) * (high - effect)) if inside else 0.0
    if not inside or spread >= most:
        raise RecipeError(
            f"no participants have a mean {measure} of {effect:g} and a standard deviation "
            f"of {spread:g}: wanted a mean between {low:g} and {high:g}"
            + (f", and then less than {most:.3g}." if inside else ".")
        )


def _refuse_difference(measure: str, plan: PowerPlan) -> None:
    """Refuse half a comparison, and differences that no participants can have."""
    if (plan.against is None) != (plan.difference is None):
        raise RecipeError("a comparison needs both: the condition (against) and the difference.")
    if plan.difference is None:
        return
    if plan.null is not None:
        raise RecipeError("a comparison is with no difference: leave null out.")
    if measure == "threshold" and plan.difference <= 0:
        raise RecipeError(f"thresholds differ by a factor above 0, got {plan.difference:g}.")
    low, high = LIMITS.get(measure, ANY)
    if not low < plan.effect - plan.difference < high:
        raise RecipeError(
            f"no participants have a mean {measure} of {plan.effect - plan.difference:g}, which is "
            f"{plan.effect:g} less {plan.difference:g}: wanted between {low:g} and {high:g}."
        )


Lists = Sequence[Sequence[Response]]
_STEPS = len(RATINGS) - 1


def lists_of(spec: ExperimentSpec, stimuli: Sequence[StimulusRow], repeats: int) -> Lists:
    """Test trials and checks of each list, not yet answered."""
    changed = ExperimentSpec.parse(spec.model_dump(mode="json") | {"repeats": repeats})
    lists = make_lists(changed, stimuli)
    return [[_unanswered(t, spec) for t in trials if t.phase != "practice"] for trials in lists]


def _unanswered(trial: Trial, spec: ExperimentSpec) -> Response:
    """What the table of responses would say of a trial before it is answered."""
    shown = trial.shown
    band = next((clip for clip in shown if clip.band), None)
    duration, contrast = shown[0].duration if shown else None, band.contrast if band else None
    return Response(
        **trial.model_dump(include={"phase", "item", "clip"}),
        experiment=spec.fingerprint,
        task=spec.task,
        conditions=tuple(clip.condition for clip in shown),
        roles=tuple(clip.role for clip in shown),
        duration=math.nan if duration is None else duration,
        band=(band and band.band) or "",
        contrast=math.nan if contrast is None else contrast,
        expected=trial.expected or "",
        frames_expected=float(len(shown)),
    )


def simulated(
    lists: Lists, people: int, plan: PowerPlan, spec: ExperimentSpec, rng: np.random.Generator
) -> list[Response]:
    """The responses of one experiment; participants get the lists in turn."""
    values = _truths(plan, people, rng)
    others = _lowered(values, plan, rng)
    answers = list[Response]()
    for who, trials in enumerate(islice(cycle(lists), people)):
        is_other = np.array([cell_of(trial).condition == plan.against for trial in trials])
        truth = np.where(is_other, others[who], values[who])
        answers += _answered(trials, f"P{who}", truth, plan, spec, rng)
    return answers


def _truths(plan: PowerPlan, count: int, rng: np.random.Generator) -> Numbers:
    """True values of participants, (count,): normal; beta of shares and ratings; log-normal."""
    if plan.measure == "threshold":
        return np.asarray(plan.effect * np.exp(rng.normal(0, plan.spread, count)))
    if plan.measure not in LIMITS:
        return rng.normal(plan.effect, plan.spread, count)
    low, high = LIMITS[plan.measure]
    share, spread = (plan.effect - low) / (high - low), plan.spread / (high - low)
    if not spread:
        return np.full(count, plan.effect)
    size = share * (1 - share) / spread**2 - 1
    return low + (high - low) * rng.beta(share * size, (1 - share) * size, count)


def _lowered(values: Numbers, plan: PowerPlan, rng: np.random.Generator) -> Numbers:
    """What they have in the condition that others are compared with; shares stay possible."""
    if plan.difference is None:
        return values
    spread = rng.normal(0, plan.difference_spread, len(values))
    if plan.measure == "threshold":
        return np.asarray(values / (plan.difference * np.exp(spread)))
    lower = values - (plan.difference + spread)
    return np.asarray(lower.clip(*LIMITS.get(plan.measure or "", ANY)))


def _answered(
    trials: Sequence[Response],
    who: str,
    truth: Numbers,
    plan: PowerPlan,
    spec: ExperimentSpec,
    rng: np.random.Generator,
) -> Iterator[Response]:
    """The trials of a list as one participant answers them, who has `truth` in each of them."""
    awake = rng.random(len(trials)) >= plan.lapse
    if plan.measure == "rating":
        ratings = 1 + rng.binomial(_STEPS, (truth - 1) / _STEPS, len(trials))
        given = np.where(awake, ratings, rng.integers(1, len(RATINGS) + 1, len(trials)))
    else:
        share = np.where(awake, _right(trials, truth, plan, spec), chance(spec))
        given = rng.random(len(trials)) < share
    wrong = rng.integers(0, max(len(spec.answers) - 1, 1), len(trials))
    for row, trial in enumerate(trials):
        told = trial._replace(participant=who, session=who, row=row, response_time=500.0)
        if trial.phase == "attention":
            yield told._replace(response="key", correct=str(int(awake[row])))
        elif plan.measure == "rating":
            yield told._replace(response=str(given[row]))
        elif plan.measure == "space chosen":
            source = "space" if given[row] else "time"
            place = trial.roles.index(source) - 1  # the first clip is the factorised one
            yield told._replace(response=INTERVALS[place], chosen=source)
        else:
            others = [answer for answer in spec.answers if answer != trial.expected]
            response = trial.expected if given[row] else others[wrong[row]]
            yield told._replace(response=response, correct=str(int(given[row])))


def _right(
    trials: Sequence[Response], truth: Numbers, plan: PowerPlan, spec: ExperimentSpec
) -> Numbers:
    """Probability that a trial is right, or that space is chosen, when it is attended to."""
    if plan.measure == "threshold":
        levels = np.array([cell_of(trial).level for trial in trials])
        return weibull(levels, truth, np.array(plan.slope), np.array(0.0), chance(spec))
    if plan.measure in SHARES:
        return truth
    if spec.task in CORRECT:
        return CORRECT[spec.task](truth.clip(0))
    return np.asarray(ndtr(truth / math.sqrt(2)))
