"""Is a layer matched? Its residual against how near unrelated natural frames are to each other.

A metamer counts as matched only if it is nearer to its target than unrelated natural stimuli are
to each other (Feather et al. 2019, NeurIPS; 2023, Nat. Neurosci. 26, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stst.losses.arrangement import Array
from stst.losses.functional import relative_error
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE, Claim
from stst.video.frames import Footage

Represent = Callable[[Tensor], Mapping[str, Tensor]]  # window (1, T, 3, H, W) -> layer -> (1, ...)

WINDOWS = 8  # of each clip, evenly over it; our choice
PERCENTILE = 5  # of the null distribution
MARGIN = 2  # nearer than that percentile by this factor is matched; our choice


class Chance(NamedTuple):
    """The residual of a layer, mean over frames, and the errors between unrelated windows.

    ``layer`` is ``loss/layer``. ``null`` is the 5th percentile of these errors, ``median`` their
    median; ``clips`` is the number of clips that they are between.
    """

    stimulus: str
    condition: str
    seed: int
    layer: str
    residual: float
    null: float
    median: float
    clips: int


def null_errors(represent: Represent, needed: int, clips: Sequence[Footage]) -> dict[str, Array]:
    """Relative errors between windows of different clips, in each layer.

    Parameters
    ----------
    represent : callable
        Window (1, T, 3, H, W) -> {layer: Gram matrix or activation}, as the run's losses do.
    needed : int
        Frames of a window: 1 for images, 2 for pairs.
    clips : sequence of Clip or Film
        At least two, of one size: the natural clip and unrelated ones. Eight windows of each,
        evenly over it.

    Returns
    -------
    dict of str to ndarray
        Layer -> one error for each ordered pair of windows of different clips.

    Examples
    --------
    >>> from stst import Clip
    >>> dark, light = (Clip(torch.full((4, 3, 8, 8), value), 25) for value in (0.25, 0.5))
    >>> found = null_errors(lambda window: {"pixels": window}, 1, [dark, light])
    >>> sorted(set(found["pixels"].tolist()))
    [0.5, 1.0]
    """
    seen = [list(_represented(represent, needed, clip)) for clip in clips]
    pairs = [(a, b) for one, other in permutations(seen, 2) for a in one for b in other]
    return {
        layer: np.array([relative_error(a[layer], b[layer]).item() for a, b in pairs])
        for layer in seen[0][0]
    }


def chance_rows(
    head: tuple[str, str, int],
    residuals: Mapping[str, float],
    null: Mapping[str, Array],
    clips: int,
) -> Iterator[Chance]:
    """A row for each matched layer of a metamer (stimulus, condition, seed)."""
    for layer, residual in residuals.items():
        if layer in null:
            low, median = np.percentile(null[layer], (PERCENTILE, 50))
            yield Chance(*head, layer, residual, float(low), float(median), clips)


def chance_claims(rows: Sequence[Chance]) -> list[Claim]:
    """Whether each loss is matched beyond chance, in the layer that is matched least.

    Kept: the residual is at most half the 5th percentile, in each layer of each film. Lost: in
    some layer it is above that percentile. Not testable: nearer than chance, by less than twice.

    Examples
    --------
    >>> row = Chance("a", "metamer", 0, "space_texture/one", 0.1, 0.4, 0.8, 3)
    >>> [(one.measure, one.verdict) for one in chance_claims([row])]
    [('nearer than chance (space_texture)', 'kept')]
    """
    keys = dict.fromkeys((row.condition, _loss(row)) for row in rows)
    return [
        Claim(condition, f"nearer than chance ({loss})", *_judged(
            [row for row in rows if (row.condition, _loss(row)) == (condition, loss)]
        ))
        for condition, loss in keys
    ]  # fmt: skip


def _represented(
    represent: Represent, needed: int, clip: Footage
) -> Iterator[Mapping[str, Tensor]]:
    last = max(len(clip) - needed, 0)
    for start in dict.fromkeys(np.linspace(0, last, WINDOWS).round().astype(int).tolist()):
        with torch.no_grad():
            yield represent(clip.take(range(start, start + needed))[None])


def _judged(rows: Sequence[Chance]) -> tuple[str, str]:
    worst = max(rows, key=lambda row: row.residual / max(row.null, 1e-12))
    ratio = worst.residual / max(worst.null, 1e-12)
    verdict = KEPT if ratio <= 1 / MARGIN else LOST if ratio > 1 else UNTESTABLE
    return verdict, (
        f"{worst.layer.split('/')[1]}: residual {worst.residual:.2f}; unrelated frames (of "
        f"{worst.clips} clips) are {worst.null:.2f} apart at the {PERCENTILE}th percentile, "
        f"{worst.median:.2f} at the median. At most {worst.null / MARGIN:.2f} is matched"
    )


def _loss(row: Chance) -> str:
    return row.layer.split("/")[0]
