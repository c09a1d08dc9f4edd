"""`stst experiment`: a stimulus set -> an experiment, and a server for it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from stst.batch.index_runs import index_runs
from stst.cli import options as o
from stst.cli.show import TERMINAL, say
from stst.errors import RecipeError, guess
from stst.experiment.export import PAGE
from stst.experiment.serve import Server
from stst.experiment.spec import TASKS, ExperimentSpec
from stst.recipe.dotted import place
from stst.storage.atomic import refuse_folder
from stst.storage.config import read_job
from stst.synthesis.estimate import size
from stst.workflows.experiment import build_experiment, export_bids, export_psychopy

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
    told = {**(read_job(recipe) if recipe else {}), "task": task}
    spec = _asked(told, seed, settings or [])
    refuse_folder(out, overwrite=overwrite)
    index_runs(stimuli, TERMINAL)
    built = build_experiment(
        spec,
        stimuli,
        out,
        jspsych=jspsych,
        single=single,
        overwrite=overwrite,
        report=TERMINAL,
    )
    say(
        f"{len(built.lists)} list(s) of {len(built.lists[0])} trials, {len(built.films)} films, "
        f"{size(built.size)}, in {out}."
    )
    page = (out / PAGE).absolute().as_uri()
    say(f"Open {page}." if single else f"Run it: stst experiment serve {out}")


def _asked(told: dict[str, Any], seed: int | None, settings: list[str]) -> ExperimentSpec:
    """Read a spec of plain data, changed as the command line says."""
    data = ExperimentSpec.parse(told).model_dump(mode="json")
    for name, value in map(o.setting, settings):
        place(data, name, value)
    return ExperimentSpec.parse(data if seed is None else data | {"seed": seed})


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
    script = export_psychopy(experiment, out, overwrite=overwrite, report=TERMINAL)
    say(f"Run it where PsychoPy is: python {script} PARTICIPANT --list 0")


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
    count = export_bids(experiment, out, responses=responses, overwrite=overwrite)
    say(f"{count} participant(s) in {out}.")
