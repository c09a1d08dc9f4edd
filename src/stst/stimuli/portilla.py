"""Control that matches the Portilla-Simoncelli statistics of each frame; needs plenoptic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from stst.errors import Diverged, FramesError, RecipeError
from stst.stimuli.stimulus import Control, Stimulus
from stst.video.frames import Clip
from stst.video.light import clip_to_unit

NEIGHBOURS = 7  # side of the neighbourhood for correlations at each scale, px; as in the paper

Loss = Callable[[Tensor], Tensor]


class TextureModel:
    """Portilla-Simoncelli statistics of images of one size: (1, K, H, W), float64, per channel."""

    def __init__(self, size: tuple[int, int], scales: int, orientations: int) -> None:
        try:
            import plenoptic
        except ImportError:
            raise RecipeError(
                "Portilla-Simoncelli statistics need the package plenoptic. Install it: "
                "pip install 'stst-vision[plenoptic]'."
            ) from None
        most = int(np.log2(max(1, min(size) / NEIGHBOURS)))
        if most < 1:
            raise FramesError(
                f"Portilla-Simoncelli statistics need frames of at least {2 * NEIGHBOURS} px per "
                f"side, got {size[1]} x {size[0]} px. Use larger frames."
            )
        self.scales = min(most, scales)
        unit = 2**self.scales
        self._sides = [-(-side // unit) * unit for side in size]
        self._gap_from = plenoptic.loss.portilla_simoncelli_loss_factory
        state = np.random.get_state()  # plenoptic's constructor draws random numbers
        try:
            self._model: torch.nn.Module = plenoptic.models.PortillaSimoncelli(
                self._sides, self.scales, orientations, NEIGHBOURS
            )
        finally:
            np.random.set_state(state)

    def extended(self, picture: Tensor) -> Tensor:
        """Mirror the lower and right border until the sides can be halved `scales` times."""
        down, right = (new - old for new, old in zip(self._sides, picture.shape[2:], strict=True))
        return F.pad(picture, (0, right, 0, down), mode="reflect")

    def distance_to(self, goal: Tensor) -> Loss:
        """Return the distance of an image's statistics from those of `goal`, both `extended`."""
        target = self._model(goal)
        # Weighted as plenoptic's authors do: no extreme values, more weight on fine detail.
        gap = self._gap_from(self._model, goal)
        return lambda picture: gap(self._model(picture), target)

    @torch.no_grad()
    def error(self, picture: Tensor, goal: Tensor) -> float:
        """Return the relative error of an image's statistics, weighted as in `distance_to`."""
        gap, target = self._gap_from(self._model, goal), self._model(goal)
        return float(gap(self._model(picture), target) / gap(torch.zeros_like(target), target))


