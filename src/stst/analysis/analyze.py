"""Responses of an experiment -> results: reading, excluding, estimating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stst.analysis.cells import ALL, CellEstimate, Difference, differences
from stst.analysis.mixed import Effect, mixed
from stst.analysis.psychometric import left_out
from stst.analysis.reading import Exclusion, Response, Rules, excluded, read_responses
from stst.analysis.sensitivity import Frequencies, frequencies
from stst.analysis.tasks import estimates
from stst.errors import ExperimentError
from stst.metrics.bounds import LEAST_UNITS
from stst.metrics.tables import plain


@dataclass(frozen=True, eq=False)
class Analysis:
    """Results of an experiment, and all that was left out of them."""

    task: str
    experiment: str
    rules: Rules
    trials: list[Response]
    exclusions: list[Exclusion]
    notes: list[str]
    estimates: list[CellEstimate]
    differences: list[Difference]
    frequencies: Frequencies | None = None  # of the bands, where they form cells
    effects: Sequence[Effect] = ()  # of the mixed-effects model, if it was asked for

    @property
    def participants(self) -> list[str]:
        """Those who are in the results."""
        return sorted({trial.participant for trial in self.trials})

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "task": self.task,
            "experiment": self.experiment,
            "rules": self.rules.model_dump(mode="json"),
            "participants": self.participants,
            "trials": len(self.trials),
            "exclusions": plain(self.exclusions),
            "notes": self.notes,
            "estimates": plain(self.estimates),
            "differences": plain(self.differences),
            "effects": plain(self.effects),
            "frequencies": self.frequencies and self.frequencies.plain(),
        }


def analyze(
    responses: Sequence[Path | str], rules: Rules | None = None, *, model: bool = False
) -> Analysis:
    """Analyse the responses of one experiment.

    Parameters
    ----------
    responses : sequence of paths
        Tables, or folders of such. An ``experiment.yaml`` beside them, or in the folder above,
        tells which frequencies bands pass.
    rules : Rules, optional
        What is left out.
    model : bool
        Whether a mixed-effects model is fitted, too (extra ``mixed``).

    Raises
    ------
    ExperimentError
        If a table cannot be used, nothing is left by the rules, or the model cannot be fitted.
    """
    rules = rules or Rules()
    paths = [Path(path) for path in responses]
    read, notes = read_responses(paths)
    tasks = dict.fromkeys(trial.task for trial in read)
    if len(tasks) > 1:
        raise ExperimentError(f"the responses are of several tasks: {', '.join(tasks)}.")
    trials, exclusions = excluded(read, rules)
    if not trials:
        told = "; ".join(f"{row.rule}: {row.trials} of {row.participant}" for row in exclusions)
        raise ExperimentError(
            f"no trial is left to analyse ({told or 'no test trials'}). Other rules: --set least=1."
        )
    rows, experiment = estimates(trials), read[0].experiment
    tested = {trial.participant for trial in read if trial.phase == "test"}
    untested = sorted({trial.participant for trial in read} - tested)
    notes += [f"{who}: no test trials." for who in untested] + left_out(rows)
    # The log-linear correction of d' draws it to 0.
    if any(row.measure == "criterion" and row.trials < 20 * row.participants for row in rows):
        notes.append("d' of fewer than 20 trials per participant and cell is drawn to 0.")
    notes += _few(trials) + _open(rows)
    return Analysis(
        task=read[0].task,
        experiment=experiment,
        rules=rules,
        trials=trials,
        exclusions=exclusions,
        notes=notes,
        estimates=rows,
        differences=differences(rows),
        frequencies=frequencies(paths, experiment),
        effects=mixed(trials) if model else [],
    )


def _few(trials: Sequence[Response]) -> list[str]:
    """A note where participants are too few for intervals."""
    count = len({trial.participant for trial in trials})
    few = f"{count} participants are too few for 95 % intervals over them: ranges are given."
    return [few] if 1 < count < LEAST_UNITS else []


def _open(rows: Sequence[CellEstimate]) -> list[str]:
    """A note on each mean d' or criterion that has no bound on a side."""
    return [
        f"{row.measure} ({', '.join(filter(None, row.cell[:2]))}) has no bound on a side: many "
        "participants gave only right or only wrong answers of a kind, and it may be any larger."
        for row in rows
        if row.participant == ALL and row.measure in ("d'", "criterion") and not row.bounded
    ]
