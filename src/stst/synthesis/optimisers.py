"""Update rules: generators that carry a frame downhill, one step at a time.

Each takes the frames x (B, 3, H, W), a callable that returns the losses and the slope
at x, and the rate of each step; and yields the frames after the step with the losses
before it. Frames stay in [0, 1]. Each item of the batch moves by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from stst.losses.pixels import Losses
from stst.recipe import Optimiser
from stst.synthesis.evaluation import Evaluate

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
