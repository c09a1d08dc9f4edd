"""The Gram matrix of a pyramid against the slow way that forms every map."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from stst.models import ops as module
from stst.models.ops import pyramid_gram


def slow_gram(levels, **interpolation):
    size = levels[0].shape[-2:]
    how = interpolation or {"mode": "bilinear", "align_corners": False}
    maps = [x if x.shape[-2:] == size else F.interpolate(x, size=size, **how) for x in levels]
    flat = torch.cat(maps, 1).flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def pyramid(height, width, channels, batch=2, layout=torch.contiguous_format):
    dice = torch.Generator().manual_seed(height * 100 + width)
    levels = []
    for count in channels:
        x = torch.randn(batch, count, height, width, generator=dice, dtype=torch.float64)
        levels.append(x.contiguous(memory_format=layout).requires_grad_())
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
    batch=st.integers(1, 2),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
def test_equals_the_slow_way_in_value_and_gradient(height, width, channels, batch, layout):
    levels = pyramid(height, width, channels, batch, layout)
    assert agree(pyramid_gram, slow_gram, levels)


@pytest.mark.parametrize(
    "interpolation",
    [{"mode": "nearest"}, {"mode": "bilinear", "align_corners": True}, {"mode": "bicubic"}],
)
def test_the_comparison_catches_another_interpolation(interpolation):
    def planted(levels):
        return slow_gram(levels, **interpolation)

    assert not agree(planted, slow_gram, pyramid(9, 7, (2, 3)))


products, crossings = module._products, module._crossings
mirrored, carried = module._mirrored_pyramid_gram, module._carried


def untransposed(rows):
    """Put the block of levels 2 and 1 where that of 1 and 2 belongs."""
    first, second = rows
    return mirrored([first, torch.cat([second[..., :2].mT, second[..., 2:]], -1)])


PLANTED = {
    "a block left untransposed": ("_mirrored_pyramid_gram", untransposed),
    "one side left empty": ("_mirrored_pyramid_gram", lambda rows: mirrored(rows).tril()),
    "levels exchanged": ("_products", lambda own, finer: products(own, finer[::-1])),
    "interpolation mirrored": ("_crossings", lambda *given: crossings(*given).flip(-1)),
    "height and width exchanged": ("_carried", lambda x, g, h, w: carried(x, g, w, h)),
}


@pytest.mark.parametrize(("name", "fault"), PLANTED.values(), ids=list(PLANTED))
@pytest.mark.parametrize("batch", [1, 2])
def test_the_comparison_catches_a_wrong_step(monkeypatch, name, fault, batch):
    levels = pyramid(9, 7, (2, 2), batch)
    assert agree(pyramid_gram, slow_gram, levels)
    monkeypatch.setattr(module, name, fault)
    assert not agree(pyramid_gram, slow_gram, levels)


def test_gradient_is_that_of_finite_differences():
    levels = pyramid(7, 6, (2, 1, 2))
    assert torch.autograd.gradcheck(lambda *given: pyramid_gram(given), levels)


def test_is_symmetric_and_has_no_negative_eigenvalue():
    gram = pyramid_gram(pyramid(13, 10, (3, 2, 2)))
    torch.testing.assert_close(gram, gram.mT)
    assert torch.linalg.eigvalsh(gram).min() > -1e-6


def test_a_first_call_in_inference_mode_spoils_no_later_gradient():
    module._crossings.cache_clear()
    levels = [x.detach().float().requires_grad_() for x in pyramid(9, 7, (2, 3))]
    try:
        with torch.inference_mode():
            pyramid_gram(levels)
        pyramid_gram(levels).sum().backward()
        assert levels[1].grad.isfinite().all()
    finally:
        module._crossings.cache_clear()
