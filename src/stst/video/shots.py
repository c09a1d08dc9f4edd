"""Where a film changes from one shot to the next."""

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

SIDE = 96  # px of the longer side of the pictures that are compared
MIN_SIDE = 16  # px; smaller pictures have no room for the flow's patches
# Chosen on six natural clips, all frames and every second and third, and on planted cuts: of the
# natural pairs those without a cut are unlike by 0.44 at most, those with one by 0.49 at least.
UNLIKE = 0.4  # 0: the same picture but for motion and light; 1: unrelated
SOMEWHAT = 0.3  # is enough where all around is calm
GAP = 0.04  # mean difference of values; less is not seen as a cut
OUTSTANDING, LONE = 1.6, 5.0  # times the difference of neighbouring pairs; where all is calm
REPAINTED = 0.18  # difference of colour distributions that is a cut whatever the neighbours
AROUND = 4  # pairs before and after that a pair is compared with
BESIDE = 2  # further cuts that there may be among them, but for changes of colours
FLAT = 0.04  # contrast below which a picture has next to no structure
LITTLE = 0.1  # share of structure that a picture must have to be unlike
FLASH = 4  # frames that a flash takes at most
BRIGHTER = 0.05  # how much its mean is above those of the frames around it


@dataclass(frozen=True)
class Change:
    """How much one picture differs from the one before, once its motion is undone."""

    unlike: float  # 0 to about 1: of structure
    gap: float  # of values
    repainted: float  # of the distribution of colours

    @property
    def is_large(self) -> bool:
        """Whether it can be a cut."""
        return self.unlike > SOMEWHAT and self.gap > GAP


@checked
def find_shots(film: Footage) -> tuple[range, ...]:
    """Find the shots of a film: the runs of frames between hard cuts.

    Each frame is made small and compared with the one before, which is first moved along the
    optical flow between them (dense inverse search, Kroeger et al. 2016), so that motion of
    camera and objects is no change. A cut is a pair whose pictures are unlike and differ
    1.6 times as much as neighbouring pairs, or whose colours are others. A shot may be one
    frame long; of a run of four or more such shots the cuts are found by their colours alone.

    A flash, up to four brighter frames after which the same scene goes on, is no cut. Gradual
    changes (dissolves, fades) have none within them: the scenes that they join are one shot,
    unless the film stays black in between and the change to or from black is sudden.

    Parameters
    ----------
    film : Clip or Film
        Two frames are in memory at a time.

    Returns
    -------
    tuple of range
        Frames of each shot, in order; together they are all frames.

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
    """The shots that begin at 0 and at each of these frames."""
    return tuple(map(range, [0, *cuts], [*cuts, frames]))


def _is_cut(at: int, change: Change, changes: Sequence[Change]) -> bool:
    if not change.is_large:
        return False
    if change.repainted > REPAINTED:
        return True
    around = [*changes[max(at - AROUND, 0) : at], *changes[at + 1 : at + 1 + AROUND]]
    calm = [other.gap for other in around if not other.is_large]
    # Some large ones are cuts, too: ends of short shots. Many are motion that no flow follows.
    if not calm or len(around) - len(calm) > BESIDE:
        return False
    return change.gap > max(calm) * (OUTSTANDING if change.unlike > UNLIKE else LONE)


def _without_flashes(film: Footage, cuts: Sequence[int]) -> list[int]:
    """The cuts that are not at the beginning, within or at the end of a flash."""
    kept, over = list[int](), 0
    for cut in cuts:
        if cut > over:
            end = _flash_end(film, cut)
            over = cut - 1 if end is None else end
        if cut > over:
            kept.append(cut)
    return kept


def _flash_end(film: Footage, cut: int) -> int | None:
    """The first frame after a flash that begins at `cut`; None if none does."""
    before, bright = _picture(film, cut - 1), list[Picture]()
    for index in range(cut, min(cut + FLASH + 1, len(film))):
        picture = _picture(film, index)
        if bright and not _change(before, picture).is_large:
            dark = max(before.mean(), picture.mean())
            return index if all(_is_lit(lit, before, dark) for lit in bright) else None
        bright.append(picture)
    return None


def _is_lit(picture: Picture, scene: Picture, mean: float) -> bool:
    """Whether a picture is the scene in brighter light, which may leave little to be seen."""
    pale = picture.mean(2).std() < scene.mean(2).std() / 2
    seen = bool(pale) or _change(scene, picture).unlike < UNLIKE
    return seen and bool(picture.mean() > mean + BRIGHTER)


def _picture(film: Footage, index: int) -> Picture:
    """A frame made small over boxes."""
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


def _unlike(one: Picture, other: Picture) -> float:
    """0 where structure is the same, whatever the light; about 1 where it is unrelated."""
    grey = [picture.mean(2) - picture.mean() for picture in (one, other)]
    scaled = [picture / np.sqrt(np.square(picture).mean() + FLAT**2) for picture in grey]
    power = sum(float(np.square(picture).mean()) for picture in scaled)
    return float(np.square(scaled[0] - scaled[1]).mean()) / (power + LITTLE)


def _moved(before: Picture, after: Picture) -> Picture:
    """`before` with its pixels where they are in `after`, as far as optical flow tells."""
    if min(before.shape[:2]) < MIN_SIDE:
        return before
    followed = _followed(before, after)
    if _unlike(followed, after) < SOMEWHAT:
        return followed
    # The flow does not reach far. A pan that is faster moves all at once.
    panned = _followed(_taken(before, *_pan(before, after)), after)
    return min(followed, panned, key=lambda picture: _unlike(picture, after))


def _pan(before: Picture, after: Picture) -> tuple[float, float]:
    """Where the middle of `after` was in `before`: px to the right and down."""
    height, width = (side // 4 for side in after.shape[:2])
    middle = after[height:-height, width:-width]
    left, top = cv2.minMaxLoc(cv2.matchTemplate(before, middle, cv2.TM_CCOEFF_NORMED))[3]
    return left - width, top - height


def _followed(before: Picture, after: Picture) -> Picture:
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [np.rint(255 * picture.mean(2)).astype(np.uint8) for picture in (after, before)]
    # None: no flow to begin with, which OpenCV's stubs do not know of.
    flow = engine.calc(*grey, None)  # type: ignore[call-overload]
    return _taken(before, flow[..., 0], flow[..., 1])


def _taken(
    picture: Picture, right: npt.NDArray[np.float32] | float, down: npt.NDArray[np.float32] | float
) -> Picture:
    """Each pixel from so far to the right and below; outside is the mirror."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = ((x + right).astype(np.float32), (y + down).astype(np.float32))
    moved = cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)
