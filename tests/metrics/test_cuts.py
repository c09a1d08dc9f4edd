"""Films with cuts: flow and changes are those within shots."""

import numpy as np
import pytest

import stst
from cut_films import WIDTH, film, scene
from stst import Clip
from stst.metrics import clips
from stst.metrics.motion import DIS
from stst.metrics.outcomes import against, statistics
from stst.report.flow import flow_figure

SPEED, CUT, FRAMES = 2, 6, 12


@pytest.fixture(scope="module")
def cut_film():
    """Two scenes that pan by 2 px a frame to the left, and a cut between them."""
    return film(scene(0, CUT, speed=SPEED), scene(7, FRAMES - CUT, speed=SPEED))


def check_motion_within_shots(clip):
    """Speed and change are those of the scenes, and a reversed clip has the same."""
    reversed_ = Clip(clip.frames.flip(0), clip.frame_rate)
    values = stst.evaluate(clip, {"same": clip, "reversed": reversed_}).values
    for condition in ("natural", "same", "reversed"):
        own = values[values["condition"] == condition].set_index("measure")
        frames = own[own["axis"] == "frame"]
        pooled = own[own["axis"] == "clip"]["value"]
        assert list(frames.loc["speed", "at"]) == [i for i in range(FRAMES - 1) if i != CUT - 1]
        assert len(frames.loc["flicker"]) == FRAMES - 2 - 2
        assert pooled["speed"] == pytest.approx(SPEED, abs=0.3)
        assert pooled["coherence"] > 0.8
        changes = frames.loc["pixel_change", "value"].astype(float)
        assert changes.max() < 2 * changes.min()
        direction = own[own["axis"] == "degrees"].loc["direction_histogram"]
        towards = {"reversed": 0}.get(condition, 180)
        assert direction.set_index("at")["value"].astype(float).idxmax() == towards


def test_no_pair_across_a_cut_is_counted(cut_film):
    check_motion_within_shots(cut_film)


def test_pairs_within_shots_are_kept():
    assert clips.kept_pairs(5, {2}).tolist() == [0, 2, 3]


def test_a_planted_count_across_the_cut_is_caught(cut_film, monkeypatch):
    monkeypatch.setattr(clips, "find_shots", lambda clip: (range(len(clip)),))
    with pytest.raises(AssertionError):
        check_motion_within_shots(cut_film)


def test_a_cut_elsewhere_in_the_other_clip_is_left_out_of_both():
    natural = film(scene(0, CUT), scene(7, FRAMES - CUT))
    early = film(scene(0, CUT - 2), scene(7, FRAMES - CUT + 2))
    evaluation = stst.evaluate(natural, {"early": early})
    rows = evaluation.values[evaluation.values["condition"] == "early"]
    speeds = rows[(rows["measure"] == "speed") & (rows["axis"] == "frame")]
    assert set(range(FRAMES - 1)) - set(speeds["at"]) == {CUT - 3, CUT - 1}
    errors = evaluation.errors.set_index("measure")["value"]
    assert errors["speed"] < 0.15
    assert np.isfinite(errors["flow"])


def test_a_jump_in_a_metamer_of_one_shot_counts():
    natural = film(scene(0, FRAMES))
    jumping = film(scene(0, CUT), scene(7, FRAMES - CUT))
    evaluation = stst.evaluate(natural, {"metamer": jumping})
    assert evaluation.errors.set_index("measure").loc["pixel_change", "value"] > 0.15
    rows = evaluation.values[evaluation.values["measure"] == "pixel_change"]
    assert set(rows[rows["axis"] == "frame"].groupby("condition").size()) == {FRAMES - 1}


def check_outcomes_within_shots(clip):
    assert len(statistics(clip, clips.find_cuts(clip))["pixel_change"]) == FRAMES - 2
    held = film(scene(0, CUT, speed=SPEED), scene(7, 1, speed=SPEED).repeat(FRAMES - CUT, 1, 1, 1))
    outcomes = against(clip)(held)
    # Half of the pairs are still; the cut is in neither clip.
    assert outcomes["pixel_change_error"] == pytest.approx(0.5, abs=0.02)


def test_outcomes_of_an_ablation_count_no_cut(cut_film, monkeypatch):
    check_outcomes_within_shots(cut_film)
    monkeypatch.setattr(clips, "find_shots", lambda clip: (range(len(clip)),))
    with pytest.raises(AssertionError):
        check_outcomes_within_shots(cut_film)


def drawn_flow(clip):
    arrows = flow_figure({"natural": clip}, DIS).axes[0].collections[0]
    return np.array([arrows.U, arrows.V])


def test_the_figure_of_the_mean_flow_counts_no_cut(cut_film, monkeypatch):
    within = np.delete(DIS.of(cut_film), CUT - 1, 0).mean(0)
    step = WIDTH // 12
    places = np.s_[:, step // 2 :: step, step // 2 :: step]
    np.testing.assert_allclose(drawn_flow(cut_film), within[places].reshape(2, -1))
    monkeypatch.setattr(clips, "find_shots", lambda clip: (range(len(clip)),))
    assert np.abs(drawn_flow(cut_film) - within[places].reshape(2, -1)).max() > 0.1
