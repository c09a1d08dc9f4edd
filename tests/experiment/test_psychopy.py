"""The PsychoPy script, run against a stand-in window. No real display is tried here."""

import csv
import inspect
import json
import math
import os
import re
import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psychopy_stand_in import PARAMETERS, Screen, forget

from small_sets import QUICK, write_set
from stst.errors import RecipeError
from stst.experiment.design import make_lists
from stst.experiment.psychopy import WORDS, LabSettings, write_psychopy
from stst.experiment.resolve import resolved
from stst.experiment.responses import read_rows
from stst.experiment.spec import INTERVALS, ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.store import COLUMNS
from stst.experiment.versions import all_versions, write_versions
from stst.experiment.words import languages, words_in
from stst.video.frames import to_uint8
from stst.video.read import read_video

FILMS = (23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 100, 120)
SCREENS = (59.94, 60, 60.03, 75, 100, 119.88, 143.86, 240)
NAMING = {"attention": 0, "practice": {"trials": 0}}
NATURAL = {"attention": 0, "practice": {"trials": 1}}


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """Task -> folder of its script, made once; lists; films."""
    small_set = tmp_path_factory.mktemp("set")
    write_set(small_set, clips=1, metamers=1)
    stimuli, made = read_set(small_set), {}
    for task, settings in (("naming", NAMING), ("natural", NATURAL)):
        spec = resolved(ExperimentSpec.parse({**QUICK, "task": task, **settings}), stimuli)
        lists, folder = make_lists(spec, stimuli), tmp_path_factory.mktemp(task)
        films = write_versions(spec, stimuli, all_versions(spec, lists), small_set, folder)
        write_psychopy(spec, lists, films, folder, folder, LabSettings())
        made[task] = folder, lists, films
    return made


@pytest.fixture
def lab(labs, tmp_path):
    """``lab(task, setting=...)``: a copy of the script's folder, with settings of the room."""

    def copied(task, **settings):
        folder = shutil.copytree(labs[task][0], tmp_path / "lab")
        path = folder / "settings.json"
        known = json.loads(path.read_text("utf-8"))
        for name in settings.keys() & known["timing"].keys():
            known["timing"][name] = settings.pop(name)
        known["lab"] |= settings
        path.write_text(json.dumps(known), "utf-8")
        return folder, *labs[task][1:]

    return copied


def start(folder, monkeypatch, screen, *arguments, name="p1"):
    """Run the script; what it raises is raised."""
    forget()
    for module, content in screen.modules().items():
        monkeypatch.setitem(sys.modules, module, content)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "argv", ["run.py", name, *arguments])
    try:
        runpy.run_path(str(folder / "run.py"), run_name="__main__")
    finally:
        forget()


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(folder, monkeypatch, screen, *arguments, name="p1"):
    """Run the script: its responses, and its flips."""
    start(folder, monkeypatch, screen, *arguments, name=name)
    flips = [row for path in folder.glob("logs/*_flips.csv") for row in table(path)]
    return table(folder / "responses" / f"{name}.csv"), flips


@pytest.fixture(scope="module")
def flips(labs):
    """The function of the script, without the rest of it."""
    patch = pytest.MonkeyPatch()
    for module, content in Screen(60).modules().items():
        patch.setitem(sys.modules, module, content)
    names = runpy.run_path(str(labs["naming"][0] / "screen.py"))
    patch.undo()
    return names["flips"]


def faults(flips: Callable[[int, float, float], list[int]], count, rate, hz):
    """What is wrong with how a film is shown on a screen."""
    shown = flips(count, rate, hz)
    held = [len(list(same)) for _, same in groupby(shown)]
    if [frame for frame, _ in groupby(shown)] != list(range(count)):
        yield "frames are left out or out of order"
    if max(held) - min(held) > 1:
        yield f"frames are held unequally: {held}"
    if abs(len(shown) / hz - count / rate) > 0.007 * count / rate + 1 / hz:
        yield "it takes too long or too short"


pairs = [(rate, hz) for rate in FILMS for hz in SCREENS if rate <= hz * 1.0015]
rates = st.tuples(st.sampled_from(pairs), st.floats(-0.002, 0.002), st.integers(1, 900))


@given(rates)
def test_every_frame_is_shown_in_order_for_nearly_equal_times(flips, drawn):
    (rate, hz), error, count = drawn
    assert not [*faults(flips, count, rate, hz * (1 + error))]


