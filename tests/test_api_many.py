"""Many clips and seeds in one batch."""

from fractions import Fraction

import pytest
import torch

from stst import Clip, Recipe, synthesize, synthesize_many
from stst.errors import FramesError, RecipeError


def clip(seed, frames=3, side=24):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, side, side, generator=dice), Fraction(25))


@pytest.fixture
def how(toy_space, toy_time):
    recipe = Recipe(
        octaves=[{"scale": 0.5, "steps": 3}, {"steps": 4}], pad=1, start={"warp": "dense"}
    )
    return {"spatial": toy_space, "temporal": toy_time, "recipe": recipe}


def agrees_with_one_by_one(how, many):
    natural = [clip(1), clip(2)]
    together = many(natural, seed=[5, 6], **how).result()
    alone = [synthesize(x, seed=s, **how).result() for x in natural for s in (5, 6)]
    assert len(together.clips) == 4
    gaps = [
        (a.frames - b.clip.frames).abs().max() for a, b in zip(together.clips, alone, strict=True)
    ]
    name = "time_texture/toy"
    residuals = [
        abs(together.residuals[name][i] - b.residuals[name][0]).max() for i, b in enumerate(alone)
    ]
    return max(gaps) < 1e-3 and max(residuals) < 1e-3


def test_a_batch_makes_what_each_makes_alone_clips_first_then_seeds(how):
    assert agrees_with_one_by_one(how, synthesize_many)


def test_the_comparison_catches_clips_and_seeds_in_the_other_order(how):
    def planted(natural, *, seed, **more):
        return synthesize_many(natural[::-1], seed=seed, **more)

    assert not agrees_with_one_by_one(how, planted)


def test_each_clip_may_have_targets_of_its_own_for_each_loss(how):
    natural = [{"space_texture": clip(1), "time_texture": clip(s)} for s in (2, 3)]
    one, other = synthesize_many(natural, **how).result().clips
    assert not one.frames.equal(other.frames)
    alone = synthesize(natural[1], **how).result().clip
    torch.testing.assert_close(other.frames, alone.frames, rtol=0, atol=1e-3)


@pytest.mark.parametrize("natural", [[], [clip(1), clip(2, frames=4)], [clip(1), clip(2, side=28)]])
def test_clips_that_do_not_fit_in_a_batch_are_refused(how, natural):
    with pytest.raises(FramesError, match="must have the same"):
        synthesize_many(natural, **how)


def test_lbfgs_takes_one_clip_alone(how):
    recipe = how["recipe"].with_settings({"optimiser.method": "lbfgs"})
    with pytest.raises(RecipeError, match="exactly one"):
        synthesize_many([clip(1), clip(2)], **how | {"recipe": recipe})


def test_deterministic_mode_is_on_in_each_step_and_off_again(how, toy_space, globals_unchanged):
    seen = []

    class PredictionConfig(type(toy_space)):
        def forward(self, window, layers):
            seen.append(torch.are_deterministic_algorithms_enabled())
            return super().forward(window, layers)

    run = synthesize(clip(1), deterministic=True, **how | {"spatial": PredictionConfig(1)})
    for _ in run:
        assert not torch.are_deterministic_algorithms_enabled()
    assert all(seen)
    assert seen
