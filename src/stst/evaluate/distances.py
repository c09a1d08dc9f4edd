"""How unlike the layouts of several clips are: a table of pairwise distances."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from stst.errors import FramesError
from stst.video.frames import Footage

CELLS = 12  # on the short side of a frame; finer texture differs in any case

Array = npt.NDArray[np.float64]


def layout_distances(clips: Sequence[Footage], natural: Footage) -> Array:
    """Distance of each clip from each, in units of the natural clip's own spread.

    Frames are reduced to the mean colours of square cells, 12 on the short side, and the
    mean square difference is divided by twice the variance of the natural clip's cells over
    places: 0 for the same layout, about 1 for layouts that know nothing of each other,
    more for layouts that avoid each other. The mean over frames is given.

    Parameters
    ----------
    clips : sequence of Clip or Film
        K, of the length and size of `natural`.
    natural : Clip or Film
        Their target.

    Returns
    -------
    ndarray
        (K, K), symmetric, 0 on the diagonal.

    Raises
    ------
    FramesError
        If there are fewer than two clips, or they differ in length or size.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import torch
    >>> from stst.video.frames import Clip
    >>> clip = Clip(torch.rand(2, 3, 48, 48), Fraction(25))
    >>> layout_distances([clip, clip], clip).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    shapes = {(len(clip), clip.size) for clip in (*clips, natural)}
    if len(clips) < 2 or len(shapes) > 1:
        raise FramesError(
            "distances are between at least 2 clips of one length and size, got "
            + (", ".join(f"{n} frames of {w}x{h} px" for n, (h, w) in sorted(shapes)))
            + f" in {len(clips)} clip(s)."
        )
    total = np.zeros((len(clips), len(clips)))
    for index in range(len(natural)):
        own = _cells(natural, index)
        spread = 2 * own.var((0, 1)).sum()
        cells = np.stack([_cells(clip, index) for clip in clips])
        gaps = np.square(cells[:, None] - cells[None]).sum(-1).mean((-2, -1))
        total += gaps / max(spread, 1e-12)
    return total / len(natural)


def _cells(clip: Footage, index: int) -> Array:
    """Mean colours of square cells of one frame, (h, w, 3)."""
    frame = clip.take([index])[0].movedim(0, -1).double().cpu().numpy()
    side = min(clip.size) / CELLS
    height, width = (max(round(s / side), 1) for s in clip.size)
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
