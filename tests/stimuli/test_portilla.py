"""Portilla-Simoncelli textures of frames; most of it needs plenoptic."""

import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from stst import Clip, make_control
from stst.errors import Diverged, FramesError, RecipeError
from stst.stimuli import portilla
from stst.stimuli.portilla import Components, PortillaSimoncelli, TextureModel, descend

pytestmark = pytest.mark.usefixtures("globals_unchanged")


@pytest.fixture
def plenoptic():
    return pytest.importorskip("plenoptic")


def rand(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def natural(frames=2, height=28, width=32, seed=0):
    """Coloured noise that is smooth along x."""
    dice = torch.Generator().manual_seed(seed)
    rough = torch.randn(frames, 3, height, width, generator=dice).cumsum(-1)
    mixed = torch.einsum("kc,tchw->tkhw", torch.rand(3, 3, generator=dice), rough)
    mixed -= mixed.mean()
    return Clip(0.5 + 0.4 * mixed / mixed.abs().max(), Fraction(25))


def grey(clip):
    return Clip(clip.frames.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous(), Fraction(25))


def test_components_are_uncorrelated_of_unit_variance_and_give_the_frames_back():
    frames = natural().frames
    found = Components.of(frames)
    parts = found.split(frames)
    flat = parts.transpose(0, 1).flatten(1).numpy()
    np.testing.assert_allclose(np.cov(flat, bias=True), np.eye(3), atol=1e-5)
    torch.testing.assert_close(found.join(parts), frames.double(), atol=1e-6, rtol=0)


def test_components_are_those_in_which_colours_vary():
    assert Components.of(natural().frames).basis.shape == (3, 3)
    assert Components.of(grey(natural()).frames).basis.shape == (3, 1)
    even = Components.of(torch.full((2, 3, 8, 8), 0.25))
    assert even.split(torch.full((1, 3, 8, 8), 0.25)).abs().max() < 1e-9


def test_rounding_is_that_of_eight_bits():
    frames = natural(frames=8, height=64, width=64).frames
    found = Components.of(frames)
    lost = found.split(frames) - found.split((frames * 255).round() / 255)
    torch.testing.assert_close(lost.std((0, 2, 3)), found.rounding(), rtol=0.05, atol=0)


def test_descent_finds_the_lowest_point_and_leaves_its_start_alone():
    goal, start = rand(1, 1, 4, 4), torch.zeros(1, 1, 4, 4).double()
    with torch.no_grad():  # of the caller
        found = descend(start, lambda x: (x - goal).square().sum(), 20)
    torch.testing.assert_close(found, goal)
    assert not start.any()


def test_without_plenoptic_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "plenoptic", None)
    with pytest.raises(RecipeError, match=r"pip install 'stst-vision\[plenoptic\]'"):
        make_control(natural(), "portilla-simoncelli")


def test_the_sentence_says_what_was_asked_for():
    said = PortillaSimoncelli(scales=3, orientations=6, steps=9, seed=2).sentence
    for words in ("6 orientations", "at most 3", "seed 2", "at most 9 steps"):
        assert words in said


def test_small_frames_are_refused(plenoptic):
    with pytest.raises(FramesError, match="at least 14 px per side, got 32 x 13 px"):
        make_control(natural(height=13), "portilla-simoncelli")


@pytest.mark.parametrize(
    ("size", "scales", "whole"),
    [
        ((14, 15), 1, (14, 16)),
        ((24, 32), 1, (24, 32)),
        ((29, 31), 2, (32, 32)),
        ((90, 160), 3, (96, 160)),
        ((144, 256), 4, (144, 256)),
    ],
)
def test_as_many_scales_as_fit(plenoptic, size, scales, whole):
    model = TextureModel(size, 4, 4)
    picture = rand(1, 1, *size)
    more = model.extended(picture)
    assert model.scales == scales
    assert tuple(more.shape[2:]) == whole
    assert torch.equal(more[..., : size[0], : size[1]], picture)
    assert model.distance_to(more)(more) == 0


