"""An ablation: metamers by recipes that differ in chosen settings, and what comes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from stst.errors import StstError
from stst.losses.objective import StreamCall
from stst.metrics.outcomes import Features, Measure, against
from stst.recipe import Recipe
from stst.recipe.design import Cell, design, level_text
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Footage

Made = tuple[Footage, Mapping[str, float]]  # and the mean residual of each layer
Maker = Callable[[Cell, int], Made]


@dataclass(frozen=True, eq=False)
class Finding:
    """One metamer of an ablation and what was measured of it.

    Parameters
    ----------
    cell : Cell
        Its recipe, and the levels of the factors.
    seed : int
        Of its noise.
    film : Clip or Film, or None
        The metamer; None if it could not be made.
    outcomes : dict of str to float
        ``residual_LOSS`` for each matched loss, mean of its layers and of frames, and
        `stst.metrics.outcomes.OUTCOMES`. Empty if it could not be made.
    error : str
        Why it could not be made.
    """

    cell: Cell
    seed: int
    film: Footage | None = None
    outcomes: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """All but the film, as plain data."""
        return {
            "factors": {name: level_text(level) for name, level in self.cell.factors.items()},
            "seed": self.seed,
            "recipe": self.cell.recipe.fingerprint,
            "outcomes": dict(self.outcomes),
            "error": self.error,
        }


def ablate(
    target: Footage,
    *,
    vary: Mapping[str, Sequence[object]] | None = None,
    leave_out: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    recipe: str | Recipe = "default",
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    device: str = "cpu",
    features: Features | None = None,
) -> Iterator[Finding]:
    """Make metamers of a natural clip by recipes that differ, and measure each.

    Parameters
    ----------
    target : Clip or Film
        The natural clip.
    vary, leave_out
        What differs: see `stst.recipe.design.design`.
    seeds : sequence of int
        Each recipe is given every one of them.
    recipe : str or Recipe
        The one that is changed.
    spatial, temporal, device
        As for `stst.synthesize`.
    features : callable, optional
        As for `stst.metrics.outcomes.against`.

    Returns
    -------
    iterator of Finding
        One at a time, made when it is asked for. One that cannot be made has an ``error``,
        and the others go on.

    Raises
    ------
    RecipeError
        At once, if the design cannot be.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import torch
    >>> from stst import Clip
    >>> natural = Clip(torch.rand(2, 3, 40, 40), Fraction(25))
    >>> recipe = Recipe(octaves=[{"steps": 1}], pad=1)
    >>> run = ablate(natural, leave_out=["blend"], spatial="compact", recipe=recipe)
    >>> [finding.cell.label for finding in run]
    ['without=nothing', 'without=blend']
    """
    base = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
    cells = design(base, vary=vary, leave_out=leave_out)

    def make(cell: Cell, seed: int) -> Made:
        recipe = cell.recipe
        result = synthesize(
            target, spatial=spatial, temporal=temporal, recipe=recipe, seed=seed, device=device
        ).result()
        return result.films[0], {n: float(np.nanmean(v[0])) for n, v in result.residuals.items()}

    return findings(cells, seeds, make, against(target, features))


def findings(
    cells: Sequence[Cell], seeds: Sequence[int], make: Maker, measure: Measure
) -> Iterator[Finding]:
    """Make and measure the metamer of each cell with each seed, whatever becomes of others."""
    for cell, seed in product(cells, seeds):
        try:
            film, residuals = make(cell, seed)
            outcomes = _by_loss(residuals) | measure(film)
        # What does not fit into memory, or has no kernel, is an error of torch.
        except (StstError, RuntimeError, MemoryError) as error:
            yield Finding(cell, seed, error=" ".join(str(error).split()) or type(error).__name__)
        else:
            yield Finding(cell, seed, film, outcomes)


def _by_loss(residuals: Mapping[str, float]) -> dict[str, float]:
    """Mean of the layers of each loss: ``{"space_texture/block1_conv1": 0.1}``."""
    losses = dict.fromkeys(layer.split("/")[0] for layer in residuals)
    return {
        f"residual_{loss}": float(
            np.mean([v for layer, v in residuals.items() if layer.startswith(f"{loss}/")])
        )
        for loss in losses
    }
