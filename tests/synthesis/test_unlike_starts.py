"""Starts have no layout like the natural one: of several draws the least like it is taken."""

import numpy as np
import pytest
import torch

from reef import natural_scene
from small_clips import recipe
from stst.losses.objective import Wanted
from stst.synthesis.refine import local
from stst.synthesis.starts import likeness, noise, scrambled, unlike


@pytest.fixture(scope="module")
def natural():
    return natural_scene(frames=1, height=72, width=128).frames


def test_draws_are_less_like_the_natural_frame(natural):
    random = torch.stack([noise(seed, 0, (3, 72, 128)) for seed in range(6)])
    first, best = scrambled(random, natural), unlike(random, natural, 12)
    assert unlike(random, natural, 1).equal(first)
    before, after = ([likeness(x, natural[0]) for x in starts] for starts in (first, best))
    assert all(b <= a for a, b in zip(before, after, strict=True))
    assert np.mean(after) < 0.6 * np.mean(before)


def test_each_of_a_batch_has_the_draw_that_it_would_have_alone(natural):
    random = torch.stack([noise(seed, 0, (3, 72, 128)) for seed in range(3)])
    together = unlike(random, natural, 12)
    for one, start in zip(random, together, strict=True):
        torch.testing.assert_close(unlike(one[None], natural, 12)[0], start)


class Deep:
    layers = ("near", "far")
    receptive_fields = {"near": 10, "far": 100}  # noqa: RUF012


@pytest.mark.parametrize(
    ("side", "layers"), [(400, ("near", "far")), (399, ("near",)), (20, ("near",))]
)
def test_layers_that_see_much_of_the_frame_are_not_matched(side, layers):
    wanted = Wanted("space_texture", Deep.layers)
    how = recipe(octaves=[{"steps": 1}], field=0.25)
    assert local(wanted, Deep(), side, how).layers == layers
    everything = how.with_settings({"field": None})
    assert local(wanted, Deep(), side, everything) == wanted
    content = Wanted("space_content", Deep.layers)
    assert local(content, Deep(), side, how) == content
    assert local(wanted, lambda clip, layers: {}, side, how) == wanted
