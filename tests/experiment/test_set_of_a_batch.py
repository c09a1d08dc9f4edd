"""What `stst batch` leaves is a set: each task, from its folder to a result."""

import csv
import json
import sys
from pathlib import Path

import pytest
import yaml
from participant import answer, begin, library
from test_serve import served
from test_tasks_in_browser import complete, first_key, joined

from small_sets import QUICK
from stst import make_stimulus
from stst.batch.items import list_items
from stst.batch.plan import BatchPlan
from stst.batch.tables import ItemRecord, stimuli_table, to_csv
from stst.experiment.design import make_lists
from stst.experiment.resolve import resolved
from stst.experiment.spec import TASKS, ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.video.write import write_video

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import manifest_of, stst_command

from stst.storage.manifest import Manifest

PLAN = {
    "schema": 1,
    "clips": {"table": "clips.csv"},
    "cut": {"width": 40, "frames": 2},
    "streams": {"spatial": "compact"},
    "recipes": {"quick": {"settings": {"octaves": [{"steps": 1}], "pad": 1, "stop": None}}},
    "pairs": {"listed": [["fish", "bike"], ["bike", "fish"]]},
    "controls": [{"kind": "stps", "settings": {"seed": 0}}, "reversed"],
    "seeds": [0, 1],
}
LABELS = {"bike": "vehicle", "fish": "animal"}
CONDITIONS = {"natural", "metamer", "factorised", "stps", "reversed"}
ASKED = {  # what the task shall show; all that it can if nothing is said
    "naming": {"conditions": ["factorised", "stps"]},
    "detection": {"bands": {"fine": {"low": 0.125}}, "contrasts": [0.5, 1]},
}
SHOWN = dict.fromkeys(TASKS, CONDITIONS) | {
    "abx": {"metamer"},
    "oddity": {"metamer"},
    "naming": {"factorised", "stps"},
    "source": {"factorised", "natural"},
    "detection": {"natural", "blank"},
}
MEASURED = {"category": "accuracy", "source": "space chosen"}  # the others' d'


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A plan and its two clips."""
    folder = tmp_path_factory.mktemp("base")
    for seed, name in enumerate(LABELS):
        made = make_stimulus("motion-cloud", seed=seed, frames=4, height=36, width=40)
        write_video(made.clip, folder / f"{name}.webm")
    lines = [f"{name}.webm,{label}\n" for name, label in LABELS.items()]
    (folder / "clips.csv").write_text("path,label\n" + "".join(lines))
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    return folder


def record(item):
    """What an item leaves, as far as the table tells of it."""
    source = {"frames": 2, "frame_rate": "24", "width": 40, "height": 36}
    facts = {"schema": 1, "kind": "stimulus", "outcome": "complete", "warnings": []}
    facts |= {"environment": {"packages": {}}, "outputs": {item.film: {"sha256": "0" * 64}}}
    return ItemRecord(item, Manifest(**facts, source=source))


def shown(trials):
    return {one.condition for trial in trials for one in trial.shown}


@pytest.mark.parametrize("task", TASKS)
def test_each_task_understands_the_table_of_a_batch(task, base, tmp_path):
    items, wrong = list_items(BatchPlan.model_validate(PLAN), base, tmp_path)
    assert wrong == []
    (tmp_path / "stimuli.csv").write_text(to_csv(stimuli_table(map(record, items))))
    stimuli = read_set(tmp_path)
    assert {one.condition for one in stimuli} == CONDITIONS
    spec = resolved(ExperimentSpec.parse({"task": task, **ASKED.get(task, {})}), stimuli)
    for trials in make_lists(spec, stimuli):
        assert shown(trials) == SHOWN[task]
        if task == "category":
            right = {trial.expected for trial in trials if trial.phase == "test"}
            assert right == set(LABELS.values()) == set(spec.categories)
        if task == "source":
            of = {one.stimulus: one for one in stimuli}
            for target, *sources in (trial.shown for trial in trials if trial.shown):
                found = {one.role: of[one.stimulus].clip for one in sources}
                assert found["space"] == of[target.stimulus].clip != found["time"]


@pytest.fixture(scope="module")
def made(base):
    """The folder that the command leaves."""
    said = stst_command("batch", base / "plan.yaml", "--out", base / "set", "--workers", 1)
    assert said.code == 0, said.err
    return base / "set"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["abx", "category", "source", "detection"])
def test_a_folder_of_a_batch_becomes_an_experiment_and_a_result(task, made, page, tmp_path):
    library()
    practice = {"trials": 1, "clips": ["bike"]}
    asked = {**QUICK, "once": True, "lists": None, "practice": practice, **ASKED.get(task, {})}
    settings = [f"--set={name}={json.dumps(value)}" for name, value in asked.items()]
    out, results = tmp_path / "experiment", tmp_path / "results"
    said = stst_command("experiment", "new", task, made, "--out", out, *settings)
    assert said.code == 0, said.err
    conditions = {one.stimulus: one.condition for one in read_set(made)}
    films = {conditions[film["stimulus"]] for film in manifest_of(out)["films"]}
    assert films == SHOWN[task] - {"blank"}
    with served(out) as server:
        begin(page, server.address)
        count = answer(page, first_key)
    rows = joined(out / "responses" / "p1.csv", out)
    assert len(rows) == count == 3
    complete(rows, made, task)
    rules = [f"--set={rule}" for rule in ("least=1", "attention=0", "fastest=0", "dropped=1")]
    said = stst_command("experiment", "analyze", out / "responses", "--out", results, *rules)
    assert said.code == 0, said.err
    with (results / "estimates.csv").open(newline="") as file:
        estimates = list(csv.DictReader(file))
    told = [row for row in estimates if row["measure"].startswith(MEASURED.get(task, "d'"))]
    assert told, {row["measure"] for row in estimates}
    (test,) = (row for row in rows if row["phase"] == "test")
    assert {row["trials"] for row in told} == {"1"}
    judged = {name for row in told for name in row["condition"].split("+")}
    assert judged <= set(test["conditions"].split(";"))
