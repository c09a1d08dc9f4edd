"""`stst synthesize`: a video file in, a folder with its metamer out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.workflows.synthesize import run_synthesis


def synthesize(
    video: Annotated[
        Path | None, typer.Argument(help="Video, GIF, folder of images or .npy array.")
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.Again = None,
    quality: o.Quality = None,
    preset: o.Preset = None,
    losses: o.Losses = None,
    shots: o.Shots = None,
    spatial: o.Spatial = None,
    weights: o.SpatialWeights = None,
    temporal_weights: o.TemporalWeights = None,
    width: o.Width = None,
    frames: o.Frames = None,
    start: o.First = None,
    every: o.Every = None,
    fps: o.Fps = None,
    seed: o.Seed = None,
    seeds: o.Seeds = None,
    device: o.Device = None,
    given: Annotated[
        Path | None, typer.Option(help="A clip whose frames come first and are kept: extend it.")
    ] = None,
    deterministic: Annotated[
        bool | None, typer.Option("--deterministic", help="On CUDA: repeat to the bit.")
    ] = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make the dynamic metamer of a natural video."""
    options = {
        **o.source_options(video, width, frames, start, every, fps),
        "given": given and {"path": o.absolute(given), "width": width},
        "streams.spatial": spatial,
        "streams.spatial_weights": o.absolute(weights),
        "streams.temporal_weights": o.absolute(temporal_weights),
        "seeds": o.seeds_of(seed, seeds),
        "device": device,
        "deterministic": deterministic,
    }
    job = o.build_job(
        options,
        file=recipe,
        preset=preset,
        losses=losses,
        shots=shots,
        quality=quality,
        settings=settings or [],
    )
    run_synthesis(job, out, overwrite=overwrite, report=TERMINAL)
