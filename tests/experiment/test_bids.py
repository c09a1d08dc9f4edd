"""A BIDS data set of an experiment: when each film was shown, and what was answered."""

import csv
import json
import shutil
import subprocess
from fractions import Fraction

import pytest
from test_store import response

from stst.errors import ExperimentError
from stst.experiment.bids import write_bids
from stst.experiment.spec import ExperimentSpec
from stst.experiment.store import Store
from stst.experiment.versions import FilmFile, Version

SPEC = ExperimentSpec(task="natural")


def dataset(folder, participant="p-1"):
    """Two films, one participant, one trial and one check -> the data set's folder."""
    source, out = folder / "experiment", folder / "bids"
    for path in (source / "clips", out):
        path.mkdir(parents=True)
    made = {}
    for name in "ab":
        for end in ("webm", "mp4"):
            (source / "clips" / f"{name}.{end}").write_bytes(b"film")
        made[Version(stimulus=name)] = FilmFile(
            vp9=f"clips/{name}.webm", h264=f"clips/{name}.mp4", vp9_sha256=name * 64,
            h264_sha256=name * 63 + "0", frames=4, frame_rate=Fraction(24), width=64, height=48,
        )  # fmt: skip
    trial = {
        "task": "natural", "phase": "test", "trial": "0", "conditions": "natural;metamer",
        "roles": "natural;metamer", "sha256": f"{'a' * 64};{'b' * 63}0", "onset_ms": "1000;2000",
        "play_ms": "167;170", "frames_dropped": "0;1", "response": "first", "expected": "first",
        "correct": "1", "response_time": "500.5",
    }  # fmt: skip
    check = {"phase": "attention", "trial": "1", "response": "f", "response_time": "9"}
    rows = [response(0, participant, **trial), response(1, participant, **check)]
    Store(folder / "responses").add(rows)
    write_bids(SPEC, made, source, sorted((folder / "responses").glob("*.csv")), out)
    return out


def test_events_say_when_each_film_was_shown_and_what_was_answered(tmp_path):
    out = dataset(tmp_path)
    events = out / "sub-p1" / "beh" / "sub-p1_task-natural_run-1_events.tsv"
    with events.open(newline="") as file:
        first, second, answer = csv.DictReader(file, delimiter="\t")
    assert (first["onset"], first["duration"], first["stim_file"]) == ("1.0", "0.167", "a.webm")
    assert (second["trial_type"], second["stim_file"]) == ("metamer", "b.mp4")
    assert second["frames_dropped"] == "1"
    assert (answer["trial_type"], answer["onset"], answer["correct"]) == ("response", "2.6705", "1")
    sidecar = json.loads((out / "stimuli" / "a.webm.json").read_text())
    assert (sidecar["stimulus"], sidecar["sha256"]) == ("a", "a" * 64)
    told = json.loads((out / "task-natural_events.json").read_text())
    assert set(told) == set(first)


def test_tables_that_cannot_be_told_of_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n")
    with pytest.raises(ExperimentError, match="no table of responses"):
        write_bids(SPEC, {}, tmp_path, [tmp_path / "x.csv"], tmp_path)
    with pytest.raises(ExperimentError, match="same label"):
        write_bids(SPEC, {}, tmp_path, [tmp_path / "a-b.csv", tmp_path / "ab.csv"], tmp_path)


def errors(validator, folder):
    told = subprocess.run([validator, str(folder), "--json"], capture_output=True, text=True)
    issues = json.loads(told.stdout)["issues"]["issues"]
    return [one for one in issues if one["severity"] == "error"]


@pytest.mark.slow
def test_the_validator_finds_no_error(tmp_path):
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    out = dataset(tmp_path)
    assert errors(validator, out) == []
    (out / "dataset_description.json").unlink()
    assert errors(validator, out) != []
