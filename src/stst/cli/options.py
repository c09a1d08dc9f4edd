"""Options of `stst synthesize` -> a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from stst.errors import RecipeError
from stst.recipe import LOSSES, QUALITIES, Recipe, list_presets
from stst.storage.config import Job, read_job

# Options that several commands have.
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Again = Annotated[Path | None, typer.Option(help="A recipe.yaml, as a run leaves it, to repeat.")]
Quality = Annotated[str | None, typer.Option(help=f"When to stop: {', '.join(QUALITIES)}.")]
Preset = Annotated[str | None, typer.Option(help=f"One of {', '.join(list_presets())}.")]
Losses = Annotated[
    str | None,
    typer.Option(help=f"Those to match, joined by +: {' '.join(LOSSES)}; or all."),
]
Shots = Annotated[
    str | None, typer.Option(help="What to do about cuts: each, first, ignore or refuse.")
]
Spatial = Annotated[str | None, typer.Option(help="Spatial stream: vgg19, vgg16, compact, ...")]
SpatialWeights = Annotated[
    Path | None, typer.Option("--weights", help="Weights file of your own for the spatial stream.")
]
TemporalWeights = Annotated[Path | None, typer.Option(help="Weights file of your own for MSOE.")]
Width = Annotated[int | None, typer.Option(help="Reduce to this width, px.")]
Frames = Annotated[int | None, typer.Option(help="How many frames to take.")]
First = Annotated[int | None, typer.Option("--start", help="First frame to take, from 0.")]
Every = Annotated[int | None, typer.Option(help="Take every n-th frame.")]
Fps = Annotated[str | None, typer.Option(help="Frame rate, for sources that have none.")]
Seed = Annotated[int | None, typer.Option(help="Of whatever is random.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Make this many metamers, from --seed on.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Change a setting: octaves.0.steps=10.")
]
Overwrite = Annotated[bool, typer.Option(help="Write into a folder that is not empty.")]


def build_job(
    options: Mapping[str, Any],
    *,
    file: Path | None,
    preset: str | None,
    quality: str | None = None,
    losses: str | None = None,
    shots: str | None = None,
    settings: Sequence[str],
) -> Job:
    """Put together a recipe file (if any) and what was said on the command line.

    Options are named as in the file, ``source.width``; those that are None were not
    given, and the file's value, or else the default, holds.
    """
    data = placed(options, read_job(file) if file else {})
    if "path" not in data.get("source", {}):
        raise RecipeError("which video? Give its path: stst synthesize IN.mp4 --out DIR.")
    if preset is not None or "recipe" not in data:
        data["recipe"] = Recipe.preset(preset or "default").model_dump(mode="json")
    job = Job.parse(data)
    recipe = job.recipe if quality is None else job.recipe.with_quality(quality)
    recipe = recipe if losses is None else recipe.with_losses(losses)
    recipe = recipe if shots is None else recipe.with_settings({"shots": shots})
    for name, value in map(setting, settings):
        recipe = recipe.with_settings({name: value})
    return job.model_copy(update={"recipe": recipe})


def placed(options: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Put the options that were given, by dotted name, into a job's plain data."""
    for name, value in options.items():
        if value is not None:
            section, _, key = name.rpartition(".")
            (data.setdefault(section, {}) if section else data)[key] = value
    return data


def source_options(
    video: Path | None,
    width: int | None,
    frames: int | None,
    start: int | None,
    every: int | None,
    fps: str | None,
) -> dict[str, Any]:
    """The clip that a command was told of, by the names of a job."""
    return {
        "source.path": absolute(video),
        "source.width": width,
        "source.frames": frames,
        "source.start": start,
        "source.every": every,
        "source.fps": fps,
    }


def absolute(path: Path | None) -> str | None:
    """A path that another working directory does not change."""
    return None if path is None else str(path.absolute())


def seeds_of(seed: int | None, seeds: int | None) -> list[int] | None:
    """``--seed`` and ``--seeds`` as a job has them; None where neither was given."""
    if seed is None and seeds is None:
        return None
    return [(seed or 0) + i for i in range(seeds or 1)]


def setting(text: str, option: str = "--set", example: str = "pad=1") -> tuple[str, Any]:
    """``octaves.0.steps=10`` -> its name and its value, read as YAML."""
    name, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"{option} takes key=value, such as {example}; got {text!r}.")
    try:
        return name.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(
            f"{option} {name}: {value[:60]!r} is not a value that can be read."
        ) from None


def factor(text: str) -> tuple[str, list[object]]:
    """``pad=2,4`` -> a name and its levels, each read as YAML."""
    name, equals, levels = text.partition("=")
    return setting(f"{name}{equals}[{levels}]" if equals else text, "--vary", "pad=2,4")
