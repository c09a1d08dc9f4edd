"""Held-out frame pairs of exact flow, and the error of a temporal stream on them.

The photographs come from scikit-image. Shifted noise is made by a Fourier shift of a larger
periodic field, deliberately not by the code that makes the training pairs. The seeds differ from
all training seeds.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import skimage.data
import torch
from numpy.random import Generator
from torch import Tensor

from moving_textures import Layer, Motion, compose, spiral, translation
from stst.models.temporal import Msoe
from textures import CANVAS, blob_mask, texture

SEED = 0x5EED_0F_7E57
SIZE = 128  # px, side of a frame
MARGIN = 16  # px left out of the interior mean
SPEEDS = (0, 0.5, 1, 2, 4, 6, 8)
NOISES = {"white noise": 0.0, "1/f^0.5 noise": 0.5, "1/f noise": 1.0, "1/f^1.5 noise": 1.5}
CONTRASTS = (0.02, 0.05, 0.1)  # standard deviation; elsewhere 0.2
PHOTOGRAPHS = (  # one for each direction
    "astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel", "rocket",
)  # fmt: skip
Pair = tuple[Tensor, Tensor]  # frames in [0, 1] (2, S, S), flow (2, S, S) in (right, UP)


def shifted_noise(
    rng: Generator, slope: float, right: float, up: float, contrast: float = 0.2
) -> Pair:
    """Make periodic noise of amplitude 1 / f^slope, moved exactly by a phase ramp."""
    side = 2 * SIZE
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    spectrum = np.fft.rfft2(rng.standard_normal((side, side)))
    spectrum *= np.maximum(np.hypot(down, across), 1 / side) ** -slope
    ramp = np.exp(-2j * np.pi * (across * right - down * up))
    pair = [np.fft.irfft2(s, (side, side))[:SIZE, :SIZE] for s in (spectrum, spectrum * ramp)]
    frames = np.clip(0.5 + contrast * (pair - np.mean(pair)) / np.std(pair), 0, 1)
    flow = torch.tensor([right, up]).float()[:, None, None].expand(2, SIZE, SIZE)
    return torch.from_numpy(frames.astype(np.float32)), flow


def layer(rng: Generator, kind: str, motion: Motion, mask: Tensor | None = None) -> Layer:
    """Make a moving texture of a kind used in training, but not seen in training."""
    return Layer(texture(rng, kind), motion, np.eye(2), rng.uniform(-9, 9, 2), mask)


def photograph(name: str) -> Tensor:
    """Return the middle of a photograph in grey, as a canvas: (1, 1, CANVAS, CANVAS) in [0, 1]."""
    picture = getattr(skimage.data, name)()
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    scale = CANVAS / min(grey.shape)
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = tuple(max(round(side * scale), CANVAS) for side in grey.shape[::-1])
    top, left = ((side - CANVAS) // 2 for side in size[::-1])
    square = cv2.resize(grey, size, interpolation=kind)[top:, left:][:CANVAS, :CANVAS]
    return torch.from_numpy(square.astype(np.float32) / 255)[None, None]


def shifted_photograph(name: str, right: float, up: float) -> Pair:
    offset = np.zeros(2)
    return compose([Layer(photograph(name), translation(right, up), np.eye(2), offset)], SIZE)


def moved(rng: Generator, kind: str, motion: Motion) -> Pair:
    return compose([layer(rng, kind, motion)], SIZE)


def occluded(rng: Generator, front: Motion) -> Pair:
    """Make moving dead leaves in front of still ones."""
    still = layer(rng, "leaves", translation(0, 0))
    return compose([still, layer(rng, "leaves", front, blob_mask(rng))], SIZE)


def directions(speed: float) -> Iterator[tuple[float, float]]:
    """Return eight displacements (right, up) of equal length, 45 degrees apart."""
    for angle in np.arange(8) * np.pi / 4:
        yield speed * float(np.cos(angle)), speed * float(np.sin(angle))


def cells() -> Iterator[tuple[str, str, list[Pair]]]:
    """Yield rows (kind) and columns (motion) with their eight pairs."""
    for speed in SPEEDS:
        name = f"{speed:g} px"
        for kind, slope in NOISES.items():
            rng = np.random.default_rng([SEED, int(2 * speed), int(2 * slope)])
            yield kind, name, [shifted_noise(rng, slope, *d) for d in directions(speed)]
        for kind in ("leaves", "plaid"):
            rng = np.random.default_rng([SEED, int(2 * speed), len(kind)])
            yield kind, name, [moved(rng, kind, translation(*d)) for d in directions(speed)]
        shifts = zip(PHOTOGRAPHS, directions(speed), strict=True)
        yield "photograph", name, [shifted_photograph(photo, *d) for photo, d in shifts]
    for contrast in CONTRASTS:
        rng = np.random.default_rng([SEED, int(1000 * contrast)])
        pairs = [shifted_noise(rng, 1.0, *d, contrast) for d in directions(2)]
        yield f"1/f noise, {contrast:.0%}", "2 px", pairs
    rng = np.random.default_rng([SEED, 99])
    for kind in ("noise", "leaves"):
        for turn in (0.02, 0.05):
            motions = [spiral(sign * turn, 0) for sign in (-1, 1)] * 4
            yield f"{kind}, turning", f"{turn} rad", [moved(rng, kind, m) for m in motions]
            motions = [spiral(0, sign * turn) for sign in (-1, 1)] * 4
            yield f"{kind}, growing", f"{turn:.0%}", [moved(rng, kind, m) for m in motions]
    for speed in (2, 4):
        pairs = [occluded(rng, translation(*d)) for d in directions(speed)]
        yield "occlusion", f"{speed} px", pairs


def error_map(model: Msoe, pair: Pair) -> Tensor:
    """Return the length of the flow's error at each pixel (px): (S, S)."""
    frames, flow = pair
    clip = frames[None, :, None].expand(1, 2, 3, SIZE, SIZE)
    with torch.no_grad():
        return (model(clip, ["flow"])["flow"][0] - flow).square().sum(0).sqrt()


def evaluate(model: Msoe) -> Iterator[tuple[str, str, float, float, float]]:
    """Yield kind, motion, and mean length (px) of flow, of error, and of error off the borders."""
    inside = slice(MARGIN, -MARGIN)
    for kind, motion, pairs in cells():
        errors = torch.stack([error_map(model, pair) for pair in pairs])
        length = torch.stack([flow.square().sum(0).sqrt() for _, flow in pairs]).mean()
        interior = errors[:, inside, inside].mean()
        yield kind, motion, length.item(), errors.mean().item(), interior.item()
