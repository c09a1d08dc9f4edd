"""One frame through all octaves, coarse to fine, and the update rules that carry it downhill."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

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
    """One step: the losses before it (B,), unweighted, and their weighted ``total``."""

    transition: int
    octave: int
    step: int
    losses: Losses


def refine(
    window: Tensor,
    targets: Windows,
    stream_losses: Sequence[StreamLosses],
    recipe: Recipe,
    index: int,
    evaluations: Evaluations | None = None,
) -> Generator[Step, None, Tensor]:
    """Optimise the last frame of a window (B, T, 3, H, W); the others are its fixed past.

    `index` is that of the transition, for settings that change from frame to frame; `evaluations`
    are kept for all frames of a clip. Returns the refined frame, (B, 3, H, W); Diverged if a loss
    or the frame becomes infinite or not a number.
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
    # Interpolation may round to just above 1.
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
    """All steps of one octave: (B, 3, h, w) -> refined frame (B, 3, h, w).

    Of frames of a `batch` of clips each step has the mean losses of each clip, (batch,).
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
            break  # the losses are those before the step, which is not taken
        frame = moved
        if batch is not None:
            losses = {name: loss.view(batch, -1).mean(1) for name, loss in losses.items()}
        steps.append(Step(*place, len(steps), losses))
        yield steps[-1]
    refuse_divergence(steps, frame)
    return frame


def refuse_divergence(steps: list[Step], frame: Tensor) -> None:
    """Raise at the first loss, or the last frame, that is not finite; once an octave, for speed."""
    if not steps:
        return
    values = [(step, name, value) for step in steps for name, value in step.losses.items()]
    if bool(torch.stack([value for *_, value in values]).isfinite().all() & frame.isfinite().all()):
        return
    values.append((steps[-1], "the frame", frame))
    for step, name, value in values:
        if not bool(torch.isfinite(value).all()):
            raise Diverged(
                f"{name} became infinite or not a number in transition {step.transition}, octave "
                f"{step.octave}, step {step.step}. Lower that octave's rate, or look for a "
                "stream that gives infinite activations or slopes."
            )


def transfer_colours(frames: Tensor, targets: Windows, recipe: Recipe) -> Tensor:
    """Colour transfer of each metamer's frame (B, 3, H, W) to the natural one."""
    pairs = zip(frames, appearance(targets).expand_as(frames), strict=True)
    moved = [colour_transfer(*pair, regrain=recipe.colour.regrain) for pair in pairs]
    return grey_out(torch.stack(moved), colourless_items(targets, recipe))


def colourless_items(targets: Windows, recipe: Recipe) -> Tensor:
    """Which metamers are to have no colour, as their natural frame: bool (1 or B, 1, 1, 1)."""
    natural = appearance(targets)
    spread = (natural.amax(1) - natural.amin(1)).flatten(1).amax(1)
    return (spread <= APART).view(-1, 1, 1, 1) & recipe.colour.keep_grey


def to_octave(frame: Tensor, start: Tensor, size: tuple[int, int], recipe: Recipe) -> Tensor:
    """Bring an octave's result (B, 1, 3, h, w) to the size of the next.

    With ``resize: source`` its change is added to the start, so that finer detail is not lost.
    """
    if recipe.resize == "successive":
        return resized(frame, size, recipe.antialias)
    coarse = (frame.shape[-2], frame.shape[-1])
    change = frame - resized(start, coarse, recipe.antialias)
    moved = resized(start, size, recipe.antialias) + resized(change, size, recipe.antialias)
    return moved.clamp(0, 1)


Evaluate = Callable[[Tensor], tuple[Losses, Tensor]]

APART = 2 / 255  # between the channels of a grey pixel; codecs round
WARM_UP = 3  # evaluations before a capture, in which libraries choose their algorithms


def slope_of(objective: Objective, history: Tensor) -> Evaluate:
    """The map from a frame (B, 3, H, W) after `history` to its losses and slope."""

    def evaluate(x: Tensor) -> tuple[Losses, Tensor]:
        x = x.detach().requires_grad_()
        losses, slope = dict[str, Tensor](), torch.zeros_like(x)
        for part in objective.parts:  # one after the other, to hold less
            with torch.enable_grad():
                values = part(torch.cat((history, x[:, None]), 1))
                total = objective.total(values).sum()
            slope += torch.autograd.grad(total, x)[0]
            losses |= {name: value.detach() for name, value in values.items()}
        return losses | {"total": objective.total(losses)}, slope

    return evaluate


