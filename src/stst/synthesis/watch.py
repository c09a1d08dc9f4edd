"""When an octave is done: the recipe's criterion on relative residuals."""

from __future__ import annotations

import torch
from torch import Tensor

from stst.losses.pixels import Losses
from stst.recipe import LOSSES, Stop

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
