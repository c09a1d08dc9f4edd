"""A BIDS data set of an experiment: when each film was shown, and what was answered."""

import csv
import json
import shutil
import subprocess

import pytest

from respondents import AGENT, Planned, store
from stst.errors import ExperimentError
from stst.experiment import bids_events
from stst.experiment.bids_events import browser, operating_system
from stst.experiment.responses import read_rows
from stst.experiment.spec import TASKS
from stst.workflows.experiment import export_bids


def dataset(folder, task="natural", people=("p-1", "Q2"), visits=2, **settings):
    """An experiment, some visits of some people -> the data set's folder."""
    planned = Planned(task, **settings)
    planned.write(folder / "experiment")
    told = [planned.session(who, visit) for visit in range(visits) for who in people]
    store(folder / "experiment" / "responses", *told)
    assert export_bids(folder / "experiment", folder / "bids", license="CC0") == len(people)
    return folder / "bids"


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def sidecar(path):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def natural(tmp_path_factory):
    """A folder with an experiment and its data set."""
    folder = tmp_path_factory.mktemp("natural")
    dataset(folder)
    return folder


def test_events_say_when_each_film_was_shown_and_what_was_answered(natural):
    (row, *_), _ = read_rows([natural / "experiment" / "responses" / "p-1.csv"])
    stem = natural / "bids" / "sub-p1" / "ses-1" / "beh" / "sub-p1_ses-1_task-natural_run-1"
    first, second, question, answer, *_ = read(stem.with_name(f"{stem.name}_events.tsv"))
    onsets, ends = (row.cells[name].split(";") for name in ("film_onset", "film_end"))
    for event, onset, end, condition in zip(
        (first, second), onsets, ends, row.cells["conditions"].split(";"), strict=True
    ):
        assert float(event["onset"]) == int(onset) / 1000
        assert float(event["duration"]) == pytest.approx((int(end) - int(onset)) / 1000)
        assert event["trial_type"] == condition
        assert (natural / "bids" / "stimuli" / event["stim_file"]).is_file()
    asked, time = (float(row.cells[name]) for name in ("question_onset", "response_time"))
    assert float(question["onset"]) == pytest.approx(asked / 1000)
    assert float(answer["onset"]) == pytest.approx((asked + time) / 1000)
    assert float(answer["response_time"]) == pytest.approx(time / 1000)
    assert (answer["response"], answer["correct"]) == (row.cells["response"], row.cells["correct"])


def test_every_response_and_film_is_there_once_and_in_order(natural):
    rows, _ = read_rows([natural / "experiment" / "responses"])
    paths = sorted((natural / "bids").glob("sub-*/ses-*/beh/*_events.tsv"))
    tables = [read(path) for path in paths]
    assert len(tables) == 4
    for table in tables:
        onsets = [float(event["onset"]) for event in table]
        assert onsets == sorted(onsets)
    events = [event for table in tables for event in table]
    answered = sum(row.cells["response"] != "" for row in rows)
    shown = sum(len(row.cells["stimuli"].split(";")) for row in rows if row.cells["stimuli"])
    assert sum(event["trial_type"] == "response" for event in events) == answered
    assert sum(event["stim_file"] != "n/a" for event in events) == shown
    attention = [event for event in events if event["phase"] == "attention"]
    assert {event["trial_type"] for event in attention} == {"question", "response"}


def test_the_subject_is_the_participant_and_visits_are_sessions_by_time(natural):
    folder = natural / "bids"
    told = read(folder / "participants.tsv")
    names = {row["participant_id"]: row["participant"] for row in told}
    assert names == {"sub-p1": "p-1", "sub-Q2": "Q2"}
    visits = read(folder / "sub-p1" / "sub-p1_sessions.tsv")
    assert [row["session_id"] for row in visits] == ["ses-1", "ses-2"]
    assert [row["acq_time"][:10] for row in visits] == ["2026-03-01", "2026-03-02"]
    planned = Planned("natural")
    assert [row["session"] for row in visits] == [
        planned.session("p-1", visit)[0]["session"] for visit in range(2)
    ]


