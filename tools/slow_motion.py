"""Measure whether matching frames further apart (`distances`) keeps slow motion better.

A 1/f texture sways to and fro, as a whole or in four strips in opposite directions, which no affine
map of a frame describes. Its metamer is made with neighbouring pairs only, and with pairs at
distances 1, 2 and 4. Prints the power of the temporal spectrum at the frequency of the sway,
relative to the natural clip, and its relative error.

    python tools/slow_motion.py --seeds 3
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stst import Clip, Recipe, load_stream, synthesize
from textures import noise

SIDE, PERIOD, AMPLITUDE = 72, 24, 1.5  # px, frames, px to each side
STRIPS = 4
OBJECTIVES = {"pairs": (1,), "windows": (1, 2, 4)}
PAD = 4  # frames, which the longest distance needs


def swaying(strips: bool) -> Clip:
    """Make one period of a texture that sways to both sides; strips are half a period apart."""
    rng = np.random.default_rng(1)
    common = noise(rng, 1.0)
    coloured = np.stack([common + 0.3 * noise(rng, 1.0) for _ in range(3)], -1)
    texture = (0.5 + 0.15 * coloured / coloured.std()).clip(0, 1).astype(np.float32)
    places = AMPLITUDE * np.sin(2 * np.pi * np.arange(PERIOD) / PERIOD)
    ways = [panned(texture, places), panned(texture, -places if strips else places)]
    row = np.arange(SIDE) * STRIPS // SIDE % 2
    frames = np.where(row[None, :, None, None] == 0, *ways)
    return Clip(torch.from_numpy(frames).movedim(-1, 1).contiguous(), Fraction(PERIOD))


def panned(texture: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Move a texture of two samples per px to the right by `places` px: (T, SIDE, SIDE, 3)."""
    maps = [np.array([[0.5, 0, place - SIDE / 2], [0, 0.5, -SIDE / 2]]) for place in places]
    frames = [cv2.warpAffine(texture, m, (SIDE, SIDE), flags=cv2.INTER_CUBIC) for m in maps]
    return np.stack(frames).clip(0, 1)


def sway(clip: Clip) -> float:
    """Return the power of luma at one cycle per clip, mean over pixels."""
    luma = clip.frames.mean(1).numpy()
    return float(np.square(np.abs(np.fft.fft(luma, axis=0)[1])).mean())


def rows(warps: tuple[str, ...], seeds: int) -> Iterator[tuple[bool, str, str, list[float]]]:
    """Yield the power of each metamer relative to the natural clip."""
    default, spatial = Recipe.preset("default").model_dump(mode="json"), load_stream("compact")
    for strips, warp, (name, distances) in product((False, True), warps, OBJECTIVES.items()):
        natural = swaying(strips)
        start = default["start"] | {"warp": warp}
        changes = {"start": start, "distances": distances, "pad": PAD}
        recipe = Recipe.model_validate(default | changes)
        found = synthesize(natural, spatial=spatial, recipe=recipe, seed=range(seeds)).result()
        yield strips, warp, name, [sway(clip) / sway(natural) for clip in found.clips]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--warps", nargs="+", default=["none", "affine"])
    options = parser.parse_args()
    for strips, warp, name, shares in rows(tuple(options.warps), options.seeds):
        errors = np.abs(np.array(shares) - 1)
        print(
            f"{'strips' if strips else 'whole':7} warp {warp:7} {name:8}",
            *(f"{share:5.2f}" for share in shares),
            f" error {errors.mean():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
