"""PredNet: a recurrent network that predicts the next frame from its prediction errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.errors import FramesError, StreamError, WeightsError
from stst.models.layouts import Shapes
from stst.models.readers import read_shapes
from stst.models.weights import Provenance, load_weights, verify

STACK = (3, 48, 96, 192)  # channels per layer, Lotter et al. 2016
_GATES = ("i", "f", "o", "c")  # input, forget and output gates, candidate


@dataclass(frozen=True)
class Layer:
    """State of one layer after a frame.

    Parameters
    ----------
    hidden : Tensor
        Representation, (B, C, h, w).
    cell : Tensor
        Memory, (B, C, h, w).
    error : Tensor
        Prediction error, (B, 2 C, h, w): how much too high, then how much too low.
    """

    hidden: Tensor
    cell: Tensor
    error: Tensor


State = tuple[Layer, ...]  # fine to coarse


class PredNet(nn.Module):
    """Predictive network of Lotter, Kreiman & Cox (2016, arXiv 1605.08104).

    Submodules are named like the layers of the authors' Keras code: ``layer_i_0``,
    ``layer_ahat_0``, ...

    Parameters
    ----------
    stack : sequence of int, default=(3, 48, 96, 192)
        Channels per layer, at least two layers, the first with 3.

    Raises
    ------
    StreamError
        A stack with other layers.

    Examples
    --------
    >>> network = PredNet((3, 8))
    >>> frame = torch.rand(1, 3, 16, 16)
    >>> prediction, state = network(frame, network.start(frame))
    >>> prediction.shape
    torch.Size([1, 3, 16, 16])
    """

    provenance: Provenance | None = None

    def __init__(self, stack: Sequence[int] = STACK) -> None:
        super().__init__()
        self.stack = tuple(stack)
        if len(self.stack) < 2 or self.stack[0] != 3 or min(self.stack) < 1:
            raise StreamError(
                f"stack must have two or more layers, the first with 3 channels; got {stack}."
            )
        for name, (into, out) in convolutions(self.stack).items():
            self.add_module(name, nn.Conv2d(into, out, 3, padding=1))

    @property
    def multiple(self) -> int:
        """Number that the sides of frames must be divisible by, px."""
        return int(2 ** (len(self.stack) - 1))

    def start(self, frame: Tensor) -> State:
        """Return the initial state, all zeros.

        Parameters
        ----------
        frame : Tensor
            First frame, (B, 3, H, W).

        Returns
        -------
        tuple of Layer
            State of each layer, fine to coarse.

        Raises
        ------
        FramesError
            Sides that are not divisible by `multiple`.

        Examples
        --------
        >>> PredNet((3, 8)).start(torch.rand(1, 3, 16, 16))[1].hidden.shape
        torch.Size([1, 8, 8, 8])
        """
        batch, _, height, width = frame.shape
        if height % self.multiple or width % self.multiple:
            raise FramesError(
                f"PredNet with {len(self.stack)} layers needs frames with sides divisible by "
                f"{self.multiple}, got {width} x {height} px. Crop them."
            )

        layers = []
        for depth, channels in enumerate(self.stack):
            zeros = frame.new_zeros(batch, 2 * channels, height >> depth, width >> depth)
            layers.append(Layer(zeros[:, :channels], zeros[:, :channels], zeros))
        return tuple(layers)

    def forward(self, frame: Tensor, state: State) -> tuple[Tensor, State]:
        """Predict a frame from the previous state, then update the state with it.

        Parameters
        ----------
        frame : Tensor
            Actual frame, RGB in [0, 1], (B, 3, H, W).
        state : tuple of Layer
            State after the previous frame.

        Returns
        -------
        prediction : Tensor
            Predicted frame in [0, 1], (B, 3, H, W).
        state : tuple of Layer
            State after the frame.
        """
        memory = self._represent(state)
        layers, target = [], frame
        for depth, (hidden, cell) in enumerate(memory):
            guess = F.relu(self._convolve(f"layer_ahat_{depth}", hidden))
            if depth == 0:
                prediction = guess = guess.clamp(max=1)
            error = torch.cat((F.relu(guess - target), F.relu(target - guess)), 1)
            layers.append(Layer(hidden, cell, error))
            if depth + 1 < len(memory):
                target = F.max_pool2d(F.relu(self._convolve(f"layer_a_{depth}", error)), 2)
        return prediction, tuple(layers)

    def _represent(self, state: State) -> list[tuple[Tensor, Tensor]]:
        """New representation and memory of each layer, computed from coarse to fine."""
        memory: list[tuple[Tensor, Tensor]] = []
        for depth, before in reversed(list(enumerate(state))):
            inputs = [before.hidden, before.error]
            if memory:
                inputs.append(F.interpolate(memory[-1][0], scale_factor=2.0))
            memory.append(self._remember(depth, torch.cat(inputs, 1), before.cell))
        return memory[::-1]

    def _remember(self, depth: int, inputs: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Convolutional LSTM of a layer, its four convolutions combined in one."""
        parts = [self.get_submodule(f"layer_{gate}_{depth}") for gate in _GATES]
        weight, bias = (torch.cat([getattr(p, kind) for p in parts]) for kind in ("weight", "bias"))
        *gates, candidate = F.conv2d(inputs, weight, bias, padding=1).chunk(len(_GATES), 1)
        enter, keep, show = map(hard_sigmoid, gates)
        cell = keep * cell + enter * candidate.tanh()
        return show * cell.tanh(), cell

    def _convolve(self, name: str, x: Tensor) -> Tensor:
        convolved: Tensor = self.get_submodule(name)(x)
        return convolved


