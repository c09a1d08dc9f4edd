"""Settings of each workflow, as written to recipe.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field

from stst.errors import RecipeError
from stst.recipe import FrozenConfig, Recipe
from stst.video.sizes import Fit, Sizing
from stst.video.timing import rate_setting

MAX_BYTES, MAX_VALUES = 1 << 20, 100_000  # limits on a YAML file
SECTIONS = ("source", "streams", "recipe", "settings")


def _rate(given: Any) -> Any:  # noqa: ANN401
    """Convert a frame rate to text, which is exact; YAML reads 24 and 29.97 as numbers."""
    text = str(given) if type(given) in (int, float) else given
    if text is not None:
        rate_setting(text)
    return text


Rate = Annotated[str | None, BeforeValidator(_rate)]


class FrameSelection(FrozenConfig):
    """Which frames of a clip to read, at what size and frame rate; see `stst.read_video`."""

    width: int | None = Field(None, gt=0, description="Frame width in pixels.")
    height: int | None = Field(None, gt=0, description="Frame height in pixels.")
    fit: Fit | None = Field(None, description="How to change the aspect ratio.")
    enlarge: bool = Field(False, description="Allow enlargement.")
    start: int = Field(0, ge=0, description="First frame.")
    frames: int | None = Field(None, gt=0, description="Number of frames. None: all.")
    every: int = Field(1, gt=0, description="Read every n-th frame.")
    fps: Rate = Field(None, description="Frames per second, for sources without a frame rate.")
    retime: Rate = Field(None, description="Frames per second to resample to.")

    @property
    def sizing(self) -> Sizing:
        """The requested size."""
        return Sizing(width=self.width, height=self.height, fit=self.fit, enlarge=self.enlarge)


class Source(FrameSelection):
    """The natural clip: a file and the frames to read from it."""

    path: str = Field(description="Path of the file or folder.")


class Streams(FrozenConfig):
    """Names of the two streams, and optional weights files of your own."""

    spatial: str = Field("vgg19", description="Name of the spatial stream.")
    temporal: str = Field("msoe", description="Name of the temporal stream.")
    spatial_weights: str | None = Field(None, description="Weights file of the spatial stream.")
    temporal_weights: str | None = Field(None, description="Weights file of the temporal stream.")
    weights_normalisation: Literal["torchvision", "caffe", "none"] | None = Field(
        None, description="Input normalisation of `spatial_weights`."
    )


class WorkflowConfig(FrozenConfig):
    """Settings of a command, written beside its results as recipe.yaml."""

    digests: dict[str, str] = Field(
        default_factory=dict,
        description="SHA-256 of the input files, filled in by the first run and checked by later "
        "ones.",
    )

    def checked(self, digests: Mapping[str, str]) -> Self:
        """Fill in digests; RecipeError if one differs from that of the first run."""
        for name, before in self.digests.items():
            if digests.get(name, before) != before:
                raise RecipeError(
                    f"the {name} is not the file this recipe was run with: its SHA-256 is "
                    f"{digests[name]}, expected {before}. Give the same file, or delete the "
                    "line under `digests` to make another stimulus."
                )
        return self.model_copy(update={"digests": dict(digests)})


class SynthesisConfig(WorkflowConfig):
    """Settings of `stst synthesize` and `stst factorize`."""

    source: Source = Field(description="Natural clip; target of the spatial losses.")
    time: Source | None = Field(
        None, description="Target of the temporal losses. None: the natural clip."
    )
    given: Source | None = Field(None, description="First frames to keep unchanged.")
    streams: Streams = Field(Streams(), description="The two streams.")
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="Random seeds.")
    device: str = Field("cpu", description="Torch device.")
    deterministic: bool = Field(False, description="On CUDA: give the same bits each time.")
    recipe: Recipe = Field(description="Recipe of the synthesis.")

    @property
    def sources(self) -> dict[str, Source]:
        """The natural clips by digest key, the spatial one first."""
        return {"source": self.source} | ({} if self.time is None else {"time": self.time})

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles of the natural clips."""
        return ("natural",) if self.time is None else ("space", "time")


class StimulusConfig(WorkflowConfig):
    """Settings of `stst stimulus` and `stst scramble`; only the latter has a source."""

    kind: str = Field(description="Name of the stimulus or control.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of its class.")
    source: Source | None = Field(None, description="Natural clip of a control.")


class MatchConfig(WorkflowConfig):
    """Settings of `stst match`: the clips of a set and the statistics to equalise."""

    sources: tuple[Source, ...] = Field(description="The clips, at least two.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings of `stst.stimuli.matching.Matching`."
    )


class PredictionConfig(WorkflowConfig):
    """Settings of `stst prednet evaluate`: clips by name, and the weights of the network."""

    clips: dict[str, Source] = Field(min_length=1, description="Clips by name.")
    every: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4), min_length=1, description="Show all frames, every second, every fourth, ..."
    )
    weights: str | None = Field(None, description="Weights file. None: the embedded network.")


class TrainingConfig(WorkflowConfig):
    """Settings of `stst prednet train`."""

    sources: tuple[Source, ...] = Field((), description="Clips. None: generated scenes.")
    labels: tuple[str, ...] = Field((), description="Class of each clip, for a semantic head.")
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of `stst.models.prednet_training.Lesson`.",
    )


def read_config(path: Path) -> dict[str, Any]:
    """Read a recipe.yaml as plain data, with limits on its size."""
    try:
        data = read_plain(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{path} is not a recipe that can be read: {reason}.") from error
    sections = [data, *(data.get(key) or {} for key in SECTIONS)] if isinstance(data, dict) else []
    if not sections or not all(isinstance(section, dict) for section in sections):
        raise RecipeError(
            f"{path} is not a recipe: it must have the sections {', '.join(SECTIONS)}, as in the "
            "recipe.yaml of a run."
        )
    return dict(data)


def read_plain(path: Path) -> Any:  # noqa: ANN401
    """Read YAML as plain data; OSError, ValueError or YAMLError if that fails."""
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
        raise ValueError(f"its aliases expand to {count} values")
    return data


def _count(data: object, known: dict[int, int]) -> int:
    """Count the values in plain data, once more for each alias."""
    if id(data) not in known:
        parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        known[id(data)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(data)]
