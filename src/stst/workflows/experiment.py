"""Build experiments from stimulus sets, serve them, and export them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stst.errors.arguments import checked
from stst.experiment.agreement import KEY
from stst.experiment.bids import write_bids
from stst.experiment.design import make_lists
from stst.experiment.export import SPEC, libraries, read_experiment, write_page
from stst.experiment.hosts import Host, saving, write_host
from stst.experiment.psychopy import SCRIPT, LabSettings, write_psychopy
from stst.experiment.resolve import resolved
from stst.experiment.responses import read_rows
from stst.experiment.serve import serve
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.versions import all_versions, write_versions
from stst.experiment.visits import read_answers
from stst.storage.atomic import new_folder, refuse_folder
from stst.storage.manifest import write_manifest
from stst.storage.run import Run, load_run
from stst.storage.stimulus_set import TABLE
from stst.synthesis.estimate import size
from stst.video.files import digest
from stst.workflows.design import write_design
from stst.workflows.progress import SILENT, Reporter

SCREEN = 60  # Hz, usual refresh rate
UNEVEN = 0.03  # tolerated distance of refreshes per frame from a whole number


@checked
def build_experiment(
    spec: ExperimentSpec,
    stimuli: Path,
    out: Path,
    *,
    jspsych: Path | None = None,
    single: bool = False,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Run:
    """Write an experiment: trials in counterbalanced lists, films, and a page for the browser.

    Parameters
    ----------
    spec : ExperimentSpec
        Task and settings. Open settings are filled in from the set.
    stimuli : Path
        A stimulus set, as `stst.run_batch` writes it.
    out : Path
        Folder of the experiment.
    jspsych : Path, optional
        Folder with the packages of jsPsych; None: they are fetched with npm.
    single : bool
        Write one HTML file that needs no server.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Receives progress and notes.

    Returns
    -------
    Run
        The folder of the experiment.

    Raises
    ------
    RecipeError
        If the set lacks what the task needs.
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
    write_design(spec, lists, stimuli, out)
    write_manifest(
        out,
        "experiment",
        files=[SPEC, TABLE, KEY, "index.html"],
        experiment={"fingerprint": spec.fingerprint, **spec.model_dump(mode="json")},
        set=digest(out / TABLE),
        lists=len(lists),
        trials=[len(trials) for trials in lists],
        films=[
            version.model_dump(mode="json") | file.model_dump(mode="json")
            for version, file in films.items()
        ],
    )
    total = size(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))
    report.say(
        f"{len(lists)} list(s) of {len(lists[0])} trials, {len(films)} films, {total}, in {out}."
    )
    for rate in sorted({file.frame_rate for file in films.values()}):
        if abs(SCREEN / rate - round(SCREEN / rate)) > UNEVEN:
            report.say(
                f"Note: a screen of {SCREEN} Hz shows films of {float(rate):g} frames per second "
                "unevenly: some frames last longer than others. Use screens with a multiple of "
                "this rate, or films with another rate."
            )
    return load_run(out)


@checked
def export_psychopy(
    experiment: Path,
    out: Path,
    lab: LabSettings | None = None,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """Export an experiment for PsychoPy.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    out : Path
        Folder for the script and what it reads.
    lab : LabSettings, optional
        Screen, triggers and photodiode; None: defaults.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Receives progress.

    Returns
    -------
    Path
        The script.

    Raises
    ------
    RecipeError
        If the script cannot run this experiment, or not on this screen.
    """
    refuse_folder(out, overwrite=overwrite)
    spec, lists, films = read_experiment(experiment)
    new_folder(out, overwrite=overwrite)
    with report.busy("frames ..."):
        write_psychopy(spec, lists, films, experiment, out, lab or LabSettings())
    return out / SCRIPT


@checked
def export_online(
    experiment: Path,
    host: Host,
    out: Path,
    *,
    save_url: str = "",
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """Export an experiment for another server: the page, its scripts and films, nothing else.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    host : {"static", "jatos", "pavlovia"}
        A folder for any web server, a study archive for JATOS, or a folder for Pavlovia.
    out : Path
        Folder to write into.
    save_url : str
        Address that receives the responses by POST (``static``).
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Receives progress.

    Returns
    -------
    Path
        The folder or file to upload.

    Raises
    ------
    ExperimentError
        If the folder has no experiment, or `save_url` does not fit the host.
    """
    spec, _, _ = read_experiment(experiment)
    save = saving(host, save_url)
    new_folder(out, overwrite=overwrite)
    with report.busy("files ..."):
        return write_host(spec, experiment, host, out, save)


@checked
def export_bids(
    experiment: Path,
    out: Path,
    *,
    responses: Path | None = None,
    license: str | None = None,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> int:
    """Export an experiment and its responses as a BIDS data set.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    out : Path
        Folder for the data set.
    responses : Path, optional
        Folder of the tables; by default ``responses`` in the folder of the experiment.
    license : str, optional
        License of the data set, such as ``CC0``.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Receives notes on how tables were read.

    Returns
    -------
    int
        Number of participants.

    Raises
    ------
    ExperimentError
        If a table cannot be read, or belongs to another experiment.
    """
    refuse_folder(out, overwrite=overwrite)
    spec, _, films = read_experiment(experiment)
    folder = responses or experiment / "responses"
    rows, notes = read_rows([folder], experiment)
    new_folder(out, overwrite=overwrite)
    people = write_bids(spec, films, experiment, rows, out, license, read_answers(folder))
    for note in notes:
        report.say(f"Note: {note}")
    return len(people)


@checked
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
        Folder for the responses; by default ``responses`` in the folder of the experiment.
    host : str
        Address to listen at; 127.0.0.1: only this computer.
    port : int
        Port; 0: any free port.
    report : Reporter
        Receives the address to open.
    """
    folder = responses or experiment / "responses"

    def started(address: str, _: object) -> None:
        report.say(
            f"Open {address} in a browser. Responses are saved in {folder}. Stop with Ctrl-C."
        )

    with suppress(KeyboardInterrupt):
        serve(experiment, folder, host, port, started)
    report.say("Stopped. All received responses are on disk.")
