"""The design of an ablation: the recipe of each cell, by the levels of its factors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from stst.errors import RecipeError, guess
from stst.recipe.recipe import Recipe, value_at

WITHOUT, NOTHING = "without", "nothing"  # the factor of a one-at-a-time design, and its reference
_LONGEST = 60  # of a folder's name, before the fingerprint

Settings = dict[str, object]


def _one_octave(recipe: Recipe) -> Settings:
    """As many steps of a frame, all of them in the last octave."""
    octaves = recipe.octaves
    frames = range(max(len(octave.steps) for octave in octaves))
    steps = [sum(value_at(octave.steps, frame) for octave in octaves) for frame in frames]
    return {"octaves": [octaves[-1].model_dump() | {"steps": steps}]}


# The preconditioning steps of the paper, and the settings that leave each out (our choice).
STEPS: dict[str, Callable[[Recipe], Settings]] = {
    "multiscale": _one_octave,
    "total_variation": lambda _: {"weights.total_variation": 0},
    "colour": lambda _: {"colour.after": "never"},
    "blend": lambda _: {"start.blend": 0},
}


@dataclass(frozen=True)
class Cell:
    """One recipe of an ablation."""

    factors: Mapping[str, object]  # name of each factor and its level here
    recipe: Recipe  # what these levels make of the ablation's recipe

    @property
    def label(self) -> str:
        """The levels in a line: ``without=blend, pad=2``."""
        return ", ".join(f"{name}={level_text(level)}" for name, level in self.factors.items())

    @property
    def folder(self) -> str:
        """The label as the name of a folder, of which no two cells have the same."""
        plain = self.label.replace(", ", ",")
        name = re.sub(r"[^\w.=,+-]+", "-", plain)[:_LONGEST]
        return name if name == plain else f"{name}-{self.recipe.fingerprint[:8]}"


def level_text(level: object) -> str:
    """A level as it is written on the command line.

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
    """The cells of an ablation: a full grid of what varies, and steps left out in turn.

    `vary` has the levels of each factor, each combined with all of the others. A factor is a
    setting by its dotted name, or one of the `STEPS` with the levels True and False. Of the steps
    to `leave_out` (``("all",)``: all `STEPS`) each is left out alone, beside a cell that has all of
    them: one more factor, ``without``. Two cells may not have the same recipe.

    >>> cells = design(Recipe.preset("default"), vary={"pad": [2, 4]}, leave_out=["blend"])
    >>> [cell.label for cell in cells]
    ['pad=2, without=nothing', 'pad=2, without=blend', 'pad=4, without=nothing', \
'pad=4, without=blend']
    """
    factors = dict(vary or {})
    if leave_out:
        factors[WITHOUT] = (NOTHING, *(STEPS if tuple(leave_out) == ("all",) else leave_out))
    if not all(factors.values()) or not factors:
        raise RecipeError(
            "an ablation needs something that varies: settings with their levels "
            "(--vary pad=2,4), or preconditioning steps to leave out (--leave-out all)."
        )
    levels = [dict(zip(factors, chosen, strict=True)) for chosen in product(*factors.values())]
    cells = tuple(Cell(chosen, _changed(recipe, chosen)) for chosen in levels)
    for one, other in combinations(cells, 2):
        if one.recipe == other.recipe:
            raise RecipeError(
                f"{one.label} and {other.label} are the same recipe: the level changes nothing, or "
                "the recipe has no such step to leave out. Drop one of them."
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
