"""Natural and metamer in one clip, pixel for pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from stst.errors import FramesError
from stst.report.page import GAP
from stst.video.frames import Footage


@dataclass(frozen=True, eq=False)
class Pair:
    """Two clips beside each other, joined frame by frame when frames are taken."""

    natural: Footage
    metamer: Footage

    def __len__(self) -> int:
        return len(self.natural)

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, of both."""
        return self.natural.frame_rate

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px, the gap included."""
        height, width = self.natural.size
        return height, 2 * width + GAP

    def take(self, indices: Sequence[int]) -> Tensor:
        """Join frames in the order asked for: (n, 3, H, 2 W + 8), natural on the left."""
        left, right = self.natural.take(indices), self.metamer.take(indices)
        gap = left.new_full((*left.shape[:3], GAP), 0.5)
        return torch.cat([left, gap, right], -1)


def side_by_side(natural: Footage, metamer: Footage) -> Pair:
    """Show two clips beside each other, with a gap of mid grey.

    Parameters
    ----------
    natural, metamer : Footage
        Of the same length, size and frame rate.

    Returns
    -------
    Pair
        Footage of (3, H, 2 W + 8), natural on the left; no frame is copied before it is
        taken.

    Raises
    ------
    FramesError
        If the clips differ in length, size or frame rate.

    Examples
    --------
    >>> from stst.video.frames import Clip
    >>> clip = Clip(torch.rand(2, 3, 32, 40), Fraction(25))
    >>> side_by_side(clip, clip).size
    (32, 88)
    """
    check_same_shape(natural, metamer)
    return Pair(natural, metamer)


def check_same_shape(natural: Footage, metamer: Footage) -> None:
    """Refuse clips that differ in length, size or frame rate."""
    ours, theirs = (
        f"{len(clip)} frames of {clip.size[0]} x {clip.size[1]} px at {clip.frame_rate}/s"
        for clip in (natural, metamer)
    )
    if ours != theirs:
        raise FramesError(
            f"natural and metamer must match to be shown together: natural has {ours}, "
            f"metamer has {theirs}. Cut or resize one of them."
        )
