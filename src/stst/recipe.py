"""What is done to make a metamer, as frozen and validated data. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from stst.errors import RecipeError, guess

Number = TypeVar("Number", int, float)
PRESETS = files("stst") / "presets"
LOSSES = ("space_content", "space_texture", "time_content", "time_texture")


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


# One value for all frames, or one for each frame in turn, of which the last goes on.
Schedule = Annotated[tuple[float, ...], BeforeValidator(_listed), Field(min_length=1)]
Counts = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_listed), Field(min_length=1)
]
Names = tuple[str, ...]
Memory = Annotated[float, Field(ge=0, lt=1)]  # share of the past in a running mean


def at(schedule: tuple[Number, ...], index: int) -> Number:
    """Value of a schedule for frame `index`; its last value goes on for ever.

    Examples
    --------
    >>> [at((80, 28), i) for i in range(4)]
    [80, 28, 28, 28]
    """
    return schedule[min(index, len(schedule) - 1)]


class Part(BaseModel):
    """Frozen settings that refuse what they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Octave(Part):
    """One resolution of the coarse-to-fine schedule; a stop may cut or repeat its steps."""

    scale: float = Field(1.0, gt=0, le=1)
    steps: Counts = (60,)
    rate: float = Field(0.02, gt=0)


class Weights(Part):
    """How much each loss counts; 0 leaves it out. May change from frame to frame."""

    space_content: Schedule = (0.0,)
    space_texture: Schedule = (1.0,)
    time_content: Schedule = (0.0,)
    time_texture: Schedule = (1.0,)
    total_variation: Schedule = (1.0,)

    def at(self, index: int) -> dict[str, float]:
        """Weights for frame `index`, by the name of the loss; those of 0 left out."""
        values = {name: at(getattr(self, name), index) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value}

    @field_validator("*")
    @classmethod
    def _not_negative(cls, schedule: tuple[float, ...]) -> tuple[float, ...]:
        if min(schedule) < 0:
            raise ValueError("a weight cannot be negative")
        return schedule


class Layers(Part):
    """Layers that each loss matches; None is the stream's own choice (the paper's)."""

    space_content: Names | None = None
    space_texture: Names | None = None
    time_content: Names | None = None
    time_texture: Names | None = None


class Optimiser(Part):
    """The update rule. ``normalised`` is the authors': gradient / its deviation."""

    method: Literal["normalised", "adam", "lbfgs"] = "adam"
    decay: Literal["constant", "cosine"] = "cosine"
    betas: tuple[Memory, Memory] = (0.9, 0.99)


class Stop(Part):
    """When an octave ends: by its residuals, rather than after its steps.

    Every `every` steps, before the first one too, and after each round of its steps an
    octave ends if the relative residual of each matched loss, the root of the loss, is at
    most `tolerance` (twice that below full size: a finer octave follows). A round has a
    whole decay of the rate; up to `rounds` follow each other, as long as each lowers the
    residuals of all losses together by at least `improvement`, as a share.
    """

    tolerance: float = Field(ge=0)
    improvement: float = Field(0.02, ge=0, lt=1)
    rounds: int = Field(1, ge=1)
    every: int = Field(8, ge=1)


# Our choice; that of "default" is the preset's own.
QUALITIES = {
    "draft": Stop(tolerance=0.4),
    "default": Stop(tolerance=0.12),
    "high": Stop(tolerance=0.06, rounds=4),
}


class Start(Part):
    """Where a frame starts from, before its first step.

    The first frames are noise: ``uniform`` in [0, 1] (the authors') or ``matched`` to
    the target frame's mean colour and covariance of channels. A later frame starts from
    ``blend`` x the finished frame + (1 - ``blend``) x noise, where with ``warp`` the
    finished frame is first moved along the optical flow of the temporal target.
    """

    noise: Literal["uniform", "matched"] = "matched"
    blend: float = Field(1.0, ge=0, le=1)
    warp: bool = False


class Colour(Part):
    """Colour transfer to the spatial target frame (Pitie et al. 2007).

    After each finished frame (the authors'), after each octave but the last, or never; in
    the first `frames` frames made, pad frames included, or in all (None).
    """

    after: Literal["never", "frame", "octave"] = "never"
    regrain: bool = True
    frames: int | None = Field(None, ge=1)

    def at(self, index: int) -> str:
        """Say after what frame `index` has its colours transferred."""
        return self.after if self.frames is None or index < self.frames else "never"


