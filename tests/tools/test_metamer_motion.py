import importlib

import numpy as np
import pytest
import torch

from stst.video.frames import Clip

metamer_motion = importlib.import_module("metamer_motion")


@pytest.fixture(autouse=True)
def smaller(monkeypatch):
    monkeypatch.setattr(metamer_motion, "FRAMES", 5)
    monkeypatch.setattr(metamer_motion, "motion_energy", lambda clip: clip.frames.mean((0, 1, 2)))


@pytest.fixture(scope="module")
def picture():
    rough = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    return metamer_motion.cv2.resize(rough, (240, 200), interpolation=2)


@pytest.fixture
def clips(picture):
    """The clips of known motion, by name."""
    moves = metamer_motion.MOTIONS.items()
    return {name: metamer_motion.moved(picture, step, name == "flicker") for name, step in moves}


@pytest.mark.parametrize(("speed", "degrees"), [(1, 20), (2, 200), (4, 110)])
def test_a_translation_has_the_speed_and_direction_of_its_name(clips, speed, degrees):
    right, down = np.median(metamer_motion.flows(clips[f"translate {speed} px"]), (0, 1, 2))
    assert np.hypot(right, down) == pytest.approx(speed, abs=0.1)
    assert np.degrees(np.arctan2(-down, right)) % 360 == pytest.approx(degrees, abs=3)


def test_a_turn_is_counter_clockwise_and_a_growth_goes_outwards(clips):
    for name, wanted in (("rotate", (0.03, 0)), ("expand", (0, 0.03))):
        flow = metamer_motion.flows(clips[name])[:, 30:-30, 40:-40].mean(0)
        down = np.gradient(flow, axis=0).mean((0, 1))
        across = np.gradient(flow, axis=1).mean((0, 1))
        found = (down[0] - across[1]) / 2, (across[0] + down[1]) / 2
        assert found == pytest.approx(wanted, abs=0.004)


def test_a_clip_moves_as_itself(clips):
    found = metamer_motion.compared(clips["translate 2 px"], clips["translate 2 px"])
    assert (found["speed"], found["length"]) == pytest.approx((1, 1))
    assert (found["field r"], found["energy r"]) == pytest.approx((1, 1))
    assert found["direction"] == pytest.approx(0, abs=1e-3)


def test_another_motion_is_told(clips):
    natural = clips["translate 2 px"]
    assert metamer_motion.compared(natural, clips["translate 4 px"])["speed"] > 1.9
    backwards = Clip(natural.frames.flip(0), natural.frame_rate)
    direction = metamer_motion.compared(natural, backwards)["direction"]
    assert abs(direction) == pytest.approx(180, abs=3)


def test_flicker_changes_the_light_and_moves_nothing(clips):
    flicker = clips["flicker"]
    assert flicker.frames.mean((1, 2, 3)).std() > 0.05
    assert not torch.isnan(flicker.frames).any()
    assert np.isnan(metamer_motion.compared(flicker, flicker)["speed"])
