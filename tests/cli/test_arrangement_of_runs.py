"""What a run says of the arrangement that is left, and what evaluations of runs say of chance."""

import csv
import shutil

import pytest
import yaml
from terminal import FRAMES, QUICK, manifest_of, stst_command, waves

from stst.metrics.arrangement import arrangement
from stst.video.frames import Clip
from stst.video.read import read_video
from stst.video.write import write_video

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """An unrelated film: other waves."""
    path = tmp_path_factory.mktemp("other") / "other.webm"
    clip = waves()
    write_video(Clip((clip.frames.flip(0, 2) / 2).roll(20, 3), clip.frame_rate), path)
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_manifest_has_the_measure_of_every_frame(run, film):
    told = manifest_of(run[0])["arrangement"]
    found = arrangement(read_video(run[0] / "metamer.webm"), read_video(film))
    assert list(told) == ["natural"]
    for part, one in found.items():
        assert len(told["natural"][part]["frames"]["layout"]) == FRAMES
        for name, value in one.means.items():
            # Frames are measured before they are rounded to 8 bits.
            assert told["natural"][part][name] == pytest.approx(value, abs=0.01)


def test_a_metamer_that_shows_its_natural_clip_is_warned_of(film, tmp_path):
    begun = tmp_path / "begun.webm"
    write_video(waves(frames=FRAMES - 1), begun)
    words = ("--given", begun, "--out", tmp_path / "out")
    assert stst_command("synthesize", film, *QUICK, *words).code == 0
    manifest = manifest_of(tmp_path / "out")
    assert manifest["arrangement"]["natural"]["luminance"]["layout"] > 0.5
    assert any(
        "arrangement of the natural clip may still be visible" in warning
        for warning in manifest["warnings"]
    )


def test_both_targets_of_a_factorised_run_are_named(film, other, tmp_path):
    out = tmp_path / "pair"
    assert stst_command("factorize", film, other, "--out", out, *QUICK).code == 0
    assert list(manifest_of(out)["arrangement"]) == ["space", "time"]


def test_residuals_are_set_beside_those_of_chance(run, film, other, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", run[0], "--network", "none", "--unrelated", other, "--out", out)
    said = stst_command(*words)
    assert said.code == 0, said.err
    residuals = {name: one["mean"] for name, one in manifest_of(run[0])["residuals"].items()}
    rows = rows_of(out / "chance.csv")
    assert {row["layer"]: float(row["residual"]) for row in rows} == pytest.approx(residuals)
    assert all(0 < float(row["null"]) <= float(row["median"]) for row in rows)
    assert {row["clips"] for row in rows} == {"2"}
    claims = [row["measure"] for row in rows_of(out / "claims.csv")]
    assert [name for name in claims if name.startswith("nearer")] == [
        "nearer than chance (space_texture)",
        "nearer than chance (time_texture)",
    ]
    assert "unrelated" in {row["condition"] for row in rows_of(out / "arrangement.csv")}


def test_without_unrelated_clips_that_is_said(run, tmp_path):
    said = stst_command("evaluate", run[0], "--network", "none", "--out", tmp_path / "out")
    assert said.code == 0
    assert (
        "Nearer than chance, not testable: metamer of natural: give unrelated natural clips"
        in said.out
    )
    assert rows_of(tmp_path / "out" / "chance.csv") == []


@pytest.mark.usefixtures("no_weights")
def test_weights_that_are_not_here_are_named_and_the_rest_is_done(run, other, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run[0], copy)
    recipe = yaml.safe_load((copy / "recipe.yaml").read_text())
    recipe["streams"] |= {"spatial": "vgg19"}
    (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    out = tmp_path / "out"
    said = stst_command("evaluate", copy, "--network", "none", "--unrelated", other, "--out", out)
    assert said.code == 0, said.err
    assert "Nearer than chance, not testable: metamer of natural: " in said.out
    assert (out / "index.html").is_file()


def test_weights_of_another_run_are_told_of(run, other, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run[0], copy)
    manifest = (copy / "manifest.json").read_text()
    sha256 = manifest_of(copy)["streams"][0]["sha256"]
    (copy / "manifest.json").write_text(manifest.replace(sha256, "0" * 64))
    out = tmp_path / "out"
    said = stst_command("evaluate", copy, "--network", "none", "--unrelated", other, "--out", out)
    assert said.code == 0, said.err
    assert "the run was made with other weights" in " ".join(said.out.split())
