"""Power by simulation against Student's power, at no effect, and with planted observers."""

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from planning import SET, TWO, agrees, experiment, measured_d, powers, students
from scipy.stats import binom

from stst.analysis import observers
from stst.analysis.cells import ALL
from stst.analysis.observers import lists_of, simulated
from stst.analysis.plan import MEASURES, PowerPlan, planned
from stst.analysis.power import needed
from stst.analysis.reading import excluded
from stst.analysis.tasks import estimates
from stst.errors import RecipeError

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import refused, stst_command


def rated(effect, spread, trials):
    """SD over participants of mean ratings: between them, and of binomial trials within."""
    p, s = (effect - 1) / 6, spread / 6
    within = (p * (1 - p) - s**2) / 6 * 36 / trials
    return math.sqrt(spread**2 + within)


D = {"task": "natural", "effect": 0.5, "spread": 0.4}
RATING = {"task": "similarity", "effect": 4.4, "spread": 0.5, "null": 4}


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (D, students(*measured_d(0.5, 0.4, 8), 10)),
        (RATING, students(0.4, rated(4.4, 0.5, 16), 10)),
    ],
    ids=["d'", "rating"],
)
def test_power_is_that_of_the_t_test(plan, wanted):
    assert 0.4 < wanted < 0.9
    (row,) = powers(**plan)
    assert row.trials == 16
    assert agrees(row, wanted), (row.power, wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "spread", "people"), [(0.3, 0.2, 16), (0.5, 0, 8)])
def test_power_is_that_of_the_t_test_in_more_cases(effect, spread, people):
    told = {"effect": effect, "spread": spread, "participants": (people,), "simulations": 400}
    (row,) = powers("natural", {**TWO, "repeats": 2}, **told)
    wanted = students(*measured_d(effect, spread, 16), people)
    assert agrees(row, wanted), (row.power, wanted)


def test_planted_observers_are_caught(monkeypatch):
    """Who ignore the effect, or see twice as much of it, have another power."""
    wanted = students(*measured_d(0.5, 0.4, 8), 10)
    right = observers._right
    twice = lambda who, *more: right(who._replace(truth=2 * who.truth), *more)  # noqa: E731
    for planted in (lambda *_: 0.5, twice):
        monkeypatch.setattr(observers, "_right", planted)
        assert not agrees(powers(**D, simulations=60)[0], wanted)


NOTHING = {
    "d'": {"effect": 0, "spread": 0.3},
    "accuracy": {"effect": 0.5, "spread": 0.1},
    "space chosen": {"effect": 0.5, "spread": 0.1},
    "rating": {"effect": 4, "spread": 0.5, "null": 4},
}


def test_no_effect_is_seldom_found():
    (row,) = powers("similarity", **NOTHING["rating"])
    assert row.found <= binom.ppf(0.999, row.simulations, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "plan"),
    [
        ("natural", NOTHING["d'"]),
        ("natural", {"measure": "accuracy", **NOTHING["accuracy"]}),
        ("source", NOTHING["space chosen"]),
        ("abx", {"effect": 0, "spread": 0}),
        ("oddity", {"effect": 0, "spread": 0}),
        ("category", {"effect": 0.25, "spread": 0.05}),
        ("natural", {"measure": "threshold", "effect": 0.2, "spread": 0.2, "null": 0.2}),
    ],
)
def test_no_effect_is_seldom_found_by_any_measure(task, plan):
    settings = {"category": {"categories": ["c0", "c1", "c2", "c3"]}, "source": {"repeats": 2}}
    levels = {**TWO, "durations": [0.05, 0.1, 0.2, 0.4, 0.8], "repeats": 2}
    own = levels if "null" in plan else settings.get(task, {})
    size = 40 if "null" in plan else 400
    for row in powers(task, own, **plan, simulations=size):
        assert row.found <= binom.ppf(0.999, size, 0.05), row


@pytest.mark.slow
def test_a_threshold_that_differs_is_found():
    levels = {**TWO, "durations": [0.05, 0.1, 0.2, 0.4, 0.8], "repeats": 2}
    told = {"measure": "threshold", "effect": 0.1, "spread": 0.2, "null": 0.25}
    (row,) = powers("natural", levels, **told, simulations=15)
    assert row.trials == 160
    assert row.power > 0.8


@pytest.mark.parametrize("task", [task for task, own in MEASURES.items() if own])
def test_all_together_are_what_analyze_finds(task):
    """Power and `analyze` have one analysis; answers are whole, and rules find them good."""
    durations = {"durations": [0.1, 0.2, 0.4], "repeats": 2} if task == "natural" else {}
    contrasts = {"contrasts": [0.1, 0.2, 0.4]} if task == "detection" else {}
    spec = experiment(task, **durations, **contrasts)
    for measure in MEASURES[task]:
        share = measure in ("accuracy", "space chosen")
        effect = {"rating": 4.5, "threshold": 0.2}.get(measure, 0.7 if share else 1)
        plan = planned(PowerPlan(effect=effect, spread=0.1, participants=(4,), measure=measure,
                            null=None if share or measure == "d'" else 4), spec)  # fmt: skip
        trials = simulated(lists_of(spec, SET, 2), 4, plan, spec, np.random.default_rng(0))
        kept, left_out = excluded(trials, plan.rules)
        assert left_out == []
        both = [row for row in estimates(kept) if (row.measure, row.participant) == (measure, ALL)]
        assert repr(estimates(kept, measure, each=False)) == repr(both)
        assert both


