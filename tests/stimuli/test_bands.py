"""Bands of frequency: gratings of known frequency pass or vanish; numpy's FFT as oracle."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst import Clip, make_control
from stst.errors import FramesError, RecipeError
from stst.stimuli.bands import Band

pytestmark = pytest.mark.usefixtures("globals_unchanged")
RATE, DEGREES = Fraction(30), 8
T, H, W = 12, 40, 64  # 8 px/degree: at most 4 cycles/degree and 15 Hz
SHAPE = (T, H, W)


def clip_of(grey, rate=RATE):
    frames = torch.from_numpy(np.broadcast_to(grey, SHAPE).astype(np.float32))
    return Clip(frames[:, None].repeat(1, 3, 1, 1), rate)


def natural(seed=0, spread=0.5):
    """Noise of three unlike channels, `spread` about 0.5."""
    values = np.random.default_rng(seed).uniform(-spread, spread, (T, 3, H, W))
    values = 0.5 + values * np.array((1, 0.7, 0.4))[:, None, None]
    return Clip(torch.from_numpy(values.astype(np.float32)), RATE)


def filtered(clip, **settings):
    return make_control(clip, "band", **settings).clip.frames.double().numpy()


def left(clip, **settings):
    """Share of the standard deviation that a band leaves, away from the borders."""
    inner = (slice(None), slice(None), slice(10, -10), slice(16, -16))
    made = filtered(clip, **settings)
    return made[inner].std() / clip.frames.double().numpy()[inner].std()


def grating(across=0.0, down=0.0, phase=0.0):
    """A grating that stands: cycles/degree to the right and down."""
    _, y, x = np.ogrid[:T, :H, :W]
    place = (x * across + y * down) * DEGREES / W
    return clip_of(0.5 + 0.3 * np.cos(2 * np.pi * place + phase))


def mirrored_oracle(frames, gain):
    """Filter the mirrored clip with numpy's FFT: (T, 3, H, W), gain of (t, y, x) frequencies."""
    padded = np.pad(frames, [(0, n) for n in SHAPE], mode="symmetric")
    axes = np.meshgrid(*(np.abs(np.fft.fftfreq(2 * n)) for n in SHAPE), indexing="ij")
    factor = gain(*axes)
    factor[0, 0, 0] = 1
    return np.fft.ifftn(np.fft.fftn(padded) * factor).real[:T, :H, :W]


def cosine(frequency, limit, octaves):
    """The rising edge, written in another way than the package's."""
    distance = np.log2(np.maximum(frequency, 1e-12) / limit).clip(-octaves / 2, octaves / 2)
    return 0.5 + 0.5 * np.sin(np.pi * distance / octaves)


@pytest.mark.parametrize(("direction", "phase"), [((1, 0), 0.3), ((0, 1), 1.0), ((0.6, 0.8), 2.0)])
def test_a_grating_passes_or_vanishes_by_its_cycles_per_degree(direction, phase):
    def share(cycles, **band):
        along, down = (cycles * part for part in direction)
        return left(grating(along, down, phase=phase), degrees=DEGREES, edge=0.5, **band)

    assert share(1.5, low=2.2) < 0.01
    assert share(2.5, high=1.7) < 0.01
    assert share(1.5, high=2.2) == pytest.approx(1, abs=0.01)
    assert share(2.5, low=1.7) == pytest.approx(1, abs=0.01)
    assert share(2, low=1.2, high=3) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("axis", ["across", "down"])
def test_without_an_angle_units_are_cycles_per_px(axis):
    wave = grating(**{axis: 1.6})  # 8 px/degree: 0.2 cycles/px
    assert left(wave, low=0.15, edge=0.5) == pytest.approx(1, abs=0.01)
    assert left(wave, low=0.27, edge=0.5) < 0.01
    in_degrees = filtered(natural(), degrees=DEGREES, low=1.6)
    np.testing.assert_array_equal(filtered(natural(), low=0.2), in_degrees)


