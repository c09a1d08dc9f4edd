"""Compare a step of the authors' program with one of ours: same frames, weights and threads."""

from __future__ import annotations

import common  # before torch

# isort: split
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor

from race import raw_loss
from stst.models.spatial import Trunk
from stst.models.stream import load_stream
from stst.recipe import Recipe
from stst.synthesis.stream_losses import octave_size
from stst.video.frames import Clip

SCRIPT = Path(__file__).with_name("authors_program.py")
NETWORKS = {"vgg19": "VGG19", "vgg16": "VGG16"}
MAIN_FILE, TEMPORAL_FILE = "SpaceTimeStyleTransfer.py", "dyn_model/weights.npz"
REPOSITORY = "https://github.com/antoninogreco/STST"
SCALES = tuple(octave.scale for octave in Recipe.preset("greco2024").octaves)
SCHEDULE = (2000, 1000, 500)  # steps of a frame in each octave
PAD = 5  # frames before the kept ones; the first one is noise and takes no steps
AGREEMENT = 1e-5  # largest relative difference of a loss between the two programs
WARM_UP = 3  # steps that are not counted
STEP_HEAD = ("octave", "steps timed", "their ms a step", "range", "our ms a step", "range", "ratio")


@dataclass(frozen=True)
class Round:
    """One measurement: seconds of single steps in each octave, and of colour transfer."""

    sizes: list[common.Size]
    steps: list[list[float]]
    after: float = 0.0


@dataclass(frozen=True)
class Checkout:
    """The authors' program: its folder, a Python with TensorFlow, and steps to time."""

    folder: Path
    python: Path = Path(sys.executable)
    steps: int = 10

    def refusal(self, spatial: str) -> str | None:
        """Return why it cannot be measured, or an empty text."""
        if not all((self.folder / name).is_file() for name in (MAIN_FILE, TEMPORAL_FILE)):
            return f"{self.folder} has no {MAIN_FILE} and {TEMPORAL_FILE}; clone {REPOSITORY}"
        if spatial not in NETWORKS:
            return f"the authors' program has no {spatial}: use --spatial {' or '.join(NETWORKS)}"
        return None

    def run(self, trunk: Trunk, spatial: str, natural: Tensor, start: Tensor) -> dict[str, object]:
        """Run `authors_program.py` on two frames (2, 3, H, W)."""
        with tempfile.TemporaryDirectory() as place:
            given, found = Path(place) / "given.npz", Path(place) / "found.json"
            np.savez(given, **arrays(trunk, natural, start))
            command = [self.python, SCRIPT, self.folder, given, found, "--network"]
            command += [NETWORKS[spatial], "--threads", str(torch.get_num_threads())]
            command += ["--steps", str(self.steps), "--warm-up", str(WARM_UP)]
            quiet = {**os.environ, "MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "2"}
            done = subprocess.run(command, env=quiet, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"the authors' program failed:\n{done.stderr[-4000:]}")
            return json.loads(found.read_text())


def arrays(trunk: Trunk, natural: Tensor, start: Tensor) -> dict[str, np.ndarray]:
    """Frames, channels last, and weights in Keras's order (height, width, in, out)."""
    values = {"natural": natural.permute(0, 2, 3, 1), "start": start.permute(0, 2, 3, 1)}
    for name, layer in trunk.convolutions.items():
        values[f"{name}.weight"] = layer.weight.permute(2, 3, 1, 0)
        values[f"{name}.bias"] = layer.bias
    return {name: value.float().contiguous().numpy() for name, value in values.items()}


class Comparison:
    """Rounds of both programs in turns, spread over a benchmark."""

    def __init__(self, checkout: Checkout, trunk: Trunk, spatial: str, clip: Clip) -> None:
        self.checkout, self.trunk, self.spatial = checkout, trunk, spatial
        self.natural = common.first(clip, 2)
        dice = torch.Generator().manual_seed(0)
        self.start = Clip(torch.rand(self.natural.frames.shape, generator=dice), clip.frame_rate)
        self.theirs: list[Round] = []
        self.ours: list[Round] = []
        self.version, self.gap = "", 0.0

    def measure(self) -> None:
        """Measure one more round of both; exit if their losses differ from ours."""
        frames = self.natural.frames, self.start.frames
        found = self.checkout.run(self.trunk, self.spatial, *frames)
        self.version = found["tensorflow"]
        self.gap = checked(found["losses"], self.our_losses())
        sizes = [tuple(octave["size"]) for octave in found["octaves"]]
        assert sizes == [octave_size(self.natural.size, scale) for scale in SCALES], sizes
        steps = [octave["seconds"] for octave in found["octaves"]]
        self.theirs.append(Round(sizes, steps, found["after"]))
        self.ours.append(Round(sizes, [self.our_steps(scale) for scale in SCALES]))

    def rows(self) -> list[tuple[str, ...]]:
        """Return the cells of `STEP_HEAD` for each octave: medians over the steps of all rounds."""
        sizes, theirs, ours = self.ours[0].sizes, pooled(self.theirs), pooled(self.ours)
        return [step_row(*each) for each in zip(sizes, theirs, ours, strict=True)]

    def our_losses(self) -> dict[str, float]:
        """Return our raw losses of the start frames, with the authors' temporal weights."""
        msoe = load_stream("msoe", weights=self.checkout.folder / TEMPORAL_FILE)
        window, natural = self.start.frames[None], self.natural.frames[None]
        return {
            "ss": raw_loss(self.trunk, "space_texture", window, natural),
            "ts": raw_loss(msoe, "time_texture", window, natural),
        }

    def our_steps(self, scale: float) -> list[float]:
        """Return the seconds of our single steps: all losses, all levels of the temporal stream."""
        walk = common.steps(self.natural, self.trunk, common.load_msoe(), scale=scale)
        common.take(walk, WARM_UP)
        return [timed(lambda: next(walk)) for _ in range(self.checkout.steps)]


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def checked(theirs: dict[str, float], ours: dict[str, float]) -> float:
    """Return the largest relative difference of a loss; exit if it is too large."""
    gaps = {name: abs(theirs[name] / value - 1) for name, value in ours.items()}
    for name, gap in gaps.items():
        if not gap < AGREEMENT:
            sys.exit(f"{name} of the same frames: theirs {theirs[name]:g}, ours {ours[name]:g}")
    return max(gaps.values())


def pooled(rounds: Sequence[Round]) -> list[list[float]]:
    """Pool the seconds of all steps of all rounds, for each octave."""
    octaves = zip(*(each.steps for each in rounds), strict=True)
    return [list(chain.from_iterable(octave)) for octave in octaves]


def step_row(size: common.Size, theirs: Sequence[float], ours: Sequence[float]) -> tuple[str, ...]:
    """Return medians in ms, smallest to largest, and the ratio of the medians."""
    cells = [f"{common.shown(size)}", f"{len(theirs)}"]
    for times in (theirs, ours):
        cells += [f"{1e3 * median(times):.0f}", f"{1e3 * min(times):.0f}-{1e3 * max(times):.0f}"]
    return (*cells, f"{median(theirs) / median(ours):.2f}")


def frame_seconds(rounds: Sequence[Round], steps: Sequence[int]) -> float:
    """Return the seconds of a frame with these steps per octave, without colour transfer."""
    return sum(n * median(times) for n, times in zip(steps, pooled(rounds), strict=True))
