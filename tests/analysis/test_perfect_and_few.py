"""Perfect and hopeless participants, few participants, slopes at a limit: what is said of them."""

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from observers import forced, observer, rows, write

from stst.analysis.analyze import analyze
from stst.analysis.cells import ALL, CellEstimate, DesignCell
from stst.analysis.psychometric import SLOPES, left_out, over_participants
from stst.metrics.bounds import INTERVAL, NO_BOUNDS, ONE_SIDED, RANGE
from stst.metrics.tables import COLUMNS, make_table, to_csv

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import stst_command

CELL = DesignCell("metamer", "", math.nan)


def answered(path, task, correct, people=6, trials=40):
    """Tables of participants who are right as often as told, of whom each has as many trials."""
    path.mkdir()
    for k in range(people):
        write(
            path / f"P{k}.csv", observer(np.random.default_rng(k), task, f"P{k}", trials, correct)
        )
    return path


def of_all(found, measure):
    return [row for row in found.estimates if (row.measure, row.participant) == (measure, ALL)]


@pytest.mark.parametrize("correct", [1.0, 0.0])
def test_of_perfect_participants_bounds_are_open_or_wide(correct, tmp_path):
    found = analyze([answered(tmp_path / "in", "natural", correct)])
    for row in of_all(found, "d'"):
        assert row.bounds == ONE_SIDED
        known = row.low if correct else row.high
        assert abs(known) < abs(row.value) - 0.1
        assert known * row.value > 0  # it is told from 0
        assert math.isnan(row.high if correct else row.low)
    for row in of_all(found, "criterion"):
        assert (row.bounds, row.value) == (NO_BOUNDS, pytest.approx(0, abs=0.3))
    for row in of_all(found, "accuracy"):
        assert row.high - row.low > 0.03
        assert row.low <= row.value <= row.high
    assert any("has no bound on a side" in note for note in found.notes)
    assert not of_all(found, "lapse")


def test_ratings_that_are_all_the_same_have_no_interval_and_none_leaves_the_scale(tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(6):
        same = [{"response": "7"} for _ in range(20)]
        write(tmp_path / "in" / f"P{k}.csv", rows("similarity", same, f"P{k}"))
    (row,) = of_all(analyze([tmp_path / "in"]), "rating")
    assert (row.value, row.low, row.high, row.bounds) == (7, 7, 7, RANGE)
    mixed = [{"response": str(7 - (k == 0) * 3)} for k in range(12)]
    write(tmp_path / "in" / "P0.csv", rows("similarity", mixed, "P0"))
    (row,) = of_all(analyze([tmp_path / "in"]), "rating")
    assert (row.high, row.bounds) == (7, INTERVAL)


def parameters(slopes, lapses):
    """Results of participants with these slopes and lapses."""
    for who, (slope, lapse) in enumerate(zip(slopes, lapses, strict=True)):
        each = {"threshold": 0.1 + 0.01 * who, "slope": slope, "lapse": lapse}
        for name, value in each.items():
            own = (value, value - 0.01, value + 0.01, math.nan, INTERVAL)
            yield CellEstimate(name, *CELL, "", f"P{who}", 1, 60, *own)


def test_slopes_at_the_limit_are_in_no_mean_and_counted():
    """The planted fault: of a truth of 2 the mean was 3.9 to 4.9."""
    some = list(parameters([1.6, 2.0, 2.4, 2.1, 10.0, 10.0, 1.9], [0] * 7))
    found = {row.measure: row for row in over_participants(CELL, some)}
    assert found["slope"].value == pytest.approx(np.exp(np.log([1.6, 2, 2.4, 2.1, 1.9]).mean()))
    assert (found["slope"].participants, found["threshold"].participants) == (5, 7)
    (note,) = left_out(some)
    assert "2 of 7 slopes are at a limit of the search (0.5 or 10; metamer)" in note
    for limit in SLOPES:
        some = parameters([2.0, 2.2, limit, limit], [0] * 4)
        assert "slope" not in {row.measure for row in over_participants(CELL, list(some))}


def test_lapses_have_a_range_which_is_not_below_0():
    for lapses in ([0, 0, 0, 0, 0], [0, 0.02, 0, 0.1, 0]):
        some = list(parameters([2.0, 2.1, 1.9, 2.2, 1.8], lapses))
        found = {row.measure: row for row in over_participants(CELL, some)}["lapse"]
        assert (found.low, found.high, found.bounds) == (0, max(lapses), RANGE)


@pytest.mark.parametrize("people", [3, 4])
def test_of_three_participants_nothing_is_called_an_interval(people, tmp_path):
    out = tmp_path / "out"
    folder = answered(tmp_path / "in", "natural", 0.75, people)
    for k in range(people):  # a second condition, for differences
        rng = np.random.default_rng(k)
        other = [forced(rng, 0.6, duration=0.2) | {"conditions": "natural;stps"} for _ in range(40)]
        own = observer(rng, "natural", f"P{k}", 40) + rows("natural", other, f"P{k}", start=40)
        write(folder / f"P{k}.csv", own)
    said = stst_command("experiment", "analyze", folder, "--out", out)
    assert said.code == 0, said.err
    assert ("3 participants are too few" in " ".join(said.out.split())) == (people == 3)
    for table in ("estimates", "differences"):
        with (out / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            own = [row for row in csv.DictReader(file) if row.get("participant", ALL) == ALL]
        assert own
        assert any(row["bounds"] == INTERVAL for row in own) == (people == 4)
    page = (out / "index.html").read_text("utf-8")
    results = page.split("<h2>Results")[1].split("<h2>Methods")[0]
    assert ("95 % interval)" in results) == (people == 4)


def test_tables_without_rows_keep_their_header():
    """The planted fault: biases.csv was a lone newline."""
    for name, columns in COLUMNS.items():
        assert to_csv(make_table(name)) == ",".join(columns) + "\n"
    assert to_csv([], CellEstimate._fields) == ",".join(CellEstimate._fields) + "\n"
