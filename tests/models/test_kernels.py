"""Each kernel against its plain twin, in value and in gradient."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from stst.models import kernels as module
from stst.models.kernels import (
    correlate,
    l1_inputs,
    l1_normalise,
    ladder_pool,
    max_pool,
    products,
)

batches, sides, few = st.integers(1, 2), st.integers(1, 20), st.integers(1, 5)
layouts = st.sampled_from(["dense", "turned", "repeated"])


def noise(*shape, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=dice, dtype=torch.float64)


def laid(shape, layout, seed=0):
    """Noise in memory that is dense, in reverse order of axes, or repeated along the first."""
    if layout == "turned":
        return noise(*shape[::-1], seed=seed).permute(*reversed(range(len(shape))))
    if layout == "repeated":
        return noise(1, *shape[1:], seed=seed).expand(shape)
    return noise(*shape, seed=seed)


def agree(kernel, twin, shapes, layout="dense", slope_layout="dense"):
    """Equal in value and in the gradients to all inputs, to the rounding of float64."""
    inputs = [laid(shape, layout, seed).requires_grad_() for seed, shape in enumerate(shapes)]
    results = [function(*inputs) for function in (kernel, twin)]
    if results[0].shape != results[1].shape:
        return False
    slope = laid(results[0].shape, slope_layout, seed=9)
    found, wanted = ([y, *torch.autograd.grad(y, inputs, slope)] for y in results)
    return all(torch.allclose(a, b, 1e-9, 1e-9) for a, b in zip(found, wanted, strict=True))


def plain_pool(x):
    return F.max_pool2d(x.movedim(-1, 1), 5, 1, 2).movedim(1, -1)


def plain_l1(x, eps=1e-12):
    return x / (x.abs().sum(-1, keepdim=True) + eps)


def plain_inputs(x, weight, bias, eps=1e-12):
    mixed = F.linear(x, weight, bias)
    return F.pad(x, (0, 1), value=1) / (mixed.abs().sum(-1, keepdim=True) + eps)


def plain_products(a, b):
    return a.mT @ b


def square(a):
    return products(a, a)


def plain_square(a):
    return a.mT @ a


def filters_on(batch, height, width, side, before, after):
    """Shapes of map, filters and bias, the result being height x width."""
    map_shape = (batch, before, height + side - 1, width + side - 1)
    return map_shape, (after, before, side, side), (after,)


@given(batches, sides, sides, few, few, few, layouts, layouts)
def test_correlate_is_torchs_convolution(b, height, width, side, before, after, layout, slope):
    shapes = filters_on(b, height, width, side, before, after)
    assert agree(correlate, F.conv2d, shapes, layout, slope)


@given(batches, sides, sides, few, layouts, layouts)
def test_max_pool_is_torchs(b, height, width, channels, layout, slope):
    for pool in (max_pool, ladder_pool):
        assert agree(pool, plain_pool, [(b, height, width, channels)], layout, slope)


@given(batches, sides, sides, few, layouts, layouts)
def test_l1_normalise_is_a_division(b, height, width, channels, layout, slope):
    assert agree(l1_normalise, plain_l1, [(b, height, width, channels)], layout, slope)


@given(batches, sides, sides, few, few, layouts, layouts)
def test_l1_inputs_are_a_division(b, height, width, before, after, layout, slope):
    shapes = [(b, height, width, before), (after, before), (after,)]
    assert agree(l1_inputs, plain_inputs, shapes, layout, slope)


def test_l1_inputs_mix_to_what_is_normalised():
    x, weight, bias = (noise(*shape, seed=i) for i, shape in enumerate(LINEAR))
    found = F.linear(l1_inputs(x, weight, bias), torch.cat((weight, bias[:, None]), 1))
    torch.testing.assert_close(found, l1_normalise(F.linear(x, weight, bias)))


@given(batches, sides, few, few, layouts, layouts)
def test_products_are_a_matrix_product(b, positions, first, second, layout, slope):
    shapes = [(b, positions, first), (b, positions, second)]
    assert agree(products, plain_products, shapes, layout, slope)
    assert agree(square, plain_square, shapes[:1], layout, slope)


MAPS = [(2, 9, 7, 3)]
FILTERS = filters_on(2, 5, 6, 4, 2, 3)
PAIR = [(2, 8, 3), (2, 8, 3)]
LINEAR = [(2, 5, 4, 3), (6, 3), (6,)]


@pytest.mark.parametrize(
    ("kernel", "shapes"),
    [
        (correlate, filters_on(2, 2, 3, 3, 2, 2)),
        (ladder_pool, [(1, 4, 3, 2)]),
        (l1_normalise, [(2, 2, 3, 3)]),
        (l1_inputs, [(2, 2, 3, 3), (4, 3), (4,)]),
        (products, PAIR),
        (square, PAIR[:1]),
    ],
)
def test_gradients_are_those_of_finite_differences(kernel, shapes):
    inputs = [noise(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(kernel, inputs)


@pytest.mark.parametrize("block", [(1, 1), (2, 4), (3, 2), (5, 7)])
def test_correlate_does_not_depend_on_its_blocks(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    assert agree(correlate, F.conv2d, FILTERS)


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_correlate_gives_its_gradient_to_one_input_alone(wanted):
    inputs = [noise(*shape, seed=i) for i, shape in enumerate(FILTERS)]
    inputs[wanted].requires_grad_()
    one, other = (
        torch.autograd.grad(convolve(*inputs).square().sum(), inputs[wanted])[0]
        for convolve in (correlate, F.conv2d)
    )
    torch.testing.assert_close(one, other)


def test_correlate_needs_no_bias():
    assert agree(lambda *given: correlate(*given, None), F.conv2d, FILTERS[:2])


def test_l1_normalise_leaves_signs_and_unit_sums():
    x = noise(2, 3, 5, 4)
    y = l1_normalise(x)
    torch.testing.assert_close(y.abs().sum(-1), torch.ones(2, 3, 5, dtype=y.dtype))
    assert y.sign().equal(x.sign())


def test_l1_normalise_of_zeros_is_finite():
    x = torch.zeros(1, 2, 2, 4, requires_grad=True)
    y = l1_normalise(x)
    assert y.isfinite().all()
    assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()


def misplaced(weight):
    """Filters of a block's pixels in the wrong order."""
    places = module.BLOCK[0] * module.BLOCK[1]
    return packed(weight).unflatten(0, (-1, places)).flip(1).flatten(0, 1)


