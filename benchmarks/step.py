"""Milliseconds of one step: forward, and backward to the pixels of one frame.

By octave and by part: the spatial stream with its Gram matrices, the temporal stream with its own,
the rest (total variation and the optimiser's update), and all together. Each part runs alone, with
the update. The table also has the operations (by torch's counter, a multiply-add counts as two),
their rate as a share of that of a matrix product in the same number format, and the time of a
plain float32 port (plain.py), whose losses are first checked against those of the fast path in
float32. Fast and plain take turns; `ms` is the minimum over all turns.
"""

from __future__ import annotations

import common  # before torch

# isort: split
import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import plain
from reef import natural_scene
from stst.models.spatial import Trunk
from stst.models.stream import resolved
from stst.models.temporal import Msoe
from stst.synthesis.stream_losses import octave_size, resized
from stst.video.frames import Clip

SCALES = (0.5, 0.7071, 1.0)
PARTS = {
    "spatial": ("space_texture",),
    "temporal": ("time_texture",),
    "beside": ("total_variation",),
    "all": common.ALL_LOSSES,
}
HEAD = ("octave", "part", "GFLOP", "ms", "median", "GFLOP/s", "of peak")
HEAD += ("plain ms", "median", "times less", "of medians")
# Largest relative difference of a loss from the plain port's, at the start and one step later.
# The latter checks the gradient; Adam turns the rounding of a gradient near 0 into a whole step.
BOUNDS = (1e-4, 1e-3)
PRODUCT = ("product", "")
SIDE = {"cpu": 2048, "cuda": 8192}  # side of the matrices; small ones do not fill a GPU

Steps = Iterator[object]
Seconds = dict[tuple[str, str], list[float]]  # part, "fast" or "plain" -> of each turn


@dataclass(frozen=True)
class Case:
    """A case to measure: streams, natural frames, start frames, device and number format."""

    trunk: Trunk
    msoe: Msoe
    natural: Clip
    start: Clip
    precision: str
    device: str

    @property
    def side(self) -> int:
        """Side of the matrices whose product gives the peak rate."""
        return SIDE[torch.device(self.device).type]

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the streams."""
        return resolved(self.precision, self.device)

    def fast_steps(self, scale: float, part: str, precision: str | None = None) -> Steps:
        """Yield steps of a part, as in a synthesis."""
        # A synthesis must match something; a corner costs almost nothing.
        extra = {"beside": ("space_texture",)}.get(part, ())
        return common.steps(
            self.natural,
            common.Corner() if extra else self.trunk,
            self.msoe,
            scale=scale,
            losses=(*PARTS[part], *extra),
            precision=precision or self.precision,
            device=self.device,
            start=self.start,
        )

    def plain_steps(self, scale: float, part: str) -> Iterator[plain.Losses]:
        """Yield the same steps by the plain port."""
        small = octave_size(self.natural.size, scale)
        # As in a synthesis with one pad frame, frame 1 is the past of frame 0.
        frames = (clip.take([1, 0])[None].to(self.device) for clip in (self.natural, self.start))
        natural, start = (resized(window, small, antialias=True) for window in frames)
        port = plain.Plain(self.trunk, self.msoe, natural, PARTS[part])
        return plain.steps(port, start, common.RATE)


def disagreement(case: Case, scale: float) -> list[float]:
    """Return the largest relative difference of a loss from the plain port's, at each step."""
    fast, slow = case.fast_steps(scale, "all", "float32"), case.plain_steps(scale, "all")
    return [
        max(abs(float(step.losses[name] / value) - 1) for name, value in losses.items())
        for _, step, losses in zip(BOUNDS, fast, slow, strict=False)
    ]


def compared(case: Case) -> list[float]:
    """Return the disagreement over all octaves; exit if it is too large."""
    gaps = [max(each) for each in zip(*(disagreement(case, s) for s in SCALES), strict=True)]
    if not all(gap < bound for gap, bound in zip(gaps, BOUNDS, strict=True)):
        found, allowed = (", then ".join(f"{x:.1e}" for x in of) for of in (gaps, BOUNDS))
        sys.exit(f"losses differ from the plain port's by {found}; allowed: {allowed}")
    return gaps