@dataclass(frozen=True)
class Evaluations:
    """Make `slope_of`; its CUDA graphs are kept from frame to frame, one for each key."""

    kept: dict[Hashable, tuple[Objective, Tensor, Evaluate]] = field(default_factory=dict)

    def __call__(
        self, key: Hashable, objective: Objective, history: Tensor, start: Tensor
    ) -> Evaluate:
        """Evaluate frames of the shape of `start`; only what has one key may share a graph."""
        if not (start.is_cuda and objective.capturable):
            return slope_of(objective, history)
        if key not in self.kept:
            past = history.clone()
            self.kept[key] = (objective, past, _captured(slope_of(objective, past), start))
        held, past, replay = self.kept[key]  # a graph reads where it read when it was captured
        held.load(objective)
        past.copy_(history)
        return replay


def _captured(evaluate: Evaluate, start: Tensor) -> Evaluate:
    """Record one evaluation; the slope that a replay returns is overwritten by the next."""
    frames, beside = start.clone(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            evaluate(frames)
    torch.cuda.current_stream().wait_stream(beside)
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
    """Walk down by the recipe's update rule."""
    if how.method == "adam":
        return adam(x, evaluate, rates, how)
    return {"normalised": normalised, "lbfgs": lbfgs}[how.method](x, evaluate, rates)


def rates_of(steps: int, rate: float, decay: str) -> list[float]:
    """Rate of each step: constant, or half a cosine down towards 0."""
    if decay == "constant":
        return [rate] * steps
    return [rate * (1 + math.cos(math.pi * i / steps)) / 2 for i in range(steps)]


def normalised(x: Tensor, evaluate: Evaluate, rates: Sequence[float]) -> Steps:
    """The authors': x - rate x slope / (its standard deviation + 1e-8), clipped."""
    for rate in rates:
        losses, slope = evaluate(x)
        spread = slope.flatten(1).std(1, correction=0).view(-1, 1, 1, 1)
        x = (x - rate * slope / (spread + 1e-8)).clamp(0, 1)
        yield x, losses


def adam(x: Tensor, evaluate: Evaluate, rates: Sequence[float], how: Optimiser) -> Steps:
    """Adam (Kingma & Ba 2015) with the frames clipped to [0, 1] after each step."""
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
    """L-BFGS with a strong Wolfe line search; the rate is not used. One metamer only."""
    x = x.clone()
    engine = torch.optim.LBFGS(
        [x], max_iter=1, max_eval=20, history_size=20, line_search_fn="strong_wolfe"
    )
    for _ in rates:
        seen: list[Losses] = []

        def closure(seen: list[Losses] = seen) -> Tensor:
            losses, x.grad = evaluate(x)
            seen.append(losses)
            return losses["total"].sum()

        engine.step(closure)  # type: ignore[no-untyped-call]
        x.clamp_(0, 1)
        yield x.clone(), seen[0]


COARSE = 2.0  # how much further an octave below full size may stay from its target


class StopCriterion:
    """When an octave, of `length` steps a round, ends: when each item of the batch is done."""

    def __init__(self, stop: Stop, length: int, *, finest: bool) -> None:
        self.stop, self.length = stop, length
        self.tolerance = stop.tolerance * (1 if finest else COARSE)
        self.last: Tensor | None = None

    def ends(self, step: int, losses: Losses) -> bool:
        """Whether the octave ends before this step; the device is waited for if it is looked at."""
        looks, turns = step % self.stop.every == 0, step % self.length == 0
        if not (looks or turns):
            return False
        squares = torch.stack([losses[name] for name in LOSSES if name in losses])
        overall = squares.sum(0).sqrt()
        done = squares.amax(0).sqrt() <= self.tolerance
        if turns and self.last is not None:
            done |= overall > (1 - self.stop.improvement) * self.last
        if turns:
            self.last = overall
        done &= overall.isfinite()  # else a step is taken, and refused with its place
        return bool(done.all())


def grey_out(frames: Tensor, grey: Tensor) -> Tensor:
    """Frames, or slopes, (B, 3, H, W) with one value for all channels where `grey` (1 or B)."""
    return torch.where(grey, frames.mean(1, keepdim=True), frames)


def tie_channels(evaluate: Evaluate, grey: Tensor) -> Evaluate:
    """The same losses; the channels of frames that are `grey` have one slope."""
    if not bool(grey.any()):
        return evaluate

    def together(x: Tensor) -> tuple[Losses, Tensor]:
        losses, slope = evaluate(x)
        return losses, grey_out(slope, grey)

    return together
