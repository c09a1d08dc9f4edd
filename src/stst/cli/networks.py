"""`--network` and `--layers`: the networks that an evaluation looks into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stst.errors import RecipeError, WeightsError
from stst.models.pretrained import load_network
from stst.models.recognition import Network
from stst.models.weights import EFFICIENTNET
from stst.workflows.films import named

NONE = "none"


def networks_of(names: Sequence[str] | None, layers: str | None) -> tuple[list[Network], str]:
    """Networks that were asked for, and why there is none, if there is none.

    By default the one that works offline, if it is installed.
    """
    if names and NONE in names:
        if len(names) > 1 or layers:
            raise RecipeError(f"--network {NONE} asks for no network: leave the others out.")
        return [], "no network was asked for (--network none)."
    wanted = layers.split(",") if layers else None
    if wanted and names and len(names) > 1:
        raise RecipeError("--layers are those of one network: give --network once.")
    try:
        found = [_load(name, wanted) for name in names or [EFFICIENTNET]]
    except WeightsError as error:
        if names:
            raise
        return [], str(error)
    if len({network.name for network in found}) < len(found):
        raise RecipeError("--network names a network twice.")
    return found, ""


def _load(text: str, layers: Sequence[str] | None) -> Network:
    """``vgg16=FILE`` or a name alone."""
    name, file = named(text, "--network")
    return load_network(name, weights=Path(file) if file else None, layers=layers)
