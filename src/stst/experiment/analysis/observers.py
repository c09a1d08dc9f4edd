"""Simulated observers: the trials of an experiment, answered by people of known truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from scipy.special import ndtr

from stst.experiment import trials as design
from stst.experiment.analysis.cells import cell_of
from stst.experiment.analysis.intervals import Numbers
from stst.experiment.analysis.plan import SHARES, Plan, chance, limits
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
    others = values if plan.difference is None else lowered(values, plan, rng)
    return [
        trial
        for who, one in enumerate(islice(cycle(lists), people))
        for trial in answered(
            one, f"P{who}", _by_condition(one, plan, values[who], others[who]), plan, spec, rng
        )
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


def lowered(values: Numbers, plan: Plan, rng: np.random.Generator) -> Numbers:
    """What the same participants have in the condition that others are compared with: (count,).

    Shares and ratings stay within what can be.
    """
    assert plan.difference is not None
    if plan.measure == "threshold":
        spread = rng.normal(0, plan.difference_spread, len(values))
        return np.asarray(values / (plan.difference * np.exp(spread)))
    found = values - rng.normal(plan.difference, plan.difference_spread, len(values))
    if plan.measure in (*SHARES, "rating"):
        found = found.clip(*limits(plan.measure or ""))
    return np.asarray(found)


def _by_condition(trials: Sequence[Trial], plan: Plan, value: float, other: float) -> Numbers:
    """What a participant has in each trial."""
    return np.array([other if cell_of(t).condition == plan.against else value for t in trials])


def answered(
    trials: Sequence[Trial],
    who: str,
    truth: Numbers,
    plan: Plan,
    spec: ExperimentSpec,
    rng: np.random.Generator,
) -> Iterator[Trial]:
    """The trials of a list as one participant answers them, who has `truth` in each of them."""
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


def _right(trials: Sequence[Trial], truth: Numbers, plan: Plan, spec: ExperimentSpec) -> Numbers:
    """Probability that a trial is right, or that space is chosen, when it is attended to."""
    if plan.measure == "threshold":
        levels = np.array([t.contrast if spec.task == "detection" else t.duration for t in trials])
        return weibull(levels, truth, np.array(plan.slope), np.array(0.0), chance(spec))
    if plan.measure in SHARES:
        return truth
    if spec.task in CORRECT:
        return CORRECT[spec.task](truth.clip(0))
    return np.asarray(ndtr(truth / math.sqrt(2)))
