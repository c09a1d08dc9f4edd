"""Dead leaves: their sizes, what covers what, and the flow of what is seen."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from warping import gap, misses

from stst import make_stimulus
from stst.errors import RecipeError
from stst.stimuli.discs import DeadLeaves

pytestmark = pytest.mark.usefixtures("globals_unchanged")
RASTER = {"frames": 3, "height": 96, "width": 96, "largest": 20}


@pytest.mark.parametrize(("smallest", "largest"), [(1, 100), (3, 5)])
def test_the_density_of_radii_falls_with_the_cube(smallest, largest):
    radii = DeadLeaves(smallest=smallest, largest=largest).radii(3000, np.random.default_rng(0))

    def cumulative(radius):  # the integral of r ** -3
        return (smallest**-2 - radius**-2.0) / (smallest**-2 - largest**-2)

    assert stats.kstest(radii, cumulative).pvalue > 0.01
    planted = stats.kstest(radii**0.85, cumulative)
    assert planted.pvalue < 1e-3


def test_leaves_that_move_together_are_one_picture_moved():
    made = make_stimulus("dead-leaves", speed=2, direction=-90, **RASTER)
    first, second = made.clip.frames[:2]
    apart = (second[:, 10:-8] - first[:, 8:-10]).abs()
    assert float(apart.max()) < 0.03  # a sample of 64, at the edge
    assert float((apart > 1e-6).float().mean()) < 1e-3
    assert np.allclose(made.flow, np.reshape([0, 2], (2, 1, 1)), atol=1e-6)


def test_the_flow_of_leaves_leads_back():
    made = make_stimulus("dead-leaves", speed=1.6, direction=200, **RASTER)
    assert np.median(np.abs(misses(made))) < 0.01
    assert gap(made) < 0.15  # edges are one px wide: splines ring there
    assert gap(made, wrong=(1, 1)) > 0.3


def test_the_flow_of_leaves_of_their_own_motion_is_that_of_the_leaf_seen():
    made = make_stimulus("dead-leaves", speed=1, scatter=2, smallest=6, **RASTER)
    led_back = (np.abs(misses(made)) < 0.01).mean()
    assert led_back > 0.6  # the others are at edges, or covered in the next frame
    assert led_back > (np.abs(misses(made, wrong=(2, 2))) < 0.01).mean() + 0.1
    motions = made.flow.movedim(1, -1).reshape(-1, 2).unique(dim=0)
    greys = (made.clip.frames[0, 0] * 1e4).round().unique(return_counts=True)
    leaves = int((greys[1] > 6).sum())  # greys of more than a few pixels
    assert leaves * 0.8 < len(motions) < 400
    assert motions.std(0).tolist() == pytest.approx([2, 2], rel=0.3)
    assert motions.mean(0).tolist() == pytest.approx([1, 0], abs=0.6)


def test_a_leaf_has_one_grey_and_one_motion():
    made = make_stimulus("dead-leaves", scatter=1, smallest=6, **RASTER)
    grey, flow = made.clip.frames[0, 0], made.flow[0]
    same = (flow[:, :, 1:] == flow[:, :, :-1]).all(0)
    apart = (grey[:, 1:] - grey[:, :-1]).abs()
    assert float(apart[same].median()) < 1e-6
    assert float((apart[same] < 0.02).float().mean()) > 0.8  # the others are at its edge
    assert float((apart[~same] < 0.02).float().mean()) < 0.2


def test_greys_are_uniform_and_nothing_of_the_ground_is_seen():
    settings = {"smallest": 2, "largest": 8, "contrast": 0.6, "height": 112, "width": 112}
    frame = make_stimulus("dead-leaves", frames=2, **settings).clip.frames[0, 0]
    assert 0.2 <= float(frame.min()) < 0.22
    assert 0.78 < float(frame.max()) <= 0.8
    assert float(frame.mean()) == pytest.approx(0.5, abs=0.03)


def test_the_power_falls_as_that_of_natural_pictures():
    raster = {"frames": 2, "height": 192, "width": 192}
    frame = make_stimulus("dead-leaves", smallest=2, largest=100, **raster).clip.frames[0, 0]
    window = np.outer(np.hanning(192), np.hanning(192))
    power = np.abs(np.fft.fft2((frame.numpy() - 0.5) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(192)[:, None], np.fft.fftfreq(192))
    bands = np.geomspace(4 / 192, 0.25, 9)
    means = [power[(radius >= low) & (radius < high)].mean() for low, high in pairwise(bands)]
    slope = np.polyfit(np.log(np.sqrt(bands[:-1] * bands[1:])), np.log(means), 1)[0]
    assert -2.7 < slope < -1.7  # about -2 + 0.2 in photographs, says the article


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"smallest": 50}, "largest: .*greater than smallest"),
        ({"smallest": 0.5}, "smallest"),
        ({"scatter": -1}, "scatter"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus("dead-leaves", **settings)
    assert "\n" not in str(caught.value)
