"""Compare rows of responses with the lists of their experiment, if it is available."""

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
KEY = "key.csv"  # films and right answer of each trial: not for participants
NUMBERS = ("duration", "contrast", "block")


class ExperimentLists:
    """The settings and the lists of trials of an experiment."""

    def __init__(self, folder: Path, spec: ExperimentSpec) -> None:
        self.folder, self.spec = folder, spec
        self._lists = make_lists(spec, read_set(folder))
        self._unscored = set[tuple[Path, int]]()  # rows that `scored` filled in

    def scored(self, row: TableRow) -> TableRow:
        """Fill in what the page did not know, if answers are scored at analysis."""
        trial = self._trial(row) if lacks_key(row) and self.spec.scoring == "analysis" else None
        if trial is None:
            return row
        self._unscored.add((row.path, row.line))
        return row.with_cells(cells_of(trial))

    def agreed(self, row: TableRow) -> TableRow:
        """Return a row in the spelling of the experiment, with missing `correct` and `chosen`.

        Raises ExperimentError if a row contradicts its trial in the list.
        """
        trial = self._trial(row)
        cells = {} if trial is None else cells_of(trial)
        if cells.get("band") and not cells["contrast"]:  # chosen by the staircase
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
        """Return the trial of a row; None if the table does not say which."""
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
    """Return the cells that a row takes from its trial."""
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
    """Return a table of the films and the right answer of each trial of each list."""
    return pd.DataFrame(
        {"list": number, "trial": place, **cells_of(trial)}
        for number, trials in enumerate(lists)
        for place, trial in enumerate(trials)
    )


def lacks_key(row: TableRow) -> bool:
    """Whether a row is of a page that did not know which films it showed."""
    films = row.cells["frames_expected"] or row.cells["sha256"] or row.cells["kinds"]
    return bool(films) and not row.cells["stimuli"] and not row.cells["roles"]


def _judged(row: TableRow) -> TableRow:
    """Fill in `correct` and `chosen`."""
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
    """Whether two cells are the same number, or the same word in another spelling."""
    if name in NUMBERS and cell and other:
        return same_number(cell, other)
    return folded(cell) == folded(other)


def find_experiment(
    paths: Sequence[Path], fingerprint: str
) -> tuple[ExperimentLists | None, list[str]]:
    """Find the experiment in the folder of the tables or the one above.

    Returns the lists, or None, and notes on experiments that do not fit. Raises RecipeError if
    the lists cannot be made again.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    notes = list[str]()
    for folder in dict.fromkeys(
        near for path in folders for near in (path, path.absolute().parent)
    ):
        if not ((folder / DESCRIPTION).is_file() and (folder / TABLE).is_file()):
            continue
        try:
            text = (folder / DESCRIPTION).read_text("utf-8")
            spec = ExperimentSpec.parse(yaml.safe_load(text))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            notes.append(
                f"{folder / DESCRIPTION} cannot be read, and was not used for comparison: {error}"
            )
            continue
        if spec.fingerprint == fingerprint:
            return ExperimentLists(folder, spec), notes
        notes.append(
            f"{folder / DESCRIPTION} is of another experiment, and was not used for comparison."
        )
    return None, notes
