"""Measure whether a metamer moves like its target, on clips of known motion.

A photograph from scikit-image is panned, turned, enlarged or made to flicker, and its metamer is
synthesised. DIS flow and motion energy (pymoten) of both are compared; MSOE, which was matched, is
not used for the comparison.

    pip install pymoten  # for motion energy
    python tools/metamer_motion.py [--temporal-weights FILE] [--spatial compact]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray

from stst import Clip, Recipe, load_stream, synthesize
from stst.video.frames import to_uint8

HEIGHT, WIDTH, FRAMES = 112, 160, 20
RATE = 24  # Hz
KEPT = slice(1, None)  # compared frame pairs: motion has developed from the second on
STILL = 0.5  # px per frame; below it, neither ratio nor direction is reported
Array = NDArray[np.floating]


def panned(speed: float, degrees: float) -> NDArray[np.float64]:
    """Return the affine map (2, 3) of a translation: px per frame, degrees from right to UP."""
    angle = np.radians(degrees)
    return np.array([[1, 0, speed * np.cos(angle)], [0, 1, -speed * np.sin(angle)]])


def about_centre(turn: float, growth: float) -> NDArray[np.float64]:
    """Return the affine map (2, 3) of a turn (rad) and enlargement (share) about the centre."""
    c, s = (1 + growth) * np.cos(turn), (1 + growth) * np.sin(turn)
    linear = np.array([[c, s], [-s, c]])
    centre = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    return np.column_stack([linear, centre - linear @ centre])


MOTIONS = {
    "translate 1 px": panned(1, 20),
    "translate 2 px": panned(2, 200),
    "translate 4 px": panned(4, 110),
    "rotate": about_centre(0.03, 0),
    "expand": about_centre(0, 0.03),
    "flicker": panned(0, 0),
}


def moved(picture: NDArray[np.uint8], step: NDArray[np.float64], flickers: bool) -> Clip:
    """Apply `step` repeatedly to a photograph; the middle frame shows its middle."""
    full = np.vstack([step, [0, 0, 1]])
    height, width = picture.shape[:2]
    place = np.array([[1, 0, (WIDTH - width) / 2], [0, 1, (HEIGHT - height) / 2], [0, 0, 1]])
    frames = []
    for t in range(FRAMES):
        shift = np.linalg.matrix_power(full, t) @ np.linalg.inv(
            np.linalg.matrix_power(full, FRAMES // 2)
        )
        frame = cv2.warpAffine(
            picture, (shift @ place)[:2], (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR
        )
        frames.append(frame * (1 + 0.3 * np.sin(2 * np.pi * t * 4 / RATE)) if flickers else frame)
    pixels = np.stack(frames).clip(0, 255).astype(np.float32) / 255
    return Clip(torch.from_numpy(pixels).movedim(-1, 1).contiguous(), Fraction(RATE))


def flows(clip: Clip) -> Array:
    """Return the DIS flow of each compared frame pair, (T, H, W, 2): px to the right and DOWN."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in to_uint8(clip.frames)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.stack([dis.calc(a, b, None) for a, b in pairwise(grey)][KEPT])


def motion_energy(clip: Clip) -> Array:
    """Return motion energy by direction, spatial and temporal frequency, place and time: (n,)."""
    import moten  # imported only here, because it is not a dependency

    grey = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in to_uint8(clip.frames)])
    pyramid = moten.get_default_pyramid(vhsize=(HEIGHT, WIDTH), fps=RATE)
    found = pyramid.project_stimulus(grey.astype(np.float64)).mean(0)
    names = ("direction", "spatial_freq", "temporal_freq")
    kinds = np.stack([pyramid.parameters[name] for name in names], 1)
    _, kind = np.unique(kinds, axis=0, return_inverse=True)
    return np.bincount(kind, found) / np.bincount(kind)


def compared(natural: Clip, metamer: Clip) -> dict[str, float]:
    """Compare mean vector, mean speed and pattern of the flow, and correlate motion energy."""
    a, b = flows(natural), flows(metamer)
    mean_a, mean_b = (np.median(f, (0, 1, 2)) for f in (a, b))
    angle = np.degrees(np.arctan2(*mean_b[::-1]) - np.arctan2(*mean_a[::-1]))
    lengths = [float(np.median(np.linalg.norm(f, axis=-1))) for f in (a, b)]
    speeds = [float(np.linalg.norm(mean)) for mean in (mean_a, mean_b)]
    return {
        "natural px": speeds[0],
        "speed": ratio(*speeds),
        "direction": float((angle + 180) % 360 - 180) if speeds[0] > STILL else np.nan,
        "length": ratio(*lengths),
        "field r": float(np.corrcoef(a.ravel(), b.ravel())[0, 1]),
        "energy r": float(np.corrcoef(motion_energy(natural), motion_energy(metamer))[0, 1]),
    }


def ratio(natural: float, metamer: float) -> float:
    return metamer / natural if natural > STILL else np.nan


def rows(recipe: Recipe, spatial: str, temporal: object) -> Iterator[tuple[str, dict[str, float]]]:
    picture = cv2.resize(skimage.data.coffee(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    for name, step in MOTIONS.items():
        natural = moved(picture, step, name == "flicker")
        metamer = (
            synthesize(natural, spatial=spatial, temporal=temporal, recipe=recipe).result().clip
        )
        yield name, compared(natural, metamer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--temporal-weights", type=Path, help="weights file of another MSOE")
    parser.add_argument("--spatial", default="compact")
    parser.add_argument("--quality", default="default")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    temporal = load_stream("msoe", weights=options.temporal_weights)
    recipe = Recipe.preset("default").with_quality(options.quality)
    for name, found in rows(recipe, options.spatial, temporal):
        print(f"{name:15}", *(f"{key} {value:6.2f}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
