"""What is done to make a metamer, as frozen and validated data. No torch here."""

from stst.recipe.config import FrozenConfig, explain, faults, validated
from stst.recipe.recipe import (
    ALL,
    LOSSES,
    PRESETS,
    QUALITIES,
    Colour,
    Layers,
    Octave,
    Optimiser,
    Recipe,
    Start,
    Stop,
    Weights,
    Whole,
    list_presets,
    value_at,
)

__all__ = [
    "ALL",
    "LOSSES",
    "PRESETS",
    "QUALITIES",
    "Colour",
    "FrozenConfig",
    "Layers",
    "Octave",
    "Optimiser",
    "Recipe",
    "Start",
    "Stop",
    "Weights",
    "Whole",
    "explain",
    "faults",
    "list_presets",
    "validated",
    "value_at",
]
