"""Every measure: what it must not change with, and the change that it must see.

A measure without a statement fails; one that changes with something by its nature says why.
"""

import inspect
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stst.losses.arrangement import layout, shape
from stst.metrics import luminance, motion, spectra
from stst.metrics.arrangement import LIMITS, arrangement
from stst.metrics.layer_similarity import Moments, cka, cosine, pearson, rsa
from stst.metrics.layer_trends import LAYER_MEASURES
from stst.metrics.measures import MEASURES, ClipFeatures
from stst.metrics.outcomes import OUTCOMES, compared, layout_distances, similarity
from stst.metrics.prediction import ssim
from stst.video.frames import Clip

SYMMETRIES = list(product([False, True], repeat=3))  # transposed, then mirrored down, across
RATE = 24.0


def same(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


def smooth(rng, *size):
    """Noise of 1 / frequency over the last two axes, of standard deviation 0.1."""
    down, right = np.fft.fftfreq(size[-2])[:, None], np.fft.rfftfreq(size[-1])[None]
    noise = np.fft.rfft2(rng.standard_normal(size)) / (0.03 + np.hypot(2 * down + right, right))
    values = np.fft.irfft2(noise, size[-2:])
    return 0.1 * values / values.std()


def clip(seed=0, frames=8, height=40, width=56):
    """A clip and its flow, which need not be true: luminance about 0.5, motion down right."""
    rng = np.random.default_rng(seed)
    flow = smooth(rng, frames - 1, 2, height, width) * 10 + np.array([2.0, 1.0])[:, None, None]
    light = 0.5 + smooth(rng, frames, height, width) + np.linspace(0, 0.05, frames)[:, None, None]
    return ClipFeatures(light, np.arange(frames - 1), flow, RATE)


def turned(features, symmetry):
    """The clip, and where its flow goes, turned and mirrored."""
    transposed, down, across = symmetry
    light, flow = features.luminance, features.flow
    if transposed:
        light, flow = light.swapaxes(1, 2), flow[:, ::-1].swapaxes(2, 3)
    steps = slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1)
    signs = np.array([-1 if across else 1, -1 if down else 1])[:, None, None]
    return replace(features, luminance=light[:, *steps], flow=flow[..., *steps] * signs)


def shifted(features, down, across):
    """All moved over the border and in on the other side."""
    light = np.roll(features.luminance, (down, across), (1, 2))
    return replace(features, luminance=light, flow=np.roll(features.flow, (down, across), (2, 3)))


def backwards(features):
    light, flow = features.luminance[::-1], -features.flow[::-1]
    return replace(features, luminance=light, flow=flow)


def scaled(features, gain, offset=0.0):
    return replace(features, luminance=gain * (features.luminance - 0.5) + 0.5 + offset)


def twice(features):
    """The same clip, shown twice: twice as long, and of the same statistics of frames."""
    light, flow = (np.concatenate([x, x]) for x in (features.luminance, features.flow))
    return replace(features, luminance=light, flow=flow, pairs=np.arange(len(flow)))


def values(name, features, natural=None):
    """Values of a measure beside a natural clip that is another one, if it is not itself."""
    return MEASURES[name].curve(features, natural or features).values


# ---------------------------------------------------------------- statements


def angles(name, symmetry):
    """Where each direction or orientation of a measure is after a turn."""
    period = 180 if name == "orientation" else 360
    degrees = MEASURES[name].curve(clip(), clip()).at
    transposed, down, across = symmetry
    right, up = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    if transposed:
        right, up = -up, -right
    up, right = -up if down else up, -right if across else right
    step = period / len(degrees)
    return np.rint(np.degrees(np.arctan2(up, right)) % period / step).astype(int) % len(degrees)


def turned_degrees(found, symmetry):
    """Mean directions after a turn."""
    transposed, down, across = symmetry
    right, up = np.cos(np.radians(found)), np.sin(np.radians(found))
    if transposed:
        right, up = -up, -right
    return np.degrees(np.arctan2(-up if down else up, -right if across else right))


