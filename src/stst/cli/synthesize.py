"""`stst synthesize`: a video file in, a folder with its metamer out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli.options import build_job
from stst.cli.work import carry_out
from stst.recipe import QUALITIES, list_presets


def synthesize(
    video: Annotated[
        Path | None, typer.Argument(help="Video, GIF, folder of images or .npy array.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("stst-out"),
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe.yaml, as a run leaves it, to repeat.")
    ] = None,
    quality: Annotated[
        str | None, typer.Option(help=f"When to stop: {', '.join(QUALITIES)}.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help=f"One of {', '.join(list_presets())}.")] = None,
    spatial: Annotated[
        str | None, typer.Option(help="Spatial stream: vgg19, vgg16, compact, ...")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file of your own for the spatial stream.")
    ] = None,
    temporal_weights: Annotated[
        Path | None, typer.Option(help="Weights file of your own for MSOE.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Reduce to this width, px.")] = None,
    frames: Annotated[int | None, typer.Option(help="How many frames to take.")] = None,
    start: Annotated[int | None, typer.Option(help="First frame to take, from 0.")] = None,
    every: Annotated[int | None, typer.Option(help="Take every n-th frame.")] = None,
    fps: Annotated[str | None, typer.Option(help="Frame rate, for sources that have none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the starting noise.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Make this many metamers, from --seed on.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")] = None,
    deterministic: Annotated[
        bool | None, typer.Option("--deterministic", help="On CUDA: repeat to the bit.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting of the recipe: octaves.0.steps=10."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Write into a folder that is not empty.")] = False,
) -> None:
    """Make the dynamic metamer of a natural video."""
    chosen = None
    if seed is not None or seeds is not None:
        chosen = [(seed or 0) + i for i in range(seeds or 1)]
    options = {
        "source.path": video and str(video.absolute()),
        "source.width": width,
        "source.frames": frames,
        "source.start": start,
        "source.every": every,
        "source.fps": fps,
        "streams.spatial": spatial,
        "streams.spatial_weights": weights and str(weights.absolute()),
        "streams.temporal_weights": temporal_weights and str(temporal_weights.absolute()),
        "seeds": chosen,
        "device": device,
        "deterministic": deterministic,
    }
    job = build_job(options, file=recipe, preset=preset, quality=quality, settings=settings or [])
    carry_out(job, out, overwrite=overwrite)
