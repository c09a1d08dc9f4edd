"""Analysis of responses: reading, exclusions and estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stst.analysis.cells import ALL, CellEstimate, Difference, differences
from stst.analysis.mixed import Effect, mixed
from stst.analysis.psychometric import left_out
from stst.analysis.reading import Exclusion, Response, Rules, excluded, read_responses
from stst.analysis.sensitivity import Frequencies, frequencies
from stst.analysis.tasks import estimates
from stst.errors import ExperimentError
from stst.metrics.bounds import APPROXIMATE, LEAST_UNITS
from stst.metrics.tables import plain


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """Results of an experiment.

    Parameters
    ----------
    task, experiment : str
        Task and fingerprint of the experiment.
    rules : Rules
        Exclusion rules.
    trials : list of Response
        Analysed trials.
    exclusions : list of Exclusion
        Excluded trials.
    notes : list of str
        Remarks for the reader.
    estimates : list of CellEstimate
        Estimates of participants and of all.
    differences : list of Difference
        Differences within participants.
    frequencies : Frequencies, optional
        Passbands, if the bands are cells of spatial by temporal frequency.
    effects : sequence of Effect
        Effects of the mixed-effects model, if it was fitted.
    """

    task: str
    experiment: str
    rules: Rules
    trials: list[Response]
    exclusions: list[Exclusion]
    notes: list[str]
    estimates: list[CellEstimate]
    differences: list[Difference]
    frequencies: Frequencies | None = None
    effects: Sequence[Effect] = ()

    @property
    def participants(self) -> list[str]:
        """Participants in the results, sorted."""
        return sorted({trial.participant for trial in self.trials})

    @property
    def table(self) -> pd.DataFrame:
        """Estimates as a table: a row for each participant, and for ``all``, in each cell."""
        return pd.DataFrame(self.estimates, columns=CellEstimate._fields)

    def __repr__(self) -> str:
        people, trials = len(self.participants), len(self.trials)
        left_out = sum(row.trials for row in self.exclusions)
        return (
            f"Analysis({self.task}: {people} participants, {trials} trials, {left_out} excluded, "
            f"{len(self.estimates)} estimates)"
        )

    def plain(self) -> dict[str, Any]:
        """Convert to plain data for JSON."""
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
        Tables, or folders of tables. An ``experiment.yaml`` beside them or in the folder above
        gives the frequencies of bands.
    rules : Rules, optional
        Exclusion rules; None: the defaults.
    model : bool
        Fit a mixed-effects model too (extra ``mixed``).

    Returns
    -------
    Analysis
        Estimates, differences and exclusions.

    Raises
    ------
    ExperimentError
        If a table cannot be read, the tables are of several tasks, no trial remains after
        exclusions, or the model cannot be fitted.
    """
    rules = rules or Rules()
    paths = [Path(path) for path in responses]
    read, notes = read_responses(paths)
    tasks = dict.fromkeys(trial.task for trial in read)
    if len(tasks) > 1:
        raise ExperimentError(
            f"the responses come from several tasks ({', '.join(tasks)}). Analyse one at a time."
        )
    trials, exclusions = excluded(read, rules)
    if not trials:
        reasons = "; ".join(f"{row.rule}: {row.trials} of {row.participant}" for row in exclusions)
        raise ExperimentError(
            f"no trial is left to analyse ({reasons or 'no test trials'}). Change the rules, for "
            "example --set least=1."
        )
    rows, experiment = estimates(trials), read[0].experiment
    tested = {trial.participant for trial in read if trial.phase == "test"}
    untested = sorted({trial.participant for trial in read} - tested)
    notes += [f"{who}: no test trials." for who in untested] + left_out(rows)
    # The log-linear correction biases d' towards 0.
    if any(row.measure == "criterion" and row.trials < 20 * row.participants for row in rows):
        notes.append("d' of fewer than 20 trials per participant and cell is biased towards 0.")
    notes += _few(trials) + _open(rows) + _approximate(rows)
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
    """A note if there are too few participants for intervals."""
    count = len({trial.participant for trial in trials})
    few = f"{count} participants are too few for 95 % intervals: ranges are given."
    return [few] if 1 < count < LEAST_UNITS else []


def _open(rows: Sequence[CellEstimate]) -> list[str]:
    """A note on each mean d' or criterion without a bound on a side."""
    return [
        f"{row.measure} ({', '.join(filter(None, row.cell[:2]))}) has no bound on a side, because "
        "many participants gave only one response to the first or the second interval."
        for row in rows
        if row.participant == ALL and row.measure in ("d'", "criterion") and not row.bounded
    ]


def _approximate(rows: Sequence[CellEstimate]) -> list[str]:
    """A note if there are approximate intervals."""
    if any(row.bounds == APPROXIMATE for row in rows):
        return [
            "Intervals of mean thresholds and slopes are approximate: they cover the spread of the "
            "participants' estimates, not the bias of estimates from few trials. So are those of "
            "participants whose trials a staircase has placed."
        ]
    return []
