"""Where a frame starts from: noise, the frame before, or frames that were given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stst.recipe import Recipe
from stst.synthesis.transition import appearance, motion
from stst.synthesis.warp import affine, flow_back, warped
from stst.video.frames import Footage

Noise = Callable[[int], Tensor]  # transition -> (B, 3, H, W) in [0, 1]


def noise(seed: int, index: int, shape: Sequence[int]) -> Tensor:
    """Uniform noise in [0, 1] for frame `index`, whatever was made before it.

    A function of its arguments alone, so that a resumed run needs no generator state.

    Examples
    --------
    >>> bool((noise(0, 3, (3, 8, 8)) == noise(0, 3, (3, 8, 8))).all())
    True
    """
    key = hashlib.sha256(f"{seed}/{index}".encode()).digest()[:7]
    rng = torch.Generator().manual_seed(int.from_bytes(key, "big"))
    return torch.rand(tuple(shape), generator=rng, dtype=torch.float32)


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
            # What is only noise is moved as often as the clip is long, and never refined in
            # between: mirrors at its borders would add up to streaks.
            outside = None if self.recipe.whole is None else self._random(transition)
            previous = warped(previous, self._flow(*motion(window).unbind(1)), outside)
        if self.recipe.start.blend == 1:
            return previous
        return torch.lerp(self._random(transition), previous, self.recipe.start.blend)

    def _flow(self, before: Tensor, after: Tensor) -> Tensor:
        """Where pixels of `after` were, as the recipe tells it, (1 or B, 2, H, W)."""
        flow = flow_back(before, after)
        return flow if self.recipe.start.warp == "dense" else affine(flow)

    def _random(self, transition: int) -> Tensor:
        """Noise as the recipe wants it, (B, 3, H, W)."""
        uniform = self.fresh(transition)
        if self.recipe.start.noise == "uniform":
            return uniform
        return matched(uniform, appearance(self.natural(transition, transition)))


def matched(random: Tensor, natural: Tensor) -> Tensor:
    """Noise with the natural frame's mean colour and its covariance of R, G, B, in [0, 1].

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W).
    """
    colours = natural.flatten(2)
    mean = colours.mean(2, keepdim=True)
    centred = colours - mean
    values, axes = torch.linalg.eigh(centred @ centred.mT / colours.shape[2])
    # The symmetric root: the signs of the axes are free, and cancel in it.
    spread = (axes * values.clamp_min(0).sqrt()[:, None]) @ axes.mT
    # A uniform variable in [0, 1] has deviation 1 / sqrt(12).
    white = (random.flatten(2) - 0.5) * 12**0.5
    coloured: Tensor = mean + spread @ white
    return coloured.clamp(0, 1).view_as(random)
