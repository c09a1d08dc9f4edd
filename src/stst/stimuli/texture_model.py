"""The statistics of Portilla & Simoncelli (2000), by plenoptic, and pictures that have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError, RecipeError

NEIGHBOURS = 7  # px across which correlations are taken, at every scale; the paper's

Loss = Callable[[Tensor], Tensor]


class TextureModel:
    """Statistics of pictures of one size: (1, K, H, W), float64, each channel by itself.

    Parameters
    ----------
    size : tuple of int
        Height and width of the frames, px.
    scales : int
        At most so many: as many as leave the smaller side `NEIGHBOURS` px.
    orientations : int
        Of the filters.

    Raises
    ------
    RecipeError
        If plenoptic is not installed.
    FramesError
        If a side is too small for one scale.
    """

    def __init__(self, size: tuple[int, int], scales: int, orientations: int) -> None:
        self._library = _plenoptic()
        most = int(np.log2(max(1, min(size) / NEIGHBOURS)))
        if most < 1:
            raise FramesError(
                f"Portilla-Simoncelli statistics need frames of at least {2 * NEIGHBOURS} px a "
                f"side, got {size[1]} x {size[0]} px."
            )
        self.scales = min(most, scales)
        unit = 2**self.scales
        self._sides = [-(-side // unit) * unit for side in size]
        with _dice_left_alone():
            self._model: torch.nn.Module = self._library.models.PortillaSimoncelli(
                self._sides, self.scales, orientations, NEIGHBOURS
            )

    def extended(self, picture: Tensor) -> Tensor:
        """Mirrored at the lower and right border until its sides can be halved `scales` times."""
        down, right = (s - had for s, had in zip(self._sides, picture.shape[2:], strict=True))
        return F.pad(picture, (0, right, 0, down), mode="reflect")

    def distance_to(self, goal: Tensor) -> Loss:
        """How far the statistics of a picture are from those of `goal`, both `extended`."""
        wanted = self._model(goal)
        # Weighted as plenoptic's authors do: extreme values do not count, fine detail does more.
        gap = self._library.loss.portilla_simoncelli_loss_factory(self._model, goal)
        return lambda picture: gap(self._model(picture), wanted)

    def error(self, picture: Tensor, goal: Tensor) -> float:
        """Relative error of the statistics of a picture, weighted as `distance_to` weighs."""
        gap = self._library.loss.portilla_simoncelli_loss_factory(self._model, goal)
        with torch.no_grad():
            found, wanted = self._model(picture), self._model(goal)
            return float(gap(found, wanted) / gap(torch.zeros_like(wanted), wanted))


def descended(start: Tensor, loss: Loss, steps: int) -> Tensor:
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


def _plenoptic() -> ModuleType:
    try:
        import plenoptic
    except ImportError:
        raise RecipeError(
            "Portilla-Simoncelli statistics need plenoptic: pip install 'stst-vision[plenoptic]'."
        ) from None
    library: ModuleType = plenoptic
    return library


@contextmanager
def _dice_left_alone() -> Iterator[None]:
    """Put NumPy's generator back, from which plenoptic draws a picture to learn its shape."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)
