"""Clips that are compared: what they must share, pairs within their shots, clips beside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError
from stst.video.frames import Footage
from stst.video.shots import find_shots

Indices = npt.NDArray[np.intp]


def check_same_form(films: Mapping[str, Footage], *, rate: bool = True) -> None:
    """Refuse clips, by their names, that differ in length, size or frame rate."""
    forms = {
        name: f"{len(clip)} frames of {clip.size[1]}x{clip.size[0]} px"
        + (f" at {clip.frame_rate}/s" if rate else "")
        for name, clip in films.items()
    }
    if len(set(forms.values())) > 1:
        raise FramesError(
            f"clips to be compared must be of one length and size{' and frame rate' * rate}: "
            f"{', '.join(f'{name} has {form}' for name, form in forms.items())}. "
            "Make them agree: --frames, --width, --height, --fit, --retime (in Python clip[:n], "
            "clip.resize, clip.retime)."
        )


def find_cuts(footage: Footage) -> frozenset[int]:
    """The first frames of all shots but the first."""
    return frozenset(shot.start for shot in find_shots(footage)[1:])


def kept_pairs(frames: int, cuts: Collection[int]) -> Indices:
    """The first frame of each pair of neighbours that are of one shot, (P,).

    `cuts` are the frames that begin one. A clip of one-frame shots is taken for a single shot.
    """
    first = np.arange(max(frames - 1, 0))
    kept = first[~np.isin(first + 1, list(cuts))]
    return kept if len(kept) else first


def kept_triples(pairs: Indices) -> Indices:
    """The first frame of each three neighbours that are of one shot, of `kept_pairs`."""
    return pairs[np.isin(pairs + 1, pairs)]


JITTER = 0.01  # standard deviation of the noise, of white: 2.6 of 255 levels; our choice
JITTERS = 2  # copies


class Jittered:
    """A clip with Gaussian noise on every value: the ceiling of similarity."""

    def __init__(self, footage: Footage, seed: int) -> None:
        self.footage, self.seed = footage, seed
        self.size, self.frame_rate = footage.size, footage.frame_rate

    def __len__(self) -> int:
        return len(self.footage)

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames with their noise: a frame has the same noise whenever it is taken."""
        frames = self.footage.take(indices)
        shape = tuple(frames.shape[1:])
        dice = [np.random.default_rng((self.seed, index)) for index in indices]
        noise = np.stack([one.standard_normal(shape, dtype=np.float32) for one in dice])
        return (frames + JITTER * torch.from_numpy(noise)).clamp(0, 1)


class Fitted:
    """The first frames of a clip, stretched to the size of another, whose frame rate it takes."""

    def __init__(self, footage: Footage, like: Footage) -> None:
        if len(footage) < len(like):
            raise FramesError(
                f"the natural clip has {len(like)} frames, and one that it is compared with "
                f"has {len(footage)}: give one that is at least as long."
            )
        self.footage, self._length = footage, len(like)
        self.size, self.frame_rate = like.size, like.frame_rate

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for."""
        frames = self.footage.take(indices)
        if self.footage.size == self.size:
            return frames
        return F.interpolate(frames, self.size, mode="bilinear", antialias=True).clamp(0, 1)
