"""Moving scenes for training prediction networks: textured objects over a textured background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.stimuli.stimulus import Array, pink_noise
from stst.video.frames import Clip

FRAME_RATE = Fraction(25)
_CANVAS = 192  # side of a texture, px; mirrored beyond
_FASTEST = 5.0  # px per frame
_MOST = 4  # objects in front of the background


def moving_scene(
    seed: int | Sequence[int], *, frames: int = 10, height: int = 64, width: int = 80
) -> Clip:
    """Draw a scene of up to four moving, occluding objects over a moving background.

    Objects are superellipses; objects and background are coloured 1/f textures that translate,
    rotate and grow. Each moves at its own speed, up to 5 px per frame; one in eight is static.

    Parameters
    ----------
    seed : int or sequence of int
        Random seed. The same seed gives the same scene.
    frames : int, default 10
        Number of frames.
    height : int, default 64
        Frame height in pixels.
    width : int, default 80
        Frame width in pixels.

    Returns
    -------
    Clip
        The scene at 25 frames per second.

    Examples
    --------
    >>> moving_scene(0, frames=2)
    Clip(2 frames of 80x64 px at 25/s, 0.08 s)
    """
    rng = np.random.default_rng(seed)
    film = _Layer.drawn(rng, ground=True).seen(frames, height, width)[0]
    for _ in range(rng.integers(_MOST + 1)):
        colours, cover = _Layer.drawn(rng, ground=False).seen(frames, height, width)
        film = film + cover * (colours - film)
    return Clip(film.clamp(0, 1).contiguous(), FRAME_RATE)


@dataclass(frozen=True)
class _Layer:
    """A texture, (3, N, N), its outline and its motion."""

    canvas: Tensor
    axes: Array  # half axes, px, horizontal and vertical
    power: float  # exponent of the superellipse
    middle: Array  # position at mid-clip, as a proportion of half the frame
    speed: Array  # px per frame, right and DOWN
    turn: float  # radians per frame
    growth: float  # natural logarithm of the growth factor per frame

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, ground: bool) -> _Layer:
        way, still = rng.uniform(0, 2 * np.pi), rng.random() < 1 / 8
        speed = 0.0 if still else _FASTEST * rng.random() ** 1.5
        turn, growth = (0.0, 0.0) if still else rng.normal(0, (0.02, 0.01))
        return cls(
            canvas=_texture(rng),
            axes=np.full(2, np.inf) if ground else rng.uniform(5, 26, 2),
            power=rng.uniform(1.5, 5),
            middle=np.zeros(2) if ground else rng.uniform(-1, 1, 2),
            speed=speed * np.array([np.cos(way), np.sin(way)]),
            turn=turn,
            growth=growth,
        )

    def seen(self, frames: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return colours, (T, 3, H, W), and the proportion of each pixel covered, (T, 1, H, W)."""
        places = torch.stack([self._places(t - frames / 2, height, width) for t in range(frames)])
        canvas = self.canvas.expand(frames, -1, -1, -1)
        grid = places / (_CANVAS / 2)
        colours = F.grid_sample(canvas, grid, "bicubic", "reflection", align_corners=False)
        a, b = self.axes.tolist()
        out = (places[..., 0] / a).abs() ** self.power + (places[..., 1] / b).abs() ** self.power
        inside = (1 - out ** (1 / self.power)) * min(a, b)  # approximate px from the outline
        cover = (0.5 + inside).clamp(0, 1) if np.isfinite(a) else torch.ones_like(out)
        return colours, cover[:, None]

    def _places(self, t: float, height: int, width: int) -> Tensor:
        """Return the position of each pixel on the canvas, px right and DOWN of its centre."""
        sides = np.array([width, height])
        x, y = (np.arange(side) - (side - 1) / 2 for side in sides.tolist())
        pixels = np.stack(np.meshgrid(x, y), -1)
        c, s = np.cos(self.turn * t), np.sin(self.turn * t)
        away = pixels - self.middle * sides / 2 - self.speed * t
        turned = away @ np.array([[c, -s], [s, c]]) * np.exp(-self.growth * t)
        return torch.from_numpy(turned.astype(np.float32))


def _texture(rng: np.random.Generator) -> Tensor:
    """Draw a base colour plus noise of random smoothness: mostly luminance, some colour."""
    side = (_CANVAS, _CANVAS)
    light, tint = pink_noise(side, rng, slope=rng.uniform(0.9, 1.6)), pink_noise(side, rng)
    grey, contrast = rng.uniform(0.2, 0.8), rng.uniform(0.03, 0.2)
    base, hue = rng.normal(0, 0.12, (3, 1, 1)), rng.normal(0, 0.03, (3, 1, 1))
    canvas = grey + base + contrast * light + hue * tint
    return torch.from_numpy(canvas.clip(0, 1).astype(np.float32))
