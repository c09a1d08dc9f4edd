"""`stst evaluate` and `stst prednet`: compare metamers and controls with their natural clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.errors import RecipeError, RunError
from stst.metrics.motion import ESTIMATORS, load_estimator
from stst.models.pretrained import network_names
from stst.storage.config import MatchConfig, PredictionConfig, TrainingConfig, read_config
from stst.video.light import Scale
from stst.workflows.evaluate import run_evaluation
from stst.workflows.evaluate_sets import evaluate_sets
from stst.workflows.films import clips_by_name, named_clip
from stst.workflows.material import EvaluationConfig, load_networks
from stst.workflows.prednet import resume_prednet_training, run_prediction, run_prednet_training
from stst.workflows.set_runs import is_set

SCALES = get_args(Scale)
MEASURES = "Measures"  # panel of the help
app = o.group("Measure next-frame prediction with PredNet, or train a PredNet.")


@o.threaded
@o.grouped
def evaluate(
    *,
    natural: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A run folder, a natural clip, or a set that `stst batch` wrote; one or more."
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Clip or run to compare with: NAME=PATH; or a kind of control, such as stps, "
            "made from the natural clip. Repeat it for more."
        ),
    ] = None,
    out: o.Out = Path("stst-out"),
    luminance: Annotated[
        str,
        typer.Option(help=f"Luminance scale: {', '.join(SCALES)}.", rich_help_panel=MEASURES),
    ] = "linear",
    flow: Annotated[
        str,
        typer.Option(
            help=f"Optical-flow method: {', '.join(ESTIMATORS)} (needs torchvision).",
            rich_help_panel=MEASURES,
        ),
    ] = "dis",
    network: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Network whose layers are compared: {', '.join(network_names())}, timm:NAME, or "
            "none. NAME=FILE loads your own weights. Repeat it for more.",
            rich_help_panel=MEASURES,
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Layers of a single network: a,b,c.", rich_help_panel=MEASURES),
    ] = None,
    weights_normalisation: Annotated[
        str | None,
        typer.Option(
            help="Input scaling that your weights expect: torchvision, caffe, none.",
            rich_help_panel=MEASURES,
        ),
    ] = None,
    unrelated: Annotated[
        list[Path] | None,
        typer.Option(
            help="Unrelated natural clip: the floor of similarity. Repeat it for more.",
            rich_help_panel=MEASURES,
        ),
    ] = None,
    bias_to: Annotated[
        Path | None,
        typer.Option(help="Clip whose motion the factorised clips have.", rich_help_panel=MEASURES),
    ] = None,
    clip: o.ClipOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Measure what metamers and controls kept of their natural clip: tables, figures, a page.

    Examples: stst evaluate fish-metamer --out fish-evaluation

    stst evaluate fish.mp4 --against metamer=fish-metamer --against stps --out fish-evaluation

    A run folder stands for its natural clip and its metamers. With several folders, confidence
    intervals are over natural clips. The Input options apply to a natural clip given as a file.

    A set of `stst batch` stands for all its runs. evaluation.csv has a row for each run;
    summary.csv has the mean of each condition over clips, with the spread over clips and over
    seeds. Run the same command again to measure only the runs that are new.
    """
    if luminance not in SCALES:
        raise RecipeError(f"--luminance must be one of {', '.join(SCALES)}, got {luminance!r}.")
    if not natural:
        raise RecipeError(
            "no natural clip or run given: stst evaluate IN.mp4 --against metamer=DIR --out DIR."
        )
    networks, untested = load_networks(
        network, layers.split(",") if layers else None, weights_normalisation
    )
    config = EvaluationConfig(
        against=against or [],
        unrelated=unrelated or [],
        bias_to=bias_to,
        luminance=cast(Scale, luminance),
        flow=load_estimator(flow),
        networks=networks,
        untested=untested,
    )
    if any(map(is_set, natural)):
        _check_sets(natural, {"against": against, "bias-to": bias_to, **asdict(clip)})
        result = evaluate_sets(natural, out, config, overwrite=overwrite, report=TERMINAL)
        if result.failed:
            raise RunError(
                f"{len(result.failed)} of {len(result.runs)} runs could not be evaluated; see the "
                f"column failed of {out / 'evaluation.csv'}. Run the same command to try them "
                "again; the others are kept."
            )
        return
    sources = MatchConfig.parse({"sources": [clip.source(path) for path in natural]}).sources
    run_evaluation(sources, out, config, overwrite=overwrite, report=TERMINAL)


