"""Detect shots: runs of frames between hard cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from stst.errors.arguments import checked
from stst.video.frames import Footage, check_footage

Picture = npt.NDArray[np.float32]  # (h, w, 3) in [0, 1]

SIDE = 96  # longer side of the reduced frames that are compared, px
MIN_SIDE = 16  # px; smaller frames are too small for the patches of the optical flow
# Chosen on six natural clips, with all frames and every second and third, and on artificial cuts.
# Dissimilarity of natural pairs: at most 0.44 without a cut, at least 0.49 with one.
UNLIKE = 0.4  # dissimilarity; 0: same apart from motion and light, 1: unrelated
SOMEWHAT = 0.3  # dissimilarity that suffices if neighbouring pairs hardly change
GAP = 0.04  # mean difference of values; smaller ones are not visible as a cut
OUTSTANDING, LONE = 1.6, 5.0  # factor over the largest neighbouring difference; above, below UNLIKE
REPAINTED = 0.18  # difference of colour distributions that is always a cut
AROUND = 4  # neighbouring pairs on each side to compare with
BESIDE = 2  # other possible cuts allowed among them
FLAT = 0.04  # contrast below which a frame has almost no structure
LITTLE = 0.1  # offset that keeps frames with little structure from counting as dissimilar
FLASH = 4  # longest flash, frames
BRIGHTER = 0.05  # smallest increase of the mean during a flash


@dataclass(frozen=True)
class Change:
    """Motion-compensated difference between successive frames."""

    unlike: float  # dissimilarity of structure, 0 to about 1
    gap: float  # mean difference of values
    repainted: float  # difference of colour distributions

    @property
    def is_large(self) -> bool:
        """Whether this can be a cut."""
        return self.unlike > SOMEWHAT and self.gap > GAP


@checked
def find_shots(film: Footage) -> tuple[range, ...]:
    """Find the shots of a film, the runs of frames between hard cuts.

    Parameters
    ----------
    film : Clip
        The film. Two frames are in memory at a time.

    Returns
    -------
    tuple of range
        Frames of each shot, in order; together all frames of the film.

    Raises
    ------
    FramesError
        If `film` is not a clip.

    Notes
    -----
    Each frame is reduced and compared with the one before, warped along the optical flow between
    them (dense inverse search, Kroeger et al. 2016), so that camera and object motion do not
    count as change. A cut is a pair of frames that are dissimilar and differ at least 1.6 times
    as much as neighbouring pairs, or that have different colours. A shot may be one frame long;
    in a run of four or more such shots, cuts are found by colour alone.

    A flash, up to four brighter frames after which the scene continues, is not a cut. Dissolves
    and fades contain no cuts: the scenes that they join are one shot, unless the film turns black
    in between and the change to or from black is sudden.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import torch
    >>> from stst import Clip
    >>> scene, other = torch.rand(3, 40, 60), torch.rand(3, 40, 60) / 4
    >>> find_shots(Clip(torch.stack([scene] * 5 + [other] * 3), Fraction(25)))
    (range(0, 5), range(5, 8))
    """
    check_footage(film, "the film")
    pictures = (_picture(film, index) for index in range(len(film)))
    changes = [_change(*pair) for pair in pairwise(pictures)]
    cuts = [at + 1 for at, change in enumerate(changes) if _is_cut(at, change, changes)]
    return split_at(_without_flashes(film, cuts), len(film))


def split_at(cuts: Sequence[int], frames: int) -> tuple[range, ...]:
    """Return the shots that start at frame 0 and at each cut."""
    return tuple(map(range, [0, *cuts], [*cuts, frames]))


def _is_cut(at: int, change: Change, changes: Sequence[Change]) -> bool:
    if not change.is_large:
        return False
    if change.repainted > REPAINTED:
        return True
    around = [*changes[max(at - AROUND, 0) : at], *changes[at + 1 : at + 1 + AROUND]]
    calm = [other.gap for other in around if not other.is_large]
    # A few other large changes are cuts of short shots; many are motion beyond the flow's range.
    if not calm or len(around) - len(calm) > BESIDE:
        return False
    return change.gap > max(calm) * (OUTSTANDING if change.unlike > UNLIKE else LONE)


def _without_flashes(film: Footage, cuts: Sequence[int]) -> list[int]:
    """Remove cuts at the start, within or at the end of a flash."""
    kept, over = list[int](), 0
    for cut in cuts:
        if cut > over:
            end = _flash_end(film, cut)
            over = cut - 1 if end is None else end
        if cut > over:
            kept.append(cut)
    return kept


def _flash_end(film: Footage, cut: int) -> int | None:
    """Return the first frame after a flash that starts at `cut`; None if there is no flash."""
    before, bright = _picture(film, cut - 1), list[Picture]()
    for index in range(cut, min(cut + FLASH + 1, len(film))):
        picture = _picture(film, index)
        if bright and not _change(before, picture).is_large:
            dark = max(before.mean(), picture.mean())
            return index if all(_is_lit(lit, before, dark) for lit in bright) else None
        bright.append(picture)
    return None


def _is_lit(picture: Picture, scene: Picture, mean: float) -> bool:
    """Whether a frame shows the scene in brighter light, possibly washed out."""
    pale = picture.mean(2).std() < scene.mean(2).std() / 2
    same = bool(pale) or _change(scene, picture).unlike < UNLIKE
    return same and bool(picture.mean() > mean + BRIGHTER)


def _picture(film: Footage, index: int) -> Picture:
    """Read a frame and reduce it by averaging over boxes."""
    frame: Picture = film.take([index])[0].detach().cpu().permute(1, 2, 0).contiguous().numpy()
    height, width = frame.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return frame
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.float32)


def _change(before: Picture, after: Picture) -> Change:
    moved = _moved(before, after)
    colours = [np.sort(picture.reshape(-1, 3), 0) for picture in (before, after)]
    gap, repainted = (float(np.abs(a - b).mean()) for a, b in ((moved, after), colours))
    return Change(_unlike(moved, after), gap, repainted)


def _unlike(first: Picture, second: Picture) -> float:
    """Return 0 for the same structure in any light, about 1 for unrelated structure."""
    grey = [picture.mean(2) - picture.mean() for picture in (first, second)]
    scaled = [picture / np.sqrt(np.square(picture).mean() + FLAT**2) for picture in grey]
    power = sum(float(np.square(picture).mean()) for picture in scaled)
    return float(np.square(scaled[0] - scaled[1]).mean()) / (power + LITTLE)


def _moved(before: Picture, after: Picture) -> Picture:
    """Warp `before` to `after` along the optical flow."""
    if min(before.shape[:2]) < MIN_SIDE:
        return before
    followed = _followed(before, after)
    if _unlike(followed, after) < SOMEWHAT:
        return followed
    # The flow has a short range. A faster pan is first compensated as a whole.
    panned = _followed(_taken(before, *_pan(before, after)), after)
    return min(followed, panned, key=lambda picture: _unlike(picture, after))


def _pan(before: Picture, after: Picture) -> tuple[float, float]:
    """Return the displacement of the middle of `after` in `before`: px right and DOWN."""
    height, width = (side // 4 for side in after.shape[:2])
    middle = after[height:-height, width:-width]
    left, top = cv2.minMaxLoc(cv2.matchTemplate(before, middle, cv2.TM_CCOEFF_NORMED))[3]
    return left - width, top - height


def _followed(before: Picture, after: Picture) -> Picture:
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [np.rint(255 * picture.mean(2)).astype(np.uint8) for picture in (after, before)]
    # None, no initial flow, is missing in OpenCV's stubs.
    flow = engine.calc(*grey, None)  # type: ignore[call-overload]
    return _taken(before, flow[..., 0], flow[..., 1])


def _taken(
    picture: Picture, right: npt.NDArray[np.float32] | float, down: npt.NDArray[np.float32] | float
) -> Picture:
    """Sample each pixel from a displacement right and DOWN, mirrored at the borders."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = ((x + right).astype(np.float32), (y + down).astype(np.float32))
    moved = cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)
