"""Sheets and figures, pixel by pixel and line by line."""

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stst.drawing.figures import MATCHED, loss_figure, make_panels, png_bytes
from stst.errors import FramesError
from stst.report.sheet import contact_sheet, side_by_side
from stst.video.frames import Clip, to_clip, to_uint8

pytestmark = pytest.mark.usefixtures("globals_unchanged")
CAPTION = "compact: embedded stand-in for VGG-19 · seed 0 · default"


def noise(seed: int, frames: int = 3, height: int = 162, width: int = 170) -> Clip:
    """Make a clip of which no two blocks of pixels are alike."""
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, height, width, generator=dice), Fraction(25))


def read(path: Path | BytesIO) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def place(sheet: Image.Image, block: np.ndarray) -> tuple[int, int]:
    """Row and column where `block` stands exactly, and once, in the sheet."""
    page, (height, width) = np.asarray(sheet), block.shape[:2]
    corners = np.argwhere((page == block[0, 0]).all(-1))
    found = [
        (int(row), int(column))
        for row, column in corners
        if np.array_equal(page[row : row + height, column : column + width], block)
    ]
    assert len(found) == 1, f"{len(found)} times"
    return found[0]


def enlarged(pixels: np.ndarray, down: int, across: int) -> np.ndarray:
    return np.kron(pixels, np.ones((down, across, 1), np.uint8))


def check_frames_stand(sheet: Image.Image, natural: Clip, metamer: Clip) -> None:
    """Natural over metamer, in order from the left, column under column."""
    upper = [place(sheet, frame) for frame in to_uint8(natural.frames)]
    lower = [place(sheet, frame) for frame in to_uint8(metamer.frames)]
    assert upper == sorted(upper)
    assert len({row for row, _ in upper}) == 1
    assert [column for _, column in lower] == [column for _, column in upper]
    assert min(row for row, _ in lower) >= upper[0][0] + natural.size[0]


def check_slices_stand(sheet: Image.Image, natural: Clip, metamer: Clip) -> None:
    """Natural's left of metamer's, below all frames; t runs down."""
    middle = natural.size[0] // 2
    slices = [to_uint8(clip.frames)[:, middle] for clip in (natural, metamer)]
    (top, left), (also_top, right) = (place(sheet, enlarged(s, 24, 1)) for s in slices)
    assert top == also_top
    assert right >= left + natural.size[1]
    assert top >= place(sheet, to_uint8(metamer.frames)[0])[0] + natural.size[0]


CHECKS = [check_frames_stand, check_slices_stand]


@pytest.mark.parametrize("check", CHECKS)
def test_every_pixel_stands_in_the_sheet(check):
    natural, metamer = noise(0), noise(1)
    sheet = contact_sheet({"natural": natural, "metamer": metamer}, caption=CAPTION)
    check(sheet, natural, metamer)
    first = [place(sheet, to_uint8(clip.frames)[0])[0] for clip in (natural, metamer)]
    assert first == sorted(first)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("planted", ["swapped", "reversed", "mirrored", "smeared"])
def test_a_wrong_sheet_is_seen(check, planted):
    natural, metamer = noise(0), noise(1)
    shown = {
        "swapped": (metamer, natural),
        "reversed": tuple(Clip(c.frames.flip(0), c.frame_rate) for c in (natural, metamer)),
        "mirrored": tuple(Clip(c.frames.flip(3), c.frame_rate) for c in (natural, metamer)),
        "smeared": tuple(
            Clip((c.frames + c.frames.roll(1, 3)) / 2, c.frame_rate) for c in (natural, metamer)
        ),
    }
    sheet = contact_sheet(dict(zip(("natural", "metamer"), shown[planted], strict=True)))
    with pytest.raises(AssertionError):
        check(sheet, natural, metamer)


