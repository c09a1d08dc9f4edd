"""Starts have no layout like the natural one: of several draws the least like it is taken."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from small_clips import recipe
from stst.losses.objective import Wanted
from stst.stimuli.scene import natural_scene
from stst.synthesis.likeness import likeness
from stst.synthesis.noise import noise, scrambled, unlike
from stst.synthesis.transition import local


@pytest.fixture(scope="module")
def natural():
    return natural_scene(frames=1, height=72, width=128).frames


def correlation(one, other):
    """Of blurred luminance, by scipy and numpy."""
    maps = [gaussian_filter(x.mean(0).double().numpy(), 4).ravel() for x in (one, other)]
    return np.corrcoef(*maps)[0, 1]


def test_a_frame_is_like_itself_moved_or_not_and_not_like_a_plain_one(natural):
    moved = natural.roll((9, 20), (-2, -1))
    assert likeness(natural, natural).item() == pytest.approx(1, abs=0.01)
    assert likeness(moved, natural) > 0.2
    plain = torch.full_like(natural, 0.5)
    assert likeness(plain, natural) < 1e-6


def test_gain_and_light_do_not_change_it(natural):
    other = scrambled(noise(0, 0, (3, 72, 128))[None], natural)
    one, brighter = likeness(other, natural), likeness(0.5 * other + 0.2, natural)
    torch.testing.assert_close(one, brighter, rtol=1e-4, atol=1e-5)


def test_draws_are_less_like_the_natural_frame(natural):
    random = torch.stack([noise(seed, 0, (3, 72, 128)) for seed in range(8)])
    first, best = scrambled(random, natural), unlike(random, natural, 12)
    assert unlike(random, natural, 1).equal(first)
    assert (likeness(best, natural) <= likeness(first, natural)).all()
    before, after = ([abs(correlation(x, natural[0])) for x in starts] for starts in (first, best))
    assert np.mean(after) < np.mean(before)


class Deep:
    layers = ("near", "far")
    receptive_fields = {"near": 10, "far": 100}  # noqa: RUF012


@pytest.mark.parametrize(
    ("side", "layers"), [(400, ("near", "far")), (399, ("near",)), (20, ("near",))]
)
def test_layers_that_see_much_of_the_frame_are_not_matched(side, layers):
    wanted, window = Wanted("space_texture", Deep.layers), torch.zeros(1, 1, 3, side, side + 50)
    how = recipe(octaves=[{"steps": 1}], field=0.25)
    assert local(wanted, Deep(), window, how).layers == layers
    everything = how.with_settings({"field": None})
    assert local(wanted, Deep(), window, everything) == wanted
    content = Wanted("space_content", Deep.layers)
    assert local(content, Deep(), window, how) == content
    assert local(wanted, lambda clip, layers: {}, window, how) == wanted
