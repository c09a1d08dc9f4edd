"""What is asked of pixels: colour moments from fine to coarse."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from small_clips import clip, recipe
from stst.losses.functional import colour_moments
from stst.losses.pixels import ColourMoments

sides = st.integers(2, 20)


def frames(batch=2, height=12, width=16, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=dice, dtype=torch.float64)


@given(height=sides, width=sides, seed=st.integers(0, 99))
def test_moments_are_numpys_of_ever_coarser_copies(height, width, seed):
    given = frames(1, height, width, seed)
    mean, covariances = colour_moments(given)
    copy = given[0].numpy()
    np.testing.assert_allclose(mean[0], copy.mean((1, 2)))
    for found in covariances[0]:
        np.testing.assert_allclose(found, np.cov(copy.reshape(3, -1), bias=True), atol=1e-12)
        copy = copy[:, : copy.shape[1] // 2 * 2, : copy.shape[2] // 2 * 2]
        copy = copy.reshape(3, copy.shape[1] // 2, 2, copy.shape[2] // 2, 2).mean((2, 4))
    assert min(copy.shape[1:]) == 1


def loss(found, natural):
    return ColourMoments(natural)(found[:, None])["colour_moments"]


def test_the_natural_frame_has_none_to_lose():
    assert loss(frames(), frames()).tolist() == [0, 0]


@given(seed=st.integers(0, 99))
def test_where_pixels_are_is_told_by_the_coarse_copies_alone(seed):
    natural = frames(1)
    order = torch.randperm(12 * 16, generator=torch.Generator().manual_seed(seed))
    shuffled = natural.flatten(2)[..., order].view_as(natural)
    (fine, *coarse), (same, *other) = (colour_moments(x)[1][0] for x in (natural, shuffled))
    torch.testing.assert_close(fine, same)
    assert not torch.allclose(coarse[0], other[0], rtol=0.01)


def test_half_the_contrast_and_other_light_cost_what_they_should():
    natural = frames(1)
    mean = natural.mean((-2, -1), keepdim=True)
    assert loss(mean + (natural - mean) / 2, natural).item() == pytest.approx((1 - 0.25) ** 2)
    spread = natural.var((-2, -1), correction=0).sum()
    assert loss(natural + 0.1, natural).item() == pytest.approx((3 * 0.1**2 / spread).item())


def test_each_of_a_batch_has_its_own_loss_and_slope():
    found, natural = frames(3), frames(1, seed=1)
    together = loss(found, natural)
    assert together.tolist() == pytest.approx([loss(x[None], natural).item() for x in found])
    assert torch.autograd.gradcheck(lambda x: loss(x, natural), found.requires_grad_())


@pytest.mark.parametrize("natural", [torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 2, 2)])
def test_a_frame_without_contrast_has_finite_losses(natural):
    found = torch.rand(natural.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = loss(found, natural)
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), found)[0].isfinite().all()


def test_a_metamer_keeps_its_targets_contrast_with_them(begin):
    natural = clip(height=40, width=48)
    natural.frames[:, :, :20] *= 0.3  # coarse contrast, to which the toy's filters are blind

    def contrast_lost(weight):
        how = recipe(
            octaves=[{"steps": 40}],
            weights={"space_texture": 1, "time_texture": 0, "colour_moments": weight},
        )
        made = begin(natural, how).result().clip.frames
        coarse = [torch.nn.functional.avg_pool2d(x, 8).std() for x in (made, natural.frames)]
        return abs(1 - coarse[0] / coarse[1])

    assert contrast_lost(1) < 0.5 * contrast_lost(0)
