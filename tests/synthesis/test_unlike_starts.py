"""Starts have no layout like the natural one: of several draws the least like it is taken."""

import numpy as np
import pytest
import torch

from reef import natural_scene
from small_clips import recipe
from stst.losses.arrangement import likeness, maps
from stst.losses.objective import LayerTarget
from stst.synthesis.starts import noise, scrambled_noise
from stst.synthesis.stream_losses import local_layers


@pytest.fixture(scope="module")
def natural():
    return natural_scene(frames=1, height=72, width=128).frames


def test_draws_are_less_like_the_natural_frame(natural):
    random = torch.stack([noise(seed, 0, (3, 72, 128)) for seed in range(6)])
    first, best = scrambled_noise(random, natural), scrambled_noise(random, natural, 12)
    assert scrambled_noise(random, natural, 1).equal(first)
    wanted = maps(natural[0].double().numpy())[:1]
    before, after = (
        [likeness(maps(x.double().numpy())[:1], wanted) for x in starts] for starts in (first, best)
    )
    assert all(b <= a for a, b in zip(before, after, strict=True))
    assert np.mean(after) < 0.6 * np.mean(before)


def test_each_of_a_batch_has_the_draw_that_it_would_have_alone(natural):
    random = torch.stack([noise(seed, 0, (3, 72, 128)) for seed in range(3)])
    together = scrambled_noise(random, natural, 12)
    for one, start in zip(random, together, strict=True):
        torch.testing.assert_close(scrambled_noise(one[None], natural, 12)[0], start)


class Deep:
    layers = ("near", "far")
    receptive_fields = {"near": 10, "far": 100}  # noqa: RUF012


@pytest.mark.parametrize(
    ("side", "layers"), [(400, ("near", "far")), (399, ("near",)), (20, ("near",))]
)
def test_layers_that_see_much_of_the_frame_are_not_matched(side, layers):
    wanted = LayerTarget("space_texture", Deep.layers)
    how = recipe(octaves=[{"steps": 1}], field=0.25)
    assert local_layers(wanted, Deep(), side, how).layers == layers
    everything = how.with_settings({"field": None})
    assert local_layers(wanted, Deep(), side, everything) == wanted
    content = LayerTarget("space_content", Deep.layers)
    assert local_layers(content, Deep(), side, how) == content
    assert local_layers(wanted, lambda clip, layers: {}, side, how) == wanted