def test_the_file_may_have_any_name(natural, tmp_path):
    tables = shutil.copytree(natural / "experiment" / "responses", tmp_path / "tables")
    (tables / "p-1.csv").rename(tables / "participant one (1).csv")
    export_bids(natural / "experiment", tmp_path / "out", responses=tables)
    assert sorted(path.name for path in (tmp_path / "out").glob("sub-*")) == ["sub-Q2", "sub-p1"]


def later(cell, ms):
    return ";".join(str(float(time) + ms) if time else "" for time in cell.split(";"))


def test_a_page_that_was_opened_again_makes_a_second_run(tmp_path):
    planned = Planned("abx")
    planned.write(tmp_path / "experiment")
    rows = planned.session()
    cut = next(k for k, row in enumerate(rows) if k > 2 and row["film_onset"])
    began = 1000 - float(rows[cut]["film_onset"].split(";")[0])
    for row in rows[cut:]:  # its clock begins anew
        row |= {k: later(row[k], began) for k in ("film_onset", "film_end", "question_onset")}
    store(tmp_path / "experiment" / "responses", rows)
    export_bids(tmp_path / "experiment", tmp_path / "out")
    first, second = sorted((tmp_path / "out" / "sub-P1" / "ses-1" / "beh").glob("*.tsv"))
    assert {int(event["row"]) for event in read(first)} == set(range(cut))
    assert {int(event["row"]) for event in read(second)} == set(range(cut, len(rows)))
    assert float(read(second)[0]["onset"]) == 1


def test_a_response_before_its_question_is_at_its_own_time(tmp_path):
    planned = Planned("abx", timing={"early": "taken"})
    planned.write(tmp_path / "experiment")
    rows = planned.session(trials=1)
    rows[0] |= {"response": "first", "chosen": "a", "key": "f", "response_time": "-200"}
    rows[0] |= {"chosen": rows[0]["roles"][0], "correct": str(int(rows[0]["expected"] == "first"))}
    store(tmp_path / "experiment" / "responses", rows)
    export_bids(tmp_path / "experiment", tmp_path / "out")
    *films, answer = read(next((tmp_path / "out").glob("sub-*/ses-*/beh/*.tsv")))
    assert {event["role"] for event in films} == {"a", "b", "x"}
    assert (answer["trial_type"], answer["response_time"]) == ("response", "-0.2")
    asked = float(rows[0]["question_onset"]) / 1000
    assert float(answer["onset"]) == pytest.approx(asked - 0.2)


def test_all_that_is_known_is_in_sidecars(natural):
    folder, planned = natural / "bids", Planned("natural")
    task = sidecar(folder / "task-natural_events.json")
    events = read(next(folder.glob("sub-*/ses-*/beh/*_events.tsv")))
    assert set(events[0]) == set(task) - {"TaskName", "TaskDescription", "Instructions"}
    assert task["Instructions"] == planned.spec.instructions
    for name, about in task.items():
        if isinstance(about, dict):
            assert about["Description"]
            values = {event[name] for event in events} - {"n/a"}
            assert values <= set(about.get("Levels", values)), name
    shown = sidecar(next(folder.glob("sub-*/ses-*/beh/*_events.json")))["StimulusPresentation"]
    assert shown["OperatingSystem"] == "Linux"
    assert shown["ScreenRefreshRate"] == 60
    assert shown["ScreenDistance"] == 0.57
    assert "Chrome 141.0.0.0" in shown["SoftwareName"]
    assert (folder / "code" / "experiment.yaml").read_text() == planned.spec.to_yaml()
    about = sidecar(folder / "dataset_description.json")
    assert about["License"] == "CC0"
    films = read(folder / "stimuli" / "stimuli.tsv")
    assert set(films[0]) == set(sidecar(folder / "stimuli" / "stimuli.json"))
    assert all((folder / "stimuli" / film["stim_file"]).is_file() for film in films)
    used = {event["stim_file"] for event in events} - {"n/a"}
    assert used <= {film["stim_file"] for film in films}


