"""A synthesis in bfloat16: judged in float32, and the caller's stream left as it was."""

from fractions import Fraction

import pytest
import torch

from stst.losses.functional import relative_error
from stst.models.stream import load_stream
from stst.recipe import Recipe
from stst.synthesis.stream_losses import StreamLosses
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Clip

LAYER = "block1_conv1"


def clip():
    dice = torch.Generator().manual_seed(1)
    return Clip(torch.rand(3, 3, 40, 40, generator=dice), Fraction(25))


def recipe(precision="bfloat16", **weights):
    return Recipe.parse(
        {
            "octaves": [{"steps": 2}],
            "pad": 1,
            "precision": precision,
            "weights": weights or {"time_texture": 0},
            "layers": {"space_texture": [LAYER]},
        }
    )


@pytest.fixture
def trunk():
    return load_stream("compact")


def found_by(trunk, metamer):
    """Relative error of each frame, straight from the definition."""
    grams = [trunk.grams(frames[:, None], [LAYER])[LAYER] for frames in (metamer, clip().frames)]
    return relative_error(*grams)


def judged_in_float32(trunk):
    result = synthesize(clip(), spatial=trunk, recipe=recipe()).result()
    found = torch.from_numpy(result.residuals[f"space_texture/{LAYER}"][0])
    return torch.allclose(found, found_by(trunk, result.clip.frames), rtol=1e-5, atol=0)


def test_residuals_are_found_by_the_stream_in_float32(trunk):
    assert judged_in_float32(trunk)


def test_the_test_of_residuals_catches_a_judge_in_bfloat16(trunk, monkeypatch):
    monkeypatch.setattr(
        StreamLosses, "in_float32", property(lambda x: StreamLosses(x.stream, x.layers))
    )
    assert not judged_in_float32(trunk)


def test_frames_are_optimised_in_the_precision_asked_for(trunk):
    wide, narrow, again = (
        synthesize(clip(), spatial=trunk, recipe=recipe(precision)).result().clip.frames
        for precision in ("float32", "bfloat16", "bfloat16")
    )
    assert narrow.equal(again)
    assert narrow.dtype == torch.float32
    assert not narrow.equal(wide)
    assert (narrow - wide).abs().mean() < 0.01


def state(module):
    return {
        name: (value.dtype, value.device, value.clone())
        for name, value in module.state_dict().items()
    }


def unchanged(module, before):
    return all(
        value.dtype == dtype and value.device == device and value.equal(kept)
        for value, (dtype, device, kept) in zip(
            module.state_dict().values(), before.values(), strict=True
        )
    )


@pytest.mark.parametrize("precision", ["bfloat16", "auto", "float32"])
def test_the_callers_own_stream_is_not_cast(trunk, precision):
    msoe = load_stream("msoe")
    before = state(trunk), state(msoe)
    how = recipe(precision, space_texture=1, time_texture=1)
    synthesize(clip(), spatial=trunk, temporal=msoe, recipe=how).result()
    assert unchanged(trunk, before[0])
    assert unchanged(msoe, before[1])


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_the_callers_own_stream_is_not_moved(trunk, precision):
    before = state(trunk)
    synthesize(clip(), spatial=trunk, recipe=recipe(precision), device="meta")
    assert unchanged(trunk, before)


@pytest.mark.parametrize("planted", [torch.nn.Module.bfloat16, lambda module: module.to("meta")])
def test_a_stream_that_is_cast_or_moved_is_noticed(trunk, planted):
    before = state(trunk)
    planted(trunk)
    assert not unchanged(trunk, before)


def test_a_stream_of_ones_own_decides_its_precision_itself():
    seen = set()

    class Own(torch.nn.Conv2d):
        frames_needed, min_side, layers = 1, 8, (LAYER,)

        def forward(self, clip, layers):
            seen.add((clip.dtype, self.weight.dtype))
            return dict.fromkeys(layers, super().forward(clip[:, -1]))

    own = Own(3, 4, 3).requires_grad_(False)
    synthesize(clip(), spatial=own, recipe=recipe()).result()
    assert seen == {(torch.float32, torch.float32)}
