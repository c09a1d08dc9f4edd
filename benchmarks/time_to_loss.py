"""Measure how much sooner the authors' final losses are reached.

The authors' optimiser and schedule (steps normalised by the standard deviation of the gradient,
2000 / 1000 / 500 in three octaves, from uniform noise) run over pad frames and some kept ones,
with corrected targets (octaves resized from the source, antialiased). The raw texture losses of
each kept frame are recorded: space (ss) and time (ts). Then ours (race.py) runs over the same
frames. It minimises the same objective as their last octave (raw losses with their weights
there), on the same steps, until both losses are reached in each frame. The table gives the ratio
of the times and the relative residual of every layer, for both and for `default`.

    python benchmarks/time_to_loss.py CLIP --width 320 --spatial vgg16 --weights FILE

With `--against-tensorflow CHECKOUT`, their own program is timed on the same frames with the same
weights, three times between the other parts. It takes some steps of each octave, from which the
time of a frame of its whole schedule is computed, because that takes hours.
"""

from __future__ import annotations

import common  # before torch

# isort: split
import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

import torch

from authors import PAD, SCHEDULE, STEP_HEAD, Checkout, Comparison, frame_seconds
from costs import HEAD as COST_HEAD
from costs import Cost, ratios
from race import Frame, Task, ours, say, theirs
from stst.models.spatial import Trunk
from stst.models.temporal import Msoe
from stst.recipe import Recipe
from stst.synthesis.refine import Step
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Clip
from stst.video.read import read_video

CORRECTED = {
    "resize": "source",
    "antialias": True,
    "pad_order": "mirror",
    "colour.after": "never",
    "precision": "auto",
}


def kept(frames: list[Frame]) -> list[Frame]:
    """Return the frames that are not pad frames."""
    return [frame for frame in frames if frame.index >= 0]


def relative(clip: Clip, streams: tuple[Trunk, Msoe]) -> list[Frame]:
    """Run `default` with its own objective, starts and stopping on a clip."""
    spatial, temporal = streams
    recipe = Recipe.preset("default")
    recipe = recipe.with_settings({"pad": min(recipe.pad, len(clip) - 1)})
    run = synthesize(clip, spatial=spatial, temporal=temporal, recipe=recipe)
    made, steps, began = [], 0, time.perf_counter()
    for event in run:
        if isinstance(event, Step):
            steps += 1
            continue
        seconds, began = time.perf_counter() - began, time.perf_counter()
        residuals = {k.split("/")[1]: v.item() for k, v in event.residuals.items()}
        made.append(Frame(event.index, (0.0, 0.0), residuals, seconds, steps))
        say(f"default: frame {event.index}, {seconds:.1f} s")
        steps = 0
    return made


def report(goals: list[Frame], found: list[Frame], default: list[Frame]) -> None:
    """Print times and losses of each frame, then the residual of every layer."""
    rows = [
        (
            f"{goal.index}",
            f"{goal.losses[0]:.0f} / {goal.losses[1]:.2e}",
            f"{own.losses[0]:.0f} / {own.losses[1]:.2e}",
            "yes" if all(a <= b for a, b in zip(own.losses, goal.losses, strict=True)) else "NO",
            f"{goal.seconds:.1f}",
            f"{own.seconds:.2f}",
            f"{own.steps:.0f}",
            f"{goal.seconds / own.seconds:.1f}",
        )
        for goal, own in zip(kept(goals), kept(found), strict=True)
    ]
    head = "frame | their ss / ts | our ss / ts | reached | their s | our s | steps | ratio"
    common.print_table(head.split(" | "), rows)
    print("Their schedule and ours, both on our steps:\n")
    print_ratios(Cost.measured(goals), Cost.measured(found))
    ways = {"theirs": goals, "ours, their objective": found, "default": default}
    layers, count = list(goals[-1].residuals), len(kept(goals))
    rows = [
        (name, *(residual(kept(way)[:count], layer) for layer in layers))
        for name, way in ways.items()
    ]
    common.print_table(("relative residual, mean of kept frames", *layers), rows)
    print(f"default: {mean(f.seconds for f in kept(default)):.1f} s a kept frame\n")