@pytest.mark.parametrize(
    ("agent", "system", "name"),
    [
        (AGENT, "Linux", "Chrome 141.0.0.0"),
        ("(Windows NT 10.0; Win64; x64) Chrome/141.0 Safari/537.36 Edg/141.1",
         "Windows 10 or later", "Edge 141.1"),
        ("(Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1", "macOS", "Safari 18.1"),
        ("(iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile", "iOS 18.1",
         "Safari 18.1"),
        ("(Linux; Android 15; Pixel 8) Chrome/141.0 Mobile", "Android 15", "Chrome 141.0"),
        ("PsychoPy", None, "a browser"),
    ],
)  # fmt: skip
def test_systems_and_browsers_by_what_they_call_themselves(agent, system, name):
    assert (operating_system(agent), browser(agent)) == (system, name)


def test_what_the_responses_say_of_a_participant_is_in_the_table(natural, tmp_path, monkeypatch):
    told = bids_events.COLUMNS["participants"] | {"window": {"Description": "Size."}}
    monkeypatch.setitem(bids_events.COLUMNS, "participants", told)
    export_bids(natural / "experiment", tmp_path / "out")
    assert {row["window"] for row in read(tmp_path / "out" / "participants.tsv")} == {"1920x1080"}
    monkeypatch.setitem(bids_events.COLUMNS, "participants", told | {"response": {}})
    with pytest.raises(ExperimentError, match="several values"):
        export_bids(natural / "experiment", tmp_path / "other")


@pytest.mark.parametrize(
    ("people", "words"),
    [(("a-b", "ab"), "label 'sub-ab'.*has too"), (("_-", "c"), "is empty")],
)
def test_names_without_a_label_of_their_own_are_refused(people, words, tmp_path):
    with pytest.raises(ExperimentError, match=words):
        dataset(tmp_path, people=people)


def test_responses_of_another_experiment_are_refused(natural, tmp_path):
    other = Planned("natural", seed=1)
    other.write(tmp_path / "other")
    with pytest.raises(ExperimentError, match=r"Q2.csv, line 2: experiment is"):
        export_bids(
            tmp_path / "other", tmp_path / "out", responses=natural / "experiment" / "responses"
        )


def test_tables_without_the_question_s_onset_are_refused(natural, tmp_path):
    path = natural / "experiment" / "responses" / "p-1.csv"
    text = path.read_text().replace("question_onset", "other", 1)
    (tmp_path / "p-1.csv").write_text(text)
    with pytest.raises(ExperimentError, match="line 2: question_onset is empty"):
        export_bids(natural / "experiment", tmp_path / "out", responses=tmp_path)


# What only the lab can say, and the validator warns of.
LAB = {
    *("TOO_FEW_AUTHORS", "Authors", "HEDVersion", "SourceDatasets", "CogAtlasID", "CogPOID"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"),
}


def issues(folder):
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    call = [validator, str(folder), "--format", "json", "--max-rows", "-1"]
    told = subprocess.run(call, capture_output=True, text=True)
    return json.loads(told.stdout)["issues"]["issues"]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_the_validator_finds_no_error_and_asks_for_what_the_lab_knows(task, tmp_path):
    found = issues(dataset(tmp_path, task))
    assert [issue for issue in found if issue["severity"] == "error"] == []
    assert {issue.get("subCode", issue["code"]) for issue in found} == LAB


def events_in(out):
    return next(out.glob("sub-*/ses-*/beh/*_events.tsv"))


def changed(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


PLANTED = {
    "no description": lambda out: (out / "dataset_description.json").unlink(),
    "another level": lambda out: changed(out / "task-natural_events.json", '"test":', '"tests":'),
    "an onset that is no number": lambda out: changed(events_in(out), "\n", "\nsoon"),
    "a film's path from the root": lambda out: changed(events_in(out), "\t00", "\t/stimuli/00"),
}


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_the_validator_finds_planted_errors(plant, natural, tmp_path):
    out = shutil.copytree(natural / "bids", tmp_path / "bids")
    plant(out)
    assert any(issue["severity"] == "error" for issue in issues(out))
