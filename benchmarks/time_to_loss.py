"""How much sooner are the authors' final losses reached?

The authors' optimiser and schedule (steps normalised by the slope's deviation, 2000 / 1000 /
500 in three octaves, from uniform noise) run over pad frames and some kept ones, with their
targets corrected (octaves resized from the source, antialiased). The raw texture losses
of each kept frame are noted: space (ss) and time (ts). Then ours (race.py) runs over the same
frames, down the very objective of their last octave (raw losses under their weights there), on
the same steps, until both losses are reached in each frame; the table gives the ratio of the
times. Beside it: the relative residual of every layer, for both and for `default`.

    python benchmarks/time_to_loss.py CLIP --width 320 --spatial vgg16 --weights FILE
"""

from __future__ import annotations

import common  # before torch

# isort: split
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

import torch

from race import Frame, Task, ours, say, theirs
from stst.api import synthesize
from stst.recipe import Recipe
from stst.synthesis.transition import Step
from stst.video.frames import Clip
from stst.video.read import read_video
from stst.video.write import write_video

CORRECTED = {
    "resize": "source",
    "antialias": True,
    "pad_order": "mirror",
    "colour.after": "never",
    "precision": "auto",
}


def kept(frames: list[Frame]) -> list[Frame]:
    """Those that are no pad frames."""
    return [frame for frame in frames if frame.index >= 0]


def relative(task: Task) -> list[Frame]:
    """`default` with its own objective, starts and stopping, on the same clip."""
    spatial, temporal = task.exact
    recipe = Recipe.preset("default")
    recipe = recipe.with_settings({"pad": min(recipe.pad, len(task.clip) - 1)})
    run = synthesize(task.clip, spatial=spatial, temporal=temporal, recipe=recipe)
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
    for name, some in (("kept frames", kept), ("all, pad frames included", list)):
        a, b = (sum(f.seconds for f in some(way)) for way in (goals, found))
        print(f"{name}: {a:.0f} s / {b:.1f} s = {a / b:.1f}")
    ways = {"theirs": goals, "ours, their objective": found, "default": default}
    layers = list(goals[-1].residuals)
    rows = [
        (name, *(f"{mean(f.residuals[x] for f in kept(way)):.3f}" for x in layers))
        for name, way in ways.items()
    ]
    common.print_table(("relative residual, mean of kept frames", *layers), rows)
    print(f"default: {mean(f.seconds for f in kept(default)):.1f} s a kept frame")


def their_program(folder: Path, clip: Clip) -> float:
    """Seconds that a checkout of the authors' program takes for this clip."""
    with tempfile.TemporaryDirectory() as place:
        write_video(clip, Path(place) / "clip.mp4")
        command = [sys.executable, "synthetize.py", "-gpu", "0", "-tar", f"{place}/clip"]
        began = time.perf_counter()
        subprocess.run([*command, "-resize", str(max(clip.size))], cwd=folder, check=True)
        return time.perf_counter() - began


def main() -> None:
    """Run the three and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--frames", type=int, default=4, help="kept frames")
    parser.add_argument("--pad", type=int, default=2, help="pad frames before them")
    parser.add_argument("--spatial", default="vgg19")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the authors' steps (a trial)")
    parser.add_argument("--against-tensorflow", type=Path, metavar="DIR", help="their checkout")
    given = parser.parse_args()
    clip = read_video(given.clip, width=given.width, frames=given.frames)
    task = Task(clip, given.spatial, given.weights, given.pad)
    recipe = Recipe.preset("greco2024").with_settings({**CORRECTED, "pad": given.pad})
    steps = {f"octaves.{i}.steps": int(n * given.share) for i, n in enumerate((2000, 1000, 500))}
    with torch.no_grad():
        goals, starts = theirs(task, recipe.with_settings(steps))
        found = list(ours(task, goals, starts))
    print(common.machine("cpu"))
    report(goals, found, relative(task))
    if given.against_tensorflow:
        seconds = their_program(given.against_tensorflow, clip)
        mine = sum(frame.seconds for frame in found)
        print(f"the authors' program, pad frames too: {seconds:.0f} s, {seconds / mine:.1f} x ours")


if __name__ == "__main__":
    main()
