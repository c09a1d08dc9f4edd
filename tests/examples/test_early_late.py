import importlib
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from stst import Clip, Recipe, synthesize, write_video

sys.path.append(str(Path(__file__).parents[2] / "examples"))
early_late = importlib.import_module("early_late")


def clip(seed):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(5, 3, 40, 40, generator=dice), Fraction(25))


def test_a_clip_is_like_itself_in_every_block_and_unlike_another_in_the_first():
    one, other = clip(0), clip(1)
    np.testing.assert_allclose(early_late.likeness(one, one), 1, atol=1e-5)
    activations, _ = early_late.likeness(one, other)
    assert activations[0] < 0.5


def test_only_the_layers_that_are_named_are_matched_and_all_are_drawn(
    tmp_path, monkeypatch, capsys
):
    seen = []

    def quick(natural, *, recipe, **more):
        seen.append(recipe)
        short = Recipe.parse(recipe.model_dump() | {"octaves": [{"steps": 1}], "pad": 1})
        return synthesize(natural, recipe=short, **more)

    monkeypatch.setattr(early_late, "synthesize", quick)
    write_video(clip(0), tmp_path / "clip.webm")
    words = [str(tmp_path / "clip.webm"), "--out", str(tmp_path / "plot.png")]
    monkeypatch.setattr(sys, "argv", ["early_late.py", *words])
    early_late.main()
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * len(early_late.CONDITIONS)
    assert [recipe.layers.space_content for recipe in seen][-1] == ("block5_conv1",)
    assert all(sum(recipe.weights.time_texture) == 0 for recipe in seen)
