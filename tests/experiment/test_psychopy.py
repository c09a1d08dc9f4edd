"""The PsychoPy script, run against a stand-in window. No real display is tried here."""

import csv
import json
import runpy
import shutil
import sys
from collections import deque
from itertools import groupby
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from small_sets import QUICK, write_set
from stst.errors import RecipeError
from stst.experiment.design import make_lists
from stst.experiment.psychopy import write_psychopy
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.store import COLUMNS
from stst.experiment.versions import all_versions, write_versions
from stst.video.frames import to_uint8
from stst.video.read import read_video


class Screen:
    """A window that notes what each flip shows, and is late at the flips of `late`."""

    def __init__(self, hz, late=(), keys=()):
        self.hz, self.late, self.keys = hz, late, deque(keys)
        self.shown, self.drawn, self.calls, self.sent = [], None, [], []
        self.early = []
        self.nDroppedFrames, self.size = 0, (1024, 768)

    def flip(self):
        self.nDroppedFrames += len(self.shown) in self.late
        self.shown.append(self.drawn)
        self.drawn = None
        for function, arguments in self.calls:
            function(*arguments)
        self.calls = []

    def modules(self):
        """`psychopy` and its parts, as far as the script uses them."""
        screen = self

        class Stimulus:
            def __init__(self, win, content, **_):
                self.content = content if isinstance(content, str) else np.asarray(content)

            def draw(self):
                screen.drawn = self.content

        def wait(keyList=None, **_):
            if not screen.keys:
                screen.keys.extend([keyList[0]] if keyList else ["x", "return"])
            key = screen.keys.popleft()
            assert keyList is None or key in keyList
            return [(key, 0.25)] if keyList else [key]

        def early(keyList, timeStamped):
            """Keys that were pressed 0.2 s after the last film."""
            pressed = [key for key in self.early if key in keyList]
            self.early = []
            return [(key, 0.2) for key in pressed]

        self.callOnFlip = lambda function, *arguments: self.calls.append((function, arguments))
        self.getActualFrameRate = lambda: self.hz
        self.close = lambda: None
        parts = {
            "visual": SimpleNamespace(
                Window=lambda **_: screen, ImageStim=Stimulus, TextStim=Stimulus
            ),
            "core": SimpleNamespace(Clock=lambda: SimpleNamespace(getTime=lambda: 0.5)),
            "event": SimpleNamespace(waitKeys=wait, clearEvents=lambda: None, getKeys=early),
            "parallel": SimpleNamespace(
                ParallelPort=lambda address: SimpleNamespace(setData=screen.sent.append)
            ),
        }
        package = ModuleType("psychopy")
        package.__dict__.update(parts)
        return {"psychopy": package, **{f"psychopy.{k}": v for k, v in parts.items()}}


NAMING = {"attention": 0, "practice": {"trials": 0}}
NATURAL = {"attention": 0, "practice": {"trials": 1}}


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """Task -> folder of its script, made once; lists; films."""
    small_set = tmp_path_factory.mktemp("set")
    write_set(small_set, clips=1, metamers=1)
    stimuli, found = read_set(small_set), {}
    for task, settings in (("naming", NAMING), ("natural", NATURAL)):
        spec = resolved(ExperimentSpec.parse({**QUICK, "task": task, **settings}), stimuli)
        lists, folder = make_lists(spec, stimuli), tmp_path_factory.mktemp(task)
        made = write_versions(spec, stimuli, all_versions(spec, lists), small_set, folder)
        write_psychopy(spec, lists, made, folder, folder)
        found[task] = folder, lists, made
    return found


@pytest.fixture
def lab(labs):
    """``lab(task)``, without the responses of tests before."""

    def clean(task):
        for path in labs[task][0].glob("responses/*"):
            path.unlink()
        return labs[task]

    return clean


def run(folder, monkeypatch, screen, *arguments):
    for name, module in screen.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys, "argv", ["run.py", "p1", *arguments])
    runpy.run_path(str(folder / "run.py"), run_name="__main__")
    with (folder / "responses" / "p1.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_frame_is_shown_once_in_its_order_and_told_of(lab, monkeypatch):
    folder, lists, made = lab("naming")
    screen = Screen(hz=24.0, keys=["space", "d", "o", "g", "return"])
    rows = run(folder, monkeypatch, screen, "--port", "0x0378")
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == len(lists[0])
    file = next(iter(made.values()))
    frames = to_uint8(read_video(folder / file.vp9).frames)
    pictures = [one for one in screen.shown if isinstance(one, np.ndarray)]
    assert np.array_equal(pictures[: len(frames)], frames)
    assert screen.sent == [1, 0] * len(rows)
    assert rows[0]["response"] == "dog"
    assert rows[0]["sha256"] == file.vp9_sha256
    assert rows[0]["frames_dropped"] == "0"


def test_flips_that_come_late_are_in_the_row(lab, monkeypatch):
    folder, _, _ = lab("natural")
    first = run(folder, monkeypatch, Screen(hz=48.0))
    assert {row["frames_dropped"] for row in first} == {"0;0"}
    (folder / "responses" / "p1.csv").unlink()
    late = run(folder, monkeypatch, Screen(hz=48.0, late={3, 4}))
    assert late[0]["frames_dropped"] == "2;0"
    assert {row["correct"] for row in late} == {"0", "1"}
    assert {row["chosen"] for row in late} == {"natural", "metamer"}


def test_escape_ends_it_and_keeps_what_was_answered(lab, monkeypatch):
    folder, _, _ = lab("natural")
    keys = ["space", "f", "space", "j", "escape"]
    rows = run(folder, monkeypatch, Screen(hz=24.0, keys=keys))
    assert [row["response"] for row in rows] == ["first", "second"]


@pytest.mark.parametrize(("hz", "wanted"), [(24, [1] * 4), (60, [3, 2, 3, 2]), (120, [5] * 4)])
def test_each_frame_stays_as_long_as_the_screen_allows(lab, monkeypatch, hz, wanted):
    folder, _, _ = lab("naming")
    screen = Screen(hz=float(hz), keys=["space", "d", "return"])
    run(folder, monkeypatch, screen)
    pictures = [one.tobytes() for one in screen.shown if isinstance(one, np.ndarray)]
    assert [len(list(same)) for _, same in groupby(pictures)][:4] == wanted


def taking_early_keys(folder):
    path = folder / "settings.json"
    told = json.loads(path.read_text())
    told["timing"] |= {"early": "taken", "gap": 500}
    path.write_text(json.dumps(told))


@pytest.mark.parametrize("taken", [False, True])
def test_a_key_in_the_gap_before_the_question_counts_if_it_was_declared(taken, lab, monkeypatch):
    folder = shutil.copytree(lab("natural")[0], lab("natural")[0].parent / f"early_{taken}")
    if taken:
        taking_early_keys(folder)
    screen = Screen(hz=24.0)
    screen.early = ["j"]
    row = run(folder, monkeypatch, screen)[0]
    assert row["key"] == ("j" if taken else "f")
    assert float(row["response_time"]) == (-300 if taken else 250)
    assert float(row["question_onset"]) == 500


def test_a_staircase_is_refused(tmp_path):
    spec = ExperimentSpec.parse({"task": "detection", "method": "quest"})
    with pytest.raises(RecipeError, match="constant"):
        write_psychopy(spec, [], {}, tmp_path, tmp_path)
