"""What is computed of the trials of each task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np

from stst.analysis.cells import ALL, ARROW, Cell, Estimate, cells, estimate, people
from stst.analysis.intervals import Interval, mean, proportion
from stst.analysis.psychometric import thresholds
from stst.analysis.reading import Trial
from stst.analysis.sensitivity import CHANCE, Counts, from_correct, two_intervals

People = Mapping[str, Sequence[Trial]]


def estimates(trials: Sequence[Trial]) -> list[Estimate]:
    """All results of one task: of each participant, then of all, cell by cell."""
    makers = _MAKERS[trials[0].task]
    found = [
        row
        for cell, held in cells(trials).items()
        for some in _each_and_all(people(held))
        for make in makers
        for row in make(cell, some)
    ]
    return found + (thresholds(trials) if trials[0].task in ("natural", "detection") else [])


def together(trials: Sequence[Trial], measure: str) -> list[Estimate]:
    """What `estimates` finds of one measure for several participants together."""
    if measure == "threshold":
        return [row for row in _thresholds(trials) if row.participant == ALL]
    return _of(measure, trials, lambda everyone: [everyone] if len(everyone) > 1 else [])


def separately(trials: Sequence[Trial], measure: str) -> list[Estimate]:
    """What `estimates` finds of one measure for each participant."""
    if measure == "threshold":
        return [row for row in _thresholds(trials) if row.participant != ALL]
    return _of(measure, trials, _each)


def _thresholds(trials: Sequence[Trial]) -> list[Estimate]:
    return [row for row in thresholds(trials) if row.measure == "threshold"]


def _of(
    measure: str, trials: Sequence[Trial], chosen: Callable[[People], list[People]]
) -> list[Estimate]:
    return [
        row
        for cell, held in cells(trials).items()
        for some in chosen(people(held))
        for make in _MAKERS[trials[0].task]
        for row in make(cell, some)
        if row.measure == measure
    ]


def _each(everyone: People) -> list[People]:
    return [{name: trials} for name, trials in everyone.items()]


def _each_and_all(everyone: People) -> list[People]:
    return [*_each(everyone), everyone] if len(everyone) > 1 else _each(everyone)


def share(some: People, is_so: Callable[[Trial], bool]) -> Interval:
    """How often something is so, with its interval over trials, or participants."""
    counts = [sum(map(is_so, trials)) for trials in some.values()]
    return proportion(counts, [len(trials) for trials in some.values()])


def _accuracy(cell: Cell, some: People) -> Iterator[Estimate]:
    found = share(some, lambda trial: trial.correct == "1")
    task = next(iter(some.values()))[0].task
    yield estimate("accuracy", cell, some, found, chance=CHANCE.get(task, math.nan))


def _differences(cell: Cell, some: People) -> Iterator[Estimate]:
    """Sensitivity in ABX and oddity: that of the proportion correct."""
    task = next(iter(some.values()))[0].task
    found = from_correct(task, share(some, lambda trial: trial.correct == "1"))
    yield estimate("d'", cell, some, found, chance=0.0)


def _two_intervals(cell: Cell, some: People) -> Iterator[Estimate]:
    """Sensitivity and criterion: of one participant, or the mean over participants."""
    each = [two_intervals(_counts(trials)) for trials in some.values()]
    for name, values in zip(("d'", "criterion"), zip(*each, strict=True), strict=True):
        if len(values) == 1:
            found = Interval(*map(float, values[0]))
        else:
            found = mean([value[0] for value in values])
        yield estimate(name, cell, some, found, chance=0.0)


def _counts(trials: Sequence[Trial]) -> Counts:
    first, second = (
        [trial.response == "first" for trial in trials if trial.expected == interval]
        for interval in ("first", "second")
    )
    return Counts(*(np.array(float(n)) for n in (sum(first), len(first), sum(second), len(second))))


def _ratings(cell: Cell, some: People) -> Iterator[Estimate]:
    """Mean rating: over the trials of one participant, or over participants' means."""
    each = [[float(trial.response) for trial in trials] for trials in some.values()]
    found = mean(each[0] if len(each) == 1 else [float(np.mean(values)) for values in each])
    yield estimate("rating", cell, some, found)


def _space(cell: Cell, some: People) -> Iterator[Estimate]:
    """Spatial bias: how often the source of the textures was chosen."""
    found = share(some, lambda trial: trial.chosen == "space")
    yield estimate("space chosen", cell, some, found, chance=CHANCE["source"])


def _confusion(cell: Cell, some: People) -> Iterator[Estimate]:
    """How often each answer was given to each category, or to each clip that was named."""
    trials = [trial for held in some.values() for trial in held]
    for shown, answer in product(
        sorted(set(map(_shown, trials))), sorted(set(map(_given, trials)))
    ):
        of = {who: [t for t in held if _shown(t) == shown] for who, held in some.items()}
        found = share(of, partial(_is_given, answer))
        yield estimate("answers", cell, of, found, response=f"{shown}{ARROW}{answer}")


def _shown(trial: Trial) -> str:
    return trial.expected or trial.clip


def _given(trial: Trial) -> str:
    """A category, or what was typed, whatever its capitals and spaces."""
    return trial.response if trial.expected else " ".join(trial.response.casefold().split())


def _is_given(answer: str, trial: Trial) -> bool:
    return _given(trial) == answer


_MAKERS: dict[str, list[Callable[[Cell, People], Iterator[Estimate]]]] = {
    "natural": [_accuracy, _two_intervals],
    "detection": [_accuracy, _two_intervals],
    "abx": [_accuracy, _differences],
    "oddity": [_accuracy, _differences],
    "similarity": [_ratings],
    "source": [_space],
    "category": [_accuracy, _confusion],
    "naming": [_confusion],
}
