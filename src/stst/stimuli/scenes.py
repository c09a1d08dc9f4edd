"""Moving scenes made to be predicted: textured things that pass over textured ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.video.frames import Clip

Array = npt.NDArray[np.floating]  # float32


def pink_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    slope: float = 1.0,
    stretch: int = 1,
) -> Array:
    """Draw Gaussian noise whose amplitude falls as 1 / frequency ** slope.

    Natural photographs have a slope near 1 (Field 1987, J. Opt. Soc. Am. A 4, 2379).

    Parameters
    ----------
    shape : tuple of int
        Height and width in px; the noise is periodic in both.
    rng : numpy.random.Generator
        Where the phases come from.
    slope : float
        Steeper is smoother; 0 is white.
    stretch : int
        How many times longer than high the features are, as ground seen at a slant.

    Returns
    -------
    ndarray
        Of that shape, float32, mean 0, standard deviation 1.

    Examples
    --------
    >>> noise = pink_noise((32, 48), np.random.default_rng(0))
    >>> noise.shape, round(float(noise.std()), 3)
    ((32, 48), 1.0)
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    vertical = np.fft.fftfreq(shape[0])[:, None]
    horizontal = np.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(vertical, horizontal * stretch)
    frequency[0, 0] = np.inf  # no constant part: the mean is 0
    noise = np.fft.irfft2(spectrum * frequency**-slope, s=shape)
    return np.asarray(noise / noise.std(), np.float32)


def pebbles(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Pack round bumps closely: 1 at the top of each, 0 or less between them.

    Parameters
    ----------
    shape : tuple of int
        Height and width in px.
    spacing : float
        Mean distance of neighbours in px, at least 2.
    rng : numpy.random.Generator
        Where the positions come from: a square grid, each point moved at random.

    Returns
    -------
    ndarray
        Of that shape, float32, at most 1.
    """
    sides = (np.arange(0, side + spacing, spacing) for side in shape)
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
    tops = (grid + rng.uniform(-0.4, 0.4, grid.shape) * spacing).astype(int)
    rows, columns = np.clip(tops, 0, np.array(shape) - 1).T
    elsewhere = np.ones(shape, np.uint8)
    elsewhere[rows, columns] = 0
    distance = np.asarray(cv2.distanceTransform(elsewhere, cv2.DIST_L2, 5), np.float32)
    return 1 - (distance / (0.7 * spacing)) ** 2


def folds(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Wind ridges as those of a brain coral, about `spacing` px apart: float32, 0 to 1."""
    white = rng.standard_normal(shape).astype(np.float32)
    fine = cv2.GaussianBlur(white, (0, 0), spacing / 4)
    band = fine - cv2.GaussianBlur(white, (0, 0), spacing / 2)
    depth: Array = (np.abs(band) / (1.5 * band.std())).clip(0, 1)
    return 1 - depth


def blend(below: Array, above: Array, cover: Array) -> Array:
    """Lay `above` over `below`, (H, W, 3) or (3,), where `cover`, (H, W), is 1."""
    mixed: Array = below + cover[..., None] * (above - below)
    return mixed


FRAME_RATE = Fraction(25)
_CANVAS = 192  # px, of a texture; mirrored beyond
_FASTEST = 5.0  # px a frame
_MOST = 4  # things before the ground


def moving_scene(
    seed: int | Sequence[int], *, frames: int = 10, height: int = 64, width: int = 80
) -> Clip:
    """Film coloured 1 / f textures that move, turn and grow, up to four before another.

    Each goes at a speed of its own, up to 5 px a frame, and one in eight stays where it is; the
    ground moves as under a camera. Things are superellipses, and hide what is behind them.

    Parameters
    ----------
    seed : int or sequence of int
        Another seed is another scene.
    frames, height, width : int
        Length in frames, size in px.

    Returns
    -------
    Clip
        (frames, 3, height, width), the same for the same arguments.

    Examples
    --------
    >>> clip = moving_scene(3, frames=2, height=32, width=40)
    >>> len(clip), clip.size
    (2, (32, 40))
    """
    rng = np.random.default_rng(seed)
    film = _Layer.drawn(rng, ground=True).seen(frames, height, width)[0]
    for _ in range(rng.integers(_MOST + 1)):
        colours, cover = _Layer.drawn(rng, ground=False).seen(frames, height, width)
        film = film + cover * (colours - film)
    return Clip(film.clamp(0, 1).contiguous(), FRAME_RATE)


@dataclass(frozen=True)
class _Layer:
    """A texture, (3, N, N), its outline, and how it goes on from frame to frame."""

    canvas: Tensor
    axes: Array  # half, px, across and down
    power: float  # of the superellipse
    middle: Array  # in the middle of the clip, as a share of the frame's half sides
    speed: Array  # px a frame, to the right and DOWN
    turn: float  # radians a frame
    growth: float  # natural logarithm a frame

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
        """Colours, (T, 3, H, W), and how much of each pixel they cover, (T, 1, H, W)."""
        places = torch.stack([self._places(t - frames / 2, height, width) for t in range(frames)])
        canvas = self.canvas.expand(frames, -1, -1, -1)
        grid = places / (_CANVAS / 2)
        colours = F.grid_sample(canvas, grid, "bicubic", "reflection", align_corners=False)
        a, b = self.axes.tolist()
        out = (places[..., 0] / a).abs() ** self.power + (places[..., 1] / b).abs() ** self.power
        inside = (1 - out ** (1 / self.power)) * min(a, b)  # px from the outline, about
        cover = (0.5 + inside).clamp(0, 1) if np.isfinite(a) else torch.ones_like(out)
        return colours, cover[:, None]

    def _places(self, t: float, height: int, width: int) -> Tensor:
        """Where pixels are on the canvas, px right and down of its middle: (H, W, 2)."""
        sides = np.array([width, height])
        x, y = (np.arange(side) - (side - 1) / 2 for side in sides.tolist())
        pixels = np.stack(np.meshgrid(x, y), -1)
        c, s = np.cos(self.turn * t), np.sin(self.turn * t)
        away = pixels - self.middle * sides / 2 - self.speed * t
        turned = away @ np.array([[c, -s], [s, c]]) * np.exp(-self.growth * t)
        return torch.from_numpy(turned.astype(np.float32))


def _texture(rng: np.random.Generator) -> Tensor:
    """A base colour and, about it, noise between fine and smooth: mostly light, some colour."""
    side = (_CANVAS, _CANVAS)
    light, tint = pink_noise(side, rng, slope=rng.uniform(0.9, 1.6)), pink_noise(side, rng)
    grey, contrast = rng.uniform(0.2, 0.8), rng.uniform(0.03, 0.2)
    base, hue = rng.normal(0, 0.12, (3, 1, 1)), rng.normal(0, 0.03, (3, 1, 1))
    canvas = grey + base + contrast * light + hue * tint
    return torch.from_numpy(canvas.clip(0, 1).astype(np.float32))
