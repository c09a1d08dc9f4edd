"""Generated pictures used to train the compact trunk, in addition to photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photographs import Picture
from reef import natural_scene
from stst.video.frames import to_uint8

SCENE = (240, 320)  # px, height and width
FRAMES = 4


def scene(random: np.random.Generator) -> list[Picture]:
    """Return frames of a generated moving scene, from a random place in it."""
    height, width = SCENE
    seed = int(random.integers(2**31))
    clip = natural_scene(frames=FRAMES, height=height, width=width, seed=seed)
    return list(to_uint8(clip.frames))


def noise(side: int, random: np.random.Generator) -> Picture:
    """Return noise of spectrum 1 / f^a, stretched in one direction, with correlated colours."""
    slope, stretch, angle = random.uniform((0, 0.3, 0), (2.2, 1, np.pi))
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    along, across = (
        x * np.cos(angle) + y * np.sin(angle),
        y * np.cos(angle) - x * np.sin(angle),
    )
    filtered = 1 / np.maximum(np.hypot(along * stretch, across), 1 / side) ** slope
    filtered[0, 0] = 0
    spectrum = np.fft.rfft2(random.standard_normal((3, side, side))) * filtered
    colours = np.einsum("ij,jyx->yxi", random.standard_normal((3, 3)), np.fft.irfft2(spectrum))
    deviation = random.uniform(0.05, 0.3) * colours / colours.std()
    return to_picture(random.uniform(0.3, 0.7, 3) + deviation)


def dead_leaves(side: int, random: np.random.Generator, count: int = 500) -> Picture:
    """Return discs that occlude one another, with radii as 1 / r^3, each shaded."""
    canvas = np.full((side, side, 3), 0.5)
    y, x = np.mgrid[:side, :side]
    for _ in range(count):
        radius = min(1.5 / np.sqrt(random.uniform(1e-3, 1)), side / 3) * 2
        cy, cx = random.uniform(0, side, 2)
        rows = slice(max(int(cy - radius), 0), int(cy + radius) + 2)
        columns = slice(max(int(cx - radius), 0), int(cx + radius) + 2)
        dy, dx = y[rows, columns] - cy, x[rows, columns] - cx
        shade = 1 + random.normal(0, 0.2) * dy / radius + random.normal(0, 0.2) * dx / radius
        inside = (np.hypot(dy, dx) < radius)[..., None]
        leaf = random.uniform(0, 1, 3) * shade[..., None]
        canvas[rows, columns] = np.where(inside, leaf, canvas[rows, columns])
    return to_picture(canvas)


def to_picture(values: NDArray[np.float64]) -> Picture:
    return (values.clip(0, 1) * 255).round().astype(np.uint8)
