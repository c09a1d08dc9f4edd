"""Test whether layers are matched better than chance.

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

WINDOWS = 8  # per clip, evenly spaced; our choice
PERCENTILE = 5  # of the null distribution
MARGIN = 2  # a matched layer is below that percentile by this factor; our choice


def null_errors(represent: Represent, needed: int, clips: Sequence[Footage]) -> dict[str, Array]:
    """Compute the errors between unrelated natural frames in each layer.

    Parameters
    ----------
    represent : callable
        Function from a window of frames, shape (1, `needed`, 3, H, W), to the Gram matrices or
        activations of each layer, as the losses of a run compute them.
    needed : int
        Number of frames in a window.
    clips : sequence of Clip or Film
        At least two clips of one size: the natural clip and unrelated ones.

    Returns
    -------
    dict of str to ndarray
        For each layer, relative errors between all ordered pairs of windows of different clips,
        shape (n,). Each clip gives up to 8 windows, evenly spaced.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> size = {"frames": 4, "height": 32, "width": 32}
    >>> clips = [make_stimulus("dead-leaves", seed=seed, **size).clip for seed in (0, 1)]
    >>> errors = null_errors(lambda window: {"pixels": window[0]}, 1, clips)
    >>> errors["pixels"].shape
    (32,)
    """
    windows = [_represented(represent, needed, clip) for clip in clips]
    pairs = [(a, b) for first, second in permutations(windows, 2) for a in first for b in second]
    return {
        layer: np.array([relative_error(a[layer], b[layer]).item() for a, b in pairs])
        for layer in windows[0][0]
    }


def chance_rows(
    head: tuple[str, str, int],
    residuals: Mapping[str, float],
    null: Mapping[str, Array],
    clips: int,
) -> Iterator[tuple[object, ...]]:
    """Make the rows of the table ``chance`` for one metamer.

    Parameters
    ----------
    head : tuple of (str, str, int)
        Stimulus, condition and seed.
    residuals : mapping of str to float
        Mean residual of each matched layer; the keys are ``"loss/layer"``.
    null : mapping of str to ndarray
        Errors between unrelated frames, from `null_errors`, with the same keys.
    clips : int
        Number of clips that `null` was computed from.

    Yields
    ------
    tuple
        One row per layer that is in both mappings.

    Examples
    --------
    >>> null = {"space_texture/conv1": np.array([0.6, 0.8, 1.0])}
    >>> rows = chance_rows(("clip", "metamer", 0), {"space_texture/conv1": 0.1}, null, clips=2)
    >>> [row[3:] for row in rows]
    [('space_texture/conv1', 0.1, 0.62, 0.8, 2)]
    """
    for layer, residual in residuals.items():
        if layer in null:
            low, median = np.percentile(null[layer], (PERCENTILE, 50))
            yield *head, layer, residual, float(low), float(median), clips


def chance_claims(rows: pd.DataFrame) -> Iterator[Claim]:
    """Judge whether each loss is matched better than chance.

    Parameters
    ----------
    rows : DataFrame
        Table ``chance`` of an `Evaluation`.

    Yields
    ------
    Claim
        One verdict per condition and loss, for the layer that is matched worst. Kept: its residual
        is at most half the 5th percentile of the errors between unrelated frames. Lost: it is above
        that percentile. Not testable: in between.

    Examples
    --------
    >>> from stst.metrics.tables import make_table
    >>> row = ("clip", "metamer", 0, "space_texture/conv1", 0.1, 0.62, 0.8, 2)
    >>> [claim.verdict for claim in chance_claims(make_table("chance", [row]))]
    ['kept']
    """
    layers = rows["layer"].str.split("/", n=1, expand=True)
    layers = layers.reindex(columns=[0, 1]).set_axis(["loss", "name"], axis=1)
    rows = rows.join(layers).assign(ratio=rows["residual"] / rows["null"].clip(lower=1e-12))
    for (condition, loss), own in rows.groupby(["condition", "loss"], sort=False):
        worst = own.loc[own["ratio"].idxmax()]
        ratio, null = worst["ratio"], worst["null"]
        verdict = KEPT if ratio <= 1 / MARGIN else LOST if ratio > 1 else UNTESTABLE
        why = (
            f"worst layer {worst['name']}: residual {worst['residual']:.2f}; kept if at most "
            f"{null / MARGIN:.2f}. Errors between unrelated frames of {worst['clips']} clips: "
            f"5th percentile {null:.2f}, median {worst['median']:.2f}"
        )
        yield Claim(condition, f"nearer than chance ({loss})", verdict, why)


@torch.no_grad()
def _represented(represent: Represent, needed: int, clip: Footage) -> list[Mapping[str, Tensor]]:
    last = max(len(clip) - needed, 0)
    starts = np.unique(np.linspace(0, last, WINDOWS).round().astype(int)).tolist()
    return [represent(clip.take(range(start, start + needed))[None]) for start in starts]
