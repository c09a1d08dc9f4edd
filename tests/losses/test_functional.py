"""Gram matrices, gaps and total variation: invariants and numpy oracles."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.autograd import gradcheck
from torch.autograd.gradcheck import GradcheckError

from stst.losses.functional import gram, mean_square_gap, relative_error, total_variation
from wrong_slopes import doubled

values = st.floats(-4, 4, width=32)
shapes = st.tuples(*[st.integers(1, high) for high in (3, 4, 5, 6)])
activations = shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=values))
images = st.tuples(st.integers(1, 3), st.just(3), st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)


@given(activations)
def test_gram_is_numpys_mean_of_outer_products(a):
    oracle = np.einsum("bchw,bdhw->bcd", a, a, dtype=np.float64) / (a.shape[2] * a.shape[3])
    np.testing.assert_allclose(gram(torch.from_numpy(a)), oracle, rtol=1e-5, atol=1e-5)


@given(activations)
def test_gram_is_symmetric_and_positive_semidefinite(a):
    found = gram(torch.from_numpy(a).double())
    torch.testing.assert_close(found, found.mT)
    assert torch.linalg.eigvalsh(found).min() >= -1e-9


@given(activations, st.randoms())
def test_gram_does_not_see_where_pixels_are(a, dice):
    places = list(range(a.shape[2] * a.shape[3]))
    dice.shuffle(places)
    x = torch.from_numpy(a).double()
    moved = x.flatten(2)[..., places].view_as(x)
    torch.testing.assert_close(gram(moved), gram(x), rtol=1e-9, atol=1e-9)


@given(images)
def test_total_variation_is_numpys(x):
    steps = [np.abs(np.diff(x, axis=axis)).sum((1, 2, 3), dtype=np.float64) for axis in (-2, -1)]
    oracle = sum(steps) / (x.shape[2] * x.shape[3])
    np.testing.assert_allclose(total_variation(torch.from_numpy(x)), oracle, rtol=1e-5, atol=1e-7)


@given(images)
def test_total_variation_is_0_only_where_nothing_varies(x):
    x = np.round(x, 3)  # so that no step is lost in the last digit of the sum
    constant = (x == x[:, :, :1, :1]).all((1, 2, 3))
    assert ((total_variation(torch.from_numpy(x)) == 0).numpy() == constant).all()


@given(activations, st.integers(0, 9))
def test_gaps_are_numpys_and_keep_the_batch_apart(a, seed):
    target = np.random.default_rng(seed).normal(size=(1, *a.shape[1:])).astype(np.float32)
    found, wanted = torch.from_numpy(a), torch.from_numpy(target)
    square = ((a - target) ** 2).reshape(len(a), -1)
    np.testing.assert_allclose(mean_square_gap(found, wanted), square.mean(1), rtol=1e-4)
    size = np.linalg.norm(target)
    assume(size > 1e-3)
    oracle = np.sqrt(square.sum(1)) / size
    np.testing.assert_allclose(relative_error(found, wanted), oracle, rtol=1e-4)


def test_relative_error_of_a_silent_target_is_finite():
    silent = torch.zeros(1, 2, 3)
    assert relative_error(silent, silent).tolist() == [0]
    assert torch.isfinite(relative_error(torch.ones(1, 2, 3), silent)).all()


@pytest.mark.parametrize("loss", [gram, total_variation])
def test_slopes_are_right(loss):
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert gradcheck(loss, x.requires_grad_())
    with pytest.raises(GradcheckError):  # the planted bug
        gradcheck(lambda x: loss(doubled(x)), x)
