"""Square patches of photographs and generated pictures, for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from painted import dead_leaves, noise, scene
from photographs import Picture, pyramid

T = TypeVar("T")
TEXTURES, SCENES = 200, 12  # of each kind; of scenes
SCENE_SHARE = 0.05  # of the patches
LARGEST = 128  # px; the side of a generated texture


class Patches:
    """Random square patches; a quarter of each batch is blended with textures.

    All random numbers come from the generator passed to the call: equal generators give equal
    patches.

    Parameters
    ----------
    files : sequence of Path
        Photographs of at least 128 px on the short side.
    seed : int
        Random seed of the generated pictures.
    side : int
        Side of a patch (px), at most 128.
    """

    def __init__(self, files: Sequence[Path], seed: int, side: int = 96) -> None:
        random = np.random.default_rng(seed)
        self.photographs = [pyramid(path) for path in files]
        kinds = (noise, dead_leaves)
        self.textures = [make(LARGEST, random) for make in kinds for _ in range(TEXTURES)]
        self.scenes = [frame for _ in range(SCENES) for frame in scene(random)]
        self.side = side

    def __call__(self, count: int, random: Generator) -> Tensor:
        """Return patches (count, 3, side, side) in [0, 1]."""
        batch = np.stack([self._picture(random) for _ in range(count)])
        for i in range(count // 4):
            share = random.uniform()
            texture = self._crop(anyone(self.textures, random), random)
            batch[i] = (1 - share) * batch[i] + share * texture
        return jittered(torch.from_numpy(batch).movedim(-1, 1), random)

    def _picture(self, random: Generator) -> NDArray[np.float32]:
        if random.uniform() < SCENE_SHARE:
            return self._crop(anyone(self.scenes, random), random)
        return self._crop(anyone(anyone(self.photographs, random), random), random)

    def _crop(self, picture: Picture, random: Generator) -> NDArray[np.float32]:
        top, left = (int(random.integers(s - self.side + 1)) for s in picture.shape[:2])
        patch = picture[top : top + self.side, left : left + self.side]
        if random.uniform() < 0.5:
            patch = patch[:, ::-1]
        return (patch / 255).astype(np.float32)


def anyone(things: Sequence[T], random: Generator) -> T:
    return things[random.integers(len(things))]


def jittered(patches: Tensor, random: Generator) -> Tensor:
    """Change contrast, brightness and colour balance slightly."""
    contrast, shift, balance = (
        torch.from_numpy(random.uniform(low, high, (len(patches), channels, 1, 1))).float()
        for low, high, channels in ((0.7, 1.3, 1), (-0.1, 0.1, 1), (0.85, 1.15, 3))
    )
    mean = patches.mean((1, 2, 3), keepdim=True)
    return ((patches - mean) * contrast + mean + shift).mul(balance).clamp(0, 1)
