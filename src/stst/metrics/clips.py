"""Clips to compare: checks of their form, pairs of frames within shots, ceiling and floor."""

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
    """Check that clips agree in length, size and frame rate.

    Parameters
    ----------
    films : mapping of str to Clip or Film
        Clips by name.
    rate : bool, default True
        Check the frame rate too.

    Raises
    ------
    FramesError
        If the clips differ.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> check_same_form({"natural": clip, "metamer": clip})
    """
    forms = {
        name: f"{len(clip)} frames of {clip.size[1]}x{clip.size[0]} px"
        + (f" at {clip.frame_rate}/s" if rate else "")
        for name, clip in films.items()
    }
    if len(set(forms.values())) > 1:
        raise FramesError(
            f"clips must have the same length and size{' and frame rate' * rate}: "
            f"{', '.join(f'{name} has {form}' for name, form in forms.items())}. "
            "Use --frames, --width, --height, --fit or --retime (in Python clip[:n], "
            "clip.resize or clip.retime)."
        )


def find_cuts(footage: Footage) -> frozenset[int]:
    """Find the cuts of a clip.

    Parameters
    ----------
    footage : Clip or Film
        Clip.

    Returns
    -------
    frozenset of int
        Index of the first frame of each shot but the first.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> find_cuts(make_stimulus("dead-leaves", frames=6, height=32, width=32, speed=1).clip)
    frozenset()
    """
    return frozenset(shot.start for shot in find_shots(footage)[1:])


def kept_pairs(frames: int, cuts: Collection[int]) -> Indices:
    """Find the pairs of successive frames within a shot.

    Parameters
    ----------
    frames : int
        Number of frames.
    cuts : collection of int
        Index of the first frame of each shot but the first.

    Returns
    -------
    ndarray of int
        Index of the first frame of each pair, shape (P,). If every shot has a single frame, the
        cuts are ignored.

    Examples
    --------
    >>> kept_pairs(5, cuts={2}).tolist()
    [0, 2, 3]
    """
    first = np.arange(max(frames - 1, 0))
    kept = first[~np.isin(first + 1, list(cuts))]
    return kept if len(kept) else first


def kept_triples(pairs: Indices) -> Indices:
    """Find the triples of successive frames within a shot.

    Parameters
    ----------
    pairs : ndarray of int
        Pairs, from `kept_pairs`.

    Returns
    -------
    ndarray of int
        Index of the first frame of each triple.

    Examples
    --------
    >>> kept_triples(kept_pairs(6, cuts={2})).tolist()
    [2, 3]
    """
    return pairs[np.isin(pairs + 1, pairs)]


JITTER = 0.01  # standard deviation of the noise; white is 1, so 2.6 of 255 levels; our choice
JITTERS = 2  # number of noisy copies


class Jittered:
    """Add Gaussian noise to a clip: the ceiling of similarity.

    Parameters
    ----------
    footage : Clip or Film
        Clip.
    seed : int
        Random seed of the noise. The standard deviation is 0.01, where white is 1.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> round(float((Jittered(clip, seed=0).take([1]) - clip.take([1])).std()), 2)
    0.01
    """

    def __init__(self, footage: Footage, seed: int) -> None:
        self.footage, self.seed = footage, seed
        self.size, self.frame_rate = footage.size, footage.frame_rate

    def __len__(self) -> int:
        return len(self.footage)

    def take(self, indices: Sequence[int]) -> Tensor:
        """Return frames with their noise.

        Parameters
        ----------
        indices : sequence of int
            Indices of frames.

        Returns
        -------
        Tensor
            Frames, values 0 to 1, shape (n, 3, H, W). A frame has the same noise each time.

        Examples
        --------
        >>> from stst import make_stimulus
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> Jittered(clip, seed=0).take([0, 3]).shape
        torch.Size([2, 3, 32, 32])
        """
        frames = self.footage.take(indices)
        shape = tuple(frames.shape[1:])
        generators = [np.random.default_rng((self.seed, index)) for index in indices]
        noise = np.stack([g.standard_normal(shape, dtype=np.float32) for g in generators])
        return (frames + JITTER * torch.from_numpy(noise)).clamp(0, 1)


class Fitted:
    """Give a clip the length, size and frame rate of another clip.

    Parameters
    ----------
    footage : Clip or Film
        Clip, at least as long as `like`. Its first frames are taken and stretched.
    like : Clip or Film
        Clip whose form is taken.

    Raises
    ------
    FramesError
        If `footage` is shorter than `like`.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> long = make_stimulus("dead-leaves", frames=6, height=48, width=48).clip
    >>> small = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> fitted = Fitted(long, small)
    >>> len(fitted), fitted.size
    (4, (32, 32))
    """

    def __init__(self, footage: Footage, like: Footage) -> None:
        if len(footage) < len(like):
            raise FramesError(
                f"the natural clip has {len(like)} frames but a clip to compare it with has only "
                f"{len(footage)}. Give a clip that is at least as long."
            )
        self.footage, self._length = footage, len(like)
        self.size, self.frame_rate = like.size, like.frame_rate

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Return frames, resized.

        Parameters
        ----------
        indices : sequence of int
            Indices of frames.

        Returns
        -------
        Tensor
            Frames, values 0 to 1, shape (n, 3, H, W).

        Examples
        --------
        >>> from stst import make_stimulus
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> Fitted(clip, clip).take([0]).shape
        torch.Size([1, 3, 32, 32])
        """
        frames = self.footage.take(indices)
        if self.footage.size == self.size:
            return frames
        return F.interpolate(frames, self.size, mode="bilinear", antialias=True).clamp(0, 1)
