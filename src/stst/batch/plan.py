"""The plan of a set of stimuli: a YAML file, validated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stst.errors import RecipeError
from stst.recipe import FrozenConfig, Recipe, faults
from stst.storage.config import FrameSelection, Streams, read_plain


class ShotSelection(FrozenConfig):
    """A long film becomes a clip for each shot of `least` frames or more.

    Of a shot longer than `most` its first frames are taken.
    """

    least: int = Field(2, ge=2)
    most: int | None = Field(None, ge=2)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError("shots.most must not be below shots.least")
        return self


class ClipCut(FrameSelection):
    """Which frames of a film become a clip, or several: one for each shot."""

    shots: ShotSelection | None = None


class ClipEntry(ClipCut):
    """A natural clip of a list or a table; its own cut settings override those of the plan."""

    path: str
    name: str = ""  # else that of the file
    label: str = ""  # of the experimenter's own, for stimuli.csv


class ClipSelection(FrozenConfig):
    """The natural clips, by one of three: a pattern of files, a table, or a list."""

    folder: str | None = None  # clips/*.mp4
    table: str | None = None  # a CSV file with the columns of `ClipEntry`
    listed: tuple[ClipEntry, ...] = ()


class PairSelection(FrozenConfig):
    """Which clips are factorised: each with each, or those of a table or list."""

    crossed: bool = False
    table: str | None = None  # a CSV file with the columns space and time
    listed: tuple[tuple[str, str], ...] = ()


class RecipeChoice(FrozenConfig):
    """How a metamer is made: a preset and changes to it, as on the command line."""

    preset: str = "default"
    quality: str | None = None
    losses: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The recipe; RecipeError names what cannot be."""
        recipe = Recipe.preset(self.preset)
        recipe = recipe if self.quality is None else recipe.with_quality(self.quality)
        recipe = recipe if self.losses is None else recipe.with_losses(self.losses)
        return recipe.with_settings(self.settings)


class ControlChoice(FrozenConfig):
    """A control of each clip, by the kinds and settings of `stst scramble`."""

    kind: str
    name: str = ""  # else the kind
    settings: dict[str, Any] = Field(default_factory=dict)


class SlurmResources(FrozenConfig):
    """Resources of each worker on a cluster; `directives` are further lines of #SBATCH."""

    jobs: int = Field(1, ge=1)
    cores: int = Field(1, ge=1)
    memory: str = "4GB"
    walltime: str = "01:00:00"
    queue: str | None = None
    account: str | None = None
    interface: str | None = None  # of the network between nodes: ib0
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()  # lines of the job before the worker begins


def _short_for(key: str) -> BeforeValidator:
    """A bare string is short for the one setting `key`."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class BatchPlan(FrozenConfig):
    """The settings of `stst batch`: clips, how they are cut, and what is made of them."""

    model_config = ConfigDict(title="plan")

    version: Literal[1] = Field(alias="schema")
    clips: Annotated[ClipSelection, _short_for("folder")]
    cut: ClipCut = ClipCut()
    natural: bool = True
    metamers: bool = True
    pairs: PairSelection = PairSelection()
    controls: tuple[Annotated[ControlChoice, _short_for("kind")], ...] = ()
    recipes: dict[str, Annotated[RecipeChoice, _short_for("preset")]] = Field(
        default_factory=lambda: {"default": RecipeChoice()}, min_length=1
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)
    streams: Streams = Streams()
    device: str = "cpu"
    deterministic: bool = False
    threads: int | None = Field(None, ge=1)  # of each worker; else cores / workers
    retries: int = Field(2, ge=0)  # of an item that failed for a transient reason
    allow_mixed: bool = False  # also resume items that were stopped on other machines
    slurm: SlurmResources = SlurmResources()


def read_plan(path: Path) -> tuple[BatchPlan, list[str]]:
    """Read a plan's YAML file; unknown keys are dropped, each with a line that names it.

    RecipeError names all values that are invalid.
    """
    try:
        data = read_plain(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    try:
        return BatchPlan.model_validate(data), []
    except ValidationError as error:
        unknown = [fault["loc"] for fault in error.errors() if fault["type"] == "extra_forbidden"]
        lines = faults(error)
        if len(unknown) < len(lines):
            raise refusal(path, lines) from None
    for *parents, key in unknown:
        section = data
        for parent in parents:
            section = section[parent]
        del section[key]
    return BatchPlan.model_validate(data), lines


def refusal(path: Path, lines: Sequence[str]) -> RecipeError:
    """All faults of a plan, one on each line."""
    return RecipeError(
        "\n  ".join([f"{path} cannot be carried out, and nothing was begun:", *lines])
    )
