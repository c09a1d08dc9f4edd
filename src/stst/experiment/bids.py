"""An experiment and its responses -> a BIDS data set: films with sidecars, events of each."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stst._version import __version__
from stst.errors import ExperimentError
from stst.experiment.spec import ExperimentSpec
from stst.experiment.store import COLUMNS
from stst.experiment.versions import File, Version

BIDS = "1.10.0"
NONE = "n/a"
_TOLD = {
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
    made: Mapping[Version, File],
    experiment: Path,
    responses: Sequence[Path],
    out: Path,
) -> None:
    """Write the data set into `out`, a folder that is there.

    A participant's label is the name without what BIDS forbids; each session is a run.

    Raises
    ------
    ExperimentError
        If a table of responses has other columns, or two participants have one label.
    """
    by_digest = {file.vp9_sha256: file.vp9 for file in made.values()}
    by_digest |= {file.h264_sha256: file.h264 for file in made.values()}
    _dataset(spec, out)
    _stimuli(made, experiment, out / "stimuli")
    people = [(f"sub-{_label(path.stem)}", path.stem) for path in responses]
    if len({label for label, _ in people}) < len(people):
        raise ExperimentError("two participants have the same label without '-' and '_'.")
    _tsv(out / "participants.tsv", ("participant_id",), [{"participant_id": p} for p, _ in people])
    columns = {name: _column(*told) for name, told in _TOLD.items()}
    (out / f"task-{spec.task}_events.json").write_text(json.dumps(columns, indent=1), "utf-8")
    for (label, _), path in zip(people, responses, strict=True):
        for run, rows in enumerate(_sessions(path), 1):
            name = f"{label}_task-{spec.task}_run-{run}_events.tsv"
            (out / label / "beh").mkdir(parents=True, exist_ok=True)
            events = [event for row in rows for event in _events(row, by_digest)]
            _tsv(out / label / "beh" / name, tuple(_TOLD), events)


def _dataset(spec: ExperimentSpec, out: Path) -> None:
    told = {
        "Name": spec.texts.title,
        "BIDSVersion": BIDS,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "stst-vision", "Version": __version__}],
    }
    (out / "dataset_description.json").write_text(json.dumps(told, indent=1), "utf-8")
    words = f"{spec.texts.title}\n\nThe task {spec.task}: {spec.question}\n\n{spec.instructions}\n"
    (out / "README").write_text(words, "utf-8")


def _stimuli(made: Mapping[Version, File], experiment: Path, out: Path) -> None:
    """Copy the films, each with a sidecar that says what it is."""
    out.mkdir(exist_ok=True)
    for version, file in made.items():
        for path, sha256 in ((file.vp9, file.vp9_sha256), (file.h264, file.h264_sha256)):
            shutil.copyfile(experiment / path, out / Path(path).name)
            told = {
                **version.model_dump(mode="json", exclude_none=True),
                "sha256": sha256,
                "frames": file.frames,
                "frame_rate": float(file.frame_rate),
                "width": file.width,
                "height": file.height,
            }
            sidecar = out / f"{Path(path).name}.json"
            sidecar.write_text(json.dumps(told, indent=1), "utf-8")


def _sessions(path: Path) -> list[list[dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        if not set(COLUMNS) <= set(table.fieldnames or ()):
            raise ExperimentError(f"{path} is no table of responses: see docs/experiment.md.")
        sessions: dict[str, list[dict[str, str]]] = {}
        for row in table:
            sessions.setdefault(row["session"], []).append(row)
    return list(sessions.values())


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
                "stim_file": Path(films.get(sha256, NONE)).name,
                "role": role,
                "frames_dropped": lost or NONE,
            }
    if row["response"] and end is not None:  # of a check nothing says when it was
        seconds = float(row["response_time"]) / 1000
        answered = {name: row[name] or NONE for name in ("response", "expected", "correct")}
        times = {"onset": round(end + seconds, 4), "duration": 0}
        yield common | times | answered | {"trial_type": "response", "response_time": seconds}


def _column(unit: str | None, text: str) -> dict[str, str]:
    return {"Description": text, **({"Units": unit} if unit else {})}


def _label(name: str) -> str:
    return re.sub("[^A-Za-z0-9]", "", name)


def _tsv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval=NONE, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
