"""The weights that a training begins with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stst.evaluate.prednet.network import PredNet

_OPEN = 2.4  # bias of a gate: it lets 0.98 pass, and still has a slope
_GAIN = 2.0  # of the lowest prediction over its representation, which is below 1
_STEP = 0.57  # of an error in the memory: leaves a seventh of it at most, by the slope of tanh
_OTHERS = 0.2  # share of the usual spread, for the other weights of the lowest layer


def started(stack: Sequence[int], seed: int) -> PredNet:
    """A network that repeats the previous frame, nearly, and is random above (our choice).

    Glorot's uniform weights, as Keras has, but in the lowest layer: there an error moves the
    memory of its own pixel and colour so that the next prediction is about what was seen. From
    there a training has motion alone to learn.

    Examples
    --------
    >>> from stst.evaluate.prednet.network import follow
    >>> frames = torch.full((3, 1, 3, 8, 8), 0.5)
    >>> guesses = [guess.mean().item() for guess, _ in follow(started((3, 4), 0), frames)]
    >>> [abs(guess - 0.5) < 0.1 for guess in guesses]
    [False, True, True]
    """
    with torch.device("meta"):  # without a draw from the caller's generator
        network = PredNet(stack)
    network.to_empty(device="cpu")
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim == 1:
                weight.zero_()
            else:
                nn.init.xavier_uniform_(weight, generator=dice)
                weight.mul_(_OTHERS if name.split(".")[0].endswith("_0") else 1)
        for gate in "ifo":
            network.get_parameter(f"layer_{gate}_0.bias").fill_(_OPEN)
        _tap(network, "layer_ahat_0", 0, _GAIN)
        _tap(network, "layer_c_0", 3, -_STEP)  # too high
        _tap(network, "layer_c_0", 6, _STEP)  # too low
    return network


def _tap(network: PredNet, name: str, first: int, value: float) -> None:
    """Add a value to the middle of the kernels from each of three inputs to its own output."""
    kernels: Tensor = network.get_parameter(f"{name}.weight")
    for colour in range(3):
        kernels[colour, first + colour, 1, 1] += value
