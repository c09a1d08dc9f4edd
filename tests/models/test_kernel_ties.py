"""Where a window of `max_pool` has equals, one of them takes the whole of its gradient."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given
from hypothesis import strategies as st

from stst.models import kernels as module
from stst.models.kernels import ladder_pool, max_pool


def goes_whole_to_one(pool, x):
    """The gradient of each window is 1 at one of its greatest values, and 0 elsewhere."""
    x = x[None, :, :, None].requires_grad_()
    pooled = pool(x)
    for row, column in np.ndindex(*x.shape[1:3]):
        value = pooled[0, row, column, 0]
        slope = torch.autograd.grad(value, x, retain_graph=True)[0]
        near = (slice(None), slice(max(row - 2, 0), row + 3), slice(max(column - 2, 0), column + 3))
        if slope[near][x[near] == value].max() != 1 or slope.abs().sum() != 1:
            return False
    return True


@example(height=6, width=7, values=1, seed=0)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), st.integers(0, 99))
def test_max_pool_divides_no_gradient_among_equals(height, width, values, seed):
    dice = torch.Generator().manual_seed(seed)
    x = torch.randint(values, (height, width), generator=dice).double()
    assert goes_whole_to_one(ladder_pool, x)
    assert goes_whole_to_one(max_pool, x)


def windows(x):
    """Values of each 5 x 5 window: (1, H, W, 1) -> (1, H, W, 25)."""
    return F.pad(x, (0, 0, 2, 2, 2, 2), value=-torch.inf).unfold(1, 5, 1).unfold(2, 5, 1).flatten(3)


def to_each(x):
    """Max pooling whose gradient goes to each of the equals."""
    seen = windows(x)
    greatest = seen.amax(-1, keepdim=True).detach()
    total = torch.where(seen == greatest, seen, 0).sum(-1, keepdim=True)
    return greatest + total - total.detach()


def shared(x):
    """Max pooling whose gradient is divided among the equals."""
    return windows(x).amax(-1, keepdim=True)


@pytest.mark.parametrize("planted", [to_each, shared])
def test_the_test_of_equals_catches_another_rule(planted):
    x = torch.arange(42.0).view(6, 7)
    assert goes_whole_to_one(planted, x)
    assert not goes_whole_to_one(planted, x.fmod(5))
    assert not goes_whole_to_one(planted, torch.ones(6, 7))


def loses_nothing(pool):
    """On an even map the gradient's sum is kept, and no value gets more than there is."""
    x = torch.ones(2, 7, 9, 1, dtype=torch.float64, requires_grad=True)
    slope = torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    found = torch.autograd.grad(pool(x), x, slope)[0][..., 0]
    all_of_it = F.avg_pool2d(slope[..., 0], 5, 1, 2, divisor_override=1)
    kept = torch.allclose(found.sum((1, 2)), slope.sum((1, 2, 3)))
    return kept and ((found >= 0) & (found <= all_of_it + 1e-12)).all()


def test_max_pool_loses_no_gradient_on_an_even_map():
    assert loses_nothing(ladder_pool)
    assert loses_nothing(max_pool)
    assert loses_nothing(shared)
    assert not loses_nothing(to_each)


def test_the_test_of_equals_catches_more_than_all(monkeypatch):
    won = module._won
    monkeypatch.setattr(module, "_won", lambda s, a, b: won(s, a, b) * (1 + torch.eq(a, b)))
    assert not goes_whole_to_one(ladder_pool, torch.ones(6, 7))
    assert not loses_nothing(ladder_pool)
