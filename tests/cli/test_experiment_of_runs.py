"""`stst experiment new` of a folder of runs: its table is made, its natural clips are cut."""

import csv
import io
import json
import shutil
from contextlib import redirect_stdout

import pytest
from terminal import manifest_of, refused, stst_command, waves

from stst.batch.tables import index_runs
from stst.cli.show import TERMINAL
from stst.experiment import export as libraries
from stst.experiment.stimuli import read_set
from stst.video.files import digest
from stst.video.frames import to_uint8
from stst.video.read import read_video
from stst.video.write import write_video

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(autouse=True)
def jspsych(monkeypatch):
    """Scripts of the right names, in place of a download."""
    scripts = {one.script: "//" for one in libraries.PACKAGES}
    monkeypatch.setattr("stst.workflows.experiment.libraries", lambda *_, **__: (scripts, ""))


@pytest.fixture(scope="module")
def runs(film, run, tmp_path_factory):
    """A metamer and a control by single commands, and something else."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(run[0], folder / "mine" / "metamer")
    words = ("scramble", film, "--kind", "shuffled", "--seed", 3, "--out", folder / "shuffled")
    assert stst_command(*words).code == 0
    (folder / "cloud").mkdir()
    (folder / "cloud" / "manifest.json").write_text('{"schema": 1, "stimulus": {}}')
    return folder


@pytest.fixture
def folder(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "runs")


def new(folder, task="naming"):
    return stst_command("experiment", "new", task, folder, "--out", folder.parent / task)


def to_clip(folder):
    """Make the table alone; what was said."""
    with redirect_stdout(io.StringIO()) as out:
        index_runs(folder, report=TERMINAL)
    return " ".join(out.getvalue().split())


def test_the_table_is_that_of_a_batch_and_nothing_is_made_twice(folder, film):
    assert "cloud is left out" in to_clip(folder)
    with (folder / "stimuli.csv").open(newline="") as file:
        rows = {row["stimulus"]: row for row in csv.DictReader(file)}
    told = {name: (row["condition"], row["clip"], row["seed"]) for name, row in rows.items()}
    assert told == {
        "natural/natural": ("natural", "natural", ""),
        "mine/metamer": ("metamer", "natural", "0"),
        "shuffled": ("shuffled", "natural", "3"),
    }
    for row in rows.values():
        assert digest(folder / row["file"]) == row["sha256"]
        assert (folder / row["preview"]).is_file()
    natural, given = (
        read_video(path).frames for path in (folder / rows["natural/natural"]["file"], film)
    )
    assert (to_uint8(natural) == to_uint8(given)).all()
    assert (
        rows["mine/metamer"]["fingerprint"]
        == manifest_of(folder / "mine" / "metamer")["recipe"]["fingerprint"]
    )
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.webm")}
    first = (folder / "stimuli.csv").read_text()
    assert to_clip(folder) == ""
    (folder / "stimuli.csv").unlink()
    to_clip(folder)
    again = (folder / "stimuli.csv").read_text()
    assert sorted(again.splitlines()) == sorted(first.splitlines())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.webm")} == kept


def changed(path, change):
    """Change a manifest."""
    data = json.loads((path / "manifest.json").read_text())
    change(data)
    (path / "manifest.json").write_text(json.dumps(data))


@pytest.mark.slow
def test_a_factorised_clip_has_two_natural_ones(folder, film, tmp_path):
    other = tmp_path / "other.webm"
    write_video(waves(5), other)
    run = folder / "mine" / "metamer"
    facts = manifest_of(run)["source"]
    time = facts | {"file": "other.webm", "sha256": digest(other), "frames": 5}
    changed(run, lambda data: data.update(time=time))
    with (run / "recipe.yaml").open("a") as file:
        file.write(f"time: {{path: {other}}}\n")
    to_clip(folder)
    by = {one.stimulus: one for one in read_set(folder)}
    assert {"natural/natural", "natural/other"} <= set(by)
    one = by["mine/metamer"]
    assert (one.condition, one.space, one.time) == ("factorised", "natural", "other")


@pytest.mark.parametrize("what", ["is gone", "is another"])
def test_a_natural_clip_that_cannot_be_cut_is_told_of_and_the_rest_is_a_set(folder, what):
    run = folder / "mine" / "metamer"
    shutil.rmtree(folder / "shuffled")
    if what == "is gone":
        text = (run / "recipe.yaml").read_text()
        (run / "recipe.yaml").write_text(text.replace("natural.webm", "gone.webm"))
    else:
        changed(run, lambda data: data["source"].update(sha256="0" * 64))
    said = new(folder)
    assert said.code == 0, said.err
    assert "the natural clip natural is left out" in said.out
    assert [one.condition for one in read_set(folder)] == ["metamer"]
    refused(new(folder, "natural"), "natural")


def test_what_is_no_set_is_refused_in_one_line_and_stays_as_it_was(folder, tmp_path):
    changed(folder / "shuffled", lambda data: data["source"].update(start=1))
    kept = sorted(folder.rglob("*"))
    refused(new(folder), "mine/metamer and shuffled are made from different", "separate sets")
    refused(new(folder / "shuffled"), "is a single run")
    refused(new(folder / "mine" / "metamer"), "is a single run")
    refused(new(tmp_path / "nothing"), "no stimuli.csv")
    assert sorted(folder.rglob("*")) == [*kept]
