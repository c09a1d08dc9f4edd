"""Each frame made a texture with its own Portilla-Simoncelli statistics; needs plenoptic."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from stst.errors import Diverged
from stst.stimuli.components import Components
from stst.stimuli.light import fitted
from stst.stimuli.stimulus import Control, Made
from stst.stimuli.texture_model import NEIGHBOURS, TextureModel, descended
from stst.video.frames import Clip

_OUTSIDE = 0.1  # weight of the squares outside [0, 1], beside the distance of the statistics


class PortillaSimoncelli(Control):
    """Each frame made a texture with its statistics (Portilla & Simoncelli 2000).

    Keeps what their model (Int. J. Comput. Vis. 40, 49) measures in a frame: moments of the
    pixels, and correlations of oriented filters across places, orientations and scales. Loses
    where things are, and all motion: each frame starts from noise of its own, so the clip
    flickers. Statistics are matched as far as `steps` allow; in them opposite borders of a
    frame are neighbours.

    The model is for grey pictures. It is applied to the principal components of the colours
    of the clip (mostly light, and two opponent colours), each by itself: mean and covariance
    of the colours are kept, and nothing else that components have in common.

    It is made by plenoptic, an optional extra, on the CPU: a frame of 160 x 90 px takes
    about 20 s of one core.

    Parameters
    ----------
    scales : int
        At most so many: as many as leave the smaller side 7 px when it is halved so often.
        Sides that cannot be halved so often without remainder are extended by mirroring
        while a frame is made.
    orientations : int
        Of the filters.
    steps : int
        Of L-BFGS for each frame, at most.
    seed : int
        Of the noise that frames start from.

    Examples
    --------
    >>> PortillaSimoncelli(steps=20).sentence[:50]
    'has each frame replaced by a texture with its Port'
    """

    needs: ClassVar[str | None] = "plenoptic"

    scales: int = Field(4, ge=1, le=6)
    orientations: int = Field(4, ge=2, le=8)
    steps: int = Field(50, ge=1)

    def make(self, natural: Clip) -> Made:
        """Make one frame after the other, and clip what leaves [0, 1].

        Raises
        ------
        RecipeError
            If plenoptic is not installed.
        FramesError
            If a side has fewer than 14 px.
        Diverged
            If a frame became infinite or not a number.
        """
        model = TextureModel(natural.size, self.scales, self.orientations)
        components = Components.of(natural.frames)
        made = torch.empty(natural.frames.shape, dtype=torch.float64)
        errors = []
        for index in range(len(natural)):
            frame = components.split(natural.take([index]))
            made[index], error = self._texture(frame, index, model, components)
            errors.append(error)
        if not made.isfinite().all():
            raise Diverged("a frame became infinite or not a number; another seed may do better.")
        values, clipped = fitted(made.numpy())
        clip = Clip(torch.from_numpy(values).float(), natural.frame_rate)
        return Made(clip, clipped=clipped, residuals=tuple(errors))

    def _texture(
        self, frame: Tensor, index: int, model: TextureModel, components: Components
    ) -> tuple[Tensor, float]:
        """Make one of the components of a frame: (1, K, H, W) -> (3, H, W), its residual."""
        dice, whole = np.random.default_rng((self.seed, index)), model.extended(frame)
        start, grain = torch.from_numpy(dice.standard_normal((2, *whole.shape)))
        # A smooth frame has nothing at some scales, and nothing has no correlations.
        goal = whole + components.rounding()[:, None, None] * grain
        distance = model.distance_to(goal)

        def loss(parts: Tensor) -> Tensor:
            colours = components.join(parts)
            return distance(parts) + _OUTSIDE * (colours - colours.clamp(0, 1)).square().sum()

        texture = components.join(descended(start, loss, self.steps))
        error = model.error(components.split(texture.clamp(0, 1)), goal)  # of what is shown
        return texture[0, :, : frame.shape[2], : frame.shape[3]], error

    @property
    def sentence(self) -> str:
        """How it is made."""
        return (
            "has each frame replaced by a texture with its Portilla-Simoncelli statistics (2000; "
            f"{self.orientations} orientations, correlations across {NEIGHBOURS} px, as many "
            f"scales as leave {NEIGHBOURS} px of the smaller side, at most {self.scales}) in each "
            "principal component of the colours of the clip, made by plenoptic from noise "
            f"(seed {self.seed}) in at most {self.steps} steps of L-BFGS"
        )
