"""Bugs planted in the reader of images, each caught by the test of its fault."""

import re
from fractions import Fraction

import pytest
import test_animations as animations
import test_folders as folders
import test_images as images

from stst.errors import FramesError
from stst.video import image_claims, image_films, image_names, image_pixels, pixels, timing
from stst.video import images as reader
from stst.video import reader as film_reader

MILLISECONDS = [33, 33, 34] * 2
PAGE = images.TIFFS["RGB16"]
BUGS = {
    "first page alone": (
        (reader, "count_frames", lambda image, remarks: 1),
        lambda tmp: folders.test_several_images_in_one_file_of_a_folder_are_refused("tif", tmp),
    ),
    "colours cut to 8 bits": (
        (image_pixels, "is_deep_rgb", lambda image: False),
        lambda tmp: images.test_pages_of_a_tiff_are_its_frames(*PAGE, tmp),
    ),
    "white is one": (
        (image_pixels, "_is_inverted", lambda image: False),
        lambda tmp: images.test_pages_of_a_tiff_are_its_frames(
            *images.TIFFS["white is zero, 16"], tmp
        ),
    ),
    "transparency left out": (
        (image_pixels, "_over_black", lambda rgba, remarks: rgba[..., :3]),
        lambda tmp: images.test_stills_are_those_of_pillow(*images.STILLS["TIFF and alpha"], tmp),
    ),
    "the second track of an AVIF left out": (
        (image_films.Avif, "__iter__", lambda self: iter(self._tracks[0])),
        lambda tmp: animations.test_an_animation_has_the_frames_that_pillow_has(
            "avif", animations.HALF, tmp
        ),
    ),
    "transparency applied twice": (
        (image_films, "PREMULTIPLIED", re.compile(b"no such box")),
        lambda tmp: animations.test_an_avif_whose_colours_are_multiplied_already_looks_the_same(
            False, tmp
        ),
    ),
    "what the other track says is damage": (
        (film_reader.Video, "_forget_others", lambda film: None),
        lambda tmp: animations.test_an_animation_has_the_frames_that_pillow_has(
            "avif", animations.HALF, tmp
        ),
    ),
    "not turned": (
        (image_films, "turned", lambda rgb, orientation: rgb),
        lambda tmp: images.test_other_pictures_are_turned_and_mirrored("avif", 5, tmp),
    ),
    "deaf to profiles": (
        (image_claims, "profile_name", lambda profile: None),
        lambda tmp: images.test_a_profile_that_is_not_srgb_is_named("png", tmp),
    ),
    "every profile is another": (
        (image_claims, "NEAR", -1),
        lambda tmp: images.test_a_profile_that_is_not_srgb_is_named("png", tmp),
    ),
    "deaf to lost pages": (
        (reader, "page_bytes", lambda image: 0),
        images.test_pages_that_a_tiff_has_lost_are_told_of,
    ),
    "times that need not fit": (
        (timing.Times, "rates", lambda times: [Fraction(25)]),
        lambda tmp: animations.test_delays_of_a_millisecond_are_those_of_a_rate(
            "webp", MILLISECONDS, 30, tmp
        ),
    ),
    "twins taken": (
        (image_names, "_numbers_plain", lambda stem: object()),
        lambda tmp: folders.test_two_images_of_one_name_are_refused(("1.jpg", "1.png")),
    ),
    "few digits": (
        (pixels, "ROUNDING", 0),
        lambda tmp: folders.test_values_out_of_range_are_told_exactly(1.0000001, "Clip the values"),
    ),
}


@pytest.mark.parametrize(("bug", "check"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_caught(bug, check, tmp_path, monkeypatch):
    monkeypatch.setattr(*bug)
    with pytest.raises((AssertionError, pytest.fail.Exception, FramesError)):
        check(tmp_path)
