"""Measure what each generator keeps of a natural clip, for docs/results/what_stimuli_keep.md.

    python tools/what_is_kept.py CLIP --other CLIP [--quality draft] [--only stps,metamer]

Both clips must have the same length, size and frame rate. Prints the errors of `stst.evaluate`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from stst import Clip, Recipe, evaluate, factorize, make_control, read_video, synthesize
from stst.stimuli.kinds import CONTROLS
from stst.video.frames import to_uint8

MEASURES = (
    "luminance",
    "contrast",
    "spatial_spectrum",
    "temporal_spectrum",
    "xt_spectrum",
    "pixel_change",
    "flow",
    "direction_histogram",
)


def generators(natural: Clip, other: Clip, options: argparse.Namespace) -> dict[str, Callable]:
    """Return each generator with its settings, by the name of its row."""
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
    """Draw frames side by side."""
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
    print(f"| error in % | {' | '.join(MEASURES)} |")
    for name, make in generators(natural, other, options).items():
        if options.only and name not in options.only.split(","):
            continue
        began = time.perf_counter()
        made = make()
        drawn(made, options.out / f"{name}.png")
        errors = evaluate(natural, {name: made}).errors.set_index("measure")["value"]
        numbers = " | ".join(f"{100 * errors[measure]:.0f}" for measure in MEASURES)
        print(f"| {name} | {numbers} |  ({time.perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
