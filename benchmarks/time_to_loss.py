"""How much sooner are the authors' final losses reached?

The authors' optimiser and schedule (steps normalised by the slope's deviation, 2000 / 1000 /
500 in three octaves, from uniform noise) run over pad frames and some kept ones, with their
targets corrected (octaves resized from the source, antialiased). The raw texture losses
of each kept frame are noted: space (ss) and time (ts). Then ours runs over the same frames,
down the very objective of their last octave (raw losses under their weights there), on the
same steps, until both losses are reached in each frame; the table gives the ratio of the
times. Beside it: the relative residual of every layer, for both and for `default`.

    python benchmarks/time_to_loss.py CLIP --width 320 --spatial vgg16 --weights FILE
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from common import machine, print_table
from stst.api import synthesize
from stst.losses.objective import Match, Objective, Variation, Wanted
from stst.recipe import Optimiser, Recipe
from stst.streams.precision import resolved
from stst.streams.stream import load_stream
from stst.synthesis.clip import noise, padded_order, walk
from stst.synthesis.optimisers import descend, rates_of
from stst.synthesis.transition import Side, Step, octave_size, resized
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
# Contrast of our starting noise (the authors' is 1) and rate of the pad frames: they settle how
# much of the noise stays, by which ss is traded for ts in all later frames.
CONTRAST, PAD_RATE = 0.54, 0.02
PAD_OCTAVES = ((0.5, 60), (0.7071, 40), (1.0, 40))
ROUNDS = (46, *[8] * 8)  # full-size steps of a kept frame: rounds until both losses are reached
Judgement = tuple[tuple[float, float], dict[str, float]]
RATE, ADAM = 0.02, Optimiser(method="adam")


@dataclass(frozen=True)
class Frame:
    """One frame made: its raw losses, relative residuals, seconds and steps."""

    index: int
    losses: tuple[float, float]
    residuals: dict[str, float]
    seconds: float
    steps: float  # of full size, by area


class Task:
    """The natural clip and both streams, in which all ways are judged alike."""

    def __init__(self, clip: Clip, spatial: str, weights: Path | None, pad: int) -> None:
        self.clip, self.pad = clip, pad
        self.exact = (load_stream(spatial, weights=weights), load_stream("msoe"))
        dtype = resolved("auto", "cpu")
        fast = (load_stream(spatial, weights=weights), load_stream("msoe"))
        wanted = (
            Wanted("space_texture", self.exact[0].texture_layers),
            Wanted("time_texture", ("energy",)),
        )
        self.sides = tuple(
            Side(stream.to(dtype), (want,), exact=exact)
            for stream, want, exact in zip(fast, wanted, self.exact, strict=True)
        )

    def judged(self, window: Tensor, natural: Tensor) -> Judgement:
        """Raw losses and relative residuals of a finished frame, in float32."""
        losses, residuals = [], dict[str, float]()
        for side in self.sides:
            match = Match(side.judge.stream, {side.wanted[0]: natural})
            losses.append(match(window)[side.wanted[0].loss].item())
            residuals |= {k.split("/")[1]: v.item() for k, v in match.residuals(window).items()}
        return (losses[0], losses[1]), residuals


def theirs(task: Task, recipe: Recipe) -> tuple[list[Frame], list[dict[str, float]]]:
    """Walk by a recipe: each frame, and the raw losses where its last octave began."""
    natural, order = task.clip.frames, padded_order(len(task.clip), recipe)
    targets = dict.fromkeys(("space_texture", "time_texture"), (task.clip,))
    shape = (3, *task.clip.size)
    made, starts, steps = [], dict[int, dict[str, float]](), 0.0
    previous = None
    began = time.perf_counter()
    for event in walk(targets, task.sides, recipe, lambda t: noise(0, t, shape)[None]):
        if isinstance(event, Step):
            steps += recipe.octaves[event.octave].scale ** 2
            if event.octave + 1 == len(recipe.octaves) and event.step == 0:
                starts[event.transition] = {k: v.item() for k, v in event.losses.items()}
            continue
        seconds = time.perf_counter() - began
        k = event.index + recipe.pad
        history = natural.new_zeros(1, *shape) if previous is None else previous
        window = torch.stack((history, event.frame), 1)
        found = task.judged(window, natural[order[k - 1 : k + 1]][None])
        made.append(Frame(event.index, *found, seconds, steps))
        say(f"{recipe.optimiser.method}: frame {event.index}, {seconds:.0f} s, losses {found[0]}")
        previous, steps, began = event.frame, 0.0, time.perf_counter()
    return made, [starts.get(t, {}) for t in range(len(made))]


class Descent:
    """The authors' last objective of one frame at one size."""

    def __init__(self, task: Task, past: Tensor, natural: Tensor, size: tuple[int, int]) -> None:
        self.past, target = resized(past, size, True), resized(natural, size, True)
        parts = [Match(side.stream, {side.wanted[0]: target}) for side in task.sides]
        self.objective = Objective([*parts, Variation()], {})

    def weigh(self, values: dict[str, float]) -> None:
        """Weights of the authors: 1, 1 and 0.1, each over the loss's value at their start."""
        shares = {"space_texture": 1.0, "time_texture": 1.0, "total_variation": 0.1}
        self.objective.weights = {name: shares[name] / values[name] for name in shares}

    def losses(self, frame: Tensor) -> dict[str, float]:
        return {k: v.item() for k, v in self.objective(self._window(frame)).items()}

    def __call__(self, frame: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        frame = frame.detach().requires_grad_()
        with torch.enable_grad():
            losses = self.objective(self._window(frame))
            (slope,) = torch.autograd.grad(self.objective.total(losses).sum(), frame)
        return losses, slope

    def _window(self, frame: Tensor) -> Tensor:
        return torch.cat((self.past, frame[:, None]), 1)

    def walked(self, frame: Tensor, steps: int, rate: float) -> Tensor:
        for moved, _ in descend(frame, self, rates_of(steps, rate, "cosine"), ADAM):
            frame = moved
        return frame


def ours(task: Task, goals: list[Frame], starts: list[dict[str, float]]) -> Iterator[Frame]:
    """Adam from the previous frame, until the goal is reached."""
    natural = task.clip.frames
    order = padded_order(len(natural), Recipe(octaves=({},), pad=task.pad))
    shape = (3, *task.clip.size)

    def fresh(index: int) -> Tensor:
        return 0.5 + CONTRAST * (noise(0, index, shape)[None] - 0.5)

    past = fresh(0)
    for k, (goal, values) in enumerate(zip(goals, starts, strict=True), 1):
        began, window = time.perf_counter(), natural[order[k - 1 : k + 1]][None]
        start = fresh(1) if k == 1 else past
        if goal.index < 0:
            kept = starts[task.pad - 1]  # the first kept frame's
            frame, steps = _pad_frame(task, past[:, None], window, start, kept)
        else:
            frame, steps = _kept_frame(task, past[:, None], window, start, goal, values)
        seconds = time.perf_counter() - began
        found = task.judged(torch.stack((past, frame), 1), window)
        say(f"ours: frame {goal.index}, {seconds:.1f} s, losses {found[0]}, wanted {goal.losses}")
        yield Frame(goal.index, *found, seconds, steps)
        past = frame


def _pad_frame(
    task: Task, past: Tensor, window: Tensor, start: Tensor, values: dict[str, float]
) -> tuple[Tensor, float]:
    """Coarse to fine; below full size each loss is weighed by its value at the start."""
    frame, full = start, task.clip.size
    for scale, steps in PAD_OCTAVES:
        size = octave_size(full, scale)
        change = frame - resized(start[:, None], frame.shape[-2:], True)[:, 0]
        frame = sum(resized(x[:, None], size, True)[:, 0] for x in (start, change)).clamp(0, 1)
        descent = Descent(task, past, window, size)
        descent.weigh(values if size == full else descent.losses(frame))
        frame = descent.walked(frame, steps, PAD_RATE)
    return frame, sum(scale**2 * steps for scale, steps in PAD_OCTAVES)


def _kept_frame(
    task: Task, past: Tensor, window: Tensor, start: Tensor, goal: Frame, values: dict[str, float]
) -> tuple[Tensor, float]:
    """Rounds of steps at full size down the authors' last objective, until both are reached."""
    descent = Descent(task, past, window, task.clip.size)
    descent.weigh(values)
    frame, taken = start, 0
    for steps in ROUNDS:
        frame, taken = descent.walked(frame, steps, RATE), taken + steps
        found = task.judged(torch.cat((past, frame[:, None]), 1), window)[0]
        if all(a <= b for a, b in zip(found, goal.losses, strict=True)):
            break
    return frame, taken


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
        for goal, own in zip(goals, found, strict=True)
    ]
    head = "frame | their ss / ts | our ss / ts | reached | their s | our s | steps | ratio"
    print_table(head.split(" | "), rows)
    for name, first in (("kept frames", 0), ("all, pad frames included", -len(goals))):
        a, b = (sum(f.seconds for f in way if f.index >= first) for way in (goals, found))
        print(f"{name}: {a:.0f} s / {b:.1f} s = {a / b:.1f}")
    ways = {"theirs": goals, "ours, their objective": found, "default": default}
    layers = list(goals[-1].residuals)
    rows = [
        (name, *(f"{mean(f.residuals[x] for f in way if f.index >= 0):.3f}" for x in layers))
        for name, way in ways.items()
    ]
    print_table(("relative residual, mean of kept frames", *layers), rows)
    seconds = [f.seconds for f in default if f.index >= 0]
    print(f"default: {mean(seconds):.1f} s a kept frame")


def say(text: str) -> None:
    """Progress, to standard error."""
    print(text, file=sys.stderr, flush=True)


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
    print(machine("cpu"))
    report(goals, found, relative(task))
    if given.against_tensorflow:
        seconds = their_program(given.against_tensorflow, clip)
        mine = sum(frame.seconds for frame in found)
        print(f"the authors' program, pad frames too: {seconds:.0f} s, {seconds / mine:.1f} x ours")


if __name__ == "__main__":
    main()
