"""`stst ablate`: what a setting, or a preconditioning step, does to the metamers of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.recipe.design import STEPS, design
from stst.workflows.ablate import run_ablation


def ablate(
    video: Annotated[
        Path | None, typer.Argument(help="Video, GIF, folder of images or .npy array.")
    ] = None,
    out: o.Out = Path("stst-out"),
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A setting and its levels, pad=2,4; or a step, blend=on,off. Steps: "
            f"{', '.join(STEPS)}. Several make a full grid."
        ),
    ] = None,
    leave_out: Annotated[
        str | None, typer.Option(help="Steps to leave out, each alone: blend,colour; or all.")
    ] = None,
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
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make metamers by recipes that differ in chosen settings, and compare what comes out.

    The same command goes on where it was stopped.
    """
    options = {
        **o.source_options(video, width, frames, start, every, fps),
        "streams.spatial": spatial,
        "streams.spatial_weights": o.absolute(weights),
        "streams.temporal_weights": o.absolute(temporal_weights),
        "seeds": o.seeds_of(seed, seeds),
        "device": device,
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
    cells = design(
        job.recipe,
        vary=dict(map(o.factor, vary or [])),
        leave_out=leave_out.split(",") if leave_out else [],
    )
    run_ablation(job, cells, out, overwrite=overwrite, report=TERMINAL)
