"""Optimisation of one frame through all octaves, and the update rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from weakref import ref

import torch
from torch import Tensor

from stst.errors import Diverged
from stst.losses.objective import Gamut, Losses, Objective
from stst.recipe import LOSSES, Optimiser, Recipe, Stop, value_at
from stst.synthesis.colour import colour_transfer
from stst.synthesis.stream_losses import (
    StreamLosses,
    Windows,
    appearance,
    build_objective,
    octave_size,
    resized,
)


@dataclass(frozen=True)
class Step:
    """Event: one optimiser step, with the losses before it.

    Parameters
    ----------
    transition : int
        Frame that is optimised, from 0, pad frames included; always 0 for a whole clip.
    octave : int
        Octave, from 0 (coarsest).
    step : int
        Step within the octave, from 0.
    losses : dict of str to Tensor
        Unweighted losses and their weighted sum ``total``, each (B,).
    frame : callable
        Returns the frames after the step, RGB in [0, 1], (B, 3, h, w) in the size of the octave,
        while the next step has not been taken; later None.
    """

    transition: int
    octave: int
    step: int
    losses: Losses
    # A weak reference, because whoever keeps the events should not keep all frames.
    frame: Callable[[], Tensor | None] = field(default=lambda: None, repr=False, compare=False)


def refine(
    window: Tensor,
    targets: Windows,
    stream_losses: Sequence[StreamLosses],
    recipe: Recipe,
    index: int,
    evaluations: Evaluations | None = None,
) -> Generator[Step, None, Tensor]:
    """Optimise the last frame of a window (B, T, 3, H, W); the earlier ones stay fixed.

    `index` is the transition, for settings that change over frames. `evaluations` are shared by
    all frames of a clip. Returns the refined frame, (B, 3, H, W). Raises Diverged if a loss or
    the frame becomes infinite or NaN.
    """
    full = (window.shape[-2], window.shape[-1])
    grey = colourless_items(targets, recipe)
    window = torch.cat((window[:, :-1], grey_out(window[:, -1], grey)[:, None]), 1)
    source, past, start = targets, window[:, :-1], window[:, -1:]
    evaluations = evaluations or Evaluations()
    for number, octave in enumerate(recipe.octaves):
        if recipe.resize == "successive":
            source, past = targets, window[:, :-1]
        size = octave_size(full, octave.scale)
        targets = {loss: resized(x, size, recipe.antialias) for loss, x in source.items()}
        history = resized(past, size, recipe.antialias)
        current = to_octave(window[:, -1:], start, size, recipe)
        window = torch.cat((history, current), 1)
        objective = build_objective(targets, stream_losses, recipe, index)
        if recipe.equalise is not None:
            objective = objective.equalised(window, recipe.equalise)
        key = (number, *recipe.weights.at(index).items())
        evaluate = evaluations(key, objective, history, window[:, -1])
        evaluate = tie_channels(evaluate, grey)
        frame = yield from optimise_octave(window[:, -1], evaluate, recipe, (index, number))
        finest = number + 1 == len(recipe.octaves)
        if recipe.colour.at(index) == "octave" and not finest:
            frame = transfer_colours(frame, targets, recipe)
        window = torch.cat((history, frame[:, None]), 1)
    # Interpolation can round to slightly above 1.
    frame = resized(frame[:, None], full, recipe.antialias)[:, 0].clamp(0, 1)
    if "gamut" in recipe.weights.at(index):
        frame = Gamut(appearance(source)).inside(frame)
    return frame


def optimise_octave(
    start: Tensor,
    evaluate: Evaluate,
    recipe: Recipe,
    place: tuple[int, int],
    *,
    batch: int | None = None,
) -> Generator[Step, None, Tensor]:
    """Take all steps of one octave: (B, 3, h, w) -> refined frame (B, 3, h, w).

    If the frames belong to a `batch` of clips, each step reports the mean losses of each clip,
    (batch,).
    """
    octave, finest = recipe.octaves[place[1]], place[1] + 1 == len(recipe.octaves)
    rates = rates_of(value_at(octave.steps, place[0]), octave.rate, recipe.optimiser.decay)
    criterion = None
    if recipe.stop is not None:
        criterion = StopCriterion(recipe.stop, len(rates), finest=finest)
        rates *= recipe.stop.rounds
    frame, steps = start, list[Step]()
    for moved, losses in descend(start, evaluate, rates, recipe.optimiser):
        if criterion is not None and criterion.ends(len(steps), losses):
            break  # these losses precede a step that is not taken
        frame = moved
        if batch is not None:
            losses = {name: loss.view(batch, -1).mean(1) for name, loss in losses.items()}
        steps.append(Step(*place, len(steps), losses, ref(frame)))
        yield steps[-1]
    refuse_divergence(steps, frame)
    return frame


def refuse_divergence(steps: list[Step], frame: Tensor) -> None:
    """Raise at the first non-finite loss or frame. Called once per octave, for speed."""
    if not steps:
        return
    values = [(step, name, value) for step in steps for name, value in step.losses.items()]
    if bool(torch.stack([value for *_, value in values]).isfinite().all() & frame.isfinite().all()):
        return
    values.append((steps[-1], "the frame", frame))
    for step, name, value in values:
        if not bool(torch.isfinite(value).all()):
            raise Diverged(
                f"{name} became infinite or NaN in transition {step.transition}, octave "
                f"{step.octave}, step {step.step}. Lower the rate of this octave, or check the "
                "streams for infinite activations or gradients."
            )


def transfer_colours(frames: Tensor, targets: Windows, recipe: Recipe) -> Tensor:
    """Transfer colours of the natural frame to each metamer's frame (B, 3, H, W)."""
    pairs = zip(frames, appearance(targets).expand_as(frames), strict=True)
    moved = [colour_transfer(*pair, regrain=recipe.colour.regrain) for pair in pairs]
    return grey_out(torch.stack(moved), colourless_items(targets, recipe))


