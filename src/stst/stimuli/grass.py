"""Sea grass that sways with the water."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stst.stimuli.texture import Array

_JOINTS = 9
_DARK = np.array((0.05, 0.16, 0.10))
_BRIGHT = np.array((0.55, 0.70, 0.25))


@dataclass(frozen=True)
class Blade:
    """One leaf: where it stands, its size in px, its lean and its brightness in [0, 1]."""

    x: float
    y: float
    length: float
    lean: float
    bright: float


def sow(shape: tuple[int, int], rng: np.random.Generator) -> list[Blade]:
    """Place blades in clumps along the lower edge of a picture of that size."""
    height, width = shape
    clumps = rng.uniform(0, width, max(2, round(1.6 * width / height)))
    return [
        Blade(
            x=rng.normal(clump, 0.1 * height),
            y=rng.uniform(0.99, 1.06) * height,
            length=rng.uniform(0.14, 0.4) * height,
            lean=rng.normal(0, 0.3),
            bright=rng.uniform(0.35, 1),
        )
        for clump in clumps
        for _ in range(18)
    ]


def draw(picture: Array, blades: list[Blade], phase: float) -> None:
    """Draw blades into (H, W, 3) in their order; `phase` of the swell in radians."""
    height = picture.shape[0]
    share = np.linspace(0, 1, _JOINTS)  # of the length, from the root up
    for blade in blades:
        swell = 0.25 * np.sin(phase + 3 * blade.x / height - 1.5 * share)
        x = blade.x + blade.length * share**1.6 * (blade.lean + swell)
        y = blade.y - blade.length * share
        thick = 0.011 * height * (1 - share**2) + 0.3
        ribbon = np.stack([np.stack([x - thick, y], -1), np.stack([x + thick, y], -1)], 1)
        joints = np.round(ribbon * 16).astype(np.int32)
        for joint in range(_JOINTS - 1):
            quad = joints[joint : joint + 2].reshape(4, 2)[[0, 1, 3, 2]]
            tint = _DARK + blade.bright * (0.15 + 0.85 * share[joint]) * (_BRIGHT - _DARK)
            cv2.fillConvexPoly(picture, quad, tint.tolist(), shift=4)
