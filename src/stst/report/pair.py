"""Natural clip and stimulus in one clip, pixel for pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from stst.errors import FramesError
from stst.report.page import GAP
from stst.video.frames import Footage


@dataclass(frozen=True, eq=False)
class Beside:
    """Clips beside each other, joined frame by frame when frames are taken."""

    films: tuple[Footage, ...]

    def __len__(self) -> int:
        return len(self.films[0])

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, of all."""
        return self.films[0].frame_rate

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px, the gaps included."""
        height, width = self.films[0].size
        return height, len(self.films) * (width + GAP) - GAP

    def take(self, indices: Sequence[int]) -> Tensor:
        """Join frames in the order asked for: (n, 3, H, W), the first film on the left."""
        parts: list[Tensor] = []
        for film in self.films:
            frames = film.take(indices)
            parts += [frames.new_full((*frames.shape[:3], GAP), 0.5), frames]
        return torch.cat(parts[1:], -1)


def side_by_side(films: Mapping[str, Footage]) -> Beside:
    """Show clips beside each other, with gaps of mid grey.

    Parameters
    ----------
    films : mapping of str to Footage
        From left to right; of one length, size and frame rate.

    Returns
    -------
    Beside
        Footage of (3, H, n W + 8 (n - 1)); no frame is copied before it is taken.

    Raises
    ------
    FramesError
        If the clips differ in length, size or frame rate.

    Examples
    --------
    >>> from stst.video.frames import Clip
    >>> clip = Clip(torch.rand(2, 3, 32, 40), Fraction(25))
    >>> side_by_side({"natural": clip, "metamer": clip}).size
    (32, 88)
    """
    check_same_shape(films)
    return Beside(tuple(films.values()))


def check_same_shape(films: Mapping[str, Footage]) -> None:
    """Refuse clips that differ in length, size or frame rate."""
    shapes = {
        name: f"{len(clip)} frames of {clip.size[0]} x {clip.size[1]} px at {clip.frame_rate}/s"
        for name, clip in films.items()
    }
    if len(set(shapes.values())) > 1:
        raise FramesError(
            f"clips must match to be shown together: "
            f"{', '.join(f'{name} has {shape}' for name, shape in shapes.items())}. "
            "Cut or resize them."
        )
