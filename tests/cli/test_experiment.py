"""`stst experiment`: from a set to a folder that can be served, and for PsychoPy."""

import json

import pandas as pd
import pytest
import yaml
from terminal import manifest_of, refused, stst_command

from small_sets import write_set
from stst.experiment import export as libraries
from stst.experiment.export import read_experiment
from stst.experiment.serve import experiment_app
from stst.experiment.words import words_in
from stst.video.files import digest


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    write_set(folder, clips=1, metamers=1)
    return folder


@pytest.fixture
def jspsych(monkeypatch):
    """Scripts of the right names, in place of a download."""
    scripts = {one.script: f"// {one.name} </script>" for one in libraries.PACKAGES}
    monkeypatch.setattr(
        "stst.workflows.experiment.libraries", lambda *_, **__: (scripts, "/* css */")
    )


def test_new_leaves_all_that_is_needed_to_run_and_to_repeat_it(stimuli, jspsych, tmp_path):
    out = tmp_path / "out"
    said = stst_command("experiment", "new", "natural", stimuli, "--out", out, "--set", "lists=2")
    assert said.code == 0, said.err
    assert {p.name for p in out.iterdir()} == {
        *("index.html", "lib", "clips", "experiment.yaml", "manifest.json", "stimuli.csv"),
        "key.csv",
    }
    assert "MIT License" in (out / "lib" / "LICENSES.txt").read_text()
    manifest = manifest_of(out)
    for film in manifest["films"]:
        assert film["vp9_sha256"] == digest(out / film["vp9"])
    assert "/index.html" in experiment_app(out, tmp_path / "responses").state.files
    again = tmp_path / "again"
    asked = ("--spec", out / "experiment.yaml")
    stst_command("experiment", "new", "natural", stimuli, "--out", again, *asked)
    assert (again / "index.html").read_bytes() == (out / "index.html").read_bytes()
    lab = tmp_path / "lab"
    assert stst_command("experiment", "psychopy", out, "--out", lab).code == 0
    assert json.loads((lab / "settings.json").read_text())["task"] == "natural"
    assert (
        len(list(lab.glob("list_*.csv")))
        == yaml.safe_load((out / "experiment.yaml").read_text())["lists"]
    )


def test_a_single_page_holds_its_films_and_no_script_can_end_its_element(
    stimuli, jspsych, tmp_path
):
    out = tmp_path / "out"
    command = ("experiment", "new", "naming", stimuli, "--out", out, "--single")
    assert stst_command(*command, "--set", 'texts.title="</script><b>"').code == 0
    page = (out / "index.html").read_text()
    assert page.count("</script>") == page.count("<script")
    assert "<b>" not in page
    assert (out / "LICENSES.txt").exists()
    lab = stst_command("experiment", "psychopy", out, "--out", tmp_path / "lab")
    refused(lab, "without --single")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("natral",), "mean 'natural'"),
        (("natural", "--set", "timing.hald=3"), "hold"),
        (("natural", "--set", "once=true"), "set aside"),
        (("abx",), "nothing for the task abx"),
    ],
)
def test_a_mistake_gives_one_line_and_no_folder(stimuli, jspsych, tmp_path, arguments, said):
    task, *more = arguments
    out = tmp_path / "out"
    refused(stst_command("experiment", "new", task, stimuli, "--out", out, *more), said)
    assert not out.exists()


def test_new_takes_words_writes_the_key_and_notes_an_uneven_rate(stimuli, jspsych, tmp_path):
    words = {**words_in("en"), "language": "fr", "start": "Commencer"}
    (tmp_path / "fr.yaml").write_text(yaml.safe_dump(words), "utf-8")
    out = tmp_path / "out"
    command = ("experiment", "new", "natural", stimuli, "--out", out)
    said = stst_command(*command, "--words", tmp_path / "fr.yaml")
    assert said.code == 0, said.err
    assert "films of 24 frames per second unevenly" in " ".join(said.out.split())
    assert '<html lang="fr"' in (out / "index.html").read_text("utf-8")
    spec, lists, _ = read_experiment(out)
    assert spec.page_words["start"] == "Commencer"
    key = pd.read_csv(out / "key.csv", keep_default_na=False)
    expected = [trial.expected or "" for trials in lists for trial in trials]
    assert key.expected.tolist() == expected
    assert key.groupby("list").trial.max().tolist() == [len(trials) - 1 for trials in lists]
