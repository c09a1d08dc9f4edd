"""How many participants and trials an effect needs: simulated experiments, analysed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stst.analysis.cells import CellEstimate, DesignCell, Difference, cells, differences, paired
from stst.analysis.intervals import proportion
from stst.analysis.observers import Lists, PowerPlan, lists_of, planned, simulated
from stst.analysis.psychometric import by_function
from stst.analysis.reading import Response, excluded, grouped
from stst.analysis.tasks import estimates
from stst.errors import RecipeError, guess
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import StimulusRow
from stst.metrics.bounds import INTERVAL, ONE_SIDED, bounds_of
from stst.metrics.tables import plain

ENOUGH = 0.8  # power that is commonly asked for
Progress = Callable[[int, int], object]


class Power(NamedTuple):
    """Share of simulated experiments that find the effect in a cell, with Wilson's bounds.

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
    bounds: str


@dataclass(frozen=True, eq=False)
class PowerAnalysis:
    """Power of every design that was tried, and the plan with nothing left open."""

    task: str
    experiment: str
    plan: PowerPlan
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
    stimuli: Sequence[StimulusRow],
    plan: PowerPlan,
    progress: Progress | None = None,
) -> PowerAnalysis:
    """Simulate experiments, and analyse each as `analyze` does.

    An experiment finds the effect where the 95 % interval over all participants, after the
    rules, leaves `plan.null`, to whichever side. With `plan.against` it is that of `differences`
    between conditions, whose cells are called "a - b". Trials of `spec` and `stimuli` are laid out
    as for participants, list by list; `progress` is told how many experiments of how many are done.

    Raises RecipeError if the experiment cannot have such an effect, or so many repeats.
    """
    plan, rows, done = planned(plan, spec), list[Power](), 0
    total = len(plan.repeats) * len(plan.participants) * plan.simulations
    for repeats in plan.repeats:
        lists = lists_of(spec, stimuli, repeats)
        counts = trials_in(lists, plan)
        for people in plan.participants:
            hits = Counter[DesignCell]()
            for number in range(plan.simulations):
                rng = np.random.default_rng((plan.seed, repeats, people, number))
                hits.update(finds(simulated(lists, people, plan, spec, rng), plan))
                done += 1
                if progress:
                    progress(done, total)
            for cell, trials in counts.items():
                share = proportion([hits[cell]], [plan.simulations])
                design = (*cell, people, repeats, trials, plan.simulations, hits[cell])
                bounds = bounds_of(plan.simulations, share.low, share.high)
                rows.append(Power(plan.measure or "", *design, *share, bounds))
    return PowerAnalysis(spec.task, spec.fingerprint, plan, rows)


def needed(rows: Sequence[Power]) -> dict[tuple[DesignCell, int], int | None]:
    """Fewest participants of those tried with enough power, by cell and repeats."""
    designs = grouped(rows, lambda row: (DesignCell(*row[1:4]), row.repeats))
    return {
        design: min((row.participants for row in held if row.power >= ENOUGH), default=None)
        for design, held in designs.items()
    }


def finds(trials: Sequence[Response], plan: PowerPlan) -> set[DesignCell]:
    """Cells whose interval leaves the null; a range, or a bound that is not there, does not."""
    kept, _ = excluded(trials, plan.rules)
    if not kept:
        return set()
    null, rows = plan.null or 0.0, dict[DesignCell, CellEstimate | Difference]()
    if plan.against is None:
        rows |= {row.cell: row for row in estimates(kept, plan.measure, each=False)}
    else:
        rows |= {
            DesignCell(paired(row.first, row.second), row.band, row.level): row
            for row in differences(estimates(kept, plan.measure, together=False))
            if row.factor == "condition" and plan.against in (row.first, row.second)
        }
    return {
        cell
        for cell, row in rows.items()
        if row.bounds in (INTERVAL, ONE_SIDED) and (row.low > null or row.high < null)
    }


def trials_in(lists: Lists, plan: PowerPlan) -> Mapping[DesignCell, float]:
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


def _pairs(counts: Mapping[DesignCell, float], against: str) -> Mapping[DesignCell, float]:
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