BINNED = {"orientation", "direction_histogram", "motion_energy"}  # shares that turn
FRAMES = {"luminance", "contrast", "histogram", "spectral_slope"}  # each frame by itself
PAIRS = {"pixel_change", "flicker", "flow", "speed", "direction", "coherence"}
BORDERS = "opposite borders are taken apart (periodic component), so that a place counts"
SHIFT_CHANGES = dict.fromkeys(
    ("spatial_spectrum", "spectral_slope", "orientation", "xt_spectrum", "motion_energy"), BORDERS
)
TURN_CHANGES = {"xt_spectrum": "it is of rows over time, so that a transposed clip is another"}
LONGER_CHANGES = {
    "drift": "the second time begins where the first one began",
    "temporal_spectrum": "a longer clip has more frequencies, and the step between both shows",
    "xt_spectrum": "as the temporal spectrum",
    "motion_energy": "the step between both is motion, and the window fades other frames",
    "pixel_change": "the step between both is a change of its own",
    "flicker": "as pixel change",
}
SWAP_CHANGES = {
    **dict.fromkeys(
        set(MEASURES) - {"orientation", "speed_histogram", "direction_histogram",
                         "direction", "coherence", "motion_energy"},
        "the error is in units of the natural clip",
    ),
}  # fmt: skip
OFFSET_CHANGES = {"luminance": "it is the luminance"}
# What a gain about the mean does to values: their power of it.
GAINS = {
    **dict.fromkeys(
        ("contrast", "histogram", "drift", "pixel_change", "flicker", "spatial_spectrum",
         "temporal_spectrum", "xt_spectrum"), 1,
    ),
    **dict.fromkeys(
        ("spectral_slope", "orientation", "motion_energy", "flow", "mean_field", "speed",
         "speed_histogram", "direction", "direction_histogram", "coherence"), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("name", MEASURES)
def test_turns_and_mirrors(name, symmetry):
    features, other = clip(), clip(1)
    found = values(name, turned(features, symmetry), turned(other, symmetry))
    wanted = values(name, features, other)
    if name in TURN_CHANGES and symmetry[0]:
        assert len(found) != len(wanted) or not np.allclose(found, wanted)
    elif name in BINNED:
        same(found[angles(name, symmetry)], wanted)
    elif name == "direction":
        same(np.cos(np.radians(found - turned_degrees(wanted, symmetry))), 1)
    elif name == "xt_spectrum":  # mirrored across, left is right; half the rate is neither
        rows = found.reshape(len(features.luminance) - 1, -1)
        same(np.concatenate([rows[-2::-1], rows[-1:]]) if symmetry[2] else rows,
             wanted.reshape(rows.shape))  # fmt: skip
    else:
        same(found, wanted)


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=10)
@given(st.integers(1, 39), st.integers(1, 55))
def test_a_cyclic_shift(name, down, across):
    found = values(name, shifted(clip(), down, across), shifted(clip(1), down, across))
    wanted = values(name, clip(), clip(1))
    if name in SHIFT_CHANGES:
        assert found.shape == wanted.shape
    else:
        same(found, wanted)


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=10)
@given(st.floats(-0.2, 0.2), st.floats(0.3, 2))
def test_an_offset_and_a_gain(name, offset, gain):
    features, other = clip(), clip(1)
    wanted = values(name, features, other)
    found = values(name, scaled(features, 1, offset), scaled(other, 1, offset))
    same(found, wanted + offset if name in OFFSET_CHANGES else wanted)
    found = values(name, scaled(features, gain), scaled(other, gain))
    if name == "luminance":
        same(found, gain * (wanted - 0.5) + 0.5)
    else:
        same(found, wanted * gain ** GAINS[name])


