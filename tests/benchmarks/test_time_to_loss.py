"""The race to the authors' losses ends where they are reached, and can be lost."""

from dataclasses import replace

import pytest
import torch

import race
import time_to_loss
from reef import natural_scene
from stst.recipe import Recipe

FRAMES, MOST = 3, 12


@pytest.fixture(scope="module")
def task():
    clip = natural_scene(frames=FRAMES, height=72, width=72)
    return race.Task(clip, "compact", None, pad=2)


@pytest.fixture(scope="module")
def goals(task):
    """The authors' frames, after few steps, and the losses at which the last octave began."""
    settings = {f"octaves.{i}.steps": 2 for i in range(3)}
    recipe = Recipe.preset("greco2024").with_settings(
        {**time_to_loss.CORRECTED, **settings, "octaves.0.scale": 0.5, "pad": task.pad}
    )
    with torch.no_grad():
        return race.theirs(task, recipe)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Few steps."""
    few = race.Steps(coarse=(2, 0.02), fine=(2, 0.02), more=(5, 0.02))
    settings = {"FROM_NOISE": few, "FROM_FRAME": few, "MOST": MOST}
    for name, value in settings.items():
        monkeypatch.setattr(race, name, value)


def run(task, goals, starts):
    with torch.no_grad():
        return list(race.ours(task, goals, starts))


def test_every_frame_of_theirs_has_its_goal_and_its_start(goals):
    frames, starts = goals
    assert [frame.index for frame in frames] == [-1, 0, 1, 2]
    assert len(starts) == len(frames)
    for frame, start in zip(frames, starts, strict=True):
        assert frame.steps == pytest.approx(2 * (0.25 + 4 / 9 + 1))
        assert 0 < frame.losses[0] < start["space_texture"]


def test_ours_ends_with_the_round_that_reaches_both(task, goals):
    frames, starts = goals
    within = [replace(frame, losses=tuple(9 * loss for loss in frame.losses)) for frame in frames]
    found = time_to_loss.kept(run(task, within, starts))
    assert [frame.steps for frame in found] == [2 + 0.5] * FRAMES


@pytest.mark.slow
@pytest.mark.parametrize("out_of_reach", [(0.0, torch.inf), (torch.inf, 0.0)])
def test_one_loss_out_of_reach_takes_all_steps_and_is_told(task, goals, capsys, out_of_reach):
    frames, starts = goals
    far = [replace(frame, losses=out_of_reach) for frame in frames]
    found = run(task, far, starts)
    assert [frame.steps for frame in time_to_loss.kept(found)] == [MOST + 0.5] * FRAMES
    time_to_loss.report(far, found, found)
    assert capsys.readouterr().out.count(" NO |") == FRAMES
