"""What a network is shown beside: a clip with some noise, and clips of something else."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError
from stst.video.frames import Footage

JITTER = 0.01  # standard deviation of the noise, of white: 2.6 of 255 levels; our choice
JITTERS = 2  # copies


class Jittered:
    """A clip with Gaussian noise on every value, drawn anew for each frame from a seed.

    Its similarity with the clip is the ceiling: what is left where next to nothing changed.
    """

    def __init__(self, footage: Footage, seed: int, spread: float = JITTER) -> None:
        self.footage, self.seed, self.spread = footage, seed, spread
        self.size, self.frame_rate = footage.size, footage.frame_rate

    def __len__(self) -> int:
        return len(self.footage)

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames with their noise: a frame has the same noise whenever it is taken."""
        frames = self.footage.take(indices)
        noise = [self._noise(index, frames.shape[1:]) for index in indices]
        return (frames + self.spread * torch.stack(noise)).clamp(0, 1)

    def _noise(self, index: int, shape: torch.Size) -> Tensor:
        dice = np.random.default_rng((self.seed, index))
        return torch.from_numpy(dice.standard_normal(tuple(shape), dtype=np.float32))


class Fitted:
    """The first frames of a clip, resized to the size of another, whose frame rate it takes.

    The aspect ratio is not kept, as networks do not keep it either.

    Raises
    ------
    FramesError
        If it has fewer frames.
    """

    def __init__(self, footage: Footage, like: Footage) -> None:
        if len(footage) < len(like):
            raise FramesError(
                f"the natural clip has {len(like)} frames, and one that it is compared with "
                f"has {len(footage)}: give one that is at least as long."
            )
        self.footage, self._length = footage, len(like)
        self.size: tuple[int, int] = like.size
        self.frame_rate: Fraction = like.frame_rate

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for."""
        frames = self.footage.take(indices)
        if self.footage.size == self.size:
            return frames
        return F.interpolate(frames, self.size, mode="bilinear", antialias=True).clamp(0, 1)
