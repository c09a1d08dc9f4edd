"""Design an experiment before its films are shown: its trials, and simulated responses."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stst.analysis.plan import PowerPlan
from stst.analysis.rehearsal import simulated_tables
from stst.errors import ExperimentError, RecipeError
from stst.errors.arguments import checked
from stst.experiment.agreement import KEY, key_table
from stst.experiment.design import Trial, make_lists
from stst.experiment.export import SPEC
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.store import COLUMNS
from stst.metrics.tables import to_csv
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import read_config
from stst.storage.stimulus_set import TABLE
from stst.storage.stimulus_set import write_set as write_set


@checked
def design_experiment(
    spec: ExperimentSpec, stimuli: Path, out: Path, *, overwrite: bool = False
) -> pd.DataFrame:
    """Write the trials of an experiment, without films and page.

    The folder is enough for `run_power` and `simulate_responses`. `build_experiment` makes the
    same trials from the same settings and set, and adds films and page.

    Parameters
    ----------
    spec : ExperimentSpec
        Task and settings. Open settings are filled in from the set.
    stimuli : Path
        A stimulus set, as `stst.run_batch` writes it.
    out : Path
        Folder for ``experiment.yaml`` (all settings), ``stimuli.csv`` and ``key.csv`` (the trials).
    overwrite : bool
        Write into a folder that is not empty.

    Returns
    -------
    DataFrame
        A row for each trial of each list: phase, clips in order of presentation, right answer.

    Raises
    ------
    RecipeError
        If the set lacks what the task needs, or the lists cannot be balanced.
    """
    refuse_folder(out, overwrite=overwrite)
    rows = read_set(stimuli)
    spec = resolved(spec, rows)
    lists = make_lists(spec, rows)
    new_folder(out, overwrite=overwrite)
    write_design(spec, lists, stimuli, out)
    return key_table(lists)


def write_design(
    spec: ExperimentSpec, lists: Sequence[Sequence[Trial]], stimuli: Path, out: Path
) -> None:
    """Write the settings, the table of the set, and the trials of each list."""
    write_whole(out / SPEC, spec.to_yaml())
    write_whole(out / KEY, to_csv(key_table(lists)))
    shutil.copyfile(stimuli / TABLE, out / TABLE)


@checked
def simulate_responses(
    experiment: Path,
    plan: PowerPlan,
    out: Path,
    *,
    participants: int,
    group: str = "",
    overwrite: bool = False,
) -> list[Path]:
    """Simulate participants, and write a table of responses for each, to rehearse the analysis.

    Names begin with "simulated". Response times are log-normal, with a median of 700 ms, and say
    nothing about the response.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` or `design_experiment` wrote.
    plan : PowerPlan
        The true effect, as for `run_power`. Its `participants` and `repeats` are not used.
    out : Path
        Folder for the tables. Tables of other groups in it are kept.
    participants : int
        Number of participants. They get the lists of the experiment in turn.
    group : str
        Part of the names: letters, digits, "_" and "-". Each group has its own random numbers.
    overwrite : bool
        Replace tables of the same names.

    Returns
    -------
    list of Path
        The tables.

    Raises
    ------
    RecipeError
        If the experiment cannot show such an effect.
    ExperimentError
        If a table exists already.
    """
    if participants < 1:
        raise RecipeError(f"participants must be 1 or more, got {participants}.")
    if not re.fullmatch(r"[\w-]{0,40}", group, re.ASCII):
        raise RecipeError(f"group must be letters, digits, '_' and '-', got {group!r}.")
    spec = ExperimentSpec.parse(read_config(experiment / SPEC))
    tables = simulated_tables(spec, read_set(experiment), plan, participants, group)
    files = {out / f"{name}.csv": rows for name, rows in tables.items()}
    if present := [path for path in files if path.exists() and not overwrite]:
        raise ExperimentError(
            f"{present[0]} exists already. Give another folder or group, or overwrite=True."
        )
    new_folder(out, overwrite=True)
    for path, rows in files.items():
        write_whole(path, to_csv(pd.DataFrame(rows), COLUMNS))
    return list(files)
