"""Rows of the tables on deep layers: one value a row."""

from __future__ import annotations

from typing import NamedTuple

NATURAL, TIME = "natural", "time"
FLOOR, CEILING = "unrelated", "jittered"  # conditions, of clips that nothing was made for
MEASURES = {
    "cosine": "cosine",
    "pearson": "Pearson correlation",
    "cka": "linear CKA over frames",
    "rsa": "RSA over frames",
}
VIEWS = {"places": "each channel at each place", "channels": "channel means over places"}


class Likeness(NamedTuple):
    """How alike a clip is to another to a layer.

    ``depth`` is the layer's among those looked at, 0 for the first and 1 for the last; ``view``
    ``"places"`` (units) or ``"channels"`` (their means over places). ``reference`` is what it is
    compared with: ``"natural"``, or ``"time"``, which a factorised clip has its motion from.
    ``axis`` is ``"frame"``, then ``at`` is its index (of the first one of a window), or
    ``"clip"``.
    """

    stimulus: str
    condition: str
    seed: int
    network: str
    view: str
    measure: str
    layer: str
    depth: float
    reference: str
    axis: str
    at: float | str
    value: float


class Label(NamedTuple):
    """What a network takes a clip for: the class of the highest mean probability over frames.

    ``natural`` is the mean probability of the class that the natural clip is taken for, and
    ``share`` the share of frames that are taken for it.
    """

    stimulus: str
    condition: str
    seed: int
    network: str
    label: str
    probability: float
    natural: float
    share: float
