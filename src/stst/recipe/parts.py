"""The parts of a recipe: frozen settings, each with the values that it may have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from stst.errors import RecipeError
from stst.recipe.dotted import explain

Number = TypeVar("Number", int, float)
LOSSES = ("space_content", "space_texture", "time_content", "time_texture")


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


# One value for all frames, or one for each frame in turn, of which the last goes on.
Schedule = Annotated[tuple[float, ...], BeforeValidator(_listed), Field(min_length=1)]
Counts = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_listed), Field(min_length=1)
]
ALL = ("all",)  # the layers of a stream
Chosen = Annotated[
    tuple[str, ...] | None, BeforeValidator(lambda names: ALL if names == "all" else names)
]
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

    def __init__(self, **settings: object) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise RecipeError(f"{type(self).__name__}: {explain(error, type(self))}") from None

    # Parts of a part are then made as pydantic makes them: it names the place of a fault.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def parse(cls, data: Any) -> Self:  # noqa: ANN401
        """Validate plain data, such as a YAML file holds; RecipeError names the setting."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error, cls)) from None

    def __repr_args__(self) -> Iterable[tuple[str | None, object]]:
        """The settings that are not as they are by default."""
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name not in fields or value != fields[name].get_default():
                yield name, value

    def to_yaml(self) -> str:
        """Text that ``parse`` (after ``yaml.safe_load``) turns into these settings again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change whenever any setting does."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Octave(Part):
    """One resolution of the coarse-to-fine schedule; a stop may cut or repeat its steps."""

    scale: float = Field(1.0, gt=0, le=1)
    steps: Counts = (60,)
    rate: float = Field(0.02, gt=0)


class Weights(Part):
    """How much each loss counts; 0 leaves it out. May change from frame to frame.

    ``colour_moments`` matches mean and covariance of colours and of the luminance of linear
    light of the spatial target, octave by octave, and with them its contrast and, roughly, its
    spectrum (our choice).
    ``gamut`` keeps colours among those of the spatial target (our choice).
    ``sameness`` keeps the metamers of several seeds apart (our choice): it is lowered by
    layouts that avoid each other, at the price of somewhat larger residuals.
    """

    space_content: Schedule = (0.0,)
    space_texture: Schedule = (1.0,)
    time_content: Schedule = (0.0,)
    time_texture: Schedule = (1.0,)
    colour_moments: Schedule = (0.0,)
    gamut: Schedule = (0.0,)
    total_variation: Schedule = (1.0,)
    sameness: Schedule = (0.0,)

    def at(self, index: int) -> dict[str, float]:
        """Weights for frame `index`, by the name of the loss; those of 0 left out."""
        values = {name: at(getattr(self, name), index) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value}

    @property
    def weighed(self) -> tuple[str, ...]:
        """The losses (not total variation) that have a weight in any frame."""
        return tuple(loss for loss in LOSSES if any(getattr(self, loss)))

    def schedule(self, loss: str, *, alone: bool = False) -> tuple[float, ...]:
        """The weights of a loss, or else those of its stream's other one, or else 1.

        `alone`: the last of them throughout, for a loss that no other stands in for.
        """
        stream = loss.split("_")[0]
        known = [loss, *(other for other in LOSSES if other.startswith(stream))]
        schedules = (getattr(self, name) for name in known)
        found: tuple[float, ...] = next((one for one in schedules if any(one)), (1.0,))
        return found[-1:] if alone else found

    @field_validator("*")
    @classmethod
    def _not_negative(cls, schedule: tuple[float, ...]) -> tuple[float, ...]:
        if min(schedule) < 0:
            raise ValueError("a weight cannot be negative")
        return schedule


class Layers(Part):
    """Layers that each loss matches: names, ``all``, or None, the stream's own choice.

    The package's streams choose the paper's.
    """

    space_content: Chosen = None
    space_texture: Chosen = None
    time_content: Chosen = None
    time_texture: Chosen = None


class Optimiser(Part):
    """The update rule. ``normalised`` is the authors': gradient / its deviation.

    Adam moves each value by the rate, however small its slope; `damping` is added to what a slope
    is divided by, in root mean squares of all slopes of the frame, so that small ones move it less.
    """

    method: Literal["normalised", "adam", "lbfgs"] = "adam"
    decay: Literal["constant", "cosine"] = "cosine"
    betas: tuple[Memory, Memory] = (0.9, 0.99)
    damping: float = Field(0.0, ge=0)


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


class Whole(Part):
    """All frames of a clip together, rather than one after the other (our choice).

    Every frame moves in every step, in as many steps as a recipe gives its first frame,
    with the weights that it has for late ones. With ``loop`` the last frame is followed by
    the first: no pad frames are made, and the clip can be shown without a seam.
    Colour transfer, where there is any, is done in every frame, whatever ``colour.frames``.
    `chunk` windows go through the streams at a time; fewer take less memory.
    """

    loop: bool = False
    chunk: int = Field(4, ge=1)


class Start(Part):
    """Where a frame starts from, before its first step.

    The first frames are noise: ``uniform`` in [0, 1] (the authors'); ``matched`` to
    the target frame's mean colour and covariance of channels; or ``scrambled``, that frame with
    random phases, so that its amplitudes are kept. A later frame starts from
    ``blend`` x the finished frame + (1 - ``blend``) x noise, where the finished frame is
    first moved as ``warp`` says: not at all (the authors'), by the ``affine`` motion that is
    nearest to the optical flow of the temporal target (panning, turning, growing,
    shearing of the frame as a whole), along that flow itself (``dense``), which shows the
    borders of what moves, or ``scrambled``: by the affine motion and what the flow has beside
    it with random phases, as fast and as coarse, elsewhere. Without a temporal loss frames are
    not moved.
    Random phases have by chance a layout like the natural one, and a metamer keeps the layout that
    it begins with: of so many `draws` of scrambled noise the one least like it is taken.
    """

    noise: Literal["uniform", "matched", "scrambled"] = "matched"
    blend: float = Field(1.0, ge=0, le=1)
    warp: Literal["none", "affine", "dense", "scrambled"] = "none"
    draws: int = Field(1, ge=1, le=12)


class Colour(Part):
    """Colour transfer to the spatial target frame (Pitie et al. 2007).

    After each finished frame (the authors'), after each octave but the last, or never; in
    the first `frames` frames made, pad frames included, or in all (None). With `keep_grey` the
    metamer of a natural frame without colour has none: its channels move together.
    """

    after: Literal["never", "frame", "octave"] = "never"
    regrain: bool = True
    keep_grey: bool = True
    frames: int | None = Field(None, ge=1)

    def at(self, index: int) -> str:
        """Say after what frame `index` has its colours transferred."""
        return self.after if self.frames is None or index < self.frames else "never"