@given(rates, st.floats(-0.002, 0.002))
def test_the_pattern_of_flips_is_that_of_the_usual_rates_however_they_are_measured(
    flips, drawn, other
):
    (rate, hz), error, count = drawn
    assert flips(count, rate, hz * (1 + error)) == flips(count, rate, hz * (1 + other))


@given(st.floats(10, 130), st.floats(30, 400), st.integers(1, 300))
def test_any_film_on_any_screen_is_shown_whole_or_refused(flips, rate, hz, count):
    if rate > hz * 1.011:
        with pytest.raises(SystemExit, match="left out"):
            flips(count, rate, hz)
    elif rate < hz * 0.989:
        shown = flips(count, rate, hz)
        starts = [shown.index(frame) for frame in range(count)]
        wanted = [frame * hz / rate for frame in range(count)]
        assert all(a < b for a, b in pairwise(starts))
        assert np.allclose(starts, wanted, rtol=0.011, atol=1)


PLANTED = {
    "as it was": lambda n, r, hz: [int(k * r / hz + 1e-6) for k in range(round(n * hz / r))],
    "rounded": lambda n, r, hz: [k for k in range(n) for _ in range(round(hz / r))],
    "cut": lambda n, r, hz: [k for k in range(n) for _ in range(math.ceil(hz / r))][
        : int(n * hz / r)
    ],
    "uneven": lambda n, r, hz: [0, *(min(int(k * r / hz), n - 1) for k in range(int(n * hz / r)))],
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_patterns_are_found(planted):
    cases = [(24, rate, hz * e) for rate, hz in pairs for e in (0.998, 1, 1.002)]
    assert any([*faults(PLANTED[planted], *case)] for case in cases)


def test_every_frame_is_drawn_once_in_its_order_and_logged(lab, monkeypatch):
    folder, lists, films = lab("naming", triggers="parallel", port="0x0378", photodiode="top left")
    screen = Screen(24.0, keys=["space", "dog"])
    rows, logged = run(folder, monkeypatch, screen)
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == len(lists[0])
    file = next(iter(films.values()))
    frames = to_uint8(read_video(folder / file.vp9).frames)
    places = [n for n, shown in enumerate(screen.shown) if isinstance(shown, np.ndarray)]
    assert np.array_equal([screen.shown[n] for n in places[: len(frames)]], frames)
    own = [row for row in logged if row["trial"] == "0"]
    assert [row["frame"] for row in own] == [*map(str, range(len(frames))), ""]
    times = [screen.times[n] * 1000 for n in (*places[: len(frames)], places[len(frames) - 1] + 1)]
    assert np.allclose([float(row["time"]) for row in own], times, atol=0.06)
    assert rows[0]["film_onset"] == own[0]["time"]
    assert rows[0]["film_end"] == own[-1]["time"]
    assert screen.sent[:2] == [(1, places[0]), (0, places[len(frames) - 1] + 1)]
    assert [code for code, _ in screen.sent] == [1, 0] * len(rows) + [0]
    white = [n for n, level in enumerate(screen.patches) if level == 255]
    assert white == [places[0], places[len(frames)]]
    assert {level for level in screen.patches} == {0, 255}
    assert rows[0]["sha256"] == file.vp9_sha256
    assert rows[0]["frames_dropped"] == "0"


def test_the_trigger_comes_with_the_picture_and_not_after_its_hold(lab, monkeypatch):
    folder, _, _ = lab("naming", triggers="parallel", port="1", hold=300)
    screen = Screen(60.0)
    rows, _ = run(folder, monkeypatch, screen)
    first = next(n for n, shown in enumerate(screen.shown) if isinstance(shown, np.ndarray))
    assert screen.sent[0] == (1, first)
    assert float(rows[0]["film_onset"]) == pytest.approx(screen.times[first + 18] * 1000, abs=0.1)


@pytest.mark.parametrize("text", ["dog-like.", "Größe 3", "über das", "a, b; (c)!", "x  y"])
def test_what_is_typed_is_kept_letter_by_letter(text, lab, monkeypatch):
    folder, _, _ = lab("naming")
    rows, _ = run(folder, monkeypatch, Screen(60.0, keys=["space", text]))
    assert rows[0]["response"] == text
    assert float(rows[0]["response_time"]) == 250


def test_names_of_participants_are_kept_as_typed(lab, monkeypatch):
    folder, _, _ = lab("natural")
    rows, _ = run(folder, monkeypatch, Screen(60.0), name="Jürgen_3")
    assert {row["participant"] for row in rows} == {"Jürgen_3"}
    for name in ("../x", "a b", "", "x" * 65):
        with pytest.raises(SystemExit, match="letters"):
            start(folder, monkeypatch, Screen(60.0), name=name)


def test_flips_that_come_late_are_in_the_row(lab, monkeypatch):
    folder, _, _ = lab("natural")
    screen = Screen(48.0)
    first, _ = run(folder, monkeypatch, screen)
    assert {row["frames_dropped"] for row in first} == {"0;0"}
    (folder / "responses" / "p1.csv").unlink()
    start_of_film = next(n for n, shown in enumerate(screen.shown) if isinstance(shown, np.ndarray))
    late = {start_of_film + 1, start_of_film + 3}
    rows, _ = run(folder, monkeypatch, Screen(48.0, late=late))
    assert rows[0]["frames_dropped"] == "2;0"
    assert {row["correct"] for row in rows} == {"0", "1"}
    assert {row["chosen"] for row in rows} == {"natural", "metamer"}


@pytest.mark.parametrize("brief", [False, True])
def test_escape_ends_it_and_keeps_what_was_answered(brief, lab, monkeypatch):
    folder, _, _ = lab("natural")
    keys = ["space", "f", "space", "j", "escape"]
    rows, logged = run(folder, monkeypatch, Screen(24.0, keys=keys, brief=brief))
    assert [row["response"] for row in rows] == ["first", "second"]
    assert {row["trial"] for row in logged} == {"0", "1", "2"}


@pytest.mark.parametrize("named", [tuple, list])
def test_keys_are_read_without_psychtoolbox(named, lab, monkeypatch):
    folder, lists, _ = lab("natural")
    rows, _ = run(folder, monkeypatch, Screen(24.0, named=named))
    assert [row["key"] for row in rows] == ["f"] * len(lists[0])
    assert {float(row["response_time"]) for row in rows} == {250}


def by_signal(name):
    """Send a signal to this process, as `kill` does."""
    return lambda _: os.kill(os.getpid(), getattr(signal, name))


STOPS = {
    "closed window": lambda screen: screen.handlers["on_close"](),
    **{name: by_signal(name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)},
}


@pytest.fixture
def handlers():
    """Give the signals back to pytest."""
    numbers = [getattr(signal, name) for name in STOPS if name.startswith("SIG")]
    kept = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def is_image(shown):
    return isinstance(shown, np.ndarray)


def stopped_run(folder, monkeypatch, stop):
    """Answer two trials, and stop during the first film of the third."""
    whole = Screen(24.0)
    rows, _ = run(folder, monkeypatch, whole)
    (folder / "responses" / "p1.csv").unlink()
    shutil.rmtree(folder / "logs")
    frames = [n for n, shown in enumerate(whole.shown) if is_image(shown)]
    third = 4 * len(frames) // (2 * len(rows)) + 1
    screen = Screen(24.0)
    screen.at = {frames[third]: lambda: stop(screen)}
    rows, logged = run(folder, monkeypatch, screen)
    return screen, rows, logged


@pytest.mark.parametrize("way", STOPS)
def test_a_stopped_run_keeps_answered_trials_and_all_flips(way, lab, monkeypatch, handlers):
    folder, _, _ = lab("natural")
    screen, rows, logged = stopped_run(folder, monkeypatch, STOPS[way])
    assert [row["trial"] for row in rows] == ["0", "1"]
    assert all(row["response"] for row in rows)
    assert [row["frame"] for row in logged if row["trial"] == "2"] == ["0", "1"]
    assert screen.closed


def test_a_script_that_does_not_stop_is_found(lab, monkeypatch, handlers):
    folder, _, _ = lab("natural")
    path = folder / "screen.py"
    path.write_text(path.read_text("utf-8").replace("if self.is_stopped", "if False"), "utf-8")
    _, rows, _ = stopped_run(folder, monkeypatch, STOPS["SIGTERM"])
    assert [row["trial"] for row in rows] != ["0", "1"]


def test_an_answer_in_the_flip_of_the_stop_is_kept(lab, monkeypatch, handlers):
    folder, _, _ = lab("natural")
    whole = Screen(24.0)
    run(folder, monkeypatch, whole)
    (folder / "responses" / "p1.csv").unlink()
    asked = [n for n, shown in enumerate(whole.shown) if isinstance(shown, str) and "F = " in shown]
    answered = next(n for n in asked if n + 1 not in asked)
    at = {answered: lambda: STOPS["SIGTERM"](None)}
    rows, _ = run(folder, monkeypatch, Screen(24.0, at=at))
    assert [row["trial"] for row in rows] == ["0"]


@pytest.mark.parametrize("language", languages())
def test_participants_read_the_words_of_the_language(language, tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    write_set(tmp_path / "set", clips=1, metamers=1)
    stimuli, out = read_set(tmp_path / "set"), tmp_path / "lab"
    out.mkdir()
    settings = {"attention": 1, "blocks": 2, "rest": 0.2, "practice": {"trials": 1}}
    data = {**QUICK, "task": "natural", "language": language, **settings}
    spec = resolved(ExperimentSpec.parse(data), stimuli)
    lists = make_lists(spec, stimuli)
    films = write_versions(spec, stimuli, all_versions(spec, lists), tmp_path / "set", out)
    write_psychopy(spec, lists, films, out, out, LabSettings())
    screen, words = Screen(24.0), words_in(language)
    run(out, monkeypatch, screen)
    pages = list(dict.fromkeys(shown for shown in screen.shown if isinstance(shown, str)))
    text = "\n".join(pages)
    go_on = f"{words['space'].upper()} = {words['continue']}"
    assert pages[0] == f"{words['instructions_natural']}\n\n{go_on}"
    assert f"F = {words['first']}     J = {words['second']}" in text
    assert f"{words['practice_over']}\n\n{go_on}" in pages
    assert f"{words['break']}\n\n{words['rest'].format(seconds='0.2')}\n\n{go_on}" in pages
    assert any(words["check"].format(key=key) in text for key in "FJ")
    assert {words["right"], words["wrong"]} & {*pages}
    assert pages[-1] == f"{words['end']}\n\n{go_on}"


def test_the_script_uses_each_exported_word_and_no_other(labs):
    script = (labs["natural"][0] / "run.py").read_text("utf-8")
    names = set(re.findall(r"\"(\w+)\"|'(\w+)'", script))
    used = {name for pair in names for name in pair} | set(INTERVALS)
    settings = json.loads((labs["natural"][0] / "settings.json").read_text("utf-8"))
    assert set(settings["words"]) == set(WORDS) <= used
    assert set(re.findall(r"WORDS\[[\"'](\w+)[\"']\]", script)) <= set(WORDS)


def test_escape_in_a_gap_ends_it_too(lab, monkeypatch):
    folder, _, _ = lab("natural", gap=500)
    screen = Screen(24.0, gap=["escape"])
    rows, logged = run(folder, monkeypatch, screen)
    assert not rows
    assert {row["film"] for row in logged} == {"1"}
    assert screen.closed


@pytest.mark.parametrize("taken", [False, True])
def test_a_key_in_the_gap_before_the_question_counts_if_it_was_declared(taken, lab, monkeypatch):
    folder, _, _ = lab("natural", gap=500, early="taken" if taken else "ignored")
    row = run(folder, monkeypatch, Screen(24.0, gap=["x", "j"]))[0][0]
    assert row["key"] == ("j" if taken else "f")
    assert float(row["response_time"]) == (-300 if taken else 250)
    asked = float(row["question_onset"]) - float(row["film_end"].split(";")[-1])
    assert asked == pytest.approx(500, abs=0.2)


def test_a_rate_that_was_not_measured_is_not_recorded(lab, monkeypatch):
    folder, _, _ = lab("natural")
    rows, _ = run(folder, monkeypatch, Screen(60.0, rate=0))
    assert {row["screen_hz"] for row in rows} == {""}
    assert {"not be measured" in row["errors"] for row in rows} == {True}


def test_screens_that_do_not_fit_are_refused(lab, labs, monkeypatch, tmp_path):
    folder, lists, films = lab("natural", screen_hz=60)
    with pytest.raises(SystemExit, match=r"settings\.json says 60"):
        start(folder, monkeypatch, Screen(75.0))
    slow = Screen(20.0)
    shutil.copyfile(labs["natural"][0] / "settings.json", folder / "settings.json")
    with pytest.raises(SystemExit, match="left out"):
        start(folder, monkeypatch, slow)
    assert slow.closed
    assert not (folder / "responses").exists()
    spec = ExperimentSpec.parse({"task": "natural"})
    with pytest.raises(RecipeError, match="left out"):
        write_psychopy(spec, lists, films, folder, tmp_path, LabSettings(screen_hz=23.8))


def test_other_frames_than_those_that_were_exported_are_refused(lab, monkeypatch):
    folder, _, _ = lab("natural")
    path = next(folder.glob("frames/*.npy"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(SystemExit, match="not the file"):
        start(folder, monkeypatch, Screen(60.0))


def test_degrees_are_those_of_width_and_distance(lab, monkeypatch):
    folder, _, _ = lab("natural", width=53.0, distance=57.0)
    rows, _ = run(folder, monkeypatch, Screen(60.0))
    assert float(rows[0]["px_per_degree"]) == pytest.approx(
        1024 / 53 * 114 * math.tan(math.radians(0.5)), abs=0.01
    )
    assert run(folder, monkeypatch, Screen(60.0), "--window")[0][-1]["px_per_degree"] == ""


def test_a_second_visit_is_added_and_half_a_line_is_cut_off(lab, monkeypatch):
    folder, _, _ = lab("natural")
    first, _ = run(folder, monkeypatch, Screen(60.0))
    path = folder / "responses" / "p1.csv"
    path.write_bytes(path.read_bytes() + b"p1,half a li")
    both, _ = run(folder, monkeypatch, Screen(60.0))
    assert both[: len(first)] == first
    assert len(both) == 2 * len(first)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="not have the columns"):
        start(folder, monkeypatch, Screen(60.0))
    assert path.read_text() == "a,b\n1,2\n"


def test_responses_are_read_as_those_of_the_page_are(lab, monkeypatch):
    folder, lists, _ = lab("natural")
    run(folder, monkeypatch, Screen(60.0))
    rows, notes = read_rows([folder / "responses"], None)
    assert (len(rows), notes) == (len(lists[0]), [])


def test_checks_ask_for_keys_by_the_names_of_psychopy(lab, monkeypatch):
    folder, _, _ = lab("natural")
    path = folder / "list_000.csv"
    trials = table(path)
    trials[-1] |= {"phase": "attention", "expected": "ArrowLeft", "films": "", "roles": ""}
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, trials[0])
        rows.writeheader()
        rows.writerows(trials)
    path = folder / "settings.json"
    settings = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(settings | {"names": settings["names"] | {"ArrowLeft": "left"}}))
    keys = ["space", *["f", "space"], *["f"] * (len(trials) - 2), "left"]
    row = run(folder, monkeypatch, Screen(60.0, keys=keys))[0][-1]
    assert (row["key"], row["response"], row["correct"]) == ("left", "ArrowLeft", "1")


def test_a_staircase_and_a_key_without_a_name_are_refused(tmp_path):
    spec = ExperimentSpec.parse({"task": "detection", "method": "quest"})
    with pytest.raises(RecipeError, match="constant"):
        write_psychopy(spec, [], {}, tmp_path, tmp_path, LabSettings())
    spec = ExperimentSpec.parse({"task": "natural", "keys": {"first": "ö"}})
    with pytest.raises(RecipeError, match="no name for the key 'ö'"):
        write_psychopy(spec, [], {}, tmp_path, tmp_path, LabSettings())


@pytest.mark.parametrize("settings", [{"triggers": "serial"}, {"degrees": 10}, {"gamma": 0}])
def test_settings_of_the_room_that_cannot_be_are_refused(settings):
    with pytest.raises(RecipeError):
        LabSettings.parse(settings)


if find_spec("psychopy"):  # it is not among the packages that the tests need

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_the_stand_in_takes_what_psychopy_takes(name):
        module, *path = name.split(".", 2 if name.startswith("hardware") else 1)
        real = import_module(f"psychopy.{module}")
        for part in ".".join(path).split("."):
            real = getattr(real, part)
        assert set(PARAMETERS[name].split()) <= set(inspect.signature(real).parameters)
