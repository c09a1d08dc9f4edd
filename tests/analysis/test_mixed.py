"""Mixed-effects models: closed forms, recovery of known effects, and the extra that they need."""

import builtins
import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from observers import observer, rows, write
from scipy.special import expit, logit
from scipy.stats import binom

from small_sets import rows as stimuli
from stst.analysis import mixed as module
from stst.analysis.analyze import analyze
from stst.analysis.mixed import mixed
from stst.analysis.observers import lists_of
from stst.errors import ExperimentError
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import refused, stst_command

pytest.importorskip("gpboost", reason="needs the extra `mixed`")
pytestmark = pytest.mark.slow  # and the extra is installed for the slow tests alone


def blank(task, clips=8, people=12, metamers=1):
    """Trials of an experiment with two conditions, not answered, of participants in turn."""
    known = stimuli(clips, metamers, factorized=True)
    spec = resolved(ExperimentSpec(task=task, attention=0), known)
    one = lists_of(spec, known, 1)[0]
    return [trial._replace(participant=f"P{k}") for k in range(people) for trial in one]


def is_metamer(trial):
    return "metamer" in trial.conditions


def values(found):
    return {row.term: row for row in found}


def test_without_random_differences_it_is_the_logistic_model():
    """Everyone, and each item, is right in 3 of 4 or 1 of 2: the closed form of two shares."""
    trials = [
        trial._replace(correct=str(int((k % 4 < 3) if is_metamer(trial) else k % 2)))
        for trial in sorted(blank("natural"), key=lambda t: (is_metamer(t), t.item))
        for k in range(4)
    ]
    found = values(mixed(trials))
    size = sum(map(is_metamer, trials))
    base = found["intercept, factorised"]
    assert base.value == pytest.approx(0, abs=1e-4)
    assert base.high == pytest.approx(1.96 * math.sqrt(4 / (len(trials) - size)), rel=1e-2)
    assert found["metamer - factorised"].value == pytest.approx(logit(0.75), abs=1e-3)
    assert found["SD of participant"].value < 0.05
    assert base[-4:] == (12, 16, len(trials), "approximate interval")


def test_ratings_are_linear():
    """In a balanced design the difference is that of the means; each participant has a level."""
    rng = np.random.default_rng(0)
    own = dict(zip((f"P{k}" for k in range(12)), rng.normal(0, 1, 12), strict=True))
    trials = [
        trial._replace(response=str(np.clip(round(4 + own[trial.participant]
                       + ("metamer" in trial.conditions) + rng.normal(0, 0.5)), 1, 7)))
        for trial in blank("similarity")
    ]  # fmt: skip
    found = values(mixed(trials))
    means = [
        np.mean([float(t.response) for t in trials if is_metamer(t) == wanted])
        for wanted in (False, True)
    ]
    base = found["intercept, factorised+natural"]
    difference = found["metamer+natural - factorised+natural"]
    assert (base.value, base.value + difference.value) == pytest.approx(means, abs=1e-3)
    assert found["SD of participant"].value == pytest.approx(np.std(list(own.values())), rel=0.2)
    assert 0.4 < found["SD of residual"].value < 0.7
    assert base.unit == "points"


TRUTH = {"intercept, factorised": 0.2, "metamer - factorised": 0.6}


def covered(rng):
    """Whether the intervals of one simulated experiment hold the truth; and the estimates."""
    trials = blank("natural", 12, 16)
    people, items = (
        {name: rng.normal(0, sd) for name in sorted({getattr(t, kind) for t in trials})}
        for kind, sd in (("participant", 0.7), ("item", 0.4))
    )
    base, more = TRUTH.values()
    right = [
        rng.random() < expit(base + more * is_metamer(t) + people[t.participant] + items[t.item])
        for t in trials
    ]
    trials = [t._replace(correct=str(int(k))) for t, k in zip(trials, right, strict=True)]
    found = values(mixed(trials))
    holds = [found[term].low < true < found[term].high for term, true in TRUTH.items()]
    return [*holds, *(found[term].value for term in TRUTH), found["SD of participant"].value]


@pytest.mark.slow
def test_known_effects_are_recovered(monkeypatch):
    rng, size = np.random.default_rng(0), 100
    base, more, first, second, sd = np.mean([covered(rng) for _ in range(size)], 0)
    low, high = binom.ppf([0.0005, 0.9995], size, 0.95) / size
    assert low <= base <= high
    assert low <= more <= high
    assert (first, second) == pytest.approx(tuple(TRUTH.values()), abs=0.1)
    assert sd == pytest.approx(0.7, abs=0.1)
    fit = module._fit

    def planted_fit(values, design, groups, **options):
        mixed_up = {name: rng.permutation(own) for name, own in groups.items()}
        return fit(values, design, mixed_up, **options)

    monkeypatch.setattr(module, "_fit", planted_fit)
    planted = np.mean([covered(rng)[0] for _ in range(40)])
    assert planted < binom.ppf(0.0005, 40, 0.95) / 40  # names that are mixed up


def test_perfect_answers_have_no_bounds():
    trials = [t._replace(correct=str(int(is_metamer(t)))) for t in blank("natural", 4, 4)]
    found = values(mixed(trials))["metamer - factorised"]
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("task", "words"), [("naming", "responses are typed"), ("abx", "two or more participants")]
)
def test_what_has_no_model_is_named(task, words):
    with pytest.raises(ExperimentError, match=words):
        mixed([t._replace(correct="1", response="sea") for t in blank(task, people=1, metamers=2)])


def test_the_command_adds_a_table_and_a_part_of_the_page(tmp_path):
    rng, out = np.random.default_rng(0), tmp_path / "out"
    for k in range(4):
        write(tmp_path / f"P{k}.csv", observer(rng, "abx", f"P{k}"))
    said = stst_command("experiment", "analyze", tmp_path, "--out", out, "--mixed")
    assert said.code == 0, said.err
    assert said.out.count("\n") == 3  # two stages and what was written; nothing of GPBoost's
    with (out / "mixed.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["term"] for row in table] == ["intercept, metamer", "SD of participant"]
    assert "Mixed-effects model" in (out / "index.html").read_text("utf-8")


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path / "P1.csv", observer(np.random.default_rng(0), "abx"))
    write(tmp_path / "P2.csv", observer(np.random.default_rng(1), "abx", "P2"))
    real = builtins.__import__

    def absent(name, *more):
        if name == "gpboost":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", absent)
    said = stst_command("experiment", "analyze", tmp_path, "--out", tmp_path / "o", "--mixed")
    refused(said, "pip install 'stst-vision[mixed]'")
    assert not (tmp_path / "o").exists()
    assert analyze([tmp_path]).effects == []


def test_conditions_that_levels_give_away_are_refused(tmp_path):
    """One condition at one duration, the other at another: they cannot be told apart."""
    trials = [
        {
            "expected": "first",
            "response": ("second", "first")[k % 2],
            "correct": k % 2,
            "duration": 0.1 * (1 + k // 20),
            "conditions": ("natural;metamer", "natural;other")[k // 20],
        }
        for k in range(40)
    ]
    for who in ("P1", "P2"):
        write(tmp_path / f"{who}.csv", rows("natural", trials, who))
    with pytest.raises(ExperimentError, match="cannot be separated"):
        analyze([tmp_path], model=True)
