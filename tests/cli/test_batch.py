"""`stst batch`: a small set made by a worker's process; made once; failures told and survived."""

import csv
import json

import pytest
import torch
import yaml
from terminal import FILES, bytes_of, manifest_of, refused, stst_command, waves

import stst
from stst.recipe import Recipe
from stst.video.frames import to_uint8
from stst.video.read import digest, read_video
from stst.video.write import write_video
from stst.workflows.progress import Reporter

SETTINGS = {"octaves": [{"steps": 1}], "pad": 1, "stop": None}
PLAN = {
    "schema": 1,
    "clips": {"table": "clips.csv"},
    "cut": {"width": 40, "frames": 2},
    "streams": {"spatial": "compact"},
    "recipes": {"quick": {"settings": SETTINGS}},
    "pairs": {"listed": [["fish", "bike"]]},
    "controls": ["reversed"],
    "seeds": [5],
}
MADE = (
    *("natural/bike", "natural/fish", "metamer/quick/bike/seed_5"),
    *("metamer/quick/fish/seed_5", "control/reversed/bike", "control/reversed/fish"),
)
FAILED = "factorised/quick/fish_bike/seed_5"  # the clips are not of one height


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    for name, height in (("fish", 72), ("bike", 76)):
        write_video(waves(4, height), folder / f"{name}.webm")
    (folder / "clips.csv").write_text("path,label\nbike.webm,vehicle\nfish.webm,animal\n")
    # As many threads as there are here: sums in another order are rounded otherwise.
    plan = PLAN | {"threads": torch.get_num_threads()}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    return folder


@pytest.fixture(scope="module")
def made(base):
    """A set of which one item of seven could not be made: (its folder, what was said)."""
    out = base / "set"
    return out, stst_command("batch", base / "plan.yaml", "--out", out, "--workers", 1)


def rows(path):
    with path.open(newline="") as file:
        return {row["stimulus"]: row for row in csv.DictReader(file)}


def test_each_item_is_a_run_like_any_other(made, tmp_path):
    out, _ = made
    master = out / "natural" / "fish" / "fish.webm"
    again = tmp_path / "again"
    options = ("--spatial", "compact", "--seed", 5)
    settings = [f"--set={key}={json.dumps(value)}" for key, value in SETTINGS.items()]
    assert stst_command("synthesize", master, "--out", again, *options, *settings).code == 0
    folder = out / "metamer" / "quick" / "fish" / "seed_5"
    assert set(bytes_of(folder)) == FILES
    for name in FILES - {"manifest.json"}:
        assert bytes_of(again)[name] == bytes_of(folder)[name], name


def test_clips_are_cut_once_without_loss(made, base):
    out, _ = made
    cut = read_video(out / "natural" / "fish" / "fish.webm")
    wanted = read_video(base / "fish.webm", width=40, frames=2)
    assert (to_uint8(cut.frames) == to_uint8(wanted.frames)).all()
    manifest = manifest_of(out / "natural" / "fish")
    assert manifest["source"]["sha256"] == digest(base / "fish.webm")
    sha256 = digest(out / "natural" / "fish" / "fish.webm")
    for item in ("metamer/quick/fish/seed_5", "control/reversed/fish"):
        assert manifest_of(out / item)["source"]["sha256"] == sha256
    said = " ".join(stst_command("methods", out / "natural" / "fish").out.split())
    assert said.startswith("The natural clip fish.webm (2 frames, 40 x 36 px, 25 frames/s) was cut")


def test_an_item_that_fails_is_told_and_loses_no_other(made):
    out, said = made
    assert said.code == 2
    assert said.err.startswith("stst: 1 of 7 items failed")
    assert f"{FAILED}: failed: clips must agree with" in said.out
    reasons = json.loads((out / "failed.json").read_text())
    assert list(reasons) == [FAILED]
    assert "tried" not in reasons[FAILED]  # bad input does not pass
    states = {name: row["state"] for name, row in rows(out / "summary.csv").items()}
    assert states == dict.fromkeys(MADE, "done") | {FAILED: "failed"}
    assert "Traceback" in (out / "logs" / f"{FAILED.replace('/', '.')}.log").read_text()