def test_frames_are_evenly_spread_from_first_to_last():
    natural, metamer = noise(0, frames=20), noise(1, frames=20)
    sheet = contact_sheet({"natural": natural, "metamer": metamer}, columns=3)
    frames = to_uint8(natural.frames)
    columns = [place(sheet, frames[index])[1] for index in (0, 10, 19)]
    assert columns == sorted(columns)
    with pytest.raises(AssertionError, match="0 times"):
        place(sheet, frames[1])


def test_small_frames_are_enlarged_by_repeating_pixels():
    natural, metamer = noise(0, height=20, width=32), noise(1, height=20, width=32)
    sheet = contact_sheet({"natural": natural, "metamer": metamer})
    upper, lower = (place(sheet, enlarged(to_uint8(c.frames)[0], 5, 5)) for c in (natural, metamer))
    assert lower[0] >= upper[0] + 5 * natural.size[0]  # enlarged by 160 // 32


def test_large_frames_are_reduced_by_averaging_blocks():
    natural, metamer = (noise(s, frames=1, height=300, width=720) for s in (0, 1))
    page = np.asarray(contact_sheet({"natural": natural, "metamer": metamer}))
    means = to_uint8(natural.frames)[0].reshape(150, 2, 360, 2, 3).mean((1, 3))
    block = means.round().astype(np.uint8)
    _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(page, block, cv2.TM_SQDIFF))
    assert np.abs(page[top : top + 150, left : left + 360] - means).max() <= 0.5


@given(st.integers(1, 12), st.integers(2, 400), st.integers(2, 400), st.integers(1, 9))
def test_any_shape_gives_a_legible_sheet(frames, height, width, columns):
    grey = Clip(torch.full((frames, 3, height, width), 0.5), Fraction(25))
    sheet = contact_sheet({"natural": grey, "metamer": grey}, columns=columns, caption=CAPTION)
    page = np.asarray(sheet)
    assert sheet.mode == "RGB"
    assert (page[0] == 255).all()  # a white margin all round
    assert (page[-1] == 255).all()
    assert (page[:, 0] == 255).all()
    assert (page[:, -1] == 255).all()
    shown = min(frames, columns)
    assert (page == 128).all(-1).sum() >= 2 * shown * min(height * width, 40)


def test_the_caption_is_written_above_the_frames():
    natural, metamer = noise(0), noise(1)
    without, given_one = (
        contact_sheet({"natural": natural, "metamer": metamer}, caption=c) for c in ("", CAPTION)
    )
    top, left = place(given_one, to_uint8(natural.frames)[0])
    changed = np.argwhere((np.asarray(without) != np.asarray(given_one)).any(-1))
    assert changed[:, 0].max() < top
    assert changed[:, 1].min() >= left
    assert np.ptp(changed[:, 1]) > 300


def test_a_long_caption_is_written_in_several_lines():
    films = {"natural": noise(0), "metamer": noise(1)}
    long, none = (contact_sheet(films, caption=text) for text in (CAPTION * 40, ""))
    assert long.size[0] == none.size[0]
    assert long.size[1] > none.size[1] + 50


@pytest.mark.parametrize("show", [contact_sheet, side_by_side])
@pytest.mark.parametrize(
    "other",
    [
        noise(1, frames=4),
        noise(1, height=161),
        noise(1, width=171),
        Clip(noise(1).frames, Fraction(30)),
    ],
)
def test_clips_that_differ_are_refused(show, other):
    with pytest.raises(FramesError, match=r"natural has 3 frames .* metamer has"):
        show({"natural": noise(0), "metamer": other})


def test_a_sheet_without_columns_is_refused():
    with pytest.raises(FramesError, match="at least 1 column, got 0"):
        contact_sheet({"natural": noise(0), "metamer": noise(1)}, columns=0)


def test_side_by_side_keeps_every_value():
    natural, metamer = noise(0), noise(1)
    both = side_by_side({"natural": natural, "metamer": metamer})
    assert both.frame_rate == natural.frame_rate
    frames = to_clip(both).frames
    assert torch.equal(frames[..., :170], natural.frames)
    assert torch.equal(frames[..., -170:], metamer.frames)
    assert (frames[..., 170:-170] == 0.5).all()
    assert both.size == (162, 348)