@pytest.mark.parametrize("cycles", range(1, T))
def test_flicker_passes_or_vanishes_by_its_hertz(cycles):
    hertz = cycles * float(RATE) / (2 * T)
    flicker = clip_of(0.5 + 0.3 * np.cos(np.pi * cycles * (np.arange(T) + 0.5) / T)[:, None, None])
    passed, stopped = ("high_hz", "low_hz") if hertz < 6 else ("low_hz", "high_hz")
    assert left(flicker, edge=0.1, **{passed: 6}) == pytest.approx(1, abs=1e-5)
    assert left(flicker, edge=0.1, **{stopped: 6}) < 1e-5


def test_a_drifting_grating_needs_both_of_its_bands():
    t, x = np.arange(120)[:, None], np.arange(W)
    wave = np.cos(2 * np.pi * (x * 1.5 * DEGREES / W - t * 7.5 / float(RATE)))
    grey = torch.from_numpy((0.5 + 0.3 * wave).astype(np.float32))
    drift = Clip(grey[:, None, None].repeat(1, 3, 16, 1), RATE)

    def share(**band):
        made = filtered(drift, degrees=DEGREES, edge=0.5, **{"low": 1, "high": 2.2} | band)
        return made[30:-30, ..., 16:-16].std() / drift.frames.std().item()

    assert share(low_hz=4, high_hz=12) == pytest.approx(1, abs=0.01)
    assert share(low_hz=4, high_hz=12, low=2.5, high=4) < 0.01
    assert share(low_hz=0.5, high_hz=2) < 0.01


def test_the_filter_is_that_of_numpy_on_a_mirrored_clip():
    clip = natural(spread=0.2)
    settings = {"degrees": DEGREES, "low": 0.5, "high": 2, "low_hz": 3, "high_hz": 9, "edge": 0.8}

    def gain(t, y, x):
        cycles, hertz = np.hypot(x, y) * W / DEGREES, t * float(RATE)
        space = cosine(cycles, 0.5, 0.8) - cosine(cycles, 2, 0.8)
        return space * (cosine(hertz, 3, 0.8) - cosine(hertz, 9, 0.8))

    made = filtered(clip, **settings)
    for channel in range(3):
        wanted = mirrored_oracle(clip.frames[:, channel].double().numpy(), gain)
        np.testing.assert_allclose(made[:, channel], wanted, atol=1e-6)


@given(st.floats(0.1, 0.5), st.floats(0.5, 3), st.floats(2, 13), st.floats(0.02, 1))
def test_bands_that_share_their_limits_add_up_to_the_clip(high, octaves, hertz, edge):
    clip = natural(spread=0.2)
    mean = clip.frames.double().mean((0, 2, 3), keepdim=True).numpy()
    low, edge = high / 2**octaves, edge * octaves
    parts = [
        filtered(clip, edge=edge, **space, **time) - mean
        for space in ({"high": low}, {"low": low, "high": high}, {"low": high})
        for time in ({"high_hz": hertz}, {"low_hz": hertz})
    ]
    np.testing.assert_allclose(mean + sum(parts), clip.frames.numpy(), atol=2e-6)


@given(st.integers(0, 99), st.floats(0.02, 0.5), st.floats(0.5, 13))
def test_the_mean_colour_is_kept(seed, limit, hertz):
    clip = natural(seed, spread=0.2)
    for band in ({"low": limit}, {"high": limit}, {"low_hz": hertz}, {"low": limit, "high_hz": 3}):
        made = filtered(clip, **band).mean((0, 2, 3))
        np.testing.assert_allclose(made, clip.frames.double().mean((0, 2, 3)), atol=1e-6)


def test_at_a_limit_the_gain_is_a_half():
    x = np.pi * 16 * (np.arange(W) + 0.5) / W  # 16 half cycles: 1 cycle/degree
    wave = clip_of(0.5 + 0.3 * np.cos(x))
    for band in ({"low": 1}, {"high": 1}):
        assert left(wave, degrees=DEGREES, **band) == pytest.approx(0.5, abs=1e-5)


def test_what_stands_still_goes_with_the_lowest_frequencies():
    still = clip_of(natural().frames[0, 0].numpy())
    assert np.ptp(filtered(still, low_hz=2)) < 1e-6
    np.testing.assert_allclose(filtered(still, high_hz=2), still.frames.numpy(), atol=1e-6)
    flash = clip_of(np.linspace(0.2, 0.8, T)[:, None, None])
    assert np.ptp(filtered(flash, low=0.1)) < 1e-6


