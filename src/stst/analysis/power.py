"""How many participants and trials an effect needs: simulated experiments, analysed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stst.analysis.cells import Cell, Difference, Estimate, cells, differences, paired
from stst.analysis.intervals import proportion
from stst.analysis.observers import (
    Lists,
    Plan,
    lists_of,
    planned,
    simulated,
)
from stst.analysis.psychometric import by_function
from stst.analysis.reading import Trial, excluded
from stst.analysis.tasks import separately, together
from stst.errors import RecipeError, guess
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import Stimulus
from stst.metrics.tables import plain

ENOUGH = 0.8  # power that is commonly asked for
Progress = Callable[[int, int], object]


class Power(NamedTuple):
    """Share of simulated experiments that find the effect in a cell, with Wilson's interval.

    `trials` is how many a participant has in the cell; where lists differ, their mean.
    """

    measure: str
    condition: str
    band: str
    level: float
    participants: int
    repeats: int
    trials: float
    simulations: int
    found: int
    power: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Powers:
    """Power of every design that was tried, and the plan with nothing left open."""

    task: str
    experiment: str
    plan: Plan
    rows: list[Power]

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "task": self.task,
            "experiment": self.experiment,
            "plan": self.plan.model_dump(mode="json"),
            "power": plain(self.rows),
        }


def power(
    spec: ExperimentSpec,
    stimuli: Sequence[Stimulus],
    plan: Plan,
    progress: Progress | None = None,
) -> Powers:
    """Simulate experiments, and analyse each as `analyze` does.

    An experiment finds the effect where the 95 % interval over all participants, after the
    rules, leaves `plan.null`, to whichever side. With `plan.against` it is that of `differences`
    between conditions, whose cells are called "a - b".

    Parameters
    ----------
    spec, stimuli
        Of an experiment: its trials are laid out as it lays them out, list by list.
    plan : Plan
        What is expected, and what is tried.
    progress : callable, optional
        Told how many experiments of how many are done.

    Raises
    ------
    RecipeError
        If the experiment cannot have such an effect, or so many repeats.
    """
    plan = planned(plan, spec)
    rows, done = list[Power](), 0
    total = len(plan.repeats) * len(plan.participants) * plan.simulations
    for repeats in plan.repeats:
        lists = lists_of(spec, stimuli, repeats)
        counts = trials_in(lists, plan)
        for people in plan.participants:
            hits = Counter[Cell]()
            for number in range(plan.simulations):
                rng = np.random.default_rng((plan.seed, repeats, people, number))
                hits.update(finds(simulated(lists, people, plan, spec, rng), plan))
                done += 1
                if progress:
                    progress(done, total)
            rows += _rows(counts, hits, people, repeats, plan)
    return Powers(spec.task, spec.fingerprint, plan, rows)


def _rows(
    counts: Mapping[Cell, float], hits: Mapping[Cell, int], people: int, repeats: int, plan: Plan
) -> Iterator[Power]:
    for cell, trials in counts.items():
        found, of = hits.get(cell, 0), plan.simulations
        share = proportion([found], [of])
        yield Power(plan.measure or "", *cell, people, repeats, trials, of, found, *share)


def needed(rows: Sequence[Power]) -> dict[tuple[Cell, int], int | None]:
    """Fewest participants of those tried with enough power, by cell and repeats."""
    found = dict[tuple[Cell, int], int | None]()
    for row in sorted(rows, key=lambda row: row.participants):
        key = (Cell(*row[1:4]), row.repeats)
        enough = row.participants if row.power >= ENOUGH else None
        found[key] = found.get(key) or enough
    return found


def finds(trials: Sequence[Trial], plan: Plan) -> set[Cell]:
    """Cells whose interval leaves the null; a bound that there is none of leaves nothing."""
    kept, _ = excluded(trials, plan.rules)
    if not kept:
        return set()
    rows = _alone(kept, plan) if plan.against is None else _compared_findings(kept, plan)
    null = plan.null or 0.0
    return {cell for cell, row in rows if row.low > null or row.high < null}


def _alone(trials: Sequence[Trial], plan: Plan) -> Iterator[tuple[Cell, Estimate]]:
    for row in together(trials, plan.measure or ""):
        yield Cell(*row[1:4]), row


def _compared_findings(trials: Sequence[Trial], plan: Plan) -> Iterator[tuple[Cell, Difference]]:
    for row in differences(separately(trials, plan.measure or "")):
        if row.factor == "condition" and plan.against in (row.first, row.second):
            yield Cell(paired(row.first, row.second), row.band, row.level), row


def trials_in(lists: Lists, plan: Plan) -> Mapping[Cell, float]:
    """How many trials a participant has in each cell of the measure, on average over lists."""
    test = [trial for one in lists for trial in one if trial.phase == "test"]
    most = max(sum(trial.phase == "test" for trial in one) for one in lists)
    if most < plan.rules.least:
        raise RecipeError(
            f"a participant has {most} test trials, and the rule least={plan.rules.least} leaves "
            "out all of them. Plan more repeats, or another rule: --set rules.least=1."
        )
    held = by_function(test) if plan.measure == "threshold" else cells(test)
    if not held:
        raise RecipeError("a threshold needs three durations or contrasts, or more.")
    counts = {cell: len(own) / len(lists) for cell, own in held.items()}
    return counts if plan.against is None else _pairs(counts, plan.against)


def _pairs(counts: Mapping[Cell, float], against: str) -> Mapping[Cell, float]:
    """Trials in each condition and the one that it is compared with, whichever has fewer."""
    known = list(dict.fromkeys(cell.condition for cell in counts))
    if against not in known or len(known) < 2:
        raise RecipeError(
            f"there is no condition {against!r} to compare others with.{guess(against, known)} "
            f"The experiment has: {', '.join(known)}."
        )
    other = {cell[1:]: count for cell, count in counts.items() if cell.condition == against}
    return {
        cell._replace(condition=paired(cell.condition, against)): min(count, other[cell[1:]])
        for cell, count in counts.items()
        if cell.condition != against and cell[1:] in other
    }
