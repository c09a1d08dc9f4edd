"""QUEST+ of simulated participants against its definition, the page's own code, and the truth."""

import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from planning import SET, experiment, powers
from scipy.stats import binom

from stst.analysis import staircases
from stst.analysis.cells import ALL, cell_of
from stst.analysis.observers import lists_of, simulated
from stst.analysis.plan import PowerPlan, planned
from stst.analysis.psychometric import weibull
from stst.analysis.reading import excluded
from stst.analysis.staircases import run_staircases
from stst.analysis.tasks import estimates
from stst.errors import RecipeError
from stst.experiment.spec import ExperimentSpec

sys.path.append(str(Path(__file__).parents[1] / "experiment"))
from participant import library

CONTRASTS = list(ExperimentSpec.model_fields["contrasts"].default)
QUEST = {"method": "quest", "conditions": ["metamer"], "bands": {"fine": {"low": 0.125}}}
OBSERVERS = [(0.1, 2.0), (0.03, 1.0), (0.5, 5.0), (1e-6, 2.0), (1e6, 2.0)]  # threshold, slope
TRIALS = 80
DRAWS = np.random.default_rng(0).random((TRIALS, len(OBSERVERS)))


def sequences():
    """Contrasts shown to observers who answer by fixed random numbers: (trials, observers)."""
    truth, slope = np.array(OBSERVERS).T

    def answers(trial, contrast):
        return DRAWS[trial] < weibull(contrast, truth, slope, np.array(0.0), 0.5)

    return run_staircases(CONTRASTS, len(OBSERVERS), TRIALS, answers)


def by_definition(correct):
    """The contrasts after responses, by the expected entropies of Watson (2017), one at a time."""
    c = np.array(CONTRASTS)
    t, s = (axis.ravel() for axis in np.meshgrid(c, [1, 2, 3.5, 5], indexing="ij"))
    right = 0.5 + 0.48 * (1 - np.exp(-((c[:, None] / t) ** s)))
    posterior, shown = np.full(t.size, 1 / t.size), []
    for answer in correct:
        expected = np.zeros(c.size)
        for chances in (right, 1 - right):
            for index, chance in enumerate(chances):
                joint = posterior * chance
                after = joint[joint > 0] / joint.sum()
                expected[index] -= joint.sum() * (after * np.log2(after)).sum()
        index = expected.argmin()
        shown.append(c[index])
        posterior = posterior * (right if answer else 1 - right)[index]
        posterior /= posterior.sum()
    return shown


def test_contrasts_have_the_least_expected_entropy(monkeypatch):
    shown, correct = sequences()
    assert len(np.unique(shown)) > 5
    for observer in range(len(OBSERVERS)):
        assert shown[:, observer].tolist() == by_definition(correct[:, observer])
    monkeypatch.setattr(staircases, "LAPSE", 0.0)  # the planted fault
    shown, correct = sequences()
    assert shown[:, 0].tolist() != by_definition(correct[:, 0])


PAGE = """
globalThis.jsQuestPlus = require("./quest.js");
const { contrasts, observers, draws } = require("./data.json");
const right = (c, t, s) => 0.5 + 0.5 * (1 - Math.exp(-((c / t) ** s)));
const shown = observers.map(([threshold, slope], observer) => {
  const stairs = staircases({ contrasts, bands: ["fine"] });
  return draws.map((row) => {
    const contrast = stairs.fine.getStimParams();
    stairs.fine.update(contrast, Number(row[observer] < right(contrast, threshold, slope)));
    return contrast;
  });
});
console.log("\\n" + JSON.stringify(shown));
"""


@pytest.mark.slow
def test_contrasts_are_those_of_the_page(tmp_path):
    """The page's function `staircases` and jsQuestPlus themselves, run by node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node to run the page's staircase")
    quest = library(quest=True)[0]["jsquest-plus.js"]
    rows = (files("stst.experiment") / "web" / "rows.js").read_text("utf-8")
    data = {"contrasts": CONTRASTS, "observers": OBSERVERS, "draws": DRAWS.tolist()}
    (tmp_path / "quest.js").write_text(quest, "utf-8")
    (tmp_path / "data.json").write_text(json.dumps(data), "utf-8")
    (tmp_path / "page.js").write_text(rows + PAGE, "utf-8")
    done = subprocess.run([node, "page.js"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == sequences()[0].T.tolist()


PLAN = {"effect": 0.1, "spread": 0.2, "participants": (4,), "null": 0.1}


def rows(settings=QUEST, people=4, repeats=3, **plan):
    """Rows of one simulated experiment, and its spec and plan."""
    spec = experiment("detection", **settings)
    full = planned(PowerPlan.parse({**PLAN, **plan}), spec)
    lists = lists_of(spec, SET, repeats)
    return simulated(lists, people, full, spec, np.random.default_rng(0)), spec, full


def test_a_band_has_one_staircase_for_all_conditions():
    settings = {**QUEST, "conditions": ["metamer", "natural"],
                "bands": {"fine": {"low": 0.125}, "coarse": {"high": 0.125}}}  # fmt: skip
    trials, spec, plan = rows(settings, lapse=0.3)
    assert excluded([t for t in trials if t.phase == "test"], plan.rules)[1] == []
    for who in {trial.participant for trial in trials}:
        for band in spec.bands:
            own = [
                trial
                for trial in trials
                if (trial.participant, trial.band, trial.phase) == (who, band, "test")
            ]
            assert len({cell_of(trial).condition for trial in own}) == 2
            correct = [trial.correct == "1" for trial in own]
            assert [trial.contrast for trial in own] == by_definition(correct)
            assert correct == [trial.response == trial.expected for trial in own]


def test_staircases_are_analysed_as_real_data():
    trials, _, plan = rows()
    kept, left_out = excluded(trials, plan.rules)
    assert left_out == []
    both = [row for row in estimates(kept) if (row.measure, row.participant) == ("threshold", ALL)]
    assert repr(estimates(kept, "threshold", each=False)) == repr(both)
    assert both
    each = [row for row in estimates(kept) if row.measure == "threshold" and row.bounded]
    assert {row.bounds for row in each} == {"approximate interval"}  # staircases cover less


@pytest.mark.slow
def test_power_of_staircases_without_and_with_an_effect():
    settings = {**QUEST, "repeats": 8}
    plan = {**PLAN, "participants": (8,), "simulations": 60, "lapse": 0.02}
    (none,) = powers("detection", settings, **plan)
    assert none.trials == 128
    assert none.found <= binom.ppf(0.999, 60, 0.07)
    (large,) = powers("detection", settings, **{**plan, "null": 0.2})
    assert large.power > 0.8
    pair = {**settings, "conditions": ["metamer", "natural"]}
    words = {"against": "natural", "difference": 2, "null": None, "simulations": 20}
    (difference,) = powers("detection", pair, **{**plan, **words})
    assert difference.condition == "metamer - natural"
    assert difference.power > 0.8


@pytest.mark.parametrize(
    ("settings", "plan", "words"),
    [
        ({}, {"measure": "accuracy"}, "no measure 'accuracy' with method: quest"),
        ({}, {"null": None}, "a threshold has no chance value"),
        ({"contrasts": [0.1, 0.2]}, {}, "needs 3 contrasts"),
    ],
)
def test_staircases_have_a_threshold_alone(settings, plan, words):
    with pytest.raises(RecipeError, match=words):
        rows({**QUEST, **settings}, **plan)
