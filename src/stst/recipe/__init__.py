"""What is done to make a metamer, as frozen and validated data. No torch here."""

from stst.recipe.dotted import explain, faults, validated
from stst.recipe.parts import (
    ALL,
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
    at,
)
from stst.recipe.recipe import PRESETS, Recipe, list_presets

__all__ = [
    "ALL",
    "LOSSES",
    "PRESETS",
    "QUALITIES",
    "Colour",
    "Layers",
    "Octave",
    "Optimiser",
    "Part",
    "Recipe",
    "Start",
    "Stop",
    "Weights",
    "Whole",
    "at",
    "explain",
    "faults",
    "list_presets",
    "validated",
]
