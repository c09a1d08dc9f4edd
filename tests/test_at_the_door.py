"""Mistakes that scientists make in a notebook: each gets an error of ours that says what to do."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import stst
from decoding import decoded_here  # noqa: F401
from small_clips import clip, recipe
from stst.errors import DeviceError, FramesError, RecipeError, StreamError, StstError
from stst.recipe import Octave, Recipe, Start

FRAMES = torch.rand(4, 3, 20, 24)
LAYERS = {"space_texture": ["a"]}
SPATIAL = {"time_texture": 0, "space_texture": 1}


def matched(stream):
    """Begin to match a stream of one's own."""
    return stst.synthesize(clip(), spatial=stream, recipe=recipe(layers=LAYERS, weights=SPATIAL))


def no_cuda():
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    return stst.synthesize(clip(), recipe=recipe(), device="cuda")


MISTAKES = {
    "a path as target": (
        lambda: stst.synthesize("a.mp4"),
        FramesError,
        r"target must be a stst\.Clip, got str\. Read the file: stst\.read_video\('a\.mp4'\)",
    ),
    "a tensor as target": (
        lambda: stst.synthesize(FRAMES),
        FramesError,
        r"got Tensor\. Make a clip: stst\.Clip\.from_array",
    ),
    "an array as target": (lambda: stst.synthesize(FRAMES.numpy()), FramesError, "got ndarray"),
    "None as target": (lambda: stst.synthesize(None), FramesError, "got NoneType"),
    "a tensor for one loss": (
        lambda: stst.synthesize(dict.fromkeys(("space_texture", "time_texture"), FRAMES)),
        FramesError,
        "the target of space_texture must be a stst.Clip",
    ),
    "a path to factorize": (
        lambda: stst.factorize("a.mp4", clip()),
        FramesError,
        "must be a stst.Clip, got str",
    ),
    "a tensor as start": (
        lambda: stst.synthesize(clip(4, 72, 72), spatial="compact", recipe=recipe(), start=FRAMES),
        FramesError,
        "the start must be a stst.Clip",
    ),
    "a path to find_shots": (lambda: stst.find_shots("a.mp4"), FramesError, "read_video"),
    "a tensor to write": (lambda: stst.write_video(FRAMES, "a.webm"), FramesError, "from_array"),
    "a seed that is no number": (
        lambda: stst.synthesize(clip(), recipe=recipe(), seed=1.5),
        RecipeError,
        r"seed must be a whole number.*got 1\.5",
    ),
    "a seed as text": (
        lambda: stst.synthesize(clip(), recipe=recipe(), seed="12"),
        RecipeError,
        "got '12'",
    ),
    "a device that is not there": (
        no_cuda,
        DeviceError,
        r"device 'cuda' cannot be used: .*device='cpu'",
    ),
    "a device that does not exist": (
        lambda: stst.synthesize(clip(), recipe=recipe(), device="gpu"),
        DeviceError,
        "device 'gpu' cannot be used",
    ),
    "a recipe as plain data": (
        lambda: stst.synthesize(clip(), recipe={"octaves": [{}]}),
        RecipeError,
        r"got dict.*stst\.Recipe\.parse",
    ),
    "settings as text": (
        lambda: Recipe.preset("default").with_settings("pad=1"),
        RecipeError,
        r"mapping of names to values, \{'pad': 1\}; got 'pad=1'",
    ),
    "losses as a number": (
        lambda: Recipe.preset("default").with_losses(2),
        RecipeError,
        r"losses must be names, such as \['space_content', 'space_texture'\]; got 2",
    ),
    "no losses": (lambda: Recipe.preset("default").with_losses([]), RecipeError, "got "),
    "a preset as a number": (lambda: Recipe.preset(3), RecipeError, "no preset 3"),
    "a setting's name mistyped": (
        lambda: Recipe(octaves=[{"stepz": 2}]),
        RecipeError,
        r"octaves\.0\.stepz: .*Did you mean 'steps'\? Known: scale, steps, rate",
    ),
    "a part's name mistyped": (
        lambda: Recipe(octaves=[{}], strat={}),
        RecipeError,
        "strat: .*Did you mean 'start'",
    ),
    "a part that cannot be": (
        lambda: Octave(scale=2),
        RecipeError,
        "Octave: scale: .*less than or equal to 1, got 2",
    ),
    "a part's setting mistyped": (lambda: Start(blent=1), RecipeError, "Did you mean 'blend'"),
    "a recipe without octaves": (Recipe, RecipeError, "octaves: field required"),
    "a detached stream": (
        lambda: matched(lambda window, layers: {"a": window[:, -1].detach()}),
        StreamError,
        "'a' is detached from the frames: it gives no gradient",
    ),
    "a stream without its layer": (
        lambda: matched(lambda window, layers: {"b": window[:, -1]}),
        StreamError,
        r"must return \{layer: activation\} with 'a', got b",
    ),
    "a stream that gives a tensor": (
        lambda: matched(lambda window, layers: window[:, -1]),
        StreamError,
        "with 'a', got Tensor",
    ),
    "a plain network as a stream": (
        lambda: matched(torch.nn.Conv2d(3, 4, 3).eval()),
        StreamError,
        r"does not accept a clip.*stst\.stream\(module, layers=\[\.\.\.\]\)",
    ),
    "a clip of an array": (
        lambda: stst.Clip(FRAMES.numpy(), 25),
        FramesError,
        r"must be a torch tensor, got ndarray.*Clip\.from_array\(array, frame_rate\)",
    ),
    "a clip with channels last": (
        lambda: stst.Clip(FRAMES.permute(0, 2, 3, 1), 25),
        FramesError,
        r"must be \(T, 3, H, W\), got \(4, 20, 24, 3\)\. Clip\.from_array also takes",
    ),
    "a clip of bytes": (
        lambda: stst.Clip((FRAMES * 255).byte(), 25),
        FramesError,
        r"got torch\.uint8\. Clip\.from_array converts",
    ),
    "a clip of 0 to 255": (
        lambda: stst.Clip(FRAMES * 255, 25),
        FramesError,
        "Divide by the maximum level",
    ),
    "a rate that is no number": (lambda: stst.Clip(FRAMES, "fast"), FramesError, "got 'fast'"),
    "no rate": (lambda: stst.Clip(FRAMES, float("nan")), FramesError, "frame rate.*got 'nan'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_an_error_of_ours_that_says_what_to_do(mistake):
    make, kind, words = MISTAKES[mistake]
    with pytest.raises(StstError, match=words) as caught:
        make()
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value).strip()


def test_what_was_meant_is_taken_as_it_was_meant(begin):
    assert stst.Clip(FRAMES, 29.97).frame_rate == Fraction(2997, 100)
    assert stst.Clip(FRAMES, "30000/1001").frame_rate == Fraction(30000, 1001)
    assert stst.Clip(FRAMES, np.float32(25)).frame_rate == 25
    recipe = Recipe.preset("default")
    both = ["space_texture", "time_texture"]
    assert recipe.with_losses(both) == recipe.with_losses("+".join(both))
    assert len(begin(seed=np.arange(2)).result().films) == 2
    assert len(begin(seed=np.int64(3)).result().films) == 1
