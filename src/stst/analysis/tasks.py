"""Estimates of each task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from stst.analysis.cells import ALL, ARROW, CellEstimate, DesignCell, cells, estimate, people
from stst.analysis.intervals import Interval, Numbers, mean, mean_of_estimates, proportion
from stst.analysis.psychometric import thresholds
from stst.analysis.reading import Response
from stst.analysis.sensitivity import CHANCE, CORRECT, from_correct, two_intervals
from stst.experiment.spec import RATINGS

People = Mapping[str, Sequence[Response]]


def estimates(
    trials: Sequence[Response],
    measure: str | None = None,
    *,
    each: bool = True,
    together: bool = True,
) -> list[CellEstimate]:
    """Estimate the measures of a task in every cell.

    Parameters
    ----------
    trials : sequence of Response
        Test trials of one task.
    measure : str, optional
        Return this measure only.
    each, together : bool
        Return estimates of single participants, and of all of them.

    Returns
    -------
    list of CellEstimate
        Estimates by cell; in a cell first those of participants, then that of all.
    """
    task, rows = trials[0].task, list[CellEstimate]()
    if measure != "threshold":
        rows = [
            row
            for cell, held in cells(trials).items()
            for sample in _samples(people(held), each, together)
            for row in _of_cell(task, cell, sample)
        ]
    if task in ("natural", "detection") and measure in (None, "threshold"):
        functions = thresholds(trials)
        rows += [row for row in functions if (together if row.participant == ALL else each)]
    return [row for row in rows if measure in (None, row.measure)]


def _samples(everyone: People, each: bool, together: bool) -> list[People]:
    singles = [{name: trials} for name, trials in everyone.items() if each]
    return [*singles, *([everyone] if together and len(everyone) > 1 else [])]


def _of_cell(task: str, cell: DesignCell, sample: People) -> Iterator[CellEstimate]:
    """Estimates of a task in a cell, of one participant or of several."""
    if task == "similarity":
        yield estimate("rating", cell, sample, _rating(sample))
    elif task == "source":
        space = _share(sample, lambda trial: trial.chosen == "space")
        yield estimate("space chosen", cell, sample, space, chance=CHANCE[task])
    elif task != "naming":
        right = _share(sample, lambda trial: trial.correct == "1")
        yield estimate("accuracy", cell, sample, right, chance=CHANCE.get(task, math.nan))
        if task in CORRECT:
            yield estimate("d'", cell, sample, from_correct(task, right), chance=0.0)
    if task in ("natural", "detection"):
        yield from _two_intervals(cell, sample)
    if task in ("category", "naming"):
        yield from _confusion(cell, sample)


def _share(sample: People, has: Callable[[Response], bool]) -> Interval:
    """Proportion of trials with a property, with bounds over trials or participants."""
    counts = [sum(map(has, trials)) for trials in sample.values()]
    return proportion(counts, [len(trials) for trials in sample.values()])


def _rating(sample: People) -> Interval:
    """Mean rating over the trials of one participant, or over participants' means."""
    each = [[float(trial.response) for trial in trials] for trials in sample.values()]
    interval = mean(each[0] if len(each) == 1 else [np.mean(values) for values in each])
    return Interval(*np.clip(interval, 1, len(RATINGS)).tolist())


def _two_intervals(cell: DesignCell, sample: People) -> Iterator[CellEstimate]:
    """D' and criterion of one participant, or their means over participants."""
    each = [two_intervals(*_counts(trials)) for trials in sample.values()]
    for name, values in zip(("d'", "criterion"), np.swapaxes(each, 0, 1), strict=True):
        single = len(values) == 1  # (participants, 3): value and bounds
        interval = Interval(*values[0].tolist()) if single else mean_of_estimates(values)
        yield estimate(name, cell, sample, interval, chance=0.0)


def _counts(trials: Sequence[Response]) -> Iterator[Numbers]:
    """Responses "first" and trials, with the target in the first interval, then in the second."""
    for interval in ("first", "second"):
        firsts = [trial.response == "first" for trial in trials if trial.expected == interval]
        yield np.array(float(sum(firsts)))
        yield np.array(float(len(firsts)))


def _confusion(cell: DesignCell, sample: People) -> Iterator[CellEstimate]:
    """Proportion of each response to each category, or to each named clip."""
    trials = [trial for held in sample.values() for trial in held]
    categories, answers = (sorted(set(map(part, trials))) for part in (_category, _answer))
    for category, answer in product(categories, answers):
        of = {who: [t for t in held if _category(t) == category] for who, held in sample.items()}
        hits = [sum(_answer(trial) == answer for trial in held) for held in of.values()]
        interval = proportion(hits, [len(held) for held in of.values()])
        yield estimate("answers", cell, of, interval, response=f"{category}{ARROW}{answer}")


def _category(trial: Response) -> str:
    return trial.expected or trial.clip


def _answer(trial: Response) -> str:
    """A category, or typed text without differences of capitals and spaces."""
    return trial.response if trial.expected else " ".join(trial.response.casefold().split())
