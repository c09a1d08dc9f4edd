"""Films of all that a film can say, frame by frame against FFmpeg 9's own decoding of them."""

import os
from concurrent.futures import ThreadPoolExecutor

import film_matrix as matrix
import numpy as np
import pytest
from many_decoded import answers

EXACT = 2  # levels of 255 in the middle of each block; 1 of them is swscale's rounding
LOSSY = ("mpeg1", "mpeg2", "mpeg4", "xvid", "h263", "wmv1", "wmv2", "msmpeg4", "flv1", "snow")
LOSSY += ("svq1", "theora", "mjpeg", "dirac")  # their chroma differs within a block
SPREAD = ("yuv410p", "yuv411p")  # chroma of four columns: interpolation reaches the middle
MARKS = ("not square", "interlaced", "transparent")
MEAN = 12  # levels, over all px: contours of chroma are interpolated in different ways
OTHER_THAN_VP8 = ("bt709", "smpte240m", "fcc", "bt2020nc")  # which has BT.601
SEVERAL = 30  # the default suite takes one film of so many


def known_difference(case):
    """Words of the warning, where FFmpeg's program shows something else (docs/reference)."""
    if case.codec == "hevc" and case.has_alpha:
        return "second layer"
    if case.codec == "magicyuv" and case.is_grey:
        return "grey of limited range"
    if case.codec == "vp8" and case.has_alpha and case.container != "ivf":
        return "in its frames" if case.matrix in OTHER_THAN_VP8 or case.range == "pc" else None
    if case.scan and case.turn not in (0, 4):
        return "interlaced"
    if case.format == "pal8" and case.crop and case.turn:
        return "transparent"
    return None


def is_refused(case, error):
    """Whether a refusal names something that the film really says."""
    return ("high dynamic range" in error and case.transfer in matrix.HDR) or (
        "colour matrix 8" in error and case.matrix == "ycgco"
    )


def middles(shape, case):
    """Where the middle of each block is, 5 px wide: (H, W) bool."""
    rows, columns = (count - bool(case.crop) for count in (matrix.ROWS, matrix.COLUMNS))
    rows, columns = (columns, rows) if case.turn % 2 else (rows, columns)
    off = [
        np.abs((np.arange(size) + 0.5) * count / size % 1 - 0.5) * size / count <= 2.5
        for size, count in zip(shape, (rows, columns), strict=True)
    ]
    return off[0][:, None] & off[1]


def tolerance(case):
    return 5 if case.format in SPREAD else 3 if case.codec in LOSSY else EXACT


def fault(case, answer, shown):
    """What is wrong with the reading of a film, or None."""
    if "error" in answer:
        return None if is_refused(case, answer["error"]) else f"refused: {answer['error']}"
    told = " ".join(answer["remarks"])
    if (words := known_difference(case)) is not None:
        return None if words in told else f"a known difference that is not told: {told}"
    frames = answer["frames"].transpose(0, 2, 3, 1)
    if shown is None or frames.shape != shown.frames.shape:
        return f"{frames.shape} for {shown and shown.frames.shape}"
    gap = 255 * np.abs(frames - shown.frames).max(-1)
    worst = gap[:, middles(gap.shape[1:], case)].max()
    if worst > tolerance(case) or gap.mean() > MEAN:
        return f"{worst:.2f} levels off in a block, {gap.mean():.2f} on average"
    marks = {words for words in MARKS if words in told}
    return None if marks == shown.marks else f"told of {marks}, for {shown.marks}"


def faults(films, replies):
    """{name: what is wrong} of the films that are read wrongly."""
    judged = {
        case.name: fault(case, answer, films[case])
        for case, answer in zip(films, replies, strict=True)
    }
    return {name: text for name, text in judged.items() if text}


@pytest.fixture(scope="module")
def maker(ffmpeg_program, tmp_path_factory):
    return matrix.Maker(ffmpeg_program, tmp_path_factory.mktemp("matrix"))


def make(maker, cases):
    """{case: what FFmpeg shows of its film} of the cases that FFmpeg can make."""
    cases = maker.make(cases)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(cases, pool.map(maker.decode, cases), strict=True))


def read(maker, films, bug=""):
    return answers([maker.path(case) for case in films], bug)


@pytest.fixture(scope="module")
def sample(maker):
    """A few films, and some that are known to be shown in another way."""
    cases = matrix.chosen()
    each_difference = {known_difference(case): case for case in cases}
    return make(maker, cases[::SEVERAL] + list(each_difference.values()))


def test_a_sample_of_films_is_shown_as_ffmpeg_shows_it(maker, sample):
    assert len(sample) > 30
    assert faults(sample, read(maker, sample)) == {}


@pytest.mark.slow
def test_all_films_are_shown_as_ffmpeg_shows_them(maker):
    cases = matrix.chosen()
    films = make(maker, cases)
    replies = read(maker, films)
    refused = sum("error" in reply for reply in replies)
    different = sum(known_difference(case) is not None for case in films)
    print(len(cases), "cases,", len(films), "made,", refused, "refused,", different, "different")
    assert faults(films, replies) == {}
    assert len(films) - refused - different >= 800


def test_the_number_of_each_frame_can_be_read():
    assert len({frame[0, :3].tobytes() for frame in matrix.blocks()}) == matrix.FRAMES


BUGS = {
    "the matrix": "pixels.matrix = lambda frame, tags: pixels.BT601",
    "the range": "pixels.is_full_range = lambda frame, tags: False",
    "the turn": "reader.upright = lambda rgb, side: rgb",
    "the crop of the container": "reader.cropped = lambda rgb, header: rgb",
    "transparency": "pixels._alpha = lambda frame: pixels.np.float32([1])",
    "side data that PyAV does not know": "reader.side_data = lambda frame, decoder: {}",
    "differences that are not told": "reader.disagreements = lambda *_: ()",
    "layers that are not told": "header._has_second_layer = lambda *_: False",
}


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_a_reader_that_does_not_see_it_is_caught(bug, maker, sample):
    assert faults(sample, read(maker, sample, BUGS[bug]))
