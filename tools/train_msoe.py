"""Train the embedded weights of the temporal stream from scratch, on one CPU core.

    python tools/train_msoe.py --photographs FOLDER --out msoe.safetensors --seed 0

The same seed gives the same file on the same machine and torch version. The training pairs are
generated textures and pieces of photographs, moved by formulas: see textures.py, photographs.py and
moving_textures.py in this folder.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from safetensors.torch import load_file, save_file
from torch import Tensor

from moving_textures import augment, random_scene
from photographs import find_photographs, pyramid
from stst.models.ops import symmetric_pad
from stst.models.temporal import Msoe
from textures import CANVAS, DENSITY, KINDS, SHARES, blob_mask, photograph, texture

STEPS = 5000
PHOTOGRAPHS = 0.7  # share of the textures, where there are any
POOL = 192  # textures kept; the oldest is replaced every REFRESH scenes
MASKS = 32
SIDES = (64, 64, 80, 96)  # px, of the patches
BATCH = 4
REFRESH = 16  # scenes between two new textures
STRIDE = 3  # the loss reads the flow head at every third position, from a random corner
SOFTENING = 0.01  # px, so that the error has a slope where it is zero
HEAD_GAIN = 32.0  # the head sees 64 channels that sum to one: larger weights, larger steps
RATES = {"conv1": 1.5e-3, "conv2": 2e-3, "conv3": 1e-3 * HEAD_GAIN, "conv4": 2e-3}
BIAS_RATE = {"conv1": 0.01, "conv2": 0.02, "conv3": 1 / HEAD_GAIN, "conv4": 1.0}
WARM_UP = 100
GOING_ON = 0.3  # of the rates, where a trained network learns on


# ---------------------------------------------------------------- start


def gabor_bank(rng: Generator) -> Tensor:
    """Make moving Gabors: 8 orientations x 4 quarter-cycle steps per frame, (32, 2, 11, 11)."""
    y, x = np.mgrid[-5:6, -5:6]
    bank = []
    for i in range(8):
        wavelength = (4.0, 6.5)[i % 2]
        along = x * np.cos(np.pi * i / 8) + y * np.sin(np.pi * i / 8)
        for step in range(4):
            phases = rng.uniform(0, 2 * np.pi) + np.array([0, step * np.pi / 2])[:, None, None]
            window = np.exp(-(x * x + y * y) / (2 * (0.4 * wavelength) ** 2))
            gabor = window * np.cos(2 * np.pi * along / wavelength + phases)
            gabor -= window * gabor.sum((1, 2), keepdims=True) / window.sum()
            bank.append(gabor / np.linalg.norm(gabor))
    return torch.from_numpy(np.stack(bank).astype(np.float32))


def start(rng: Generator) -> Msoe:
    """Make a network whose first layer is a Gabor bank and whose other weights are random."""
    model = Msoe()

    def random(shape: torch.Size, scale: float) -> Tensor:
        return torch.from_numpy(scale * rng.standard_normal(shape).astype(np.float32))

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.conv1.weight.copy_(gabor_bank(rng))
        mixed = random(torch.Size((32, 32)), 32**-0.5)
        model.conv2.weight.copy_(torch.cat([torch.eye(32), mixed])[:, :, None, None])
        fan_in = model.conv3.weight[0].numel()
        small = HEAD_GAIN / 4 * (2 / fan_in) ** 0.5  # or its chance stays in the flow
        model.conv3.weight.copy_(random(model.conv3.weight.shape, small))
        model.conv4.weight.copy_(random(model.conv4.weight.shape, 64**-0.5))
    return model


# ---------------------------------------------------------------- training


def grey_levels(path: Path) -> list[np.ndarray]:
    """Return one photograph in grey, at every size that fills a canvas: (H, W) uint8 each."""
    levels = [level for level in pyramid(path) if min(level.shape[:2]) >= CANVAS // DENSITY]
    return [cv2.cvtColor(level, cv2.COLOR_RGB2GRAY) for level in levels]


def scenes(
    rng: Generator, photographs: Sequence[Sequence[np.ndarray]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield clips (1, 2, 3, S, S) and flows (1, 2, S, S) without end, S from SIDES."""

    def fresh() -> Tensor:
        if photographs and rng.random() < PHOTOGRAPHS:
            levels = photographs[rng.integers(len(photographs))]
            return photograph(rng, levels[rng.integers(len(levels))])
        return texture(rng, rng.choice(KINDS, p=SHARES))

    pool = [fresh() for _ in range(POOL)]
    masks = [blob_mask(rng) for _ in range(MASKS)]
    for count in itertools.count():
        if count % REFRESH == 0:
            oldest = count // REFRESH
            pool[oldest % POOL], masks[oldest % MASKS] = fresh(), blob_mask(rng)
        pair, flow = random_scene(rng, pool, masks, int(rng.choice(SIDES)))
        yield augment(rng, pair)[None, :, None].expand(-1, -1, 3, -1, -1), flow[None]


