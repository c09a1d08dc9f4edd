"""A trained PredNet from a file: the embedded one, the authors', or one's own."""

from __future__ import annotations

from pathlib import Path

import torch

from stst.errors import WeightsError
from stst.evaluate.prednet.network import PredNet
from stst.streams.formats import Shapes, read_shapes, read_weights
from stst.streams.weights import provenance, verify

NAME = "prednet"  # in the catalogue of weights
_DEEPEST, _WIDEST = 8, 1024  # layers, and channels of one, that a file may ask for


def load_prednet(weights: Path | None = None) -> PredNet:
    """Load a PredNet, frozen, on the CPU.

    Parameters
    ----------
    weights : Path, optional
        A ``.safetensors`` file that ``stst prednet train`` wrote, or the ``.h5`` or ``.hdf5`` file
        of the authors' Keras network or of another of its kind, of any stack of layers. None is
        the embedded one: small, trained on generated scenes, not the KITTI network.

    Returns
    -------
    PredNet
        In evaluation mode; its `provenance` tells the file.

    Raises
    ------
    WeightsError
        A file that is missing, damaged, or not of a PredNet.

    Examples
    --------
    >>> load_prednet().provenance.origin
    'embedded'
    """
    file = verify(NAME) if weights is None else Path(weights)
    with torch.inference_mode(False), torch.device("meta"):
        network = PredNet(_stack(file.name, read_shapes(file)))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    network.load_state_dict(read_weights(file, NAME, shapes), assign=True)
    network.provenance = provenance(NAME, file, own=weights is not None)
    return network.eval().requires_grad_(False)


def _stack(file: str, shapes: Shapes) -> tuple[int, ...]:
    """Channels of the layers that a file has kernels for, believed within bounds."""
    stack: list[int] = []
    while shape := shapes.get(f"layer_ahat_{len(stack)}.weight"):
        stack.append(shape[0])
        if len(stack) > _DEEPEST or not 1 <= stack[-1] <= _WIDEST:
            break
    else:
        if len(stack) >= 2 and stack[0] == 3:
            return tuple(stack)
    raise WeightsError(
        f"{file} is no PredNet: wanted kernels layer_ahat_0, layer_ahat_1 ... of 3 channels and "
        f"then of up to {_WIDEST}, at most {_DEEPEST} layers; got {stack or 'none'}."
    )