FIXED = [torch.zeros(shape, dtype=torch.float64) for shape in LINEAR[1:]]
packed, spread, won = module._packed, module._spread, module._won
PLANTED = {
    "filters not turned": ("_packed", lambda w: packed(w.flip(-2, -1))),
    "filters one pixel off": ("_packed", lambda w: packed(w).roll(1, -1)),
    "pixels of a block misplaced": ("_packed", misplaced),
    "gradient one pixel off": ("_spread", lambda s, w: spread(s, w).roll(1, -2)),
    "gradient to the lesser": ("_won", lambda s, a, b: won(s, b, a)),
    "gradient to the first": ("_won", lambda s, a, b: s),
    "norm held fixed": ("_L1Normalise.backward", lambda c, s: (s * c.saved_tensors[1], None)),
    "magnitudes held fixed": (
        "_L1Inputs.backward",
        lambda c, s: (s[..., :-1] * c.saved_tensors[4], *map(torch.zeros_like, FIXED), None),
    ),
    "slope not transposed": (
        "_Products.backward",
        lambda c, s: (c.saved_tensors[1] @ s, c.saved_tensors[0] @ s),
    ),
    "one factor held fixed": ("_Square.backward", lambda c, s: c.saved_tensors[0] @ s),
    "factors exchanged": ("_added", lambda a, b: b.mT @ a),
}


@pytest.mark.parametrize(("place", "fault"), PLANTED.values(), ids=list(PLANTED))
def test_the_comparison_catches_a_wrong_kernel(monkeypatch, place, fault):
    monkeypatch.setattr(f"{module.__name__}.{place}", fault)
    right = [
        agree(correlate, F.conv2d, FILTERS),
        agree(ladder_pool, plain_pool, MAPS),
        agree(l1_normalise, plain_l1, MAPS),
        agree(l1_inputs, plain_inputs, LINEAR),
        agree(products, plain_products, PAIR),
        agree(square, plain_square, PAIR[:1]),
    ]
    assert right.count(False) == 1


@pytest.mark.parametrize(
    "planted",
    [
        lambda x: x / x.sum(-1, keepdim=True),
        lambda x: x / x.abs().sum(1, keepdim=True),
        lambda x: F.normalize(x, dim=-1),
    ],
    ids=["without magnitudes", "over another axis", "Euclidean"],
)
def test_the_comparison_catches_another_norm(planted):
    assert not agree(l1_normalise, planted, MAPS)
