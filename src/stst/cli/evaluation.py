"""`stst evaluate` and `stst prednet`: what a metamer or a control kept of its natural clip."""

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
app = o.group("Measure next-frame prediction (PredNet).")


@o.threaded
@o.grouped
def evaluate(
    *,
    natural: Annotated[
        list[Path] | None,
        typer.Argument(help="A natural clip, folders of runs, or sets that `stst batch` wrote."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="NAME=CLIP_OR_FOLDER; or a control type, such as stps, made here."),
    ] = None,
    out: o.Out = Path("stst-out"),
    luminance: Annotated[str, typer.Option(help=f"Scale: {', '.join(SCALES)}.")] = "linear",
    flow: Annotated[
        str, typer.Option(help=f"Optical-flow method: {', '.join(ESTIMATORS)} (torchvision).")
    ] = "dis",
    network: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Compare layers of: {', '.join(network_names())} (=FILE of weights), timm:NAME; "
            "or none."
        ),
    ] = None,
    layers: Annotated[str | None, typer.Option(help="Layers of the one network: a,b,c.")] = None,
    weights_normalisation: Annotated[
        str | None, typer.Option(help="Of a FILE of weights: torchvision, caffe, none.")
    ] = None,
    unrelated: Annotated[
        list[Path] | None,
        typer.Option(help="An unrelated clip, the floor of similarity. Repeat it for more."),
    ] = None,
    bias_to: Annotated[Path | None, typer.Option(help="Motion source of factorised clips.")] = None,
    clip: o.ClipOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Measure what a metamer kept of its natural clip: tables, figures and a page.

    The folder of a run stands for its natural clip and its metamers. With several folders,
    confidence intervals are over natural clips. The options of the clip apply to a natural clip
    given as a file.

    A set of `stst batch` stands for all its runs: evaluation.csv has a row for each, summary.csv
    the mean of each condition over clips, with the spread over clips and over seeds. The same
    command measures only runs that it has not measured before.
    """
    if luminance not in SCALES:
        raise RecipeError(f"--luminance is one of {', '.join(SCALES)}, got {luminance!r}.")
    if not natural:
        raise RecipeError("which clip? stst evaluate IN.mp4 --against metamer=DIR --out DIR.")
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
        _refuse_of_sets(natural, {"against": against, "bias-to": bias_to, **asdict(clip)})
        result = evaluate_sets(natural, out, config, overwrite=overwrite, report=TERMINAL)
        if result.failed:
            raise RunError(
                f"{len(result.failed)} of {len(result.runs)} runs could not be evaluated; "
                f"{out / 'evaluation.csv'} says why. The same command tries them again and keeps "
                "the others."
            )
        return
    sources = MatchConfig.parse({"sources": [clip.source(path) for path in natural]}).sources
    run_evaluation(sources, out, config, overwrite=overwrite, report=TERMINAL)


def _refuse_of_sets(paths: Sequence[Path], options: Mapping[str, object]) -> None:
    """Refuse what is no set beside sets, and options that are of single clips."""
    for path in paths:
        if not is_set(path):
            raise RecipeError(f"{path} is no set: evaluate sets, or clips and runs, not both.")
    if given := [f"--{name}" for name, value in options.items() if value]:
        raise RecipeError(
            f"{', '.join(given)}: a set has its clips and conditions already. Leave it out."
        )


@app.command("evaluate")
@o.threaded
@o.grouped
def predict(
    *,
    clips: Annotated[
        list[str] | None,
        typer.Argument(help="Videos, each with a name: natural=A.mp4 metamer=DIR/metamer.webm."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights: the authors' Keras file, or one that you trained.")
    ] = None,
    every: Annotated[
        list[int] | None, typer.Option(help="Show every n-th frame only; repeat it to try several.")
    ] = None,
    cut: o.FrameOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Measure how well PredNet predicts clips, compared with repeating the previous frame.

    With natural=CLIP, each other clip is compared with the natural one.
    """
    data = read_config(recipe) if recipe else {}
    if clips:
        data["clips"] = clips_by_name(clips)
    if not data.get("clips"):
        raise RecipeError("which clips? stst prednet evaluate natural=A.mp4 metamer=B.webm.")
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
        typer.Argument(help="Videos; by default generated scenes. With --semantic: class=A.mp4."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the training in this folder.")] = None,
    loss: Annotated[
        str | None, typer.Option(help="L0: errors of the lowest layer; Lall: of all layers.")
    ] = None,
    semantic: Annotated[
        float | None, typer.Option(help="Weight of classifying the clip from the top layer.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of training steps.")] = None,
    cut: o.ClipOptions,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Train a PredNet. The same seed gives the same weights, interrupted or not.

    The paper's: --set stack=[3,48,96,192] --set frames=10 --set batch=4 --set height=128
    --set width=160 --set rate=0.001.
    """
    options = {"loss": loss, "semantic": semantic, "steps": steps, "seed": seed}
    options |= dict(map(o.setting, settings or []))
    if resume:
        if clips or recipe or cut.source() or any(v is not None for v in options.values()):
            raise RecipeError("--resume goes on with what was begun: leave everything else out.")
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
