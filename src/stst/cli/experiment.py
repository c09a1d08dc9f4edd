"""`stst experiment`: from a stimulus set to trials, responses and results."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from stst.analysis.observers import PowerPlan
from stst.analysis.reading import Rules
from stst.batch.tables import index_runs
from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.cli.texts import say
from stst.errors import RecipeError, guess
from stst.experiment.export import PAGE
from stst.experiment.hosts import HOSTS
from stst.experiment.psychopy import LabSettings
from stst.experiment.spec import TASKS, ExperimentSpec
from stst.experiment.words import read_words
from stst.storage.atomic import refuse_folder
from stst.storage.config import read_config
from stst.workflows.analysis import run_analysis, run_power
from stst.workflows.experiment import (
    build_experiment,
    export_bids,
    export_online,
    export_psychopy,
    serve_experiment,
)

app = o.group("Plan, run and analyse an experiment.")
Experiment = Annotated[Path, typer.Argument(help="Folder that `stst experiment new` wrote.")]
Responses = Annotated[
    Path | None, typer.Option(help="Folder of the responses; by default EXPERIMENT/responses.")
]


@app.command()
def new(
    task: Annotated[str, typer.Argument(help=f"One of {', '.join(TASKS)}.")],
    stimuli: Annotated[Path, typer.Argument(help="Set of `stst batch`, or a folder of runs.")],
    out: o.Out = Path("stst-experiment"),
    spec: Annotated[Path | None, typer.Option(help="Start from this experiment.yaml.")] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    words: Annotated[
        Path | None, typer.Option(help="The page's fixed words in another language: a YAML file.")
    ] = None,
    single: Annotated[bool, typer.Option(help="Write one HTML file that needs no server.")] = False,
    jspsych: Annotated[
        Path | None, typer.Option(help="Folder with jsPsych's packages, as npm pack writes them.")
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Build an experiment: trials in counterbalanced lists, films, and a page for the browser."""
    if task not in TASKS:
        raise RecipeError(
            f"there is no task {task!r}.{guess(task, TASKS)} Tasks: {', '.join(TASKS)}."
        )
    data = {**(read_config(spec) if spec else {}), "task": task}
    if words:
        own = read_words(words)
        data |= {"words": own, "language": own.get("language", "")}
    seeded = [] if seed is None else [f"seed={seed}"]
    wanted = o.parsed(ExperimentSpec, data, [*(settings or []), *seeded])
    refuse_folder(out, overwrite=overwrite)
    index_runs(stimuli, TERMINAL)
    build_experiment(
        wanted, stimuli, out, jspsych=jspsych, single=single, overwrite=overwrite, report=TERMINAL
    )
    page = (out / PAGE).absolute().as_uri()
    say(f"Open {page}." if single else f"Run it: stst experiment serve {out}")


@dataclass(frozen=True, kw_only=True)
class EffectOptions:
    """The effect that is expected: names and meanings as in `stst.analysis.observers.PowerPlan`."""

    panel: ClassVar = "Effect"
    effect: Annotated[
        float,
        typer.Option(
            help="Expected mean over participants: d' (natural, detection, abx, oddity), "
            "proportion correct (category), proportion of space choices (source), rating "
            "(similarity)."
        ),
    ]
    spread: Annotated[
        float, typer.Option(help="Standard deviation between participants, in the same unit.")
    ]
    measure: Annotated[
        str | None, typer.Option(help="Another measure of the effect: accuracy, threshold.")
    ] = None
    null: Annotated[float | None, typer.Option(help="Null value; by default chance.")] = None
    against: Annotated[str | None, typer.Option(help="Reference condition.")] = None
    difference: Annotated[
        float | None,
        typer.Option(help="How much lower the reference is; for thresholds, a factor."),
    ] = None
    difference_spread: Annotated[
        float, typer.Option(help="Standard deviation of the difference between participants.")
    ] = 0.0


