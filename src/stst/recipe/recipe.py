"""Recipe of a synthesis: all settings that determine the stimulus, as validated data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from stst.errors import RecipeError, guess
from stst.errors.arguments import checked
from stst.recipe.config import FrozenConfig, set_by_path
from stst.recipe.parts import (
    LOSSES,
    QUALITIES,
    Colour,
    Layers,
    Octave,
    Optimiser,
    Start,
    Stop,
    Weights,
    Whole,
    value_at,
)

Distances = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
PRESETS = files("stst") / "recipe" / "presets"


class Recipe(FrozenConfig):
    """All settings that determine a stimulus, except targets, streams and seed.

    Recipes are frozen; `with_settings` returns a changed copy. Where a setting has a value
    from the authors' code, preset ``greco2024`` uses it.

    Parameters
    ----------
    octaves : sequence of Octave
        Resolutions, coarse to fine, at least one.
    weights : Weights, optional
        Weight of each loss.
    layers : Layers, optional
        Layers that each loss matches.
    optimiser : Optimiser, optional
        Update rule.
    stop : Stop or None, default=None
        Stopping rule of an octave. None takes all steps once (authors' code).
    start : Start, optional
        Initial state of each frame.
    colour : Colour, optional
        Colour transfer.
    scaling : {"relative", "raw"}, default="relative"
        ``relative`` divides the error of each layer by the mean square of its target (for
        temporal textures: by the variance), so all layers have similar influence. ``raw``
        (authors' code) lets deep layers dominate.
    equalise : float or None, default=None
        At the start of each octave, rescale each loss to weight times this value, above 0
        (authors' code: 1e4). None keeps the weights.
    variation : {"excess", "absolute"}, default="excess"
        Penalise only total variation above the target's, or all of it (authors' code), which
        also smooths detail that the target has.
    resize : {"source", "successive"}, default="source"
        Resize each octave's target from the source, or from the previous octave (authors'
        code), which blurs the target of the full-size octave (docs/reference/fidelity.md).
    antialias : bool, default=True
        Filter before downsizing. False (authors' code) causes aliasing.
    pad : int, default=2
        Extra frames made before the first kept frame and then dropped, 0 or more. More pad
        frames give the motion more time to build up from noise.
    pad_order : {"mirror", "authors"}, default="mirror"
        Target frames of the pad frames: t_n ... t_1, or t_1 ... t_n (authors' code), which
        causes a jump before t_0.
    field : float or None, default=None
        Largest receptive field of a texture layer, as a fraction of the short side in each
        octave, above 0; the layer with the smallest field is always used. A Gram matrix
        removes layout only if it averages over many positions: layers that see much of the
        frame bring the object back. None uses all layers (authors' code).
    distances : sequence of int, default=(1,)
        Frame distances of the pairs that the temporal stream compares, each 1 or more. (1,)
        is the paper's choice. Larger distances add layers (``energy@4``) that match slower
        changes.
    whole : Whole or None, default=None
        Optimise all frames together. None makes one frame after the other (paper).
    shots : {"each", "first", "ignore", "refuse"}, default="each"
        Handling of cuts in the target. ``each`` makes every shot separately, with its own pad
        frames and start, and joins them. ``first`` makes only the first shot. ``refuse``
        raises an error. ``ignore`` continues across cuts (authors' code).
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Number format of activations during optimisation. ``auto`` uses bfloat16 if the
        hardware multiplies it. Gram matrices, frames and optimiser use float32, and so do
        the reported residuals.

    See Also
    --------
    stst.synthesize : Make a stimulus with a recipe.
    stst.recipe.list_presets : List the presets.

    Examples
    --------
    >>> Recipe(octaves=[{"scale": 0.5, "steps": 40}, {"steps": 20}], pad=1)
    Recipe(octaves=(Octave(scale=0.5, steps=(40,)), Octave(steps=(20,))), pad=1)
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
            raise ValueError("stop needs scaling: relative")
        return self

    @classmethod
    @checked
    def preset(cls, name: str) -> Self:
        """Load a recipe that comes with the package.

        Parameters
        ----------
        name : str
            One of `list_presets`.

        Returns
        -------
        Recipe
            The preset.

        Raises
        ------
        RecipeError
            Unknown name.

        Examples
        --------
        >>> Recipe.preset("default").pad
        4
        """
        known = list_presets()
        if name not in known:
            raise RecipeError(
                f"there is no preset {name!r}.{guess(name, known)} Presets: {', '.join(known)}."
            )
        return cls.parse(yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8")))

    @checked
    def with_settings(self, settings: Mapping[str, object]) -> Recipe:
        """Return a copy with changed settings.

        Parameters
        ----------
        settings : mapping of str to object
            New values by dotted name; numbers address items of a sequence.

        Returns
        -------
        Recipe
            The changed recipe.

        Raises
        ------
        RecipeError
            Unknown name or invalid value.

        Examples
        --------
        >>> recipe = Recipe.preset("default").with_settings({"octaves.0.steps": 10, "pad": 1})
        >>> recipe.octaves[0].steps, recipe.pad
        ((10,), 1)
        """
        if not isinstance(settings, Mapping):
            raise RecipeError(
                f"settings must be a mapping of names to values, {{'pad': 1}}; got {settings!r}."
            )
        data = self.model_dump(mode="json")
        for name, value in settings.items():
            set_by_path(data, name, value)
        return Recipe.parse(data)

    @checked
    def with_quality(self, name: str) -> Recipe:
        """Return a copy with the stopping rule of a quality level.

        Parameters
        ----------
        name : {"draft", "default", "high"}
            Quality: tolerance 0.4, 0.12, or 0.06 with up to 4 rounds.

        Returns
        -------
        Recipe
            The changed recipe.

        Raises
        ------
        RecipeError
            Unknown name, or a recipe with ``scaling: raw``.

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
        """Whether the last frame leads into the first; no pad frames are made then."""
        return self.whole is not None and self.whole.loop

    def count_steps(self, transitions: Sequence[int]) -> int:
        """Count optimiser steps over all octaves.

        Parameters
        ----------
        transitions : sequence of int
            Frames made, from 0, pad frames included.

        Returns
        -------
        int
            Number of steps; with a stopping rule, the maximum.

        Examples
        --------
        >>> Recipe(octaves=[{"steps": 10}, {"steps": 5}]).count_steps(range(3))
        45
        """
        rounds = 1 if self.stop is None else self.stop.rounds
        return rounds * sum(
            value_at(octave.steps, t) for octave in self.octaves for t in transitions
        )

    @checked
    def with_losses(self, names: str | Sequence[str]) -> Recipe:
        """Return a copy that matches only some losses.

        A loss that the recipe uses keeps its weights; any other gets the weights of its stream's
        other loss. Without a spatial loss, the temporal losses apply from the first frame on, as it
        has nothing else to match; colours are not matched, and ``scrambled`` noise becomes
        ``matched``, because it would carry the target's amplitude spectrum.

        Parameters
        ----------
        names : str or sequence of str
            ``space_content``, ``space_texture``, ``time_content``, ``time_texture``; in one text
            joined by ``+``, or ``"all"``.

        Returns
        -------
        Recipe
            The changed recipe.

        Raises
        ------
        RecipeError
            Unknown or no loss.

        Examples
        --------
        >>> weights = Recipe.preset("default").with_losses("time_texture").weights
        >>> weights.space_texture, weights.time_texture
        ((0.0,), (1.0,))
        """
        if isinstance(names, str):
            names = LOSSES if names == "all" else names.split("+")
        if not isinstance(names, Sequence) or not names:
            raise RecipeError(f"losses must be names, such as {list(LOSSES[:2])}; got {names!r}.")
        chosen = tuple(names)
        for name in chosen:
            if name not in LOSSES:
                raise RecipeError(
                    f"there is no loss {name!r}.{guess(name, LOSSES)} Losses, joined by +: "
                    f"{', '.join(LOSSES)}; or all."
                )
        alone = not any(name.startswith("space") for name in chosen)
        settings: dict[str, object] = {
            f"weights.{loss}": self.weights.schedule(loss, alone=alone) if loss in chosen else 0
            for loss in LOSSES
        }
        if alone:  # nothing of the target's appearance may remain, except colours in the noise
            settings["weights.colour_moments"] = 0
            if self.start.noise == "scrambled":
                settings["start.noise"] = "matched"
        return self.with_settings(settings)


def list_presets() -> list[str]:
    """List the recipes that come with the package.

    Returns
    -------
    list of str
        Names for `Recipe.preset`.

    Examples
    --------
    >>> list_presets()
    ['default', 'greco2024']
    """
    names = (file.name for file in PRESETS.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
