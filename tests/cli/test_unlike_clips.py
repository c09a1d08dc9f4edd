"""Two clips that differ in size, length and rate: refused in one message, or fitted by name."""

import signal
from fractions import Fraction

import numpy as np
import pytest
import torch
import yaml
from terminal import (
    HEIGHT,
    QUICK,
    WIDTH,
    bytes_of,
    manifest_of,
    refused,
    signalled,
    stst_command,
    waves,
)

import stst
from stst.cli import show
from stst.errors import FramesError
from stst.storage.run import load_run
from stst.video.frames import Clip, to_uint8
from stst.video.read import read_video
from stst.video.write import write_video
from stst.workflows import agreement

pytestmark = pytest.mark.usefixtures("undrawn")

CROPPED = ["cropped to the middle 107x96 px", f"resized to {WIDTH}x{HEIGHT} px"]


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A clip of another size, two frames longer."""
    path = tmp_path_factory.mktemp("other") / "other.webm"
    write_video(Clip(waves(6, 96, 128).frames.flip(3), Fraction(25)), path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A smaller clip of another rate."""
    path = tmp_path_factory.mktemp("small") / "small.webm"
    write_video(Clip(waves(4, 48, 40).frames, Fraction(30)), path)
    return path


@pytest.fixture(scope="module")
def pair(film, other, tmp_path_factory):
    """Two clips factorised by cropping the second: (folder, what was said)."""
    folder = tmp_path_factory.mktemp("pair") / "out"
    words = ("--fit", "crop", "--out", folder, *QUICK)
    return folder, stst_command("factorize", film, other, *words)


def test_one_message_names_all_differences_and_what_mends_each(film, small, tmp_path):
    out = tmp_path / "out"
    said = stst_command("factorize", film, small, "--out", out, *QUICK)
    assert refused(
        said,
        "clips must agree with natural.webm (80x72 px, 25 frames/s)",
        "small.webm has 40x48 px; to give it the same size, use --fit crop, pad or stretch, "
        "with --enlarge because it is smaller.",
        "small.webm has 30 frames/s; to give all the same rate, use --retime 25.",
    )
    assert not out.exists()
    said = stst_command("factorize", film, small, "--fit", "pad", "--out", out, *QUICK)
    assert refused(said, "small.webm is 40x48 px", "--enlarge")


def test_the_second_clip_is_fitted_to_the_first_and_the_shorter_counts(pair, film, other):
    folder, said = pair
    assert said.code == 0, said
    recipe = {"octaves": [{"steps": 2}], "pad": 1, "weights.time_texture": [0, 1]}
    recipe = stst.Recipe.preset("default").with_settings(recipe)
    space, time = read_video(film), read_video(other)
    fitted = time.resize(WIDTH, HEIGHT, fit="crop")[:4]
    made = stst.factorize(space, fitted, spatial="compact", recipe=recipe).result().clip
    found = load_run(folder)
    np.testing.assert_array_equal(to_uint8(found.clip.frames), to_uint8(made.frames))
    assert found.naturals["time"].frames.equal(fitted.frames)


def test_screen_manifest_and_methods_say_what_was_done_to_each_clip(pair, film):
    folder, said = pair
    cut = "other.webm: only the first 4 of 6 frames are used, because natural.webm has only 4"
    assert cut in said.out
    manifest = manifest_of(folder)
    assert manifest["time"]["changes"] == CROPPED
    assert (manifest["time"]["width"], manifest["time"]["height"]) == (WIDTH, HEIGHT)
    assert "changes" not in manifest["source"]
    assert cut in manifest["warnings"]
    told = " ".join(stst_command("methods", folder).out.split())
    assert f"Frames of other.webm were {' and '.join(CROPPED)}." in told
    assert f"Note: {cut}" in told


def is_the_same(folder, pair):
    """Whether a folder holds the metamer of the pair, and says the same of the second clip."""
    told, meant = manifest_of(folder), manifest_of(pair[0])
    same = all(told[key] == meant[key] for key in ("time", "warnings"))
    return same and bytes_of(folder)["metamer.webm"] == bytes_of(pair[0])["metamer.webm"]


def test_a_fitted_pair_is_repeated(pair, tmp_path):
    recipe = pair[0] / "recipe.yaml"
    assert yaml.safe_load(recipe.read_text())["time"]["fit"] == "crop"
    again = tmp_path / "again"
    assert stst_command("synthesize", "--recipe", recipe, "--out", again).code == 0
    assert is_the_same(again, pair)


