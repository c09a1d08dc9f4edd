"""What a folder of images, or a file that is no video, is told of: names, gaps, twins, kinds."""

import os
import zipfile

import numpy as np
import pytest
from images_of_tests import IMAGES, LEVELS, animation, read
from PIL import Image

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video import image_names, kinds, pixels
from stst.video.files import find
from stst.video.image_names import name_faults
from stst.video.read import read_video


def folder(path, names):
    path.mkdir(exist_ok=True)
    for image, name in zip(IMAGES * 9, names, strict=False):
        image.copy().save(path / name)  # to save an image changes it
    return path


NUMBERS = {
    "none missing": ([1, 2, 3, 4], ""),
    "every tenth": ([0, 10, 20], ""),
    "times in ms": ([33, 67, 100, 133], ""),
    "one": ([1, 2, 4], "numbers of its images: 3 missing"),
    "several": ([1, 2, 3, 5, 6, 10], "numbers of its images: 4, 7 to 9 missing"),
    "of every tenth": ([0, 10, 20, 40], "numbers of its images: 30 missing"),
    "a far one": ([1, 2, 10**12], "numbers of its images: 3 to 999999999999 missing"),
    "many": ([1, 2, 4, 6, 8, 10, 12, 14], "3, 5, 7, 9, 11, ... missing"),
}


@pytest.mark.parametrize(("numbers", "words"), NUMBERS.values(), ids=NUMBERS)
def test_missing_numbers_are_listed(numbers, words):
    told = " ".join(name_faults([f"frame_{number:04}_b2.png" for number in numbers]))
    assert words in told
    assert bool(words) == bool(told)


def test_a_bug_in_the_gaps_is_caught(monkeypatch):
    monkeypatch.setattr(image_names, "gaps", lambda numbers: [])
    with pytest.raises(AssertionError):
        test_missing_numbers_are_listed(*NUMBERS["one"])


@pytest.mark.parametrize("names", [("1.jpg", "1.png"), ("01.png", "1.png"), ("a_1.PNG", "a_1.png")])
def test_two_images_of_one_name_are_refused(names):
    with pytest.raises(FramesError, match=f"has {names[0]} and {names[1]}, two images with one"):
        list(name_faults([*names, "2.png"]))


def test_types_and_forms_of_names_are_told():
    assert "2 types: .jpg (1), .png (2)" in " ".join(name_faults(["1.png", "2.jpg", "3.png"]))
    assert "2 forms of names: f# (2), mean (1)" in " ".join(
        name_faults(["f1.png", "f2.png", "mean.png"])
    )
    assert not list(name_faults(["1.jpg", "2.jpeg", "3.JPG"]))
    assert not list(name_faults(["dawn.png", "dusk.png"]))


def test_a_kind_of_fault_is_told_once_with_its_count_and_first_file(tmp_path):
    for index, level in enumerate(LEVELS):
        Image.fromarray(np.dstack([level, level[..., 0]])).save(tmp_path / f"{index}.png")
    (told,) = read(tmp_path)[1]
    assert told.endswith("(in 6 of the images, first in 0.png)")


def test_images_of_two_sizes_are_both_named_whatever_the_width(tmp_path):
    folder(tmp_path, ["1.png", "2.png"])
    IMAGES[0].resize((20, 12)).save(tmp_path / "3.png")
    for width in (None, 10):
        with pytest.raises(FramesError, match=r"1\.png is 40x24 px, and 3\.png is 20x12 px"):
            read_video(tmp_path, frame_rate=25, width=width)


def bad(path, kind):
    if kind == "link":
        path.symlink_to("gone.png")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "animation":
        animation(path, duration=40)
    else:
        path.write_bytes(BAD[kind][0])


BAD = {
    "link": (None, "empty, a broken link or not a file"),
    "pipe": (None, "empty, a broken link or not a file"),
    "empty": (b"", "empty, a broken link or not a file"),
    "text": (b"no image\n", "but text"),
    "page": (b"\n<!DOCTYPE html><p>\xe9", "but a web page"),
    "noise": (bytes(range(256)), "damaged or not a supported image"),
    "animation": (None, "has 6 images"),
}


