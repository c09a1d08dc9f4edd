"""The frames contract."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stst.errors import FramesError
from stst.video.frames import Clip, to_uint8

VALUES = st.floats(-3, 3, width=32)
FRAMES = arrays(np.float32, (1, 3, 2, 2), elements=VALUES)


@given(FRAMES)
def test_to_uint8_is_the_nearest_level_of_the_clipped_value(frames):
    levels = to_uint8(torch.from_numpy(frames))
    exact = np.clip(frames.astype(np.float64), 0, 1).transpose(0, 2, 3, 1) * 255
    assert levels.dtype == np.uint8
    assert np.abs(levels - exact).max() <= 0.5 + 1e-4


def test_that_bound_catches_the_authors_conversion():
    frames = torch.tensor([1.004, -0.01, 0.999]).view(1, 3, 1, 1)
    truncated = (frames * 255).to(torch.int64).to(torch.uint8).ravel().numpy()
    exact = np.clip(frames.ravel().double().numpy(), 0, 1) * 255
    assert np.abs(truncated - exact).max() > 0.5 + 1e-4
    assert np.abs(to_uint8(frames).ravel() - exact).max() <= 0.5 + 1e-4


@given(arrays(np.uint8, (2, 3, 2, 4)))
def test_to_uint8_inverts_division_by_255(levels):
    back = to_uint8(torch.from_numpy(levels).float() / 255)
    assert np.array_equal(back, levels.transpose(0, 2, 3, 1))


@given(FRAMES, st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_a_value_that_is_not_finite_is_refused(frames, bad):
    frames = np.clip(frames, 0, 1)
    frames[0, 1, 1, 0] = bad
    with pytest.raises(FramesError, match="finite"):
        to_uint8(torch.from_numpy(frames))
    with pytest.raises(FramesError):
        Clip(torch.from_numpy(frames), Fraction(25))


@given(FRAMES)
def test_a_clip_holds_values_in_0_to_1_and_no_others(frames):
    tensor = torch.from_numpy(frames)
    if frames.min() >= 0 and frames.max() <= 1:
        assert Clip(tensor, Fraction(25)).frames is tensor
    else:
        with pytest.raises(FramesError, match=r"in \[0, 1\]"):
            Clip(tensor, Fraction(25))


@pytest.mark.parametrize(
    "frames",
    [torch.rand(3, 8, 8), torch.rand(2, 8, 8, 3), torch.rand(0, 3, 8, 8)],
    ids=["three axes", "channels last", "empty"],
)
def test_a_clip_of_another_shape_is_refused(frames):
    with pytest.raises(FramesError, match=r"\(T, 3, H, W\)"):
        Clip(frames, Fraction(25))


def test_a_clip_of_another_type_or_rate_is_refused():
    with pytest.raises(FramesError, match="float32"):
        Clip(torch.rand(2, 3, 4, 4).double(), Fraction(25))
    with pytest.raises(FramesError, match="rate"):
        Clip(torch.rand(2, 3, 4, 4), Fraction(0))


def test_a_clip_knows_its_length_and_size():
    clip = Clip(torch.rand(5, 3, 4, 6), Fraction(30000, 1001))
    assert (len(clip), clip.size) == (5, (4, 6))
