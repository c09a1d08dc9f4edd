"""Tables of responses: read, rules, results of every task, the command and its page."""

import csv
import json
import math
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from observers import SHOWN, forced, observer, rows, write
from scipy.stats import norm

from stst.analysis.analyze import analyze
from stst.analysis.reading import Rules
from stst.errors import ExperimentError, RecipeError

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import refused, stst_command


def value(found, measure, who="all", **where):
    """The only estimate of a measure in a place."""
    (row,) = [
        row
        for row in found.estimates
        if (row.measure, row.participant) == (measure, who)
        and all(getattr(row, name) == wanted for name, wanted in where.items())
    ]
    return row


@pytest.fixture
def tables(tmp_path):
    """``tables(task, people, **more)``: a folder with a table for each."""

    def make(task, people=4, **more):
        rng = np.random.default_rng(0)
        for k in range(people):
            write(tmp_path / f"P{k}.csv", observer(rng, task, f"P{k}", **more))
        return tmp_path

    return make


def test_two_intervals_are_counted_as_they_were_answered(tmp_path):
    # 30 of 40 right in the first interval, 10 of 20 in the second: "second" is avoided.
    trials = [("first", "first")] * 30 + [("first", "second")] * 10
    trials += [("second", "second")] * 10 + [("second", "first")] * 10
    told = [{"expected": e, "response": r, "correct": int(e == r)} for e, r in trials]
    found = analyze([write(tmp_path / "P1.csv", rows("natural", told))])
    assert value(found, "accuracy", "P1", condition="metamer").value == 40 / 60
    hit, alarm = norm.ppf(30.5 / 41), norm.ppf(10.5 / 21)
    assert value(found, "d'", "P1").value == pytest.approx((hit - alarm) / math.sqrt(2))
    assert value(found, "criterion", "P1").value == pytest.approx(-(hit + alarm) / 2)
    assert value(found, "criterion", "P1").value < 0


@pytest.mark.parametrize("task", SHOWN)
def test_every_task_has_results(task, tables):
    found = analyze([tables(task, trials=240 if task == "detection" else 60)])
    measures = {row.measure for row in found.estimates}
    wanted = {
        "natural": {"accuracy", "d'", "criterion", "threshold", "slope", "lapse"},
        "detection": {"accuracy", "d'", "criterion", "threshold", "slope", "lapse", "sensitivity"},
        "abx": {"accuracy", "d'"},
        "oddity": {"accuracy", "d'"},
        "similarity": {"rating"},
        "category": {"accuracy", "answers"},
        "naming": {"answers"},
        "source": {"space chosen"},
    }
    assert measures == wanted[task]
    assert all(row.low <= row.value <= row.high for row in found.estimates if row.low < row.high)


def test_thresholds_and_sensitivity_are_those_of_the_observers(tables):
    found = analyze([tables("detection", people=6, trials=1200)])
    for band in ("coarse", "middle", "fine"):
        row = value(found, "threshold", band=band)
        assert 0.07 < row.value < 0.09
        assert value(found, "sensitivity", band=band).value == pytest.approx(1 / row.value)


def test_answers_to_what_was_shown_add_up(tables):
    found = analyze([tables("category")])
    each = [row for row in found.estimates if row.measure == "answers" and row.participant == "all"]
    assert len(each) == 9
    assert sum(row.value for row in each) == pytest.approx(3)
    typed = analyze([tables("naming")])
    assert {row.response.split()[-1] for row in typed.estimates} == {"sea", "lake"}


PLANTED = {
    "no answer": {"response": "", "correct": ""},
    "a film was not shown": {"kinds": "vp9;"},
    "answer before 100 ms": {"response_time": "99"},
    "answer after 4000 ms": {"response_time": "4001"},
    "more than 10% of frames dropped": {"frames_dropped": "0;3"},
}


def test_every_rule_is_counted(tmp_path):
    rng = np.random.default_rng(0)
    trials = [forced(rng, 0.8) for _ in range(30)] + [forced(rng, 1) | p for p in PLANTED.values()]
    missed = {"expected": "f", "response": "j", "correct": "0"}
    good = rows("natural", trials)
    few = rows("natural", trials[:5], "P2")
    asleep = rows("natural", trials[:20], "P3")
    asleep += rows("natural", [missed, {"expected": "f"}], "P3", "attention", 20)
    paths = [write(tmp_path / f"{k}.csv", some) for k, some in enumerate((good, few, asleep))]
    found = analyze(paths, Rules(slowest=4000))
    assert len(found.trials) == 30
    told = {(row.rule, row.participant): (row.trials, row.of) for row in found.exclusions}
    assert told == {
        **{(rule, "P1"): (1, 35) for rule in PLANTED},
        ("participant passed fewer than 50% of checks", "P3"): (20, 20),
        ("participant with fewer than 10 trials left", "P2"): (5, 5),
    }


