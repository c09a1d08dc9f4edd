"""Random dots: who moves where, for how long, and how they are drawn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from warping import gap, misses

from stst import make_stimulus
from stst.errors import RecipeError

pytestmark = pytest.mark.usefixtures("globals_unchanged")
MIDDLE = (227, 527, 621, 686, 845)  # seeds of which a single dot starts within 2 px of the middle


def dots(**settings):
    return make_stimulus("random-dots", **{"frames": 3, "height": 160, "width": 160} | settings)


def centroid(frame):
    """Right and DOWN, px, of what is not the ground."""
    weight = frame[0].double().numpy() - 0.5
    rows, columns = np.indices(weight.shape)
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@given(
    seed=st.sampled_from(MIDDLE),
    speed=st.floats(0, 12),
    direction=st.floats(0, 360),
    dot_size=st.floats(1, 12),
)
def test_a_dot_moves_as_its_flow_says(seed, speed, direction, dot_size):
    raster = {"density": 1e-6, "frames": 2, "height": 64, "width": 64}
    settings = {"speed": speed, "direction": direction, "dot_size": dot_size}
    made = dots(seed=seed, coherence=1, **settings, **raster)
    first, second = map(centroid, made.clip.frames)
    step = speed * np.cos(np.radians(direction)), -speed * np.sin(np.radians(direction))
    np.testing.assert_allclose(second - first, step, atol=0.04 if dot_size >= 3 else 0.2)
    known = made.flow[0][:, torch.isfinite(made.flow[0, 0])]
    np.testing.assert_allclose(known.T, np.broadcast_to(step, known.T.shape), atol=1e-5)
    area = np.pi * dot_size**2 / 4
    assert float((made.clip.frames[0, 0] - 0.5).sum()) / 0.4 == pytest.approx(area, rel=0.1)
    assert known.shape[1] == pytest.approx(area, abs=1.5 + dot_size)


@pytest.mark.parametrize("noise", ["direction", "walk", "position"])
@pytest.mark.parametrize("coherence", [0, 0.3, 1])
def test_that_share_of_the_dots_goes_with_the_signal(coherence, noise):
    made = dots(coherence=coherence, noise=noise, speed=2, direction=90, density=0.02)
    right, down = made.flow[1]
    signal = (right.abs() < 0.02) & ((down + 2).abs() < 0.02)  # noise comes as near: 2 in 1000
    on_dots = made.clip.frames[1, 0] > 0.7
    assert float(signal.sum() / on_dots.sum()) == pytest.approx(coherence, abs=0.06)
    moving = torch.isfinite(right)
    assert np.allclose(torch.hypot(right, down)[moving], 2, atol=1e-5)
    share = coherence if noise == "position" else 1
    assert float(moving.sum() / on_dots.sum()) == pytest.approx(share, abs=0.06)


def test_noise_keeps_its_direction_or_walks():
    still = {"coherence": 0, "speed": 1e-6, "density": 0.003}  # dots stay where they are
    keeps, walks = (dots(noise=noise, **still).flow * 1e6 for noise in ("direction", "walk"))
    known = torch.isfinite(keeps[0, 0])
    assert torch.equal(keeps[0][:, known], keeps[1][:, known])
    turned = (walks[0] * walks[1]).sum(0)[known]  # the cosine of the angle
    assert abs(float(turned.mean())) < 0.2
    assert float(turned.min()) < -0.9


@pytest.mark.parametrize("direction", [0, 90])
def test_coherent_dots_are_the_same_picture_moved(direction):
    # 160 px of height are more than is drawn at once: dots cross the seam.
    made = dots(coherence=1, speed=3, direction=direction, polarity="mixed", density=0.03)
    first, second = made.clip.frames[:2].double().numpy()
    moved = np.roll(first, (0, 3) if direction == 0 else (-3, 0), (1, 2))
    inner = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(second[inner], moved[inner], atol=0.02)  # a sample, at the seam
    assert (np.abs(second - moved)[inner] > 1e-6).mean() < 1e-3
    assert gap(made) < 1e-3
    assert gap(made, wrong=(1, 0)) > 0.3


def test_the_flow_of_every_dot_leads_back():
    made = dots(coherence=0.3, dot_size=7, density=0.003, speed=1.6, direction=20)
    assert np.median(np.abs(misses(made))) < 0.02  # where dots do not meet
    assert np.median(np.abs(misses(made, wrong=(3, 0)))) > 0.05


def test_dots_that_leave_come_in_on_the_other_side():
    made = dots(coherence=1, speed=83, dot_size=4, width=160)  # the field has 3 px beside
    first, _, third = made.clip.frames
    assert torch.allclose(first, third, atol=0.02)


@pytest.mark.parametrize("lifetime", [2, 5])
def test_dots_live_for_their_lifetime(lifetime):
    still = {"speed": 0, "density": 0.002, "frames": 12, "coherence": 1}
    made = dots(lifetime=lifetime, **still)
    lit = made.clip.frames[:, 0] > 0.85
    goes_on = torch.isfinite(made.flow[:, 0]) & lit[:-1]
    assert float(lit[1:][goes_on].float().mean()) > 0.98  # the others overlap
    share = float(goes_on.sum() / lit[:-1].sum())
    assert share == pytest.approx(1 - 1 / lifetime, abs=0.05)
    again = (lit[1:] & lit[:-1] & ~goes_on).sum() / lit.sum()  # another dot at the same place
    assert float(again) < 0.02


def test_dots_without_end_stay():
    made = dots(speed=0, coherence=0.5, noise="walk")
    assert (made.clip.frames == made.clip.frames[0]).all()
    assert torch.isfinite(made.flow[:, 0][made.clip.frames[:-1, 0] > 0.8]).all()


@pytest.mark.parametrize(
    ("polarity", "low", "high"), [("white", 0.5, 0.8), ("black", 0.2, 0.5), ("mixed", 0.2, 0.8)]
)
def test_dots_have_the_polarity_and_contrast_that_were_asked_for(polarity, low, high):
    made = dots(polarity=polarity, contrast=0.6)
    assert made.clip.frames.min().item() == pytest.approx(low)
    assert made.clip.frames.max().item() == pytest.approx(high)
    assert made.clipped == 0


def test_the_density_is_that_of_dots_on_a_square_px():
    covered = (dots(density=0.01, seed=3).clip.frames[0, 0] - 0.5).mean() / 0.4
    overlapping = 1 - np.exp(-0.01 * np.pi * 4)  # of dots strewn independently
    assert float(covered) == pytest.approx(overlapping, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"coherence": 1.1}, "coherence"),
        ({"lifetime": 1}, "lifetime"),
        ({"dot_size": 0.5}, "dot_size"),
        ({"noise": "brownian"}, "noise: .*'walk'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        dots(**settings)
    assert "\n" not in str(caught.value)
