"""A whole clip at once: every frame moves in every step."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stst.losses.objective import Objective
from stst.losses.pixels import Losses
from stst.recipe import Recipe
from stst.synthesis.colour import greyed, tied
from stst.synthesis.descent import Evaluate
from stst.synthesis.framewise import FrameDone, frames_of, made_order
from stst.synthesis.refine import (
    Side,
    Step,
    build_objective,
    carried,
    climb,
    coloured,
    grey_of,
    octave_size,
    resized,
)
from stst.synthesis.starts import Noise, Source
from stst.video.frames import Footage

LATE = 10**9  # a transition for which the last value of every schedule holds


@dataclass(frozen=True)
class Chunk:
    """Windows of one metamer that go through the streams together."""

    item: int  # of the batch
    places: Tensor  # (n, T), made frames of each window
    objective: Objective


@dataclass(frozen=True)
class Windows:
    """The windows of a clip that is made as a whole, and their natural targets."""

    source: Source
    batch: int
    span: int
    recipe: Recipe

    @property
    def ends(self) -> range:
        """Made frames that a window ends at. Without a loop the first have no past."""
        return range(0 if self.recipe.loop else self.span - 1, len(self.source.order))

    def places(self, ends: Sequence[int]) -> Tensor:
        """Made frames of the windows that end there, (n, T); a loop goes around."""
        device = self.source.device  # of the slopes that are added at these places
        back = torch.arange(1 - self.span, 1, device=device)
        return (torch.tensor(ends, device=device)[:, None] + back) % len(self.source.order)

    def natural(self, ends: Sequence[int]) -> dict[str, Tensor]:
        """Natural windows of each loss, (1 or B, n, T, 3, H, W).

        The natural clip is no loop: where the made one begins anew, the motion of the first
        whole natural window is wanted.
        """
        windows = []
        for end in ends:
            space, time = self._window(end), self._window(max(end, self.span - 1))
            windows.append({k: (time if k.startswith("time") else space)[k] for k in space})
        return {loss: torch.stack([one[loss] for one in windows], 1) for loss in windows[0]}

    def _window(self, end: int) -> dict[str, Tensor]:
        """(1 or B, T, 3, H, W) of each loss; before the first frame it stands still."""
        taken = self.source.natural(max(end - self.span + 1, 0), end)
        short = max(self.span - 1 - end, 0)
        return {k: torch.cat([w[:, :1]] * short + [w], 1) for k, w in taken.items()}

    def chunks(
        self, size: tuple[int, int], sides: tuple[Side, ...], count: int
    ) -> Iterator[list[Chunk]]:
        """All windows at one size with their targets, `count` at a time, of each metamer."""
        for first in range(0, len(self.ends), count):
            ends = self.ends[first : first + count]
            natural = self.natural(ends)
            yield [self._chunk(item, ends, natural, size, sides) for item in range(self.batch)]

    def _chunk(
        self,
        item: int,
        ends: Sequence[int],
        natural: Mapping[str, Tensor],
        size: tuple[int, int],
        sides: tuple[Side, ...],
    ) -> Chunk:
        targets = {
            loss: resized(found[min(item, len(found) - 1)], size, self.recipe.antialias)
            for loss, found in natural.items()
        }
        objective = build_objective(targets, sides, self.recipe, LATE)
        return Chunk(item, self.places(ends), objective)


def weave(
    targets: Mapping[str, Sequence[Footage]],
    sides: tuple[Side, ...],
    recipe: Recipe,
    fresh: Noise,
    *,
    span: int = 2,
    start: Footage | None = None,
    given: Footage | None = None,
    to_and_fro: bool = False,
    device: str = "cpu",
) -> Iterator[Step | FrameDone]:
    """Make all frames together; arguments and events are those of `stst.synthesis.framewise.walk`.

    The slope is gathered chunk by chunk: a longer clip takes memory for its frames, their
    targets and the optimiser's two moments, and not for more activations.
    """
    assert recipe.whole is not None
    order = made_order(targets, recipe, span, given, to_and_fro=to_and_fro)
    source = Source(targets, order, recipe, fresh, start, given, device)
    opening = begun(source)
    grey = _grey(source, len(opening))
    clip = opening = greyed(opening.flatten(0, 1), grey).view(opening.shape)
    windows = Windows(source, len(opening), span, recipe)
    full = (opening.shape[-2], opening.shape[-1])
    for number, octave in enumerate(recipe.octaves):
        size = octave_size(full, octave.scale)
        clip = carried(clip, opening, size, recipe)
        chunks = [c for some in windows.chunks(size, sides, recipe.whole.chunk) for c in some]
        evaluate = tied(slope_of_all(chunks, clip.shape, source.fixed), grey)
        clip = yield from _octave(clip, evaluate, recipe, number)
        finest = number + 1 == len(recipe.octaves)
        if recipe.colour.after == ("frame" if finest else "octave"):
            clip = _coloured(clip, windows, recipe)
    clip = resized(clip, full, recipe.antialias).clamp(0, 1)
    clip[:, : source.fixed] = opening[:, : source.fixed]  # whatever colour transfer did to them
    yield from _judged(clip, windows, sides)


def begun(source: Source) -> Tensor:
    """Where all frames start, (B, L, 3, H, W): each from the one before, as in `walk`.

    A loop is gone round twice, and the two turns are joined.
    """
    frames: list[Tensor] = []
    length, turns = len(source.order), 2 if source.recipe.loop else 1
    for index in range(turns * length):
        frames.append(source.begin(index % length, frames[-1] if frames else None))
    chain = torch.stack(frames, 1)
    return joined(chain) if source.recipe.loop else chain


def joined(turns: Tensor) -> Tensor:
    """Two turns of a loop, one after the other, as one without a seam.

    (B, 2 L, ...) -> (B, L, ...): the second fades into the first, so that the last frame goes
    on where the first one of the second turn begins.

    Examples
    --------
    >>> joined(torch.arange(8.0)[None]).tolist()
    [[4.0, 4.0, 4.0, 4.0]]
    """
    first, second = turns.chunk(2, 1)
    share = torch.linspace(0, 1, first.shape[1] + 1)[:-1].to(turns)
    return torch.lerp(second, first, share.view(1, -1, *(1,) * (turns.dim() - 2)))


def _grey(source: Source, batch: int) -> Tensor:
    """Which of all frames are to have no colour: bool (B L, 1, 1, 1)."""
    frames = range(len(source.order))
    masks = [grey_of(source.natural(i, i), source.recipe).expand(batch, 1, 1, 1) for i in frames]
    mask = torch.stack(masks, 1)
    mask[:, : source.fixed] = False  # those that are given stay as they are
    return mask.flatten(0, 1)


def _octave(
    clip: Tensor, evaluate: Evaluate, recipe: Recipe, number: int
) -> Generator[Step, None, Tensor]:
    """All steps of one octave: (B, L, 3, h, w) -> refined (B, L, 3, h, w)."""
    steps = climb(clip.flatten(0, 1), evaluate, recipe, (0, number))
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            refined: Tensor = stop.value
            return refined.view(clip.shape)
        means = {name: loss.view(len(clip), -1).mean(1) for name, loss in step.losses.items()}
        yield replace(step, losses=means)


def slope_of_all(chunks: Sequence[Chunk], shape: torch.Size, fixed: int) -> Evaluate:
    """The function that maps all frames (B L, 3, h, w) to losses of windows and the slope.

    The first `fixed` frames have no slope.
    """

    def evaluate(x: Tensor) -> tuple[Losses, Tensor]:
        frames = x.view(shape)
        slope = torch.zeros_like(frames)
        found = []
        for chunk in chunks:
            windows = frames[chunk.item, chunk.places].detach().requires_grad_()
            losses = dict[str, Tensor]()
            for part in chunk.objective.parts:  # one after the other, to hold less
                with torch.enable_grad():
                    some = part(windows)
                    total = chunk.objective.total(some).sum()
                down = torch.autograd.grad(total, windows)[0]
                slope[chunk.item].index_add_(0, chunk.places.flatten(), down.flatten(0, 1))
                losses |= {name: value.detach() for name, value in some.items()}
            found.append(losses | {"total": chunk.objective.total(losses)})
        slope[:, :fixed] = 0
        return _in_order(found, chunks, shape[0]), slope.view_as(x)

    return evaluate


def _in_order(found: Sequence[Losses], chunks: Sequence[Chunk], batch: int) -> Losses:
    """Losses of all windows, (B x windows): those of the first metamer first."""
    items = [
        [one for one, chunk in zip(found, chunks, strict=True) if chunk.item == item]
        for item in range(batch)
    ]
    return {name: torch.cat([one[name] for some in items for one in some]) for name in found[0]}


def _coloured(clip: Tensor, windows: Windows, recipe: Recipe) -> Tensor:
    """Colour transfer of every frame (B, L, 3, h, w) to its natural one."""
    size = (clip.shape[-2], clip.shape[-1])
    frames = []
    for index in range(clip.shape[1]):
        natural = windows.source.natural(index, index)
        targets = {k: resized(w, size, recipe.antialias) for k, w in natural.items()}
        frames.append(coloured(clip[:, index], targets, recipe))
    return torch.stack(frames, 1)


def _judged(clip: Tensor, windows: Windows, sides: tuple[Side, ...]) -> Iterator[FrameDone]:
    """Every frame with the residuals of the window that ends at it."""
    size = (clip.shape[-2], clip.shape[-1])
    judges = tuple(side.judge for side in sides)
    pad = len(windows.source.order) - frames_of(windows.source.targets)
    for index in range(windows.source.fixed):
        yield FrameDone(index - pad, clip[:, index], {}, None)
    for end, chunks in zip(windows.ends, windows.chunks(size, judges, 1), strict=True):
        errors = [c.objective.residuals(clip[c.item, c.places]) for c in chunks]
        residuals = {name: torch.cat([one[name] for one in errors]) for name in errors[0]}
        if end >= windows.source.fixed:
            yield FrameDone(end - pad, clip[:, end], residuals, None)