def test_opposite_borders_do_not_leak_into_each_other():
    ramp = clip_of(np.linspace(0.1, 0.9, W))
    made = filtered(ramp, high=0.05)[0, 0, 0]
    assert abs(made[0] - 0.1) < 0.05
    spectrum = np.fft.rfft(np.linspace(0.1, 0.9, W))  # the planted fault: a clip that wraps round
    wrapped = np.fft.irfft(spectrum * (1 - cosine(np.fft.rfftfreq(W), 0.05, 1)))
    assert abs(wrapped[0] - 0.1) > 0.2


def test_soft_edges_ring_less_far():
    step = Clip(torch.ones(2, 3, 16, 256) * 0.1, RATE)
    step.frames[..., 100:] = 0.9
    beyond = {
        edge: np.abs(filtered(step, high=1 / 16, edge=edge)[0, 0, 0, 132:200] - 0.9).max() / 0.8
        for edge in (0.01, 1)
    }
    assert beyond[0.01] == pytest.approx(0.025, abs=0.001)
    assert beyond[1] == pytest.approx(0.003, abs=0.001)


def test_the_share_that_was_clipped_is_told():
    halves = clip_of(np.arange(W) >= W // 2)
    made = make_control(halves, "band", high=0.1)

    def gain(t, y, x):
        return 1 - cosine(np.hypot(x, y), 0.1, 1)

    free = mirrored_oracle(halves.frames[:, 0].double().numpy(), gain)
    assert made.clipped == pytest.approx(((free < 0) | (free > 1)).mean(), abs=1e-3)
    assert made.clipped > 0.1
    assert make_control(natural(spread=0.2), "band", high=0.1).clipped == 0


def test_it_repeats_to_the_bit_and_names_its_units():
    clip = natural()
    assert filtered(clip).tobytes() == filtered(clip).tobytes() == filtered(clip, seed=1).tobytes()
    told = Band(low=1, high=4, degrees=DEGREES, high_hz=6.5).sentence
    assert "from 1 to 4 cycles/degree (its width taken as 8 degrees)" in told
    assert "temporal frequencies up to 6.5 Hz" in told
    assert "temporal" not in Band(low=0.1).sentence
    assert "from 0.1 cycles/px on" in Band(low=0.1).sentence
    assert "from 0.03125 to 0.125 cycles/px" in Band().sentence


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"low": 0.3, "high": 0.2}, "must be higher than low=0.3"),
        ({"low_hz": 3, "high_hz": 3}, "must be higher than low_hz=3"),
        ({"low": 0.1, "high": 0.15}, "0.58 octaves from low=0.1 to high=0.15"),
        ({"degrees": 5, "low_hz": 3}, "degrees: .* needs low or high"),
        ({"low": -1}, "low: .* greater than 0"),
        ({"lo": 1}, "Did you mean 'low'"),
    ],
)
def test_a_band_that_cannot_be_is_refused(settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_control(natural(), "band", **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"low": 5, "degrees": DEGREES}, r"low=5 .* up to 4 cycles/degree \(0.5 per px; 8 px/de"),
        ({"high": 5, "degrees": DEGREES}, "high=5 .* up to 4 cycles/degree"),
        ({"high": 5}, "up to 0.5 cycles/px .*set degrees"),
        ({"low_hz": 16}, r"low_hz=16 .* up to 15 Hz \(half the frame rate\)"),
        ({"low_hz": 1.3, "high_hz": 2.4, "edge": 0.5}, "from 1.3 to 2.4 Hz; .* 1.25 and 2.5 Hz"),
        ({"low": 1e-3, "high": 2e-3}, "from 0.001 to 0.002 cycles/px; .* 0 and 0.00781"),
    ],
)
def test_a_band_that_the_clip_cannot_have_is_refused_in_the_users_units(settings, told):
    with pytest.raises(FramesError, match=told) as caught:
        make_control(natural(), "band", **settings)
    assert "\n" not in str(caught.value)


def test_one_frame_has_no_temporal_band():
    still = Clip(natural().frames[:1], RATE)
    with pytest.raises(FramesError, match="nearest: 0 Hz"):
        make_control(still, "band", low_hz=2)
    assert len(make_control(still, "band", high_hz=2).clip) == 1
