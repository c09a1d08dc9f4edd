"""Distances between layouts: 0 for the same, 1 for unrelated ones, and a loss that raises them."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from stst import Clip, Recipe, synthesize
from stst.errors import FramesError, RecipeError
from stst.losses.functional import cell_colours, sameness
from stst.metrics.outcomes import layout_distances


def clip(seed, frames=3, height=24, width=36):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, height, width, generator=dice), Fraction(25))


def test_unrelated_clips_are_at_about_1_and_opposite_ones_further():
    one, other = clip(0), clip(1)
    mirror = Clip(1 - one.frames, one.frame_rate)
    found = layout_distances([one, other, mirror, one], one)
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 3] == 0
    assert found[0, 1] == pytest.approx(1, abs=0.2)
    assert found[0, 2] == pytest.approx(2, abs=0.1)


def test_texture_that_is_finer_than_a_cell_makes_no_distance():
    natural = clip(0, height=48, width=48)
    tiles = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(24, 24)
    fine = [Clip(t.expand(3, 3, -1, -1).contiguous(), Fraction(25)) for t in (tiles, 1 - tiles)]
    assert layout_distances(fine, natural)[0, 1] < 1e-12


def test_the_loss_agrees_with_the_table():
    clips, natural = [clip(seed, frames=1) for seed in range(3)], clip(9, frames=1)
    spread = cell_colours(natural.frames).var((-2, -1), correction=0).mean()
    found = sameness(cell_colours(torch.cat([c.frames for c in clips])), spread)
    table = np.exp(-layout_distances(clips, natural))
    wanted = (table.sum(1) - 1) / 2
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3)


def test_metamers_avoid_each_other_if_asked_to(toy_space, toy_time):
    natural = clip(3, frames=3)
    streams = {"spatial": toy_space, "temporal": toy_time, "seed": (0, 1, 2)}

    def nearest(weight):
        how = Recipe.parse({
            "octaves": [{"steps": 30, "rate": 0.02}],
            "pad": 1,
            "weights": {"sameness": weight, "total_variation": 0},
        })  # fmt: skip
        run = synthesize(natural, recipe=how, **streams).result()
        distances = layout_distances(run.films, natural)
        return distances[~np.eye(3, dtype=bool)].min()

    assert nearest(1.0) > 1.2 * nearest(0.0)


@pytest.mark.parametrize("change", [{"seed": 0}, {"whole": {}}])
def test_one_metamer_has_nothing_to_avoid(toy_space, toy_time, change):
    seed = change.pop("seed", (0, 1))
    how = Recipe.parse({"octaves": [{}], "pad": 1, "weights": {"sameness": 1}} | change)
    with pytest.raises(RecipeError, match="at least two seeds"):
        synthesize(clip(0), recipe=how, seed=seed, spatial=toy_space, temporal=toy_time)


@pytest.mark.parametrize(
    ("clips", "told"),
    [([clip(0)], "at least 2 clips"), ([clip(0), clip(1, frames=2)], "same length and size")],
)
def test_what_has_no_distance_is_refused(clips, told):
    with pytest.raises(FramesError, match=told):
        layout_distances(clips, clip(5))
