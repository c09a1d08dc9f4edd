"""Which of its two natural clips a factorised one is more like, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stst.evaluate.deep.means import CURVE, LAYER, grouped, mean_of
from stst.evaluate.deep.rows import NATURAL, TIME, Likeness


class Bias(NamedTuple):
    """Similarity to the natural clip less that to the clip that the motion is of.

    ``limit`` is what the natural clip itself has; -``limit`` is what the other has. ``over`` as in
    `stst.evaluate.deep.means.Mean`.
    """

    condition: str
    network: str
    view: str
    measure: str
    layer: str
    depth: float
    limit: float
    over: str
    units: int
    mean: float
    low: float
    high: float


def biases(rows: Iterable[Likeness]) -> list[Bias]:
    """Bias of each condition in each layer; none where no second clip was given.

    Examples
    --------
    >>> def row(condition, to, value):
    ...     place = "toy", "places", "cosine", "layer", 0.0
    ...     return Likeness("a", condition, 0, *place, to, "clip", "", value)
    >>> rows = [row("natural", "time", 0.25), row("g", "natural", 0.75), row("g", "time", 0.5)]
    >>> [(bias.mean, bias.limit) for bias in biases(rows)]
    [(0.25, 0.75)]
    """
    rows = list(rows)
    limits = {
        key: 1 - mean_of(found).mean
        for key, found in grouped(
            (row for row in rows if (row.condition, row.reference) == (NATURAL, TIME)),
            *CURVE[1:], *LAYER,
        ).items()
    }  # fmt: skip
    return [
        Bias._make((*key, limits[key[1:]], *mean_of(found)))
        for key, found in grouped(_differences(rows), *CURVE, *LAYER).items()
    ]


def _differences(rows: Iterable[Likeness]) -> list[Likeness]:
    to_time = {_twin(row): row.value for row in rows if row.reference == TIME}
    return [
        row._replace(value=row.value - to_time[_twin(row)])
        for row in rows
        if row.reference == NATURAL and _twin(row) in to_time
    ]


def _twin(row: Likeness) -> Likeness:
    """What the rows of one similarity to either clip have in common."""
    return row._replace(reference="", value=0.0)