def residual(frames: Sequence[Frame], layer: str) -> str:
    """Format the mean over frames, if the layer is matched by the recipe."""
    found = [frame.residuals[layer] for frame in frames if layer in frame.residuals]
    return f"{mean(found):.3f}" if found else "-"


def against_program(
    comparison: Comparison, steps: Sequence[int], found: list[Frame], default: list[Frame]
) -> None:
    """Print steps, frames to the authors' losses, and `default`, against their program."""
    print(f"The authors' program (TensorFlow {comparison.version}) on the same frames and weights.")
    print(f"Raw losses of the same two frames agree within {comparison.gap:.1e}.\n")
    common.print_table(STEP_HEAD, comparison.rows())
    frame = frame_seconds(comparison.theirs, steps)
    after = median(each.after for each in comparison.theirs)
    print(f"A frame of theirs is computed: {' + '.join(map(str, steps))} steps at these medians")
    print(f"are {frame:.1f} s; colour transfer takes {after:.1f} s more (measured).\n")
    compare("to their final losses, without colour transfer", frame, found)
    compare("`default`, with colour transfer", frame + after, default)


def compare(name: str, frame: float, own: list[Frame]) -> None:
    """Print the time of their program for as many kept frames as ours, and the ratios."""
    mine = Cost.measured(own)
    other = Cost.computed(frame, mine.kept, PAD)
    print(f"Ours {name}:\n")
    common.print_table(COST_HEAD, [other.row("theirs (computed)"), mine.row("ours (measured)")])
    print_ratios(other, mine)


def print_ratios(other: Cost, mine: Cost) -> None:
    """Print how many times less time ours takes."""
    for what, ratio in ratios(other, mine).items():
        print(f"- times less, {what}: {ratio:.1f}")
    print()


def read(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("clip", type=Path)
    add("--width", type=int, default=320)
    add("--frames", type=int, default=4, help="kept frames of the race to their losses")
    add("--pad", type=int, default=2, help="pad frames before them")
    add("--default-frames", type=int, help="of `default`; 24 against TensorFlow, else --frames")
    add("--spatial", default="vgg19")
    add("--weights", type=Path, help="weights of the spatial stream; random if missing")
    add("--share", type=float, default=1.0, help="share of the authors' steps, for a trial")
    add(
        "--against-tensorflow",
        type=Path,
        metavar="CHECKOUT",
        help="checkout of the authors' program",
    )
    add(
        "--tensorflow-python",
        type=Path,
        default=Path(sys.executable),
        help="Python with TensorFlow",
    )
    add("--tensorflow-steps", type=int, default=10, help="timed steps per octave in a round")
    given = parser.parse_args(words)
    if given.frames <= given.pad:
        parser.error("--frames must be greater than --pad")
    if given.against_tensorflow:
        given.checkout = Checkout(
            given.against_tensorflow, given.tensorflow_python, given.tensorflow_steps
        )
        if refusal := given.checkout.refusal(given.spatial):
            parser.error(refusal)
    return given


def lengths(given: argparse.Namespace) -> tuple[int, int]:
    """Return the kept frames of the race and of `default`."""
    as_many = 24 if given.against_tensorflow else given.frames
    return given.frames, given.default_frames or as_many


def main(words: Sequence[str] | None = None) -> None:
    """Run all three and print the tables."""
    given = read(words)
    against = given.against_tensorflow is not None
    raced, frames = lengths(given)
    clip = read_video(given.clip, width=given.width, frames=max(raced, frames))
    task = Task(common.first(clip, raced), given.spatial, given.weights, given.pad)
    recipe = Recipe.preset("greco2024").with_settings({**CORRECTED, "pad": given.pad})
    steps = [int(n * given.share) for n in SCHEDULE]
    recipe = recipe.with_settings({f"octaves.{i}.steps": n for i, n in enumerate(steps)})
    comparison = Comparison(given.checkout, task.exact[0], given.spatial, clip) if against else None
    measure = comparison.measure if comparison else lambda: None
    measure()
    with torch.no_grad():
        goals, starts = theirs(task, recipe)
        found = list(ours(task, goals, starts))
    measure()
    default = relative(common.first(clip, frames), task.exact)
    measure()
    print(common.machine("cpu"))
    report(goals, found, default)
    if comparison:
        against_program(comparison, steps, found, default)


if __name__ == "__main__":
    main()
