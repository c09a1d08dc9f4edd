"""A clip made on the spot: a clownfish swims over a reef while the camera pans along."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch

from stst.errors import FramesError
from stst.stimuli.reef import clownfish, draw, panorama, sow
from stst.stimuli.scenes import Array, pink_noise
from stst.video.frames import Clip

PAN = 1  # px by which the camera moves to the right, a frame
SWIM = 1.25  # px by which the fish moves to the right in the picture, a frame
_FINE = 2  # samples a pixel in each direction


def natural_scene(
    *,
    frames: int = 16,
    height: int = 144,
    width: int = 256,
    frame_rate: Fraction = Fraction(25),
    seed: int = 0,
) -> Clip:
    """Film a clownfish over a coral reef, under moving water.

    The camera pans by 1 px a frame, so the reef moves to the left; the fish moves by
    1.25 px a frame to the right (slower where a long clip would lose it), beats its tail
    and bobs. Textures fall as 1 / frequency, as those of photographs do.

    Parameters
    ----------
    frames : int
        Number of frames, at least 1.
    height, width : int
        Size in px, each at least 32.
    frame_rate : Fraction
        Frames per second.
    seed : int
        Another seed makes another reef.

    Returns
    -------
    Clip
        (frames, 3, height, width); the same arguments give the same clip.

    Raises
    ------
    FramesError
        If there is no frame or a side is below 32 px.

    Examples
    --------
    >>> clip = natural_scene(frames=2, height=48, width=64)
    >>> len(clip), clip.size
    (2, (48, 64))
    """
    if frames < 1 or min(height, width) < 32:
        raise FramesError(
            "a scene needs at least 1 frame of 32 x 32 px, "
            f"got {frames} of {height} x {width}; ask for more."
        )
    rng = np.random.default_rng(seed)
    fine = (height * _FINE, (width + PAN * (frames - 1)) * _FINE)
    reef = panorama(fine, rng)
    waves = [pink_noise(fine, rng, slope=2.0, stretch=3) for _ in range(2)]
    blades = sow(fine, rng)
    grain = pink_noise((256, 256), rng)
    speed = min(SWIM, 0.5 * width / frames)
    film = np.empty((frames, height, width, 3), np.float32)
    for index in range(frames):
        picture = reef * _sunlight(waves, index)[..., None]
        left = PAN * index * _FINE
        window = picture[:, left : left + width * _FINE]  # a view: drawn into in place
        middle = width / 2 + speed * (index - (frames - 1) / 2)
        _swim(window, middle * _FINE, index, grain)
        draw(picture, blades, 0.25 * index)
        film[index] = window.reshape(height, _FINE, width, _FINE, 3).mean((1, 3))
    pixels = torch.from_numpy(film.clip(0, 1)).permute(0, 3, 1, 2).contiguous()
    return Clip(pixels, frame_rate)


def _sunlight(waves: list[Array], index: int) -> Array:
    """Brightness of the ground, (H, W): moving bright lines, where two waves cancel."""
    height = waves[0].shape[0]
    crossing = np.roll(waves[0], index, axis=1) + np.roll(waves[1], -2 * index, axis=1)
    depth = (np.linspace(0, 1, height, dtype=np.float32) - 0.45).clip(0, 0.3)[:, None] / 0.3
    return 1 + depth * (0.45 * np.exp(-((crossing / 0.3) ** 2)) - 0.1)


def _swim(picture: Array, middle: float, index: int, grain: Array) -> None:
    """Draw the fish and its shadow into a frame, `middle` samples from the left."""
    height, width = picture.shape[:2]
    half = 0.4 * min(height, 0.6 * width)
    level = height * (0.42 + 0.015 * np.sin(0.3 * index))
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    shadow = ((x - middle) / half) ** 2 + ((y - 0.86 * height) / (0.14 * half)) ** 2
    picture *= 1 - 0.4 * np.exp(-(shadow**1.5))[..., None]
    rows = slice(int(level - 0.7 * half), int(level + 0.75 * half))
    columns = slice(max(0, int(middle - 1.15 * half)), int(middle + 1.1 * half))
    u = (x[rows, columns] - middle) / half
    v = (level - y[rows, columns]) / half
    colour, cover = clownfish(u, v, 0.45 * index, grain)
    picture[rows, columns] *= 1 - cover[..., None]
    picture[rows, columns] += colour
