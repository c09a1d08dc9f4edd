"""Loops, whole clips and extensions from the command line."""

import numpy as np
import pytest
from terminal import QUICK, bytes_of, manifest_of, refused, stst_command, waves

from stst.video.frames import Clip, to_uint8
from stst.video.read import digest, read_video
from stst.video.write import write_video

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.mark.slow
def test_a_loop_is_made_and_repeated(film, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    words = ("--set", "whole={loop: true}", "--set", "distances=[1,2]")
    said = stst_command("synthesize", film, "--out", one, *QUICK, *words)
    assert said.code == 0
    assert "(and 0 pad frames)" in said.out
    assert stst_command("synthesize", "--recipe", one / "recipe.yaml", "--out", two).code == 0
    assert bytes_of(one)["metamer.webm"] == bytes_of(two)["metamer.webm"]
    assert "time_texture/energy@2" in manifest_of(one)["residuals"]
    said = " ".join(stst_command("methods", one).out.split())
    assert "all together as a seamless loop (frame pairs at distances of 1, 2)" in said
    assert "pad frames were made" not in said


def test_a_clip_goes_on_from_given_frames(film, tmp_path):
    given, out = tmp_path / "given.webm", tmp_path / "out"
    clip = waves()
    write_video(Clip(clip.frames[:2].flip(3), clip.frame_rate), given)
    said = stst_command("synthesize", film, "--given", given, "--out", out, *QUICK)
    assert said.code == 0
    made = read_video(out / "metamer.webm").frames
    np.testing.assert_array_equal(to_uint8(made[:2]), to_uint8(read_video(given).frames))
    manifest = manifest_of(out)
    assert manifest["given"]["sha256"] == digest(given)
    frames = manifest["residuals"]["space_texture/block1_conv1"]["frames"]
    assert frames[:2] == [None, None]
    assert None not in frames[2:]
    said = " ".join(stst_command("methods", out).out.split())
    assert f"Frames after those given ({given.name}) were optimised one after the other" in said


def test_more_frames_than_the_clip_has_cannot_be_given(film, tmp_path):
    said = stst_command("synthesize", film, "--given", film, "--out", tmp_path / "out", *QUICK)
    assert refused(said, "4 frame(s) are given for a clip of 4")
