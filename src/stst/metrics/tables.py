"""Tables of an evaluation: columns, CSV files, and plain data for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

Rows: TypeAlias = pd.DataFrame | Sequence[Any]  # a table, or named tuples of one type

NATURAL, TIME = "natural", "time"
FLOOR, CEILING = "unrelated", "jittered"  # conditions of the clips that give floor and ceiling

CLIP = ("stimulus", "condition", "seed")
CURVE = ("condition", "network", "view", "measure")  # identify one line over layers
LAYER = ("layer", "depth")
_INTERVAL = ("over", "units", "mean", "low", "high", "bounds")

# `stst.Evaluation` documents their contents.
COLUMNS: dict[str, tuple[str, ...]] = {
    "values": (*CLIP, "measure", "axis", "at", "value"),
    "errors": (*CLIP, "measure", "value"),
    "summary": ("condition", "measure", "units", "mean", "low", "high", "bounds"),
    "contrasts": ("measure", "condition", "other", "units", "difference", "p", "least_p"),
    "layers": (*CLIP, *CURVE[1:], *LAYER, "reference", "axis", "at", "value"),
    "labels": (*CLIP, "network", "label", "probability", "natural", "share"),
    "arrangement": (*CLIP, "reference", "part", "measure", "axis", "at", "value"),
    "chance": (*CLIP, "layer", "residual", "null", "median", "clips"),
    "profiles": (
        *(*CURVE, *LAYER, "floor", "ceiling", *_INTERVAL),
        *("above", "above_low", "above_high", "above_bounds"),
    ),
    "trends": (*CURVE, "part", *_INTERVAL),
    "biases": (*CURVE, *LAYER, "limit", *_INTERVAL),
    "claims": ("condition", "measure", "verdict", "why"),
}
_INTEGERS = {"seed", "units", "clips"}
_TEXTS = {
    *("stimulus", "condition", "measure", "axis", "other", "network", "view", "layer"),
    *("reference", "label", "part", "over", "verdict", "why", "bounds", "above_bounds"),
}


def make_table(name: str, rows: Iterable[Sequence[object]] = ()) -> pd.DataFrame:
    """Make a table of an evaluation.

    Parameters
    ----------
    name : str
        Name of the table, a key of `COLUMNS`.
    rows : iterable of sequence, optional
        Rows, with values in the order of the columns.

    Returns
    -------
    DataFrame
        Table with its columns and their types, also without rows.

    Examples
    --------
    >>> make_table("errors").columns.to_list()
    ['stimulus', 'condition', 'seed', 'measure', 'value']
    """
    columns = COLUMNS[name]
    return pd.DataFrame(list(rows), columns=columns).astype(_types(columns))


def _types(columns: Iterable[str]) -> dict[str, Any]:
    """Return the type of each column; ``at`` holds numbers, or text for two coordinates or none."""
    kinds = [(_INTEGERS, int), (_TEXTS, str), ({"at"}, object)]
    return {name: next((kind for names, kind in kinds if name in names), float) for name in columns}


def read_table(path: Path, name: str) -> pd.DataFrame:
    """Read a table that `to_csv` wrote.

    Parameters
    ----------
    path : Path
        CSV file.
    name : str
        Name of the table, a key of `COLUMNS`.

    Returns
    -------
    DataFrame
        Table.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> table = make_table("errors", [("clip", "metamer", 0, "contrast", 0.1)])
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "errors.csv")
    ...     _ = path.write_text(to_csv(table))
    ...     read_table(path, "errors").equals(table)
    True
    """
    types = _types(COLUMNS[name])
    empty = {column: [""] for column, kind in types.items() if kind is float}
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=empty)[[*types]]
    if "at" in types:
        table["at"] = table["at"].map(_number).astype(object)
    return table


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def to_csv(rows: Rows, fields: Sequence[str] = ()) -> str:
    r"""Format a table as CSV.

    Parameters
    ----------
    rows : DataFrame or sequence of named tuples
        Table.
    fields : sequence of str, optional
        Header for named tuples, needed if there may be no rows.

    Returns
    -------
    str
        Header and rows. Numbers have nine digits and NaN is empty.

    Examples
    --------
    >>> to_csv(make_table("errors", [("clip", "metamer", 0, "contrast", 0.1)]))
    'stimulus,condition,seed,measure,value\nclip,metamer,0,contrast,0.1\n'
    """
    return str(_table(rows, fields).map(_cell).to_csv(index=False, lineterminator="\n"))


def plain(rows: Rows) -> list[dict[str, Any]]:
    """Convert a table to plain data for JSON.

    Parameters
    ----------
    rows : DataFrame or sequence of named tuples
        Table.

    Returns
    -------
    list of dict
        One dict per row, with None for NaN.

    Examples
    --------
    >>> plain(make_table("errors", [("clip", "metamer", 0, "contrast", float("nan"))]))[0]["value"]
    """
    return [
        {name: None if _is_nan(value) else value for name, value in record.items()}
        for record in _table(rows).to_dict("records")
    ]


def _table(rows: Rows, fields: Sequence[str] = ()) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows
    return pd.DataFrame(list(rows), columns=rows[0]._fields if rows else list(fields), dtype=object)


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if _is_nan(value) else f"{value:.9g}"


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