def colourless_items(targets: Windows, recipe: Recipe) -> Tensor:
    """Metamers that must stay grey like their natural frame: bool (1 or B, 1, 1, 1)."""
    natural = appearance(targets)
    spread = (natural.amax(1) - natural.amin(1)).flatten(1).amax(1)
    return (spread <= APART).view(-1, 1, 1, 1) & recipe.colour.keep_grey


def to_octave(frame: Tensor, start: Tensor, size: tuple[int, int], recipe: Recipe) -> Tensor:
    """Resize an octave's result (B, 1, 3, h, w) to the next octave.

    With ``resize: source`` only its change is resized and added to the start, which keeps the
    start's fine detail.
    """
    if recipe.resize == "successive":
        return resized(frame, size, recipe.antialias)
    coarse = (frame.shape[-2], frame.shape[-1])
    change = frame - resized(start, coarse, recipe.antialias)
    moved = resized(start, size, recipe.antialias) + resized(change, size, recipe.antialias)
    return moved.clamp(0, 1)


Evaluate = Callable[[Tensor], tuple[Losses, Tensor]]

APART = 2 / 255  # largest channel difference of a grey pixel; codecs round
WARM_UP = 3  # evaluations before a capture, while libraries choose their algorithms


def slope_of(objective: Objective, history: Tensor) -> Evaluate:
    """Return the function from a frame (B, 3, H, W) after `history` to its losses and gradient."""

    def evaluate(x: Tensor) -> tuple[Losses, Tensor]:
        x = x.detach().requires_grad_()
        losses, slope = dict[str, Tensor](), torch.zeros_like(x)
        for part in objective.parts:  # one at a time, to save memory
            with torch.enable_grad():
                values = part(torch.cat((history, x[:, None]), 1))
                total = objective.total(values).sum()
            slope += torch.autograd.grad(total, x)[0]
            losses |= {name: value.detach() for name, value in values.items()}
        return losses | {"total": objective.total(losses)}, slope

    return evaluate


@dataclass(frozen=True)
class Evaluations:
    """Builds `slope_of` functions and reuses their CUDA graphs across frames, one per key."""

    kept: dict[Hashable, tuple[Objective, Tensor, Evaluate]] = field(default_factory=dict)

    def __call__(
        self, key: Hashable, objective: Objective, history: Tensor, start: Tensor
    ) -> Evaluate:
        """Return an evaluation for frames shaped like `start`; equal keys share a graph."""
        if not (start.is_cuda and objective.capturable):
            return slope_of(objective, history)
        if key not in self.kept:
            past = history.clone()
            self.kept[key] = (objective, past, _captured(slope_of(objective, past), start))
        held, past, replay = self.kept[key]  # a graph always reads the captured memory
        held.load(objective)
        past.copy_(history)
        return replay


