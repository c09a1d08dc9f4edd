"""Independent factorisation: the appearance of one clip with the motion of another."""

from __future__ import annotations

from collections.abc import Sequence

from stst.api import synthesize
from stst.losses.objective import StreamCall
from stst.outcome import Synthesis
from stst.recipe import Recipe
from stst.video.frames import Footage


def factorize(
    space: Footage,
    time: Footage,
    *,
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    recipe: str | Recipe = "default",
    seed: int | Sequence[int] = 0,
    device: str = "cpu",
    deterministic: bool = False,
) -> Synthesis:
    """Make a clip that looks like one natural clip and moves like another (paper).

    The spatial losses match `space`, the temporal ones `time`; colours are those of `space`.

    Parameters
    ----------
    space, time : Clip or Film
        Of one length, size and frame rate.
    spatial, temporal, recipe, seed, device, deterministic
        As for `stst.synthesize`.

    Returns
    -------
    Synthesis
        Iterate for events; ``.result()`` for the clip and its residuals.

    Raises
    ------
    FramesError, RecipeError, StreamError, WeightsError
        As `stst.synthesize`, and where the clips differ in form.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import torch
    >>> from stst import Clip
    >>> space, time = (Clip(torch.rand(3, 3, 40, 40), Fraction(25)) for _ in range(2))
    >>> recipe = Recipe(octaves=[{"steps": 2}], pad=1)
    >>> factorize(space, time, spatial="compact", recipe=recipe).result().clip.size
    (40, 40)
    """
    recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
    return synthesize(
        targets(space, time, recipe),
        spatial=spatial,
        temporal=temporal,
        recipe=recipe,
        seed=seed,
        device=device,
        deterministic=deterministic,
    )


def targets(space: Footage, time: Footage, recipe: Recipe) -> dict[str, Footage]:
    """The clip of each loss that the recipe weighs."""
    clips = {"space": space, "time": time}
    return {loss: clips[loss.split("_")[0]] for loss in recipe.weights.weighed}
