"""Stimuli and controls by name: what all of them keep."""

from fractions import Fraction

import pytest
import torch

from stst import Clip, StstError, make_control, make_stimulus
from stst.errors import FramesError, RecipeError
from stst.stimuli.kinds import CONTROLS, STIMULI
from stst.stimuli.stimulus import Stimulus

pytestmark = pytest.mark.usefixtures("globals_unchanged")
RASTER = {"frames": 5, "height": 24, "width": 32, "frame_rate": Fraction(30)}


def natural(seed=0):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(6, 3, 24, 32, generator=dice), Fraction(25))


@pytest.mark.parametrize("kind", STIMULI)
def test_a_stimulus_has_the_raster_that_was_asked_for_and_repeats(kind):
    made, again = (make_stimulus(kind, **RASTER) for _ in range(2))
    assert (len(made.clip), made.clip.size, made.clip.frame_rate) == (5, (24, 32), 30)
    assert torch.equal(made.clip.frames, again.clip.frames)
    assert STIMULI[kind](**RASTER).sentence


SLOW = pytest.param("portilla-simoncelli", marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", [SLOW, *sorted(CONTROLS.keys() - {"portilla-simoncelli"})])
def test_a_control_has_the_form_of_its_clip_repeats_and_leaves_it_alone(kind):
    pytest.importorskip(CONTROLS[kind].needs or "stst")
    clip = natural()
    made, again = (make_control(clip, kind) for _ in range(2))
    assert (len(made.clip), made.clip.size, made.clip.frame_rate) == (6, (24, 32), 25)
    assert torch.equal(made.clip.frames, again.clip.frames)
    assert torch.equal(clip.frames, natural().frames)
    assert CONTROLS[kind]().sentence


def test_controls_of_order_hold_the_frames_of_the_clip():
    clip = natural()
    backwards = make_control(clip, "reversed").clip.frames
    assert torch.equal(backwards.flip(0), clip.frames)
    still = make_control(clip, "static").clip.frames
    assert all(torch.equal(frame, clip.frames[0]) for frame in still)
    first, second = (make_control(clip, "shuffled", seed=s).clip.frames for s in (1, 2))
    means = clip.frames.mean((1, 2, 3))
    for shuffled in (first, second):
        assert torch.equal(shuffled.mean((1, 2, 3)).sort().values, means.sort().values)
    assert not torch.equal(first, second)


def test_the_drift_of_a_grating_is_its_flow():
    made = make_stimulus("drifting-grating", speed=2, direction=90, wavelength=8, **RASTER)
    first, second = made.clip.frames[:2]
    torch.testing.assert_close(second[:, :-2], first[:, 2:], atol=1e-5, rtol=0)  # two px UP
    assert made.flow[0, :, 5, 5].tolist() == pytest.approx([0, -2], abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("drifting-grating", {"speeed": 1}, "Did you mean 'speed'"),
        ("drifting-grating", {"wavelength": 1}, "wavelength"),
        ("drifting-grating", {"frames": 1}, "frames"),
        ("drifting-grating", {"frames": 10**12}, "frames: .*100000"),
        ("drifting-grating", {"width": 10**12}, "width: .*16384"),
        ("drifting-grating", {"frame_rate": "1e999999999"}, "per second, got '1e999999999'.$"),
        ("drifting-gratin", {}, "Did you mean 'drifting-grating'"),
    ],
)
def test_a_mistake_is_named(kind, settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus(kind, **settings)
    assert isinstance(caught.value, StstError)
    assert "\n" not in str(caught.value)


def test_a_flow_of_another_size_is_refused():
    with pytest.raises(FramesError, match=r"flow must be \(5, 2, 24, 32\)"):
        Stimulus(natural(), torch.zeros(5, 2, 32, 24))
