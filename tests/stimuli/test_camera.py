"""Pictures under a camera whose path is known: what is seen, and where it goes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from warping import gap

from stst import make_stimulus
from stst.errors import RecipeError

pytestmark = pytest.mark.usefixtures("globals_unchanged")
SMALL = {"frames": 4, "height": 24, "width": 32}


@pytest.fixture(scope="module")
def chart(tmp_path_factory):
    """A picture that says where it is: red is the column, green is the row, of 256."""
    rows, columns = np.indices((256, 256), np.uint8)
    path = tmp_path_factory.mktemp("chart") / "chart.png"
    Image.fromarray(np.stack([columns, rows, 0 * rows], -1)).save(path)
    return str(path)


def places(made):
    """Where in the chart each pixel looks: (T, 2, H, W), column and row."""
    return made.clip.frames[:, :2].double().numpy() * 255


motions = st.fixed_dictionaries(
    {
        "scale": st.floats(0.3, 2),
        "speed": st.floats(0, 3),
        "direction": st.floats(0, 360),
        "turn": st.floats(-20, 20),
        "zoom": st.floats(0.8, 1.3),
    }
)


def affine(seen):
    """Of pixels (column, row, 1) to places, (3, 2), so that places between pixels are known."""
    rows, columns = np.indices(seen.shape[1:])
    pixels = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3)
    return np.linalg.lstsq(pixels, seen.reshape(2, -1).T, rcond=None)[0]


@given(motion=motions)
def test_what_is_seen_moves_as_the_flow_says(chart, motion):
    made = make_stimulus("camera-path", picture=chart, **motion, **SMALL)
    seen = places(made)
    rows, columns = np.indices((24, 32))
    for t in range(3):
        right, down = made.flow[t].double().numpy()
        before = np.stack([columns, rows, np.ones_like(rows)], -1)
        after = np.stack([columns + right, rows + down, np.ones_like(right)], -1)
        np.testing.assert_allclose(after @ affine(seen[t + 1]), before @ affine(seen[t]), atol=0.01)


@pytest.mark.parametrize("scale", [3, 6.5])
def test_the_first_frame_is_the_middle_of_the_picture_at_its_scale(chart, scale):
    settings = {"scale": scale, "speed": 2} | SMALL | {"frames": 2}
    seen = places(make_stimulus("camera-path", picture=chart, **settings))
    columns, rows = np.arange(32) - 15.5, np.arange(24) - 11.5
    assert np.abs(seen[0, 0] - (127.5 + scale * columns)).max() < 0.01
    assert np.abs(seen[0, 1] - (127.5 + scale * rows[:, None])).max() < 0.01
    moved = seen[1] - seen[0]
    assert np.abs(moved - np.reshape([-2 * scale, 0], (2, 1, 1))).max() < 0.01


@pytest.mark.parametrize(("turn", "quarter"), [(90, 1), (-90, -1)])
def test_positive_turns_are_counter_clockwise_as_seen(turn, quarter):
    raster = {"frames": 2, "height": 40, "width": 40}
    first, second = make_stimulus("camera-path", turn=turn, speed=0, **raster).clip.frames
    assert np.allclose(second, np.rot90(first, quarter, (1, 2)), atol=1e-4)


def test_a_zoom_enlarges_about_the_centre(chart):
    seen = places(make_stimulus("camera-path", picture=chart, zoom=2, speed=0, **SMALL))
    np.testing.assert_allclose(np.ptp(seen[:3, 0], (1, 2)), [62, 31, 15.5], atol=0.01)
    np.testing.assert_allclose(seen.mean((2, 3)), 127.5, atol=0.01)


@pytest.mark.parametrize(
    "motion",
    [{"speed": 1.5}, {"speed": 0.7, "turn": 2, "zoom": 1.02}, {"turn": -1, "zoom": 0.97}],
)
def test_the_flow_of_a_generated_picture_leads_back(motion):
    made = make_stimulus("camera-path", frames=3, **motion)
    for channel in range(3):
        assert gap(made, t=1, channel=channel) < 0.08
        assert gap(made, t=1, channel=channel, wrong=(0.5, -0.5)) > 0.2


@pytest.mark.parametrize("scale", [3.3, 16])
def test_reduction_does_not_alias(tmp_path, scale):
    board = np.indices((700, 700)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "board.png")
    settings = {"picture": str(tmp_path / "board.png"), "speed": 1.3, "direction": 10}
    made = make_stimulus("camera-path", scale=scale, **settings, **SMALL)
    assert float((made.clip.frames - 0.5).abs().max()) < 0.02
    assert float((made.clip.frames[:, 0] - made.clip.frames[:, 2]).abs().max()) == 0


def test_a_generated_picture_is_coloured_comes_from_the_seed_and_outlasts_the_path():
    one, two = (make_stimulus("camera-path", seed=s, **SMALL) for s in (1, 2))
    colours = one.clip.frames - one.clip.frames.mean(1, keepdim=True)
    assert 0.02 < float(colours.std()) < float(one.clip.frames.std())
    assert not torch.allclose(one.clip.frames, two.clip.frames, atol=0.05)
    longer = make_stimulus("camera-path", seed=1, **SMALL | {"frames": 8})
    assert torch.equal(longer.clip.frames[:4], one.clip.frames)
    assert 0 <= one.clipped < 0.01


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scale": 9}, r"has 256 x 256 px and the path needs \d+ x \d+ px"),
        ({"speed": 40}, "a smaller scale or fewer frames"),
        ({"picture": "no/such.png"}, r"no/such\.png cannot be read"),
        ({"picture": None, "scale": 200}, "at most 4096"),
        ({"zoom": 5}, "zoom: .*factor of 64"),
        ({"zoom": 0.1}, "zoom: .*factor of 64"),
    ],
)
def test_what_cannot_be_seen_is_refused_in_one_line(chart, settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus("camera-path", **{"picture": chart} | settings, **SMALL)
    assert "\n" not in str(caught.value)


def test_pictures_of_16_bits_and_files_of_other_kinds_are_refused(tmp_path):
    Image.fromarray(np.full((200, 200), 40000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(RecipeError, match="must be an 8-bit image"):
        make_stimulus("camera-path", picture=str(tmp_path / "deep.png"), **SMALL)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(RecipeError, match="cannot be read"):
        make_stimulus("camera-path", picture=str(tmp_path / "text.png"), **SMALL)
