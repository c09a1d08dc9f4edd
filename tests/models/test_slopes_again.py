"""Slopes depend on the slope that comes in, and can be differentiated again: in float64."""

import pytest
import torch
from torch.autograd import Function, gradcheck, gradgradcheck
from torch.autograd.function import once_differentiable

from stst.losses.functional import colour_moments, gram, mean_square_gap, total_variation
from stst.losses.objective import Gamut
from stst.models.kernels import correlate, l1_inputs, l1_normalise, ladder_pool, max_pool, products
from stst.models.ops import blur_down, contrast_norm, pyramid_gram
from stst.models.stream import load_stream


def draw(*shape, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=dice, dtype=torch.float64).requires_grad_()


COLOURS = draw(1, 3, 6, 6, seed=3).detach().sigmoid()
OPERATIONS = {
    "correlate": (correlate, draw(1, 2, 9, 8), draw(3, 2, 3, 3, seed=1), draw(3, seed=2)),
    "max_pool": (max_pool, draw(1, 6, 7, 2)),
    "ladder_pool": (ladder_pool, draw(1, 6, 7, 2)),
    "l1_normalise": (l1_normalise, draw(1, 3, 2, 4)),
    "l1_inputs": (l1_inputs, draw(1, 3, 2, 3), draw(4, 3, seed=1), draw(4, seed=2)),
    "products": (products, draw(2, 5, 3), draw(2, 5, 4, seed=1)),
    "squares": (lambda a: products(a, a), draw(2, 5, 3)),
    "pyramid_gram": (
        lambda a, b: pyramid_gram([a, b]), draw(1, 2, 6, 6), draw(1, 2, 3, 3, seed=1)
    ),
    "blur_down": (blur_down, draw(1, 2, 6, 7)),
    "contrast_norm": (contrast_norm, draw(1, 2, 4, 5)),
    "gram": (gram, draw(2, 3, 4, 5)),
    "mean_square_gap": (mean_square_gap, draw(2, 3, 4), draw(1, 3, 4, seed=1)),
    "total_variation": (total_variation, draw(1, 3, 5, 6)),
    "colour_moments": (lambda x: colour_moments(x.sigmoid()), draw(1, 3, 8, 9)),
    "gamut": (lambda x: Gamut(COLOURS)(x[:, None])["gamut"], draw(1, 3, 6, 6)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_first_and_second_slopes_are_those_of_differences(name):
    operation, *inputs = OPERATIONS[name]
    assert gradcheck(operation, inputs, eps=1e-6, atol=1e-5)
    assert gradgradcheck(operation, inputs, eps=1e-6, atol=1e-5)


class Deaf(Function):
    """The planted bug: a slope that cannot be differentiated again."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(context, slope):
        (x,) = context.saved_tensors
        return 2 * x * slope


def jvp(function, x, way):
    """The change of a function along a way, by plenoptic's trick of two backward passes."""
    y = function(x)
    dummy = torch.ones_like(y, requires_grad=True)
    (slope,) = torch.autograd.grad(y, x, dummy, create_graph=True)
    (change,) = torch.autograd.grad(slope, dummy, way, allow_unused=True)
    return change


def test_the_planted_bug_is_what_plenoptic_fails_on():
    x = draw(3)
    assert jvp(Deaf.apply, x, torch.ones(3)) is None
    assert jvp(torch.square, x, torch.ones(3)) is not None


@pytest.mark.parametrize(("name", "layer"), [("compact", "block3_conv1"), ("msoe", "energy")])
@pytest.mark.parametrize("kind", ["grams", "__call__"])
def test_a_streams_slopes_are_right_for_any_slope_above(name, layer, kind):
    stream = load_stream(name).double()
    dice = torch.Generator().manual_seed(0)
    clip = torch.rand(1, 2, 3, 34, 34, generator=dice, dtype=torch.float64).requires_grad_()
    way = torch.rand(clip.shape, generator=dice, dtype=torch.float64) - 0.5

    def function(x):
        return getattr(stream, kind)(x, [layer])[layer]

    step = 1e-6 * way
    with torch.no_grad():
        change = (function(clip + step) - function(clip - step)) / 2e-6
    torch.testing.assert_close(jvp(function, clip, way), change, rtol=1e-4, atol=1e-6)
    above = torch.rand(change.shape, generator=dice, dtype=torch.float64) - 0.5
    (slope,) = torch.autograd.grad(function(clip), clip, above)
    torch.testing.assert_close((slope * way).sum(), (above * change).sum(), rtol=1e-4, atol=1e-6)
