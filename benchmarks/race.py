"""Reach the authors' final losses over the same frames in two ways: theirs and ours.

Ours minimises the objective of their last octave, the raw losses with the weights that they have
there, with its own starts and steps.
"""

from __future__ import annotations

from common import load_msoe, load_trunk  # before torch

# isort: split
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stst.losses.objective import LayerTarget, Match, Objective, Variation
from stst.models.spatial import Trunk
from stst.models.stream import resolved
from stst.models.temporal import Msoe
from stst.recipe import Optimiser, Recipe
from stst.synthesis.framewise import frame_order, synthesize_framewise
from stst.synthesis.refine import Step, descend, rates_of, slope_of, to_octave
from stst.synthesis.starts import FrameSource, matched_noise, noise
from stst.synthesis.stream_losses import StreamLosses, octave_size, resized
from stst.video.frames import Clip

Losses = tuple[float, float]  # raw: space, time
Judgement = tuple[Losses, dict[str, float]]
ADAM = Optimiser(method="adam")
PAD = 3  # our frames before the kept ones, during which motion develops
COARSE = 0.5  # the one octave below full size


@dataclass(frozen=True)
class Steps:
    """Steps and rates of a frame: below full size, at full size, and in a further round there."""

    coarse: tuple[int, float]
    fine: tuple[int, float]
    more: tuple[int, float] = (12, 0.006)


FROM_NOISE = Steps((40, 0.02), (24, 0.02))  # pad frames
FROM_FRAME = Steps((16, 0.01), (24, 0.011))
MOST = 80  # steps at full size
SOURCE = Recipe(octaves=({},))  # an octave's change is added to its start


def texture(stream: Trunk | Msoe, loss: str) -> LayerTarget:
    """Make the texture loss of a stream, over its own layers."""
    return LayerTarget(loss, stream.texture_layers)


def raw_loss(stream: Trunk | Msoe, loss: str, window: Tensor, natural: Tensor) -> float:
    """Return a texture loss of (1, 2, 3, H, W) against a natural window, in float32."""
    with torch.no_grad():
        return Match(stream, {texture(stream, loss): natural})(window)[loss].item()


@dataclass(frozen=True)
class Frame:
    """A finished frame: its raw losses, relative residuals, seconds and steps."""

    index: int
    losses: Losses
    residuals: dict[str, float]
    seconds: float
    steps: float  # of full size, by area


class Task:
    """The natural clip and both streams, with which all ways are compared."""

    def __init__(self, clip: Clip, spatial: str, weights: Path | None, pad: int) -> None:
        self.clip, self.pad = clip, pad
        self.exact = (load_trunk(spatial, weights), load_msoe())
        dtype = resolved("auto", "cpu")
        fast = (load_trunk(spatial, weights), load_msoe())
        losses = ("space_texture", "time_texture")
        wanted = (texture(*each) for each in zip(self.exact, losses, strict=True))
        self.sides = tuple(
            StreamLosses(stream.to(dtype), (want,), exact=exact)
            for stream, want, exact in zip(fast, wanted, self.exact, strict=True)
        )

    def judged(self, window: Tensor, natural: Tensor) -> Judgement:
        """Return raw losses and relative residuals of a finished frame, in float32."""
        losses, residuals = [], dict[str, float]()
        for side in self.sides:
            match = Match(side.in_float32.stream, {side.layers[0]: natural})
            losses.append(match(window)[side.layers[0].loss].item())
            residuals |= {k.split("/")[1]: v.item() for k, v in match.residuals(window).items()}
        return (losses[0], losses[1]), residuals


def theirs(task: Task, recipe: Recipe) -> tuple[list[Frame], list[dict[str, float]]]:
    """Synthesise with a recipe: each frame, and the raw losses at the start of its last octave."""
    natural, order = task.clip.frames, frame_order(len(task.clip), recipe)
    targets = dict.fromkeys(("space_texture", "time_texture"), (task.clip,))
    shape = (3, *task.clip.size)
    made, starts, steps = [], dict[int, dict[str, float]](), 0.0
    previous = None
    began = time.perf_counter()
    for event in synthesize_framewise(
        FrameSource(targets, order, recipe, lambda t: noise(0, t, shape)[None]), task.sides
    ):
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
        say(f"  where its last octave began: {starts.get(len(made) - 1)}")
        previous, steps, began = event.frame, 0.0, time.perf_counter()
    return made, [starts.get(t, {}) for t in range(len(made))]


