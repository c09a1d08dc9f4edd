"""What is asked of pixels: moments of colours and luminance, octave by octave."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn

from small_clips import clip, recipe
from stst.losses.functional import colour_moments, linear_luminance, octave_moments
from stst.losses.objective import ColourMoments, Gamut

sides = st.integers(2, 20)


def frames(batch=2, height=12, width=16, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=dice, dtype=torch.float64)


def light(frame):
    """Luminance of sRGB (IEC 61966-2-1) in numpy: (3, H, W) -> (H, W)."""
    linear = np.where(frame <= 0.04045, frame / 12.92, ((frame + 0.055) / 1.055) ** 2.4)
    return np.tensordot([0.2126, 0.7152, 0.0722], linear, 1)


@given(seed=st.integers(0, 99))
def test_luminance_is_that_of_an_srgb_screen(seed):
    given = frames(1, seed=seed)
    np.testing.assert_allclose(linear_luminance(given)[0, 0], light(given[0].numpy()), rtol=1e-6)
    assert torch.autograd.gradcheck(linear_luminance, given.requires_grad_())


@given(height=sides, width=sides, seed=st.integers(0, 99))
def test_moments_are_of_octaves_of_scipys_cosine_transform(height, width, seed):
    given = frames(1, height, width, seed)
    mean, covariances = colour_moments(given)
    copy = np.concatenate([given[0].numpy(), light(given[0].numpy())[None]])
    np.testing.assert_allclose(mean[0], copy.mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(
        covariances[0].sum(0), np.cov(copy.reshape(4, -1), bias=True), atol=1e-7
    )
    waves = dctn(copy, axes=(1, 2), norm="ortho")
    waves[:, 0, 0] = 0
    frequency = np.hypot(np.arange(height)[:, None] / height, np.arange(width) / width)
    for octave, found in enumerate(covariances[0, :-1]):
        chosen = waves[:, (frequency <= 0.5**octave) & (frequency > 0.5 ** (octave + 1))]
        chosen = waves[:, frequency > 0.5] if octave == 0 else chosen
        np.testing.assert_allclose(found, chosen @ chosen.T / (height * width), atol=1e-7)


@given(height=st.integers(33, 400), width=st.integers(33, 400), seed=st.integers(0, 99))
def test_each_pixel_has_its_part_in_each_octave(height, width, seed):
    """Halving frames had left the last lines of odd sides out, which showed as seams."""
    dice = np.random.default_rng(seed)
    places = [(-1, -1), (0, -1), (height // 2, -1), (-1, width // 2)]
    places += [(dice.integers(height), dice.integers(width)) for _ in range(4)]
    alone = torch.zeros(len(places), 1, height, width, dtype=torch.float64)
    for one, place in zip(alone, places, strict=True):
        one[0][place] = 1
    weights = octave_moments(alone)[:, :, 0, 0]
    average = octave_moments(torch.randn(1, 1, height, width, dtype=torch.float64))[0, :, 0, 0]
    share = weights / average * height * width
    assert share[:, :-1].min() > 0.2
    assert share.min() > 0.1
    assert share[:, :-1].max() < 8  # in a corner a wave counts up to four times; noise varies


def test_an_octave_that_is_missing_is_seen_in_its_covariance_alone():
    """A wave of a quarter of a cycle a pixel is in the octave from 1/4 to 1/8, and in no other."""
    wave = torch.cos(torch.pi / 32 * 12 * (torch.arange(32, dtype=torch.float64) + 0.5))
    found = octave_moments(wave.expand(1, 1, 32, 32))[0, :, 0, 0]
    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.5)
    assert found.sum() == pytest.approx(0.5)


def loss(found, natural):
    return ColourMoments(natural)(found[:, None])["colour_moments"]


def test_the_natural_frame_has_none_to_lose():
    assert loss(frames(), frames()).tolist() == [0, 0]


@given(seed=st.integers(0, 99))
def test_where_pixels_are_moves_contrast_from_octave_to_octave(seed):
    natural = torch.rand(1, 3, 8, 16, dtype=torch.float64)  # halved without a rest
    order = torch.randperm(8 * 16, generator=torch.Generator().manual_seed(seed))
    shuffled = natural.flatten(2)[..., order].view_as(natural)
    found, wanted = (colour_moments(x)[1][0] for x in (shuffled, natural))
    torch.testing.assert_close(found.sum(0), wanted.sum(0))
    assert not torch.allclose(found[0], wanted[0], rtol=0.001)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (1, 0.1)])
def test_other_contrast_and_other_light_cost_what_they_should(gain, offset):
    natural = frames(1)
    mean = natural.mean((-2, -1), keepdim=True)
    found = mean + gain * (natural - mean) + offset
    (off, covariances), (wanted, powers) = ((x.numpy() for x in colour_moments(y))
                                            for y in (found, natural))  # fmt: skip
    gaps = np.square(covariances - powers).sum((2, 3)) / np.square(powers).sum((2, 3))
    spread = powers.sum(1).trace(axis1=1, axis2=2)
    cost = gaps.mean() + np.square(off - wanted).sum() / spread
    assert loss(found, natural).item() == pytest.approx(cost.item())
    if gain == 0.5:  # of colours; luminance is not linear
        colours = np.square(covariances - powers)[..., :3, :3].sum((2, 3))
        np.testing.assert_allclose(colours, 0.5625 * np.square(powers)[..., :3, :3].sum((2, 3)))


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


def beyond(found, natural):
    return Gamut(natural)(found[:, None])["gamut"]


def test_colours_that_the_natural_frame_has_cost_nothing_wherever_they_are():
    natural = frames(1)
    order = torch.randperm(natural[0, 0].numel(), generator=torch.Generator().manual_seed(1))
    shuffled = natural.flatten(2)[..., order].view_as(natural)
    assert beyond(shuffled, natural).item() == pytest.approx(beyond(natural, natural).item())
    assert beyond(natural, natural) < 0.05  # the rarest ones
    assert beyond(natural.mean((-2, -1), keepdim=True).expand_as(natural), natural) == 0


def test_a_tint_costs_by_how_far_it_is_out_and_has_a_way_back():
    grey = frames(1).mean(1, keepdim=True).expand(1, 3, 12, 16).clone()
    little, much = (grey.clone(), grey.clone())
    little[:, 0] += 0.05
    much[:, 0] += 0.2
    found = much.requires_grad_()
    cost = beyond(found, grey)
    assert 0 < beyond(little, grey) < cost
    assert torch.autograd.grad(cost.sum(), found)[0][:, 0].min() > 0


@given(seed=st.integers(0, 99))
def test_colours_that_are_out_are_brought_in_and_the_others_left(seed):
    natural = 0.3 + 0.4 * frames(1, seed=seed)
    gamut = Gamut(natural)
    out = frames(1, seed=seed + 100)
    found = gamut.inside(out)
    assert beyond(found, natural) < 0.05 * beyond(out, natural)
    kept = gamut.inside(found)
    torch.testing.assert_close(gamut.inside(kept), kept, atol=0.02, rtol=0)
    middle = natural.mean((-2, -1), keepdim=True).expand_as(natural)
    torch.testing.assert_close(gamut.inside(middle), middle)
