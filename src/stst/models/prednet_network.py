"""PredNet: a recurrent network that predicts the next frame from its errors on the last ones."""

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

STACK = (3, 48, 96, 192)  # channels of the layers, Lotter et al. 2016
_GATES = ("i", "f", "o", "c")  # input, forget and output gates, and the candidate


@dataclass(frozen=True)
class Layer:
    """What a layer knows after a frame."""

    hidden: Tensor  # (B, C, h, w), its representation
    cell: Tensor  # (B, C, h, w), its memory
    error: Tensor  # (B, 2 C, h, w): how much too high the prediction was, then how much too low


State = tuple[Layer, ...]  # fine to coarse


class PredNet(nn.Module):
    """The network of Lotter, Kreiman & Cox 2016 (arXiv 1605.08104), of any stack of channels.

    Modules have the names of the authors' Keras layers: ``layer_i_0``, ``layer_ahat_0``, ...
    """

    provenance: Provenance | None = None

    def __init__(self, stack: Sequence[int] = STACK) -> None:
        super().__init__()
        self.stack = tuple(stack)
        if len(self.stack) < 2 or self.stack[0] != 3 or min(self.stack) < 1:
            raise StreamError(f"a stack is of two or more layers, the first of 3; got {stack}.")
        for name, (into, out) in convolutions(self.stack).items():
            self.add_module(name, nn.Conv2d(into, out, 3, padding=1))

    @property
    def multiple(self) -> int:
        """What the sides of frames must be divisible by, px."""
        return int(2 ** (len(self.stack) - 1))

    def start(self, frame: Tensor) -> State:
        """Know nothing yet: zeros, for a frame (B, 3, H, W)."""
        batch, _, height, width = frame.shape
        if height % self.multiple or width % self.multiple:
            raise FramesError(
                f"PredNet of {len(self.stack)} layers takes frames whose sides are divisible by "
                f"{self.multiple}, got {width} x {height} px. Crop them."
            )

        layers = []
        for depth, channels in enumerate(self.stack):
            zeros = frame.new_zeros(batch, 2 * channels, height >> depth, width >> depth)
            layers.append(Layer(zeros[:, :channels], zeros[:, :channels], zeros))
        return tuple(layers)

    def forward(self, frame: Tensor, state: State) -> tuple[Tensor, State]:
        """Predict a frame (B, 3, H, W) in [0, 1] from the state before it, then see it."""
        memory = self._represent(state)
        layers, seen = [], frame
        for depth, (hidden, cell) in enumerate(memory):
            guess = F.relu(self._convolve(f"layer_ahat_{depth}", hidden))
            if depth == 0:
                prediction = guess = guess.clamp(max=1)
            error = torch.cat((F.relu(guess - seen), F.relu(seen - guess)), 1)
            layers.append(Layer(hidden, cell, error))
            if depth + 1 < len(memory):
                seen = F.max_pool2d(F.relu(self._convolve(f"layer_a_{depth}", error)), 2)
        return prediction, tuple(layers)

    def _represent(self, state: State) -> list[tuple[Tensor, Tensor]]:
        """New representation and memory of each layer, computed from the coarsest on."""
        memory: list[tuple[Tensor, Tensor]] = []
        for depth, before in reversed(list(enumerate(state))):
            inputs = [before.hidden, before.error]
            if memory:
                inputs.append(F.interpolate(memory[-1][0], scale_factor=2.0))
            memory.append(self._remember(depth, torch.cat(inputs, 1), before.cell))
        return memory[::-1]

    def _remember(self, depth: int, inputs: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The convolutional LSTM of a layer, its four convolutions made in one."""
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
    """Name each convolution of a PredNet, with its channels in and out."""
    channels_of = {}
    for depth, channels in enumerate(stack):
        above = sum(stack[depth + 1 : depth + 2])  # nothing is above the last
        for gate in _GATES:
            channels_of[f"layer_{gate}_{depth}"] = (3 * channels + above, channels)
        channels_of[f"layer_ahat_{depth}"] = (channels, channels)
        if above:
            channels_of[f"layer_a_{depth}"] = (2 * channels, above)
    return channels_of


def hard_sigmoid(x: Tensor) -> Tensor:
    """Keras' gate, of slope 0.2; that of torch has a slope of 1 / 6."""
    return (0.2 * x + 0.5).clamp(0, 1)


def follow(network: PredNet, frames: Iterable[Tensor]) -> Iterator[tuple[Tensor, State]]:
    """Go through frames (B, 3, H, W) in time: each one's prediction, and the state after it."""
    state: State | None = None
    for frame in frames:
        prediction, state = network(frame, state or network.start(frame))
        yield prediction, state


NAME = "prednet"  # in the catalogue of weights
_DEEPEST, _WIDEST = 8, 1024  # layers, and channels of one, that a file may ask for


def load_prednet(weights: Path | None = None) -> PredNet:
    """Load a PredNet, frozen, on the CPU.

    `weights` is a ``.safetensors`` file that ``stst prednet train`` wrote, or the ``.h5`` or
    ``.hdf5`` file of the authors' Keras network or of another of its kind, of any stack of layers.
    None is the embedded one: small, trained on generated scenes, not the KITTI network. Its
    `provenance` tells the file. `WeightsError` for one that is missing, damaged, or no PredNet.
    """
    file = verify(NAME) if weights is None else Path(weights)
    with torch.inference_mode(False), torch.device("meta"):
        network = PredNet(_stack(file.name, read_shapes(file)))
    network.provenance = load_weights(NAME, network, weights)
    return network.eval().requires_grad_(False)


def _stack(file: str, shapes: Shapes) -> tuple[int, ...]:
    """Channels of the layers that a file has kernels for, believed within bounds."""
    kernels = (shapes.get(f"layer_ahat_{depth}.weight") for depth in range(_DEEPEST + 1))
    stack = [kernel[0] for kernel in takewhile(bool, kernels) if kernel]
    if 2 <= len(stack) <= _DEEPEST and stack[0] == 3 and 1 <= min(stack) <= max(stack) <= _WIDEST:
        return tuple(stack)
    raise WeightsError(
        f"{file} is no PredNet: wanted kernels layer_ahat_0, layer_ahat_1 ... of 3 channels and "
        f"then of up to {_WIDEST}, at most {_DEEPEST} layers; got {stack or 'none'}."
    )
