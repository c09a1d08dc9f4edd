"""Scrambled Fourier phases: NumPy's full transforms are the judge of what is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stst.stimuli.scrambling import phase_field, scramble, taper

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 10))  # odd, even, 1
AXES = st.sampled_from([(0, 1, 2), (1, 2), (0,)])
SEEDS = st.integers(0, 99)


def clip(shape, seed=0):
    return np.random.default_rng((seed, 1)).random(shape)


def amplitudes(frames, axes):
    return np.abs(np.fft.fftn(frames, axes=axes))


def whole(half, length, axes):
    """The field at all `length` frequencies of the last axis, by its values at opposite ones."""
    cut = axes[-1]
    full = np.zeros([length if axis == cut else side for axis, side in enumerate(half.shape)])
    for place in np.ndindex(*full.shape):
        opposite = tuple(-place[a] % full.shape[a] if a in axes else place[a] for a in range(3))
        full[place] = half[place] if place[cut] < half.shape[cut] else -half[opposite]
    return full


def check_kept(frames, made, axes):
    """Fail if amplitudes or means along `axes` are not what they were."""
    before, after = amplitudes(frames, axes), amplitudes(made, axes)
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(made.mean(axes), frames.mean(axes), rtol=1e-12)


@given(SHAPES, AXES, SEEDS, st.booleans())
def test_amplitudes_and_means_are_kept(shape, axes, seed, replace):
    frames = clip(shape, seed)
    made = scramble(frames, axes, phase_field(shape, axes, (seed,)), replace=replace)
    assert made.dtype == np.float64
    assert made.shape == shape
    check_kept(frames, made, axes)


@given(SHAPES, AXES, SEEDS, st.booleans())
def test_the_full_transform_agrees_and_its_result_is_real(shape, axes, seed, replace):
    frames, half = clip(shape, seed), phase_field(shape, axes, (seed,))
    spectrum = np.fft.fftn(frames, axes=axes)
    constant = tuple(0 if axis in axes else slice(None) for axis in range(3))
    field = whole(half, shape[axes[-1]], axes)
    turned = (np.abs(spectrum) if replace else spectrum) * np.exp(1j * field)
    turned[constant] = spectrum[constant]
    slow = np.fft.ifftn(turned, axes=axes)
    assert np.abs(slow.imag).max() < 1e-12
    np.testing.assert_allclose(scramble(frames, axes, half, replace=replace), slow.real, atol=1e-12)


def test_a_field_that_no_real_noise_has_is_caught():
    frames = clip((4, 6, 8))
    wrong = np.random.default_rng(0).uniform(-np.pi, np.pi, (4, 6, 5))  # not Hermitian
    with pytest.raises(AssertionError):
        check_kept(frames, scramble(frames, (0, 1, 2), wrong), (0, 1, 2))


def test_a_lost_mean_is_caught():
    frames = clip((4, 6, 8))
    made = scramble(frames, (0, 1, 2), phase_field((4, 6, 8), (0, 1, 2), (0,)))
    with pytest.raises(AssertionError):
        check_kept(frames, made - made.mean(), (0, 1, 2))


def test_a_mean_is_kept_where_the_noise_has_a_negative_one():
    shape, axes = (3, 4, 5), (0, 1, 2)
    fields = [phase_field(shape, axes, (seed,)) for seed in range(20)]
    assert {round(abs(field[0, 0, 0]), 6) for field in fields} == {0, round(np.pi, 6)}
    for field in fields:
        assert scramble(clip(shape), axes, field).mean() == pytest.approx(clip(shape).mean())


def test_phases_are_spread_evenly():
    field = phase_field((16, 32, 32), (0, 1, 2), (0,))
    counts, _ = np.histogram(field, 8, (-np.pi, np.pi))
    np.testing.assert_allclose(counts / field.size, 1 / 8, atol=0.01)


def test_replaced_phases_are_the_fields_and_added_ones_are_sums():
    shape, axes = (4, 6, 8), (0, 1, 2)
    frames, field = clip(shape), phase_field(shape, axes, (0,))
    before = np.fft.rfftn(frames, axes=axes)
    added, replaced = (
        np.fft.rfftn(scramble(frames, axes, field, replace=replace), axes=axes)
        for replace in (False, True)
    )
    inner = (1, 2, 3)  # of no border, where rounding may turn pi to -pi
    for found, wanted in ((added, np.angle(before) + field), (replaced, field)):
        np.testing.assert_allclose(np.exp(1j * (np.angle(found) - wanted))[inner], 1, atol=1e-9)
    assert not np.allclose(added, replaced)


def test_noise_of_one_frame_lends_its_phases_to_all():
    frames, field = clip((5, 6, 7)), phase_field((1, 6, 7), (1, 2), (0,))
    made = scramble(frames, (1, 2), field)
    alone = np.concatenate([scramble(frames[[i]], (1, 2), field) for i in range(5)])
    np.testing.assert_allclose(made, alone, atol=1e-15)


@given(SHAPES, AXES, SEEDS, st.floats(0.01, 1))
def test_fading_keeps_the_mean_and_adds_no_contrast(shape, axes, seed, share):
    frames = clip(shape, seed)
    faded = taper(frames, axes, share)
    np.testing.assert_allclose(faded.mean(axes), frames.mean(axes), rtol=1e-12)
    assert np.abs(faded - frames.mean(axes, keepdims=True)).max() <= np.ptp(frames) + 1e-12


def test_fading_leaves_the_middle_and_nears_the_mean_at_the_ends():
    frames = np.linspace(0, 1, 200)
    faded = taper(frames, (0,), 0.2)
    np.testing.assert_allclose(faded[20:180], frames[20:180], atol=1e-12)
    np.testing.assert_allclose(faded[[0, -1]], 0.5, atol=0.01)
    window = np.sin(np.pi * (np.arange(200) + 0.5) / 200) ** 2  # Hann
    np.testing.assert_allclose(taper(frames, (0,), 1), 0.5 + window * (frames - 0.5), atol=1e-12)
    assert taper(frames, (0,), 0) is frames


def test_fading_takes_away_what_the_edge_of_a_ramp_leaks():
    ramp = np.linspace(0, 1, 256)
    fine = [np.abs(np.fft.rfft(x))[64:].sum() for x in (ramp, taper(ramp, (0,), 0.5))]
    assert fine[1] < 0.01 * fine[0]
