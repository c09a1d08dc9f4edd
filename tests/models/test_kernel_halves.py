"""`products` of bfloat16 and float16 against float64: many positions do it no harm."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from stst.models.kernels import POSITIONS, products

HALVES = [torch.bfloat16, torch.float16]


def noise(*shape, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=dice, dtype=torch.float64)


def accurate(multiply, positions, batch, dtype, within=2e-3):
    """In float32, each entry near the product of the same halves in float64."""
    a, b = ((1 + noise(batch, positions, 24, seed=i).abs()).to(dtype) for i in range(2))
    results = [(multiply(x, y), x.double().mT @ y.double()) for x, y in ((a, b), (a, a))]
    return all(
        found.dtype == torch.float32 and ((found - wanted).abs() <= within * wanted).all()
        for found, wanted in results
    )


@pytest.mark.parametrize("dtype", HALVES)
@given(positions=st.integers(1, 6000), batch=st.integers(1, 2))
@example(positions=POSITIONS, batch=2)
def test_products_of_halves_are_right_to_one_rounding(dtype, positions, batch):
    rounding = torch.finfo(dtype).eps / 2
    assert accurate(products, positions, batch, dtype, within=1.01 * rounding)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("batch", [1, 2])
def test_products_of_halves_do_not_worsen_with_many_positions(dtype, batch):
    assert accurate(products, 5000, batch, dtype)


def plain_products(a, b):
    return a.mT @ b


def running_sum(a, b):
    total = torch.zeros(len(a), a.shape[-1], b.shape[-1], dtype=a.dtype)
    for x, y in zip(a.unbind(1), b.unbind(1), strict=True):
        total += x[:, :, None] * y[:, None]
    return total.float()


def without_the_rest(a, b):
    whole = a.shape[1] // POSITIONS * POSITIONS
    return products(a[:, :whole], b[:, :whole])


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("planted", [running_sum, without_the_rest, plain_products])
def test_the_test_of_halves_catches_a_careless_sum(planted, dtype):
    assert not accurate(planted, 5000, 1, dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("kernel", [products, lambda a, b: products(a, a) + products(b, b)])
def test_gradients_of_products_of_halves_are_right(kernel, dtype):
    halves = [noise(2, 700, 3, seed=i).to(dtype).requires_grad_() for i in range(2)]
    doubles = [x.detach().double().requires_grad_() for x in halves]
    for half, double in zip(
        *(torch.autograd.grad(kernel(*x).square().sum(), x) for x in (halves, doubles)), strict=True
    ):
        assert half.dtype == dtype
        assert (half - double).norm() < 1e-2 * double.norm()
