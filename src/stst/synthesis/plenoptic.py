"""The two streams as one differentiable model for plenoptic.

Works with plenoptic's ``Metamer``, ``Eigendistortion`` and, through `VideoModel.distance`,
``MADCompetition``. This module does not import plenoptic.
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
    """Representation of a video by both streams, as one vector: a model for plenoptic.

    The vector holds the Gram matrices (upper triangles) of the texture layers: of the spatial
    stream for each frame, of the temporal stream for each frame pair. Entries are scaled so that
    the mean square difference of two vectors, plenoptic's ``loss.mse``, equals the sum of the
    recipe's weighted losses, each averaged over its frames or pairs. The natural video sets the
    scales, as in a synthesis.

    Octaves, starts, colours and total variation are not included: plenoptic does the
    optimisation. Custom streams are copied.

    Parameters
    ----------
    natural : Tensor
        Video to match, RGB in [0, 1], (B, 3, T, H, W), float32 or float64;
        ``clip.to_plenoptic()`` returns it.
    spatial : str or callable, default="vgg19"
        Spatial stream, as in `stst.synthesize`. Not loaded if no loss needs it.
    temporal : str or callable, default="msoe"
        Temporal stream. Not loaded if no loss needs it.
    recipe : str or Recipe, default="default"
        Gives losses with their last weights, layers, scaling and distances.
        ``Recipe.preset("default").with_losses("space_texture")`` uses the spatial stream
        only; ``"time_content"`` uses activations instead of Gram matrices.

    Raises
    ------
    FramesError
        A video with another shape or type, or too short or small for a stream.
    RecipeError
        A recipe without losses.
    StreamError
        An unknown stream, or one that cannot be matched.
    WeightsError
        Weights that are missing or damaged.

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
        recipe = recipe.with_settings({"precision": "float32"})  # the video's type decides
        weights = {k: w for k, w in recipe.weights.at(LATE).items() if k in LOSSES}
        if not weights:
            raise RecipeError(
                f"the last weights of the recipe are 0 for all of {', '.join(LOSSES)}. Give one a "
                "weight above 0."
            )
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
                "plenoptic's MetamerCTF needs a representation ordered by spatial scale, but "
                "layers mix scales. Use plenoptic.Metamer, or stst.synthesize, which works from "
                "coarse to fine by octaves."
            )
        return super().__getattr__(name)

    def distance(self, one: Tensor, other: Tensor) -> Tensor:
        """Compute the mean square difference of two videos' vectors.

        A metric for ``MADCompetition``. If one of the videos is the natural one, it equals the
        sum of the recipe's weighted losses.

        Parameters
        ----------
        one : Tensor
            Video, (B, 3, T, H, W).
        other : Tensor
            Video, (B, 3, T, H, W).

        Returns
        -------
        Tensor
            Distance, a scalar.

        Raises
        ------
        FramesError
            A video with another shape or type than the natural one.

        Examples
        --------
        >>> video = torch.rand(1, 3, 2, 40, 40)
        >>> VideoModel(video, spatial="compact").distance(video, video)
        tensor(0.)
        """
        return mean_square_gap(self(one), self(other)).mean()

    def forward(self, video: Tensor) -> Tensor:
        """Compute the vector of a video.

        Parameters
        ----------
        video : Tensor
            Video with the natural video's shape and type, (B, 3, T, H, W), RGB in [0, 1].

        Returns
        -------
        Tensor
            Vectors, (B, n).

        Raises
        ------
        FramesError
            A video with another shape or type than the natural one.
        """
        _check_form(video)
        dtype = self.parts[0].factors.dtype
        if (video.shape, video.dtype) != (self.shape, dtype):
            raise FramesError(
                f"this model accepts videos of shape {tuple(self.shape)} and type {dtype}, like "
                f"its natural video; got {tuple(video.shape)} and {video.dtype}. Make a new model."
            )
        entries = torch.cat([part(video) for part in self.parts], 1)
        scaled: Tensor = entries * entries.shape[1] ** 0.5  # turns a mean over entries into a sum
        return scaled


class _Part(nn.Module):
    """Part of the vector from one stream: its squared differences sum to its losses."""

    factors: Tensor

    def __init__(
        self, losses: StreamLosses, weights: dict[str, float], natural: Tensor, recipe: Recipe
    ) -> None:
        super().__init__()
        stream = losses.stream  # converted to the natural video's number format
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
        """Representation of all windows, layer by layer."""
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
    """Square root of the weight of each of `_entries` in a mean square: (1, ...) -> (1, n)."""
    counted = torch.full_like(value, 1 / value.numel())
    if target.texture:  # an entry above the diagonal also represents the one below
        counted += counted.triu(1)
    return _entries(counted.sqrt(), target)


def _check_form(video: Tensor) -> None:
    if not isinstance(video, Tensor):
        raise FramesError(
            f"a video for plenoptic must be a tensor, got {type(video).__name__}. For a stst.Clip "
            "use clip.to_plenoptic()."
        )
    if video.ndim != 5 or video.shape[1] != 3 or video.dtype not in (torch.float32, torch.float64):
        raise FramesError(
            "a video for plenoptic must be (batch, 3, time, height, width), float32 or float64; "
            f"got {tuple(video.shape)}, {video.dtype}. For a stst.Clip use clip.to_plenoptic()."
        )


def _check_room(video: Tensor, stream: StreamCall) -> None:
    span, side = frames_needed(stream), getattr(stream, "min_side", 1)
    length, *size = video.shape[2:]
    if length < span or min(size) < side:
        raise FramesError(
            f"a stream needs at least {span} frame(s) with sides of at least {side} px, got "
            f"{length} of {size[1]}x{size[0]} px. Use a longer or larger video, or only losses of "
            "the other stream."
        )