def convolutions(stack: Sequence[int]) -> dict[str, tuple[int, int]]:
    """Name the convolutions of a PredNet, with channels in and out."""
    channels_of = {}
    for depth, channels in enumerate(stack):
        above = sum(stack[depth + 1 : depth + 2])  # 0 for the last layer
        for gate in _GATES:
            channels_of[f"layer_{gate}_{depth}"] = (3 * channels + above, channels)
        channels_of[f"layer_ahat_{depth}"] = (channels, channels)
        if above:
            channels_of[f"layer_a_{depth}"] = (2 * channels, above)
    return channels_of


def hard_sigmoid(x: Tensor) -> Tensor:
    """Apply Keras' hard sigmoid, with slope 0.2 (torch's has 1 / 6)."""
    return (0.2 * x + 0.5).clamp(0, 1)


def follow(network: PredNet, frames: Iterable[Tensor]) -> Iterator[tuple[Tensor, State]]:
    """Run through frames in time.

    Parameters
    ----------
    network : PredNet
        Network.
    frames : iterable of Tensor
        Frames, RGB in [0, 1], each (B, 3, H, W).

    Yields
    ------
    prediction : Tensor
        Prediction of each frame, (B, 3, H, W).
    state : tuple of Layer
        State after it.

    Examples
    --------
    >>> frames = torch.rand(4, 1, 3, 16, 16)
    >>> len([prediction for prediction, _ in follow(PredNet((3, 8)), frames)])
    4
    """
    state: State | None = None
    for frame in frames:
        prediction, state = network(frame, state or network.start(frame))
        yield prediction, state


NAME = "prednet"  # in the catalogue of weights
_DEEPEST, _WIDEST = 8, 1024  # most layers, and channels per layer, accepted from a file


def load_prednet(weights: Path | None = None) -> PredNet:
    """Load a trained PredNet, frozen, on the CPU.

    Parameters
    ----------
    weights : Path, optional
        ``.safetensors`` file of ``stst prednet train``, or ``.h5`` or ``.hdf5`` file of the
        authors' Keras code, with any stack. None loads the embedded network, which is small
        and trained on generated scenes; it is not the KITTI network.

    Returns
    -------
    PredNet
        Network in evaluation mode; `provenance` describes the file.

    Raises
    ------
    WeightsError
        A file that is missing, damaged or not a PredNet.

    Examples
    --------
    >>> load_prednet().provenance.origin
    'embedded'
    """
    file = verify(NAME) if weights is None else Path(weights)
    with torch.inference_mode(False), torch.device("meta"):
        network = PredNet(_stack(file.name, read_shapes(file)))
    network.provenance = load_weights(NAME, network, weights)
    return network.eval().requires_grad_(False)


def _stack(file: str, shapes: Shapes) -> tuple[int, ...]:
    """Channels of the layers in a file, within bounds."""
    kernels = (shapes.get(f"layer_ahat_{depth}.weight") for depth in range(_DEEPEST + 1))
    stack = [kernel[0] for kernel in takewhile(bool, kernels) if kernel]
    if 2 <= len(stack) <= _DEEPEST and stack[0] == 3 and 1 <= min(stack) <= max(stack) <= _WIDEST:
        return tuple(stack)
    raise WeightsError(
        f"{file} is not a PredNet: expected kernels layer_ahat_0, layer_ahat_1 ... with 3 channels "
        f"and then up to {_WIDEST}, at most {_DEEPEST} layers; got {stack or 'none'}."
    )