def distance(made, clip, plenoptic):
    """How far the statistics of grey clips are from each other, relative, by plenoptic alone."""
    model = statistics_of(clip.size, plenoptic)
    one, other = (model(x.frames[:, :1].double()) for x in (made, clip))
    extremes = slice(4, 6)  # of the pixels, which no descent can match
    one[..., extremes] = other[..., extremes]
    return float((one - other).norm() / other.norm())


def weighed(picture, model):
    """The statistics that are matched, as plenoptic weighs them: no extremes, more fine detail."""
    found = model.convert_to_dict(model(picture))
    found["pixel_statistics"][..., -2:] = 0
    found["var_highpass_residual"] *= 100
    return model.convert_to_tensor(found)


def statistics_of(size, plenoptic):
    """The model of plenoptic alone, which draws from NumPy's generator."""
    state = np.random.get_state()
    model = plenoptic.models.PortillaSimoncelli(size, 2, 4, 7)
    np.random.set_state(state)
    return model


def test_the_error_is_that_of_the_weighed_statistics(plenoptic):
    model = TextureModel((32, 32), 2, 4)
    picture, goal = rand(2, 1, 1, 32, 32)
    a, b = (weighed(x, statistics_of((32, 32), plenoptic)) for x in (picture, goal))
    assert model.error(picture, goal) == pytest.approx(float((a - b).norm() / b.norm()))
    assert model.error(goal, goal) == 0


def test_a_residual_of_each_frame_is_told(plenoptic):
    few, many = (
        make_control(natural(height=32), "portilla-simoncelli", steps=n).residuals for n in (1, 40)
    )
    assert len(few) == len(many) == 2
    assert max(many) < 0.25 < min(few)
    assert len(set(many)) == 2


def test_statistics_are_matched_and_places_are_not(plenoptic):
    clip = grey(natural(frames=1, height=32))
    few, many = (make_control(clip, "portilla-simoncelli", steps=steps).clip for steps in (1, 40))
    noise = Clip(rand(*clip.frames.shape).float(), clip.frame_rate)
    assert distance(many, clip, plenoptic) < 0.05
    assert distance(few, clip, plenoptic) > 3 * distance(many, clip, plenoptic)
    assert distance(noise, clip, plenoptic) > 0.3
    light, before = many.frames[0, 0].flatten(), clip.frames[0, 0].flatten()
    assert abs(float(torch.corrcoef(torch.stack([light, before]))[0, 1])) < 0.5


def test_colours_are_kept(plenoptic):
    clip = natural(frames=1, height=32)
    made = make_control(clip, "portilla-simoncelli", steps=40).clip
    before, after = (x.frames[0].flatten(1).double() for x in (clip, made))
    torch.testing.assert_close(after.mean(1), before.mean(1), atol=0.02, rtol=0)
    gap = (torch.cov(after) - torch.cov(before)).norm() / torch.cov(before).norm()
    assert gap < 0.15


def test_a_grey_clip_stays_grey(plenoptic):
    made = make_control(grey(natural()), "portilla-simoncelli", steps=3).clip.frames
    torch.testing.assert_close(made[:, 0], made[:, 2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("picture", ["even", "ramp", "edge"])
def test_pictures_with_nothing_at_some_scales_can_be_made(plenoptic, picture):
    across = torch.arange(32.0).expand(1, 3, 28, 32)
    shown = {"even": across * 0 + 0.5, "ramp": across / 31, "edge": (across > 15).float()}
    clip = Clip(shown[picture].contiguous(), Fraction(25))
    made = make_control(clip, "portilla-simoncelli", steps=5).clip.frames
    assert made.isfinite().all()


def test_a_seed_repeats_frames_differ_and_another_seed_gives_others(plenoptic):
    still = Clip(natural(frames=1).frames.expand(2, -1, -1, -1).contiguous(), Fraction(25))
    one, same, other = (
        make_control(still, "portilla-simoncelli", steps=2, seed=seed).clip.frames
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_what_is_not_a_number_is_refused(plenoptic, monkeypatch):
    monkeypatch.setattr(portilla, "descend", lambda start, *_: start * float("nan"))
    with pytest.raises(Diverged, match="another seed"):
        make_control(natural(), "portilla-simoncelli")
