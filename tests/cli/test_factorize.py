"""`stst factorize`: two clips in, one out; a crossed set with its diagonal."""

import numpy as np
import pytest
from terminal import FILES, QUICK, bytes_of, manifest_of, refused, stst_command, waves

import stst
from stst.video.frames import Clip, to_uint8
from stst.video.read import digest, read_video
from stst.video.write import write_video

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another film: the first played backwards and upside down."""
    path = tmp_path_factory.mktemp("other") / "other.webm"
    clip = waves()
    write_video(Clip(clip.frames.flip(0, 2), clip.frame_rate), path)
    return path


@pytest.fixture(scope="module")
def pair(film, other, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair") / "out"
    assert stst_command("factorize", film, other, "--out", folder, *QUICK).code == 0
    return folder


def test_a_pair_is_what_the_library_makes(pair, film, other):
    assert {path.name for path in pair.iterdir()} == FILES
    settings = {"octaves": [{"steps": 2}], "pad": 1, "weights.time_texture": [0, 1]}
    recipe = stst.Recipe.preset("default").with_settings(settings)
    clips = read_video(film), read_video(other)
    made = stst.factorize(*clips, spatial="compact", recipe=recipe).result().clip
    found = read_video(pair / "metamer.webm")
    np.testing.assert_array_equal(to_uint8(found.frames), to_uint8(made.frames))
    alone = stst.synthesize(clips[0], spatial="compact", recipe=recipe).result().clip
    assert not np.array_equal(to_uint8(alone.frames), to_uint8(made.frames))


def test_the_manifest_and_the_methods_name_both_clips(pair, film, other):
    manifest = manifest_of(pair)
    assert (manifest["source"]["sha256"], manifest["time"]["sha256"]) == (
        digest(film),
        digest(other),
    )
    said = " ".join(stst_command("methods", pair).out.split())
    assert f"spatial features of the natural clip {film.name}" in said
    assert f"temporal ones of {other.name}" in said


def test_the_recipe_of_a_pair_repeats_it(pair, tmp_path):
    again = tmp_path / "again"
    assert stst_command("synthesize", "--recipe", pair / "recipe.yaml", "--out", again).code == 0
    for name in ("metamer.webm", "recipe.yaml"):
        assert bytes_of(again)[name] == bytes_of(pair)[name]


@pytest.mark.slow
def test_a_crossed_set_has_each_with_each(pair, film, other, tmp_path):
    out = tmp_path / "set"
    words = ("--crossed", "--out", out, *QUICK)
    assert stst_command("factorize", film, other, *words).code == 0
    names = [film.stem, other.stem]
    assert {p.name for p in out.iterdir()} == {f"{a}_{b}" for a in names for b in names}
    across = bytes_of(out / f"{film.stem}_{other.stem}")["metamer.webm"]
    assert across == bytes_of(pair)["metamer.webm"]


def test_what_cannot_be_paired_is_refused_before_anything_is_made(film, other, tmp_path):
    out = ("--out", tmp_path / "out")
    assert refused(stst_command("factorize", film, *out), "takes two videos", "got 1")
    assert refused(stst_command("factorize", film, film, other, *out), "--crossed")
    assert refused(stst_command("factorize", film, "--crossed", *out), "at least two videos")
    assert refused(stst_command("factorize", film, film, "--crossed", *out), "different names")
    assert not (tmp_path / "out").exists()
