"""Every task in headless Chromium, with real key presses: all rows, whole and right."""

import csv

import numpy as np
import pytest
from participant import answer, begin
from scipy.stats import entropy
from test_serve import served

from small_sets import QUICK
from stst.experiment.responses import read_rows
from stst.experiment.spec import TASKS
from stst.experiment.stimuli import read_set
from stst.experiment.store import COLUMNS

pytestmark = pytest.mark.slow
FEW = {  # settings that leave few trials
    "similarity": {"once": True, "pairs": [["natural", "metamer"]]},
    "abx": {"once": True},
    "oddity": {"once": True},
    "natural": {"once": True, "pairs": [["natural", "metamer"]]},
    "category": {"conditions": ["natural"]},
    "naming": {"conditions": ["natural"]},
    "source": {"once": True},
    "detection": {"once": True, "bands": {"fine": {"low": 0.125}}, "contrasts": [1]},
}
SOUND = "<script>c = new AudioContext(); setTimeout(() => document.title = c.state, 500)</script>"


def first_key(_, keys):
    return keys[0] if keys else "a dog, or so"


def joined(table, experiment):
    """Rows as they are analysed: with what the page did not know."""
    return [dict(row.cells) for row in read_rows([table], experiment)[0]]


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
        onsets, ends = (row[name].split(";") for name in ("film_onset", "film_end"))
        films = [time for film in zip(onsets, ends, strict=True) for time in film]
        times = [float(time) for time in [*films, row["question_onset"]] if time]
        assert times == sorted(times)
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


@pytest.fixture(params=[False, True], ids=["after a click", "with leave"])
def tab(request):
    """A tab where films may play only after a click, or without one."""
    browser = request.getfixturevalue("autoplaying" if request.param else "chromium")
    with browser.new_context(viewport={"width": 900, "height": 700}) as context:
        yield context.new_page()


def test_one_browser_gives_leave_to_play_and_the_other_does_not(chromium, autoplaying):
    for browser, state in ((chromium, "suspended"), (autoplaying, "running")):
        with browser.new_page() as page:
            page.goto(f"data:text/html,{SOUND}")
            page.wait_for_timeout(1500)
            assert page.title() == state


@pytest.mark.parametrize("task", TASKS)
def test_a_task_in_a_folder_that_is_served(task, experiment, tab, small_set):
    folder = experiment(task, **FEW.get(task, {}))
    with served(folder) as server:
        begin(tab, server.address)
        count = answer(tab, first_key)
        assert "were saved" in tab.locator("#saved").inner_text()
    written = read(folder / "responses" / "p1.csv")
    rows = joined(folder / "responses" / "p1.csv", folder)
    assert len(rows) == count
    complete(rows, small_set, task)
    for row, own in zip(rows, written, strict=True):  # what was written is kept as it was
        assert own == {name: cell if own[name] else "" for name, cell in row.items()}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_in_one_file_without_a_server(task, experiment, tab, small_set, tmp_path):
    folder = experiment(task, single=True, **FEW.get(task, {}))
    assert not (folder / "clips").exists()
    begin(tab, (folder / "index.html").as_uri())
    with tab.expect_download() as download:
        count = answer(tab, first_key)
    download.value.save_as(tmp_path / "rows.csv")
    rows = joined(tmp_path / "rows.csv", folder)
    assert len(rows) == count
    complete(rows, small_set, task)


@pytest.mark.parametrize("early", ["ignored", "taken"])
def test_a_key_in_the_gap_before_the_question_counts_if_it_was_declared(early, experiment, page):
    timing = {**QUICK["timing"], "hold": 1500, "gap": 4000, "early": early}
    own = {"once": True, "attention": 0, "practice": {"trials": 0}}
    folder = experiment("natural", timing=timing, pairs=[["natural", "metamer"]], **own)
    with served(folder) as server:
        begin(page, server.address)
        for shown in (True, False, True, False):  # both films, and the gaps after them
            state = "attached" if shown else "detached"
            page.wait_for_selector("#stage video", state=state, timeout=20000)
            page.keyboard.press("f")
        if early == "ignored":
            answer(page, lambda *_: "j", trials=1)
        page.wait_for_function("!document.querySelector('#stage[data-asks]')")
    row = read(folder / "responses" / "p1.csv")[0]
    asked, time, end = (float(row[name].split(";")[-1])
                        for name in ("question_onset", "response_time", "film_end"))  # fmt: skip
    assert asked - end == pytest.approx(4000, abs=400)
    if early == "taken":
        assert row["key"] == "f"
        assert -4000 < time < -1000
    else:
        assert row["key"] == "j"
        assert time > 0


def test_the_card_gives_pixels_per_degree(experiment, page):
    folder = experiment("naming", calibrate="card", conditions=["natural"])
    with served(folder) as server:
        begin(page, server.address)
        answer(page, first_key)
    rows = read(folder / "responses" / "p1.csv")
    assert all(20 < float(row["px_per_degree"]) < 40 for row in rows)


def next_contrast(contrasts, history):
    """What QUEST+ asks for next (Watson 2017): least expected entropy, on the page's own grid."""
    threshold, slope = np.meshgrid(contrasts, [1, 2, 3.5, 5], indexing="ij")
    right = [0.5 + 0.48 * (1 - np.exp(-((c / threshold) ** slope))) for c in contrasts]
    posterior = np.full(threshold.shape, 1 / threshold.size)
    for contrast, correct in history:
        p = right[contrasts.index(contrast)]
        posterior = posterior * (p if correct else 1 - p)
        posterior /= posterior.sum()
    expected = []
    for p in right:
        outcomes = [posterior * p, posterior * (1 - p)]
        expected.append(sum(o.sum() * entropy((o / o.sum()).ravel()) for o in outcomes))
    return contrasts[int(np.argmin(expected))]


def test_the_staircase_asks_for_what_quest_plus_would(experiment, page):
    contrasts = [0.1, 0.2, 0.4, 0.8]
    bands = {"fine": {"low": 0.125}}
    folder = experiment(
        "detection", method="quest", bands=bands, repeats=3, contrasts=contrasts, attention=0
    )
    with served(folder) as server:
        begin(page, server.address)
        truth = page.evaluate("embedded('experiment').lists[0].map((trial) => trial.expected)")
        places = iter([0, 0, 0, 1, 0, 0, 0])  # one answer is wrong

        def sees(_, keys):
            right = ["first", "second"].index(truth[0])
            truth.pop(0)
            return keys[(right + next(places)) % 2]

        answer(page, sees)
    rows = read(folder / "responses" / "p1.csv")[1:]
    history = []
    for row in rows:
        assert float(row["contrast"]) == next_contrast(contrasts, history)
        history.append((float(row["contrast"]), row["correct"] == "1"))
    assert [correct for _, correct in history] == [True, True, False, True, True, True]
    assert len({contrast for contrast, _ in history}) > 1
