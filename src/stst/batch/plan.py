"""The plan of a stimulus set: a validated YAML file. docs/reference/batch.md lists every key."""

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
    """How a long film is split into clips, one for each shot.

    Parameters
    ----------
    least : int, default 2
        Shortest shot that becomes a clip (frames, >= 2).
    most : int, optional
        Longest clip (frames, >= 2). Of a longer shot, the first frames are used.

    Examples
    --------
    >>> ShotSelection(least=24, most=240)
    ShotSelection(least=24, most=240)
    """

    least: int = Field(2, ge=2, description="Shortest shot that becomes a clip (frames).")
    most: int | None = Field(None, ge=2, description="Longest clip (frames).")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError(
                f"shots.most must be at least shots.least ({self.least}), got {self.most}"
            )
        return self


class ClipCut(FrameSelection):
    """Which frames of a film become a clip, or one clip for each shot."""

    shots: ShotSelection | None = Field(
        None, description="Split the film into shots, and make a clip of each."
    )


class ClipEntry(ClipCut):
    """A natural clip of a list or a table; its own cut settings override those of the plan."""

    path: str = Field(description="File of the clip, relative to the folder of the plan.")
    name: str = Field("", description="Name of the clip; by default that of its file.")
    label: str = Field("", description="Your own label, copied to stimuli.csv.")


class ClipSelection(FrozenConfig):
    """The natural clips: a pattern of files, a table, or a list; one of the three."""

    folder: str | None = Field(None, description="Pattern of files, such as clips/*.mp4.")
    table: str | None = Field(
        None, description="CSV file with the column path, and any other keys of a clip."
    )
    listed: tuple[ClipEntry, ...] = Field((), description="List of clips.")


class PairSelection(FrozenConfig):
    """Which clips are factorised: all ordered pairs, or those of a table or list."""

    crossed: bool = Field(False, description="All ordered pairs, each clip with itself too.")
    table: str | None = Field(None, description="CSV file with the columns space and time.")
    listed: tuple[tuple[str, str], ...] = Field(
        (), description="List of pairs: clip of the appearance, clip of the motion."
    )


class RecipeChoice(FrozenConfig):
    """How a metamer is made: a preset and changes to it, as on the command line."""

    preset: str = Field("default", description="Preset to start from.")
    quality: str | None = Field(None, description="How closely to match: draft, default, high.")
    losses: str | None = Field(None, description="What to match: names joined by +, or all.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Changed settings by dotted name, as with --set."
    )

    @property
    def recipe(self) -> Recipe:
        """The recipe; RecipeError names invalid settings."""
        recipe = Recipe.preset(self.preset)
        recipe = recipe if self.quality is None else recipe.with_quality(self.quality)
        recipe = recipe if self.losses is None else recipe.with_losses(self.losses)
        return recipe.with_settings(self.settings)


class ControlChoice(FrozenConfig):
    """A control of each clip, with the kinds and settings of `stst scramble`."""

    kind: str = Field(description="Kind of control.")
    name: str = Field("", description="Name of the condition; by default the kind.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the control, as with --set."
    )


class SlurmResources(FrozenConfig):
    """Resources of the SLURM jobs; each job is one worker."""

    jobs: int = Field(1, ge=1, description="Number of jobs that run at a time.")
    cores: int = Field(1, ge=1, description="CPU cores of each job.")
    memory: str = Field("4GB", description="Memory of each job.")
    walltime: str = Field("01:00:00", description="Longest run time of a job (h:min:s).")
    queue: str | None = Field(None, description="Partition.")
    account: str | None = Field(None, description="Account that is charged.")
    interface: str | None = Field(None, description="Network interface between nodes: ib0.")
    directives: tuple[str, ...] = Field((), description="Further options of #SBATCH.")
    prologue: tuple[str, ...] = Field((), description="Shell lines to run before the worker.")


def _short_for(key: str) -> BeforeValidator:
    """Accept a bare string as short for the setting `key`."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class BatchPlan(FrozenConfig):
    """The settings of `stst batch`: clips, how they are cut, and what is made from them.

    Examples
    --------
    >>> plan = BatchPlan.parse({"schema": 1, "clips": "clips/*.mp4", "seeds": [0, 1]})
    >>> plan.clips.folder
    'clips/*.mp4'
    """

    model_config = ConfigDict(title="plan")

    version: Literal[1] = Field(alias="schema", description="Version of the format: 1.")
    clips: Annotated[ClipSelection, _short_for("folder")] = Field(description="Natural clips.")
    cut: ClipCut = Field(ClipCut(), description="Size, frames and rate of every clip.")
    natural: bool = Field(True, description="Whether natural clips are stimuli of the set.")
    metamers: bool = Field(True, description="Make metamers of each clip.")
    pairs: PairSelection = Field(PairSelection(), description="Pairs of clips to factorise.")
    controls: tuple[Annotated[ControlChoice, _short_for("kind")], ...] = Field(
        (), description="Controls of each clip."
    )
    recipes: dict[str, Annotated[RecipeChoice, _short_for("preset")]] = Field(
        default_factory=lambda: {"default": RecipeChoice()},
        min_length=1,
        description="Recipes by name; each is used for all metamers and pairs.",
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0,), min_length=1, description="Random seeds."
    )
    streams: Streams = Field(Streams(), description="Networks whose responses are matched.")
    device: str = Field("cpu", description="Device of torch: cpu, cuda, ...")
    deterministic: bool = Field(False, description="On CUDA: the same bits each time.")
    threads: int | None = Field(
        None, ge=1, description="CPU threads of each worker; by default cores / workers."
    )
    retries: int = Field(
        2, ge=0, description="How often an item is tried again after a transient failure."
    )
    allow_mixed: bool = Field(
        False, description="Also resume items that were stopped on another kind of machine."
    )
    slurm: SlurmResources = Field(SlurmResources(), description="Resources of the SLURM jobs.")


def read_plan(path: Path) -> tuple[BatchPlan, list[str]]:
    """Read a plan; unknown keys are dropped and returned as one fault each.

    RecipeError lists all invalid values.
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
    """Make an error that lists all faults of a plan, one per line."""
    return RecipeError("\n  ".join([f"{path} has errors; nothing was made:", *lines]))
