"""What is done to make a metamer, as frozen and validated data. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from stst.errors import RecipeError, guess
from stst.errors.arguments import checked
from stst.recipe.config import FrozenConfig, set_by_path

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


def value_at(schedule: tuple[Number, ...], index: int) -> Number:
    """Value of a schedule for frame `index`; its last value goes on for ever."""
    return schedule[min(index, len(schedule) - 1)]


class Octave(FrozenConfig):
    """One resolution of the coarse-to-fine schedule; a stop may cut or repeat its steps."""

    scale: float = Field(1.0, gt=0, le=1)
    steps: Counts = (60,)
    rate: float = Field(0.02, gt=0)


class Weights(FrozenConfig):
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
        values = {name: value_at(getattr(self, name), index) for name in type(self).model_fields}
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
        weights: tuple[float, ...] = next(filter(any, schedules), (1.0,))
        return weights[-1:] if alone else weights

    @field_validator("*")
    @classmethod
    def _not_negative(cls, schedule: tuple[float, ...]) -> tuple[float, ...]:
        if min(schedule) < 0:
            raise ValueError("a weight cannot be negative")
        return schedule


class Layers(FrozenConfig):
    """Layers that each loss matches: names, ``all``, or None, the stream's own choice.

    The package's streams choose the paper's.
    """

    space_content: Chosen = None
    space_texture: Chosen = None
    time_content: Chosen = None
    time_texture: Chosen = None


class Optimiser(FrozenConfig):
    """The update rule. ``normalised`` is the authors': gradient / its deviation.

    Adam moves each value by the rate, however small its slope; `damping` is added to what a slope
    is divided by, in root mean squares of all slopes of the frame, so that small ones move it less.
    """

    method: Literal["normalised", "adam", "lbfgs"] = "adam"
    decay: Literal["constant", "cosine"] = "cosine"
    betas: tuple[Memory, Memory] = (0.9, 0.99)
    damping: float = Field(0.0, ge=0)


class Stop(FrozenConfig):
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


class Whole(FrozenConfig):
    """All frames of a clip together, rather than one after the other (our choice).

    Every frame moves in every step, in as many steps as a recipe gives its first frame,
    with the weights that it has for late ones. With ``loop`` the last frame is followed by
    the first: no pad frames are made, and the clip can be shown without a seam.
    Colour transfer, where there is any, is done in every frame, whatever ``colour.frames``.
    `chunk` windows go through the streams at a time; fewer take less memory.
    """

    loop: bool = False
    chunk: int = Field(4, ge=1)


class Start(FrozenConfig):
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


class Colour(FrozenConfig):
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


Distances = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
PRESETS = files("stst") / "recipe" / "presets"


class Recipe(FrozenConfig):
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
    field : float or None
        Textures are matched in layers whose receptive field is at most this share of the short
        side, octave by octave (in the layer that sees least, where there is none). A Gram matrix
        hides the arrangement only where it averages over many places: of layers that see much of
        the frame it tells the layout, and the object comes back. None matches all (the authors').
    distances : tuple of int
        How many frames apart the pairs are that the temporal stream looks at: (1,) is the
        paper's; each further one adds its layers (``energy@4``), for motion that takes
        longer than two frames.
    whole : Whole or None
        All frames at once. None makes one after the other (the paper's).
    shots : {"each", "first", "ignore", "refuse"}
        What is done about cuts in the target. ``each`` makes every shot as a clip of its own,
        with its own pad frames and start, and joins them; ``first`` makes the first shot
        alone; ``refuse`` raises an error; ``ignore`` goes on across cuts (the authors').
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
    field: float | None = Field(None, gt=0)
    distances: Distances = (1,)
    whole: Whole | None = None
    shots: Literal["each", "first", "ignore", "refuse"] = "each"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @model_validator(mode="after")
    def _stops_by_what_is_relative(self) -> Self:
        if self.stop is not None and self.scaling != "relative":
            raise ValueError("an octave can only stop by residuals with scaling: relative")
        return self

    @classmethod
    @checked
    def preset(cls, name: str) -> Self:
        """A named recipe: one of `list_presets`."""
        known = list_presets()
        if name not in known:
            raise RecipeError(
                f"there is no preset {name!r}.{guess(name, known)} Presets: {', '.join(known)}."
            )
        return cls.parse(yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8")))

    @checked
    def with_settings(self, settings: Mapping[str, object]) -> Recipe:
        """Change settings by dotted name: ``{"octaves.0.steps": 10, "pad": 1}``."""
        if not isinstance(settings, Mapping):
            raise RecipeError(
                f"settings are a mapping of names to values, {{'pad': 1}}; got {settings!r}."
            )
        data = self.model_dump(mode="json")
        for name, value in settings.items():
            set_by_path(data, name, value)
        return Recipe.parse(data)

    @checked
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

    @property
    def loop(self) -> bool:
        """Whether the first frame follows the last: no pad frames are made."""
        return self.whole is not None and self.whole.loop

    def count_steps(self, transitions: Sequence[int]) -> int:
        """Optimiser steps of these transitions, all octaves; with a stop, the most there can be."""
        rounds = 1 if self.stop is None else self.stop.rounds
        return rounds * sum(
            value_at(octave.steps, t) for octave in self.octaves for t in transitions
        )

    @checked
    def with_losses(self, names: str | Sequence[str]) -> Recipe:
        """Match these losses and no others: a sequence of names, or joined by ``+``, or ``all``.

        A loss that the recipe weighs keeps its schedule; one that it does not gets that of
        its stream's other loss. Without a spatial loss the temporal ones count from the
        first frame on, because there is nothing else to match in it; colours are free, and
        noise that would begin with the target's amplitudes has its colours alone.

        Examples
        --------
        >>> weights = Recipe.preset("default").with_losses("time_texture").weights
        >>> weights.space_texture, weights.time_texture
        ((0.0,), (1.0,))
        """
        if isinstance(names, str):
            names = LOSSES if names == "all" else names.split("+")
        if not isinstance(names, Sequence) or not names:
            raise RecipeError(f"losses are names, such as {list(LOSSES[:2])}; got {names!r}.")
        chosen = tuple(names)
        for name in chosen:
            if name not in LOSSES:
                raise RecipeError(
                    f"there is no loss {name!r}.{guess(name, LOSSES)} Losses, to be joined by +: "
                    f"{', '.join(LOSSES)}; or all."
                )
        alone = not any(name.startswith("space") for name in chosen)
        settings: dict[str, object] = {
            f"weights.{loss}": self.weights.schedule(loss, alone=alone) if loss in chosen else 0
            for loss in LOSSES
        }
        if alone:  # of the target's appearance, which is not matched, the colours alone are left
            settings["weights.colour_moments"] = 0
            if self.start.noise == "scrambled":
                settings["start.noise"] = "matched"
        return self.with_settings(settings)


def list_presets() -> list[str]:
    """Names of the recipes that come with the package."""
    names = (file.name for file in PRESETS.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