class Recipe(Part):
    """All that decides how a metamer is made, apart from targets, streams and seed.

    Parameters
    ----------
    octaves : tuple of Octave
        Coarse to fine.
    weights, layers, optimiser, start, colour
        See their classes.
    stop : Stop or None
        When an octave ends. None takes all its steps, once (the authors').
    scaling : {"relative", "raw"}
        ``relative`` divides each layer's error by the mean square of its target (the
        temporal Gram's by the variance of its entries), so that layers weigh alike;
        ``raw`` is the authors'.
    equalise : float or None
        At the start of each octave bring each weighted loss to weight x this value
        (authors: 1e4). None leaves the weights as they are.
    variation : {"excess", "absolute"}
        Total variation above the target's own, or all of it (the authors').
    resize : {"source", "successive"}
        Octaves resized from the source, or one from the other (the authors', which
        blurs the target of the full-size octave; docs/fidelity.md).
    antialias : bool
        Area-weighted downsizing. The authors' resizing aliases.
    pad : int
        Frames made before the first kept one, then dropped.
    pad_order : {"mirror", "authors"}
        ``mirror`` is t_n ... t_1, t_0; the authors' is t_1 ... t_n, t_0.
    precision : {"auto", "float32", "bfloat16"}
        Number format of the streams' activations while a frame is optimised; Gram
        matrices, frames and optimiser are float32. ``auto`` is bfloat16 where the device
        multiplies it in hardware. Residuals are always found in float32.

    Examples
    --------
    >>> Recipe.preset("greco2024").octaves[0].steps
    (2000,)
    """

    octaves: tuple[Octave, ...] = Field(min_length=1)
    weights: Weights = Weights()
    layers: Layers = Layers()
    optimiser: Optimiser = Optimiser()
    stop: Stop | None = None
    start: Start = Start()
    colour: Colour = Colour()
    scaling: Literal["relative", "raw"] = "relative"
    equalise: float | None = Field(None, gt=0)
    variation: Literal["excess", "absolute"] = "excess"
    resize: Literal["source", "successive"] = "source"
    antialias: bool = True
    pad: int = Field(2, ge=0)
    pad_order: Literal["mirror", "authors"] = "mirror"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @model_validator(mode="after")
    def _stops_by_what_is_relative(self) -> Self:
        if self.stop is not None and self.scaling != "relative":
            raise ValueError("an octave can only stop by residuals with scaling: relative")
        return self

    @classmethod
    def preset(cls, name: str) -> Self:
        """A named recipe: one of `list_presets`."""
        known = list_presets()
        if name not in known:
            raise RecipeError(
                f"there is no preset {name!r}.{guess(name, known)} Presets: {', '.join(known)}."
            )
        return cls.parse(yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8")))

    @classmethod
    def parse(cls, data: object) -> Self:
        """Validate plain data, such as a YAML file holds; RecipeError names the setting."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error)) from None

    def with_settings(self, settings: Mapping[str, object]) -> Recipe:
        """Change settings by dotted name: ``{"octaves.0.steps": 10, "pad": 1}``."""
        data = self.model_dump(mode="json")
        for name, value in settings.items():
            _place(data, name, value)
        return Recipe.parse(data)

    def with_quality(self, name: str) -> Recipe:
        """Stop at the residuals of ``draft``, ``default`` or ``high``.

        Examples
        --------
        >>> Recipe.preset("default").with_quality("high").stop.tolerance
        0.06
        """
        if name not in QUALITIES:
            raise RecipeError(
                f"there is no quality {name!r}.{guess(name, QUALITIES)} Qualities: "
                f"{', '.join(QUALITIES)}."
            )
        return self.with_settings({"stop": QUALITIES[name].model_dump()})

    def to_yaml(self) -> str:
        """Text that `parse` (after ``yaml.safe_load``) turns into this recipe again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change whenever any setting does."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def list_presets() -> list[str]:
    """Names of the recipes that come with the package."""
    names = (file.name for file in PRESETS.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def explain(error: ValidationError) -> str:
    """Put the first fault of a validation into one line: where, what is wrong, what came."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg'].lower()}, got {fault['input']!r}."


def _place(data: Any, dotted: str, value: object) -> None:  # noqa: ANN401
    """Set one setting in nested plain data; refuses a name that is not there."""
    *path, last = dotted.split(".")
    for part in path:
        data = data[_key(data, part, dotted)]
    data[_key(data, last, dotted)] = value


def _key(data: Any, part: str, dotted: str) -> Any:  # noqa: ANN401
    known = range(len(data)) if isinstance(data, list) else data
    known = list(known) if isinstance(data, dict | list) else []
    for key in known:
        if str(key) == part:
            return key
    names = [str(key) for key in known]
    raise RecipeError(
        f"a recipe has no setting {dotted!r}.{guess(part, names)} "
        f"In place of {part!r} there could be: {', '.join(names) or 'nothing'}."
    )
