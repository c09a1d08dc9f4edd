"""How many participants and trials an effect needs: simulated experiments, analysed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stst.evaluate.tables import plain
from stst.experiment.analysis.cells import Cell
from stst.experiment.analysis.findings import finds, trials_in
from stst.experiment.analysis.intervals import proportion
from stst.experiment.analysis.observers import lists_of, simulated
from stst.experiment.analysis.plan import Plan, planned
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import Stimulus

ENOUGH = 0.8  # power that is commonly asked for
Progress = Callable[[int, int], None]


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
