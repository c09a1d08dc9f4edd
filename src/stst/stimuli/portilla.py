"""Each frame made a texture with its own Portilla-Simoncelli statistics; needs plenoptic."""

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

NEIGHBOURS = 7  # px across which correlations are taken, at every scale; the paper's

Loss = Callable[[Tensor], Tensor]


class TextureModel:
    """Statistics of pictures of one size: (1, K, H, W), float64, each channel by itself."""

    def __init__(self, size: tuple[int, int], scales: int, orientations: int) -> None:
        try:
            import plenoptic
        except ImportError:
            raise RecipeError(
                "Portilla-Simoncelli statistics need plenoptic: "
                "pip install 'stst-vision[plenoptic]'."
            ) from None
        most = int(np.log2(max(1, min(size) / NEIGHBOURS)))
        if most < 1:
            raise FramesError(
                f"Portilla-Simoncelli statistics need frames of at least {2 * NEIGHBOURS} px a "
                f"side, got {size[1]} x {size[0]} px."
            )
        self.scales = min(most, scales)
        unit = 2**self.scales
        self._sides = [-(-side // unit) * unit for side in size]
        self._gap_from = plenoptic.loss.portilla_simoncelli_loss_factory
        state = np.random.get_state()  # plenoptic draws a picture from it to learn its shape
        try:
            self._model: torch.nn.Module = plenoptic.models.PortillaSimoncelli(
                self._sides, self.scales, orientations, NEIGHBOURS
            )
        finally:
            np.random.set_state(state)

    def extended(self, picture: Tensor) -> Tensor:
        """Mirrored at the lower and right border until its sides can be halved `scales` times."""
        down, right = (s - had for s, had in zip(self._sides, picture.shape[2:], strict=True))
        return F.pad(picture, (0, right, 0, down), mode="reflect")

    def distance_to(self, goal: Tensor) -> Loss:
        """How far the statistics of a picture are from those of `goal`, both `extended`."""
        wanted = self._model(goal)
        # Weighted as plenoptic's authors do: extreme values do not count, fine detail does more.
        gap = self._gap_from(self._model, goal)
        return lambda picture: gap(self._model(picture), wanted)

    @torch.no_grad()
    def error(self, picture: Tensor, goal: Tensor) -> float:
        """Relative error of the statistics of a picture, weighted as `distance_to` weighs."""
        gap, wanted = self._gap_from(self._model, goal), self._model(goal)
        return float(gap(self._model(picture), wanted) / gap(torch.zeros_like(wanted), wanted))


def descend(start: Tensor, loss: Loss, steps: int) -> Tensor:
    """Go down a loss by at most so many steps of L-BFGS; `start` is not changed."""
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


_STEP = 1 / 255  # of an 8-bit value; what varies by less is rounding


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of the colours of some frames, each of mean 0 and variance 1."""

    mean: Tensor  # (3,), the mean colour
    basis: Tensor  # (3, K), what a standard deviation of each adds, the least first; K=1 for grey

    @classmethod
    def of(cls, frames: Tensor) -> Self:
        """Find those of (T, 3, H, W)."""
        pixels = frames.double().transpose(0, 1).flatten(1)
        variance, axes = torch.linalg.eigh(torch.cov(pixels, correction=0))
        spread = variance.clamp(min=_STEP**2).sqrt()
        kept = max(1, int((variance > _STEP**2).sum()))
        return cls(pixels.mean(1), (axes * spread)[:, -kept:])

    def split(self, frames: Tensor) -> Tensor:
        """(T, 3, H, W) -> (T, K, H, W), float64."""
        return self._mixed(torch.linalg.pinv(self.basis), frames - self.mean[:, None, None])

    def join(self, parts: Tensor) -> Tensor:
        """(T, K, H, W) -> (T, 3, H, W), float64; need not be in [0, 1]."""
        return self.mean[:, None, None] + self._mixed(self.basis, parts)

    def rounding(self) -> Tensor:
        """Standard deviation of each, (K,), that rounding to 8 bits adds."""
        return _STEP / 12**0.5 / self.basis.square().sum(0).sqrt()

    @staticmethod
    def _mixed(matrix: Tensor, channels: Tensor) -> Tensor:
        mixed: Tensor = torch.einsum("kc,tchw->tkhw", matrix, channels.double())
        return mixed


_OUTSIDE = 0.1  # weight of the squares outside [0, 1], beside the distance of the statistics


class PortillaSimoncelli(Control):
    """Each frame made a texture with its statistics (Portilla & Simoncelli 2000).

    Keeps what their model (Int. J. Comput. Vis. 40, 49) measures in a frame: moments of the
    pixels, and correlations of oriented filters across places, orientations and scales. Loses
    where things are, and all motion: each frame starts from noise of its own, so the clip
    flickers. In the statistics opposite borders of a frame are neighbours.

    The model is for grey pictures, and is applied to each principal component of the colours of
    the clip by itself: only their mean and covariance are kept. It is made by plenoptic, an
    optional extra, on the CPU: a frame of 160 x 90 px takes about 20 s of one core.

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
    """

    needs: ClassVar[str | None] = "plenoptic"

    scales: int = Field(4, ge=1, le=6)
    orientations: int = Field(4, ge=2, le=8)
    steps: int = Field(50, ge=1)

    def make(self, natural: Clip) -> Stimulus:
        """Make frame after frame, and clip what leaves [0, 1]; Diverged for values not finite."""
        model = TextureModel(natural.size, self.scales, self.orientations)
        components = Components.of(natural.frames)
        textures = torch.empty(natural.frames.shape, dtype=torch.float64)
        errors = []
        for index in range(len(natural)):
            frame = components.split(natural.take([index]))
            textures[index], error = self._texture(frame, index, model, components)
            errors.append(error)
        if not textures.isfinite().all():
            raise Diverged("a frame became infinite or not a number; another seed may do better.")
        values, clipped = clip_to_unit(textures.numpy())
        clip = Clip(torch.from_numpy(values).float(), natural.frame_rate)
        return Stimulus(clip, clipped=clipped, residuals=tuple(errors))

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

        texture = components.join(descend(start, loss, self.steps))
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
