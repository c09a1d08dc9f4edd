"""Update rules on losses whose slopes are known: formulas, torch's own Adam, bounds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst.recipe import Optimiser
from stst.synthesis.refine import adam, descend, lbfgs, normalised, rates_of

BETAS = (0.9, 0.99)
METHODS = ("normalised", "adam", "lbfgs")
rates = st.floats(0, 1e6)


def frames(batch=1, seed=1, low=0.0, high=1.0):
    dice = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(batch, 3, 4, 5, generator=dice, dtype=torch.float64)


class Bowl:
    """A quadratic loss around a centre, steeper in some pixels than in others."""

    def __init__(self, centre):
        self.centre = centre
        self.steepness = torch.linspace(0.1, 3, centre[0].numel()).view_as(centre[0]).double()

    def __call__(self, x):
        gap = x - self.centre
        total = (self.steepness * gap.square()).flatten(1).sum(1) / 2
        return {"gap": total, "total": total}, self.steepness * gap


def last(steps):
    return list(steps)[-1][0]


def test_a_normalised_step_is_the_authors_formula():
    x, bowl = frames(2), Bowl(frames(2, seed=2))
    (found, losses), *_ = normalised(x, bowl, [0.3])
    slope = bowl(x)[1].numpy()
    spread = slope.std((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(found, (x.numpy() - 0.3 * slope / (spread + 1e-8)).clip(0, 1))
    assert losses["gap"].equal(bowl(x)[0]["gap"])  # before the step


@pytest.mark.parametrize("decay", ["constant", "cosine"])
def test_adam_is_torchs_where_nothing_is_clipped(decay):
    x, bowl = frames(2, low=0.4, high=0.6), Bowl(frames(2, seed=2, low=0.4, high=0.6))
    steps = rates_of(12, 0.01, decay)
    moved = x.clone().requires_grad_()
    oracle = torch.optim.Adam([moved], betas=BETAS, eps=1e-12)
    for rate, (found, _) in zip(steps, adam(x, bowl, steps, Optimiser(betas=BETAS)), strict=True):
        oracle.param_groups[0]["lr"] = rate
        moved.grad = bowl(moved.detach())[1]
        oracle.step()
        torch.testing.assert_close(found, moved.detach(), rtol=1e-9, atol=1e-9)
    assert 0 < moved.min() < moved.max() < 1


def test_damping_leaves_alone_what_has_a_small_slope():
    x = torch.full((1, 3, 4, 4), 0.5, dtype=torch.float64)
    target = x.clone()
    target[..., :2] += 0.3
    target[..., 2:] += 0.0003
    free, damped = (
        last(adam(x, Bowl(target), [0.01], Optimiser(damping=amount))) - x for amount in (0, 1)
    )
    torch.testing.assert_close(free[..., 2:], free[..., :2])  # Adam moves all by the rate
    assert damped[..., 2:].abs().max() < 0.1 * damped[..., :2].abs().min()


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_falls_and_the_start_is_left_alone(method):
    x, bowl = frames(), Bowl(frames(seed=2))
    before = x.clone()
    steps = list(descend(x, bowl, rates_of(20, 0.05, "cosine"), Optimiser(method=method)))
    assert len(steps) == 20
    assert steps[0][1]["gap"].equal(bowl(x)[0]["gap"])
    assert bowl(steps[-1][0])[0]["gap"] < 0.2 * bowl(x)[0]["gap"]
    assert x.equal(before)


def test_lbfgs_needs_few_steps_for_a_bowl():
    bowl = Bowl(frames(seed=2))
    found = last(lbfgs(frames(), bowl, [1.0] * 25))
    torch.testing.assert_close(found, bowl.centre, atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", ["normalised", "adam"])
def test_a_rate_of_0_is_the_identity(method):
    x = frames(2)
    found = last(descend(x, Bowl(frames(2, seed=2)), [0.0] * 3, Optimiser(method=method)))
    assert found.equal(x)


@pytest.mark.parametrize("method", METHODS)
@given(rate=rates, far=st.floats(-1e3, 1e3))
def test_frames_stay_in_range(method, rate, far):
    bowl = Bowl(torch.full((1, 3, 4, 5), far, dtype=torch.float64))
    for found, _ in descend(frames(), bowl, [rate] * 4, Optimiser(method=method)):
        assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("method", ["normalised", "adam"])
def test_each_item_of_a_batch_moves_by_itself(method):
    x, centre, how = frames(3), 5 * frames(3, seed=2), Optimiser(method=method)
    together = last(descend(x, Bowl(centre), [0.01] * 9, how))
    for i in range(3):
        alone = last(descend(x[i : i + 1], Bowl(centre[i : i + 1]), [0.01] * 9, how))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["normalised", "adam"])
def test_where_there_is_no_slope_nothing_moves(method):
    x = frames()
    found = last(descend(x, Bowl(x.clone()), [0.5] * 3, Optimiser(method=method)))
    assert found.equal(x)


@given(steps=st.integers(0, 50), rate=st.floats(1e-6, 1e3))
def test_rates_are_constant_or_half_a_cosine(steps, rate):
    assert rates_of(steps, rate, "constant") == [rate] * steps
    oracle = rate * np.cos(np.pi / 2 * np.arange(steps) / max(steps, 1)) ** 2
    np.testing.assert_allclose(rates_of(steps, rate, "cosine"), oracle, rtol=1e-9)
