"""`stst stimulus`, `scramble` and `match`: stimuli that are made without optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.errors import RecipeError
from stst.stimuli.kinds import CONTROLS, STIMULI
from stst.stimuli.matching import Statistic
from stst.storage.config import MatchConfig, StimulusConfig, read_config
from stst.video.light import Scale
from stst.workflows.match import run_match
from stst.workflows.stimulus import run_stimulus

STATISTICS, SCALES = (", ".join(get_args(names)) for names in (Statistic, Scale))


def stimulus(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(STIMULI)}.")] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    frames: Annotated[int | None, typer.Option(help="Number of frames.")] = None,
    width: Annotated[int | None, typer.Option(help="Width (px).")] = None,
    height: Annotated[int | None, typer.Option(help="Height (px).")] = None,
    fps: Annotated[str | None, typer.Option(help="Frame rate: 60, 30000/1001.")] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Generate a stimulus of known motion, such as a grating or a dot field, with its flow."""
    options = {
        "kind": kind,
        "settings.frames": frames,
        "settings.width": width,
        "settings.height": height,
        "settings.frame_rate": fps,
        "settings.seed": seed,
    }
    _make(options, recipe, settings, out, overwrite)


@o.grouped
def scramble(
    *,
    video: o.Video = None,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(CONTROLS)}.")] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    clip: o.ClipOptions,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a control stimulus of a natural video: phases or frames scrambled."""
    if video is None and recipe is None:
        raise RecipeError("which video? Give its path: stst scramble IN.mp4 --out DIR.")
    source = {f"source.{name}": value for name, value in clip.source(video).items()}
    _make({"kind": kind, **source, "settings.seed": seed}, recipe, settings, out, overwrite)


def _make(
    options: Mapping[str, Any],
    recipe: Path | None,
    settings: list[str] | None,
    out: Path,
    overwrite: bool,
) -> None:
    named = {f"settings.{name}": value for name, value in map(o.setting, settings or [])}
    data = o.placed({**options, **named}, read_config(recipe) if recipe else {})
    if "kind" not in data:
        raise RecipeError(
            f"which kind? One of {', '.join(CONTROLS if 'source' in data else STIMULI)}."
        )
    config = StimulusConfig.parse(data)
    with TERMINAL.busy(f"{config.kind} ..."):
        run_stimulus(config, out, overwrite=overwrite)


@o.grouped
def match(
    *,
    videos: Annotated[
        list[Path] | None,
        typer.Argument(help="Two or more videos, GIFs, folders of images or .npy arrays."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    statistic: Annotated[str | None, typer.Option(help=f"Equalise: {STATISTICS}.")] = None,
    luminance: Annotated[str | None, typer.Option(help=f"Luminance scale: {SCALES}.")] = None,
    per: Annotated[str | None, typer.Option(help="Equalise each clip or each frame.")] = None,
    clip: o.ClipOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Equalise luminance, contrast or histogram across a set of videos.

    Each video gets a folder; summary.csv lists luminance and contrast before and after. Repeat a
    set with `stst match --recipe DIR/CLIP/recipe.yaml`.
    """
    data = _set(recipe) if recipe else dict[str, Any](sources=[])
    if videos:
        data["sources"] = [{"path": o.absolute(video)} for video in videos]
    data["sources"] = [dict(source) | clip.source() for source in data["sources"]]
    named = {"settings.statistic": statistic, "settings.luminance": luminance, "settings.per": per}
    run_match(MatchConfig.parse(o.placed(named, data)), out, overwrite=overwrite, report=TERMINAL)


def _set(recipe: Path) -> dict[str, Any]:
    data = read_config(recipe)
    if "sources" not in data:
        raise RecipeError(f"{recipe} is not of a set: give a recipe.yaml that stst match left.")
    return MatchConfig.parse(data).model_dump()
