"""A job: what to read, which streams, which seeds, by which recipe. A YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError

from stst.errors import RecipeError
from stst.recipe import Part, Recipe, explain

SECTIONS = ("source", "streams", "recipe")


class Source(Part):
    """The natural clip: a file and which of its frames."""

    path: str
    width: int | None = Field(None, gt=0)
    start: int = Field(0, ge=0)
    frames: int | None = Field(None, gt=0)
    every: int = Field(1, gt=0)
    fps: str | None = None


class Streams(Part):
    """Names of the two streams, and files of one's own to load into them."""

    spatial: str = "vgg19"
    temporal: str = "msoe"
    spatial_weights: str | None = None
    temporal_weights: str | None = None


class Job(Part):
    """All that `stst synthesize` is told; written beside its results as recipe.yaml.

    ``digests`` (SHA-256 of the source and of each stream's weights) are filled in when
    it runs, and checked when it is repeated.
    """

    source: Source
    streams: Streams = Streams()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    device: str = "cpu"
    deterministic: bool = False
    recipe: Recipe
    digests: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate plain data; RecipeError names the setting that is wrong."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error)) from None

    def to_yaml(self) -> str:
        """Text that `read_job` and `parse` turn into this job again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def checked(self, found: Mapping[str, str]) -> Job:
        """Fill in digests; RecipeError if one differs from that of the job's first run."""
        for name, before in self.digests.items():
            if found.get(name, before) != before:
                raise RecipeError(
                    f"the {name} is not the one this recipe was run with: its SHA-256 is "
                    f"{found[name]}, wanted {before}. Give the same file, or delete the "
                    "line under `digests` to make another stimulus."
                )
        return self.model_copy(update={"digests": dict(found)})


def read_job(path: Path) -> dict[str, Any]:
    """Read a job's YAML file as plain data."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{path} is not a recipe that can be read: {reason}.") from error
    sections = [data, *(data.get(key, {}) for key in SECTIONS)] if isinstance(data, dict) else []
    if not sections or not all(isinstance(section, dict) for section in sections):
        raise RecipeError(
            f"{path} is not a recipe: wanted the sections {', '.join(SECTIONS)}, as in the "
            "recipe.yaml that a run leaves."
        )
    return dict(data)
