"""Update rules: generators that carry a frame downhill, one step at a time.

Each takes the frames x (B, 3, H, W), a callable that returns the losses and the slope
at x, and the rate of each step; and yields the frames after the step with the losses
before it. Frames stay in [0, 1]. Each item of the batch moves by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stst.losses.objective import Objective
from stst.losses.pixels import Losses
from stst.recipe import LOSSES, Optimiser, Stop

Evaluate = Callable[[Tensor], tuple[Losses, Tensor]]

WARM_UP = 3  # evaluations before a capture, in which libraries choose their algorithms


def slope_of(objective: Objective, history: Tensor) -> Evaluate:
    """The function that maps a frame (B, 3, H, W) after `history` to its losses and slope.

    One part after the other, so that the activations of one stream alone are held.
    """

    def evaluate(x: Tensor) -> tuple[Losses, Tensor]:
        x = x.detach().requires_grad_()
        losses, slope = dict[str, Tensor](), torch.zeros_like(x)
        for part in objective.parts:
            with torch.enable_grad():
                found = part(torch.cat((history, x[:, None]), 1))
                total = objective.total(found).sum()
            slope += torch.autograd.grad(total, x)[0]
            losses |= {name: value.detach() for name, value in found.items()}
        return losses | {"total": objective.total(losses)}, slope

    return evaluate


@dataclass(frozen=True)
class Evaluations:
    """Make `slope_of`; its CUDA graphs are kept from frame to frame, one for each key.

    A kept graph reads its targets and history where they were when it was captured: those
    of a new frame are copied there.
    """

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
        held, past, replay = self.kept[key]
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
    """Rate of each step: constant, or half a cosine down towards 0.

    Examples
    --------
    >>> rates_of(3, 0.5, "constant")
    [0.5, 0.5, 0.5]
    """
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


class Watch:
    """Look at the losses of one octave, of `length` steps a round, every few steps.

    A batch goes on until each of its items is done.
    """

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
