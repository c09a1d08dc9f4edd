"""Tidy tables: one value a row, as CSV and as plain data for JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stst.metrics.curves import Curve, Seen
from stst.metrics.luminance import Array
from stst.metrics.measures import MEASURES


class Value(NamedTuple):
    """A value of a measure of one clip.

    ``axis`` says what ``at`` is: ``"frame"`` and its index (of the first one, where frames
    are compared), a unit and the place along it, a ``"layer"``'s name, or ``"clip"`` and
    nothing, for the value of all frames together.
    """

    stimulus: str
    condition: str
    seed: int
    measure: str
    axis: str
    at: float | str
    value: float


class Error(NamedTuple):
    """How far a clip is from the natural one in a measure; NaN where that cannot be told."""

    stimulus: str
    condition: str
    seed: int
    measure: str
    value: float


def values(stimulus: str, condition: str, seed: int, curves: dict[str, Curve]) -> Iterator[Value]:
    """Rows of all measures of one clip."""
    for name, curve in curves.items():
        head = (stimulus, condition, seed, name)
        if curve.axis != "clip":
            for at, value in zip(curve.at, curve.values, strict=True):
                yield Value(*head, curve.axis, _place(at), float(value))
        if curve.pooled is not None:
            yield Value(*head, "clip", "", curve.pooled)


def _place(at: Array) -> float | str:
    return "; ".join(f"{part:.6g}" for part in at) if at.ndim else float(at)


def measured(clip: Seen, natural: Seen) -> dict[str, Curve]:
    """Curves of all measures of a clip."""
    return {name: measure.curve(clip, natural) for name, measure in MEASURES.items()}


def to_csv(rows: Sequence[NamedTuple], fields: Sequence[str] = ()) -> str:
    """A header and a line for each row; numbers to nine digits, nothing for NaN.

    `fields` is the header where there are no rows.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0]._fields if rows else fields)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.9g}" if math.isfinite(value) else ""


def plain(rows: Sequence[NamedTuple]) -> list[dict[str, Any]]:
    """Rows for JSON, which has no NaN: None."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row._asdict().items()
        }
        for row in rows
    ]
