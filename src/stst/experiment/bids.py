"""An experiment and its responses -> a BIDS data set: films with sidecars, events of each."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stst._version import __version__
from stst.errors import ExperimentError
from stst.experiment.spec import ExperimentSpec
from stst.experiment.store import COLUMNS
from stst.experiment.versions import FilmFile, Version

BIDS = "1.10.0"
NONE = "n/a"
EVENTS = {
    "onset": ("s", "Since the page, or the script, began."),
    "duration": ("s", "From the call of play to the end of the film; 0 of an answer."),
    "trial_type": (None, "Condition of the film that is shown, or response."),
    "stim_file": (None, "The film, in /stimuli."),
    "response_time": ("s", "From the end of the last film to the key."),
    "trial": (None, "Place in the list, from 0, practice included."),
    "phase": (None, "practice, test or attention."),
    "role": (None, "What the film is in its trial."),
    "response": (None, "What was answered."),
    "expected": (None, "The right answer."),
    "correct": (None, "1 or 0."),
    "frames_dropped": (None, "Frames of the film that were not presented."),
}


def write_bids(
    spec: ExperimentSpec,
    films: Mapping[Version, FilmFile],
    experiment: Path,
    responses: Sequence[Path],
    out: Path,
) -> None:
    """Write the data set into `out`, a folder that is there; each session is a run.

    Raises ExperimentError if a table of responses has other columns, or two participants have one
    label, which is the name without what BIDS forbids.
    """
    _write_dataset(spec, out)
    names = _copy_films(films, experiment, out / "stimuli")
    labels = [f"sub-{re.sub('[^A-Za-z0-9]', '', path.stem)}" for path in responses]
    if len(set(labels)) < len(labels):
        raise ExperimentError("two participants have the same label without '-' and '_'.")
    _write_table(out / "participants.tsv", pd.DataFrame({"participant_id": labels}, dtype=object))
    for label, path in zip(labels, responses, strict=True):
        folder = out / label / "beh"
        for run, rows in enumerate(_sessions(path), 1):
            folder.mkdir(parents=True, exist_ok=True)
            events = [event for row in rows for event in _events(row, names)]
            table = pd.DataFrame(events, columns=list(EVENTS), dtype=object)
            _write_table(folder / f"{label}_task-{spec.task}_run-{run}_events.tsv", table)


def _write_dataset(spec: ExperimentSpec, out: Path) -> None:
    about = {
        "Name": spec.texts.title,
        "BIDSVersion": BIDS,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "stst-vision", "Version": __version__}],
    }
    _write_json(out / "dataset_description.json", about)
    columns = {
        name: {"Description": text, **({"Units": unit} if unit else {})}
        for name, (unit, text) in EVENTS.items()
    }
    _write_json(out / f"task-{spec.task}_events.json", columns)
    words = f"{spec.texts.title}\n\nThe task {spec.task}: {spec.question}\n\n{spec.instructions}\n"
    (out / "README").write_text(words, "utf-8")


def _copy_films(films: Mapping[Version, FilmFile], experiment: Path, out: Path) -> dict[str, str]:
    """Copy the films, each with a sidecar that says what it is; their names by digest."""
    out.mkdir(exist_ok=True)
    names = dict[str, str]()
    for version, file in films.items():
        for path, sha256 in ((file.vp9, file.vp9_sha256), (file.h264, file.h264_sha256)):
            names[sha256] = Path(path).name
            shutil.copyfile(experiment / path, out / names[sha256])
            about = {**version.model_dump(mode="json", exclude_none=True), "sha256": sha256}
            about |= file.model_dump(include={"frames", "width", "height"})
            about["frame_rate"] = float(file.frame_rate)
            _write_json(out / f"{names[sha256]}.json", about)
    return names


def _sessions(path: Path) -> Iterator[list[dict[str, str]]]:
    """Rows of each session of a participant."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if not set(COLUMNS) <= set(table.columns):
        raise ExperimentError(f"{path} is no table of responses: see docs/experiment.md.")
    for _, rows in table.groupby("session", sort=False):
        yield rows.to_dict("records")


def _events(row: Mapping[str, str], films: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Films of a trial in their order, then the answer; what was not shown is left out."""
    common = {name: row[name] or NONE for name in ("trial", "phase")}
    each = ("onset_ms", "play_ms", "conditions", "roles", "sha256", "frames_dropped")
    end = None
    for onset, ms, condition, role, sha256, lost in zip(
        *(row[name].split(";") for name in each), strict=True
    ):
        if onset:
            end = (int(onset) + int(ms)) / 1000
            yield common | {
                "onset": int(onset) / 1000,
                "duration": int(ms) / 1000,
                "trial_type": condition,
                "stim_file": films.get(sha256, NONE),
                "role": role,
                "frames_dropped": lost or NONE,
            }
    if row["response"] and end is not None:  # of a check nothing says when it was
        seconds = float(row["response_time"]) / 1000
        answered = {name: row[name] or NONE for name in ("response", "expected", "correct")}
        times = {"onset": round(end + seconds, 4), "duration": 0}
        yield common | times | answered | {"trial_type": "response", "response_time": seconds}


def _write_json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=1), "utf-8")


def _write_table(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, sep="\t", na_rep=NONE, index=False, lineterminator="\n")