def test_no_more_than_a_frame_is_taken_at_once_to_be_shown(watched):
    natural, metamer = watched(noise(0, frames=20)), watched(noise(1, frames=20))
    both = side_by_side({"natural": natural, "metamer": metamer})
    assert (natural.most, len(both)) == (0, 20)
    both.take([3])
    sheet = contact_sheet({"natural": natural, "metamer": metamer})
    assert (natural.most, metamer.most) == (1, 1)
    plain = contact_sheet({"natural": natural.footage, "metamer": metamer.footage})
    assert np.array_equal(np.asarray(sheet), np.asarray(plain))
    to_clip(both)
    assert natural.most == 20  # a way of showing that takes all frames would be seen


def lines(axes) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_losses_and_residuals_are_drawn_as_they_are():
    losses = {
        "space_texture": [4.0, 2.0, 3.0, 1.0],
        "total_variation": [1.0, 0.0, np.inf, 2.0],
    }
    residuals = {
        "space_texture/a": np.array([0.1, 0.3]),
        "space_texture/b": np.array([0.2, 0.4]),
    }
    upper, lower = loss_figure(losses, residuals, boundaries=[0, 2]).axes
    assert [axes.get_xlabel() for axes in (upper, lower)] == ["optimiser step", "kept frame"]
    drawn = lines(upper)["space_texture"]
    assert drawn.tolist()[:2] == [[0, 4], [1, 2]]
    assert np.isnan(drawn[2, 1])  # no line from the end of one frame to the next
    assert drawn.tolist()[3:] == [[2, 3], [3, 1]]
    assert np.isnan(lines(upper)["total_variation"][[1, 2, 3], 1]).all()
    boundaries = upper.collections[0].get_segments()
    assert [segment[0, 0] for segment in boundaries] == [0, 2]
    assert lines(lower)["space_texture/b"].tolist() == [[0, 0.2], [1, 0.4]]
    assert lines(lower)[f"{MATCHED:g}"][:, 1].tolist() == [0.25, 0.25]
    assert upper.get_yscale() == lower.get_yscale() == "log"


def test_a_layer_has_the_hue_of_its_loss_and_later_ones_are_darker():
    names = [f"time_texture/{name}" for name in "abc"]
    figure = loss_figure({"other": [1], "time_texture": [1]}, {name: [0.1] for name in names})
    upper, lower = figure.axes
    colour = {line.get_label(): line.get_color() for axes in (upper, lower) for line in axes.lines}
    brightness = [sum(colour[name]) for name in names]
    assert brightness == sorted(brightness, reverse=True)
    assert colour[names[-1]] == pytest.approx(matplotlib.colors.to_rgb(colour["time_texture"]))


@pytest.mark.parametrize("losses", [{}, {"a": []}, {"a": [np.nan, 0.0]}, {"a": [1.0]}])
def test_a_figure_of_little_or_nothing_can_be_saved(losses):
    assert read(BytesIO(png_bytes(loss_figure(losses, {})))).shape[:2] == (900, 1500)


def pictures() -> Iterator[Image.Image]:
    yield contact_sheet({"natural": noise(0), "metamer": noise(1)}, caption=CAPTION)
    yield loss_figure({"a": [3.0, 2.0]}, {"a/b": [0.1]}, boundaries=[1])


def test_the_same_picture_gives_the_same_bytes():
    for first, second in zip(pictures(), pictures(), strict=True):
        contents = {png_bytes(picture) for picture in (first, first, second)}
        assert len(contents) == 1
        assert b"Software" not in contents.pop()


def test_a_saved_sheet_reads_back_exactly():
    sheet = next(pictures())
    assert np.array_equal(read(BytesIO(png_bytes(sheet))), np.asarray(sheet))


def test_notebooks_show_figures_without_pyplot():
    figure, _ = make_panels(1, 2, size=(2, 1))
    shown = Image.open(BytesIO(figure._repr_png_()))
    assert shown.size == (300, 150)
