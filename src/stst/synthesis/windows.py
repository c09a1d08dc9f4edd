"""Which windows of a whole clip answer to which natural ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stst.losses.objective import Objective
from stst.recipe import Recipe
from stst.synthesis.starts import Source
from stst.synthesis.transition import Side, build_objective, resized

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
