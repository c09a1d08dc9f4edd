"""Power of a condition against another, within participants, and the paired t test."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from planning import agrees, experiment, measured_d, powers, students
from scipy.stats import binom

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import stst_command


def measured_difference(plan, first, second):
    """Mean and SD of differences in measured d', of 2 x `first` and 2 x `second` trials."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weight = np.outer(weights, weights) / weights.sum() ** 2
    d = plan["effect"] + plan["spread"] * nodes[:, None] + 0 * nodes
    other = d - plan["difference"] - plan["difference_spread"] * nodes
    each = [
        np.vectorize(lambda one, half=half: measured_d(one, 0, half), otypes=(float, float))(values)
        for values, half in ((d, first), (other, second))
    ]
    (mean, sd), (less, sd_less) = each
    middle = (weight * (mean - less)).sum()
    square = (weight * ((mean - less) ** 2 + sd**2 + sd_less**2)).sum()
    return middle, math.sqrt(square - middle**2)


LESS = {"task": "natural", "effect": 1.2, "spread": 0.8, "against": "factorised",
        "difference": 0.7, "difference_spread": 0.3}  # fmt: skip


def test_power_of_a_difference_is_that_of_the_paired_t_test():
    (row,) = powers(**LESS, settings={}, participants=(14,))
    assert (row.condition, row.trials) == ("factorised - metamer", 8)
    wanted = students(*measured_difference(LESS, 8, 4), 14)
    assert 0.4 < wanted < 0.9
    assert agrees(row, wanted), (row.power, wanted)


@pytest.mark.parametrize("change", [{"difference": 0.0}, {"difference_spread": 3.0}])
def test_no_difference_or_one_that_varies_much_is_found_less(change):
    (row,) = powers(**LESS | change, settings={}, participants=(14,), simulations=60)
    assert not agrees(row, students(*measured_difference(LESS, 8, 4), 14))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "plan"),
    [
        ("natural", {"effect": 1, "difference": 0}),
        ("natural", {"measure": "accuracy", "effect": 0.7, "difference": 0}),
        ("similarity", {"effect": 4, "difference": 0, "against": "factorised+natural"}),
        ("natural", {"measure": "threshold", "effect": 0.2, "difference": 1}),
    ],
)
def test_no_difference_is_seldom_found_by_any_measure(task, plan):
    levels = {"durations": [0.05, 0.1, 0.2, 0.4, 0.8], "repeats": 2}
    own, size = (levels, 40) if plan.get("measure") == "threshold" else ({}, 400)
    told = {"against": "factorised", "spread": 0.1, "difference_spread": 0.1, **plan}
    for row in powers(task, own, **told, simulations=size):
        assert row.found <= binom.ppf(0.999, size, 0.05), row


@pytest.mark.slow
def test_thresholds_that_differ_by_a_factor_are_found():
    levels = {"durations": [0.05, 0.1, 0.2, 0.4, 0.8], "repeats": 2}
    told = {"measure": "threshold", "effect": 0.3, "spread": 0.5, "against": "factorised",
            "difference": 3, "difference_spread": 0.2}  # fmt: skip
    (row,) = powers("natural", levels, **told, simulations=15)
    assert row.power > 0.8


def test_the_command_compares_conditions(folder):
    (folder / "experiment.yaml").write_text(experiment("natural").to_yaml())
    out = folder / "out"
    words = ("--effect", 2, "--spread", 0.3, "--participants", 8, "--set", "simulations=5")
    more = ("--against", "factorised", "--difference", 1.5, "--difference-spread", 0.1)
    said = stst_command("experiment", "power", folder, *words, *more, "--out", out)
    assert said.code == 0, said.err
    assert "factorised - metamer" in (out / "power.csv").read_text("utf-8")
    page = " ".join((out / "index.html").read_text("utf-8").split())
    assert "In factorised it is lower by 1.5" in page
