"""`stst factorize`: the appearance of one video with the motion of another."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL, say
from stst.errors import RecipeError
from stst.storage.atomic import refuse_folder
from stst.workflows.films import clip_names
from stst.workflows.synthesize import run_synthesis


def factorize(
    videos: Annotated[
        list[Path], typer.Argument(help="SPACE and TIME; with --crossed all clips of the set.")
    ],
    out: o.Out = Path("stst-out"),
    crossed: Annotated[
        bool, typer.Option("--crossed", help="Each clip's appearance with each one's motion.")
    ] = False,
    quality: o.Quality = None,
    preset: o.Preset = None,
    losses: o.Losses = None,
    shots: o.Shots = None,
    spatial: o.Spatial = None,
    weights: o.SpatialWeights = None,
    temporal_weights: o.TemporalWeights = None,
    width: o.Width = None,
    frames: o.Frames = None,
    seed: o.Seed = None,
    seeds: o.Seeds = None,
    device: o.Device = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Give a new video the appearance of SPACE and the motion of TIME.

    A pair is repeated with `stst synthesize --recipe PAIR/recipe.yaml`.
    """
    pairs = _pairs(videos, out, crossed=crossed)
    for folder in pairs:
        refuse_folder(folder, overwrite=overwrite)
    for number, (folder, (space, time)) in enumerate(pairs.items(), 1):
        if crossed:
            say(f"Pair {number}/{len(pairs)}: appearance of {space.name}, motion of {time.name}")
        options = {
            "source": {"path": o.absolute(space), "width": width, "frames": frames},
            "time": {"path": o.absolute(time), "width": width, "frames": frames},
            "streams.spatial": spatial,
            "streams.spatial_weights": o.absolute(weights),
            "streams.temporal_weights": o.absolute(temporal_weights),
            "seeds": o.seeds_of(seed, seeds),
            "device": device,
        }
        job = o.build_job(
            options,
            file=None,
            preset=preset,
            losses=losses,
            shots=shots,
            quality=quality,
            settings=settings or [],
        )
        run_synthesis(job, folder, overwrite=overwrite, report=TERMINAL)


def _pairs(videos: list[Path], out: Path, *, crossed: bool) -> dict[Path, tuple[Path, Path]]:
    """The folder of each pair, and its clips for space and time."""
    if not crossed:
        if len(videos) != 2:
            raise RecipeError(
                f"a factorisation takes two clips, SPACE and TIME, got {len(videos)}. For a set of "
                "clips, each with each: --crossed."
            )
        return {out: (videos[0], videos[1])}
    if len(videos) < 2:
        raise RecipeError("a crossed set takes at least two clips.")
    named = zip(clip_names(videos), videos, strict=True)
    return {out / f"{a}_{b}": (one, two) for (a, one), (b, two) in product(named, repeat=2)}
