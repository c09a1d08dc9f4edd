"""`stst prednet`: next-frame prediction, of clips to be compared and as a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.errors import RecipeError
from stst.storage.config import Teaching, Watching, read_job
from stst.workflows.films import named
from stst.workflows.prednet_evaluate import run_prediction
from stst.workflows.prednet_train import resume_prednet_training, run_prednet_training

app = typer.Typer(help="How well the next frame is predicted (PredNet).", no_args_is_help=True)


@app.command()
def evaluate(
    clips: Annotated[
        list[str] | None,
        typer.Argument(help="Videos, each with a name: natural=A.mp4 metamer=DIR/metamer.webm."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.Again = None,
    weights: Annotated[
        Path | None, typer.Option(help="The authors' Keras file, or one of a training of yours.")
    ] = None,
    every: Annotated[
        list[int] | None, typer.Option(help="Show every n-th frame alone; several are tried.")
    ] = None,
    width: o.Width = None,
    frames: o.Frames = None,
    start: o.First = None,
    fps: o.Fps = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Measure how well PredNet predicts clips, against repeating the previous frame.

    Beside natural=CLIP, says of each other clip whether the natural one was predicted better.
    """
    data = _read(recipe)
    if clips:
        data["clips"] = _named(clips)
    if not data.get("clips"):
        raise RecipeError("which clips? stst prednet evaluate natural=A.mp4 metamer=B.webm.")
    options = {"width": width, "frames": frames, "start": start, "fps": fps}
    data["clips"] = {name: o.placed(options, dict(clip)) for name, clip in data["clips"].items()}
    asked = {"every": every or None, "weights": o.absolute(weights)}
    run_prediction(Watching.parse(o.placed(asked, data)), out, overwrite=overwrite, report=TERMINAL)


@app.command()
def train(
    clips: Annotated[
        list[str] | None,
        typer.Argument(help="Videos; none: generated scenes. With --semantic: class=A.mp4 ..."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.Again = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a training that was stopped, to go on.")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="L0: lowest layer alone; Lall: all.")] = None,
    semantic: Annotated[
        float | None, typer.Option(help="Weight of naming the class of a clip, read at the top.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="How many.")] = None,
    width: o.Width = None,
    frames: o.Frames = None,
    start: o.First = None,
    every: o.Every = None,
    fps: o.Fps = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Train a PredNet; the same seed gives the same weights, interrupted or not.

    The paper's: --set stack=[3,48,96,192] --set frames=10 --set batch=4 --set height=128
    --set width=160 --set rate=0.001.
    """
    options = {"width": width, "frames": frames, "start": start, "every": every, "fps": fps}
    chosen: dict[str, Any] = {
        "settings.loss": loss,
        "settings.semantic": semantic,
        "settings.steps": steps,
        "settings.seed": seed,
    }
    chosen |= {f"settings.{name}": value for name, value in map(o.setting, settings or [])}
    if resume:
        if clips or recipe or any(v is not None for v in (*options.values(), *chosen.values())):
            raise RecipeError("--resume goes on with what was begun: leave everything else out.")
        resume_prednet_training(
            Teaching.parse(read_job(resume / "recipe.yaml")), resume, report=TERMINAL
        )
        return
    data = _read(recipe)
    if clips:
        named = [_split(clip) for clip in clips]
        data["labels"] = [name for name, _ in named]
        data["sources"] = [{"path": o.absolute(path)} for _, path in named]
    data["sources"] = [o.placed(options, dict(clip)) for clip in data.get("sources", [])]
    run_prednet_training(
        Teaching.parse(o.placed(chosen, data)), out, overwrite=overwrite, report=TERMINAL
    )


def _read(recipe: Path | None) -> dict[str, Any]:
    return read_job(recipe) if recipe else {}


def _named(clips: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """Clips by their names, of which no two are the same."""
    found: dict[str, dict[str, str | None]] = {}
    for name, path in map(_split, clips):
        if name in found:
            raise RecipeError(f"two clips are called {name!r}: give names, one=A.mp4 two=B.mp4.")
        found[name] = {"path": o.absolute(path)}
    return found


def _split(clip: str) -> tuple[str, Path]:
    """``natural=A.mp4`` -> its name and its path; a path alone is named by its file."""
    if Path(clip).exists():
        return Path(clip).stem, Path(clip)
    name, path = named(clip, "a clip")
    return (name, Path(path)) if path else (Path(clip).stem, Path(clip))