def descend(start: Tensor, loss: Loss, steps: int) -> Tensor:
    """Minimise a loss with at most `steps` steps of L-BFGS; `start` is not changed."""
    picture = start.clone().requires_grad_()
    rule = torch.optim.LBFGS(
        [picture], max_iter=steps, max_eval=4 * steps, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        value = loss(picture)
        (picture.grad,) = torch.autograd.grad(value, picture)
        return value.detach()

    with torch.enable_grad():
        rule.step(closure)  # type: ignore[no-untyped-call]
    return picture.detach()


_STEP = 1 / 255  # one 8-bit level; smaller variation is rounding


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of the colours of some frames, each with mean 0 and variance 1."""

    mean: Tensor  # (3,), the mean colour
    basis: Tensor  # (3, K), colour per SD of each component, smallest first; K=1 for grey clips

    @classmethod
    def of(cls, frames: Tensor) -> Self:
        """Compute the components of frames, (T, 3, H, W)."""
        pixels = frames.double().transpose(0, 1).flatten(1)
        variance, axes = torch.linalg.eigh(torch.cov(pixels, correction=0))
        spread = variance.clamp(min=_STEP**2).sqrt()
        kept = max(1, int((variance > _STEP**2).sum()))
        return cls(pixels.mean(1), (axes * spread)[:, -kept:])

    def split(self, frames: Tensor) -> Tensor:
        """Convert colours to components: (T, 3, H, W) -> (T, K, H, W), float64."""
        return self._mixed(torch.linalg.pinv(self.basis), frames - self.mean[:, None, None])

    def join(self, parts: Tensor) -> Tensor:
        """Convert components to colours: (T, K, H, W) -> (T, 3, H, W), float64, not clipped."""
        return self.mean[:, None, None] + self._mixed(self.basis, parts)

    def rounding(self) -> Tensor:
        """Return the SD that rounding to 8 bits adds to each component: (K,)."""
        return _STEP / 12**0.5 / self.basis.square().sum(0).sqrt()

    @staticmethod
    def _mixed(matrix: Tensor, channels: Tensor) -> Tensor:
        mixed: Tensor = torch.einsum("kc,tchw->tkhw", matrix, channels.double())
        return mixed


_OUTSIDE = 0.1  # weight of the squared values outside [0, 1] in the loss


class PortillaSimoncelli(Control):
    """Replace each frame with a texture that has the same Portilla-Simoncelli statistics.

    Keeps the texture statistics of each frame: moments of the pixels, and correlations of
    oriented filters across positions, orientations and scales. Destroys spatial layout and all
    motion: each frame starts from its own noise, so the clip flickers. Needs the optional package
    plenoptic.

    Notes
    -----
    The model (Portilla & Simoncelli 2000, Int. J. Comput. Vis. 40, 49) takes grey images. It is
    applied to each principal component of the colours of the clip; of colour, only mean and
    covariance are kept. The statistics treat frames as periodic. Frames whose sides cannot be
    halved `scales` times are extended by mirroring during the optimisation. A frame of 160 x 90
    px takes about 20 s on one CPU core.

    Examples
    --------
    >>> print(PortillaSimoncelli(steps=20, seed=3).sentence[:67])
    has each frame replaced by a texture with its Portilla-Simoncelli s
    """

    needs: ClassVar[str | None] = "plenoptic"

    scales: int = Field(
        4,
        ge=1,
        le=6,
        description="Largest number of scales. Fewer are used if the shorter side, halved that "
        "often, would be less than 7 pixels.",
    )
    orientations: int = Field(4, ge=2, le=8, description="Number of filter orientations.")
    steps: int = Field(50, ge=1, description="Largest number of L-BFGS steps per frame.")

    def make(self, natural: Clip) -> Stimulus:
        """Make the textures.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The clip and the relative error of the statistics of each frame.

        Raises
        ------
        RecipeError
            If plenoptic is not installed.
        FramesError
            If a side is shorter than 14 pixels.
        Diverged
            If a value becomes infinite or not a number.
        """
        model = TextureModel(natural.size, self.scales, self.orientations)
        components = Components.of(natural.frames)
        textures = torch.empty(natural.frames.shape, dtype=torch.float64)
        errors = []
        for index in range(len(natural)):
            frame = components.split(natural.take([index]))
            textures[index], error = self._texture(frame, index, model, components)
            errors.append(error)
        if not textures.isfinite().all():
            raise Diverged("a frame became infinite or not a number. Try another seed.")
        values, clipped = clip_to_unit(textures.numpy())
        clip = Clip(torch.from_numpy(values).float(), natural.frame_rate)
        return Stimulus(clip, clipped=clipped, residuals=tuple(errors))

    def _texture(
        self, frame: Tensor, index: int, model: TextureModel, components: Components
    ) -> tuple[Tensor, float]:
        """Make the texture of one frame: components (1, K, H, W) -> (3, H, W), and its residual."""
        rng, whole = np.random.default_rng((self.seed, index)), model.extended(frame)
        start, grain = torch.from_numpy(rng.standard_normal((2, *whole.shape)))
        # A smooth frame has no energy at some scales, where correlations are undefined.
        goal = whole + components.rounding()[:, None, None] * grain
        distance = model.distance_to(goal)

        def loss(parts: Tensor) -> Tensor:
            colours = components.join(parts)
            return distance(parts) + _OUTSIDE * (colours - colours.clamp(0, 1)).square().sum()

        texture = components.join(descend(start, loss, self.steps))
        error = model.error(components.split(texture.clamp(0, 1)), goal)  # after clipping
        return texture[0, :, : frame.shape[2], : frame.shape[3]], error

    @property
    def sentence(self) -> str:
        """How the control is made, for a Methods section."""
        return (
            "has each frame replaced by a texture with its Portilla-Simoncelli statistics (2000; "
            f"{self.orientations} orientations, correlations across {NEIGHBOURS} px, as many "
            f"scales as leave {NEIGHBOURS} px of the smaller side, at most {self.scales}) in each "
            "principal component of the colours of the clip, made by plenoptic from noise "
            f"(seed {self.seed}) in at most {self.steps} steps of L-BFGS"
        )
