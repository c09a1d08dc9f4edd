"""Activations of any torch network, by the names of its layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from stst.errors import StreamError, guess

_LISTED = 40  # layer names shown in a message
SAME = 1e-5  # of the largest value: rounding allowed between two runs of a network


@dataclass(frozen=True, eq=False)
class Network:
    """A network to evaluate: its layers and how frames are shown to it.

    Parameters
    ----------
    name : str
        Name in tables.
    module : torch.nn.Module
        Network in evaluation mode; called with the output of `preprocess`.
    layers : sequence of str
        Submodules to evaluate, named as in ``module.named_modules()``, in order of depth. If
        one runs several times, its last output counts.
    preprocess : callable
        Maps frames in [0, 1], (window, 3, H, W), to the network's input, a batch of one.
    window : int, default=1
        Frames shown together; 1 for images.
    stride : int, default=1
        Frames between the starts of successive windows.
    channels_last : bool, default=False
        Whether layers return (1, ..., channels) instead of (1, channels, ...). Outputs with
        three axes are always read as (1, tokens, channels).
    classifies : bool, default=False
        Whether the output is (1, classes), from which a softmax gives probabilities.
    labels : sequence of str, optional
        Names of the classes. By default their numbers.
    sha256 : str, optional
        SHA-256 of the weights file.
    note : str, default=""
        Remark for readers of the results.

    Raises
    ------
    StreamError
        A network in training mode, or layers that it does not have.

    See Also
    --------
    load_network : Load a network by name.

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
        """Return the same network with other layers.

        Parameters
        ----------
        layers : sequence of str
            Submodules to evaluate.

        Returns
        -------
        Network
            The changed network.

        Raises
        ------
        StreamError
            A layer that the network does not have.

        Examples
        --------
        >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
        >>> Network("mine", module, ["0"], lambda frames: frames).with_layers(["1"]).layers
        ('1',)
        """
        return replace(self, layers=tuple(layers))

    def label(self, index: int) -> str:
        """Return the name of a class, or its number.

        Parameters
        ----------
        index : int
            Index of the class, from 0.

        Returns
        -------
        str
            Name, or ``"class N"``.

        Examples
        --------
        >>> network = Network("mine", nn.Sequential(nn.ReLU()).eval(), ["0"], lambda frames: frames)
        >>> network.label(3)
        'class 3'
        """
        return f"class {index}" if self.labels is None else self.labels[index]


def check_module(name: str, module: nn.Module, layers: Sequence[str]) -> None:
    """Raise `StreamError` if a network lacks a layer or is in training mode."""
    if not isinstance(module, nn.Module):
        raise StreamError(f"{name} must be a torch.nn.Module, got {type(module).__name__}.")
    known = [name for name, _ in module.named_modules() if name]
    if isinstance(layers, str) or not isinstance(layers, Collection) or not len(layers):
        raise StreamError(
            f"{name}: layers must be names such as {known[:2]}, at least one; got {layers!r}."
        )
    for layer in layers:
        if layer not in known:
            listed = ", ".join(known[:_LISTED]) + (" ..." if len(known) > _LISTED else "")
            raise StreamError(
                f"{name} has no layer {layer!r}.{guess(layer, known)} Layers: {listed}."
            )
    training = [type(part).__name__ for part in module.modules() if part.training]
    if training:
        raise StreamError(
            f"{name} is in training mode ({', '.join(dict.fromkeys(training))}), where dropout "
            "is random and batch norm depends on the batch. Call its .eval() first."
        )


@contextmanager
def record_layers(
    module: nn.Module, layers: Sequence[str], keep: Callable[[str, object], Tensor]
) -> Iterator[dict[str, Tensor]]:
    """Record `keep` of each layer's name and output; `StreamError` if a layer does not run."""
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
        raise StreamError(f"the network does not run {', '.join(silent)}. Leave them out.")


def looked_into(network: Network, frames: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
    """Compute the activations of one window of frames.

    Parameters
    ----------
    network : Network
        Network on any device.
    frames : Tensor
        Window, RGB in [0, 1], (window, 3, H, W).

    Returns
    -------
    activations : dict of str to Tensor
        Activations by layer, (1, ...), float32 on the CPU.
    probabilities : Tensor or None
        Probabilities of the classes, (classes,), if the network classifies.

    Raises
    ------
    StreamError
        A network in training mode, or a layer that does not run or returns no tensor.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2)).eval()
    >>> network = Network("mine", module, ["0"], lambda frames: frames, classifies=True)
    >>> activations, probabilities = looked_into(network, torch.rand(1, 3, 8, 8))
    >>> probabilities.shape
    torch.Size([2])
    """
    weight = next(network.module.parameters(), torch.empty(0))
    module = network.module
    check_module(network.name, module, network.layers)  # may have changed to training mode
    with torch.inference_mode(), record_layers(module, network.layers, _copy) as recorded:
        output = module(network.preprocess(frames.clone()).to(weight.device, weight.dtype))
    activations = {name: recorded[name] for name in network.layers}
    if not network.classifies:
        return activations, None
    return activations, _first(output).float().softmax(1)[0].cpu()


def check_repeats(network: Network, frames: Tensor) -> None:
    """Raise `StreamError` if a network's activations are random or not finite."""
    first, again = (looked_into(network, frames)[0] for _ in range(2))
    for name, value in first.items():
        if not bool(value.isfinite().all()):
            raise StreamError(
                f"{network.name}: layer {name!r} returns values that are not finite. Check its "
                "weights and the output of `preprocess` for frames in [0, 1]."
            )
        if (value - again[name]).abs().max() > SAME * value.abs().max():
            raise StreamError(
                f"{network.name}: layer {name!r} returns different values for the same frames, so "
                "it cannot be compared. Remove random operations."
            )


def _copy(_: str, output: object) -> Tensor:
    """Copy the output, because the next layer may overwrite it."""
    return _first(output).detach().to("cpu", torch.float32, copy=True)


def _first(output: object) -> Tensor:
    """The output itself, or the first of several."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, Tensor):
        raise StreamError(f"a layer returned {type(first).__name__}, not a tensor. Leave it out.")
    return first


def network_record(network: Network) -> dict[str, Any]:
    """Description of a network for the evaluation."""
    names = ("name", "note", "sha256", "layers", "window", "stride")
    return {name: getattr(network, name) for name in names} | {"layers": list(network.layers)}


def matched_notes(matched: Mapping[str, Sequence[str]], networks: Sequence[Network]) -> list[str]:
    """Warnings about networks that were used to make a stimulus, by the digest of their weights."""
    return [
        f"{network.name} was used to make this stimulus. Its layers {', '.join(matched[digest])} "
        "were matched, so their similarity is not a test"
        for network in networks
        if (digest := network.sha256 or "") in matched
    ]