def flow_error(model: Msoe, clip: Tensor, flow: Tensor, top: int, left: int) -> Tensor:
    """Return the end-point error of every STRIDE-th pixel, starting at (top, left): (1, h, w)."""
    padded = symmetric_pad(model(clip, ["energy"])["energy"], 1)[..., top:, left:]
    hidden = F.relu(F.conv2d(padded, model.conv3.weight, model.conv3.bias, STRIDE))
    wanted = flow[..., top::STRIDE, left::STRIDE]
    return ((model.conv4(hidden) - wanted).square().sum(1) + SOFTENING**2).sqrt()


def weight(flow: Tensor) -> Tensor:
    """Return 2 / (1 + speed), so that slow and fast motion are learnt in proportion."""
    return 2 / (1 + flow.square().sum(1).sqrt())


def optimiser(model: Msoe, pace: float) -> torch.optim.Adam:
    groups = []
    for name, rate in RATES.items():
        layer = getattr(model, name)
        groups.append({"params": [layer.weight], "lr": pace * rate})
        groups.append({"params": [layer.bias], "lr": pace * rate * BIAS_RATE[name]})
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


def schedule(step: int, steps: int) -> float:
    """Return the learning rate: linear warm-up, then half a cosine to zero."""
    return min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2


def train(
    seed: int,
    steps: int,
    photographs: Sequence[Sequence[np.ndarray]] = (),
    trained: Mapping[str, Tensor] | None = None,
) -> Iterator[tuple[int, float, Msoe]]:
    """Yield (step, mean end-point error of its batch, network) after every step.

    Starts from `trained` weights, if they are given.
    """
    rng = np.random.default_rng(seed)
    model = start(rng)
    if trained:
        model.load_state_dict(trained)
    adam = optimiser(model, GOING_ON if trained else 1.0)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: schedule(step, steps))
    source = scenes(rng, photographs)
    for step in range(1, steps + 1):
        adam.zero_grad()
        total = 0.0
        for clip, flow in itertools.islice(source, BATCH):  # one by one: stays in cache
            top, left = rng.integers(STRIDE, size=2)
            error = flow_error(model, clip, flow, top, left)
            loss = (error * weight(flow[..., top::STRIDE, left::STRIDE])).mean() / BATCH
            loss.backward()
            total += error.mean().item() / BATCH
        adam.step()
        rates.step()
        yield step, total, model


# ---------------------------------------------------------------- command line


def save(model: Msoe, path: Path, facts: str) -> str:
    """Write the file and return its SHA-256."""
    weights = {name: w.contiguous() for name, w in model.state_dict().items()}
    save_file(weights, path, {"training": facts})  # one entry: their order is not fixed
    return sha256(path.read_bytes()).hexdigest()


def run(options: argparse.Namespace) -> None:
    levels = [grey_levels(path) for path in find_photographs(options.photographs)]
    photographs = [pictures for pictures in levels if pictures]
    trained = mean([load_file(path) for path in options.start]) if options.start else None
    seed, steps = options.seed, options.steps
    began, recent = time.monotonic(), math.nan
    for step, error, model in train(seed, steps, photographs, trained):
        recent = error if step == 1 else 0.98 * recent + 0.02 * error
        if step % 50 == 0:
            left = (time.monotonic() - began) * (steps - step) / step / 60
            done = f"step {step}/{steps}  end-point error {recent:.3f} px"
            print(f"{done}  {left:.1f} min left", flush=True)
        if step % 250 == 0 or step == steps:
            digest = save(model, options.out, facts(options))
    print("sha256", digest)


def mean(files: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average the weights of several files."""
    return {name: torch.stack([file[name] for file in files]).mean(0) for name in files[0]}


def facts(options: argparse.Namespace) -> str:
    """Return the facts about the training that are written into the file."""
    source = "from scratch"
    if options.start:
        digests = [sha256(path.read_bytes()).hexdigest() for path in options.start]
        source = f"on from the mean of the weights of sha256 {', '.join(digests)}"
    return (
        f"trained {source} by tools/train_msoe.py, seed {options.seed}, {options.steps} steps, "
        f"torch {torch.__version__}; Apache-2.0"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the temporal stream.")
    parser.add_argument("--out", type=Path, required=True, help="where to write the weights")
    parser.add_argument("--photographs", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument(
        "--start", type=Path, nargs="+", help="initial weights; of several files, their mean"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    torch.set_num_threads(1)  # so that sums do not depend on the number of cores
    run(parser.parse_args())


if __name__ == "__main__":
    main()
