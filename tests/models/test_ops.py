"""Operations of the temporal stream against numpy and scipy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch.autograd.gradcheck import GradcheckError

from stst.models import ops
from stst.models.ops import blur_down, contrast_norm, gaussian, symmetric_pad
from wrong_slopes import doubled

sides = st.integers(1, 7)


def noise(*shape, dtype=torch.float64, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pads_as_numpy(pad_with, x, pad):
    around = ((0, 0), (0, 0), (pad, pad), (pad, pad))
    oracle = np.pad(x.numpy(), around, mode="symmetric")
    return np.array_equal(pad_with(x, pad).numpy(), oracle)


@given(height=sides, width=sides, pad=st.integers(0, 20))
def test_symmetric_pad_is_numpys(height, width, pad):
    assert pads_as_numpy(symmetric_pad, noise(2, 1, height, width), pad)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_the_padding_test_catches_torchs_modes(mode):
    def planted(x, pad):
        return F.pad(x, (pad,) * 4, mode=mode)

    assert not pads_as_numpy(planted, noise(1, 1, 6, 6), 2)


def test_contrast_norm_is_over_both_frames_jointly():
    pair = noise(3, 2, 5, 6)
    flat = pair.numpy().reshape(3, -1)
    oracle = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
    np.testing.assert_allclose(contrast_norm(pair).numpy().reshape(3, -1), oracle, rtol=1e-9)


@given(gain=st.floats(0.01, 100), offset=st.floats(-10, 10))
def test_contrast_norm_forgets_gain_and_offset_but_no_change_of_luminance(gain, offset):
    pair = noise(1, 2, 5, 6)
    torch.testing.assert_close(
        contrast_norm(gain * pair + offset), contrast_norm(pair), rtol=1e-6, atol=1e-6
    )
    flash = pair + torch.tensor([0.0, 1.0], dtype=pair.dtype).view(1, 2, 1, 1)
    assert contrast_norm(flash)[0, 1].mean() > contrast_norm(flash)[0, 0].mean() + 0.5


def test_contrast_norm_of_an_even_clip_is_zero(monkeypatch):
    even = torch.full((1, 2, 4, 4), 0.5)
    assert contrast_norm(even).abs().max() == 0
    monkeypatch.setattr(ops, "CONTRAST_EPS", 0)  # the planted bug: a division of 0 by 0
    assert contrast_norm(even).isnan().all()


@given(height=sides, width=sides)
def test_blur_down_is_scipys_blur_every_second_sample(height, width):
    x = noise(2, 3, height, width)
    window = gaussian(5, 2.0).double().numpy()[None, None]
    oracle = ndimage.correlate(x.numpy(), window, mode="reflect")[..., ::2, ::2]
    np.testing.assert_allclose(blur_down(x).numpy(), oracle, rtol=1e-12)


def test_gaussian_is_the_normal_density_normalised():
    line = np.exp(-0.5 * (np.arange(-2, 3) / 2.0) ** 2)
    oracle = np.outer(line, line) / line.sum() ** 2
    np.testing.assert_allclose(gaussian(5, 2.0).numpy(), oracle, rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: symmetric_pad(x, 2),
        lambda x: symmetric_pad(x, 9),
        contrast_norm,
        blur_down,
    ],
    ids=["pad", "pad beyond the side", "contrast_norm", "blur_down"],
)
def test_gradients_are_right(function):
    x = noise(1, 2, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(function, x)
    with pytest.raises(GradcheckError):  # the planted bug
        torch.autograd.gradcheck(lambda x: function(doubled(x)), x)


@pytest.fixture
def no_cache():
    gaussian.cache_clear()
    yield
    gaussian.cache_clear()


def test_a_first_call_in_inference_mode_spoils_no_later_gradient(no_cache):
    x = noise(1, 2, 6, 6, dtype=torch.float32)
    with torch.inference_mode():
        blur_down(x)
    blur_down(x.requires_grad_()).sum().backward()
    assert x.grad is not None


def test_results_do_not_depend_on_the_default_dtype(no_cache):
    x = noise(1, 2, 9, 9, dtype=torch.float32)
    plain = blur_down(x)
    gaussian.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        assert blur_down(x).equal(plain)
    finally:
        torch.set_default_dtype(torch.float32)
