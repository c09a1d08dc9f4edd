"""Simulated observers: the trials of an experiment, answered by people of known truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from scipy.special import ndtr

from stst.experiment import trials as design
from stst.experiment.analysis.intervals import Numbers
from stst.experiment.analysis.plan import SHARES, Plan, chance
from stst.experiment.analysis.psychometric import weibull
from stst.experiment.analysis.reading import Trial
from stst.experiment.analysis.sensitivity import CORRECT
from stst.experiment.design import make_lists
from stst.experiment.spec import INTERVALS, RATINGS, ExperimentSpec
from stst.experiment.stimuli import Stimulus

Lists = Sequence[Sequence[Trial]]
_STEPS = len(RATINGS) - 1


def lists_of(spec: ExperimentSpec, stimuli: Sequence[Stimulus], repeats: int) -> Lists:
    """Test trials and checks of each list, not yet answered."""
    changed = ExperimentSpec.parse(spec.model_dump(mode="json") | {"repeats": repeats})
    laid = make_lists(changed, stimuli)
    return [[unanswered(t, spec) for t in one if t.phase != "practice"] for one in laid]


def simulated(
    lists: Lists, people: int, plan: Plan, spec: ExperimentSpec, rng: np.random.Generator
) -> list[Trial]:
    """The responses of one experiment; participants get the lists in turn."""
    values = truths(plan, people, rng)
    return [
        trial
        for who, (truth, one) in enumerate(zip(values, islice(cycle(lists), people), strict=True))
        for trial in answered(one, f"P{who}", float(truth), plan, spec, rng)
    ]


def unanswered(trial: design.Trial, spec: ExperimentSpec) -> Trial:
    """What the table of responses would say of a trial before it is answered."""
    shown = trial.shown
    band = next((one for one in shown if one.band), None)
    frames = float(len(shown))
    return Trial(
        participant="",
        session="",
        row=0,
        experiment=spec.fingerprint,
        phase=trial.phase,
        task=spec.task,
        item=trial.item,
        clip=trial.clip,
        conditions=tuple(one.condition for one in shown),
        roles=tuple(one.role for one in shown),
        kinds=("vp9",) * len(shown),
        duration=_number(shown[0].duration if shown else None),
        band=band.band or "" if band else "",
        contrast=_number(band.contrast if band else None),
        expected=trial.expected or "",
        response="",
        chosen="",
        correct="",
        response_time=math.inf,
        expected_frames=frames,
        dropped_frames=0.0,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def truths(plan: Plan, count: int, rng: np.random.Generator) -> Numbers:
    """The true value of each participant: (count,).

    Normal; of shares and ratings beta, of thresholds log-normal.
    """
    if plan.measure == "threshold":
        return np.asarray(plan.effect * np.exp(rng.normal(0, plan.spread, count)))
    if plan.measure not in (*SHARES, "rating"):
        return rng.normal(plan.effect, plan.spread, count)
    low, width = (1, _STEPS) if plan.measure == "rating" else (0, 1)
    share, spread = (plan.effect - low) / width, plan.spread / width
    if not spread:
        return np.full(count, plan.effect)
    size = share * (1 - share) / spread**2 - 1
    return low + width * rng.beta(share * size, (1 - share) * size, count)


def answered(
    trials: Sequence[Trial],
    who: str,
    truth: float,
    plan: Plan,
    spec: ExperimentSpec,
    rng: np.random.Generator,
) -> Iterator[Trial]:
    """The trials of a list as one participant answers them."""
    awake = rng.random(len(trials)) >= plan.lapse
    if plan.measure == "rating":
        given = np.where(
            awake,
            1 + rng.binomial(_STEPS, (truth - 1) / _STEPS, len(trials)),
            rng.integers(1, len(RATINGS) + 1, len(trials)),
        )
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
            yield _chosen(told, "space" if given[row] else "time")
        else:
            others = [answer for answer in spec.answers if answer != trial.expected]
            response = trial.expected if given[row] else others[wrong[row]]
            yield told._replace(response=response, correct=str(int(given[row])))


def _chosen(trial: Trial, role: str) -> Trial:
    """The answer that names a source; the first clip is the factorised one."""
    return trial._replace(response=INTERVALS[trial.roles.index(role) - 1], chosen=role)


def _right(
    trials: Sequence[Trial], truth: float, plan: Plan, spec: ExperimentSpec
) -> Numbers | float:
    """Probability that a trial is right, or that space is chosen, when it is attended to."""
    if plan.measure == "threshold":
        levels = np.array([t.contrast if spec.task == "detection" else t.duration for t in trials])
        return weibull(levels, np.array(truth), np.array(plan.slope), np.array(0.0), chance(spec))
    if plan.measure in SHARES:
        return truth
    if spec.task in CORRECT:
        return CORRECT[spec.task](np.array(max(truth, 0.0)))
    return float(ndtr(truth / math.sqrt(2)))
