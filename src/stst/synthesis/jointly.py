"""Synthesis of a whole clip at once: every step changes every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stst.losses.objective import Losses, Objective
from stst.synthesis.framewise import Event, FrameDone
from stst.synthesis.refine import (
    Evaluate,
    colourless_items,
    grey_out,
    optimise_octave,
    tie_channels,
    to_octave,
    transfer_colours,
)
from stst.synthesis.starts import FrameSource
from stst.synthesis.stream_losses import StreamLosses, build_objective, octave_size, resized

LATE = 10**9  # a transition that takes the last value of every schedule


@dataclass(frozen=True)
class Chunk:
    """Windows of one metamer that are processed together."""

    item: int  # index in the batch
    places: Tensor  # (n, T), frames of each window
    objective: Objective


@dataclass(frozen=True)
class ClipWindows:
    """Windows of a clip that is made as a whole, with their natural targets."""

    source: FrameSource
    batch: int
    span: int

    @property
    def ends(self) -> range:
        """Last frame of each window. Without a loop the first frames end none."""
        first = 0 if self.source.recipe.loop else self.span - 1
        return range(first, len(self.source.order))

    def places(self, ends: Sequence[int]) -> Tensor:
        """Frames of the windows with these ends, (n, T); loops wrap around."""
        device = self.source.device  # gradients are added at these indices
        back = torch.arange(1 - self.span, 1, device=device)
        return (torch.tensor(ends, device=device)[:, None] + back) % len(self.source.order)

    def natural(self, ends: Sequence[int]) -> dict[str, Tensor]:
        """Natural windows of each loss, (1 or B, n, T, 3, H, W)."""
        # At the seam of a loop the temporal target is the natural clip's first full window.
        windows = []
        for end in ends:
            space, time = self._window(end), self._window(max(end, self.span - 1))
            windows.append({k: (time if k.startswith("time") else space)[k] for k in space})
        return {loss: torch.stack([window[loss] for window in windows], 1) for loss in windows[0]}

    def _window(self, end: int) -> dict[str, Tensor]:
        """(1 or B, T, 3, H, W) of each loss; the first frame is repeated before the start."""
        natural = self.source.natural(max(end - self.span + 1, 0), end)
        short = max(self.span - 1 - end, 0)
        return {k: torch.cat([w[:, :1]] * short + [w], 1) for k, w in natural.items()}

    def chunks(
        self, size: tuple[int, int], stream_losses: Sequence[StreamLosses], count: int
    ) -> Iterator[list[Chunk]]:
        """All windows at one size with their targets, `count` at a time, for each metamer."""
        recipe = self.source.recipe
        for first in range(0, len(self.ends), count):
            ends = self.ends[first : first + count]
            natural, places = self.natural(ends), self.places(ends)
            chunks = []
            for item in range(self.batch):
                targets = {
                    loss: resized(w[min(item, len(w) - 1)], size, recipe.antialias)
                    for loss, w in natural.items()
                }
                objective = build_objective(targets, stream_losses, recipe, LATE)
                chunks.append(Chunk(item, places, objective))
            yield chunks


def synthesize_jointly(
    source: FrameSource, stream_losses: Sequence[StreamLosses], *, span: int = 2
) -> Iterator[Event]:
    """Make all frames together; arguments and events as in `synthesize_framewise`.

    Gradients are accumulated chunk by chunk, so memory for activations does not grow with the
    clip.
    """
    recipe = source.recipe
    assert recipe.whole is not None
    opening = opening_frames(source)
    grey = _colourless_frames(source, len(opening))
    clip = opening = grey_out(opening.flatten(0, 1), grey).view(opening.shape)
    windows = ClipWindows(source, len(opening), span)
    full = (opening.shape[-2], opening.shape[-1])
    for number, octave in enumerate(recipe.octaves):
        size = octave_size(full, octave.scale)
        clip = to_octave(clip, opening, size, recipe)
        chunks = [c for x in windows.chunks(size, stream_losses, recipe.whole.chunk) for c in x]
        evaluate = tie_channels(slope_of_all(chunks, clip.shape, source.fixed), grey)
        frames, batch = clip.flatten(0, 1), len(clip)
        moved = yield from optimise_octave(frames, evaluate, recipe, (0, number), batch=batch)
        clip = moved.view(clip.shape)
        finest = number + 1 == len(recipe.octaves)
        if recipe.colour.after == ("frame" if finest else "octave"):
            clip = _recoloured(clip, source)
    clip = resized(clip, full, recipe.antialias).clamp(0, 1)
    clip[:, : source.fixed] = opening[:, : source.fixed]  # undo colour transfer of given frames
    yield from _finished_frames(clip, windows, stream_losses)


def opening_frames(source: FrameSource) -> Tensor:
    """Initial state of all frames, (B, L, 3, H, W), each from the one before.

    A loop is generated twice, and the two turns are blended.
    """
    frames: list[Tensor] = []
    length, turns = len(source.order), 2 if source.recipe.loop else 1
    for index in range(turns * length):
        frames.append(source.begin(index % length, frames[-1] if frames else None))
    chain = torch.stack(frames, 1)
    return close_loop(chain) if source.recipe.loop else chain


def close_loop(turns: Tensor) -> Tensor:
    """Blend two turns of a loop into one without a seam: (B, 2 L, ...) -> (B, L, ...).

    >>> close_loop(torch.arange(8.0)[None]).tolist()
    [[4.0, 4.0, 4.0, 4.0]]
    """
    first, second = turns.chunk(2, 1)
    share = torch.linspace(0, 1, first.shape[1] + 1)[:-1].to(turns)
    return torch.lerp(second, first, share.view(1, -1, *(1,) * (turns.dim() - 2)))


def _colourless_frames(source: FrameSource, batch: int) -> Tensor:
    """Frames that must stay grey: bool (B L, 1, 1, 1)."""
    naturals = (source.natural(i, i) for i in range(len(source.order)))
    masks = [colourless_items(x, source.recipe).expand(batch, 1, 1, 1) for x in naturals]
    mask = torch.stack(masks, 1)
    mask[:, : source.fixed] = False  # given frames are not changed
    return mask.flatten(0, 1)


def slope_of_all(chunks: Sequence[Chunk], shape: torch.Size, fixed: int) -> Evaluate:
    """Return the function from all frames (B L, 3, h, w) to losses and gradient.

    The gradient of the first `fixed` frames is 0.
    """

    def evaluate(x: Tensor) -> tuple[Losses, Tensor]:
        frames = x.view(shape)
        slope = torch.zeros_like(frames)
        of_chunks = []
        for chunk in chunks:
            windows = frames[chunk.item, chunk.places].detach().requires_grad_()
            losses = dict[str, Tensor]()
            for part in chunk.objective.parts:  # one at a time, to save memory
                with torch.enable_grad():
                    values = part(windows)
                    total = chunk.objective.total(values).sum()
                down = torch.autograd.grad(total, windows)[0]
                slope[chunk.item].index_add_(0, chunk.places.flatten(), down.flatten(0, 1))
                losses |= {name: value.detach() for name, value in values.items()}
            of_chunks.append(losses | {"total": chunk.objective.total(losses)})
        slope[:, :fixed] = 0
        # Losses of all windows, (B x windows), ordered by metamer.
        pairs = sorted(zip(chunks, of_chunks, strict=True), key=lambda pair: pair[0].item)
        ordered = {name: torch.cat([losses[name] for _, losses in pairs]) for name in of_chunks[0]}
        return ordered, slope.view_as(x)

    return evaluate


def _recoloured(clip: Tensor, source: FrameSource) -> Tensor:
    """Apply colour transfer to every frame (B, L, 3, h, w)."""
    size = (clip.shape[-2], clip.shape[-1])
    frames = []
    for index in range(clip.shape[1]):
        natural = source.natural(index, index)
        targets = {k: resized(w, size, source.recipe.antialias) for k, w in natural.items()}
        frames.append(transfer_colours(clip[:, index], targets, source.recipe))
    return torch.stack(frames, 1)


def _finished_frames(
    clip: Tensor, windows: ClipWindows, stream_losses: Sequence[StreamLosses]
) -> Iterator[FrameDone]:
    """Every frame with the residuals of the window that ends at it."""
    source, size = windows.source, (clip.shape[-2], clip.shape[-1])
    exact = [losses.in_float32 for losses in stream_losses]
    for index in range(source.fixed):
        yield FrameDone(index - source.pad, clip[:, index], {}, None)
    for end, chunks in zip(windows.ends, windows.chunks(size, exact, 1), strict=True):
        errors = [c.objective.residuals(clip[c.item, c.places]) for c in chunks]
        residuals = {name: torch.cat([error[name] for error in errors]) for name in errors[0]}
        if end >= source.fixed:
            yield FrameDone(end - source.pad, clip[:, end], residuals, None)
