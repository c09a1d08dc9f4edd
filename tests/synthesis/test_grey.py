"""A clip without colour gets a metamer without colour; one with colour keeps its own."""

from fractions import Fraction

import pytest
import torch

from stst import Clip, Recipe, synthesize, synthesize_many
from stst.synthesis.refine import colourless_items


def clip(grey, seed=1, rounding=0.0):
    dice = torch.Generator().manual_seed(seed)
    frames = torch.rand(4, 3, 20, 24, generator=dice)
    if grey:
        frames = frames[:, :1] + rounding * (frames - 0.5)
    return Clip(frames.clamp(0, 1).contiguous(), Fraction(25))


def recipe(**colour):
    settings = {"after": "octave", **colour}
    return Recipe.parse({"octaves": [{"scale": 0.6, "steps": 2}, {"steps": 4}], "pad": 1,
                         "colour": settings})  # fmt: skip


def tint(made):
    return float((made.frames.amax(1) - made.frames.amin(1)).max())


@pytest.fixture
def streams(toy_space, toy_time):
    return {"spatial": toy_space, "temporal": toy_time}


WAYS = [{}, {"after": "frame"}, {"after": "never"}]


@pytest.mark.parametrize("whole", [None, {}, {"loop": True}])
@pytest.mark.parametrize("way", WAYS)
def test_a_clip_without_colour_gets_a_metamer_without_colour(streams, whole, way):
    how = recipe(**way).with_settings({"whole": whole})
    assert tint(synthesize(clip(True), recipe=how, **streams).result().clip) < 1e-6
    free = how.with_settings({"colour.keep_grey": False})
    assert tint(synthesize(clip(True), recipe=free, **streams).result().clip) > 0.01


def test_rounding_of_a_codec_is_no_colour(streams):
    made = synthesize(clip(True, rounding=2 / 255), recipe=recipe(), **streams).result().clip
    assert tint(made) < 1e-6
    tinted = clip(True, rounding=8 / 255)
    assert tint(synthesize(tinted, recipe=recipe(), **streams).result().clip) > 0.01


def test_a_clip_with_colour_beside_it_keeps_its_own(streams):
    pair = [clip(True), clip(False, seed=2)]
    grey, coloured = synthesize_many(pair, recipe=recipe(), **streams).result().clips
    assert tint(grey) < 1e-6
    alone = synthesize(pair[1], recipe=recipe(), **streams).result().clip
    torch.testing.assert_close(coloured.frames, alone.frames, atol=1e-4, rtol=0)
    free = synthesize(pair[1], recipe=recipe(keep_grey=False), **streams).result().clip
    assert torch.equal(alone.frames, free.frames)


def test_each_of_a_batch_is_without_colour_or_not():
    frames = torch.cat(
        [clip(grey=True).frames[:1].expand(-1, 3, -1, -1), clip(grey=False).frames[:1]]
    )
    how = recipe()
    grey = colourless_items({"space_texture": frames[:, None]}, how)
    assert grey.flatten().tolist() == [True, False]
    free = how.with_settings({"colour.keep_grey": False})
    assert not colourless_items({"space_texture": frames[:, None]}, free).any()
