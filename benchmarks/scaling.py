"""Measure how time grows with frames, pixels, and seeds in one batch.

Seconds of a whole synthesis against frames (`default`, with fixed numbers of steps), and of one
full-size step against pixels and against seeds; each is the minimum over all turns. The exponent
is the slope of a least-squares line through the logarithms; 1 means proportional. For frames, a
straight line is fitted too, and the largest deviation from it is printed.
"""

from __future__ import annotations

import common  # before torch

# isort: split
import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from reef import natural_scene
from stst.models.spatial import Trunk
from stst.models.temporal import Msoe
from stst.recipe import Recipe
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Clip

Streams = tuple[Trunk, Msoe]


def exponent(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    """Fit the exponent of a power law of seconds against the amount."""
    return float(np.polyfit(np.log(amounts), np.log(seconds), 1)[0])


def line(amounts: Sequence[float], seconds: Sequence[float]) -> tuple[float, float, float]:
    """Fit a line: slope, intercept, and the largest deviation as a share."""
    x, y = np.asarray(amounts, float), np.asarray(seconds)
    # Relative weights, because otherwise the largest amount alone would decide.
    slope, intercept = np.polyfit(x, y, 1, w=1 / y)
    off = np.abs(y / (intercept + slope * x) - 1)
    return float(slope), float(intercept), float(off.max())


def by_frames(streams: Streams, given: argparse.Namespace) -> dict[int, float]:
    """Frames -> seconds of a whole synthesis."""
    recipe = Recipe.preset("default")
    settings = {f"octaves.{i}.steps": given.steps for i in range(len(recipe.octaves))}
    # One pad frame: as many frames are made as kept.
    settings |= {"stop": None, "pad": 1, "precision": given.precision}
    recipe = recipe.with_settings(settings)
    height, width = given.size
    natural = natural_scene(frames=max(given.frames), height=height, width=width)

    def whole(count: int) -> None:
        clip = Clip(natural.frames[:count], natural.frame_rate)
        spatial, temporal = streams
        run = synthesize(
            clip, spatial=spatial, temporal=temporal, recipe=recipe, device=given.device
        )
        run.result()

    calls = {count: partial(whole, count) for count in given.frames}
    return least(common.alternate(calls, given.repeats, given.device))


def by_pixels(streams: Streams, given: argparse.Namespace) -> dict[common.Size, float]:
    """Frame size -> seconds of one step."""
    return of_steps({size: walk(streams, size, 1, given) for size in given.sizes}, given)


def by_seeds(streams: Streams, given: argparse.Namespace) -> dict[int, float]:
    """Seeds in one batch -> seconds of one step of all."""
    return of_steps(
        {count: walk(streams, given.size, count, given) for count in given.seeds}, given
    )


def walk(
    streams: Streams, size: common.Size, seeds: int, given: argparse.Namespace
) -> Iterator[object]:
    """Yield steps at full size."""
    natural = natural_scene(frames=2, height=size[0], width=size[1])
    how = {"precision": given.precision, "device": given.device}
    return common.steps(natural, *streams, seeds=seeds, **how)


def of_steps(
    walks: Mapping[common.Name, Iterator[object]], given: argparse.Namespace
) -> dict[common.Name, float]:
    """Return the seconds of one step of each."""
    calls = {name: partial(common.take, steps, given.steps) for name, steps in walks.items()}
    took = least(common.alternate(calls, given.repeats, given.device))
    return {name: seconds / given.steps for name, seconds in took.items()}


def least(took: Mapping[common.Name, list[float]]) -> dict[common.Name, float]:
    """Return the minimum over all turns."""
    return {name: min(turns) for name, turns in took.items()}


def report(
    head: tuple[str, str], names: Sequence[str], amounts: Sequence[float], found: Sequence[float]
) -> None:
    """Print a table of times, also per unit of the amount, and the exponent."""
    rows = [
        [name, f"{1e3 * s:.1f}", f"{1e3 * s / amount:.3g}"]
        for name, amount, s in zip(names, amounts, found, strict=True)
    ]
    common.print_table((head[0], "ms", f"ms/{head[1]}"), rows)
    print(f"Exponent: {exponent(amounts, found):.2f}")


def read(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments."""
    parser = common.options(__doc__)
    add = parser.add_argument
    add("--spatial", choices=common.SHAPES, default="vgg19")
    add("--size", type=common.size, default=(72, 128), help="128x72, against frames and seeds")
    add("--frames", type=int, nargs="+", default=[4, 8, 16, 32])
    sizes = ["128x72", "192x108", "256x144", "320x180"]
    add("--sizes", type=common.size, nargs="+", default=[common.size(s) for s in sizes])
    add("--seeds", type=int, nargs="+", default=[1, 2, 4, 8])
    add("--steps", type=int, default=4, help="steps in each octave of a frame, and in a turn")
    add("--repeats", type=int, default=3, help="turns")
    return common.begin(parser, words)


def main(words: Sequence[str] | None = None) -> None:
    given = read(words)
    streams = common.load_trunk(given.spatial), common.load_msoe()
    print(f"{given.spatial} + msoe, {given.precision}\n")

    print(f"Whole syntheses of {common.shown(given.size)}, {given.steps} steps in each octave\n")
    found = by_frames(streams, given)
    frames, seconds = list(found), list(found.values())
    report(("frames", "frame"), [str(n) for n in frames], frames, seconds)
    slope, intercept, off = line(frames, seconds)
    print(f"Line: {1e3 * intercept:.0f} ms + {1e3 * slope:.0f} ms a frame, at most {off:.1%} off\n")

    print("One full-size step\n")
    found = by_pixels(streams, given)
    pixels = [height * width / 1e3 for height, width in found]
    report(
        ("size", "1000 px"), [common.shown(size) for size in found], pixels, list(found.values())
    )

    print(f"\nOne step of {common.shown(given.size)}, all seeds in one batch\n")
    found = by_seeds(streams, given)
    report(("seeds", "metamer"), [str(n) for n in found], list(found), list(found.values()))


if __name__ == "__main__":
    main()