class Descent:
    """The authors' last objective of one frame at one size."""

    def __init__(self, task: Task, past: Tensor, natural: Tensor, size: tuple[int, int]) -> None:
        self.past, target = resized(past, size, True), resized(natural, size, True)
        parts = [Match(side.stream, {side.layers[0]: target}) for side in task.sides]
        self.objective = Objective([*parts, Variation()], {})

    def weigh(self, values: dict[str, float]) -> None:
        """Set the authors' weights: 1, 1 and 0.1, each over the loss at their start."""
        shares = {"space_texture": 1.0, "time_texture": 1.0, "total_variation": 0.1}
        self.objective.weights = {name: shares[name] / values[name] for name in shares}

    def losses(self, frame: Tensor) -> dict[str, float]:
        window = torch.cat((self.past, frame[:, None]), 1)
        return {k: v.item() for k, v in self.objective(window).items()}

    def walked(self, frame: Tensor, steps: int, rate: float) -> Tensor:
        evaluate = slope_of(self.objective, self.past)
        for moved, _ in descend(frame, evaluate, rates_of(steps, rate, "cosine"), ADAM):
            frame = moved
        return frame


def ours(task: Task, goals: list[Frame], starts: list[dict[str, float]]) -> Iterator[Frame]:
    """Run Adam from noise in the target's colours, later from the previous frame."""
    natural, shape = task.clip.frames, (3, *task.clip.size)
    pad, padded = min(PAD, len(natural) - 1), len(goals) - len(natural)
    order = frame_order(len(natural), SOURCE.with_settings({"pad": pad}))

    def fresh(index: int) -> Tensor:
        return matched_noise(noise(0, index, shape)[None], natural[order[index]][None])

    past = fresh(0)
    for k in range(1, len(order)):
        began, window = time.perf_counter(), natural[order[k - 1 : k + 1]][None]
        start = fresh(1) if k == 1 else past
        number = padded + max(k - pad, 0)  # a pad frame has the weights of the first kept one
        goal = goals[number].losses if k >= pad else None
        frame, steps = _made(task, past, window, start, starts[number], goal)
        seconds = time.perf_counter() - began
        found = task.judged(torch.stack((past, frame), 1), window)
        say(f"ours: frame {k - pad}, {seconds:.1f} s, losses {found[0]}, wanted {goal}")
        yield Frame(k - pad, *found, seconds, steps)
        past = frame


def _made(
    task: Task,
    past: Tensor,
    window: Tensor,
    start: Tensor,
    values: dict[str, float],
    goal: Losses | None,
) -> tuple[Tensor, float]:
    """Make a frame: an octave below full size, then rounds of steps until its goal is reached."""
    plan = FROM_NOISE if goal is None else FROM_FRAME
    frame = _coarse(task, past, window, start, plan.coarse)
    descent = Descent(task, past[:, None], window, task.clip.size)
    descent.weigh(values)
    frame, taken = descent.walked(frame, *plan.fine), plan.fine[0]
    while goal is not None and taken < MOST and not _there(task, past, frame, window, goal):
        frame, taken = descent.walked(frame, *plan.more), taken + plan.more[0]
    return frame, taken + COARSE**2 * plan.coarse[0]


def _there(task: Task, past: Tensor, frame: Tensor, window: Tensor, goal: Losses) -> bool:
    found = task.judged(torch.stack((past, frame), 1), window)[0]
    return all(a <= b for a, b in zip(found, goal, strict=True))


def _coarse(
    task: Task, past: Tensor, window: Tensor, start: Tensor, steps: tuple[int, float]
) -> Tensor:
    """Change the start by an octave, in which each loss is weighted by its value there."""
    full, size = task.clip.size, octave_size(task.clip.size, COARSE)
    small = resized(start[:, None], size, True)[:, 0]
    descent = Descent(task, past[:, None], window, size)
    descent.weigh(descent.losses(small))
    found = descent.walked(small, *steps)
    return to_octave(found[:, None], start[:, None], full, SOURCE)[:, 0]


def say(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)
