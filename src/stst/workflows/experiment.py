"""A stimulus set -> an experiment in a folder, and its exports."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stst.experiment.bids import write_bids
from stst.experiment.design import Trial, make_lists
from stst.experiment.export import SPEC, libraries, read_experiment, write_page
from stst.experiment.psychopy import SCRIPT, write_psychopy
from stst.experiment.resolve import resolved
from stst.experiment.serve import serve
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.versions import FilmFile, Version, all_versions, write_versions
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.manifest import write_manifest
from stst.storage.stimulus_set import TABLE
from stst.synthesis.estimate import size
from stst.video.files import digest
from stst.workflows.progress import SILENT, Reporter


@dataclass(frozen=True)
class BuiltExperiment:
    """An experiment in a folder: its lists of trials, its films, and their size in bytes."""

    folder: Path
    spec: ExperimentSpec
    lists: Sequence[Sequence[Trial]]
    films: Mapping[Version, FilmFile]

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
        The prepared and its settings; what it leaves open is taken from the set.
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
        If the set does not have what the prepared needs.
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
    write_manifest(
        out,
        "experiment",
        files=[SPEC, TABLE, "index.html"],
        experiment={"fingerprint": spec.fingerprint, **spec.model_dump(mode="json")},
        set=digest(out / TABLE),
        lists=len(lists),
        trials=[len(trials) for trials in lists],
        films=[
            version.model_dump(mode="json") | file.model_dump(mode="json")
            for version, file in films.items()
        ],
    )
    built = BuiltExperiment(out, spec, lists, films)
    report.say(
        f"{len(lists)} list(s) of {len(lists[0])} trials, {len(films)} films, {size(built.size)}, "
        f"in {out}."
    )
    return built


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


def serve_experiment(
    experiment: Path,
    responses: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    report: Reporter = SILENT,
) -> None:
    """Serve an experiment to browsers and save the responses, until Ctrl-C.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    responses : Path, optional
        Folder for the responses; by default ``responses`` in that of the experiment.
    host : str
        Address to listen at; 127.0.0.1 is this machine alone.
    port : int
        0: any free one.
    report : Reporter
        Hears the address to open.
    """
    folder = responses or experiment / "responses"

    def started(address: str, _: object) -> None:
        report.say(f"Open {address} in a browser. Responses go to {folder}. Ctrl-C ends it.")

    with suppress(KeyboardInterrupt):
        serve(experiment, folder, host, port, started)
    report.say("Ended. Every response that was acknowledged is on disk.")
