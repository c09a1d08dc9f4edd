"""Any torch network, looked into by the names of its layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from stst.errors import StreamError, guess

_LISTED = 40  # names of layers in a message
SAME = 1e-5  # of the largest value: what rounding may change when a network is asked again


@dataclass(frozen=True, eq=False)
class Network:
    """A network, its layers, and how it is shown frames.

    Parameters
    ----------
    name : str
        What it is called in tables.
    module : torch.nn.Module
        In evaluation mode; called with what `preprocess` makes.
    layers : sequence of str
        Names of submodules, as ``module.named_modules()`` has them, in order of depth. Their
        outputs are looked at; of one that runs more than once, the last.
    preprocess : callable
        (window, 3, H, W) in [0, 1] -> the module's input, a batch of one.
    window, stride : int
        Frames that are shown together, and how far apart windows begin: 1 for images.
    channels_last : bool
        Whether layers put out (1, ..., channels) rather than (1, channels, ...). Outputs of three
        axes are taken for (1, tokens, channels) in any case.
    classifies : bool
        Whether its output is (1, classes), of which the softmax gives probabilities.
    labels : sequence of str, optional
        Names of the classes; without, their numbers stand for them.
    sha256 : str, optional
        Of its weights file.
    note : str
        What a reader of its numbers should know.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)).eval()
    >>> network = Network("mine", module, ["0", "1"], lambda frames: frames)
    >>> activations, _ = looked_into(network, torch.rand(1, 3, 8, 8))
    >>> activations["1"].shape
    torch.Size([1, 4, 6, 6])
    """

    name: str
    module: nn.Module
    layers: Sequence[str]
    preprocess: Callable[[Tensor], Tensor]
    window: int = 1
    stride: int = 1
    channels_last: bool = False
    classifies: bool = False
    labels: Sequence[str] | None = None
    sha256: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        check_module(self.name, self.module, self.layers)

    def with_layers(self, layers: Sequence[str]) -> Network:
        """The same network, other layers of it."""
        return replace(self, layers=tuple(layers))

    def label(self, index: int) -> str:
        """The name of a class, or its number."""
        return f"class {index}" if self.labels is None else self.labels[index]


def check_module(name: str, module: nn.Module, layers: Sequence[str]) -> None:
    """Refuse layers that a network does not have, and training mode: `StreamError`."""
    if not isinstance(module, nn.Module):
        raise StreamError(f"{name}: wanted a torch.nn.Module, got {type(module).__name__}.")
    known = [name for name, _ in module.named_modules() if name]
    if isinstance(layers, str) or not isinstance(layers, Collection) or not len(layers):
        raise StreamError(
            f"{name}: layers must be names such as {known[:2]}, at least one; got {layers!r}."
        )
    for layer in layers:
        if layer not in known:
            listed = ", ".join(known[:_LISTED]) + (" ..." if len(known) > _LISTED else "")
            raise StreamError(
                f"{name} has no layer {layer!r}.{guess(layer, known)} It has: {listed}."
            )
    training = [type(part).__name__ for part in module.modules() if part.training]
    if training:
        raise StreamError(
            f"{name} is in training mode ({', '.join(dict.fromkeys(training))}), in which "
            "dropout is random and batch norm depends on the batch: call its .eval() first."
        )


@contextmanager
def record_layers(
    module: nn.Module, layers: Sequence[str], keep: Callable[[str, object], Tensor]
) -> Iterator[dict[str, Tensor]]:
    """Let layers record what `keep` makes of names and outputs; `StreamError` if one is idle."""
    activations: dict[str, Tensor] = {}

    def hook(name: str, _: nn.Module, __: object, output: object) -> None:
        activations[name] = keep(name, output)

    handles = [
        module.get_submodule(name).register_forward_hook(partial(hook, name)) for name in layers
    ]
    try:
        yield activations
    finally:
        for handle in handles:
            handle.remove()
    if silent := [name for name in layers if name not in activations]:
        raise StreamError(f"the network does not run {', '.join(silent)}: leave them out.")


def looked_into(network: Network, frames: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
    """Show a network, on any device, one window of frames: (window, 3, H, W), in [0, 1].

    Gives {layer: (1, ...)}, float32 on the CPU, and, if it classifies, probabilities (classes,).
    """
    weight = next(network.module.parameters(), torch.empty(0))
    module = network.module
    check_module(network.name, module, network.layers)  # it may have been trained since
    with torch.inference_mode(), record_layers(module, network.layers, _copy) as recorded:
        output = module(network.preprocess(frames.clone()).to(weight.device, weight.dtype))
    activations = {name: recorded[name] for name in network.layers}
    if not network.classifies:
        return activations, None
    return activations, _first(output).float().softmax(1)[0].cpu()


def check_repeats(network: Network, frames: Tensor) -> None:
    """Refuse a network that answers otherwise when it is asked again, or not in finite numbers."""
    first, again = (looked_into(network, frames)[0] for _ in range(2))
    for name, value in first.items():
        if not bool(value.isfinite().all()):
            raise StreamError(
                f"{network.name}: layer {name!r} puts out values that are not finite. Look at its "
                "weights and at what `preprocess` makes of frames in [0, 1]."
            )
        if (value - again[name]).abs().max() > SAME * value.abs().max():
            raise StreamError(
                f"{network.name}: layer {name!r} puts out something else when it is shown the same "
                "frames again: such layers cannot be compared. Remove what is random."
            )


def _copy(_: str, output: object) -> Tensor:
    """A copy, because the layer that follows may overwrite the output."""
    return _first(output).detach().to("cpu", torch.float32, copy=True)


def _first(output: object) -> Tensor:
    """The output itself, or the first of several."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, Tensor):
        raise StreamError(f"a layer put out {type(first).__name__}, not a tensor: leave it out.")
    return first


def network_record(network: Network) -> dict[str, Any]:
    """What the evaluation says of a network."""
    names = ("name", "note", "sha256", "layers", "window", "stride")
    return {name: getattr(network, name) for name in names} | {"layers": list(network.layers)}


def matched_notes(matched: Mapping[str, Sequence[str]], networks: Sequence[Network]) -> list[str]:
    """What to say of networks that a stimulus was made with, by the digest of their weights."""
    return [
        f"{network.name} is the network that it was made with. Its layers "
        f"{', '.join(matched[digest])} were matched: what it finds alike is no test"
        for network in networks
        if (digest := network.sha256 or "") in matched
    ]
