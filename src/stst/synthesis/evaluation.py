"""Losses of a frame and their slope; on CUDA as a graph, one launch in place of a thousand."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stst.losses.objective import Objective
from stst.losses.pixels import Losses

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
