"""Clips and a recipe so small that the whole optimiser runs in milliseconds."""

from fractions import Fraction

import torch

from stst.recipe import Recipe
from stst.synthesis.framewise import frame_order, synthesize_framewise
from stst.synthesis.starts import FrameSource
from stst.video.frames import Clip

RATE = Fraction(30000, 1001)


def clip(frames=4, height=20, width=24, seed=1, rate=RATE):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, height, width, generator=dice, dtype=torch.float32), rate)


def recipe(**settings):
    plain = {"octaves": [{"scale": 0.5, "steps": 2}, {"steps": [3, 2]}], "pad": 1}
    return Recipe.parse(plain | settings)


def framewise(
    targets, stream_losses, recipe, noise, *, span=2, start=None, given=None, finished=()
):
    """Events of all frames of these targets, {loss: (clip, ...)}, one after the other."""
    frames = len(next(iter(targets.values()))[0])
    order = frame_order(frames, recipe, span, given=given and len(given))
    source = FrameSource(targets, order, recipe, noise, start, given)
    yield from synthesize_framewise(source, stream_losses, span=span, finished=finished)
