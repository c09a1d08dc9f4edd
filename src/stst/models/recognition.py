"""Any torch network, looked into by the names of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from stst.errors import StreamError, guess

_TOLD = 40  # names of layers in a message


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
        known = [name for name, _ in self.module.named_modules() if name]
        for layer in self.layers:
            if layer not in known:
                some = ", ".join(known[:_TOLD]) + (" ..." if len(known) > _TOLD else "")
                raise StreamError(
                    f"{self.name} has no layer {layer!r}.{guess(layer, known)} It has: {some}."
                )
        if not self.layers:
            raise StreamError(f"which layers of {self.name}? Name at least one.")
        if any(part.training for part in self.module.modules()):
            raise StreamError(f"{self.name} is in training mode: call its .eval() first.")

    def with_layers(self, layers: Sequence[str]) -> Network:
        """The same network, other layers of it."""
        return replace(self, layers=tuple(layers))

    def label(self, index: int) -> str:
        """The name of a class, or its number."""
        return f"class {index}" if self.labels is None else self.labels[index]


def looked_into(network: Network, frames: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
    """Show a network one window of frames.

    Parameters
    ----------
    network : Network
        On any device.
    frames : Tensor
        (window, 3, H, W), in [0, 1].

    Returns
    -------
    activations : dict
        Layer -> its output, (1, ...), float32, on the CPU: a copy, for what follows may
        overwrite it.
    probabilities : Tensor or None
        (classes,), if the network classifies.
    """
    weight = next(network.module.parameters(), torch.empty(0))
    with _hooked(network) as found, torch.inference_mode():
        output = network.module(network.preprocess(frames).to(weight.device, weight.dtype))
    silent = [name for name in network.layers if name not in found]
    if silent:
        raise StreamError(f"{network.name} does not run {', '.join(silent)}: leave them out.")
    activations = {name: found[name] for name in network.layers}
    if not network.classifies:
        return activations, None
    return activations, _tensor(output).float().softmax(1)[0].cpu()


@contextmanager
def _hooked(network: Network) -> Iterator[dict[str, Tensor]]:
    """Let the layers leave copies of what they put out."""
    found: dict[str, Tensor] = {}
    modules = dict(network.module.named_modules())

    def hook(name: str) -> Callable[[nn.Module, object, object], None]:
        def keep(_: nn.Module, __: object, output: object) -> None:
            found[name] = _tensor(output).detach().to("cpu", torch.float32, copy=True)

        return keep

    handles = [modules[name].register_forward_hook(hook(name)) for name in network.layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _tensor(output: object) -> Tensor:
    """The output itself, or the first of several."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, Tensor):
        raise StreamError(f"a layer put out {type(first).__name__}, not a tensor: leave it out.")
    return first


def network_record(network: Network) -> dict[str, Any]:
    """What the evaluation says of a network."""
    return {
        "name": network.name,
        "note": network.note,
        "sha256": network.sha256,
        "layers": list(network.layers),
        "window": network.window,
        "stride": network.stride,
    }


def matched_notes(matched: Mapping[str, Sequence[str]], networks: Sequence[Network]) -> list[str]:
    """What to say of networks that a stimulus was made with, by the digest of their weights."""
    return [
        f"{network.name} is the network that it was made with. Its layers "
        f"{', '.join(matched[digest])} were matched: what it finds alike is no test"
        for network in networks
        if (digest := network.sha256 or "") in matched
    ]
