"""A run from the command line: its folder, its manifest, and the same run again."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from terminal import (
    FILES,
    FRAMES,
    HEIGHT,
    QUICK,
    WIDTH,
    bytes_of,
    manifest_of,
    refused,
    stst_command,
)

import stst
from stst.errors import RunError
from stst.models.stream import resolved
from stst.recipe import QUALITIES, Stop
from stst.video.frames import to_uint8
from stst.video.read import digest, read_video


def test_a_run_says_what_it_does_and_leaves_its_files(run, film):
    folder, said = run
    assert said.code == 0
    assert said.err == ""
    assert {path.name for path in folder.iterdir()} == FILES
    for told in ("4 frames of 80x72 px", "25 frames/s", "compact + msoe", "Expected:", folder):
        assert str(told) in said.out
    assert said.out.count("not VGG-19") == 1


def test_the_metamer_is_as_long_large_and_fast_as_the_natural_clip(run, film):
    natural, metamer = read_video(film), read_video(run[0] / "metamer.webm")
    assert metamer.frames.shape == natural.frames.shape
    assert metamer.frame_rate == natural.frame_rate
    assert not torch.equal(metamer.frames, natural.frames)
    beside = read_video(run[0] / "side_by_side.mp4")
    assert beside.size[1] >= 2 * WIDTH
    assert len(beside) == FRAMES


def test_the_master_holds_what_the_library_makes(run, film):
    settings = {"octaves": [{"steps": 2}], "pad": 1, "weights.time_texture": [0, 1]}
    recipe = stst.Recipe.preset("default").with_settings(settings)
    made = stst.synthesize(read_video(film), spatial="compact", recipe=recipe).result()
    found = read_video(run[0] / "metamer.webm")
    np.testing.assert_array_equal(to_uint8(found.frames), to_uint8(made.clip.frames))


def test_the_manifest_says_what_was_done(run, film):
    manifest = manifest_of(run[0])
    assert (manifest["schema"], manifest["outcome"], manifest["seed"]) == (1, "complete", 0)
    assert manifest["source"] == {
        "file": film.name,
        "sha256": digest(film),
        "start": 0,
        "every": 1,
        "frames": FRAMES,
        "width": WIDTH,
        "height": HEIGHT,
        "frame_rate": "25",
    }
    assert manifest["recipe"]["octaves"][0]["steps"] == [2]
    assert len(manifest["recipe"]["fingerprint"]) == 16
    assert manifest["environment"]["device"] == "cpu"
    precision = str(resolved("auto", "cpu")).removeprefix("torch.")
    assert manifest["environment"]["precision"] == precision
    assert manifest["environment"]["packages"]["torch"] == torch.__version__
    assert manifest["seconds"] > 0


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_quality_is_written_where_a_run_can_be_repeated_from(quality, film, tmp_path):
    words = ("--quality", quality, "--frames", 2, "--out", tmp_path / "out")
    said = stst_command("synthesize", film, *QUICK, *words)
    assert said.code == 0
    assert "Expected: at most " in said.out
    recipe = yaml.safe_load((tmp_path / "out" / "recipe.yaml").read_text())["recipe"]
    assert Stop(**recipe["stop"]) == QUALITIES[quality]
    assert manifest_of(tmp_path / "out")["recipe"]["stop"] == recipe["stop"]


def test_the_manifest_knows_the_weights(run):
    streams = manifest_of(run[0])["streams"]
    assert [stream["name"] for stream in streams] == ["compact", "msoe"]
    for stream in streams:
        shipped = Path(stst.__file__).parent / "models" / "data" / stream["file"]
        assert stream["sha256"] == digest(shipped)
        assert stream["origin"] == "embedded"


def test_the_manifest_knows_the_files(run):
    folder, outputs = run[0], manifest_of(run[0])["outputs"]
    assert set(outputs) == FILES - {"manifest.json", "recipe.yaml"}
    for name, record in outputs.items():
        assert record["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert outputs["metamer.webm"]["lossless"]
    assert outputs["metamer.webm"]["mean_difference_levels"] == 0
    assert not outputs["metamer.mp4"]["lossless"]


def test_the_manifest_is_honest_about_fit_and_stand_ins(run):
    manifest = manifest_of(run[0])
    residuals = manifest["residuals"]
    assert residuals["time_texture/energy"]["frames"][0] is None  # it was not asked for
    space = residuals["space_texture/block2_conv1"]
    assert len(space["frames"]) == FRAMES
    assert max(space["frames"]) == space["max"]
    warnings = " ".join(manifest["warnings"])
    assert "embedded stand-in, not VGG-19" in warnings
    assert "not the authors' weights" in warnings
    assert "space_texture/block2_conv1: relative error above" in warnings  # 2 steps are too few


def test_the_same_command_gives_the_same_bytes(run, film, tmp_path):
    again = tmp_path / "again"
    stst_command("synthesize", film, "--out", again, *QUICK)
    before, after = bytes_of(run[0]), bytes_of(again)
    same = {name for name in FILES if before[name] == after[name]}
    assert same >= FILES - {"manifest.json"}
    differing = {k for k, v in manifest_of(again).items() if v != manifest_of(run[0])[k]}
    assert differing <= {"seconds"}


def test_the_recipe_of_a_run_repeats_it(run, tmp_path):
    again = tmp_path / "again"
    said = stst_command("synthesize", "--recipe", run[0] / "recipe.yaml", "--out", again)
    assert said.code == 0
    for name in ("metamer.webm", "recipe.yaml"):
        assert bytes_of(again)[name] == bytes_of(run[0])[name]


@pytest.mark.slow
def test_several_seeds_have_a_folder_each_and_one_recipe_that_repeats_them(film, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    command = ("synthesize", film, "--frames", 2, "--seed", 3, "--seeds", 2, "--out")
    assert stst_command(*command, one, *QUICK).code == 0
    recipe = one / "seed_4" / "recipe.yaml"
    assert stst_command("synthesize", "--recipe", recipe, "--out", two).code == 0
    table = [row.split(",") for row in (one / "distances.csv").read_text().splitlines()]
    assert table[0] == ["seed", "3", "4"]
    assert [float(table[1][1]), float(table[2][2])] == [0, 0]
    assert table[1][2] == table[2][1] != "0.0000"
    films = set()
    for seed in (3, 4):
        folder = one / f"seed_{seed}"
        assert {path.name for path in folder.iterdir()} == FILES
        assert (manifest_of(folder)["seed"], manifest_of(folder)["batch"]) == (seed, [3, 4])
        films.add(bytes_of(folder)["metamer.webm"])
        assert bytes_of(two / folder.name)["metamer.webm"] in films
    assert len(films) == 2


def test_overwriting_replaces_a_run_and_leaves_other_files(run, film, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(run[0], folder)
    (folder / "notes.txt").write_text("mine")
    words = (*QUICK, "--seed", "5", "--overwrite")
    assert stst_command("synthesize", film, "--out", folder, *words).code == 0
    assert manifest_of(folder)["seed"] == 5
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_overwriting_that_fails_leaves_no_manifest_of_other_files(
    run, film, tmp_path, monkeypatch
):
    folder = tmp_path / "out"
    shutil.copytree(run[0], folder)

    def full_disk(*_, **__):
        raise RunError("the disk is full.")

    monkeypatch.setattr("stst.workflows.films.write_whole", full_disk)
    words = (*QUICK, "--overwrite")
    assert refused(stst_command("synthesize", film, "--out", folder, *words), "disk is full")
    assert not (folder / "manifest.json").exists()
