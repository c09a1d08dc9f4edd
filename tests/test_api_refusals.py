"""synthesize(): what it refuses, before any step."""

from fractions import Fraction

import pytest

from small_clips import clip, recipe
from stst.errors import FramesError, RecipeError, StreamError
from stst.recipe import LOSSES


def no_losses():
    return recipe(weights=dict.fromkeys(LOSSES, 0))


@pytest.mark.parametrize(
    ("target", "how", "more", "error", "message"),
    [
        (clip(1), recipe(), {}, FramesError, r"1 frame.*needs at least 2\. Use more frames\.$"),
        (clip(3), recipe(pad=5), {}, FramesError, r"at least 6\. Use more frames or set pad=2"),
        (clip(4, 15, 40), recipe(), {}, FramesError, "40x15 px is too small.*16 px at full size"),
        (clip(), recipe(pad=0), {}, RecipeError, "pad=0 is too small.*Set pad=1"),
        (clip(), no_losses(), {}, RecipeError, "has no loss for frame 0.*weight above 0"),
        (
            clip(),
            recipe(weights={"space_texture": [1, 0, 1], "time_texture": 0}),
            {},
            RecipeError,
            "has no loss for frame 1",
        ),
        (clip(), "defualt", {}, RecipeError, "Did you mean 'default'"),
        (clip(), recipe(), {"seed": []}, RecipeError, r"0 seed\(s\)"),
        (
            clip(),
            recipe(optimiser={"method": "lbfgs"}),
            {"seed": [0, 1]},
            RecipeError,
            r"2 seed\(s\).*exactly one for the optimiser lbfgs",
        ),
        (clip(), recipe(), {"spatial": "vgg91"}, StreamError, "vgg91.*Did you mean 'vgg"),
        (
            clip(),
            recipe(layers={"space_texture": ["tyo"]}),
            {},
            StreamError,
            r"no layer 'tyo'\. Did you mean 'toy'",
        ),
        (clip(), recipe(), {"start": clip(3)}, FramesError, r"start must have .*\(4, 3, 20, 24\)"),
        (
            {"space_texture": clip()},
            recipe(),
            {},
            RecipeError,
            "given for space_texture, but the recipe uses space_texture, time_texture",
        ),
        (
            dict.fromkeys(("space_texture", "time_texture", "time_content"), clip()),
            recipe(),
            {},
            RecipeError,
            "exactly one clip for each of these",
        ),
        ({"space_txture": clip()}, recipe(), {}, RecipeError, "Did you mean 'space_texture'"),
        ({}, recipe(), {}, RecipeError, "given for nothing"),
        (
            {"space_texture": clip(4), "time_texture": clip(5)},
            recipe(),
            {},
            FramesError,
            "must have the same.*4 frames 20x24 at 30000/1001; 5 frames",
        ),
        (
            {"space_texture": clip(), "time_texture": clip(rate=Fraction(25))},
            recipe(),
            {},
            FramesError,
            "at 25; .*at 30000/1001",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(begin, target, how, more, error, message):
    with pytest.raises(error, match=message):
        begin(target, how, **more)


@pytest.mark.parametrize("scale", [1.0, 0.7071, 2 / 3, 0.5, 1.5**-2, 0.3])
def test_the_size_that_an_error_asks_for_is_enough(begin, scale):
    how = recipe(octaves=[{"scale": scale, "steps": 0}])
    with pytest.raises(FramesError, match="too small") as caught:
        begin(clip(2, 7, 40), how)
    need = int(str(caught.value).partition(" px at full size")[0].rpartition(" ")[2])
    begin(clip(2, need, need), how).result()
    with pytest.raises(FramesError, match="too small"):  # a bound that is far too high is caught
        begin(clip(2, need - 2, need - 2), how)
