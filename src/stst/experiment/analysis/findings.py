"""Where an experiment finds the effect of a plan: a condition by itself, or against another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stst.errors import RecipeError, guess
from stst.experiment.analysis.cells import Cell, Estimate, cells
from stst.experiment.analysis.differences import Difference, differences, paired
from stst.experiment.analysis.exclusions import excluded
from stst.experiment.analysis.observers import Lists
from stst.experiment.analysis.plan import Plan
from stst.experiment.analysis.reading import Trial
from stst.experiment.analysis.tasks import separately, together
from stst.experiment.analysis.thresholds import by_function


def finds(trials: Sequence[Trial], plan: Plan) -> set[Cell]:
    """Cells whose interval leaves the null; a bound that there is none of leaves nothing."""
    kept, _ = excluded(trials, plan.rules)
    if not kept:
        return set()
    rows = _alone(kept, plan) if plan.against is None else _compared(kept, plan)
    null = plan.null or 0.0
    return {cell for cell, row in rows if row.low > null or row.high < null}


def _alone(trials: Sequence[Trial], plan: Plan) -> Iterator[tuple[Cell, Estimate]]:
    for row in together(trials, plan.measure or ""):
        yield Cell(*row[1:4]), row


def _compared(trials: Sequence[Trial], plan: Plan) -> Iterator[tuple[Cell, Difference]]:
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