def matrices(case: Case) -> tuple[Tensor, Tensor]:
    """Make two matrices in the number format of the streams."""
    dice = torch.Generator().manual_seed(0)
    shape = (2, case.side, case.side)
    a, b = torch.randn(shape, generator=dice).to(case.device, case.dtype)
    return a, b


def operations(case: Case, scale: float, part: str) -> int:
    """Count the operations of one fast step, with those inside our own autograd functions.

    They are counted on the CPU, because a CUDA graph hides its operations; they are the same.
    """
    walk = replace(case, device="cpu").fast_steps(scale, part, "float32")
    next(walk)  # the first also represents the target
    with FlopCounterMode(display=False) as counter:
        next(walk)
    return int(counter.get_total_flops())


def octave(case: Case, scale: float, count: int, repeats: int) -> tuple[Seconds, float]:
    """Return the seconds of a step of each part, fast and plain, and the rate of a matrix product.

    All are measured in turns.
    """
    walks = {(part, "fast"): case.fast_steps(scale, part) for part in PARTS}
    walks |= {(part, "plain"): case.plain_steps(scale, part) for part in PARTS}
    calls = {name: partial(common.take, walk, count) for name, walk in walks.items()}
    product = partial(torch.mm, *matrices(case))
    took = common.alternate({**calls, PRODUCT: product}, repeats, case.device)
    peak = 2 * case.side**3 / median(took.pop(PRODUCT))
    return {name: [t / count for t in turns] for name, turns in took.items()}, peak


def row(work: int, fast: Sequence[float], slow: Sequence[float], peak: float) -> list[str]:
    """Return the cells of one part: operations, times, rates, and the plain port's times."""
    rate = work / min(fast)
    cells = [f"{work / 1e9:.2f}", *_milliseconds(fast), f"{rate / 1e9:.0f}", f"{rate / peak:.0%}"]
    ratios = min(slow) / min(fast), median(slow) / median(fast)
    return [*cells, *_milliseconds(slow), *(f"{ratio:.2f}" for ratio in ratios)]


def _milliseconds(turns: Sequence[float]) -> tuple[str, str]:
    return f"{1e3 * min(turns):.1f}", f"{1e3 * median(turns):.1f}"


def read(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments."""
    parser = common.options(__doc__)
    parser.add_argument("--size", type=common.size, default=(180, 320), help="320x180, of the clip")
    parser.add_argument("--spatial", choices=common.SHAPES, default="vgg19")
    parser.add_argument("--repeats", type=int, default=7, help="turns")
    parser.add_argument("--steps", type=int, default=1, help="in a turn: 10 or more on a GPU")
    return common.begin(parser, words)


def main(words: Sequence[str] | None = None) -> None:
    given = read(words)
    height, width = given.size
    dice = torch.Generator().manual_seed(0)
    natural = natural_scene(frames=2, height=height, width=width)
    start = Clip(torch.rand(natural.frames.shape, generator=dice), natural.frame_rate)
    case = Case(
        common.load_trunk(given.spatial),
        common.load_msoe(),
        natural,
        start,
        given.precision,
        given.device,
    )
    gaps = compared(replace(case, device="cpu"))  # where float32 is not cut down to TF32
    rows, shares, peaks = [], [], []
    for scale in SCALES:
        took, peak = octave(case, scale, given.steps, given.repeats)
        name = common.shown(octave_size(natural.size, scale))
        for part in PARTS:
            work = operations(case, scale, part)
            cells = row(work, took[part, "fast"], took[part, "plain"], peak)
            rows.append([name, part, *cells])
        shares.append(f"{min(took['temporal', 'fast']) / min(took['all', 'fast']):.0%}")
        peaks.append(f"{peak / 1e9:.0f}")
    common.print_table(HEAD, rows)
    kind = str(case.dtype).removeprefix("torch.")
    print(f"{given.spatial} + msoe in {kind}; the plain port in float32.")
    print("Losses in float32 agree with it within {:.1e}, a step later {:.1e}.".format(*gaps))
    print(
        f"Peak: {', '.join(peaks)} GFLOP/s, {kind} products of {case.side} x {case.side} matrices."
    )
    print(f"The temporal stream's share of a step: {', '.join(shares)}.")


if __name__ == "__main__":
    main()
