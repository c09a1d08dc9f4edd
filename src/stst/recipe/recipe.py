"""What is done to make a metamer, as frozen and validated data. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from stst.errors import RecipeError, guess
from stst.recipe.dotted import place
from stst.recipe.parts import (
    LOSSES,
    QUALITIES,
    Colour,
    Layers,
    Octave,
    Optimiser,
    Part,
    Start,
    Stop,
    Weights,
    Whole,
)

Distances = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
PRESETS = files("stst") / "recipe" / "presets"


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
    def preset(cls, name: str) -> Self:
        """A named recipe: one of `list_presets`."""
        known = list_presets()
        if name not in known:
            raise RecipeError(
                f"there is no preset {name!r}.{guess(name, known)} Presets: {', '.join(known)}."
            )
        return cls.parse(yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8")))

    def with_settings(self, settings: Mapping[str, object]) -> Recipe:
        """Change settings by dotted name: ``{"octaves.0.steps": 10, "pad": 1}``."""
        if not isinstance(settings, Mapping):
            raise RecipeError(
                f"settings are a mapping of names to values, {{'pad': 1}}; got {settings!r}."
            )
        data = self.model_dump(mode="json")
        for name, value in settings.items():
            place(data, name, value)
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

    @property
    def loop(self) -> bool:
        """Whether the first frame follows the last: no pad frames are made."""
        return self.whole is not None and self.whole.loop

    @property
    def _colours_alone(self) -> dict[str, object]:
        """What of the target's appearance is left, in settings, if none is matched."""
        scrambled = self.start.noise == "scrambled"
        noise = {"start.noise": "matched"} if scrambled else {}
        return {"weights.colour_moments": 0, **noise}

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
        return self.with_settings(
            {
                f"weights.{loss}": self.weights.schedule(loss, alone=alone) if loss in chosen else 0
                for loss in LOSSES
            }
            | (self._colours_alone if alone else {})
        )


def list_presets() -> list[str]:
    """Names of the recipes that come with the package."""
    names = (file.name for file in PRESETS.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
