"""`stst stimulus` and `stst scramble`: every kind runs, is whole, and repeats to the bit."""

import numpy as np
import pytest
from PIL import Image
from terminal import bytes_of, manifest_of, refused, stst_command

import stst
from stst.stimuli.kinds import CONTROLS, STIMULI
from stst.video.frames import to_uint8
from stst.video.read import digest, read_video

SMALL = ("--frames", 4, "--width", 32, "--height", 32)
MADE = {"stimulus.webm", "stimulus.mp4", "contact_sheet.png", "manifest.json", "recipe.yaml"}


def one_now(kinds):
    """The first of them; the others are slow, because every film is read back by a process."""
    first, *others = kinds
    return [first, *(pytest.param(kind, marks=pytest.mark.slow) for kind in others)]


def check_whole(folder):
    manifest = manifest_of(folder)
    assert manifest["outcome"] == "complete"
    assert set(manifest["outputs"]) == {p.name for p in folder.iterdir()} - {
        "manifest.json",
        "recipe.yaml",
    }
    for name, record in manifest["outputs"].items():
        assert record["sha256"] == digest(folder / name)
    assert manifest["outputs"]["stimulus.webm"]["lossless"]
    said = stst_command("methods", folder)
    assert said.code == 0
    words = " ".join(said.out.split())
    assert manifest["stimulus"]["sentence"] in words
    assert bool(manifest["residuals"]) == ("relative error of the statistics" in words)
    return manifest


@pytest.mark.parametrize("kind", one_now(STIMULI))
def test_a_stimulus_is_written_whole_and_repeats_to_the_bit(kind, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert stst_command("stimulus", kind, "--out", one, *SMALL).code == 0
    assert stst_command("stimulus", "--recipe", one / "recipe.yaml", "--out", two).code == 0
    manifest = check_whole(one)
    assert {p.name for p in one.iterdir()} - {"flow.npy"} == MADE
    assert manifest_of(two) | {"seconds": 0} == manifest | {"seconds": 0}
    assert bytes_of(one)["stimulus.webm"] == bytes_of(two)["stimulus.webm"]
    made = stst.make_stimulus(kind, frames=4, width=32, height=32)
    found = read_video(one / "stimulus.webm")
    np.testing.assert_array_equal(to_uint8(found.frames), to_uint8(made.clip.frames))
    if made.flow is not None:
        np.testing.assert_array_equal(np.load(one / "flow.npy"), made.flow.numpy())


@pytest.mark.parametrize("kind", one_now(CONTROLS))
def test_a_control_is_written_whole_and_repeats_to_the_bit(kind, film, tmp_path):
    pytest.importorskip(CONTROLS[kind].needs or "stst")
    one, two = tmp_path / "one", tmp_path / "two"
    assert stst_command("scramble", film, "--kind", kind, "--out", one).code == 0
    assert stst_command("scramble", "--recipe", one / "recipe.yaml", "--out", two).code == 0
    manifest = check_whole(one)
    assert {p.name for p in one.iterdir()} == MADE | {"side_by_side.mp4"}
    assert manifest["source"]["sha256"] == digest(film)
    assert bool(manifest["residuals"]) == (kind == "portilla-simoncelli")
    assert manifest_of(two) | {"seconds": 0} == manifest | {"seconds": 0}
    made = stst.make_control(read_video(film), kind)
    found = read_video(one / "stimulus.webm")
    np.testing.assert_array_equal(to_uint8(found.frames), to_uint8(made.clip.frames))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stimulus"], "no kind given"),
        (["stimulus", "drifting-gratin"], "Did you mean 'drifting-grating'?"),
        (["stimulus", "drifting-grating", "--set", "sped=2"], "Did you mean 'speed'?"),
        (["stimulus", "drifting-grating", "--set", "contrast=2"], "contrast: "),
        (["stimulus", "drifting-grating", "--frames", 1], "frames: "),
        (["stimulus", "drifting-grating", "--fps", "fast"], "frame_rate: "),
        (["scramble"], "no video given"),
    ],
)
def test_a_mistake_gets_one_line(words, told, tmp_path):
    out = tmp_path / "out"
    assert refused(stst_command(*words, "--out", out), told)
    assert not out.exists()


def test_a_scramble_of_an_unknown_kind_is_refused_with_a_guess(film, tmp_path):
    said = stst_command("scramble", film, "--kind", "shufled", "--out", tmp_path / "out")
    assert refused(said, "Did you mean 'shuffled'?")


def test_a_scramble_of_another_file_than_its_recipe_names_is_refused(film, tmp_path):
    one = tmp_path / "one"
    assert stst_command("scramble", film, "--kind", "static", "--out", one).code == 0
    text = (one / "recipe.yaml").read_text()
    sha = digest(film)
    (tmp_path / "other.yaml").write_text(text.replace(sha, "a" * 64))
    said = stst_command("scramble", "--recipe", tmp_path / "other.yaml", "--out", tmp_path / "two")
    assert refused(said, "the source is not the file", sha)


def test_a_picture_is_found_from_anywhere_and_bound_to_its_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(pixels).save("photo.png")
    words = ("camera-path", "--set", "picture=photo.png", "--out", "one", *SMALL)
    assert stst_command("stimulus", *words).code == 0
    assert manifest_of(tmp_path / "one")["picture"] == digest(tmp_path / "photo.png")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = ("--recipe", tmp_path / "one" / "recipe.yaml", "--out", "two")
    assert stst_command("stimulus", *again).code == 0
    Image.fromarray(255 - pixels).save(tmp_path / "photo.png")
    again = ("--recipe", tmp_path / "one" / "recipe.yaml", "--out", "three")
    assert refused(stst_command("stimulus", *again), "the picture is not the file")


def test_a_flow_is_drawn_in_the_sheet(tmp_path):
    """A drift to the right is red; a clip without a flow has no colour."""
    for kind in ("drifting-grating", "counterphase-grating"):
        assert stst_command("stimulus", kind, "--out", tmp_path / kind, *SMALL).code == 0
    red = [
        int(
            (np.asarray(Image.open(tmp_path / kind / "contact_sheet.png")) == (255, 0, 0))
            .all(-1)
            .sum()
        )
        for kind in ("drifting-grating", "counterphase-grating")
    ]
    assert red[0] > 1000
    assert red[1] == 0
