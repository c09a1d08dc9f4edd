"""A stream of one's own: made of a torch network, and tried before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stst.errors import StreamError
from stst.models.recognition import check_module, record_layers
from stst.models.spatial import check_layers


class ModuleStream(nn.Module):
    """The layers of a torch network as a `Stream`; `stream` makes and tries it."""

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
        """Activations of the last frames: (B, T, 3, H, W) -> {layer: (B, C, ...)}."""
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
            f"layer {name!r} puts out {type(output).__name__}, not a tensor: name another."
        )
    return output.clone()  # what follows may change it in place


def stream(
    module: nn.Module,
    *,
    layers: Sequence[str],
    preprocess: Callable[[Tensor], Tensor] | None = None,
    frames_needed: int = 1,
    min_side: int = 32,
) -> ModuleStream:
    """Make a stream of a torch network, for `stst.synthesize(spatial=...)` or ``temporal=``.

    It is tried with a random clip of `min_side` px: what could not be matched is refused here.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode. Not copied, and not changed.
    layers : sequence of str
        Names of submodules, as ``module.named_modules()`` has them, whose outputs,
        (B, C, ...), are matched, in order of depth.
    preprocess : callable, optional
        From frames (B, 3, H, W), RGB in [0, 1], to what the network takes; with several frames
        from (B, T, 3, H, W). Differentiable. None gives the frames as they are.
    frames_needed : int
        Frames that one activation looks at.
    min_side : int
        Smallest side of a frame, in px, that the network can take.

    Returns
    -------
    ModuleStream
        A `Stream`.

    Raises
    ------
    StreamError
        If the network is in training mode, has no such layer, cannot take the clip, puts out
        something else than (B, C, ...) or another thing each time, or if no gradient comes from a
        layer to the frames.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 8, 3)).eval()
    >>> mine = stream(network, layers=["1", "2"], preprocess=lambda frames: 2 * frames - 1)
    >>> mine
    ModuleStream(Sequential, 2 layers: 1, 2)
    """
    if not isinstance(module, nn.Module):
        raise StreamError(
            f"a stream is made of a torch.nn.Module, got {type(module).__name__}. Any callable "
            "with the attributes of `stst.Stream` is one already: give it to synthesize as it is."
        )
    check_module("the network", module, layers)
    made = ModuleStream(module, layers, preprocess, frames_needed, min_side)
    clip = torch.rand(
        (2, frames_needed, 3, min_side, min_side), generator=torch.Generator().manual_seed(0)
    ).to(next(module.parameters(), torch.empty(0)).device)
    first, again = (check_activations(made, layers, clip) for _ in range(2))
    for name in layers:
        if not first[name].equal(again[name]):
            raise StreamError(
                f"layer {name!r} puts out something else when it is shown the same frames again: "
                "a random layer cannot be matched. Remove what is random."
            )
    return made


def check_activations(
    model: Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]],
    layers: Sequence[str],
    clip: Tensor,
) -> dict[str, Tensor]:
    """Activations that a stream puts out for a clip; `StreamError` if they cannot be matched."""
    with torch.inference_mode(False), torch.enable_grad():
        clip = clip.clone().requires_grad_()
        try:
            activations: Any = model(clip, list(layers))
        except StreamError:
            raise
        except Exception as error:  # of whatever kind: the code is somebody else's
            raise StreamError(
                f"the stream cannot take a clip of shape {tuple(clip.shape)} and a list of layers: "
                f"{type(error).__name__}: {error}. Of a plain torch network make a stream with "
                "stst.stream(module, layers=[...]); see help(stst.Stream)."
            ) from error
        for name in layers:
            _check_activation(name, activations, clip)
    return {name: activations[name].detach() for name in layers}


def _check_activation(name: str, activations: Any, clip: Tensor) -> None:  # noqa: ANN401
    mapping = isinstance(activations, Mapping)
    if not mapping or name not in activations:
        given = ", ".join(map(str, activations)) if mapping else type(activations).__name__
        raise StreamError(f"the stream must give {{layer: activation}} with {name!r}, got {given}.")
    value = activations[name]
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    if len(shape) < 3 or shape[0] != len(clip) or 0 in shape:
        raise StreamError(
            f"layer {name!r} must put out (B, C, h, w) for a batch of {len(clip)}: channels, then "
            f"places; got {shape or type(value).__name__}. Name another layer, or bring its output "
            "into this form."
        )
    slope = None
    if value.requires_grad:
        (slope,) = torch.autograd.grad(
            value.square().sum(), clip, retain_graph=True, allow_unused=True
        )
    if slope is None or not bool(slope.any()):
        how = "is detached from the frames" if slope is None else "does not depend on the frames"
        raise StreamError(
            f"layer {name!r} {how}: no gradient comes back, so that nothing could be matched. "
            "Leave out no_grad, detach, rounding and NumPy on the way, and look at its weights."
        )
