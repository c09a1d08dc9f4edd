"""`stst match`: a set of videos made alike in luminance, contrast or histogram."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.errors import RecipeError
from stst.stimuli.matching import Statistic
from stst.storage.config import Set, read_job
from stst.video.light import Scale
from stst.workflows.match import run_match

STATISTICS, SCALES = (", ".join(get_args(names)) for names in (Statistic, Scale))


def match(
    videos: Annotated[
        list[Path] | None, typer.Argument(help="Two or more: videos, GIFs, folders or arrays.")
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.Again = None,
    statistic: Annotated[str | None, typer.Option(help=f"What to match: {STATISTICS}.")] = None,
    luminance: Annotated[str | None, typer.Option(help=f"Of which values: {SCALES}.")] = None,
    per: Annotated[str | None, typer.Option(help="Over the whole clip, or each frame.")] = None,
    width: o.Width = None,
    frames: o.Frames = None,
    start: o.First = None,
    every: o.Every = None,
    fps: o.Fps = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Bring a set of videos to its average luminance, contrast or histogram.

    Each gets a folder, and summary.csv says what all had and have. A set is repeated with
    `stst match --recipe DIR/CLIP/recipe.yaml`.
    """
    options = {"width": width, "frames": frames, "start": start, "every": every, "fps": fps}
    asked = {"statistic": statistic, "luminance": luminance, "per": per}
    data = _repeated(recipe) if recipe else dict[str, Any](sources=[])
    if videos:
        data["sources"] = [{"path": o.absolute(video)} for video in videos]
    data["sources"] = [o.placed(options, dict(source)) for source in data["sources"]]
    named = {f"settings.{name}": value for name, value in asked.items()}
    run_match(Set.parse(o.placed(named, data)), out, overwrite=overwrite, report=TERMINAL)


def _repeated(recipe: Path) -> dict[str, Any]:
    data = read_job(recipe)
    if "sources" not in data:
        raise RecipeError(f"{recipe} is not of a set: give a recipe.yaml that stst match left.")
    return Set.parse(data).model_dump()
