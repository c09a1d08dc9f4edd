"""Is a layer matched? Its residual against how near unrelated natural frames are to each other.

A metamer counts as matched only if it is nearer to its target than unrelated natural stimuli are
to each other (Feather et al. 2019, NeurIPS; 2023, Nat. Neurosci. 26, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd
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


def null_errors(represent: Represent, needed: int, clips: Sequence[Footage]) -> dict[str, Array]:
    """Layer -> relative errors between ordered pairs of windows of different clips.

    `represent` maps a window of `needed` frames to Gram matrices or activations, as the run's
    losses do. The clips, at least two of one size, are the natural one and unrelated ones.
    """
    seen = [_represented(represent, needed, clip) for clip in clips]
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
) -> Iterator[tuple[object, ...]]:
    """Rows of the table `chance` for each matched layer of a metamer (stimulus, condition, seed).

    A layer is ``loss/layer``; `clips` is the number of clips that the `null_errors` are between.
    """
    for layer, residual in residuals.items():
        if layer in null:
            low, median = np.percentile(null[layer], (PERCENTILE, 50))
            yield *head, layer, residual, float(low), float(median), clips


def chance_claims(rows: pd.DataFrame) -> Iterator[Claim]:
    """Whether each loss is matched beyond chance, in the layer that is matched least.

    Kept: its residual is at most half the 5th percentile. Lost: above it. Not testable: between.
    """
    layers = rows["layer"].str.split("/", n=1, expand=True)
    layers = layers.reindex(columns=[0, 1]).set_axis(["loss", "name"], axis=1)
    rows = rows.join(layers).assign(ratio=rows["residual"] / rows["null"].clip(lower=1e-12))
    for (condition, loss), own in rows.groupby(["condition", "loss"], sort=False):
        worst = own.loc[own["ratio"].idxmax()]
        ratio, null = worst["ratio"], worst["null"]
        verdict = KEPT if ratio <= 1 / MARGIN else LOST if ratio > 1 else UNTESTABLE
        why = (
            f"{worst['name']}: residual {worst['residual']:.2f}; unrelated frames (of "
            f"{worst['clips']} clips) are {null:.2f} apart at the {PERCENTILE}th percentile, "
            f"{worst['median']:.2f} at the median. At most {null / MARGIN:.2f} is matched"
        )
        yield Claim(condition, f"nearer than chance ({loss})", verdict, why)


@torch.no_grad()
def _represented(represent: Represent, needed: int, clip: Footage) -> list[Mapping[str, Tensor]]:
    last = max(len(clip) - needed, 0)
    starts = np.unique(np.linspace(0, last, WINDOWS).round().astype(int)).tolist()
    return [represent(clip.take(range(start, start + needed))[None]) for start in starts]
