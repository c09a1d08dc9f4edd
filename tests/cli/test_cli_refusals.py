"""What cannot be done gets one clear line and exit code 2, and nothing is written."""

import errno
import os
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from PIL import Image
from terminal import FRAMES, HEIGHT, QUICK, WIDTH, refused, stst_command, waves

from stst.storage import run as sources
from stst.video.write import write_video


def write_sound(path):
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
    silence.sample_rate = 8000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000)
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))


def bad_input(kind, folder):
    path = folder / kind
    if kind == "empty.mp4":
        path.touch()
    elif kind == "text.mp4":
        path.write_text("This is no video.\n" * 50)
    elif kind == "sound.mkv":
        write_sound(path)
    elif kind == "one_frame.gif":
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    elif kind == "small.webm":
        write_video(waves(height=40, width=40), path)
    elif kind == "declares_10_gb.y4m":
        path.write_bytes(b"YUV4MPEG2 W16000 H16000 F25:1 Ip A1:1 C420jpeg\nFRAME\n")
    elif kind == "declares_10_gb.npy":
        header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.uint8))
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header | {"shape": (40000, 300, 300, 3)})
    return path


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing.mp4", "does not exist"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "not a video"),
        ("sound.mkv", "no video stream"),
        ("one_frame.gif", "gives 1 frames"),
        ("small.webm", "40x40 px is too small"),
        ("declares_10_gb.y4m", "16000x16000 px"),
        ("declares_10_gb.npy", "not a readable .npy"),
    ],
)
def test_an_input_that_cannot_be_used_gets_one_line(kind, told, tmp_path):
    path, out = bad_input(kind, tmp_path), tmp_path / "out"
    said = stst_command("synthesize", path, "--out", out, "--spatial", "compact")
    assert refused(said, told, "40x40" if kind == "small.webm" else path)
    assert said.out == ""
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--preset", "greco2023"), "Did you mean 'greco2024'?"),
        (("--preset", "draft"), "Presets: default, greco2024"),
        (("--quality", "hihg"), "Did you mean 'high'?"),
        (("--quality", "high", "--preset", "greco2024"), "scaling: relative"),
        (("--quality", "high", "--set", "scaling=raw"), "scaling: relative"),
        (("--set", "padd=1"), "Did you mean 'pad'?"),
        (("--set", "octaves.0.stepz=1"), "Did you mean 'steps'?"),
        (("--set", "octaves.9.steps=1"), "octaves.9.steps"),
        (("--set", "pad"), "key=value"),
        (("--set", "pad=[1"), "not a valid YAML value"),
        (("--set", "pad=-1"), "pad"),
        (("--set", "pad=0"), "pad=1"),
        (("--set", "pad=4"), "at least 5"),
        (("--spatial", "compakt"), "Did you mean 'compact'?"),
        (("--spatial", "msoe"), "not a spatial and a temporal stream"),
        (("--weights", "none.h5"), "there is no weights file"),
        (("--device", "abacus"), "--device cpu"),
        (("--device", "meta"), "--device cpu"),
        (("--set", "pad=" + "[" * 3000), "not a valid YAML value"),
        (("--frames", "9"), "9 are needed"),
        (("--width", "81"), "80x72 px and would be enlarged to 81x73 px"),
        (("--width", "81"), "--enlarge"),
        (("--width", "40", "--height", "40"), "--fit crop, pad or stretch"),
        (("--width", "40", "--fit", "cropp"), "'crop', 'pad' or 'stretch', got 'cropp'"),
        (("--fps", "nought"), "frame rate"),
        (("--fps", "1e999999999"), "frame rate"),
        (("--width", "9" * 30, "--enlarge"), "a side is 1 to 32768 px"),
        (("--recipe", "none.yaml"), "none.yaml"),
    ],
)
def test_a_wrong_option_gets_one_line_with_a_guess(words, told, film, tmp_path):
    out = tmp_path / "out"
    spatial = () if "--spatial" in words else ("--spatial", "compact")
    assert refused(stst_command("synthesize", film, "--out", out, *spatial, *words), told)
    assert not out.exists()


@pytest.mark.parametrize(("option", "most"), [("--seeds", 1000), ("--threads", 1024)])
def test_a_number_that_no_machine_can_have_is_refused(option, most):
    said = stst_command("synthesize", "any.mp4", option, "9" * 9)
    assert said.code == 2
    assert str(most) in said.err


def test_no_video_is_asked_for():
    assert refused(stst_command("synthesize"), "no video given")


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "open_video", lambda *_, **__: pytest.fail("it was read"))
    (tmp_path / "notes.txt").write_text("mine")
    said = stst_command("synthesize", "any.mp4", "--out", tmp_path, *QUICK)
    assert refused(said, tmp_path, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "open_video", lambda *_, **__: pytest.fail("it was read"))
    (tmp_path / "file").touch()
    said = stst_command("synthesize", "any.mp4", "--out", tmp_path / "file" / "run", *QUICK)
    assert refused(said, tmp_path / "file", "--out")


@pytest.mark.parametrize(
    "words",
    [("synthesize", "x" * 300), ("synthesize", "FILM", "--out", "x" * 300), ("resume", "x" * 300)],
    ids=["video", "out", "resume"],
)
def test_a_name_that_is_too_long_gets_one_line(words, film):
    said = stst_command(*(film if word == "FILM" else word for word in words))
    assert refused(said, "x" * 300, "File name too long")


def test_a_folder_that_may_not_be_entered_gets_one_line(tmp_path, monkeypatch):
    film, exists = tmp_path / "locked" / "a.mp4", Path.exists

    def locked(path):
        if path == film:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", locked)
    said = stst_command("synthesize", film, "--out", tmp_path / "out")
    assert refused(said, film, "Permission denied")


@pytest.mark.parametrize("name", ["source", "spatial"])
def test_a_recipe_is_refused_for_another_input(name, run, film, tmp_path):
    recipe = yaml.safe_load((run[0] / "recipe.yaml").read_text())
    changed = dict(recipe["digests"])
    if name == "source":
        recipe["source"]["path"] = str(tmp_path / film.name)
        write_video(waves(FRAMES + 1), tmp_path / film.name)
    else:
        recipe["digests"]["spatial"] = changed["spatial"] = "0" * 64
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    said = stst_command(
        "synthesize", "--recipe", tmp_path / "recipe.yaml", "--out", tmp_path / "out"
    )
    assert refused(said, f"the {name} is not the file", changed[name], "digests")
    assert not (tmp_path / "out").exists()
