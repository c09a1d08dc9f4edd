"""Tables of simulated responses, in the form that an experiment saves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from stst.analysis.observers import lists_of, simulated
from stst.analysis.plan import PowerPlan, planned
from stst.analysis.reading import Response, grouped
from stst.experiment.agreement import cells_of
from stst.experiment.cells import shortest
from stst.experiment.contradictions import chosen_role
from stst.experiment.design import Trial, make_lists
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import StimulusRow
from stst.experiment.store import COLUMNS

SIMULATED = "simulated"  # begins every name, so that no table passes for a participant's
MEDIAN_TIME, TIME_SPREAD = 700.0, 0.3  # ms, and deviation of its logarithm: our choice

Table = list[Mapping[str, str]]


def simulated_tables(
    spec: ExperimentSpec,
    stimuli: Sequence[StimulusRow],
    plan: PowerPlan,
    people: int,
    group: str = "",
) -> dict[str, Table]:
    """Simulate participants, and write their responses as the experiment would.

    Parameters
    ----------
    spec : ExperimentSpec
        The experiment, its open settings filled in.
    stimuli : sequence of StimulusRow
        Its stimulus set. Simulated participants get its lists in turn, without practice.
    plan : PowerPlan
        The true effect. `participants` and `repeats` are not used.
    people : int
        Number of participants.
    group : str
        Part of their names. Groups have random numbers of their own.

    Returns
    -------
    dict of str to list of mappings
        Rows of each participant, by name; their keys are `COLUMNS`.

    Raises
    ------
    RecipeError
        If the experiment cannot show such an effect.
    """
    plan = planned(plan.model_copy(update={"repeats": ()}), spec)
    rng = np.random.default_rng([plan.seed, *group.encode()])
    rows = simulated(lists_of(spec, stimuli, spec.repeats), people, plan, spec, rng)
    stem = "-".join(filter(None, (SIMULATED, group)))
    tables = dict[str, Table]()
    lists = cycle(enumerate(make_lists(spec, stimuli)))
    for number, own in enumerate(grouped(rows, lambda row: row.participant).values(), 1):
        name = f"{stem}-{number:0{len(str(people))}}"
        facts = {
            "participant": name,
            "session": hashlib.sha256(f"{name} {plan.seed}".encode()).hexdigest()[:16],
            "experiment": spec.fingerprint,
            "task": spec.task,
            "browser": SIMULATED,
        }
        times = MEDIAN_TIME * np.exp(rng.normal(0, TIME_SPREAD, len(own)))
        index, trials = next(lists)
        given = [(place, trial) for place, trial in enumerate(trials) if trial.phase != "practice"]
        rows_of_trials = zip(given, own, times, strict=True)
        tables[name] = [
            {
                **dict.fromkeys(COLUMNS, ""),
                **facts,
                **{"row": str(row), "list": str(index), "trial": str(place)},
                **_cells(trial, response, spec),
                "response_time": shortest(round(float(time), 1)),
            }
            for row, ((place, trial), response, time) in enumerate(rows_of_trials)
        ]
    return tables


def _cells(trial: Trial, row: Response, spec: ExperimentSpec) -> dict[str, str]:
    """What a table says of one trial and its response."""
    cells = cells_of(trial)
    if trial.phase == "attention":
        others = [key for key in spec.answer_keys.values() if key != trial.expected]
        response = key = (trial.expected or "") if row.correct == "1" else others[0]
    else:
        response, key = row.response, spec.answer_keys[row.response]
        roles = [clip.role for clip in trial.shown]
        cells["chosen"] = chosen_role(spec.task, roles, response)
    if row.band:  # a staircase chooses the contrast when the trial comes
        cells["contrast"] = shortest(row.contrast)
    return cells | {
        "key": key,
        "response": response,
        "correct": row.correct,
        "kinds": ";".join("vp9" for _ in trial.shown),
    }
