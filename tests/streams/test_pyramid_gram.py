"""The Gram matrix of a pyramid against the slow way that forms every map."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from stst.streams import pyramid_gram as module
from stst.streams.pyramid_gram import pyramid_gram


def slow_gram(levels, **interpolation):
    size = levels[0].shape[-2:]
    how = interpolation or {"mode": "bilinear", "align_corners": False}
    maps = [x if x.shape[-2:] == size else F.interpolate(x, size=size, **how) for x in levels]
    flat = torch.cat(maps, 1).flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def pyramid(height, width, channels):
    dice = torch.Generator().manual_seed(height * 100 + width)
    levels = []
    for count in channels:
        x = torch.randn(2, count, height, width, generator=dice, dtype=torch.float64)
        levels.append(x.requires_grad_())
        height, width = -(-height // 2), -(-width // 2)
    return levels


def close(found, wanted):
    return found.shape == wanted.shape and (found - wanted).norm() <= 1e-6 * wanted.norm()


def agree(one, other, levels):
    """Equal to 1e-6 in value and in gradient, that to all levels as one vector.

    Not level by level: interpolation weights are float32, and where the gradient to a
    small level nearly cancels their rounding reaches 2e-6 of it.
    """
    a, b = one(levels), other(levels)
    weight = torch.linspace(-1, 2, a.numel(), dtype=a.dtype).view_as(a)
    slopes = [torch.autograd.grad((x * weight).sum(), levels) for x in (a, b)]
    return close(a, b) and close(*(torch.cat([s.flatten() for s in g]) for g in slopes))


@given(
    height=st.integers(1, 21),
    width=st.integers(1, 21),
    channels=st.lists(st.integers(1, 3), min_size=1, max_size=5),
)
def test_equals_the_slow_way_in_value_and_gradient(height, width, channels):
    assert agree(pyramid_gram, slow_gram, pyramid(height, width, channels))


@pytest.mark.parametrize(
    "interpolation",
    [{"mode": "nearest"}, {"mode": "bilinear", "align_corners": True}, {"mode": "bicubic"}],
)
def test_the_comparison_catches_another_interpolation(interpolation):
    def planted(levels):
        return slow_gram(levels, **interpolation)

    assert not agree(planted, slow_gram, pyramid(9, 7, (2, 3)))


def test_the_comparison_catches_a_block_left_untransposed(monkeypatch):
    def planted(coarse, fine, size):
        return block(coarse, fine, size).flip(-1)

    block = module._block
    monkeypatch.setattr(module, "_block", planted)
    assert not agree(pyramid_gram, slow_gram, pyramid(9, 7, (2, 3)))


def test_gradient_is_that_of_finite_differences():
    levels = pyramid(7, 6, (2, 1, 2))
    assert torch.autograd.gradcheck(lambda *given: pyramid_gram(given), levels)


def test_is_symmetric_and_has_no_negative_eigenvalue():
    gram = pyramid_gram(pyramid(13, 10, (3, 2, 2)))
    torch.testing.assert_close(gram, gram.mT)
    assert torch.linalg.eigvalsh(gram).min() > -1e-6


def test_a_first_call_in_inference_mode_spoils_no_later_gradient():
    module._upsampling.cache_clear()
    module._crossing.cache_clear()
    levels = [x.detach().float().requires_grad_() for x in pyramid(9, 7, (2, 3))]
    try:
        with torch.inference_mode():
            pyramid_gram(levels)
        pyramid_gram(levels).sum().backward()
        assert levels[1].grad.isfinite().all()
    finally:
        module._upsampling.cache_clear()
        module._crossing.cache_clear()