def _check_sets(paths: Sequence[Path], options: Mapping[str, object]) -> None:
    """Raise RecipeError for paths that are not sets, and for options of single clips."""
    for path in paths:
        if not is_set(path):
            raise RecipeError(
                f"{path} is not a set. Evaluate either sets, or clips and runs, not both."
            )
    if given := [f"--{name}" for name, value in options.items() if value]:
        raise RecipeError(
            f"{', '.join(given)} cannot be used with a set, which states its clips and conditions. "
            "Leave the option out."
        )


@app.command("evaluate")
@o.threaded
@o.grouped
def predict(
    *,
    clips: Annotated[
        list[str] | None,
        typer.Argument(help="Videos with names: natural=A.mp4 metamer=DIR/metamer.webm."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights file: the authors' Keras file, or one of `stst prednet train`."),
    ] = None,
    every: Annotated[
        list[int] | None,
        typer.Option(help="Use every n-th frame only. Repeat it for more (default: 1, 2 and 4)."),
    ] = None,
    cut: o.FrameOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Measure how well PredNet predicts the next frames, compared with repeating the last frame.

    If one clip is named natural, each other clip is compared with it.
    """
    data = read_config(recipe) if recipe else {}
    if clips:
        data["clips"] = clips_by_name(clips)
    if not data.get("clips"):
        raise RecipeError("no clips given: stst prednet evaluate natural=A.mp4 metamer=B.webm.")
    data["clips"] = {name: dict(clip) | cut.source() for name, clip in data["clips"].items()}
    changes = {"every": every or None, "weights": o.absolute(weights)}
    config = PredictionConfig.parse(o.placed(changes, data))
    run_prediction(config, out, overwrite=overwrite, report=TERMINAL)


@app.command()
@o.grouped
def train(
    *,
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            help="Training videos; by default generated scenes. With --semantic: CLASS=A.mp4."
        ),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    resume: Annotated[
        Path | None, typer.Option(help="Resume the stopped training in this folder.")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="Prediction errors to reduce: of the lowest layer (L0) or all layers (Lall)."
        ),
    ] = None,
    semantic: Annotated[
        float | None,
        typer.Option(help="Weight of a second task: classify the clip from the top layer."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of training steps.")] = None,
    cut: o.ClipOptions,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Train a PredNet. The same seed gives the same weights, interrupted or not.

    Settings of the paper: --set stack=[3,48,96,192] --set frames=10 --set batch=4
    --set height=128 --set width=160 --set rate=0.001
    """
    options = {"loss": loss, "semantic": semantic, "steps": steps, "seed": seed}
    options |= dict(map(o.setting, settings or []))
    if resume:
        if clips or recipe or cut.source() or any(v is not None for v in options.values()):
            raise RecipeError(
                "--resume takes the settings of the stopped training. Leave all other options out."
            )
        config = TrainingConfig.parse(read_config(resume / "recipe.yaml"))
        resume_prednet_training(config, resume, report=TERMINAL)
        return
    data = read_config(recipe) if recipe else {}
    if clips:
        pairs = [named_clip(clip) for clip in clips]
        data["labels"] = [name for name, _ in pairs]
        data["sources"] = [{"path": path} for _, path in pairs]
    data["sources"] = [dict(clip) | cut.source() for clip in data.get("sources", [])]
    changes = {f"settings.{name}": value for name, value in options.items()}
    config = TrainingConfig.parse(o.placed(changes, data))
    run_prednet_training(config, out, overwrite=overwrite, report=TERMINAL)
