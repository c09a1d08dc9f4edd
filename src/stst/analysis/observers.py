"""Simulated observers: the trials of an experiment with the responses of known observers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from stst.analysis.cells import cell_of
from stst.analysis.intervals import Numbers
from stst.analysis.plan import ANY, LIMITS, SHARES, PowerPlan, chance
from stst.analysis.psychometric import weibull
from stst.analysis.reading import Response
from stst.analysis.sensitivity import CORRECT
from stst.analysis.staircases import Flags, Indices, run_staircases
from stst.experiment.design import Trial, make_lists
from stst.experiment.spec import INTERVALS, RATINGS, ExperimentSpec
from stst.experiment.stimuli import StimulusRow

Lists = Sequence[Sequence[Response]]
_STEPS = len(RATINGS) - 1


def lists_of(spec: ExperimentSpec, stimuli: Sequence[StimulusRow], repeats: int) -> Lists:
    """Lay out the lists of an experiment, without responses.

    Parameters
    ----------
    spec : ExperimentSpec
        The experiment.
    stimuli : sequence of StimulusRow
        Its stimulus set.
    repeats : int
        Repeats of each trial.

    Returns
    -------
    sequence of sequences of Response
        Test trials and attention checks of each list. With ``method: quest`` the contrast is NaN.
    """
    changed = ExperimentSpec.parse(spec.model_dump(mode="json") | {"repeats": repeats})
    lists = make_lists(changed, stimuli)
    return [[_unanswered(t, spec) for t in trials if t.phase != "practice"] for trials in lists]


def _unanswered(trial: Trial, spec: ExperimentSpec) -> Response:
    """A row of the table of responses before the response."""
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


class _Observer(NamedTuple):
    """A participant, the trials of the list, and the true value in each of them."""

    name: str
    trials: Sequence[Response]
    truth: Numbers


def simulated(
    lists: Lists, people: int, plan: PowerPlan, spec: ExperimentSpec, rng: np.random.Generator
) -> list[Response]:
    """Simulate the responses of one experiment.

    Parameters
    ----------
    lists : sequence of sequences of Response
        Trials without responses, by `lists_of`. Participants get the lists in turn.
    people : int
        Number of participants.
    plan : PowerPlan
        The true effect, completed by `planned`.
    spec : ExperimentSpec
        The experiment.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    list of Response
        All rows of all participants.
    """
    values = _truths(plan, people, rng)
    others = _lowered(values, plan, rng)
    observers = list[_Observer]()
    for who, trials in enumerate(islice(cycle(lists), people)):
        is_other = np.array([cell_of(trial).condition == plan.against for trial in trials])
        truth = np.where(is_other, others[who], values[who])
        observers.append(_Observer(f"P{who}", trials, truth))
    if spec.method == "quest":
        return _with_staircases(observers, plan, spec, rng)
    return [row for observer in observers for row in _answered(observer, plan, spec, rng)]


def _truths(plan: PowerPlan, count: int, rng: np.random.Generator) -> Numbers:
    """True values of participants, (count,): normal; beta for shares and ratings; log-normal."""
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
    """True values in the reference condition, (count,), within the limits of the measure."""
    if plan.difference is None:
        return values
    spread = rng.normal(0, plan.difference_spread, len(values))
    if plan.measure == "threshold":
        return np.asarray(values / (plan.difference * np.exp(spread)))
    lower = values - (plan.difference + spread)
    return np.asarray(lower.clip(*LIMITS.get(plan.measure or "", ANY)))


def _answered(
    observer: _Observer, plan: PowerPlan, spec: ExperimentSpec, rng: np.random.Generator
) -> Iterator[Response]:
    """The rows of one participant, all trials given."""
    count = len(observer.trials)
    awake = rng.random(count) >= plan.lapse
    if plan.measure == "rating":
        ratings = 1 + rng.binomial(_STEPS, (observer.truth - 1) / _STEPS, count)
        given = np.where(awake, ratings, rng.integers(1, len(RATINGS) + 1, count))
    else:
        share = np.where(awake, _right(observer, plan, spec), chance(spec))
        given = rng.random(count) < share
    wrong = rng.integers(0, max(len(spec.answers) - 1, 1), count)
    for row, trial in enumerate(observer.trials):
        blank = _row(observer, row)
        if trial.phase == "attention":
            yield blank._replace(response="key", correct=str(int(awake[row])))
        elif plan.measure == "rating":
            yield blank._replace(response=str(given[row]))
        elif plan.measure == "space chosen":
            source = "space" if given[row] else "time"
            place = trial.roles.index(source) - 1  # the first clip is the factorised one
            yield blank._replace(response=INTERVALS[place], chosen=source)
        else:
            others = [answer for answer in spec.answers if answer != trial.expected]
            response = trial.expected if given[row] else others[wrong[row]]
            yield blank._replace(response=response, correct=str(int(given[row])))


def _row(observer: _Observer, row: int) -> Response:
    """A row of the participant without the response."""
    name = observer.name
    return observer.trials[row]._replace(
        participant=name, session=name, row=row, response_time=500.0
    )


def _right(observer: _Observer, plan: PowerPlan, spec: ExperimentSpec) -> Numbers:
    """Probability of a correct response, or of the choice of space, in trials without a lapse."""
    truth = observer.truth
    if plan.measure == "threshold":
        levels = np.array([cell_of(trial).level for trial in observer.trials])
        return weibull(levels, truth, np.array(plan.slope), np.array(0.0), chance(spec))
    if plan.measure in SHARES:
        return truth
    if spec.task in CORRECT:
        return CORRECT[spec.task](truth.clip(0))
    return np.asarray(ndtr(truth / math.sqrt(2)))


def _with_staircases(
    observers: Sequence[_Observer], plan: PowerPlan, spec: ExperimentSpec, rng: np.random.Generator
) -> list[Response]:
    """The rows of all participants, with the contrasts of their staircases.

    As on the page, each band has one staircase for all conditions and durations.
    """
    truth = np.array([observer.truth for observer in observers])  # (participants, trials)
    awake, draws = rng.random(truth.shape) >= plan.lapse, rng.random(truth.shape)
    contrasts = np.full(truth.shape, math.nan)
    correct = awake.copy()  # of attention checks
    for band in spec.bands:
        places = np.array([_places(observer, band) for observer in observers])

        def answers(trial: int, contrast: Numbers, places: Indices = places) -> Flags:
            own = np.arange(len(observers)), places[:, trial]
            right = weibull(contrast, truth[own], np.array(plan.slope), np.array(0.0), chance(spec))
            return np.asarray(draws[own] < np.where(awake[own], right, chance(spec)))

        shown, answered = run_staircases(spec.contrasts, len(places), places.shape[1], answers)
        np.put_along_axis(contrasts, places, shown.T, 1)
        np.put_along_axis(correct, places, answered.T, 1)
    return [
        _judged(_row(observer, row), contrasts[who, row], bool(correct[who, row]))
        for who, observer in enumerate(observers)
        for row in range(len(observer.trials))
    ]


def _places(observer: _Observer, band: str) -> list[int]:
    """Where the test trials of a band are in the list."""
    return [
        place
        for place, trial in enumerate(observer.trials)
        if trial.phase == "test" and trial.band == band
    ]


def _judged(row: Response, contrast: float, correct: bool) -> Response:
    """A row of a staircase, or of a check, with its response."""
    wrong = INTERVALS[1] if row.expected == INTERVALS[0] else INTERVALS[0]
    response = row.expected if correct else wrong
    return row._replace(contrast=float(contrast), response=response, correct=str(int(correct)))
