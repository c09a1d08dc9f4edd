"""Where a frame starts from: noise, the frame before, or frames that were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stst.recipe import Recipe
from stst.synthesis.noise import KINDS, unlike
from stst.synthesis.transition import appearance, motion
from stst.synthesis.warp import affine, elsewhere, flow_back, warped
from stst.video.frames import Footage

Noise = Callable[[int], Tensor]  # transition -> (B, 3, H, W) in [0, 1]


@dataclass(frozen=True)
class Source:
    """The natural frames behind the made ones, and the start of each."""

    targets: Mapping[str, Sequence[Footage]]  # one clip for all metamers or one for each
    order: Sequence[int]  # index of the natural frame behind each made one
    recipe: Recipe
    fresh: Noise
    start: Footage | None
    given: Footage | None
    device: str

    @property
    def fixed(self) -> int:
        """How many frames are given, at the beginning."""
        return 0 if self.given is None else len(self.given)

    def natural(self, first: int, last: int) -> dict[str, Tensor]:
        """The natural frames behind made ones, (1 or B, T, 3, H, W), of each loss."""
        wanted = self.order[first : last + 1]
        # One clip may stand behind several losses and metamers: it is read once.
        taken = {id(c): c.take(wanted) for clips in self.targets.values() for c in clips}
        return {
            loss: torch.stack([taken[id(clip)] for clip in clips]).to(self.device)
            for loss, clips in self.targets.items()
        }

    def begin(self, transition: int, previous: Tensor | None = None) -> Tensor:
        """The start of one frame, (B, 3, H, W); a given one is the frame itself."""
        if self.given is not None and transition < self.fixed:
            frame = self.given.take([transition]).to(self.device)
            return frame.expand_as(self.fresh(transition))
        if self.start is not None:
            given = self.start.take([self.order[transition]]).to(self.device)
            return given.expand_as(self.fresh(transition))
        if previous is None:
            return self._random(transition)
        # Without a temporal target there is no motion to follow: texture alone must hold none.
        if self.recipe.start.warp != "none" and any(k.startswith("time") for k in self.targets):
            last = max(transition, 1)  # the second turn of a loop begins with its first motion
            window = self.natural(last - 1, last)
            previous = warped(previous, self._flow(*motion(window).unbind(1)))
        if self.recipe.start.blend == 1:
            return previous
        return torch.lerp(self._random(transition), previous, self.recipe.start.blend)

    def _flow(self, before: Tensor, after: Tensor) -> Tensor:
        """Where pixels of `after` were, as the recipe tells it, (1 or B, 2, H, W)."""
        flow, warp = flow_back(before, after), self.recipe.start.warp
        if warp == "dense":
            return flow
        whole = affine(flow, after)
        return whole if warp == "affine" else whole + elsewhere(flow - whole, self.fresh(0))

    def _random(self, transition: int) -> Tensor:
        """Noise as the recipe wants it, (B, 3, H, W)."""
        natural = appearance(self.natural(transition, transition))
        random, how = self.fresh(transition), self.recipe.start
        if how.noise == "scrambled" and how.draws > 1:
            return unlike(random, natural, how.draws)
        return KINDS[how.noise](random, natural)
