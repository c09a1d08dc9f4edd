"""Every task in headless Chromium, with real key presses: all rows, whole and right."""

import csv

import pytest
from participant import AUTOPLAY, answer, begin
from test_serve import served

from stst.experiment.responses import COLUMNS
from stst.experiment.spec import TASKS
from stst.experiment.stimuli import read_set

pytestmark = pytest.mark.slow
FEW = {  # settings that leave few trials
    "similarity": {"pairs": [["natural", "metamer"]]},
    "natural": {"pairs": [["natural", "metamer"]], "durations": [0.1]},
    "detection": {"bands": {"fine": {"low": 0.125}}, "contrasts": [1]},
    "category": {"conditions": ["natural"]},
    "naming": {"conditions": ["natural"]},
}


def first_key(_, keys):
    return keys[0] if keys else "a dog, or so"


def complete(rows, small_set, task):
    """Check all that a row must carry."""
    table = {one.stimulus: one for one in read_set(small_set)}
    assert [row["row"] for row in rows] == [str(k) for k in range(len(rows))]
    assert {row["phase"] for row in rows} == {"practice", "test", "attention"}
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert (row["participant"], row["task"], row["list"]) == ("p1", task, "0")
        assert row["errors"] == ""
        assert row["response"]
        assert row["key"]
        assert float(row["response_time"]) > 0
        assert float(row["screen_hz"]) > 10
        if row["phase"] == "attention":
            assert row["correct"] == "1"
            continue
        names = row["stimuli"].split(";")
        for name, condition, digest in zip(
            names, row["conditions"].split(";"), row["sha256"].split(";"), strict=True
        ):
            assert len(digest) == 64
            if name != "blank":
                assert table[name].condition == condition
                if not row["duration"] and not row["band"]:
                    assert digest == table[name].sha256
        assert set(row["kinds"].split(";")) == {"vp9"}
        expected, seen, lost = (
            [int(n) for n in row[f"frames_{k}"].split(";")]
            for k in ("expected", "presented", "dropped")
        )
        assert [a + b for a, b in zip(seen, lost, strict=True)] == expected
        assert len(expected) == len(names)
        if task == "source":
            sources = row["roles"].split(";")[1:]
            assert row["chosen"] == sources[["first", "second"].index(row["response"])]
        if row["expected"]:
            assert row["correct"] == str(int(row["response"] == row["expected"]))


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("task", TASKS)
def test_a_task_in_a_folder_that_is_served(task, experiment, page, small_set):
    folder = experiment(task, **FEW.get(task, {}))
    with served(folder) as server:
        begin(page, server.address)
        count = answer(page, first_key)
        assert "were saved" in page.locator("#saved").inner_text()
    rows = read(folder / "responses" / "p1.csv")
    assert len(rows) == count
    complete(rows, small_set, task)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_in_one_file_without_a_server(task, experiment, page, small_set, tmp_path):
    folder = experiment(task, single=True, **FEW.get(task, {}))
    assert not (folder / "clips").exists()
    begin(page, (folder / "index.html").as_uri())
    with page.expect_download() as download:
        count = answer(page, first_key)
    download.value.save_as(tmp_path / "rows.csv")
    rows = read(tmp_path / "rows.csv")
    assert len(rows) == count
    complete(rows, small_set, task)


def test_with_leave_to_play_films_it_is_the_same(experiment, launch, small_set):
    folder = experiment("natural", calibrate=True, pairs=[["natural", "metamer"]])
    with served(folder) as server, launch(AUTOPLAY).new_page() as page:
        begin(page, server.address)
        answer(page, first_key)
    rows = read(folder / "responses" / "p1.csv")
    complete(rows, small_set, "natural")
    assert all(20 < float(row["px_per_degree"]) < 40 for row in rows)


def test_a_staircase_goes_down_for_who_sees_all(experiment, page):
    bands = {"fine": {"low": 0.125}}
    folder = experiment(
        "detection", method="quest", bands=bands, repeats=3, contrasts=[0.2, 0.4, 0.8], attention=0
    )
    with served(folder) as server:
        begin(page, server.address)

        def sees(_, keys):
            return keys[0] if page.evaluate("expectedNow") == "first" else keys[1]

        page.evaluate(
            "StstClips.prototype.ask = ((old) => function (stage, trial) {"
            "window.expectedNow = trial.expected; return old.call(this, stage, trial); })"
            "(StstClips.prototype.ask); 0"
        )
        answer(page, sees)
    rows = read(folder / "responses" / "p1.csv")[1:]
    shown = [float(row["contrast"]) for row in rows]
    assert all(row["correct"] == "1" for row in rows)
    assert shown[-1] == 0.2 < max(shown)
