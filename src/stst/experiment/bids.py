"""Write an experiment and its responses as a BIDS data set."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stst._version import __version__
from stst.experiment.bids_events import (
    COLUMNS,
    NONE,
    column_sidecar,
    events_of,
    presentation,
    runs,
)
from stst.experiment.contradictions import sessions, time_of
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.tables import TableRow
from stst.experiment.versions import FilmFile, Version
from stst.storage.manifest import read_manifest

BIDS = "1.11.1"


def write_bids(
    spec: ExperimentSpec,
    films: Mapping[Version, FilmFile],
    experiment: Path,
    rows: Sequence[TableRow],
    out: Path,
    license: str | None = None,
    answers: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Write a BIDS data set.

    The visits of a participant are sessions, in the order of time. A session has several runs if
    the page was reloaded.

    Parameters
    ----------
    spec, films
        Settings and films of the experiment, as `read_experiment` returns them.
    experiment : Path
        Folder of the experiment.
    rows : sequence of TableRow
        Responses, as `read_rows` returns them.
    out : Path
        An existing folder to write into.
    license : str, optional
        License of the data set.
    answers : mapping, optional
        Answers before the trials, as `read_answers` returns them.

    Returns
    -------
    list of str
        Labels of the participants.

    Raises
    ------
    ExperimentError
        If responses are of another experiment, two participants have the same label (the name
        without the characters that BIDS forbids), or the time of a question is not known.
    """
    for row in rows:
        if row.cells["experiment"] != spec.fingerprint:
            raise row.error(
                f"experiment is {row.cells['experiment']!r}, but {spec.fingerprint!r} in "
                f"{experiment}. Give the folder of the experiment that these responses belong to."
            )
    people = _people(rows)
    version = read_manifest(experiment).environment["packages"]["stst-vision"]
    names = _copy_films(films, experiment, out / "stimuli")
    for label, visits in people.items():
        _write_person(spec, label, visits, names, version, out)
    _write_participants(spec, people, answers or {}, out)
    _write_dataset(spec, experiment, rows, license, out)
    return [*people]


def _people(rows: Iterable[TableRow]) -> dict[str, list[list[TableRow]]]:
    """Return the visits of each participant in the order of time, by label."""
    people, names = dict[str, list[list[TableRow]]](), dict[str, str]()
    for visit in sessions(rows):
        name = visit[0].cells["participant"]
        label = f"sub-{re.sub('[^A-Za-z0-9]', '', name)}"
        if label == "sub-" or names.setdefault(label, name) != name:
            raise visit[0].error(
                f"participant {name!r} has the label {label!r} in BIDS, which "
                f"{'is empty' if label == 'sub-' else f'{names[label]!r} has too'}: it takes "
                "letters A to Z and digits alone. Rename one in the tables."
            )
        people.setdefault(label, []).append(visit)
    return {label: sorted(people[label], key=lambda rows: time_of(rows[0])) for label in people}


def _write_person(
    spec: ExperimentSpec,
    label: str,
    visits: Sequence[Sequence[TableRow]],
    films: Mapping[str, str],
    version: str,
    out: Path,
) -> None:
    """Write the events of each visit and run, and the table of the visits."""
    table = list[dict[str, str]]()
    for number, visit in enumerate(visits, 1):
        first = visit[0]
        facts = {"session_id": f"ses-{number}", "acq_time": time_of(first) or NONE}
        table.append(facts | {name: first.cells[name] or NONE for name in ("session", "list")})
        folder = out / label / f"ses-{number}" / "beh"
        folder.mkdir(parents=True, exist_ok=True)
        for run, rows in enumerate(runs(visit), 1):
            stem = folder / f"{label}_ses-{number}_task-{spec.task}_run-{run}_events"
            _write_table(stem.with_suffix(".tsv"), COLUMNS["events"], events_of(rows, films))
            shown = {"StimulusPresentation": presentation(rows, spec, version)}
            _write_json(stem.with_suffix(".json"), shown)
    _write_table(out / label / f"{label}_sessions.tsv", COLUMNS["sessions"], table)


