"""Errors of prediction beside those of repeating, and SSIM beside scikit-image's."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from stst.errors import FramesError
from stst.metrics import prediction as subject
from stst.metrics.prediction import (
    PredictionErrors,
    compared_words,
    natural_no_better,
    predictability,
    ssim,
)
from stst.models.prednet_network import follow, load_prednet
from stst.models.prednet_training import new_prednet
from stst.stimuli.kinds import make_stimulus
from stst.stimuli.scenes import moving_scene
from stst.video.frames import Clip


@pytest.fixture(scope="module")
def toy():
    return new_prednet((3, 4, 5), 0).requires_grad_(False)


def oracle(one, other):
    """scikit-image's, with the window of Wang et al. 2004."""
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return structural_similarity(one, other, data_range=1, channel_axis=0, **how)


@given(st.integers(0, 99), st.integers(11, 24), st.integers(11, 24), st.floats(0, 1))
def test_ssim_is_that_of_scikit_image(seed, height, width, noise):
    rng = np.random.default_rng(seed)
    one = rng.random((2, 3, height, width))
    other = one + noise * (rng.random(one.shape) - one)
    found = ssim(torch.from_numpy(one), torch.from_numpy(other))
    assert found.tolist() == pytest.approx([oracle(*p) for p in zip(one, other, strict=True)])


def test_another_window_is_told_from_it(monkeypatch):
    one, other = np.random.default_rng(0).random((2, 3, 20, 20))
    monkeypatch.setattr(subject, "_SIGMA", 1.4)
    found = ssim(torch.from_numpy(one)[None], torch.from_numpy(other)[None]).item()
    assert found != pytest.approx(oracle(one, other))


def test_ssim_of_too_small_pictures_is_refused():
    with pytest.raises(FramesError, match="11 px"):
        ssim(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))


@pytest.mark.parametrize("every", [1, 2, 3])
def test_errors_are_those_of_the_frames_shown(toy, every):
    clip = moving_scene(0, frames=7, height=18, width=23)
    found = predictability(clip, toy, every=every)
    shown = clip.frames[::every, :, 1:17, 1:21]  # cropped to sides divisible by 4
    guesses = torch.cat([guess for guess, _ in follow(toy, shown[:, None])])
    assert found.mse == pytest.approx((guesses - shown)[1:].square().mean((1, 2, 3)).numpy())
    assert found.repeat_mse == pytest.approx(shown.diff(dim=0).square().mean((1, 2, 3)).numpy())
    assert found.ssim == pytest.approx(ssim(guesses, shown)[1:].numpy())
    assert found.repeat_ssim == pytest.approx(ssim(shown[:-1], shown[1:]).numpy())


def test_the_ratio_does_not_depend_on_how_much_a_clip_changes():
    errors = np.random.default_rng(0).random((4, 6))
    found, other = PredictionErrors(*errors), PredictionErrors(*(errors * [[3], [1], [3], [1]]))
    assert found.ratio == pytest.approx(errors[0].mean() / errors[2].mean())
    assert other.ratio == pytest.approx(found.ratio)
    assert found.gain == pytest.approx(errors[1].mean() - errors[3].mean())


@pytest.mark.parametrize(("natural", "other", "holds"), [(2, 1, True), (1, 1, True), (1, 2, False)])
def test_the_outcome_can_fail(natural, other, holds):
    found = [PredictionErrors(np.full(3, mse), *np.ones((3, 3))) for mse in (natural, other)]
    assert natural_no_better(*found) is holds


def frames_of(ratio, count, noise=0.05):
    """Errors of so many frames, whose MSE is about `ratio` that of repeating."""
    rng = np.random.default_rng(0)
    repeated = rng.uniform(0.5, 1, count)
    return PredictionErrors(
        ratio * repeated * (1 + noise * rng.standard_normal(count)), *np.ones((1, count)),
        repeated, np.ones(count))  # fmt: skip