def test_who_does_not_attend_is_left_out():
    """By the rules, also here: who answers 70 % at random fails half of 8 checks or more."""
    spec = experiment("natural", **TWO, attention=8)
    plan = planned(PowerPlan(effect=2, spread=0, participants=(20,), lapse=0.7), spec)
    trials = simulated(lists_of(spec, SET, 1), 20, plan, spec, np.random.default_rng(0))
    _, left_out = excluded(trials, plan.rules)
    assert {row.rule for row in left_out} == {"participant passed fewer than 50% of checks"}
    assert 10 < len(left_out) < 20


def test_the_same_seed_gives_the_same_and_more_participants_more():
    told = {**D, "participants": (4, 20), "simulations": 20}
    few, many = powers(**told)
    assert powers(**told) == [few, many]
    assert few.power < many.power
    assert needed([few, many]) == {((few.condition, "", few.level), 1): 20}


@pytest.mark.parametrize(
    ("task", "plan", "words"),
    [
        ("natural", {"measure": "accurracy"}, "Did you mean 'accuracy'"),
        ("naming", {}, "naming has no measure"),
        ("similarity", {"effect": 4}, "give the null value"),
        ("source", {"effect": 1.2}, "must be between 0 and 1"),
        ("source", {"effect": 0.9, "spread": 0.4}, "below 0.3"),
        ("natural", {"measure": "threshold", "null": 1}, "three durations"),
        ("source", {}, "a participant has 8 test trials"),
        ("natural", {"participants": (3,)}, "greater than or equal to 4"),
        ("natural", {"lapses": 0}, "no 'lapses'"),
        ("natural", {"against": "factorised"}, "needs both"),
        ("natural", {"difference": 0.1}, "needs both"),
        ("natural", {"against": "factorized", "difference": 0.1}, "Did you mean 'factorised'"),
        ("natural", {"against": "factorised", "difference": 0.1, "null": 0}, "leave out null"),
        ("source", {"against": "factorised", "difference": 0.7}, "0.6 - 0.7 = -0.1"),
        (
            "source",
            {"against": "factorised", "difference": 0.1},
            "Conditions of the experiment: factorised",
        ),
    ],
)
def test_plans_that_cannot_be_are_named(task, plan, words):
    rules = {"least": 1} if "against" in plan else {}
    told = {"effect": 0.6, "spread": 0.1, "simulations": 2, "rules": rules, **plan}
    with pytest.raises(RecipeError, match=words):
        powers(task, {}, **told)


def test_clips_that_are_seen_once_are_not_repeated():
    with pytest.raises(RecipeError, match="more clips"):
        powers("natural", {**TWO, "once": True}, effect=1, spread=0, repeats=(1, 2))


def test_the_command_leaves_a_table_a_figure_and_a_page(folder):
    out = folder / "out"
    words = ("--effect", 2, "--spread", 0.3, "--participants", "4,8", "--repeats", "1,2")
    said = stst_command("experiment", "power", folder, *words, "--out", out,
                        "--set", "simulations=5", "--set", "rules.least=3")  # fmt: skip
    assert said.code == 0, said.err
    assert "2 repeat(s): power of 80% in every condition with 4 participants." in said.out
    told = json.loads((out / "power.json").read_text("utf-8"))
    with (out / "power.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["participants"], row["repeats"]) for row in table] == [
        ("4", "1"), ("8", "1"), ("4", "2"), ("8", "2")]  # fmt: skip
    assert len(told["power"]) == 4
    assert told["plan"]["rules"]["least"] == 3
    assert set(told["outputs"]) == {"power.csv", "power.png", "index.html"}
    page = (out / "index.html").read_text("utf-8")
    assert "http" not in page.split("<h2>Cite")[0]
    assert page.count("<img alt=") == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--participants", "8,x"), "participants"),
        (("--participants", ""), "takes numbers"),
        (("--set", "lapses=1"), "lapse"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(more, words, folder):
    told = ("--effect", 1, "--spread", 0, "--participants", "8")
    said = stst_command("experiment", "power", folder, *told, *more, "--out", folder / "o")
    refused(said, words)
    assert not (folder / "o").exists()


def test_a_folder_without_an_experiment_is_named(tmp_path):
    told = ("--effect", 1, "--spread", 0, "--participants", "8", "--out", tmp_path / "o")
    said = stst_command("experiment", "power", tmp_path, *told)
    refused(said, "experiment.yaml")
    assert not (tmp_path / "o").exists()