def _captured(evaluate: Evaluate, start: Tensor) -> Evaluate:
    """Capture one evaluation; each replay overwrites the returned gradient."""
    frames, side_stream = start.clone(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(WARM_UP):
            evaluate(frames)
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses, slope = evaluate(frames)

    def replay(x: Tensor) -> tuple[Losses, Tensor]:
        frames.copy_(x)
        graph.replay()
        return {name: value.clone() for name, value in losses.items()}, slope

    return replay


Steps = Iterator[tuple[Tensor, Losses]]


def descend(x: Tensor, evaluate: Evaluate, rates: Sequence[float], how: Optimiser) -> Steps:
    """Apply the recipe's update rule."""
    if how.method == "adam":
        return adam(x, evaluate, rates, how)
    return {"normalised": normalised, "lbfgs": lbfgs}[how.method](x, evaluate, rates)


def rates_of(steps: int, rate: float, decay: str) -> list[float]:
    """Rate of each step: constant, or falling towards 0 along half a cosine."""
    if decay == "constant":
        return [rate] * steps
    return [rate * (1 + math.cos(math.pi * i / steps)) / 2 for i in range(steps)]


def normalised(x: Tensor, evaluate: Evaluate, rates: Sequence[float]) -> Steps:
    """Apply the authors' rule: x - rate * gradient / (standard deviation + 1e-8), clipped."""
    for rate in rates:
        losses, slope = evaluate(x)
        spread = slope.flatten(1).std(1, correction=0).view(-1, 1, 1, 1)
        x = (x - rate * slope / (spread + 1e-8)).clamp(0, 1)
        yield x, losses


def adam(x: Tensor, evaluate: Evaluate, rates: Sequence[float], how: Optimiser) -> Steps:
    """Apply Adam (Kingma & Ba 2015); frames are clipped to [0, 1] after each step."""
    betas, first, second = how.betas, torch.zeros_like(x), torch.zeros_like(x)
    for i, rate in enumerate(rates, 1):
        losses, slope = evaluate(x)
        first = first.lerp(slope, 1 - betas[0])
        second = second.lerp(slope.square(), 1 - betas[1])
        power = second / (1 - betas[1] ** i)
        spread = power.sqrt() + how.damping * power.mean((1, 2, 3), keepdim=True).sqrt() + 1e-12
        x = (x - rate / (1 - betas[0] ** i) * first / spread).clamp(0, 1)
        yield x, losses


def lbfgs(x: Tensor, evaluate: Evaluate, rates: Sequence[float]) -> Steps:
    """Apply L-BFGS with a strong Wolfe line search. Ignores the rate; one metamer only."""
    x = x.clone()
    engine = torch.optim.LBFGS(
        [x], max_iter=1, max_eval=20, history_size=20, line_search_fn="strong_wolfe"
    )
    for _ in rates:
        history: list[Losses] = []

        def closure(history: list[Losses] = history) -> Tensor:
            losses, x.grad = evaluate(x)
            history.append(losses)
            return losses["total"].sum()

        engine.step(closure)  # type: ignore[no-untyped-call]
        x.clamp_(0, 1)
        yield x.clone(), history[0]


COARSE = 2.0  # factor on the tolerance below full size


class StopCriterion:
    """Decides when an octave with `length` steps per round ends: when all items are done."""

    def __init__(self, stop: Stop, length: int, *, finest: bool) -> None:
        self.stop, self.length = stop, length
        self.tolerance = stop.tolerance * (1 if finest else COARSE)
        self.last: Tensor | None = None

    def ends(self, step: int, losses: Losses) -> bool:
        """Whether the octave ends before this step. Waits for the device only at a check."""
        check_due, round_done = step % self.stop.every == 0, step % self.length == 0
        if not (check_due or round_done):
            return False
        squares = torch.stack([losses[name] for name in LOSSES if name in losses])
        overall = squares.sum(0).sqrt()
        done = squares.amax(0).sqrt() <= self.tolerance
        if round_done and self.last is not None:
            done |= overall > (1 - self.stop.improvement) * self.last
        if round_done:
            self.last = overall
        done &= overall.isfinite()  # otherwise the next step reports the divergence
        return bool(done.all())


def grey_out(frames: Tensor, grey: Tensor) -> Tensor:
    """Average the channels of frames or gradients (B, 3, H, W) where `grey` is true."""
    return torch.where(grey, frames.mean(1, keepdim=True), frames)


def tie_channels(evaluate: Evaluate, grey: Tensor) -> Evaluate:
    """Give the channels of frames that are `grey` the same gradient; losses are unchanged."""
    if not bool(grey.any()):
        return evaluate

    def together(x: Tensor) -> tuple[Losses, Tensor]:
        losses, slope = evaluate(x)
        return losses, grey_out(slope, grey)

    return together