def test_words_differ_for_few_frames_and_for_a_little_and_far_worse():
    """The planted fault: one frame, 1.1 times and 100 times had the same words."""
    cases = [(0.8, 20), (1.0, 20), (1.1, 20), (100, 20), (1.1, 1), (1.1, 3)]
    words = [frames_of(*case).verdict for case in cases]
    assert words[:4] == [
        "is predicted better than by repeating the last frame",
        "is predicted about as well as by repeating the last frame",
        "is predicted worse than by repeating the last frame",
        "is predicted far worse than by repeating the last frame",
    ]
    assert words[4] == words[5] == "has too few predicted frames to tell"
    assert "n = 1: no interval" in frames_of(1.1, 1).ratio_words
    assert "range" in frames_of(1.1, 3).ratio_words
    assert "95 % interval" in frames_of(1.1, 4).ratio_words


def test_frames_of_one_ratio_and_clips_that_do_not_change_have_their_own_words():
    steady, still = frames_of(3, 8, noise=0), PredictionErrors(*np.outer([0, 1, 0, 1], np.ones(8)))
    assert steady.verdict == "is predicted far worse than by repeating the last frame"
    assert "n = 8 frames, all the same" in steady.ratio_words
    assert still.verdict == "does not change, so there is no ratio"
    assert "cannot be compared" in compared_words(still, "stps", steady)


def test_the_ratio_has_an_interval_that_covers_it():
    """Of independent frames; the truth is the ratio of the means."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        repeated = rng.uniform(0.5, 1.5, 40)
        own = repeated * rng.uniform(0.4, 1.2, 40)
        _, low, high, _ = PredictionErrors(own, own, repeated, own).ratio_bounds
        covered += low <= 0.8 <= high
    assert 180 <= covered <= 198


@pytest.mark.parametrize(
    ("natural", "other", "words"),
    [
        ((0.5, 20), (1.5, 20), "natural is predicted better than stps: 0.5"),
        ((1.5, 20), (0.5, 20), "natural is predicted worse than stps: 1.5"),
        ((1.0, 20), (1.0, 20), "no better than stps"),
        ((0.5, 1), (1.5, 20), "too few frames"),
        ((90, 20), (150, 20), "far worse than by repeating, which says little"),
    ],
)
def test_two_clips_are_compared_with_their_numbers(natural, other, words):
    told = compared_words(frames_of(*natural), "stps", frames_of(*other))
    assert words in told
    assert " against " in told
    assert "n = 20 frames" in told


def test_a_still_clip_has_no_ratio(toy):
    still = Clip(torch.full((3, 3, 16, 16), 0.5), Fraction(25))
    assert np.isnan(predictability(still, toy).ratio)
    assert not natural_no_better(predictability(still, toy), PredictionErrors(*np.ones((4, 2))))


def test_one_frame_cannot_be_predicted(toy):
    with pytest.raises(FramesError, match=r"4 frames of 16 x 16 px with every=4"):
        predictability(moving_scene(0, frames=4, height=16, width=16), toy, every=4)


# ---------------------------------------------------------------- the embedded network


def ratio(clips, every=1):
    """MSE over that of repeating, over all clips."""
    network = load_prednet()
    found = [predictability(clip, network, every=every) for clip in clips]
    return sum(p.mse.mean() for p in found) / sum(p.repeat_mse.mean() for p in found)


def test_it_beats_repeating_the_previous_frame_on_scenes_that_it_has_not_seen():
    assert ratio([moving_scene((1, 10**9, i), frames=8) for i in range(4)]) < 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("camera-path", {"speed": 2}), ("dead-leaves", {"speed": 2, "scatter": 1})],
)
def test_it_beats_repeating_on_kinds_of_clips_that_it_has_not_seen(kind, settings):
    size = {"frames": 12, "height": 64, "width": 80}
    assert ratio([make_stimulus(kind, seed=i, **size, **settings).clip for i in range(2)]) < 1


def test_a_network_that_has_learnt_nothing_does_not(monkeypatch):
    monkeypatch.setitem(globals(), "load_prednet", lambda: new_prednet((3, 8, 8), 0))
    assert ratio([moving_scene((1, 10**9, i), frames=6) for i in range(2)]) > 0.9