@pytest.mark.parametrize("kind", BAD)
def test_the_bad_file_of_a_folder_is_named(kind, tmp_path):
    folder(tmp_path, ["1.png", "3.png"])
    bad(tmp_path / "2.png", kind)
    with pytest.raises(FramesError, match=rf"has 2\.png, which .*{BAD[kind][1]}"):
        read(tmp_path)


@pytest.mark.parametrize("ending", ["tif", "webp", "avif"])
def test_several_images_in_one_file_of_a_folder_are_refused(ending, tmp_path):
    folder(tmp_path, [f"1.{ending}"])
    animation(tmp_path / f"2.{ending}")
    with pytest.raises(FramesError, match=rf"has 2\.{ending}, which has 6 images"):
        read(tmp_path)


def test_a_name_that_cannot_be_printed_is_refused(tmp_path):
    folder(tmp_path, ["1.png", "2\n.png"])
    with pytest.raises(FramesError, match=r"an unprintable name, '2\\n\.png'"):
        read(tmp_path)
    for name in ("a\nb.mp4", "a\0b", "a\x1b[2J"):
        with pytest.raises(FramesError, match="unprintable") as caught:
            find(name)
        assert str(caught.value).isprintable()


def test_what_a_folder_holds_in_place_of_images_is_told(tmp_path):
    for name in ("a.heic", "b.heic"):
        (tmp_path / name).write_bytes(b"1")
    with pytest.raises(FramesError, match=r"has no images \(.*\); its files: 2 \.heic"):
        find(tmp_path)


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_a_stream_of_a_process_is_refused(path):
    with pytest.raises(FramesError, match="Save it as a file first"):
        find(path)


HEIF = b"\0\0\0\x18ftyp"
OTHERS = {
    "web page": (b"<html><body>404", "a web page"),
    "playlist": (b"#EXTM3U\n#EXTINF:9,\nfilm.ts\n", "a playlist"),
    "HEIC": (HEIF + b"heic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
    "raw": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(99), "raw photograph"),
    "MATLAB": (b"MATLAB 5.0 MAT-file" + bytes(99), "MATLAB"),
    "gzip": (b"\x1f\x8b\x08" + bytes(99), "packed archive"),
    "PDF": (b"%PDF-1.7\n\xe2", "a PDF"),
    "text": (b"one,two\n1,2\n", "but text"),
}


@pytest.mark.parametrize(("data", "words"), OTHERS.values(), ids=OTHERS)
def test_what_is_known_to_be_no_video_is_named(data, words, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    with pytest.raises(FramesError, match=rf"not a video or an image, but .*{words}|{words}"):
        read(path)


def test_a_film_of_printable_bytes_is_no_text():
    kinds.check_kind(b"YUV4MPEG2 W8 H8 F25:1 Cmono\nFRAME\n" + b"d" * 64)
    with pytest.raises(FramesError, match="but text"):
        kinds.check_kind(b"FRAME\n" + b"d" * 64)


def test_archives_are_named_and_those_of_numpy_explained(tmp_path):
    np.savez(tmp_path / "a.npz", frames=LEVELS)
    with pytest.raises(FramesError, match=r"np\.save\('clip\.npy', np\.load"):
        read(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.mp4", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(FramesError, match="Unpack it"):
        read(tmp_path / "a.mp4")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif", "webp", "avif", "ppm"])
def test_one_image_is_no_clip(ending, tmp_path):
    IMAGES[0].save(tmp_path / f"a.{ending}")
    with pytest.raises(FramesError, match=r"is a single image .* Give a folder of images"):
        read(tmp_path / f"a.{ending}")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0000001, r"frame 1 has values from 0\.5 to 1\.0000001\. Clip the values"),
        (-1e-9, r"frame 1 has values from -1e-09 to 0\.5\. Clip the values"),
        (1.5, r"frame 1 has values from 0\.5 to 1\.5\. Divide"),
        (np.nan, r"frame 1 has values from nan to nan\. Replace the values"),
        (np.inf, r"frame 1 has values from 0\.5 to inf\. Replace the values"),
    ],
)
def test_values_out_of_range_are_told_exactly(value, words):
    frame = np.full((4, 4, 3), 0.5)
    frame[0, 0, 0] = value
    with pytest.raises(FramesError, match=words):
        pixels.to_unit(frame, 1)
