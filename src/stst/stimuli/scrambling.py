"""What controls with scrambled Fourier phases have in common: settings and making."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
import torch

from stst.stimuli.light import fitted
from stst.stimuli.spectrum import phase_field, scrambled, tapered
from stst.stimuli.stimulus import Control, Made
from stst.video.frames import Clip

Sharing = Literal["shared", "independent"]
Shape = tuple[int, int, int]  # T, H, W
TIME, SPACE = (0,), (1, 2)  # axes of it
_SHARED = {
    "channels": ("the same in R, G and B", "others in each of R, G and B"),
    "frames": ("the same in all frames", "others in every frame"),
    "pixels": ("the same at all pixels", "others at every pixel"),
}
_FADED = {
    TIME: "its length to the mean frame",
    SPACE: "height and width to the mean colour of each frame",
}


class PhaseScrambled(Control):
    """What the kinds of scrambling share; each says what is transformed.

    Amplitudes are kept until values are clipped to [0, 1] (``Made.clipped``) and rounded to
    8 bits in a file. Working memory is about 70 bytes for each pixel of each frame: the clip,
    what is made of it, and one channel at a time in float64.

    Parameters
    ----------
    channels : {"shared", "independent"}
        The same random phases for R, G and B: added to theirs they keep the covariance of the
        colours. Or others for each: the channels no longer have anything in common, and all
        colours come up that they can mix.
    phases : {"added", "replaced"}
        Random phases added to those of the clip, or put in their place. Two things to which
        the same phases are added keep their difference of phase; two that get the same in
        place of their own have none any more.
    seed : int
        Of the random phases.
    """

    channels: Sharing = "shared"
    phases: Literal["added", "replaced"] = "added"

    axes: ClassVar[tuple[int, ...]]  # of (T, H, W), along which to transform
    transform: ClassVar[str]  # in words

    @abstractmethod
    def drawn(self, shape: Shape) -> Shape:
        """Shape of the noise whose phases are taken, for one channel of `shape`."""

    @property
    @abstractmethod
    def tapers(self) -> dict[tuple[int, ...], float]:
        """Axes that are faded before to the mean along them, and what share of each."""

    def make(self, natural: Clip) -> Made:
        """Scramble one channel after the other, and clip what leaves [0, 1]."""
        frames, clipped = natural.frames.numpy(), 0.0
        shape = self.drawn((len(natural), *natural.size))
        made = np.empty_like(frames)
        for channel in range(3):
            if channel == 0 or self.channels == "independent":
                field = phase_field(shape, self.axes, (self.seed, channel))
            values = frames[:, channel].astype(float)
            for axes, share in self.tapers.items():
                values = tapered(values, axes, share)
            values = scrambled(values, self.axes, field, replace=self.phases == "replaced")
            made[:, channel], outside = fitted(values)
            clipped += outside / 3
        return Made(Clip(torch.from_numpy(made), natural.frame_rate), clipped=clipped)

    @property
    def sentence(self) -> str:
        """How it is made."""
        how = "added to" if self.phases == "added" else "in place of"
        told = [
            words[getattr(self, name) == "independent"]
            for name, words in _SHARED.items()
            if name in type(self).model_fields
        ]
        return (
            f"has random phases (seed {self.seed}) {how} those of {self.transform}, "
            f"{' and '.join(told)}; {self._kept}"
        )

    @property
    def _kept(self) -> str:
        faded = [
            f"{100 * share:g} % of {_FADED[axes]}" for axes, share in self.tapers.items() if share
        ]
        if not faded:
            return "its amplitudes and mean colour are those of the clip"
        return (
            "its mean colour is that of the clip, its amplitudes are those of the clip after "
            f"Tukey windows had faded {' and '.join(faded)}"
        )
