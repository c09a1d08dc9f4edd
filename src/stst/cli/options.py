"""Options of `stst synthesize` -> a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stst.errors import RecipeError
from stst.recipe import Recipe
from stst.run.job import Job, read_job


def build_job(
    options: Mapping[str, Any],
    *,
    file: Path | None,
    preset: str | None,
    quality: str | None = None,
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


def setting(text: str) -> tuple[str, object]:
    """``octaves.0.steps=10`` -> its name and its value, read as YAML."""
    name, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"--set takes key=value, such as pad=1; got {text!r}.")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise RecipeError(f"--set {name}: {value!r} is not a value that can be read.") from None
