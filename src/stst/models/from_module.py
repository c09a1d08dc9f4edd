"""A stream of one's own: made of a torch network, and tried before it is used."""

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


@checked
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
        If the network is in training mode, has no such layer, cannot take the clip or changes it
        in place, puts out something else than finite (B, C, ...) or another thing each time,
        changes itself, or if no finite gradient comes from a layer to the frames.

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
    if preprocess is not None and not callable(preprocess):
        raise StreamError(
            f"preprocess must be a function of the frames, got {type(preprocess).__name__}."
        )
    check_numbers(frames_needed, min_side)
    made = ModuleStream(module, layers, preprocess, frames_needed, min_side)
    clip = torch.rand(
        (2, frames_needed, 3, min_side, min_side), generator=torch.Generator().manual_seed(0)
    ).to(next(module.parameters(), torch.empty(0)).device)
    check_stream(made, layers, clip)
    return made
