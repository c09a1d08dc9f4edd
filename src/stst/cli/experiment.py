"""`stst experiment`: build, run, export and analyse an experiment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from stst.analysis.plan import PowerPlan
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

app = o.group(
    "Build, run and analyse an experiment. In order: new, power, serve (or export, psychopy), "
    "analyze, bids."
)
PAGE_PANEL = "Page"
Experiment = Annotated[
    Path, typer.Argument(help="Experiment folder that `stst experiment new` wrote.")
]
Responses = Annotated[
    Path | None, typer.Option(help="Folder of the responses; by default EXPERIMENT/responses.")
]


@app.command()
def new(
    task: Annotated[str, typer.Argument(help=f"Task: {', '.join(TASKS)}.")],
    stimuli: Annotated[
        Path, typer.Argument(help="Set that `stst batch` wrote, or a folder of runs.")
    ],
    out: o.Out = Path("stst-experiment"),
    spec: Annotated[
        Path | None, typer.Option(help="Settings to start from: an experiment.yaml.")
    ] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    words: Annotated[
        Path | None,
        typer.Option(
            help="Texts of the page in another language: a YAML file.", rich_help_panel=PAGE_PANEL
        ),
    ] = None,
    single: Annotated[
        bool,
        typer.Option(
            help="Write one HTML file that needs no server.",
            show_default=False,
            rich_help_panel=PAGE_PANEL,
        ),
    ] = False,
    jspsych: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the packages of jsPsych, as `npm pack` writes them; by default they "
            "are downloaded.",
            rich_help_panel=PAGE_PANEL,
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Build an experiment: counterbalanced lists of trials, films, and a page for the browser.

    Example: stst experiment new natural my-set --out my-experiment
    """
    if task not in TASKS:
        raise RecipeError(
            f"there is no task {task!r}.{guess(task, TASKS)} Choose one of {', '.join(TASKS)}."
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
    say(f"Next: open {page}." if single else f"Next: stst experiment serve {out}")


@dataclass(frozen=True, kw_only=True)
class EffectOptions:
    """The expected effect, with the names of `stst.analysis.plan.PowerPlan`."""

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
        float,
        typer.Option(help="Standard deviation between participants, in the unit of --effect."),
    ]
    measure: Annotated[
        str | None, typer.Option(help="Measure of the effect, if another: accuracy, threshold.")
    ] = None
    null: Annotated[float | None, typer.Option(help="Null value; by default chance.")] = None
    against: Annotated[
        str | None, typer.Option(help="Reference condition, to test a difference.")
    ] = None
    difference: Annotated[
        float | None,
        typer.Option(help="How much lower the reference condition is; for thresholds, a factor."),
    ] = None
    difference_spread: Annotated[
        float, typer.Option(help="Standard deviation of this difference between participants.")
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
            "--set",
            help="Change one setting: lapse=0.05, slope=3, simulations=1000 or rules.least=20. "
            "Repeat it for more.",
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Find how many participants and trials an effect needs, by simulating experiments.

    Example: stst experiment power my-experiment --effect 0.8 --spread 0.5 --participants 8,16,24

    Each simulated experiment is analysed as by `stst experiment analyze`. Power is the proportion
    of experiments in which the interval over participants excludes chance. With --against, it is
    the proportion in which the interval of the difference between conditions excludes 0. With
    `method: quest` the simulated participants run staircases.
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
        raise RecipeError(f"{option} takes numbers, such as 8,16,24, got {text!r}.")
    return numbers


@app.command()
def serve(
    experiment: Experiment,
    responses: Responses = None,
    host: Annotated[
        str,
        typer.Option(help="Network address to listen on; 127.0.0.1 is this machine alone."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 8000,
) -> None:
    """Serve an experiment to browsers and save the responses. Stop with Ctrl-C."""
    serve_experiment(experiment, responses, host=host, port=port, report=TERMINAL)


@app.command()
def export(
    experiment: Experiment,
    to: Annotated[str, typer.Option(help=f"Where the experiment will run: {', '.join(HOSTS)}.")],
    out: o.Out = Path("stst-online"),
    save_url: Annotated[
        str, typer.Option(help="Only for static: URL that accepts the responses by POST.")
    ] = "",
    overwrite: o.Overwrite = False,
) -> None:
    """Export an experiment to run online: on a static web server, JATOS or Pavlovia."""
    host = next((host for host in HOSTS if host == to), None)
    if host is None:
        raise RecipeError(f"--to must be one of {', '.join(HOSTS)}, got {to!r}.{guess(to, HOSTS)}")
    path = export_online(
        experiment, host, out, save_url=save_url, overwrite=overwrite, report=TERMINAL
    )
    say(f"Next: upload {path}, not the folder {experiment}: it contains the right answers.")


@app.command()
def psychopy(
    experiment: Experiment,
    out: o.Out = Path("stst-psychopy"),
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Describe the lab: screen_hz=144, width=53, triggers=serial, port=COM3. "
            f"Settings: {', '.join(LabSettings.model_fields)}.",
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Export an experiment for PsychoPy: a script, its trials, and the frames as arrays."""
    lab = o.parsed(LabSettings, {}, settings)
    script = export_psychopy(experiment, out, lab, overwrite=overwrite, report=TERMINAL)
    say(f"Next, where PsychoPy is installed: python {script} PARTICIPANT --list 0")


@app.command()
def analyze(
    responses: Annotated[
        list[Path], typer.Argument(help="Response tables, or folders of response tables.")
    ],
    out: o.Out = Path("stst-analysis"),
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help=f"Change an exclusion rule: least=20. Rules: {', '.join(Rules.model_fields)}.",
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option(
            "--mixed",
            help="Also fit a mixed-effects model to all trials (pip install 'stst-vision[mixed]').",
        ),
    ] = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Analyse responses: exclusions by declared rules, estimates with intervals, and a page."""
    rules = Rules.parse(dict(map(o.setting, settings or [])))
    run_analysis(responses, out, rules, mixed=mixed, overwrite=overwrite, report=TERMINAL)


@app.command()
def bids(
    experiment: Experiment,
    responses: Responses = None,
    out: o.Out = Path("stst-bids"),
    license: Annotated[
        str | None, typer.Option(help="License of the data set, such as CC0.")
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Export stimuli and responses as a BIDS data set, with sidecars and event tables."""
    count = export_bids(
        experiment,
        out,
        responses=responses,
        license=license,
        overwrite=overwrite,
        report=TERMINAL,
    )
    say(f"{count} participant(s) in {out}.")
