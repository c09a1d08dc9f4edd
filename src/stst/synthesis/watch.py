"""When an octave is done: the recipe's criterion on relative residuals."""

from __future__ import annotations

import torch
from torch import Tensor

from stst.losses.objective import Losses
from stst.recipe import LOSSES, Stop

COARSE = 2.0  # how much further an octave below full size may stay from its target


class Watch:
    """Look at the losses of one octave between rounds.

    A batch goes on until each of its items is done.
    """

    def __init__(self, stop: Stop, *, finest: bool) -> None:
        self.stop = stop
        self.tolerance = stop.tolerance * (1 if finest else COARSE)
        self.last: Tensor | None = None

    def ends(self, step: int, losses: Losses) -> bool:
        """Whether the octave ends before this step; the device is waited for once a round."""
        if step % self.stop.every:
            return False
        squares = torch.stack([losses[name] for name in LOSSES if name in losses])
        done = squares.amax(0).sqrt() <= self.tolerance
        overall = squares.sum(0).sqrt()
        if self.last is not None:
            done |= overall > (1 - self.stop.improvement) * self.last
        self.last = overall
        done &= overall.isfinite()  # else a step is taken, and refused with its place
        return bool(done.all())
