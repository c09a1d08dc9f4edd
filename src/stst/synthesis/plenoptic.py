"""The streams as one model for plenoptic, whose syntheses take any differentiable module.

``Metamer``, ``MADCompetition`` (by `VideoModel.distance`) and ``Eigendistortion`` take it.

plenoptic itself is not imported: nothing of it is needed to be its model.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from stst.errors import FramesError, RecipeError, StreamError
from stst.errors.arguments import checked
from stst.losses.functional import mean_square_gap
from stst.losses.objective import LayerTarget, StreamCall, represent
from stst.recipe import LOSSES, Recipe
from stst.synthesis.jointly import LATE
from stst.synthesis.stream_losses import (
    StreamLosses,
    frames_needed,
    load_stream_losses,
    local_layers,
    try_streams,
)
from stst.video.frames import check_frames


class VideoModel(nn.Module):
    """What the streams say of a video, as one vector: a model for plenoptic.

    It holds the Gram matrices (upper triangles) of the texture layers, those of the spatial
    stream for each frame and those of the temporal stream for each frame pair. They are
    scaled so that the mean square difference of two vectors, plenoptic's ``loss.mse``, is
    the sum of the recipe's weighted losses, each the mean over its frames or pairs. The
    natural video decides the scales, as it does in a synthesis.

    Octaves, starts, colours and total variation are no part of it: how a video is
    optimised is plenoptic's matter. It holds copies of streams of one's own, which stay as they
    are.

    Parameters
    ----------
    natural : Tensor
        The video that is to be matched, as plenoptic has it: (B, 3, T, H, W), float32 or float64,
        RGB in [0, 1]. Of a `stst.Clip`: ``clip.to_plenoptic()``.
    spatial, temporal : str or callable
        As for `stst.synthesize`; one that no loss needs is not loaded.
    recipe : str or Recipe
        Its losses with their last weights, its layers, scaling and distances are used:
        ``Recipe.preset("default").with_losses("space_texture")`` takes the spatial stream
        alone, ``"time_content"`` activations in place of Gram matrices.

    Raises
    ------
    FramesError
        A video of another form, or too short or too small for a stream.
    RecipeError, StreamError, WeightsError
        As `stst.synthesize`.

    Examples
    --------
    >>> video = torch.rand(1, 3, 4, 40, 40)
    >>> model = VideoModel(video, spatial="compact")
    >>> model(video).shape
    torch.Size([1, 16672])
    """

    @checked
    def __init__(
        self,
        natural: Tensor,
        *,
        spatial: str | StreamCall = "vgg19",
        temporal: str | StreamCall = "msoe",
        recipe: str | Recipe = "default",
    ) -> None:
        super().__init__()
        _check_form(natural)
        check_frames(natural.transpose(1, 2).flatten(0, 1).float())
        recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
        recipe = recipe.with_settings({"precision": "float32"})  # plenoptic's own is kept
        weights = {k: w for k, w in recipe.weights.at(LATE).items() if k in LOSSES}
        if not weights:
            raise RecipeError(f"the recipe weighs none of {', '.join(LOSSES)} to the end.")
        device, size = str(natural.device), (natural.shape[-2], natural.shape[-1])
        with torch.inference_mode(False):  # as in load_stream
            spatial, temporal = (copy.deepcopy(stream) for stream in (spatial, temporal))
        stream_losses = load_stream_losses(spatial, temporal, weights, recipe, device)
        for losses in stream_losses:
            _check_room(natural, losses.stream)
        try_streams(stream_losses, size, device)
        self.parts = nn.ModuleList(
            _Part(losses, weights, natural, recipe) for losses in stream_losses
        )
        self.shape = natural.shape
        self.eval().requires_grad_(False)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == "scales":  # plenoptic's MetamerCTF asks for them
            raise StreamError(
                "plenoptic's MetamerCTF takes models whose vector falls into scales, coarse to "
                "fine, and a Gram matrix belongs to a layer, which sees many. Take "
                "plenoptic.Metamer, or stst.synthesize, which goes from coarse to fine by octaves."
            )
        return super().__getattr__(name)

    def distance(self, one: Tensor, other: Tensor) -> Tensor:
        """Mean square difference of two videos' vectors: a metric for ``MADCompetition``.

        (B, 3, T, H, W), twice -> (): the sum of the recipe's weighted losses, if one of them is the
        natural video.
        """
        return mean_square_gap(self(one), self(other)).mean()

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W), of the natural video's shape -> (B, n)."""
        _check_form(video)
        dtype = self.parts[0].factors.dtype
        if (video.shape, video.dtype) != (self.shape, dtype):
            raise FramesError(
                f"this model is of videos {tuple(self.shape)} of {dtype}, as its natural one; got "
                f"{tuple(video.shape)} of {video.dtype}. Make another model for another video."
            )
        entries = torch.cat([part(video) for part in self.parts], 1)
        scaled: Tensor = entries * entries.shape[1] ** 0.5  # a mean over entries is then their sum
        return scaled


