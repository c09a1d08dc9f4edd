"""What does each generator keep of a natural clip? Numbers for the table of docs/stimuli.md.

    python tools/what_is_kept.py CLIP --other CLIP [--quality draft] [--only stps,metamer]

Both clips must be of one length, size and frame rate. Printed: relative error of the amplitude
spectrum in space and time and of those of single frames (mean left out); error of each frame's mean
luma, absolute, and of its RMS contrast, relative; end-point error of DIS flow over the natural mean
length of flow; correlation of pixels with the natural ones (about the clip's mean colour).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stst import Clip, Recipe, factorize, make_control, read_video, synthesize
from stst.stimuli.kinds import CONTROLS
from stst.stimuli.light import luminances
from stst.video.frames import to_uint8

Array = NDArray[np.floating]


def spectrum_error(natural: Clip, made: Clip, axes: tuple[int, ...]) -> float:
    """Relative error of Fourier amplitudes over `axes` of (T, 3, H, W), frequency 0 left out."""
    found = [np.abs(np.fft.fftn(x.frames.double().numpy(), axes=axes)) for x in (natural, made)]
    for amplitudes in found:
        amplitudes[tuple(0 if axis in axes else slice(None) for axis in range(4))] = 0
    return float(np.linalg.norm(found[1] - found[0]) / np.linalg.norm(found[0]))


def flows(clip: Clip) -> Array:
    """DIS flow of each frame pair, (T - 1, H, W, 2): px to the right and DOWN."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in to_uint8(clip.frames)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.stack([dis.calc(a, b, None) for a, b in pairwise(grey)])


def compared(natural: Clip, made: Clip) -> dict[str, float]:
    luma, luma_made = (luminances(x, "encoded") for x in (natural, made))
    flow, flow_made = flows(natural), flows(made)
    contrast, contrast_made = (x.std((1, 2)) for x in (luma, luma_made))
    pixels = [x.frames - x.frames.mean((0, 2, 3), keepdim=True) for x in (natural, made)]
    return {
        "spectrum": spectrum_error(natural, made, (0, 2, 3)),
        "of frames": spectrum_error(natural, made, (2, 3)),
        "mean": float(np.abs(luma_made.mean((1, 2)) - luma.mean((1, 2))).mean()),
        "contrast": float((np.abs(contrast_made - contrast) / contrast).mean()),
        "flow": float(
            np.linalg.norm(flow_made - flow, axis=-1).mean() / np.linalg.norm(flow, axis=-1).mean()
        ),
        "pixels r": float(np.corrcoef(*(x.numpy().ravel() for x in pixels))[0, 1]),
    }


def generators(natural: Clip, other: Clip, options: argparse.Namespace) -> dict[str, Callable]:
    """Each with its settings, by the name of its row."""
    recipe = Recipe.preset("default").with_quality(options.quality)
    textures = {"texture-only": "space_texture", "motion-only": "time_texture"}
    streams = {"spatial": options.spatial}

    def of(settings: Recipe) -> Callable[[], Clip]:
        return lambda: synthesize(natural, recipe=settings, **streams).result().clip

    return {
        **{k: lambda k=k: make_control(natural, k).clip for k in sorted(CONTROLS)},
        "phases-space-independent": lambda: (
            make_control(natural, "phases-space", frames="independent").clip
        ),
        **{name: of(recipe.with_losses(losses)) for name, losses in textures.items()},
        "texture-only-independent": of(
            recipe.with_losses("space_texture").with_settings({"start.blend": 0})
        ),
        "metamer": of(recipe),
        "factorised": lambda: factorize(natural, other, recipe=recipe, **streams).result().clip,
    }


def drawn(clip: Clip, path: Path) -> None:
    """Frames side by side."""
    Image.fromarray(np.concatenate(to_uint8(clip.frames), 1)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--other", type=Path, required=True, help="TIME of the factorisation")
    parser.add_argument("--spatial", default="compact")
    parser.add_argument("--quality", default="default")
    parser.add_argument("--only", help="names of rows, joined by commas")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for pictures")
    options = parser.parse_args()
    natural, other = read_video(options.clip), read_video(options.other)
    for name, make in generators(natural, other, options).items():
        if options.only and name not in options.only.split(","):
            continue
        began = time.perf_counter()
        made = make()
        drawn(made, options.out / f"{name}.png")
        numbers = "  ".join(f"{k} {v:.3f}" for k, v in compared(natural, made).items())
        print(f"{name:27}{numbers}  ({time.perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
