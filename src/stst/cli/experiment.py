"""`stst experiment`: a stimulus set -> an experiment, and a server for it."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.composing import asked, films, record, tell
from stst.cli.gathering import gather
from stst.cli.show import console, say
from stst.errors import RecipeError, guess
from stst.experiment.bids import write_bids
from stst.experiment.design import make_lists
from stst.experiment.export import SPEC, read_experiment, write_page
from stst.experiment.libraries import libraries
from stst.experiment.psychopy import SCRIPT, write_psychopy
from stst.experiment.resolve import resolved
from stst.experiment.serve import Server
from stst.experiment.spec import TASKS
from stst.experiment.stimuli import TABLE, read_set
from stst.run.atomic import new_folder, refuse_folder, write_whole
from stst.run.job import read_job

app = typer.Typer(
    no_args_is_help=True, help="From a stimulus set to an experiment in the browser or the lab."
)
JsPsych = Annotated[
    Path | None,
    typer.Option("--jspsych", help="Folder with jsPsych's packages, as npm pack writes them."),
]


@app.command()
def new(
    task: Annotated[str, typer.Argument(help=f"One of {', '.join(TASKS)}.")],
    stimuli: Annotated[
        Path, typer.Argument(help="A set, as stst batch leaves; or a folder of runs.")
    ],
    out: o.Out = Path("stst-experiment"),
    recipe: Annotated[
        Path | None, typer.Option("--spec", help="An experiment.yaml to start from.")
    ] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    single: Annotated[bool, typer.Option(help="One HTML file that needs no server.")] = False,
    jspsych: JsPsych = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Put together an experiment: trials in counterbalanced lists, films, and a page."""
    if task not in TASKS:
        raise RecipeError(
            f"there is no task {task!r}.{guess(task, TASKS)} Tasks: {', '.join(TASKS)}."
        )
    refuse_folder(out, overwrite=overwrite)
    told = {**(read_job(recipe) if recipe else {}), "task": task}
    gather(stimuli)
    rows = read_set(stimuli)
    spec = resolved(asked(told, seed, settings or []), rows)
    lists = make_lists(spec, rows)
    with console.status("jsPsych ..."):
        library = libraries(jspsych, quest=spec.method == "quest")
    new_folder(out, overwrite=overwrite)
    made = films(spec, rows, lists, stimuli, out)
    write_page(spec, lists, made, library, out, single=single)
    write_whole(out / SPEC, spec.to_yaml())
    shutil.copyfile(stimuli / TABLE, out / TABLE)
    write_whole(out / "manifest.json", json.dumps(record(spec, lists, made, out), indent=1))
    tell(lists, made, out, single=single)


@app.command()
def serve(
    experiment: Annotated[Path, typer.Argument(help="Folder that `stst experiment new` wrote.")],
    responses: Annotated[
        Path | None, typer.Option(help="Folder for the responses; that of the experiment if none.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
) -> None:
    """Show an experiment in a browser and keep its responses, until Ctrl-C."""
    folder = responses or experiment / "responses"
    with Server(experiment, folder, host, port) as server:
        say(f"Open {server.address} in a browser. Responses go to {folder}. Ctrl-C ends it.")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    say("Ended. Every response that was acknowledged is on disk.")


@app.command()
def psychopy(
    experiment: Annotated[Path, typer.Argument(help="Folder that `stst experiment new` wrote.")],
    out: o.Out = Path("stst-psychopy"),
    overwrite: o.Overwrite = False,
) -> None:
    """Put an experiment into a folder for PsychoPy: a script, its trials, frames as arrays."""
    spec, lists, made = read_experiment(experiment)
    new_folder(out, overwrite=overwrite)
    with console.status("frames ..."):
        write_psychopy(spec, lists, made, experiment, out)
    say(f"Run it where PsychoPy is: python {out / SCRIPT} PARTICIPANT --list 0")


@app.command()
def bids(
    experiment: Annotated[Path, typer.Argument(help="Folder that `stst experiment new` wrote.")],
    responses: Annotated[
        Path | None, typer.Option(help="Folder of the responses; that of the experiment if none.")
    ] = None,
    out: o.Out = Path("stst-bids"),
    overwrite: o.Overwrite = False,
) -> None:
    """Make a BIDS data set: films with sidecars, and events of each participant."""
    spec, _, made = read_experiment(experiment)
    tables = sorted((responses or experiment / "responses").glob("*.csv"))
    new_folder(out, overwrite=overwrite)
    write_bids(spec, made, experiment, tables, out)
    say(f"{len(tables)} participant(s) in {out}.")
