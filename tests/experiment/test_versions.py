"""Files of an experiment: stimuli as they are, cut, filtered; and tables that are wrong."""

import numpy as np
import pytest

from small_sets import QUICK, write_set
from stst import make_control
from stst.errors import FramesError, RecipeError
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.versions import Version, write_versions
from stst.video.files import digest
from stst.video.frames import to_uint8
from stst.video.read import read_video

NAME = "c0_natural_0"
SPEC = ExperimentSpec.parse({**QUICK, "task": "detection", "bands": {"fine": {"low": 0.125}}})


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A set of one stimulus."""
    folder = tmp_path_factory.mktemp("one")
    write_set(folder, clips=1, metamers=0)
    return folder


def written(one, out, **what):
    version = Version(stimulus=NAME, **what)
    file = write_versions(SPEC, read_set(one), [version], one, out)[version]
    assert digest(out / file.vp9) == file.vp9_sha256
    assert digest(out / file.h264) == file.h264_sha256
    found = read_video(out / file.vp9)
    assert (file.frames, file.height, file.width) == (len(found), *found.size)
    return to_uint8(found.frames).astype(int)


def test_a_whole_stimulus_is_copied_to_the_byte(one, tmp_path):
    written(one, tmp_path)
    copy = next((tmp_path / "clips").glob("*.webm"))
    assert copy.read_bytes() == (one / f"{NAME}.webm").read_bytes()


def test_a_cut_has_the_first_frames_and_a_blank_the_mean_colour(one, tmp_path):
    natural = read_video(one / f"{NAME}.webm").frames
    cut = written(one, tmp_path, duration=0.1)
    assert np.array_equal(cut, to_uint8(natural)[:2])
    blank = written(one, tmp_path, contrast=0)
    mean = natural.mean((0, 2, 3)).numpy() * 255
    assert np.ptp(blank, (0, 1, 2)).max() == 0
    assert np.abs(blank[0, 0, 0] - mean).max() <= 0.5 + 1e-3


def test_contrast_multiplies_what_passes_the_band(one, tmp_path):
    natural = read_video(one / f"{NAME}.webm")
    passed = make_control(natural, "band", low=0.125).clip.frames
    mean = natural.frames.mean((0, 2, 3), keepdim=True)
    half = written(one, tmp_path, band="fine", contrast=0.5)
    assert np.abs(half - to_uint8(mean + 0.5 * (passed - mean))).max() == 0


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"duration": 9.0}, "cannot be cut"),
        ({"duration": 0.01}, "at least 2"),
        ({"band": "fine", "contrast": 1e-4}, "Remove contrasts below"),
    ],
)
def test_a_version_that_cannot_be_is_refused(one, tmp_path, what, said):
    with pytest.raises(RecipeError, match=said):
        written(one, tmp_path, **what)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",c0_natural_0.webm", ",../../x.webm", "not in"),
        (",natural,", ",,", "line 2: condition"),
        ("c0_natural_0,", "c0_natural_0;x,", "';'"),
        ("stimulus,file", "name,file", "line 2: stimulus"),
    ],
)
def test_a_table_that_is_wrong_is_refused(one, tmp_path, old, new, said):
    text = (one / "stimuli.csv").read_text()
    assert old in text
    (tmp_path / "stimuli.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError, match=said):
        read_set(tmp_path)


def test_no_table_and_a_file_that_was_changed_are_named(one, tmp_path):
    with pytest.raises(RecipeError, match=r"no stimuli\.csv"):
        read_set(tmp_path)
    for path in one.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / f"{NAME}.webm").open("ab") as file:
        file.write(b"x")
    with pytest.raises(FramesError, match="SHA-256"):
        written(tmp_path, tmp_path)


def test_the_columns_of_a_batch_are_understood(one, tmp_path):
    text = (one / "stimuli.csv").read_text().splitlines()
    names, cells = (line.split(",") for line in text)
    told = dict(zip(names, cells, strict=True)) | {"space": "", "time": "", "pair": "c9"}
    told |= {"label": "fish", "stimulus": "factorised/default/c0_c9/seed_0"}
    (tmp_path / "stimuli.csv").write_text(f"{','.join(told)}\n{','.join(told.values())}\n")
    (found,) = read_set(tmp_path)
    assert (found.space, found.time, found.category) == ("c0", "c9", "fish")
