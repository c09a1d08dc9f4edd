"""Recipes of a set of losses: those and no other, by the schedules of the preset."""

from itertools import combinations

import pytest

from stst.errors import RecipeError
from stst.recipe import LOSSES, Recipe, list_presets

SETS = ["+".join(some) for n in range(1, 5) for some in combinations(LOSSES, n)]


@pytest.mark.parametrize("preset", list_presets())
@pytest.mark.parametrize("names", SETS)
def test_every_set_of_losses_is_a_recipe_that_weighs_those_and_no_other(preset, names):
    recipe = Recipe.preset(preset).with_losses(names)
    assert set(recipe.weights.weighed) == set(names.split("+"))
    for frame in range(8):  # there is something to match in every frame
        assert set(recipe.weights.at(frame)) & set(LOSSES)
    assert recipe.octaves == Recipe.preset(preset).octaves


def test_losses_keep_the_schedule_of_the_preset():
    default = Recipe.preset("default")
    both = default.with_losses("space_texture+time_content").weights
    assert both.time_content == default.weights.time_texture == (0.0, 1.0)
    assert default.with_losses("space_texture+time_texture") == default
    assert set(default.with_losses("all").weights.weighed) == set(LOSSES)


@pytest.mark.parametrize(
    ("names", "told"), [("", "''"), ("none", "no loss"), ("space_textur", "Did you mean")]
)
def test_a_loss_that_is_none_is_refused(names, told):
    with pytest.raises(RecipeError, match=told):
        Recipe.preset("default").with_losses(names)
