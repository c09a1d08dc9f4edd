"""factorize(): which clip stands behind which loss."""

from fractions import Fraction

import pytest
import torch

from stst import Clip, Recipe, factorize, synthesize
from stst.errors import FramesError


def clip(seed, frames=4):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, 20, 24, generator=dice), Fraction(25))


def test_space_and_time_come_from_their_clips(toy_space, toy_time):
    recipe = Recipe.parse({"octaves": [{"steps": 3}], "pad": 1}).with_losses("all")
    streams = {"spatial": toy_space, "temporal": toy_time, "recipe": recipe}
    space, time = clip(1), clip(2)
    made = factorize(space, time, **streams).result()
    targets = {
        "space_content": space,
        "space_texture": space,
        "time_content": time,
        "time_texture": time,
    }
    asked = synthesize(targets, **streams).result()
    assert torch.equal(made.clip.frames, asked.clip.frames)
    swapped = factorize(time, space, **streams).result()
    assert not torch.equal(made.clip.frames, swapped.clip.frames)


def test_the_diagonal_is_the_metamer(toy_space, toy_time):
    recipe = Recipe.parse({"octaves": [{"steps": 2}], "pad": 1})
    streams = {"spatial": toy_space, "temporal": toy_time, "recipe": recipe}
    one = clip(1)
    pair, metamer = factorize(one, one, **streams), synthesize(one, **streams)
    assert torch.equal(pair.result().clip.frames, metamer.result().clip.frames)


def test_clips_of_other_lengths_are_refused(toy_space, toy_time):
    with pytest.raises(FramesError, match=r"3 frames .* 4 frames"):
        factorize(clip(1), clip(2, frames=3), spatial=toy_space, temporal=toy_time)
