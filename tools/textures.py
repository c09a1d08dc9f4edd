"""Still textures to be moved: square canvases at twice the pixel density of the frames."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.random import Generator
from scipy import ndimage
from torch import Tensor

CANVAS = 512  # samples on a side
DENSITY = 2  # canvas samples per frame pixel
KINDS = ("noise", "white", "leaves", "plaid")
SHARES = (0.42, 0.15, 0.33, 0.10)


def frequencies() -> np.ndarray:
    """Return the radial frequency (cycles per frame pixel) of each sample of a canvas's `rfft2`."""
    down = np.fft.fftfreq(CANVAS, 1 / DENSITY)[:, None]
    across = np.fft.rfftfreq(CANVAS, 1 / DENSITY)[None]
    return np.hypot(down, across)


def noise(rng: Generator, slope: float, cutoff: float = np.inf) -> np.ndarray:
    """Make Gaussian noise of amplitude 1 / f^slope, zero mean, unit variance.

    Limited to the square band of frequencies that frames can show, so that slope 0 is white on
    frames; `cutoff` (cycles per pixel) adds a Gaussian low-pass.
    """
    f = frequencies()
    down = np.abs(np.fft.fftfreq(CANVAS, 1 / DENSITY)[:, None])
    across = np.fft.rfftfreq(CANVAS, 1 / DENSITY)[None]
    gain = np.exp(-0.5 * (f / cutoff) ** 2) * (np.maximum(down, across) <= 0.5)
    gain = gain * np.maximum(f, 1 / 64) ** -slope
    gain[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((CANVAS, CANVAS))) * gain)
    return field / field.std()


def leaves(rng: Generator) -> np.ndarray:
    """Make dead leaves: opaque discs of radius density r^-3, each lightly textured."""
    canvas = 0.7 * noise(rng, 1.5)
    smallest, largest = DENSITY * rng.uniform(1.5, 5), DENSITY * 48.0
    u = rng.random(900)
    radii = (smallest**-2 * (1 - u) + largest**-2 * u) ** -0.5
    for radius, tone in zip(radii, rng.standard_normal(len(radii)), strict=True):
        _paint_disc(canvas, rng.uniform(0, CANVAS, 2), radius, tone)
    canvas = canvas + rng.uniform(0, 0.4) * noise(rng, rng.uniform(0.5, 1.5))
    canvas = ndimage.gaussian_filter(canvas, DENSITY * rng.uniform(0.4, 1.0))
    return canvas / canvas.std()


def _paint_disc(canvas: np.ndarray, centre: np.ndarray, radius: float, tone: float) -> None:
    top, left = (max(int(c - radius), 0) for c in centre)
    window = canvas[top : int(centre[0] + radius) + 2, left : int(centre[1] + radius) + 2]
    y = np.arange(top, top + window.shape[0])[:, None] - centre[0]
    x = np.arange(left, left + window.shape[1])[None] - centre[1]
    window[y * y + x * x <= radius * radius] = tone


def plaid(rng: Generator) -> np.ndarray:
    """Make two to four gratings, at least 25 degrees apart, 12 to 64 px per cycle.

    The cycles are long enough for the fastest motion to stay below three quarters of a cycle.
    """
    y, x = np.mgrid[:CANVAS, :CANVAS] / DENSITY
    count = rng.integers(2, 5)
    turns = rng.uniform(0, np.pi) + np.pi * np.arange(count) / count
    canvas = np.zeros((CANVAS, CANVAS))
    for turn in turns + rng.uniform(-0.15, 0.15, count):
        wave = 2 * np.pi / np.exp(rng.uniform(np.log(12), np.log(64)))
        phase = wave * (x * np.cos(turn) + y * np.sin(turn)) + rng.uniform(0, 2 * np.pi)
        canvas += np.cos(phase) * rng.uniform(0.5, 1)
    return canvas / canvas.std()


def texture(rng: Generator, kind: str) -> Tensor:
    """Make a canvas of a kind, mean about 0.5, in [0, 1]: (1, 1, CANVAS, CANVAS)."""
    if kind == "noise":
        cutoff = np.exp(rng.uniform(np.log(0.06), np.log(2)))
        field = noise(rng, rng.uniform(0, 2), cutoff)
    elif kind == "white":
        field = noise(rng, 0.0)
    else:
        field = {"leaves": leaves, "plaid": plaid}[kind](rng)
    canvas = np.clip(0.5 + 0.2 * field, 0, 1).astype(np.float32)
    return torch.from_numpy(canvas)[None, None]


def photograph(rng: Generator, grey: np.ndarray) -> Tensor:
    """Cut a piece of a grey photograph, (H, W) uint8, as a canvas: (1, 1, CANVAS, CANVAS).

    One pixel of the photograph is one pixel of the frames, so that the frames can show all of it,
    and shifts by parts of a pixel cause no aliasing.
    """
    side = CANVAS // DENSITY
    top, left = (int(rng.integers(length - side + 1)) for length in grey.shape)
    piece = grey[top : top + side, left : left + side].astype(np.float32) / 255
    canvas = cv2.resize(piece, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(canvas).clamp(0, 1)[None, None]


def blob_mask(rng: Generator) -> Tensor:
    """Make opaque (1) and clear (0) regions of random outline: (1, 1, CANVAS, CANVAS)."""
    field = noise(rng, 1.0, cutoff=rng.uniform(0.01, 0.03))
    mask = (field > rng.uniform(0.2, 1.0)).astype(np.float32)
    return torch.from_numpy(mask)[None, None]