def test_practice_is_not_analysed(tmp_path):
    rng = np.random.default_rng(0)
    some = rows("abx", [forced(rng, 0) for _ in range(9)], phase="practice")
    some += rows("abx", [forced(rng, 1) for _ in range(20)], start=9)
    found = analyze([write(tmp_path / "P1.csv", some)])
    assert value(found, "accuracy", "P1").value == 1
    assert found.exclusions == []


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ({"contrast": "much"}, "line 2: contrast is 'much'"),
        ({"response_time": "-1"}, "response_time"),
        ({"response_time": "inf"}, "response_time is 'inf'"),
        ({"frames_dropped": "3;-1"}, "frames_dropped is '3;-1', not a number of 0 or more"),
        ({"task": "chess"}, "task is 'chess'"),
        ({"correct": "yes"}, "correct is 'yes'"),
        ({"participant": ""}, "participant is empty"),
        ({"experiment": "f" * 16}, "several experiments"),
    ],
)
def test_cells_that_cannot_be_are_named(cell, words, tmp_path):
    rng = np.random.default_rng(0)
    some = observer(rng, "natural")
    some[0] = some[0] | cell
    with pytest.raises(ExperimentError, match=words):
        analyze([write(tmp_path / "P1.csv", some)])


def test_tables_that_are_none_and_half_lines(tmp_path):
    path = tmp_path / "P1.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ExperimentError, match="lacks participant"):
        analyze([path])
    (tmp_path / "none").mkdir()
    with pytest.raises(ExperimentError, match="no responses"):
        analyze([tmp_path / "none"])
    write(path, observer(np.random.default_rng(0), "abx"))
    path.write_text(path.read_text() + "P1,00,60,half")
    found = analyze([path])
    assert len(found.trials) == 60
    assert "incomplete last line" in found.notes[0]
    whole = path.read_text().splitlines()[:-1]
    for line, words in (("P1,00,60,half", "line 3: it has fewer"), (whole[1] + ",x", "line 3")):
        path.write_text("\n".join([*whole[:2], line, *whole[2:]]) + "\n")
        with pytest.raises(ExperimentError, match=words):
            analyze([path])


def test_missing_rows_and_unbounded_thresholds_are_told(tmp_path):
    some = observer(np.random.default_rng(0), "natural", trials=80, correct=0.5)
    del some[7]
    notes = " ".join(analyze([write(tmp_path / "P1.csv", some)]).notes)
    assert "rows are missing" in notes
    assert "the threshold has no bound on a side" in notes


def test_nothing_left_and_unknown_rules(tables):
    with pytest.raises(ExperimentError, match="no trial is left"):
        analyze([tables("abx", trials=5)])
    with pytest.raises(RecipeError, match="rules"):
        Rules.parse({"fastests": 3})


class Page(HTMLParser):
    """Images of a page and whatever it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.images, self.fetched = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "img":
            self.images.append(told)
        self.fetched += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]


@pytest.mark.parametrize("task", ["natural", "category"])
def test_the_command_leaves_tables_figures_and_a_page(task, tables, tmp_path):
    folder, out = tables(task), tmp_path / "out"
    some = observer(np.random.default_rng(1), task, "P9<b>", trials=3)
    write(folder / "P9.csv", some)
    said = stst_command("experiment", "analyze", folder, "--out", out)
    assert said.code == 0, said.err
    assert "P9<b> (participant with fewer than 10" in said.out
    page = (out / "index.html").read_text("utf-8")
    tags = Page(page)
    assert tags.fetched == []
    assert len(tags.images) == len(list(out.glob("*.png"))) >= 2
    assert all(len(image["alt"]) > 40 for image in tags.images)
    assert "P9&lt;b&gt;" in page
    with (out / "estimates.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    told = json.loads((out / "analysis.json").read_text("utf-8"))
    assert len(table) == len(told["estimates"]) == len(analyze([folder]).estimates)
    assert told["exclusions"] == [
        {"rule": "participant with fewer than 10 trials left", "participant": "P9<b>"}
        | {"trials": 3, "of": 3}
    ]


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    said = stst_command("experiment", "analyze", tmp_path / "none.csv", "--out", tmp_path / "o")
    refused(said, "none.csv")
    assert not (tmp_path / "o").exists()
