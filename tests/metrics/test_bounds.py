"""What bounds are called: one function decides for tables, pages and verdicts."""

import ast
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stst.analysis.cells import CellEstimate, Difference
from stst.analysis.mixed import Effect
from stst.analysis.power import Power
from stst.metrics.bounds import INTERVAL, NO_BOUNDS, ONE_SIDED, RANGE, bounds_of, bounds_words
from stst.metrics.tables import COLUMNS

SRC = Path(__file__).parents[2] / "src" / "stst"


@given(st.integers(0, 9), st.floats(-1, 0), st.floats(0.1, 1))
def test_fewer_than_four_units_have_no_interval(units, low, high):
    wanted = INTERVAL if units > 3 else RANGE if units > 1 else NO_BOUNDS
    assert bounds_of(units, low, high) == wanted
    words = bounds_words(units, "seeds", wanted, f"{low:.2f}", f"{high:.2f}")
    assert ("95 %" in words) == (units > 3)
    assert f"n = {units}" in words


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [
        (math.nan, 1, ONE_SIDED),
        (0, math.nan, ONE_SIDED),
        (0, math.inf, ONE_SIDED),
        (math.nan, math.nan, NO_BOUNDS),
        (0.5, 0.5, RANGE),  # nothing has an interval of zero width
    ],
)
def test_ends_that_are_missing_or_the_same_are_no_interval(low, high, name):
    assert bounds_of(40, low, high) == name


def test_every_table_with_ends_says_what_they_are():
    rows = [*COLUMNS.values(), *(row._fields for row in (CellEstimate, Difference, Effect, Power))]
    for columns in rows:
        assert ("low" in columns) == ("bounds" in columns)
        assert ("above_low" in columns) == ("above_bounds" in columns)
        assert ("p" in columns) == ("least_p" in columns)


def test_no_other_file_calls_an_interval_one_of_95_percent():
    """Words of docstrings and of labels that hold for every interval are listed."""
    known = {
        "metrics/bounds.py": 1,
        "analysis/analyze.py": 1,  # that there are none
        "drawing/figures.py": 1,  # the line of such an interval
    }
    for path in SRC.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        }
        texts = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "95 % interval" in node.value
            and node.value not in docstrings
        ]
        assert len(texts) == known.get(path.relative_to(SRC).as_posix(), 0), (path, texts)