@pytest.mark.parametrize("name", MEASURES)
def test_reversal(name):
    features, other = clip(), clip(1)
    found, wanted = (
        values(name, backwards(features), backwards(other)),
        values(name, features, other),
    )
    if name == "drift":
        same(found, -wanted)
    elif name == "direction":
        same(np.cos(np.radians(found[::-1] - wanted)), -1)
    elif name in ("direction_histogram", "motion_energy"):
        same(np.roll(found, len(found) // 2), wanted)
    elif name == "xt_spectrum":
        rows = wanted.reshape(len(features.luminance) - 1, -1)
        same(found.reshape(rows.shape), np.concatenate([rows[-2::-1], rows[-1:]]))
    elif name in FRAMES | PAIRS:
        same(found[::-1], wanted)
    else:
        same(found, wanted)


@pytest.mark.parametrize("name", MEASURES)
def test_a_clip_that_is_shown_twice(name):
    """What is of frames or pairs has the same values again; a distribution is the same one."""
    features, other = clip(), clip(1)
    found, wanted = values(name, twice(features), twice(other)), values(name, features, other)
    if name in LONGER_CHANGES:
        assert not np.array_equal(found, wanted)
    elif name in FRAMES | PAIRS:
        same(found, np.concatenate([wanted, wanted]))
    else:
        same(found, wanted)


@pytest.mark.parametrize("seed", range(3))
def test_spectra_of_stationary_noise_do_not_depend_on_length(seed):
    """But for the lowest frequency, of which the mean over time takes a part."""
    rng, levels = np.random.default_rng(seed), {}
    for frames in (8, 32):
        noise = 0.5 + 0.1 * rng.standard_normal((frames, 40, 56))
        _, amplitude = spectra.temporal_spectrum(noise, RATE)
        _, temporal, surface = spectra.xt_spectrum(noise, RATE)
        kept = np.abs(temporal) > 1.5 * RATE / frames
        levels[frames] = [np.sqrt(np.square(x).mean()) for x in (amplitude[1:], surface[kept])]
        assert amplitude[0] == pytest.approx(0.076, rel=0.1)
    assert levels[8] == pytest.approx(levels[32], rel=0.02)
    assert levels[8][0] == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("name", MEASURES)
def test_natural_and_other_exchanged(name):
    measure, one, other = MEASURES[name], clip(), clip(1)
    errors = [
        measure.error(measure.curve(a, a), measure.curve(b, a), a)
        for a, b in ((one, other), (other, one))
    ]
    if name in SWAP_CHANGES:
        assert errors[0] != errors[1]
    else:
        same(*errors)


# ---------------------------------------------------------------- what each must see


def stir(light, seed=5):
    """Pixels of each frame in another order, the same in all frames."""
    flat = light.reshape(len(light), -1)
    return flat[:, np.random.default_rng(seed).permutation(flat.shape[1])].reshape(light.shape)


def moved(features, change):
    return replace(features, flow=change(features.flow))


PLANTED = {
    "luminance": lambda f: scaled(f, 1, 0.1),
    "contrast": lambda f: scaled(f, 0.8),
    "histogram": lambda f: replace(f, luminance=f.luminance**2),
    "drift": lambda f: replace(
        f, luminance=f.luminance + np.linspace(-0.1, 0.1, len(f.luminance))[:, None, None]
    ),
    "pixel_change": lambda f: replace(f, luminance=f.luminance[[0, 0, 2, 2, 4, 4, 6, 6]]),
    "flicker": lambda f: replace(
        f, luminance=f.luminance + 0.1 * (-1.0) ** np.arange(8)[:, None, None]
    ),
    "spatial_spectrum": lambda f: replace(f, luminance=stir(f.luminance)),
    "spectral_slope": lambda f: replace(f, luminance=stir(f.luminance)),
    "orientation": lambda f: turned(f, (True, False, False)),
    "temporal_spectrum": lambda f: replace(f, luminance=f.luminance[[0, 0, 1, 1, 2, 2, 3, 3]]),
    "xt_spectrum": lambda f: replace(
        f, luminance=np.stack([np.roll(f.luminance[0], 3 * t, 1) for t in range(8)])
    ),
    "flow": lambda f: moved(f, lambda flow: flow + 1),
    "mean_field": lambda f: moved(f, lambda flow: flow + 1),
    "speed": lambda f: moved(f, lambda flow: 1.5 * flow),
    "speed_histogram": lambda f: moved(f, lambda flow: 3 * flow),
    "direction": lambda f: turned(f, (False, False, True)),
    "direction_histogram": lambda f: turned(f, (False, False, True)),
    "coherence": lambda f: moved(f, lambda flow: flow - flow.mean((2, 3), keepdims=True)),
    "motion_energy": lambda f: replace(
        f, luminance=np.stack([np.roll(f.luminance[0], -2 * t, 1) for t in range(8)])
    ),
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_planted_change_is_seen_and_nothing_is_not(name):
    measure, features = MEASURES[name], clip()
    own, other = (measure.curve(f, features) for f in (features, PLANTED[name](features)))
    assert measure.error(own, own, features) == pytest.approx(0, abs=1e-9)
    assert measure.error(own, other, features) > 0.05


def test_every_measure_has_its_statements():
    for statements in (GAINS | {"luminance": 0}, PLANTED):
        assert set(statements) == set(MEASURES)
    for reasons in (TURN_CHANGES, SHIFT_CHANGES, LONGER_CHANGES, SWAP_CHANGES, OFFSET_CHANGES):
        assert set(reasons) <= set(MEASURES)
        assert all(reasons.values())
    assert set(LAYER_MEASURES) == {"cosine", "pearson", "cka", "rsa"}
    assert set(LIMITS) == {"shape", "layout", "drift"}
    low = {"luminance_error", "contrast_error", "pixel_change_error", "flicker", "high_frequency"}
    assert set(OUTCOMES) == low | {"late_similarity"}


HELPERS = {
    luminance: {"faded": "a window", "hann": "a window"},
    motion: {
        "optical_flow": "a method: DIS works in 8 bits on a grid of patches, which turns differ in",
        "raft_flow": "a network",
        "load_estimator": "a choice of methods",
        "flow_within_shots": "a choice of pairs",
    },
}


def test_every_function_of_frames_and_flows_is_in_a_measure():
    """A new public function that no measure calls has no statement here."""
    source = inspect.getsource(inspect.getmodule(ClipFeatures)) + inspect.getsource(
        inspect.getmodule(compared)
    )
    for module, helpers in HELPERS.items():
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                assert name in helpers or name in source, f"{name} has no statement"


# ---------------------------------------------------------------- outcomes, layers, arrangement


def low_level(light):
    """The statistics that `compared` takes, of luminance in float64."""
    return {
        "luminance": luminance.mean_luminance(light),
        "contrast": luminance.rms_contrast(light),
        "pixel_change": luminance.pixel_change(light),
        "flicker": luminance.flicker(light),
        "high_frequency": spectra.high_frequency(light),
    }


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_outcomes_do_not_turn_and_go_backwards(symmetry):
    one, other = clip(), clip(1)
    wanted = compared(low_level(one.luminance), low_level(other.luminance))
    for change in (lambda f: turned(f, symmetry), backwards):
        found = compared(*(low_level(change(f).luminance) for f in (one, other)))
        same(list(found.values()), list(wanted.values()))


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("luminance_error", PLANTED["luminance"]),
        ("contrast_error", PLANTED["contrast"]),
        ("pixel_change_error", PLANTED["pixel_change"]),
        ("flicker", PLANTED["flicker"]),
        ("high_frequency", PLANTED["spectral_slope"]),
    ],
)
def test_outcomes_see_what_they_are_named_after(name, planted):
    own, other = low_level(clip().luminance), low_level(planted(clip()).luminance)
    alike = {key: OUTCOMES[key][1] for key in compared(own, own)}
    assert compared(own, own) == pytest.approx(alike)
    assert abs(compared(own, other)[name] - alike[name]) > 0.05


def moments(activations):
    return Moments(activations @ activations.T, activations.sum(1), activations.shape[1])


def similarities(one, other):
    """All measures of layers, of activations (T, N)."""
    a, b, cross = moments(one), moments(other), (one * other).sum(1)
    return {"cosine": cosine(a, b, cross), "pearson": pearson(a, b, cross),
            "cka": cka(a, b), "rsa": rsa(a, b)}  # fmt: skip


@given(st.integers(0, 99), st.floats(0.2, 5), st.floats(-2, 2))
def test_layers_are_compared_whatever_the_order_of_units_the_gain_and_the_side(seed, gain, offset):
    rng = np.random.default_rng(seed)
    one, other = rng.standard_normal((2, 7, 30))
    wanted = similarities(one, other)
    order, time = rng.permutation(30), rng.permutation(7)
    for found in (
        similarities(one[:, order], other[:, order]),
        similarities(other, one),
        similarities(gain * one, other),
    ):
        for name, value in found.items():
            same(value, wanted[name])
    again = similarities(one[time], other[time])
    for name in ("cosine", "pearson"):
        same(again[name], wanted[name][time])
    same([again["cka"], again["rsa"]], [wanted["cka"], wanted["rsa"]])
    above = similarities(one + offset, other)  # the same for all units: no pattern
    for name in ("pearson", "rsa"):
        same(above[name], wanted[name])


@pytest.mark.parametrize("name", LAYER_MEASURES)
def test_layers_that_are_unlike_are_told_from_the_same(name):
    one, other = np.random.default_rng(0).standard_normal((2, 12, 30))
    same(similarities(one, one)[name], 1)
    assert np.all(np.abs(similarities(one, other)[name]) < 0.8)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_features_ssim_and_distances_of_layout_do_not_turn(symmetry):
    rng = np.random.default_rng(0)
    transposed, down, across = symmetry

    def turn(frames):
        frames = frames.swapaxes(-1, -2) if transposed else frames
        frames = frames[..., :: -1 if down else 1, :: -1 if across else 1]
        return torch.from_numpy(np.ascontiguousarray(frames))

    one, other, third = 0.5 + smooth(rng, 3, 4, 3, 48, 72)
    same(ssim(turn(one), turn(other)), ssim(*map(torch.from_numpy, (one, other))))
    same(ssim(turn(other), turn(one)), ssim(turn(one), turn(other)))
    assert ssim(*map(torch.from_numpy, (one, one))).numpy() == pytest.approx(np.ones(4))
    clips, flipped = (
        [Clip(to(x).float(), 24) for x in (one, other, third)] for to in (torch.from_numpy, turn)
    )
    wanted = layout_distances(clips[:2], clips[2])
    np.testing.assert_allclose(layout_distances(flipped[:2], flipped[2]), wanted, rtol=1e-6)
    assert wanted[0, 1] > 0.05
    same(wanted, wanted.T)


def test_late_similarity_is_that_of_patterns():
    one, other = np.random.default_rng(0).standard_normal((2, 6, 20))
    same(similarity(one, 3 * one + 2), 1)
    same(similarity(one, other), similarity(other, one))
    same(similarity(one[::-1], other[::-1]), similarity(one, other))
    assert abs(similarity(one, other)) < 0.5


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("measure", [layout, shape])
def test_arrangement_does_not_turn_and_has_no_side(measure, symmetry):
    one, other = clip(2).luminance[:1], clip(2).luminance[:1] + 0.5 * clip(3).luminance[:1]
    turns = [turned(replace(clip(), luminance=x), symmetry).luminance for x in (one, other)]
    same(measure(*turns), measure(one, other))
    same(measure(other, one), measure(one, other))
    same(measure(0.5 * one + 0.1, other), measure(one, other))
    assert measure(one, one) - measure(turned(replace(clip(), luminance=one), (False, True, True))
                                       .luminance, one) > 0.2  # fmt: skip


def test_drift_of_the_arrangement_is_the_other_way_backwards():
    rng = np.random.default_rng(0)
    natural, other = 0.5 + smooth(rng, 2, 6, 3, 48, 72)
    share = np.linspace(0, 1, 6)[:, None, None, None]
    films = [Clip(torch.from_numpy(x).float(), 24) for x in (share * natural + (1 - share) * other,
                                                             natural)]  # fmt: skip
    back = [Clip(film.frames.flip(0), 24) for film in films]
    forth, again = (arrangement(*pair)["luminance"] for pair in (films, back))
    np.testing.assert_allclose(again.layout[::-1], forth.layout, rtol=1e-6)
    assert forth.means["drift"] > 0.3
    assert again.means["drift"] == pytest.approx(-forth.means["drift"])


@pytest.mark.parametrize(
    ("name", "function", "fault"),
    [
        ("spatial_spectrum", "_counts", lambda width: np.ones(width // 2 + 1)),
        ("orientation", "_counts", lambda width: np.ones(width // 2 + 1)),
    ],
)
def test_half_spectra_that_count_everything_once_are_caught(name, function, fault, monkeypatch):
    """The planted fault: a clip and its transpose differ (by 39 % in the rings of a grating)."""
    monkeypatch.setattr(spectra, function, fault)
    with pytest.raises(AssertionError):
        test_turns_and_mirrors(name, (True, False, False))
