"""The object of a natural clip is gone from its metamers, and comes back where a recipe lets it."""

import numpy as np
import pytest

from reef import natural_scene
from stst.metrics.arrangement import SHAPE, arrangement
from stst.models.stream import load_stream
from stst.recipe import Recipe
from stst.synthesis.stream_losses import layer_warnings
from stst.synthesis.synthesize import synthesize

LAYOUT = 0.25  # mean size over seeds: of clips that share nothing it is 0.2
PLANTED = {"weights.space_content": 1.0, "layers.space_content": ["block2_conv1"]}


def left(settings):
    """Shape and layout that three metamers of a fish over a reef still have, on average."""
    natural = natural_scene(frames=8, height=72, width=128)
    recipe = Recipe.preset("default").with_settings(settings)
    made = synthesize(natural, spatial="compact", recipe=recipe, seed=[0, 1, 2]).result().clips
    means = [arrangement(clip, natural)["luminance"].means for clip in made]
    return tuple(float(np.mean([one[name] for one in means])) for name in ("shape", "layout"))


@pytest.mark.slow
def test_default_loses_the_fish():
    shape, layout = left({})
    assert shape <= SHAPE
    assert layout <= LAYOUT


@pytest.mark.slow
def test_a_recipe_that_keeps_places_brings_it_back():
    shape, layout = left(PLANTED)
    assert shape > SHAPE
    assert layout > LAYOUT


@pytest.mark.parametrize(
    ("settings", "size", "named"),
    [
        ({}, (144, 256), ()),
        ({"field": None}, (144, 256), ("block4_conv1", "energy4")),
        ({"field": None}, (1440, 2560), ("energy5",)),
        ({"field": None}, (2000, 3600), ()),
        ({"field": 0.6}, (144, 256), ("block4_conv1",)),
        # Too small for any layer: the finest ones are matched all the same.
        ({}, (40, 40), ("energy1",)),
    ],
)
def test_layers_that_see_much_of_the_frame_are_named(settings, size, named):
    recipe = Recipe.preset("default").with_settings(settings)
    streams = (load_stream("compact"), load_stream("msoe"))
    found = layer_warnings(streams, recipe.weights.weighed, size, recipe)
    assert len(found) == bool(named)
    assert all(name in found[0] for name in named)


def test_streams_that_do_not_know_what_they_see_are_not_named(toy_space, toy_time):
    recipe = Recipe.preset("default").with_settings({"field": None})
    assert layer_warnings((toy_space, toy_time), recipe.weights.weighed, (40, 40), recipe) == []