def test_the_table_of_stimuli_tells_what_is_there(made):
    out, _ = made
    found = rows(out / "stimuli.csv")
    assert list(found) == list(MADE)
    for name, row in found.items():
        assert digest(out / row["file"]) == row["sha256"]
        assert (out / row["preview"]).is_file()
        clip = read_video(out / row["file"])
        form = [str(len(clip)), str(clip.frame_rate), str(clip.size[1]), str(clip.size[0])]
        assert [row[key] for key in ("frames", "frame_rate", "width", "height")] == form
        assert row["condition"] == name.split("/")[name.startswith("control")]
    metamer = found["metamer/quick/fish/seed_5"]
    recipe = Recipe.preset("default").with_settings(SETTINGS)
    assert metamer["fingerprint"] == recipe.fingerprint
    assert (metamer["clip"], metamer["label"], metamer["seed"]) == ("fish", "animal", "5")
    assert (out / "contact_sheet_001.png").is_file()


def test_a_set_that_is_finished_changes_in_nothing_and_begins_no_worker(made, base, monkeypatch):
    out, _ = made
    monkeypatch.setattr("stst.batch.clusters.local_workers", pytest.fail)
    plan = base / "less.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, "pairs": {}, "natural": False}))
    words = ("batch", plan, "--out", out)
    assert stst_command(*words).code == 0
    assert not (out / "failed.json").exists()
    assert list(rows(out / "stimuli.csv")) == list(MADE[2:])  # natural clips are not asked for
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert "All 6 items are in" in stst_command(*words).out
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == kept


class Ended(Reporter):
    """Hears which items have ended, of how many."""

    def __init__(self):
        self.totals, self.items = [], []

    def track(self, items, text, total):
        self.totals.append(total)
        for item in items:
            self.items.append(item)
            yield item


@pytest.mark.slow
def test_in_python_a_set_is_made_by_one_function_that_tells_of_each_item(made, base):
    out, _ = made
    plan, heard = base / "more.yaml", Ended()
    plan.write_text(yaml.safe_dump({**PLAN, "pairs": {}, "controls": ["reversed", "shuffled"]}))
    found = stst.run_batch(plan, out, workers=1, report=heard)
    new = ["control/shuffled/bike/seed_5", "control/shuffled/fish/seed_5"]
    assert found.failed == {}
    assert sorted(found.items) == sorted([*MADE, *new])
    assert heard.totals == [2]
    assert sorted(one.item.name for one in heard.items) == new
    assert {(one.outcome.state, one.reason) for one in heard.items} == {("made", "")}


def test_workers_of_two_kinds_are_refused(base, tmp_path):
    words = ("batch", base / "plan.yaml", "--out", tmp_path / "out", "--workers", 1)
    for others in (["--slurm"], ["--scheduler", "tcp://127.0.0.1:9"]):
        refused(
            stst_command(*words, *others), "give only one of --workers, --scheduler and --slurm"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_item_that_failed_is_tried_again_and_no_other(made, base):
    out, _ = made
    said = stst_command("batch", base / "plan.yaml", "--out", out, "--workers", 1)
    assert f"1/1 {FAILED}" in said.out
    assert json.loads((out / "failed.json").read_text()).keys() == {FAILED}


@pytest.mark.parametrize("how", ["another recipe", "a changed film", "a link that leads out"])
def test_runs_that_differ_are_not_written_over(made, base, how, tmp_path):
    out, _ = made
    folder = out / "metamer" / "quick" / "fish" / "seed_5"
    kept = (folder / "metamer.webm").read_bytes()
    changed = PLAN | {"pairs": {}}
    if how == "another recipe":
        changed = changed | {"recipes": {"quick": {"settings": SETTINGS | {"pad": 2}}}}
    elif how == "a changed film":
        (folder / "metamer.webm").write_bytes(kept + b"more")
    else:
        folder.rename(tmp_path / "moved")
        folder.symlink_to(tmp_path / "moved")
    plan = base / "other.yaml"
    plan.write_text(yaml.safe_dump(changed))
    said = stst_command("batch", plan, "--out", out)
    if folder.is_symlink():
        folder.unlink()
        (tmp_path / "moved").rename(folder)
    (folder / "metamer.webm").write_bytes(kept)
    assert said.code == 2
    assert ("leads out of" if how.endswith("out") else "--overwrite") in said.err
