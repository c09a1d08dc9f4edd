"""Conditions and bands against each other, within participants."""

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from observers import forced, rows, write
from scipy.stats import ttest_rel

from stst.analysis.analyze import analyze
from stst.analysis.cells import CellEstimate, Difference, differences
from stst.metrics.bounds import APPROXIMATE, INTERVAL, ONE_SIDED, RANGE

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import stst_command


def told(who, value, condition="a", band="", measure="d'", half=1.0):
    """A result of one participant, with its interval."""
    interval = (value, value - half, value + half)
    return CellEstimate(
        measure, condition, band, math.nan, "", who, 1, 40, *interval, 0.0, INTERVAL
    )


def pair(first, second, **more):
    """The one difference between conditions a and b, of a value for each participant."""
    found = differences(
        [told(f"P{k}", value, "a", **more) for k, value in enumerate(first)]
        + [told(f"P{k}", value, "b", **more) for k, value in enumerate(second)]
    )
    (row,) = found
    return row


def test_a_difference_is_that_of_pairs():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 0.5, (2, 9))
    oracle = ttest_rel(first, second)
    found, (low, high) = pair(first, second), oracle.confidence_interval()
    assert found[:4] == ("d'", "condition", "a", "b")
    assert found[7:-1] == pytest.approx((9, (first - second).mean(), low, high, 0))
    assert found.bounds == INTERVAL


def test_what_participants_have_in_common_widens_nothing():
    own = np.random.default_rng(0).normal(0, 10, 8)
    found = pair(own + 1, own)
    assert (found.low, found.high) == pytest.approx((1, 1))


def test_thresholds_are_told_as_ratios_and_only_where_they_are_bounded():
    first, second = np.array([0.2, 0.4, 0.3, 0.2]), np.array([0.1, 0.1, 0.2, 0.2])
    found = pair(first, second, measure="threshold", half=0.05)
    oracle = ttest_rel(np.log(first), np.log(second)).confidence_interval()
    assert found.value == pytest.approx((2 * 4 * 1.5 * 1) ** (1 / 4))
    assert np.log([found.low, found.high]) == pytest.approx(oracle)
    assert (found.null, found.bounds) == (1, APPROXIMATE)
    assert not differences(
        [told(who, 0.1, c, measure="threshold", half=math.nan) for who in "PQ" for c in "ab"]
    )


def test_only_those_who_did_both_count_and_two_of_them_are_needed():
    some = [told("P", 1.0), told("P", 2.0, "b"), told("Q", 1.0), told("R", 5.0, "b")]
    assert not differences(some)
    (found,) = differences([*some, told("Q", 3.0, "b")])
    assert (found.participants, found.value) == (2, -1.5)
    assert (found.low, found.high, found.bounds) == (-2, -1, RANGE)


def test_of_perfect_participants_a_difference_may_be_any_larger():
    """The planted fault: two conditions that all do perfectly differed by 0, surely."""
    perfect = [told(f"P{k}", 2.5 + 0.01 * k, c, half=math.nan) for k in range(6) for c in "ab"]
    (alike,) = differences(perfect)
    assert math.isnan(alike.low)
    assert math.isnan(alike.high)
    worse = [told(f"P{k}", 1 + 0.1 * k, "b") for k in range(6)]
    (found,) = differences([row for row in perfect if row.condition == "a"] + worse)
    assert found.low > 0
    assert math.isnan(found.high)
    assert found.bounds == ONE_SIDED


def test_bands_are_compared_within_a_condition_and_conditions_within_a_band():
    some = [told(w, 1.0, c, b) for w in "PQ" for c in "ab" for b in ("low", "high")]
    found = {(row.factor, row.first, row.second, row.condition, row.band)
             for row in differences(some)}  # fmt: skip
    assert found == {
        ("condition", "a", "b", "", "low"),
        ("condition", "a", "b", "", "high"),
        ("band", "high", "low", "a", ""),
        ("band", "high", "low", "b", ""),
    }


def test_a_page_and_a_table_tell_them(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for k in range(6):
        made = [forced(rng, 0.9, duration=0.2) for _ in range(40)]
        other = [forced(rng, 0.6, duration=0.2) | {"conditions": "natural;stps"} for _ in made]
        write(tmp_path / f"P{k}.csv", rows("natural", made + other, f"P{k}"))
    out = tmp_path / "out"
    stst_command("experiment", "analyze", tmp_path, "--out", out)
    with (out / "differences.csv").open(newline="") as file:
        table = {row["measure"]: row for row in csv.DictReader(file)}
    assert (table["accuracy"]["first"], table["accuracy"]["second"]) == ("metamer", "stps")
    assert float(table["d'"]["low"]) > 0
    assert "<h2>Differences</h2>" in (out / "index.html").read_text()
    assert len(analyze([tmp_path]).plain()["differences"]) == 3


def test_of_one_participant_there_is_an_empty_table(tmp_path, capsys):
    rng = np.random.default_rng(0)
    some = [forced(rng, 0.9, duration=0.2) for _ in range(40)]
    table = write(tmp_path / "P.csv", rows("natural", some))
    stst_command("experiment", "analyze", table, "--out", tmp_path / "out")
    text = (tmp_path / "out" / "differences.csv").read_text()
    assert text == ",".join(Difference._fields) + "\n"