def _write_participants(
    spec: ExperimentSpec,
    people: Mapping[str, Sequence[Sequence[TableRow]]],
    answers: Mapping[str, Mapping[str, str]],
    out: Path,
) -> None:
    """Write the table of participants: names, and answers before the trials."""
    questions = spec.recruitment.questions
    table = list[dict[str, str]]()
    for label, visits in people.items():
        own = answers.get(visits[0][0].cells["participant"], {})
        facts = {"participant_id": label}
        facts |= {question.name: own.get(question.name) or NONE for question in questions}
        for name in COLUMNS["participants"]:
            cells = {row.cells[name]: row for visit in visits for row in visit if name in row.cells}
            if len(cells) > 1:
                raise [*cells.values()][-1].error(
                    f"{name} of participant {label} has several values: {', '.join(cells)}. Give "
                    "each participant one."
                )
            if cells:
                facts[name] = next(iter(cells)) or NONE
        table.append(facts)
    columns = COLUMNS["participants"] | {
        question.name: {"Description": question.text} for question in questions
    }
    _write_table(out / "participants.tsv", columns, table)
    _write_json(out / "participants.json", columns)
    _write_json(out / "sessions.json", COLUMNS["sessions"])


def _copy_films(films: Mapping[Version, FilmFile], experiment: Path, out: Path) -> dict[str, str]:
    """Copy the films, with a table and sidecars. Returns their names by digest.

    The specification leaves the names in /stimuli open. Table and sidecars follow extension
    proposal 44 (a draft).
    """
    out.mkdir(exist_ok=True)
    stimuli = {row.stimulus: row for row in read_set(experiment)}
    table, names = list[dict[str, Any]](), dict[str, str]()
    for version, file in films.items():
        of = stimuli[version.stimulus]
        for path, sha256 in ((file.vp9, file.vp9_sha256), (file.h264, file.h264_sha256)):
            names[sha256] = Path(path).name
            shutil.copyfile(experiment / path, out / names[sha256])
            facts = {
                "stim_file": names[sha256],
                **version.model_dump(exclude_none=True),
                **{"condition": of.condition, "clip": of.clip},
                **file.model_dump(include={"frames", "width", "height"}),
                **{"frame_rate": float(file.frame_rate), "sha256": sha256},
            }
            table.append(facts)
            _write_json(out / f"{Path(path).stem}_{Path(path).suffix[1:]}.json", facts)
    _write_table(out / "stimuli.tsv", COLUMNS["stimuli"], table)
    _write_json(out / "stimuli.json", COLUMNS["stimuli"])
    return names


def _write_dataset(
    spec: ExperimentSpec,
    experiment: Path,
    rows: Sequence[TableRow],
    license: str | None,
    out: Path,
) -> None:
    """Write description, task, code, README and changes of the data set."""
    about = {
        "Name": spec.title,
        "BIDSVersion": BIDS,
        "DatasetType": "raw",
        "License": license,
        "GeneratedBy": [
            {
                "Name": "stst-vision",
                "Version": __version__,
                "Description": "Films, events and sidecars, by `stst experiment bids`.",
            }
        ],
    }
    _write_json(out / "dataset_description.json", {k: v for k, v in about.items() if v})
    task = {
        "TaskName": spec.task,
        "TaskDescription": f"{spec.title}. {spec.question}",
        "Instructions": spec.instructions,
    }
    _write_json(out / f"task-{spec.task}_events.json", task | column_sidecar(spec))
    (out / "code").mkdir(exist_ok=True)
    (out / "code" / "experiment.yaml").write_text(spec.to_yaml(), "utf-8")
    last = max(time_of(row) for row in rows)[:10] or "1970-01-01"
    (out / "CHANGES").write_text(f"1.0.0 {last}\n  - First version.\n", "utf-8")
    (out / "README").write_text(_readme(spec, experiment), "utf-8")


def _readme(spec: ExperimentSpec, experiment: Path) -> str:
    return f"""{spec.title}

Participants watched films and answered a question after each trial: {spec.question}
The task is {spec.task} of stst-vision; all settings are in code/experiment.yaml
(fingerprint {spec.fingerprint}).

stimuli/            the films, a table (stimuli.tsv), and a sidecar for each
sub-*/ses-*/beh/    events of each visit: films, questions and responses, by onset
participants.tsv    labels of the participants, and their names in the responses

Onsets are measured with the clock of the participant's computer, from the start of the page, or of
the script in the lab. They are the times at which a film or a question was handed to the screen;
the light may come later. A session has a second run if the page was reloaded.

Instructions

{spec.instructions}
"""


def _write_json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=1), "utf-8")


def _write_table(path: Path, columns: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> None:
    table = pd.DataFrame(rows, columns=list(columns), dtype=object)
    table.to_csv(path, sep="\t", na_rep=NONE, index=False, lineterminator="\n")
