"""Controls that change when frames are shown, and no frame."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from stst.stimuli.stimulus import Control, Made
from stst.video.frames import Clip


class Reversed(Control):
    """The clip played backwards: every frame and the speed are kept, direction is not."""

    random: ClassVar[bool] = False

    def make(self, natural: Clip) -> Made:
        """Turn the order of the frames around."""
        return _ordered(natural, np.arange(len(natural))[::-1])

    @property
    def sentence(self) -> str:
        """How it is made."""
        return "is played backwards"


class Shuffled(Control):
    """The frames in random order: every frame is kept, motion is not."""

    def make(self, natural: Clip) -> Made:
        """Draw an order."""
        return _ordered(natural, np.random.default_rng(self.seed).permutation(len(natural)))

    @property
    def sentence(self) -> str:
        """How it is made."""
        return f"has its frames in random order (seed {self.seed})"


class Static(Control):
    """The first frame throughout: no motion at all."""

    random: ClassVar[bool] = False

    def make(self, natural: Clip) -> Made:
        """Repeat the first frame."""
        return _ordered(natural, np.zeros(len(natural), int))

    @property
    def sentence(self) -> str:
        """How it is made."""
        return "shows its first frame throughout"


def _ordered(natural: Clip, order: np.ndarray) -> Made:
    return Made(Clip(natural.take(order.tolist()), natural.frame_rate))
