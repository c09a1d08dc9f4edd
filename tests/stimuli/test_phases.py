"""Phase-scrambled controls: what each of them keeps of a clip, and what it loses."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst import Clip, make_control
from stst.errors import FramesError, RecipeError
from stst.stimuli.scrambling import SpacePhases, Stps, TimePhases

pytestmark = pytest.mark.usefixtures("globals_unchanged")
KINDS = {"stps": Stps, "phases-space": SpacePhases, "phases-time": TimePhases}
FIELD = {"stps": None, "phases-space": "frames", "phases-time": "pixels"}
BOTH = ("shared", "independent")
WHOLE = (0, 2, 3)  # the axes of (T, 3, H, W) that are time and space


def pale(shape=(6, 9, 10), seed=0):
    """Values so near grey that no scrambling of them is clipped."""
    dice = torch.Generator().manual_seed(seed)
    colours = torch.rand(shape[0], 3, *shape[1:], generator=dice)
    colours[:, 1] += colours[:, 0]  # R and G are correlated
    return Clip(0.45 + 0.02 * colours, Fraction(25))


def doubles(clip):
    return clip.frames.double().numpy()


def made_of(natural, kind, **settings):
    made = make_control(natural, kind, **settings)
    assert made.clipped == 0
    return doubles(made.clip)


def transform(frames, axes=WHOLE):
    return np.fft.fftn(frames, axes=axes)


def along(kind):
    return tuple((0, 2, 3)[axis] for axis in KINDS[kind].axes)


def variants():
    for kind, field in FIELD.items():
        for channels, phases, fields in product(BOTH, ("added", "replaced"), BOTH):
            if field or fields == "shared":
                own = {field: fields} if field else {}
                yield kind, {"channels": channels, "phases": phases} | own


VARIANTS = list(variants())


def close(one, other):
    """Equal but for the float32 of a clip."""
    return np.allclose(one, other, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
@pytest.mark.parametrize("shape", [(6, 9, 10), (5, 8, 7)])
def test_every_variant_keeps_amplitudes_and_means_along_its_axes(kind, settings, shape):
    natural, axes = pale(shape), along(kind)
    made = made_of(natural, kind, **settings)
    assert not close(made, doubles(natural))
    assert close(np.abs(transform(made, axes)), np.abs(transform(doubles(natural), axes)))
    np.testing.assert_allclose(made.mean(axes), doubles(natural).mean(axes), atol=1e-7)


@given(
    st.sampled_from(VARIANTS),
    st.tuples(st.integers(2, 7), st.integers(1, 9), st.integers(1, 9)),
    st.integers(0, 2**40),
)
def test_any_size_keeps_its_amplitudes(variant, shape, seed):
    kind, settings = variant
    natural = pale(shape, seed)
    made = made_of(natural, kind, seed=seed, **settings)
    before, after = (np.abs(transform(x, along(kind))) for x in (doubles(natural), made))
    assert close(after, before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_and_another_does_not(kind):
    one, same, other = (made_of(pale(), kind, seed=seed) for seed in (3, 3, 4))
    assert one.tobytes() == same.tobytes()
    assert not close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_added_and_replaced_differ(kind):
    assert not close(made_of(pale(), kind), made_of(pale(), kind, phases="replaced"))


def between_channels(frames, axes):
    """What R has in common with G at every frequency: amplitude, and difference of phase."""
    spectrum = transform(frames, axes)
    return spectrum[:, 0] * spectrum[:, 1].conj()


def covariance(frames):
    return np.cov(frames.transpose(1, 0, 2, 3).reshape(3, -1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "kept"),
    [({}, True), ({"channels": "independent"}, False), ({"phases": "replaced"}, False)],
)
def test_only_shared_phases_that_are_added_keep_what_channels_have_in_common(kind, settings, kept):
    natural = doubles(pale())
    made = made_of(pale(), kind, **settings)
    assert close(*(between_channels(x, along(kind)) for x in (made, natural))) == kept
    assert np.allclose(covariance(made), covariance(natural), rtol=1e-4) == kept


def test_replaced_phases_that_are_shared_make_channels_move_together():
    spectrum = transform(made_of(pale(), "stps", phases="replaced"))
    phases = np.exp(1j * np.angle(spectrum))
    np.testing.assert_allclose(phases[:, 0], phases[:, 1], atol=1e-2)


@pytest.mark.parametrize(("kind", "field"), [("phases-space", "frames"), ("phases-time", "pixels")])
@pytest.mark.parametrize(
    ("settings", "kept"),
    [({}, True), ({"field": "independent"}, False), ({"phases": "replaced"}, False)],
)
def test_the_spectrum_over_space_and_time_is_kept_where_one_field_is_added(
    kind, field, settings, kept
):
    settings = {field if name == "field" else name: value for name, value in settings.items()}
    made = made_of(pale(), kind, **settings)
    assert close(np.abs(transform(made)), np.abs(transform(doubles(pale())))) == kept


def panning(steps=6, shift=2):
    still = pale((1, 8, 12)).frames
    return Clip(torch.cat([still.roll(shift * t, -1) for t in range(steps)]), Fraction(25))


def pans(frames, shift=2):
    return close(frames[1:], np.roll(frames[:-1], shift, -1))


def test_a_pan_still_pans_if_all_frames_share_their_phases():
    assert pans(doubles(panning()))
    assert pans(made_of(panning(), "phases-space"))
    assert not pans(made_of(panning(), "phases-space", frames="independent"))
    assert pans(made_of(panning(), "stps"))  # all energy is of one velocity
    frozen = made_of(panning(), "phases-space", phases="replaced")
    assert pans(frozen, shift=0)


def test_stps_mixes_motions_of_different_places():
    top, bottom = (panning(shift=shift).frames for shift in (2, -2))
    parting = torch.cat([top[:, :, :4], bottom[:, :, :4]], 2)
    halves = np.split(made_of(Clip(parting, Fraction(25)), "stps"), 2, axis=2)
    assert not any(pans(half, shift) for half, shift in product(halves, (2, -2)))


def test_what_stands_still_stays_if_time_is_scrambled():
    still = Clip(pale((1, 8, 9)).frames.expand(5, -1, -1, -1).contiguous(), Fraction(25))
    assert close(made_of(still, "phases-time", pixels="independent"), doubles(still))
    assert not close(made_of(still, "phases-space"), doubles(still))


def test_the_phases_of_pixels_are_shared_or_not():
    pulse = torch.full((6, 3, 4, 4), 0.5)
    pulse[2] = 0.55  # all pixels at once
    clip = Clip(pulse, Fraction(25))
    assert np.ptp(made_of(clip, "phases-time"), (2, 3)).max() < 1e-6
    assert np.ptp(made_of(clip, "phases-time", pixels="independent"), (2, 3)).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_clipped_is_counted(kind):
    dice = torch.Generator().manual_seed(1)
    natural = Clip(torch.rand(6, 3, 9, 8, generator=dice).round(), Fraction(25))  # 0 and 1
    made = make_control(natural, kind)
    unclipped = 0.5 + (make_control(greyer(natural), kind).clip.frames.double() - 0.5) * 20
    outside = ((unclipped < -1e-4) | (unclipped > 1 + 1e-4)).double().mean()
    assert made.clipped == pytest.approx(float(outside), abs=0.01)
    assert made.clipped > 0.05
    torch.testing.assert_close(made.clip.frames, unclipped.clamp(0, 1).float(), atol=1e-4, rtol=0)


def greyer(clip):
    return Clip(0.5 + (clip.frames - 0.5) / 20, clip.frame_rate)


def test_white_that_rounds_is_not_clipped():
    white = Clip(torch.ones(7, 3, 9, 11), Fraction(25))
    made = make_control(white, "stps", channels="independent")
    assert made.clipped == 0
    torch.testing.assert_close(made.clip.frames, white.frames)


TAPERS = {
    "stps": {"taper_space": 0.5, "taper_time": 0.8},
    "phases-space": {"taper_space": 0.5},
    "phases-time": {"taper_time": 0.8},
}


def hand_faded(frames, axes, share):
    """What Tukey windows leave of (T, 3, H, W) about its mean along `axes`."""
    weights = np.ones_like(frames)
    for axis in axes:
        place = (np.arange(frames.shape[axis]) + 0.5) / frames.shape[axis]
        ends = np.minimum(place, 1 - place)
        angle = 2 * np.pi * ends / (share or 1)
        window = np.where(ends < share / 2, 0.5 - 0.5 * np.cos(angle), 1)
        weights *= window.reshape([-1 if a == axis else 1 for a in range(4)])
    seen = np.average(frames, axes, weights)
    return frames.mean(axes, keepdims=True) + weights * (frames - np.expand_dims(seen, axes))


@pytest.mark.parametrize("kind", KINDS)
def test_a_taper_gives_the_amplitudes_of_the_faded_clip_and_keeps_the_mean(kind):
    natural, axes = doubles(pale()), along(kind)
    made = made_of(pale(), kind, **TAPERS[kind])
    faded = hand_faded(natural, (0,), TAPERS[kind].get("taper_time", 0))
    faded = hand_faded(faded, (2, 3), TAPERS[kind].get("taper_space", 0))
    wanted = np.abs(transform(faded, axes))
    assert close(np.abs(transform(made, axes)), wanted)
    assert not close(wanted, np.abs(transform(natural, axes)))
    np.testing.assert_allclose(made.mean(axes), natural.mean(axes), atol=1e-7)


def test_what_stands_still_does_not_flicker_for_a_taper_in_time():
    still = Clip(pale((1, 8, 9)).frames.expand(6, -1, -1, -1).contiguous(), Fraction(25))
    made = made_of(still, "stps", taper_time=0.8)
    assert np.ptp(made, 0).max() < 1e-6


def test_the_sentence_says_what_was_asked_for():
    assert Stps(seed=5).sentence == (
        "has random phases (seed 5) added to those of the Fourier transform of the clip over "
        "time and space, the same in R, G and B; its amplitudes and mean colour are those of "
        "the clip"
    )
    said = SpacePhases(channels="independent", phases="replaced", taper_space=0.2).sentence
    for words in (
        "in place of",
        "different in each",
        "the same in all frames",
        "20 % of height",
    ):
        assert words in said
    both = Stps(taper_space=0.2, taper_time=0.1).sentence
    assert "had faded 10 % of its length to the mean frame and 20 % of height and width" in both
    assert len({KINDS[kind](**s).sentence for kind, s in VARIANTS}) == len(VARIANTS)


def test_one_frame_can_be_scrambled_in_space_and_not_in_time():
    assert close(
        np.abs(transform(made_of(pale((1, 6, 7)), "stps"))),
        np.abs(transform(doubles(pale((1, 6, 7))))),
    )
    with pytest.raises(FramesError, match="at least 2 frames"):
        make_control(pale((1, 6, 7)), "phases-time")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"channels": "alike"}, "channels"),
        ({"taper_space": 1.5}, "taper_space"),
        ({"taper": 0.5}, "Did you mean 'taper_"),
        ({"frames": "shared"}, "frames"),
    ],
)
def test_a_wrong_setting_is_named(settings, told):
    with pytest.raises(RecipeError, match=told):
        make_control(pale(), "stps", **settings)