@pytest.mark.slow
def test_a_fitted_pair_goes_on_after_a_stop(pair, film, other, tmp_path, monkeypatch):
    stopped = tmp_path / "stopped"
    words = ("--fit", "crop", "--out", stopped, *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(show.TERMINAL, "follow", signalled(signal.SIGTERM, 8))
        assert stst_command("factorize", film, other, *words).code == 143
    assert stst_command("resume", stopped).code == 0
    assert is_the_same(stopped, pair)


def test_a_size_by_name_is_in_manifest_recipe_and_methods(other, tmp_path):
    out = tmp_path / "out"
    words = ("--width", 40, "--height", 40, "--fit", "crop", "--frames", 2)
    assert stst_command("scramble", other, "--kind", "reversed", "--out", out, *words).code == 0
    wanted = read_video(other, width=40, height=40, fit="crop", frames=2).frames.flip(0)
    assert np.array_equal(to_uint8(load_run(out).clip.frames), to_uint8(wanted))
    changes = ["cropped to the middle 96x96 px", "resized to 40x40 px"]
    assert manifest_of(out)["source"]["changes"] == changes
    told = " ".join(stst_command("methods", out).out.split())
    assert f"Frames of other.webm were {' and '.join(changes)}." in told
    assert yaml.safe_load((out / "recipe.yaml").read_text())["source"]["fit"] == "crop"


@pytest.mark.parametrize("statistic", ["rms", "histogram"])
def test_a_set_is_matched_at_the_size_of_its_first_clip(statistic, film, other, tmp_path):
    out = tmp_path / "out"
    words = ("match", film, other, "--statistic", statistic, "--out", out)
    if statistic == "histogram":
        assert refused(
            stst_command(*words),
            "histograms can only be matched between clips",
            "--fit crop, pad or stretch",
        )
    said = stst_command(*words, "--fit", "stretch")
    assert said.code == 0, said
    fitted = read_video(other).resize(WIDTH, HEIGHT, fit="stretch")
    fitted = fitted if statistic == "rms" else fitted[:4]  # which need not be of one length
    matched = stst.match_set([read_video(film), fitted], statistic=statistic).clips[1]
    found = load_run(out / "other")
    assert np.array_equal(to_uint8(found.clip.frames), to_uint8(matched.frames))
    assert found.manifest.source["changes"] == [f"stretched to {WIDTH}x{HEIGHT} px"]
    assert bool(found.warnings) == (statistic == "histogram")
    assert found.natural.frames.equal(fitted.frames)


def test_a_clip_is_evaluated_at_size_and_length_of_the_natural_one(film, other, tmp_path):
    out, words = tmp_path / "out", ("--network", "none")
    against = ("--against", f"metamer={other}", "--out", out)
    said = stst_command("evaluate", film, *against, *words)
    assert refused(said, "other.webm has 128x96 px", "--fit crop, pad or stretch.")
    said = stst_command("evaluate", film, *against, *words, "--fit", "crop")
    assert said.code == 0, said
    fitted = read_video(other).resize(WIDTH, HEIGHT, fit="crop")[:4]
    wanted = stst.evaluate(read_video(film), {"metamer": fitted}, stimulus="natural")
    found = load_run(out)
    told, meant = (
        table[table["condition"] == "metamer"].set_index("measure")["value"].to_dict()
        for table in (found.tables["errors"], wanted.errors)
    )
    assert told == pytest.approx(meant, 1e-4)
    (record,) = found.manifest.model_dump()["made"]
    assert record["how"].endswith(f", {', '.join(CROPPED)}.")
    assert "only the first 4 of 6 frames" in record["notes"][0]


@pytest.fixture
def kinds():
    """Clips that differ in one thing each, by what mends it."""
    return {
        "--fit": Clip(torch.rand(4, 3, 8, 9), 25),
        "--retime 25": Clip(torch.rand(4, 3, 8, 8), 24),
    }


def test_each_difference_is_named_alone(kinds):
    first = Clip(torch.rand(4, 3, 8, 8), 25)
    agreement.refuse_unlike("ab", [first, first[:2]])  # lengths are no fault
    for option, clip in kinds.items():
        with pytest.raises(FramesError) as caught:
            agreement.refuse_unlike("ab", [first, clip])
        assert [other for other in kinds if other in str(caught.value)] == [option]


def _unfitted(source, size):
    return source


def _longest(names, readings):
    return readings


@pytest.mark.parametrize(
    ("name", "bug", "fault"),
    [
        ("sized", _unfitted, "clips must agree"),
        ("cut_to_shortest", _longest, "must have the same frames"),
    ],
)
def test_a_planted_bug_is_caught(name, bug, fault, film, other, tmp_path, monkeypatch):
    monkeypatch.setattr(agreement, name, bug)
    words = ("--fit", "crop", "--out", tmp_path / "out", *QUICK)
    assert refused(stst_command("factorize", film, other, *words), fault)
