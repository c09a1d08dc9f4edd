"""A stimulus set -> an experiment in a folder, and its exports."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stst._version import __version__
from stst.experiment.bids import write_bids
from stst.experiment.design import Trial, make_lists
from stst.experiment.export import SPEC, libraries, read_experiment, write_page
from stst.experiment.psychopy import SCRIPT, write_psychopy
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.versions import File, Version, all_versions, write_versions
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.manifest import SCHEMA
from stst.storage.stimulus_set import TABLE
from stst.video.files import digest
from stst.workflows.progress import SILENT, Reporter


@dataclass(frozen=True)
class BuiltExperiment:
    """An experiment in a folder: its lists of trials, its films, and their size in bytes."""

    folder: Path
    spec: ExperimentSpec
    lists: Sequence[Sequence[Trial]]
    films: Mapping[Version, File]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def build_experiment(
    spec: ExperimentSpec,
    stimuli: Path,
    out: Path,
    *,
    jspsych: Path | None = None,
    single: bool = False,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> BuiltExperiment:
    """Write an experiment: trials in counterbalanced lists, films, and a page for the browser.

    Parameters
    ----------
    spec : ExperimentSpec
        The task and its settings; what it leaves open is taken from the set.
    stimuli : Path
        A set, as `stst.run_batch` leaves one.
    out : Path
        Folder of the experiment.
    jspsych : Path, optional
        Folder with jsPsych's packages; without it they are fetched.
    single : bool
        One HTML file that needs no server.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears how many films are written.

    Raises
    ------
    RecipeError
        If the set does not have what the task needs.
    """
    refuse_folder(out, overwrite=overwrite)
    rows = read_set(stimuli)
    spec = resolved(spec, rows)
    lists = make_lists(spec, rows)
    with report.busy("jsPsych ..."):
        library = libraries(jspsych, quest=spec.method == "quest")
    new_folder(out, overwrite=overwrite)
    wanted = all_versions(spec, lists)
    with report.counted("films", len(wanted)) as advance:
        films = write_versions(spec, rows, wanted, stimuli, out, advance)
    write_page(spec, lists, films, library, out, single=single)
    write_whole(out / SPEC, spec.to_yaml())
    shutil.copyfile(stimuli / TABLE, out / TABLE)
    write_whole(out / "manifest.json", json.dumps(_record(spec, lists, films, out), indent=1))
    return BuiltExperiment(out, spec, lists, films)


def export_psychopy(
    experiment: Path, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> Path:
    """Put an experiment into a folder for PsychoPy; the path of its script."""
    spec, lists, films = read_experiment(experiment)
    new_folder(out, overwrite=overwrite)
    with report.busy("frames ..."):
        write_psychopy(spec, lists, films, experiment, out)
    return out / SCRIPT


def export_bids(
    experiment: Path, out: Path, *, responses: Path | None = None, overwrite: bool = False
) -> int:
    """Make a BIDS data set of an experiment and its responses; how many tables there were."""
    spec, _, films = read_experiment(experiment)
    tables = sorted((responses or experiment / "responses").glob("*.csv"))
    new_folder(out, overwrite=overwrite)
    write_bids(spec, films, experiment, tables, out)
    return len(tables)


def _record(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    films: Mapping[Version, File],
    out: Path,
) -> dict[str, Any]:
    """What the manifest says of an experiment."""
    return {
        "schema": SCHEMA,
        "outcome": "complete",
        "packages": {"stst-vision": __version__},
        "experiment": {"fingerprint": spec.fingerprint, **spec.model_dump(mode="json")},
        "set": digest(out / TABLE),
        "lists": len(lists),
        "trials": [len(trials) for trials in lists],
        "films": [
            version.model_dump(mode="json") | file.model_dump(mode="json")
            for version, file in films.items()
        ],
    }
