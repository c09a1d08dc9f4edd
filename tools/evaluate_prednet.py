"""Evaluate a PredNet on clips that it was not trained on, compared with repeating the last frame.

    python tools/evaluate_prednet.py [--weights FILE] [CLIP ...]

Generated clips have other seeds than in training, and all but the first kind come from generators
that training does not use. Your own clips are reduced to a width of 160 px and 60 frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from reef import natural_scene
from stst import make_stimulus, open_video
from stst.metrics.prediction import predictability
from stst.models.prednet_network import load_prednet
from stst.stimuli.scenes import moving_scene
from stst.video.frames import Footage

RATES = (1, 2, 4)
SIZE = {"frames": 24, "height": 64, "width": 80}
STIMULI = {
    "camera path, 2 px a frame": ("camera-path", {"speed": 2, "direction": 30}),
    "dead leaves, 2 px a frame, scattered": ("dead-leaves", {"speed": 2, "scatter": 1}),
    "random dots, 2 px a frame": ("random-dots", {"speed": 2}),
    "drifting grating": ("drifting-grating", {"speed": 2}),
    "motion cloud": ("motion-cloud", {}),
}


def clips(paths: list[Path]) -> Iterator[tuple[str, list[Footage]]]:
    """Return sets of clips, by name."""
    yield "moving scenes, other seeds", [moving_scene((1, 10**9, i), **SIZE) for i in range(12)]
    yield "clownfish over a reef", [natural_scene(seed=5, **SIZE)]
    for name, (kind, settings) in STIMULI.items():
        yield name, [make_stimulus(kind, seed=5, **SIZE, **settings).clip]
    for path in paths:
        yield path.name, [open_video(path, width=160, frames=60)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a PredNet.")
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_prednet(options.weights)
    print("| clip | every | MSE | repeated | ratio | SSIM | repeated |")
    print("|---|---|---|---|---|---|---|")
    for name, films in clips(options.clips):
        for every in RATES:
            found = [predictability(film, network, every=every) for film in films]
            mse, ssim, mse_0, ssim_0 = (
                np.mean([getattr(p, kind).mean() for p in found])
                for kind in ("mse", "ssim", "repeat_mse", "repeat_ssim")
            )
            errors = f"{mse:.5f} | {mse_0:.5f} | {mse / mse_0:.2f}"
            print(f"| {name} | {every} | {errors} | {ssim:.3f} | {ssim_0:.3f} |", flush=True)


if __name__ == "__main__":
    main()
