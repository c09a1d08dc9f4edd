"""Design of an ablation: one recipe for each combination of factor levels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from stst.errors import RecipeError, guess
from stst.recipe.parts import value_at
from stst.recipe.recipe import Recipe

WITHOUT, NOTHING = "without", "nothing"  # factor of a leave-one-out design; its reference level
_LONGEST = 60  # characters of a folder name before the fingerprint

Settings = dict[str, object]


def _one_octave(recipe: Recipe) -> Settings:
    """Settings with the same number of steps per frame, all in the last octave."""
    octaves = recipe.octaves
    frames = range(max(len(octave.steps) for octave in octaves))
    steps = [sum(value_at(octave.steps, frame) for octave in octaves) for frame in frames]
    return {"octaves": [octaves[-1].model_dump() | {"steps": steps}]}


# Preconditioning steps of the paper, and the settings that remove each (our choice).
STEPS: dict[str, Callable[[Recipe], Settings]] = {
    "multiscale": _one_octave,
    "total_variation": lambda _: {"weights.total_variation": 0},
    "colour": lambda _: {"colour.after": "never"},
    "blend": lambda _: {"start.blend": 0},
}


@dataclass(frozen=True)
class Cell:
    """One recipe of an ablation.

    Parameters
    ----------
    factors : mapping of str to object
        Level of each factor in this cell, by the factor's name.
    recipe : Recipe
        The recipe with these levels.
    """

    factors: Mapping[str, object]
    recipe: Recipe

    @property
    def label(self) -> str:
        """Levels in one line, for example ``without=blend, pad=2``."""
        return ", ".join(f"{name}={level_text(level)}" for name, level in self.factors.items())

    @property
    def folder(self) -> str:
        """Folder name made from the label, different for every cell."""
        plain = self.label.replace(", ", ",")
        name = re.sub(r"[^\w.=,+-]+", "-", plain)[:_LONGEST]
        return name if name == plain else f"{name}-{self.recipe.fingerprint[:8]}"


def level_text(level: object) -> str:
    """Write a level as on the command line.

    >>> [level_text(level) for level in (True, "adam", 0.5, ["block1_conv1", "block2_conv1"])]
    ['on', 'adam', '0.5', '["block1_conv1","block2_conv1"]']
    """
    if isinstance(level, bool):
        return "on" if level else "off"
    return level if isinstance(level, str) else json.dumps(level, separators=(",", ":"))


def design(
    recipe: Recipe,
    *,
    vary: Mapping[str, Sequence[object]] | None = None,
    leave_out: Sequence[str] = (),
) -> tuple[Cell, ...]:
    """Build the cells of an ablation: a full factorial grid, plus steps left out in turn.

    Parameters
    ----------
    recipe : Recipe
        Recipe that the cells start from.
    vary : mapping of str to sequence, optional
        Levels of each factor; all combinations are made. A factor is the dotted name of a
        setting, or a preconditioning step (``multiscale``, ``total_variation``, ``colour``,
        ``blend``) with the levels True and False.
    leave_out : sequence of str, default=()
        Preconditioning steps; each is left out alone, next to a cell with all of them.
        ``("all",)`` takes all four. Adds a factor named ``without``.

    Returns
    -------
    tuple of Cell
        Cells with distinct recipes.

    Raises
    ------
    RecipeError
        Nothing varies, a name is unknown, or two cells have the same recipe.

    Examples
    --------
    >>> cells = design(Recipe.preset("default"), vary={"pad": [2, 4]}, leave_out=["blend"])
    >>> for cell in cells:
    ...     print(cell.label)
    pad=2, without=nothing
    pad=2, without=blend
    pad=4, without=nothing
    pad=4, without=blend
    """
    factors = dict(vary or {})
    if leave_out:
        factors[WITHOUT] = (NOTHING, *(STEPS if tuple(leave_out) == ("all",) else leave_out))
    if not all(factors.values()) or not factors:
        raise RecipeError(
            "an ablation needs at least one factor. Give settings with levels (--vary pad=2,4) "
            "or preconditioning steps to leave out (--leave-out all)."
        )
    levels = [dict(zip(factors, chosen, strict=True)) for chosen in product(*factors.values())]
    cells = tuple(Cell(chosen, _changed(recipe, chosen)) for chosen in levels)
    for first, second in combinations(cells, 2):
        if first.recipe == second.recipe:
            raise RecipeError(
                f"{first.label} and {second.label} are the same recipe: the level changes "
                "nothing, or the recipe does not use this step. Remove one of them."
            )
    return cells


def _changed(recipe: Recipe, levels: Mapping[str, object]) -> Recipe:
    for name, level in levels.items():
        settings: Settings = {name: level}
        if name == WITHOUT:
            if level not in (NOTHING, *STEPS):
                raise RecipeError(
                    f"there is no preconditioning step {level!r}.{guess(str(level), STEPS)} Steps: "
                    f"{', '.join(STEPS)}; or all."
                )
            settings = {} if level == NOTHING else STEPS[str(level)](recipe)
        elif name in STEPS and level in (True, False):
            settings = {} if level else STEPS[name](recipe)
        recipe = recipe.with_settings(settings)
    return recipe
