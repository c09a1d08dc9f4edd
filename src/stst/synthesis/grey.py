"""Natural frames without colour: their metamers have none either."""

from __future__ import annotations

import torch
from torch import Tensor

from stst.losses.pixels import Losses
from stst.synthesis.evaluation import Evaluate

APART = 2 / 255  # between the channels of a grey pixel; codecs round


def without_colour(natural: Tensor) -> Tensor:
    """Whether natural frames have no colour: (B, 3, H, W) -> bool (B, 1, 1, 1).

    Examples
    --------
    >>> grey = torch.rand(1, 1, 4, 4).expand(1, 3, 4, 4)
    >>> without_colour(torch.cat((grey, torch.rand(1, 3, 4, 4)))).flatten().tolist()
    [True, False]
    """
    spread = natural.amax(1) - natural.amin(1)
    return (spread.flatten(1).amax(1) <= APART).view(-1, 1, 1, 1)


def greyed(frames: Tensor, grey: Tensor) -> Tensor:
    """Frames, or slopes, (B, 3, H, W) with one value for all channels where `grey` (1 or B)."""
    return torch.where(grey, frames.mean(1, keepdim=True), frames)


def tied(evaluate: Evaluate, grey: Tensor) -> Evaluate:
    """The same losses; the channels of frames that are `grey` have one slope."""
    if not bool(grey.any()):
        return evaluate

    def together(x: Tensor) -> tuple[Losses, Tensor]:
        losses, slope = evaluate(x)
        return losses, greyed(slope, grey)

    return together