@app.command()
@o.grouped
def power(
    *,
    experiment: Experiment,
    effect: EffectOptions,
    participants: Annotated[str, typer.Option(help="Numbers of participants to try: 8,16,24.")],
    repeats: Annotated[
        str | None,
        typer.Option(help="Numbers of repeats to try: 1,2,4; by default the experiment's."),
    ] = None,
    out: o.Out = Path("stst-power"),
    seed: o.Seed = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Others: lapse=0.05, slope=3, simulations=1000, rules.least=20."
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Find how many trials and participants an effect needs, by simulated experiments.

    Each is analysed as `stst experiment analyze` does. Power is the proportion of experiments in
    which the 95 % interval over participants excludes chance; with --against, in which that of
    the difference between conditions excludes 0.
    """
    data = {
        **asdict(effect),
        "participants": _numbers(participants, "--participants"),
        "repeats": _numbers(repeats, "--repeats") if repeats else (),
        "seed": seed or 0,
    }
    plan = o.parsed(PowerPlan, data, settings)
    run_power(experiment, plan, out, overwrite=overwrite, report=TERMINAL)


def _numbers(text: str, option: str) -> list[object]:
    _, numbers = o.levels(f"{option}={text}", option, "8,16,24")
    if not numbers:
        raise RecipeError(f"{option} takes numbers, such as 8,16,24; got {text!r}.")
    return numbers


@app.command()
def serve(
    experiment: Experiment,
    responses: Responses = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8000,
) -> None:
    """Serve an experiment to browsers and save the responses, until Ctrl-C."""
    serve_experiment(experiment, responses, host=host, port=port, report=TERMINAL)


@app.command()
def export(
    experiment: Experiment,
    to: Annotated[str, typer.Option(help=f"Where it will run: {', '.join(HOSTS)}.")],
    out: o.Out = Path("stst-online"),
    save_url: Annotated[
        str, typer.Option(help="Address that takes the responses by POST (static).")
    ] = "",
    overwrite: o.Overwrite = False,
) -> None:
    """Export an experiment for another server: a static one, JATOS or Pavlovia."""
    host = next((host for host in HOSTS if host == to), None)
    if host is None:
        raise RecipeError(f"--to is {to!r}.{guess(to, HOSTS)} It takes {', '.join(HOSTS)}.")
    path = export_online(
        experiment, host, out, save_url=save_url, overwrite=overwrite, report=TERMINAL
    )
    say(f"Upload {path}. The folder {experiment} itself is not for a server.")


@app.command()
def psychopy(
    experiment: Experiment,
    out: o.Out = Path("stst-psychopy"),
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="The room: screen_hz=144, width=53, triggers=serial, port=COM3. "
            f"Settings: {', '.join(LabSettings.model_fields)}.",
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Export an experiment for PsychoPy: a script, its trials, frames as arrays."""
    lab = o.parsed(LabSettings, {}, settings)
    script = export_psychopy(experiment, out, lab, overwrite=overwrite, report=TERMINAL)
    say(f"Run it where PsychoPy is: python {script} PARTICIPANT --list 0")


@app.command()
def bids(
    experiment: Experiment,
    responses: Responses = None,
    out: o.Out = Path("stst-bids"),
    license: Annotated[str | None, typer.Option(help="License of the data set: CC0.")] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Export stimuli and responses as a BIDS data set, with sidecars and events."""
    count = export_bids(
        experiment,
        out,
        responses=responses,
        license=license,
        overwrite=overwrite,
        report=TERMINAL,
    )
    say(f"{count} participant(s) in {out}.")


@app.command()
def analyze(
    responses: Annotated[
        list[Path], typer.Argument(help="Tables of responses, or folders that hold them.")
    ],
    out: o.Out = Path("stst-analysis"),
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help=f"Change a rule: least=20. Rules: {', '.join(Rules.model_fields)}."
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option("--mixed", help="Fit a mixed-effects model of all trials too (extra mixed)."),
    ] = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Analyse responses: exclusions by declared rules, results with intervals, a page."""
    rules = Rules.parse(dict(map(o.setting, settings or [])))
    run_analysis(responses, out, rules, mixed=mixed, overwrite=overwrite, report=TERMINAL)
