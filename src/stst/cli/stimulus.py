"""`stst stimulus` and `stst scramble`: stimuli that are made without optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from stst.cli import options as o
from stst.cli.show import console
from stst.errors import RecipeError
from stst.stimuli.kinds import CONTROLS, STIMULI
from stst.storage.config import Making, read_job
from stst.workflows.stimulus import run_stimulus


def stimulus(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(STIMULI)}.")] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.Again = None,
    frames: Annotated[int | None, typer.Option(help="Length.")] = None,
    width: Annotated[int | None, typer.Option(help="px.")] = None,
    height: Annotated[int | None, typer.Option(help="px.")] = None,
    fps: Annotated[str | None, typer.Option(help="Frame rate: 60, 30000/1001.")] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Draw a stimulus of known truth, with its exact flow beside it."""
    options = {
        "kind": kind,
        "settings.frames": frames,
        "settings.width": width,
        "settings.height": height,
        "settings.frame_rate": fps,
        "settings.seed": seed,
    }
    _make(options, recipe, settings, out, overwrite)


def scramble(
    video: Annotated[
        Path | None, typer.Argument(help="Video, GIF, folder of images or .npy array.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(CONTROLS)}.")] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.Again = None,
    width: o.Width = None,
    frames: o.Frames = None,
    start: o.First = None,
    every: o.Every = None,
    fps: o.Fps = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a control stimulus of a natural video: phases or frames scrambled."""
    options = {
        "kind": kind,
        **o.source_options(video, width, frames, start, every, fps),
        "settings.seed": seed,
    }
    if video is None and recipe is None:
        raise RecipeError("which video? Give its path: stst scramble IN.mp4 --out DIR.")
    _make(options, recipe, settings, out, overwrite)


def _make(
    options: Mapping[str, Any],
    recipe: Path | None,
    settings: list[str] | None,
    out: Path,
    overwrite: bool,
) -> None:
    data = o.placed(options, read_job(recipe) if recipe else {})
    named = {f"settings.{name}": value for name, value in map(o.setting, settings or [])}
    data = o.placed(named, data)
    if "kind" not in data:
        raise RecipeError(
            f"which kind? One of {', '.join(CONTROLS if 'source' in data else STIMULI)}."
        )
    job = Making.parse(data)
    with console.status(f"{job.kind} ..."):
        run_stimulus(job, out, overwrite=overwrite)
