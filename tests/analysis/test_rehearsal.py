"""Designs without films, and tables of simulated responses that are read as real ones."""

import csv

import numpy as np
import pytest
from planning import SET, experiment

from stst import workflows
from stst.analysis import rehearsal
from stst.analysis.analyze import analyze
from stst.analysis.plan import PowerPlan
from stst.analysis.reading import Rules, read_responses
from stst.errors import ExperimentError, RecipeError, RunError
from stst.experiment.agreement import key_table
from stst.experiment.design import make_lists
from stst.experiment.spec import ExperimentSpec
from stst.storage.config import read_config

BANDS = {"fine": {"low": 0.125}}
TASKS = {
    "natural": {"repeats": 2},
    "detection": {"bands": BANDS, "contrasts": [0.05, 0.1, 0.2, 0.4], "conditions": ["natural"]},
    "abx": {},
    "oddity": {"once": True, "attention": 1},
    "similarity": {"conditions": ["natural", "metamer"]},
    "category": {"conditions": ["natural", "metamer"]},
    "source": {"repeats": 3},
}
EFFECTS = {
    "similarity": {"effect": 5, "spread": 0.5, "null": 4},
    "category": {"effect": 0.7, "spread": 0.1},
    "source": {"effect": 0.7, "spread": 0.1},
}
QUEST = {"method": "quest", "repeats": 6, **TASKS["detection"]}


def plan(task, **more):
    return PowerPlan(
        **{"effect": 1.0, "spread": 0.2, "participants": (4,), **EFFECTS.get(task, {}), **more}
    )


def table_of_set(folder):
    """A set without films."""
    folder.mkdir(exist_ok=True)
    with (folder / "stimuli.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(type(SET[0]).model_fields))
        table.writeheader()
        table.writerows(one.model_dump() for one in SET)
    return folder


def tables(spec, folder, people=5, group="", **more):
    """A design and its simulated responses in a folder."""
    (table_of_set(folder) / "experiment.yaml").write_text(spec.to_yaml())
    told = plan(spec.task, **more)
    return workflows.simulate_responses(
        folder, told, folder / "responses", participants=people, group=group
    )


@pytest.mark.parametrize("task", TASKS)
def test_simulated_tables_are_read_and_agree_with_the_lists(task, tmp_path):
    spec = experiment(task, **TASKS[task])
    files = tables(spec, tmp_path / "design")
    assert [path.name for path in files] == [f"simulated-{n}.csv" for n in range(1, 6)]
    rows, notes = read_responses([tmp_path / "design" / "responses"])
    assert notes == []
    per_list = [sum(t.phase != "practice" for t in trials) for trials in make_lists(spec, SET)]
    assert len(rows) == sum(per_list[n % len(per_list)] for n in range(5))
    assert all(",simulated," in path.read_text().splitlines()[1] for path in files)
    assert min(row.response_time for row in rows) > 0


def test_staircases_are_simulated_too(tmp_path):
    files = tables(experiment("detection", **QUEST), tmp_path / "d", effect=0.1, null=0.2)
    rows, notes = read_responses(files)
    assert notes == []
    assert {row.contrast for row in rows if row.phase == "test"} <= {0.05, 0.1, 0.2, 0.4}


def test_a_table_that_contradicts_its_list_is_found(tmp_path, monkeypatch):
    real = rehearsal.cells_of
    monkeypatch.setattr(rehearsal, "cells_of", lambda t: real(t) | {"clip": "c9"})
    files = tables(experiment("natural"), tmp_path / "d")
    with pytest.raises(ExperimentError, match="clip is 'c9'"):
        read_responses(files)


def test_the_analysis_finds_the_simulated_truth(tmp_path):
    spec = experiment("natural", conditions=["natural", "metamer"], repeats=10)
    tables(spec, tmp_path / "d", 16, effect=0.9, spread=0.1, lapse=0)
    analysis = analyze([tmp_path / "d" / "responses"])
    (row,) = analysis.table.query("measure == \"d'\" and participant == 'all'").itertuples()
    assert row.low < 0.9 < row.high
    assert row.high - row.low < 0.4
    assert repr(analysis).startswith("Analysis(natural: 16 participants, ")
    assert len(repr(analysis)) < 100


def test_careless_participants_are_excluded_and_groups_do_not_mix(tmp_path):
    spec = experiment("natural", repeats=2)
    tables(spec, tmp_path / "d", 4, lapse=0)
    tables(spec, tmp_path / "d", 2, "careless", lapse=1)
    folder = tmp_path / "d" / "responses"
    analysis = analyze([folder], Rules())
    assert analysis.participants == [f"simulated-{n}" for n in range(1, 5)]
    assert {row.participant for row in analysis.exclusions} == {
        "simulated-careless-1",
        "simulated-careless-2",
    }
    first, other = (folder / f"simulated{g}-1.csv" for g in ("", "-careless"))
    times = [[row.response_time for row in read_responses([path])[0]] for path in (first, other)]
    assert times[0] != times[1]


def test_the_same_seed_gives_the_same_tables_and_another_does_not(tmp_path):
    spec = experiment("natural")
    one, two, other = (
        tables(spec, tmp_path / name, 2, seed=seed)[0].read_bytes()
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert one == two != other


def test_tables_are_not_replaced_unasked(tmp_path):
    spec = experiment("natural")
    files = tables(spec, tmp_path / "d", 2)
    with pytest.raises(ExperimentError, match="exists already"):
        tables(spec, tmp_path / "d", 2)
    told = plan("natural", seed=5)
    before = files[0].read_bytes()
    workflows.simulate_responses(
        tmp_path / "d", told, files[0].parent, participants=2, overwrite=True
    )
    assert files[0].read_bytes() != before


@pytest.mark.parametrize("wrong", [{"people": 0}, {"group": "a b"}, {"group": "../x"}])
def test_wrong_numbers_and_names_are_refused(wrong, tmp_path):
    with pytest.raises(RecipeError, match=r"participants must be|group must be"):
        tables(experiment("natural"), tmp_path / "d", **wrong)
    assert not (tmp_path / "d" / "responses").exists()


def test_a_design_has_the_trials_that_an_experiment_would_have(tmp_path):
    stimuli = table_of_set(tmp_path / "set")
    spec = ExperimentSpec(task="natural", seed=2, conditions=["natural", "metamer"])
    trials = workflows.design_experiment(spec, stimuli, tmp_path / "design")
    full = ExperimentSpec.parse(read_config(tmp_path / "design" / "experiment.yaml"))
    assert trials.equals(key_table(make_lists(full, SET)))
    assert full.pairs == (("natural", "metamer"),)
    assert {p.name for p in (tmp_path / "design").iterdir()} == {
        "experiment.yaml",
        "key.csv",
        "stimuli.csv",
    }
    plan_ = PowerPlan(effect=3, spread=0, participants=(4,), simulations=2, rules=Rules(least=1))
    power = workflows.run_power(tmp_path / "design", plan_, tmp_path / "power")
    assert len(power.table) == 1
    assert "participants (4,)" in repr(power)
    with pytest.raises(RunError, match="not empty"):
        workflows.design_experiment(spec, stimuli, tmp_path / "design")


def test_response_times_have_the_median_that_is_stated(tmp_path):
    files = tables(experiment("natural", repeats=10), tmp_path / "d", 8)
    times = [row.response_time for row in read_responses(files)[0]]
    assert np.median(times) == pytest.approx(700, rel=0.05)
