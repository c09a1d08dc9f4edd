"""Sets of clips made alike: scikit-image and numpy as oracles, planted faults caught."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2xyz
from skimage.exposure import match_histograms

from stst import Clip, match_set
from stst.errors import FramesError, RecipeError
from stst.video import light
from stst.video.film import Film

pytestmark = pytest.mark.usefixtures("globals_unchanged")
STATISTICS, SCALES, SPANS = ("mean", "rms", "histogram"), ("linear", "encoded"), ("clip", "frame")
every_way = pytest.mark.parametrize(
    ("statistic", "luminance", "per"),
    [(a, b, c) for a in STATISTICS for b in SCALES for c in SPANS],
)


def clip(seed, *, low=0.4, high=0.6, frames=3, height=10, width=14):
    """Colours between `low` and `high` that get brighter from frame to frame."""
    dice = np.random.default_rng(seed)
    values = dice.uniform(low, high - 0.05, (frames, 3, height, width))
    values += np.linspace(0, 0.05, frames)[:, None, None, None]
    return Clip(torch.from_numpy(values.astype(np.float32)), Fraction(25 + seed))


def family():
    """Three clips that differ and can be matched without clipping."""
    return [clip(0), clip(1, low=0.35, high=0.5), clip(2, low=0.5, high=0.75)]


def seen(one, scale):
    """Luminance as others define it: (T, H, W)."""
    frames = one.frames.double().numpy().transpose(0, 2, 3, 1)
    return rgb2xyz(frames)[..., 1] if scale == "linear" else frames @ (0.2126, 0.7152, 0.0722)


def statistics(one, statistic, scale, per):
    """Of each group, of which one statistic is asked: (n, k)."""
    groups = seen(one, scale).reshape(1 if per == "clip" else len(one), -1)
    if statistic == "histogram":
        return np.sort(groups)
    moments = np.stack([groups.mean(1), groups.std(1)], 1)
    return moments[:, :1] if statistic == "mean" else moments


def spread(clips, *how):
    """The largest difference of a statistic anywhere in a set."""
    return np.ptp(np.concatenate([statistics(one, *how) for one in clips]), axis=0).max()


@every_way
def test_a_set_has_the_average_in_common(statistic, luminance, per):
    natural, how = family(), (statistic, luminance, per)
    matched = match_set(natural, statistic=statistic, luminance=luminance, per=per)
    wanted = np.mean([statistics(one, *how).mean(0) for one in natural], 0)
    assert spread(natural, *how) > 0.05
    for made in matched.clips:
        found = statistics(made, *how)
        np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=2e-4)
    assert matched.clipped == (0, 0, 0)
    assert max(matched.gaps) < 1e-5
    forms = [(len(one), one.size, one.frame_rate) for one in natural]
    assert forms == [(len(one), one.size, one.frame_rate) for one in matched.clips]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0.3, 0.45), st.floats(0.55, 0.7)), min_size=2,
             max_size=4),
    st.sampled_from(STATISTICS),
    st.sampled_from(SCALES),
    st.sampled_from(SPANS),
)  # fmt: skip
def test_any_set_is_matched_in_any_order_and_to_the_bit(set_of, statistic, luminance, per):
    natural = [clip(seed, low=low, high=high) for seed, low, high in set_of]
    how = {"statistic": statistic, "luminance": luminance, "per": per}
    matched, turned = match_set(natural, **how), match_set(natural[::-1], **how)
    assert max(matched.clipped) == 0
    assert spread(matched.clips, statistic, luminance, per) < 2e-4
    for made, again in zip(matched.clips, turned.clips[::-1], strict=True):
        assert made.frames.numpy().tobytes() == again.frames.numpy().tobytes()
    assert matched.target == turned.target


@every_way
def test_a_set_of_one_clip_twice_stays_as_it_is(statistic, luminance, per):
    one = clip(0)
    still = Clip(one.frames[:1].repeat(3, 1, 1, 1), one.frame_rate)
    for made in match_set([still, still], statistic=statistic, luminance=luminance, per=per).clips:
        torch.testing.assert_close(made.frames, still.frames, atol=1e-4, rtol=0)


def test_what_was_and_is_is_told_as_it_is():
    natural = family()
    matched = match_set(natural, per="frame")
    for one, level in [*zip(natural, matched.before, strict=True),
                       *zip(matched.clips, matched.after, strict=True)]:  # fmt: skip
        found = statistics(one, "rms", "linear", "frame").mean(0)
        assert (level.mean, level.contrast) == pytest.approx(found, abs=2e-4)
    assert matched.target.contrast == pytest.approx(matched.after[0].contrast, abs=1e-6)
    assert match_set(natural, statistic="mean").target.contrast is None


def test_over_the_clip_changes_in_time_stay_and_over_frames_they_go():
    dim, bright = clip(0), clip(1, low=0.5, high=0.75)
    ratio = [
        means[-1] / means[0]
        for per in SPANS
        for one in match_set([dim, bright], statistic="mean", per=per).clips[:1]
        for means in [seen(one, "linear").mean((1, 2))]
    ]
    before = seen(dim, "linear").mean((1, 2))
    assert ratio == pytest.approx([before[-1] / before[0], 1], abs=1e-3)


def test_colours_stay_and_black_becomes_grey():
    natural = family()
    natural[0].frames[:, :, 0, 0] = 0
    made = match_set(natural, statistic="histogram").clips[0].frames.double().numpy()
    assert made[:, 0, 0, 0].min() > 0.1
    assert np.ptp(made[:, :, 0, 0], axis=1).max() < 1e-6
    shares = [
        rgb2xyz(frames.transpose(0, 2, 3, 1)[:, 1:])
        for frames in (natural[0].frames.double().numpy(), made)
    ]
    before, after = (xyz / xyz.sum(-1, keepdims=True) for xyz in shares)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_an_exact_histogram_is_that_of_scikit_image():
    natural = [Clip(one.frames[:, :1].repeat(1, 3, 1, 1), one.frame_rate) for one in family()]
    matched = match_set(natural, statistic="histogram", luminance="encoded")
    target = np.mean([np.sort(seen(one, "encoded").ravel()) for one in natural], 0)
    for one, made in zip(natural, matched.clips, strict=True):
        wanted = match_histograms(seen(one, "encoded").ravel(), target)
        np.testing.assert_allclose(seen(made, "encoded").ravel(), wanted, atol=1e-6)


def test_even_areas_get_no_slope_and_no_flicker_from_an_exact_histogram():
    even = clip(0, height=40, width=60)
    even.frames[..., 15:] = 0.5
    other = clip(1, height=40, width=60, low=0.3, high=0.7)
    made = match_set([even, other], statistic="histogram").clips[0]
    area = seen(made, "linear")[..., 17:]
    assert area.std() > 0.005
    across = np.corrcoef(area.mean((0, 1)), np.arange(area.shape[2]))[0, 1]
    down = np.corrcoef(area.mean((0, 2)), np.arange(area.shape[1]))[0, 1]
    assert max(abs(across), abs(down)) < 0.5
    assert np.diff(area, axis=0).std() < 0.02 * area.std()


def test_sizes_and_lengths_may_differ_except_for_histograms():
    mixed = [clip(0), clip(1, frames=5, height=20, low=0.35, high=0.5)]
    for statistic in ("mean", "rms"):
        made = match_set(mixed, statistic=statistic).clips
        assert spread(made, statistic, "linear", "clip") < 2e-4
        assert [one.size for one in made] == [(10, 14), (20, 14)]
    with pytest.raises(FramesError, match=r"same size and length, got 3 frames of 10 x 14 px; 5 f"):
        match_set(mixed, statistic="histogram")
    longer = [clip(0), clip(1, frames=5)]
    made = match_set(longer, statistic="histogram", per="frame").clips
    assert spread(made, "histogram", "linear", "frame") < 2e-4
    with pytest.raises(FramesError, match="same size and length"):
        match_set(longer, statistic="histogram")


def test_a_clip_counts_once_whatever_its_size():
    small, large = clip(0), clip(1, height=30, low=0.5, high=0.75)
    target = match_set([small, large], statistic="mean").target.mean
    means = [seen(one, "linear").mean() for one in (small, large)]
    assert target == pytest.approx(np.mean(means), abs=1e-4)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_what_clipping_leaves_of_the_difference_is_told(statistic):
    vivid = clip(0, low=0.0, high=1.0)
    vivid.frames[:, 2] = 1  # blue can give no more
    faint = clip(1, low=0.85, high=0.95)
    matched = match_set([vivid, faint], statistic=statistic)
    assert matched.clipped[0] > 0.1
    wanted = np.mean([statistics(one, statistic, "linear", "clip") for one in (vivid, faint)], 0)
    off = np.abs(statistics(matched.clips[0], statistic, "linear", "clip") - wanted)
    told = off.mean() if statistic == "histogram" else off.max()
    assert matched.gaps[0] == pytest.approx(told, abs=2e-4)
    assert matched.gaps[0] > 0.005


def test_a_film_is_as_good_as_a_clip():
    natural = family()
    films = [Film(one.size, one.frame_rate) for one in natural]
    for film, one in zip(films, natural, strict=True):
        for frame in one.frames:
            film.append(frame)
    pairs = zip(match_set(films).clips, match_set(natural).clips, strict=True)
    assert all(torch.equal(a.frames, b.frames) for a, b in pairs)
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(natural, family(), strict=True))


@pytest.mark.parametrize("fault", ["not decoded", "weights of Rec. 601"])
def test_the_wrong_luminance_is_caught(fault, monkeypatch):
    if fault == "not decoded":
        monkeypatch.setattr(light, "_light", lambda frames, _: frames.double().numpy())
        monkeypatch.setattr(light, "_shown", lambda values, _: torch.from_numpy(values).float())
    else:
        monkeypatch.setattr(light, "WEIGHTS", (0.299, 0.587, 0.114))
    natural = family()
    natural[0].frames[:, 2] *= 0.5
    assert spread(match_set(natural).clips, "rms", "linear", "clip") > 1e-3


@pytest.mark.parametrize("scale", SCALES)
def test_luminance_is_undone_to_the_last_place(scale):
    ramp = Clip(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64), Fraction(25))
    levels = light.luminances(ramp, scale)
    same, clipped = light.relit(ramp, levels, levels, scale)
    torch.testing.assert_close(same.frames, ramp.frames, atol=1e-6, rtol=0)
    assert clipped == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"statistic": "rmss"}, "statistic: .*'mean', 'rms' or 'histogram', got 'rmss'"),
        ({"luminance": "gamma"}, "luminance: .*'linear' or 'encoded'"),
        ({"per": "second"}, "per: .*'clip' or 'frame'"),
    ],
)
def test_a_mistake_is_named(settings, told):
    with pytest.raises(RecipeError, match=told):
        match_set(family(), **settings)


def test_what_cannot_be_matched_is_refused():
    even, black = (Clip(torch.full((3, 3, 10, 14), value), Fraction(25)) for value in (0.5, 0.0))
    fading = clip(1)
    fading.frames[2] = 0
    for clips, how, told in [
        ([clip(0)], {}, "at least 2 clips, got 1"),
        ([], {}, "at least 2 clips, got 0"),
        ([clip(0), even], {}, "clip 2 of the set has no contrast"),
        ([even, clip(0)], {"statistic": "histogram"}, "clip 1 of the set has no contrast"),
        ([clip(0), black], {"statistic": "mean"}, "clip 2 of the set is black"),
        ([clip(0), fading], {"per": "frame"}, "frame 2 of clip 2 of the set has no contrast"),
    ]:
        with pytest.raises(FramesError, match=told) as caught:
            match_set(clips, **how)
        assert "\n" not in str(caught.value)
    assert match_set([clip(0), even], statistic="mean").gaps == pytest.approx((0, 0), abs=1e-6)
