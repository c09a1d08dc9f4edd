"""Custom streams: made from a torch network and tested before use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stst.errors import StreamError
from stst.errors.arguments import checked
from stst.models.recognition import check_module, record_layers
from stst.models.spatial import check_layers
from stst.models.stream_checks import check_numbers, check_stream


class ModuleStream(nn.Module):
    """Layers of a torch network as a `Stream`, made by `stst.stream`.

    Parameters
    ----------
    module : torch.nn.Module
        Network in evaluation mode.
    layers : sequence of str
        Submodules whose outputs are matched.
    preprocess : callable or None
        Function from frames in [0, 1] to the network's input.
    frames_needed : int
        Frames per activation.
    min_side : int
        Smallest frame side, px.
    """

    provenance = None

    def __init__(
        self,
        module: nn.Module,
        layers: Sequence[str],
        preprocess: Callable[[Tensor], Tensor] | None,
        frames_needed: int,
        min_side: int,
    ) -> None:
        super().__init__()
        self.module, self.preprocess = module, preprocess
        self.layers, self.frames_needed, self.min_side = tuple(layers), frames_needed, min_side

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute activations of the last frames.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).
        layers : sequence of str
            Names of layers.

        Returns
        -------
        dict of str to Tensor
            Activations by layer, (B, C, ...).

        Raises
        ------
        StreamError
            An unknown layer, or one that returns no tensor.

        Examples
        --------
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU()).eval()
        >>> blank = torch.zeros(1, 1, 3, 32, 32)
        >>> stream(network, layers=["1"])(blank, ["1"])["1"].shape
        torch.Size([1, 8, 28, 28])
        """
        check_layers(layers, self.layers)
        frames = clip[:, -1] if self.frames_needed == 1 else clip[:, -self.frames_needed :]
        with record_layers(self.module, layers, _keep) as activations:
            self.module(frames if self.preprocess is None else self.preprocess(frames))
        return activations

    def __repr__(self) -> str:
        return (
            f"ModuleStream({type(self.module).__name__}, {len(self.layers)} layers: "
            f"{', '.join(self.layers)})"
        )


def _keep(name: str, output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise StreamError(
            f"layer {name!r} returns {type(output).__name__}, not a tensor. Choose another layer."
        )
    return output.clone()  # later layers may change it in place


@checked
def stream(
    module: nn.Module,
    *,
    layers: Sequence[str],
    preprocess: Callable[[Tensor], Tensor] | None = None,
    frames_needed: int = 1,
    min_side: int = 32,
) -> ModuleStream:
    """Make a stream from a torch network.

    Use it as ``spatial=`` or ``temporal=`` in `stst.synthesize`. The network is tested on a
    random clip with sides of `min_side` px.

    Parameters
    ----------
    module : torch.nn.Module
        Network in evaluation mode. It is neither copied nor changed.
    layers : sequence of str
        Submodules to match, named as in ``module.named_modules()``, in order of depth. Each
        must return (B, C, ...).
    preprocess : callable, optional
        Differentiable function from frames, RGB in [0, 1], (B, 3, H, W), to the network's
        input; frames are (B, T, 3, H, W) if `frames_needed` is above 1. None passes the
        frames unchanged.
    frames_needed : int, default=1
        Frames per activation: 1 for images, 2 for frame pairs.
    min_side : int, default=32
        Smallest frame side that the network accepts, px.

    Returns
    -------
    ModuleStream
        A `stst.Stream`.

    Raises
    ------
    StreamError
        The network is in training mode; lacks a layer; fails on the clip or changes it; returns
        anything but finite activations (B, C, ...) or differs between calls; changes its own
        state; or gives no finite gradient to the frames.

    See Also
    --------
    load_stream : Load a stream of the package.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 8, 3)).eval()
    >>> stream(network, layers=["1", "2"], preprocess=lambda frames: 2 * frames - 1)
    ModuleStream(Sequential, 2 layers: 1, 2)
    """
    if not isinstance(module, nn.Module):
        raise StreamError(
            f"module must be a torch.nn.Module, got {type(module).__name__}. A callable with the "
            "attributes of stst.Stream already is a stream: pass it to synthesize directly."
        )
    check_module("the network", module, layers)
    if preprocess is not None and not callable(preprocess):
        raise StreamError(
            f"preprocess must be a function of frames, got {type(preprocess).__name__}."
        )
    check_numbers(frames_needed, min_side)
    model = ModuleStream(module, layers, preprocess, frames_needed, min_side)
    clip = torch.rand(
        (2, frames_needed, 3, min_side, min_side), generator=torch.Generator().manual_seed(0)
    ).to(next(module.parameters(), torch.empty(0)).device)
    check_stream(model, layers, clip)
    return model
