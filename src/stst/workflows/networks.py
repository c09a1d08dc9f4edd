"""The networks whose layers an evaluation compares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stst.errors import RecipeError, WeightsError
from stst.models.pretrained import load_network
from stst.models.recognition import Network
from stst.models.weights import EFFICIENTNET
from stst.workflows.films import named

NONE = "none"


def load_networks(
    names: Sequence[str] | None = None, layers: Sequence[str] | None = None
) -> tuple[list[Network], str]:
    """Load networks by name, and say why there is none, if there is none.

    Parameters
    ----------
    names : sequence of str, optional
        ``"vgg16"``, ``"vgg16=FILE"`` with own weights, ``"timm:NAME"``; ``["none"]`` for none. By
        default the one that works offline, if it is installed.
    layers : sequence of str, optional
        Layers of the one network.

    Returns
    -------
    networks : list of Network
    reason : str
        Empty if there are networks.

    Raises
    ------
    RecipeError
        If names contradict each other.
    WeightsError
        If weights of a network that was named are missing.
    """
    if names and NONE in names:
        if len(names) > 1 or layers:
            raise RecipeError(f"--network {NONE} asks for no network: leave the others out.")
        return [], "no network was asked for (--network none)."
    if layers and names and len(names) > 1:
        raise RecipeError("--layers are those of one network: give --network once.")
    try:
        networks = [_load(name, layers) for name in names or [EFFICIENTNET]]
    except WeightsError as error:
        if names:
            raise
        return [], str(error)
    if len({network.name for network in networks}) < len(networks):
        raise RecipeError("--network names a network twice.")
    return networks, ""


def _load(text: str, layers: Sequence[str] | None) -> Network:
    """``vgg16=FILE`` or a name alone."""
    name, file = named(text, "--network")
    return load_network(name, weights=Path(file) if file else None, layers=layers)
