"""The settings of each workflow, and recipe.yaml, the file that they are written to."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field

from stst.errors import RecipeError
from stst.recipe import FrozenConfig, Recipe
from stst.video.sizes import Fit, Sizing

MAX_BYTES, MAX_VALUES = 1 << 20, 100_000  # of a YAML file
SECTIONS = ("source", "streams", "recipe", "settings")


def _rate(given: Any) -> Any:  # noqa: ANN401
    """A frame rate as text, which is exact; YAML reads 24 and 29.97 as numbers."""
    text = str(given) if type(given) in (int, float) else given
    try:
        right = text is None or (isinstance(text, str) and Fraction(text) > 0)
    except (ValueError, ZeroDivisionError):
        right = False
    if not right:
        raise ValueError("the frame rate must be positive, as 24, 29.97 or 30000/1001")
    return text


Rate = Annotated[str | None, BeforeValidator(_rate)]


class FrameSelection(FrozenConfig):
    """Which frames of a clip, of what size, and at what rate."""

    width: int | None = Field(None, gt=0)
    height: int | None = Field(None, gt=0)
    fit: Fit | None = None
    enlarge: bool = False
    start: int = Field(0, ge=0)
    frames: int | None = Field(None, gt=0)
    every: int = Field(1, gt=0)
    fps: Rate = None
    retime: Rate = None

    @property
    def sizing(self) -> Sizing:
        """The size that is wanted."""
        return Sizing(width=self.width, height=self.height, fit=self.fit, enlarge=self.enlarge)


class Source(FrameSelection):
    """The natural clip: a file and which of its frames."""

    path: str


class Streams(FrozenConfig):
    """Names of the two streams, and files of one's own to load into them."""

    spatial: str = "vgg19"
    temporal: str = "msoe"
    spatial_weights: str | None = None
    temporal_weights: str | None = None
    weights_normalisation: Literal["torchvision", "caffe", "none"] | None = None  # of the spatial


class WorkflowConfig(FrozenConfig):
    """All that a command was told, to be written beside its results as recipe.yaml.

    ``digests`` (SHA-256 of the files that went in) are filled in when it runs, and
    checked when it is repeated.
    """

    digests: dict[str, str] = Field(default_factory=dict)

    def checked(self, found: Mapping[str, str]) -> Self:
        """Fill in digests; RecipeError if one differs from that of the first run."""
        for name, before in self.digests.items():
            if found.get(name, before) != before:
                raise RecipeError(
                    f"the {name} is not the one this recipe was run with: its SHA-256 is "
                    f"{found[name]}, wanted {before}. Give the same file, or delete the "
                    "line under `digests` to make another stimulus."
                )
        return self.model_copy(update={"digests": dict(found)})


class SynthesisConfig(WorkflowConfig):
    """All that `stst synthesize` is told."""

    source: Source
    time: Source | None = None  # the clip behind the temporal losses, where it is another
    given: Source | None = None  # the first frames, which are kept
    streams: Streams = Streams()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    device: str = "cpu"
    deterministic: bool = False
    recipe: Recipe

    @property
    def sources(self) -> dict[str, Source]:
        """The natural clips by the keys of their digests, the spatial one first."""
        return {"source": self.source} | ({} if self.time is None else {"time": self.time})

    @property
    def titles(self) -> tuple[str, ...]:
        """What the clips are called where they are shown."""
        return ("natural",) if self.time is None else ("space", "time")


class StimulusConfig(WorkflowConfig):
    """All that `stst stimulus` and `stst scramble` are told; only the latter has a source."""

    kind: str
    settings: dict[str, Any] = Field(default_factory=dict)
    source: Source | None = None


class MatchConfig(WorkflowConfig):
    """All that `stst match` is told: the clips of a set and what they shall have in common."""

    sources: tuple[Source, ...]
    settings: dict[str, Any] = Field(default_factory=dict)


class PredictionConfig(WorkflowConfig):
    """All that `stst prednet evaluate` is told: the clips by name, and the network's weights."""

    clips: dict[str, Source] = Field(min_length=1)
    every: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 2, 4), min_length=1)
    weights: str | None = None


class TrainingConfig(WorkflowConfig):
    """All that `stst prednet train` is told; without clips, generated scenes are shown.

    ``labels`` are the classes of the clips, in their order, for a semantic head.
    """

    sources: tuple[Source, ...] = ()
    labels: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)


def read_config(path: Path) -> dict[str, Any]:
    """Read a recipe.yaml as plain data, no more than anyone writes by hand."""
    try:
        data = read_plain(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{path} is not a recipe that can be read: {reason}.") from error
    sections = [data, *(data.get(key) or {} for key in SECTIONS)] if isinstance(data, dict) else []
    if not sections or not all(isinstance(section, dict) for section in sections):
        raise RecipeError(
            f"{path} is not a recipe: wanted the sections {', '.join(SECTIONS)}, as in the "
            "recipe.yaml that a run leaves."
        )
    return dict(data)


def read_plain(path: Path) -> Any:  # noqa: ANN401
    """Read plain data of YAML; OSError, ValueError or YAMLError where it cannot be."""
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        data = yaml.safe_load(text.decode("utf-8"))
        count = _count(data, {})
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if count > MAX_VALUES:
        raise ValueError(f"its aliases make {count} values of it")
    return data


def _count(data: object, known: dict[int, int]) -> int:
    """Count the values in plain data, again for each alias of them."""
    if id(data) not in known:
        parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        known[id(data)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(data)]