class _Part(nn.Module):
    """One stream's share: the sum of squared differences is the sum of its losses."""

    factors: Tensor

    def __init__(
        self, losses: StreamLosses, weights: dict[str, float], natural: Tensor, recipe: Recipe
    ) -> None:
        super().__init__()
        stream = losses.stream  # in the natural video's number format
        self.stream = stream.to(natural.dtype) if isinstance(stream, nn.Module) else stream
        short = min(natural.shape[-2:])
        self.targets = [local_layers(x, self.stream, short, recipe) for x in losses.layers]
        self.span = frames_needed(self.stream)
        with torch.no_grad():
            factors = [
                (weights[t.loss] / len(t.layers) / t.scale(value)).sqrt()[:, None]
                * _shares(value[:1], t)
                for t, value in self._values(natural)
            ]
        count = natural.shape[2] - self.span + 1
        self.register_buffer("factors", torch.cat(factors, 1) / count**0.5)

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, n)."""
        values = [_entries(value, target) for target, value in self._values(video)]
        return (torch.cat(values, 1) * self.factors).view(len(video), -1)

    def _values(self, video: Tensor) -> list[tuple[LayerTarget, Tensor]]:
        """What is matched of all windows, layer by layer."""
        runs = video.transpose(1, 2).unfold(1, self.span, 1)  # (B, runs, 3, H, W, span)
        values = represent(self.stream, runs.movedim(-1, 2).flatten(0, 1), self.targets)
        return [(target, values[target.loss][k]) for target in self.targets for k in target.layers]


def _entries(value: Tensor, target: LayerTarget) -> Tensor:
    """Upper triangles of Gram matrices (N, C, C), or activations (N, ...), as (N, n)."""
    if not target.texture:
        return value.flatten(1)
    down, right = torch.triu_indices(*value.shape[1:], device=value.device)
    return value[:, down, right]


def _shares(value: Tensor, target: LayerTarget) -> Tensor:
    """Root of the share that each of `_entries` has in a mean square: (1, ...) -> (1, n)."""
    counted = torch.full_like(value, 1 / value.numel())
    if target.texture:  # an entry above the diagonal stands for the one below it, too
        counted += counted.triu(1)
    return _entries(counted.sqrt(), target)


def _check_form(video: Tensor) -> None:
    if not isinstance(video, Tensor):
        raise FramesError(
            f"a video for plenoptic is a tensor, got {type(video).__name__}. Of a stst.Clip it is "
            "clip.to_plenoptic()."
        )
    if video.ndim != 5 or video.shape[1] != 3 or video.dtype not in (torch.float32, torch.float64):
        raise FramesError(
            "a video for plenoptic is (batch, 3, time, height, width) and float32 or float64, got "
            f"{tuple(video.shape)} and {video.dtype}. Of a stst.Clip it is clip.to_plenoptic()."
        )


def _check_room(video: Tensor, stream: StreamCall) -> None:
    span, side = frames_needed(stream), getattr(stream, "min_side", 1)
    length, *size = video.shape[2:]
    if length < span or min(size) < side:
        raise FramesError(
            f"a stream looks at {span} frame(s) of at least {side} px a side together, got "
            f"{length} of {size[1]}x{size[0]} px. Take a longer or larger video, or losses of "
            "the other stream alone."
        )
