"""The plan of a set of stimuli: a YAML file, validated. What it asks for is `stst.batch.items`'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stst.errors import RecipeError
from stst.recipe import Part, Recipe, faults
from stst.storage.config import Cut, Streams, read_plain


class ShotsOf(Part):
    """A long film is taken apart: a clip for each shot of `least` frames or more.

    Of a shot longer than `most` its first frames are taken.
    """

    least: int = Field(2, ge=2)
    most: int | None = Field(None, ge=2)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError("shots.most must not be below shots.least")
        return self


class CutOf(Cut):
    """How a clip of a set is cut: also into its shots."""

    shots: ShotsOf | None = None


class Entry(CutOf):
    """A natural clip of a list or a table; what it says of its cut goes before the plan's."""

    path: str
    name: str = ""  # else that of the file
    label: str = ""  # of the experimenter's own, for stimuli.csv


class Clips(Part):
    """The natural clips, by one of three: a pattern of files, a table, or a list."""

    folder: str | None = None  # clips/*.mp4
    table: str | None = None  # a CSV file with the columns of `Entry`
    listed: tuple[Entry, ...] = ()


class Pairs(Part):
    """Which clips are factorised: each with each, or those of a table or list."""

    crossed: bool = False
    table: str | None = None  # a CSV file with the columns space and time
    listed: tuple[tuple[str, str], ...] = ()


class RecipeOf(Part):
    """How a metamer is made: a preset and what is changed of it, as on the command line."""

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


class ControlOf(Part):
    """A control of each clip, by the kinds and settings of `stst scramble`."""

    kind: str
    name: str = ""  # else the kind
    settings: dict[str, Any] = Field(default_factory=dict)


class Slurm(Part):
    """What each worker on a cluster is given; `directives` are further lines of #SBATCH."""

    jobs: int = Field(1, ge=1)
    cores: int = Field(1, ge=1)
    memory: str = "4GB"
    walltime: str = "01:00:00"
    queue: str | None = None
    account: str | None = None
    interface: str | None = None  # of the network between nodes: ib0
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()  # lines of the job before the worker begins


def _named(key: str) -> BeforeValidator:
    return BeforeValidator(lambda given: {key: given} if isinstance(given, str) else given)


class Plan(Part):
    """All that `stst batch` is told: clips, how they are cut, and what is made of them."""

    model_config = ConfigDict(title="plan")

    version: Literal[1] = Field(alias="schema")
    clips: Annotated[Clips, _named("folder")]
    cut: CutOf = CutOf()
    natural: bool = True
    metamers: bool = True
    pairs: Pairs = Pairs()
    controls: tuple[Annotated[ControlOf, _named("kind")], ...] = ()
    recipes: dict[str, Annotated[RecipeOf, _named("preset")]] = Field(
        default_factory=lambda: {"default": RecipeOf()}, min_length=1
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)
    streams: Streams = Streams()
    device: str = "cpu"
    deterministic: bool = False
    threads: int | None = Field(None, ge=1)  # of each worker; else cores / workers
    retries: int = Field(2, ge=0)  # of an item that failed for a reason that may pass
    allow_mixed: bool = False  # also go on with items that were stopped on other machines
    slurm: Slurm = Slurm()


def read_plan(path: Path) -> tuple[Plan, list[str]]:
    """Read a plan's YAML file; what is known of it is also read where some keys are not.

    Returns
    -------
    Plan, list of str
        The plan without its unknown keys, and a line for each of these.

    Raises
    ------
    RecipeError
        If it cannot be read, or holds values that cannot be; all of them are named.
    """
    try:
        data = read_plain(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    try:
        return Plan.model_validate(data), []
    except ValidationError as error:
        unknown = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
        found = faults(error)
        if not unknown or len(unknown) < len(found):
            raise refusal(path, found) from None
    for loc in unknown:
        _drop(data, loc)
    return Plan.model_validate(data), found


def _drop(data: Any, loc: tuple[int | str, ...]) -> None:  # noqa: ANN401
    for key in loc[:-1]:
        data = data[key]
    del data[loc[-1]]


def refusal(path: Path, found: list[str]) -> RecipeError:
    """All faults of a plan, one in a line."""
    lines = "".join(f"\n  {fault}" for fault in found)
    return RecipeError(f"{path} cannot be carried out, and nothing was begun:{lines}")
