"""Power of an experiment: simulated experiments, analysed as real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stst.analysis.cells import CellEstimate, DesignCell, Difference, cells, differences, paired
from stst.analysis.intervals import proportion
from stst.analysis.observers import Lists, lists_of, simulated
from stst.analysis.plan import PowerPlan, planned
from stst.analysis.psychometric import by_function
from stst.analysis.reading import Response, excluded, grouped
from stst.analysis.tasks import estimates
from stst.errors import RecipeError, guess
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import StimulusRow
from stst.metrics.bounds import APPROXIMATE, INTERVAL, ONE_SIDED, bounds_of
from stst.metrics.tables import plain

ENOUGH = 0.8  # the usual aim
Progress = Callable[[int, int], object]


class Power(NamedTuple):
    """Power in one cell of one design, with Wilson's interval.

    Parameters
    ----------
    measure, condition, band, level : str, str, str, float
        Measure and cell of the design; `level` is a duration (s), a contrast, or NaN.
    participants, repeats : int
        The design.
    trials : float
        Trials of a participant in the cell; the mean over lists.
    simulations, found : int
        Simulated experiments, and those that found the effect.
    power, low, high : float
        ``found / simulations`` and its bounds.
    bounds : str
        What ``low`` and ``high`` are.
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


@dataclass(frozen=True, eq=False, repr=False)
class PowerAnalysis:
    """Power of every design.

    Parameters
    ----------
    task, experiment : str
        Task and fingerprint of the experiment.
    plan : PowerPlan
        The completed plan.
    rows : list of Power
        Power of each design in each cell.
    """

    task: str
    experiment: str
    plan: PowerPlan
    rows: list[Power]

    @property
    def table(self) -> pd.DataFrame:
        """Power as a table: a row for each design and cell."""
        return pd.DataFrame(self.rows, columns=Power._fields)

    def __repr__(self) -> str:
        plan = self.plan
        return (
            f"PowerAnalysis({self.task}, {plan.measure}: participants {plan.participants}, "
            f"repeats {plan.repeats}, {plan.simulations} simulations each)"
        )

    def plain(self) -> dict[str, Any]:
        """Convert to plain data for JSON."""
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
    """Simulate experiments and analyse each as `analyze` does.

    An experiment finds the effect if the 95 % interval over all participants, after exclusions,
    excludes `plan.null`. With `plan.against` it is the interval of the difference between
    conditions, and the cells are named "a - b".

    Parameters
    ----------
    spec : ExperimentSpec
        The experiment.
    stimuli : sequence of StimulusRow
        Its stimulus set. Simulated participants get its lists in turn.
    plan : PowerPlan
        The effect and the designs.
    progress : callable, optional
        Called with the number of finished experiments and of all.

    Returns
    -------
    PowerAnalysis
        Power of each design in each cell.

    Raises
    ------
    RecipeError
        If the experiment cannot have such an effect or number of repeats.
    """
    plan, rows, done = planned(plan, spec), list[Power](), 0
    total = len(plan.repeats) * len(plan.participants) * plan.simulations
    for repeats in plan.repeats:
        lists = lists_of(spec, stimuli, repeats)
        counts = trials_in(lists, plan, spec)
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
    """Find the fewest participants with a power of 80 %.

    Parameters
    ----------
    rows : sequence of Power
        Power of each design.

    Returns
    -------
    dict
        (cell, repeats) to the smallest tried number of participants; None if no number is enough.
    """
    designs = grouped(rows, lambda row: (DesignCell(*row[1:4]), row.repeats))
    return {
        design: min((row.participants for row in held if row.power >= ENOUGH), default=None)
        for design, held in designs.items()
    }


def finds(trials: Sequence[Response], plan: PowerPlan) -> set[DesignCell]:
    """Find the cells whose interval excludes the null value.

    Parameters
    ----------
    trials : sequence of Response
        Rows of one experiment.
    plan : PowerPlan
        The completed plan.

    Returns
    -------
    set of DesignCell
        Cells with the effect. A range excludes nothing, nor does a missing bound.
    """
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
        if row.bounds in (INTERVAL, APPROXIMATE, ONE_SIDED) and (row.low > null or row.high < null)
    }


def trials_in(lists: Lists, plan: PowerPlan, spec: ExperimentSpec) -> Mapping[DesignCell, float]:
    """Count the trials of a participant in each cell of the measure, on average over lists."""
    test = [trial for trials in lists for trial in trials if trial.phase == "test"]
    most = max(sum(trial.phase == "test" for trial in trials) for trials in lists)
    if most < plan.rules.least:
        raise RecipeError(
            f"a participant has {most} test trials, but the rule least={plan.rules.least} needs "
            "more. Plan more repeats, or change the rule: --set rules.least=1."
        )
    by_level = plan.measure != "threshold" or spec.method == "quest"  # staircases: no levels yet
    held = cells(test) if by_level else by_function(test)
    if not held:
        raise RecipeError("a threshold needs three durations or contrasts, or more.")
    counts = {cell: len(own) / len(lists) for cell, own in held.items()}
    return counts if plan.against is None else _pairs(counts, plan.against)


def _pairs(counts: Mapping[DesignCell, float], against: str) -> Mapping[DesignCell, float]:
    """Trials in each condition and the reference, whichever has fewer."""
    known = list(dict.fromkeys(cell.condition for cell in counts))
    if against not in known or len(known) < 2:
        raise RecipeError(
            f"there is no condition {against!r} to compare others with.{guess(against, known)} "
            f"Conditions of the experiment: {', '.join(known)}."
        )
    reference = {cell[1:]: count for cell, count in counts.items() if cell.condition == against}
    return {
        cell._replace(condition=paired(cell.condition, against)): min(count, reference[cell[1:]])
        for cell, count in counts.items()
        if cell.condition != against and cell[1:] in reference
    }
