"""Gratings whose motion is known: the simplest dynamic stimuli."""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import Field

from stst.stimuli.stimulus import Generated, Made
from stst.video.frames import Clip


class DriftingGrating(Generated):
    """A sine grating that drifts across its bars.

    Parameters
    ----------
    wavelength : float
        px per cycle, at least 2 (one is the raster's limit).
    speed : float
        px a frame, along `direction`; below half a wavelength, or it is seen to go back.
    direction : float
        Where it moves, degrees counter-clockwise from the right.
    contrast : float
        Michelson contrast, about mid grey.
    """

    wavelength: float = Field(16, ge=2)
    speed: float = Field(1, ge=0)
    direction: float = 0
    contrast: float = Field(0.8, gt=0, le=1)

    def make(self) -> Made:
        """Draw it; the flow is the drift, everywhere."""
        along = (math.cos(math.radians(self.direction)), -math.sin(math.radians(self.direction)))
        t, y, x = np.ogrid[: self.frames, : self.height, : self.width]
        place = x * along[0] + y * along[1] - self.speed * t
        grey = 0.5 + 0.5 * self.contrast * np.sin(2 * np.pi * place / self.wavelength)
        frames = torch.from_numpy(grey.astype(np.float32))[:, None].expand(-1, 3, -1, -1)
        drift = self.speed * torch.tensor(along)[:, None, None]
        flow = drift.expand(self.frames - 1, 2, self.height, self.width)
        return Made(Clip(frames.contiguous(), self.frame_rate), flow.float().contiguous())

    @property
    def sentence(self) -> str:
        """What it is."""
        return (
            f"a sine grating of {self.wavelength:g} px per cycle and contrast {self.contrast:g}, "
            f"drifting by {self.speed:g} px a frame towards {self.direction:g} degrees "
            f"(counter-clockwise from the right)"
        )
