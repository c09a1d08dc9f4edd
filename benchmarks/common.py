"""Shared parts of the benchmarks: streams and steps to measure, a clock, a table."""

from __future__ import annotations

import prepared  # noqa: F401

# isort: split
import argparse
import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch

from stst.models.spatial import CAFFE, COMPACT, VGG16, VGG19, Trunk, frozen
from stst.models.stream import load_stream
from stst.models.temporal import Msoe
from stst.models.weights import state
from stst.recipe import LOSSES, Recipe, Weights
from stst.storage.manifest import processor
from stst.synthesis.refine import Step
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Clip

SHAPES = {"vgg19": VGG19, "vgg16": VGG16, "compact": COMPACT}
ALL_LOSSES = (LOSSES[1], LOSSES[3], "total_variation")
RATE = 0.015
SWITCHES = ("OMP_", "GOMP_", "KMP_", "MALLOC_", "ONEDNN_")  # settings that change time or memory

Name = TypeVar("Name", bound=Hashable)
Size = tuple[int, int]


def options(purpose: str | None) -> argparse.ArgumentParser:
    """Add the arguments that every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, help="CPU threads; by default torch's choice")
    return parser


def begin(parser: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments, set the threads, and print the machine."""
    given = parser.parse_args(words)
    if given.threads:
        torch.set_num_threads(given.threads)
    print(machine(given.device))
    return given


def machine(device: str) -> str:
    """Describe the processor and other conditions of the measurement."""
    found = [processor(), f"{torch.get_num_threads()} thread(s)", f"torch {torch.__version__}"]
    if torch.device(device).type == "cuda":
        found.insert(0, torch.cuda.get_device_name(device))
    found += [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(SWITCHES)]
    return ", ".join(found)


def size(text: str) -> Size:
    """Parse ``320x180`` into height and width."""
    width, height = map(int, text.split("x"))
    return height, width


def shown(of: Size) -> str:
    """Format height and width as ``320x180``."""
    return f"{of[1]}x{of[0]}"


def load_trunk(name: str, weights: Path | None = None) -> Trunk:
    """Load a stream; missing weights are random, with which a step costs the same."""
    if weights is None and state(name) not in ("embedded", "cached"):
        return random_trunk(name)
    trunk = load_stream(name, weights=weights)
    assert isinstance(trunk, Trunk)
    return trunk


def random_trunk(name: str) -> Trunk:
    """Make a trunk of random filters that keep the size of activations (He et al. 2015)."""
    with torch.device("meta"):
        trunk = Trunk(SHAPES[name], CAFFE)
    trunk.to_empty(device="cpu")
    dice = torch.Generator().manual_seed(0)
    for convolution in trunk.convolutions.values():
        torch.nn.init.kaiming_normal_(convolution.weight, generator=dice)
        torch.nn.init.zeros_(convolution.bias)
    frozen(trunk)
    return trunk


def load_msoe() -> Msoe:
    """Load the temporal stream."""
    msoe = load_stream("msoe")
    assert isinstance(msoe, Msoe)
    return msoe


def first(clip: Clip, count: int) -> Clip:
    """Return the first frames of a clip."""
    return Clip(clip.take(list(range(count))), clip.frame_rate)


class Corner:
    """A stream of almost no cost, to measure everything but the streams."""

    layers = ("corner",)

    def __call__(self, window: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """(B, T, 3, H, W) -> {'corner': (B, 3, 2, 2)}."""
        return {name: window[:, -1, :, :2, :2] for name in layers}


def steps(
    natural: Clip,
    spatial: Trunk | Corner,
    temporal: Msoe,
    *,
    scale: float = 1.0,
    losses: Sequence[str] = ALL_LOSSES,
    precision: str = "auto",
    seeds: int = 1,
    device: str = "cpu",
    start: Clip | None = None,
) -> Iterator[Step]:
    """Yield the steps of one frame in one octave, as in a synthesis."""
    wanted = {f"weights.{name}": float(name in losses) for name in Weights.model_fields}
    recipe = Recipe.preset("default").with_settings(
        {
            "octaves": [{"scale": scale, "steps": 10_000, "rate": RATE}],
            "optimiser.decay": "constant",
            "optimiser.damping": 0,
            "stop": None,
            "pad": 1,
            "field": None,  # all layers, as the plain port has
            "precision": precision,
            **wanted,
        }
    )
    run = synthesize(
        natural,
        spatial=spatial,
        temporal=temporal,
        recipe=recipe,
        seed=range(seeds),
        device=device,
        start=start,
    )
    return (event for event in run if isinstance(event, Step))


def take(walk: Iterator[object], count: int) -> None:
    """Take some steps and ignore their losses."""
    for _ in islice(walk, count):
        pass


def alternate(
    calls: Mapping[Name, Callable[[], object]], repeats: int, device: str
) -> dict[Name, list[float]]:
    """Time calls in turns (s), so that changes of the machine's speed affect all of them.

    The first turn is a warm-up and is not counted.
    """
    found: dict[Name, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            took = seconds(call, device)
            if turn:
                found[name].append(took)
    return found


def seconds(call: Callable[[], object], device: str) -> float:
    """Return the wall time of one call (s); waits for the GPU before and after."""
    _wait(device)
    began = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown, for docs/results/benchmarks.md."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, ["-" * width for width in widths], *rows):
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("| " + " | ".join(cells) + " |", flush=True)
    print()
