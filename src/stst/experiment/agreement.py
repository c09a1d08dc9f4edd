"""Rows of responses compared with the lists of their experiment, where that is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from stst.experiment.cells import folded, same_number, shortest
from stst.experiment.contradictions import WORDS, chosen_role
from stst.experiment.design import Trial, make_lists
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.tables import RESTORE, TableRow
from stst.storage.stimulus_set import TABLE

DESCRIPTION = "experiment.yaml"
KEY = "key.csv"  # what each trial of each list shows, and its right answer: not for participants
NUMBERS = ("duration", "contrast", "block")


class ExperimentLists:
    """What an experiment can have shown: its spec and its lists of trials."""

    def __init__(self, folder: Path, spec: ExperimentSpec) -> None:
        self.folder, self.spec = folder, spec
        self._lists = make_lists(spec, read_set(folder))
        self._unscored = set[tuple[Path, int]]()  # rows that `scored` has filled in

    def scored(self, row: TableRow) -> TableRow:
        """A row with what its page did not know, if answers are scored at analysis."""
        trial = self._trial(row) if lacks_key(row) and self.spec.scoring == "analysis" else None
        if trial is None:
            return row
        self._unscored.add((row.path, row.line))
        return row.with_cells(cells_of(trial))

    def agreed(self, row: TableRow) -> TableRow:
        """A row in the experiment's own spelling, with `correct` and `chosen` if they were left.

        Raises ExperimentError if a row is not what its place in its list says.
        """
        trial = self._trial(row)
        cells = {} if trial is None else cells_of(trial)
        if cells.get("band") and not cells["contrast"]:  # the staircase chose it
            shown = float(row.cells["contrast"] or "nan")
            cells["contrast"] = shortest(min(self.spec.contrasts, key=lambda c: abs(c - shown)))
        if row.cells["phase"] != "attention" and row.cells["response"]:
            meaning = {key.lower(): answer for answer, key in self.spec.answer_keys.items()}
            cells["response"] = meaning.get(row.cells["key"].lower(), row.cells["response"])
        if row.cells["response_time"].startswith("-") and self.spec.timing.early == "ignored":
            raise row.error(
                f"response_time is {row.cells['response_time']}, but keys before the question were "
                f"ignored in {self.folder}. {RESTORE}"
            )
        for name, cell in cells.items():
            if not _agree(name, row.cells[name], cell):
                raise row.error(
                    f"{name} is {row.cells[name]!r}, but {cell!r} for trial {row.cells['trial']} "
                    f"of list {row.cells['list']} in {self.folder}. {RESTORE} If the experiment "
                    "was made again since, move the tables to another folder."
                )
        row = row.with_cells(cells)
        return _judged(row) if (row.path, row.line) in self._unscored else row

    def _trial(self, row: TableRow) -> Trial | None:
        """The trial of a row; None if the table does not say which it is."""
        place = row.cells["list"], row.cells["trial"]
        if not all(place):
            return None
        try:
            return self._lists[int(float(place[0]))][int(float(place[1]))]
        except (IndexError, ValueError):
            raise row.error(
                f"list is {place[0]} and trial {place[1]}, which {self.folder} does not have. "
                f"{RESTORE}"
            ) from None


def cells_of(trial: Trial) -> dict[str, str]:
    """What a row has of its trial, as text."""
    signal = next((clip for clip in trial.shown if clip.band), None)
    values = {
        **{name: getattr(trial, name) for name in ("item", "clip", "phase", "block", "expected")},
        "stimuli": ";".join(clip.stimulus for clip in trial.shown),
        "conditions": ";".join(clip.condition for clip in trial.shown),
        "roles": ";".join(clip.role for clip in trial.shown),
        "duration": trial.shown[0].duration if trial.shown else None,
        "band": signal and signal.band,
        "contrast": signal and signal.contrast,
    }
    numbers = {
        name: shortest(value) for name in NUMBERS if isinstance(value := values[name], int | float)
    }
    return {name: str(value or "") for name, value in values.items()} | numbers


def key_table(lists: Sequence[Sequence[Trial]]) -> pd.DataFrame:
    """What each trial shows and which answer is right: a row for each place of each list."""
    return pd.DataFrame(
        {"list": number, "trial": place, **cells_of(trial)}
        for number, trials in enumerate(lists)
        for place, trial in enumerate(trials)
    )


def lacks_key(row: TableRow) -> bool:
    """Whether a row was written by a page that did not know what it showed."""
    films = row.cells["frames_expected"] or row.cells["sha256"] or row.cells["kinds"]
    return bool(films) and not row.cells["stimuli"] and not row.cells["roles"]


def _judged(row: TableRow) -> TableRow:
    """A row with `correct` and `chosen`, where its page left them open."""
    cells, judged = row.cells, dict[str, str]()
    if cells["response"] and cells["phase"] != "attention":
        if cells["expected"] and not cells["correct"]:
            judged["correct"] = str(int(cells["response"] == cells["expected"]))
        if not cells["chosen"] and cells["task"] not in WORDS:
            judged["chosen"] = chosen_role(
                cells["task"], cells["roles"].split(";"), cells["response"]
            )
    return row.with_cells(judged)


def _agree(name: str, cell: str, other: str) -> bool:
    """Whether two cells are the same number, or the same words in another spelling."""
    if name in NUMBERS and cell and other:
        return same_number(cell, other)
    return folded(cell) == folded(other)


def find_experiment(
    paths: Sequence[Path], fingerprint: str
) -> tuple[ExperimentLists | None, list[str]]:
    """The experiment beside tables or in the folder above them, and why one is not compared.

    Raises RecipeError if its lists cannot be made again.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    notes = list[str]()
    for folder in dict.fromkeys(near for one in folders for near in (one, one.absolute().parent)):
        if not ((folder / DESCRIPTION).is_file() and (folder / TABLE).is_file()):
            continue
        try:
            text = (folder / DESCRIPTION).read_text("utf-8")
            spec = ExperimentSpec.parse(yaml.safe_load(text))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            notes.append(f"{folder / DESCRIPTION} cannot be read, and was not compared: {error}")
            continue
        if spec.fingerprint == fingerprint:
            return ExperimentLists(folder, spec), notes
        notes.append(f"{folder / DESCRIPTION} is of another experiment, and was not compared.")
    return None, notes
