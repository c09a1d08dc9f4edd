"""What finds optical flow. RAFT is a stand-in here: its weights were never fetched."""

import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stst
from stst import make_stimulus
from stst.errors import FramesError, StreamError, WeightsError
from stst.metrics import motion
from stst.metrics.comparison import evaluate
from stst.metrics.motion import DIS, load_estimator, raft_flow
from stst.video.frames import Clip


class StandIn(nn.Module):
    """Tells of each pair the red of the first frame and the green of the second."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, before, after):
        self.seen.append((before, after))
        flow = torch.stack([before[:, 0], after[:, 1]], 1)
        return [torch.zeros_like(flow), flow]


def film(height=130, width=133):
    dice = torch.Generator().manual_seed(0)
    return Clip(torch.rand(3, 3, height, width, generator=dice), Fraction(25))


def test_raft_is_given_pairs_of_its_form_and_its_last_answer_counts():
    clip, network = film(), StandIn()
    flow = raft_flow(network, clip)
    assert flow.shape == (2, 2, 130, 133)
    assert flow.dtype == np.float64
    values = 2 * clip.frames.double().numpy() - 1
    np.testing.assert_allclose(flow[:, 0], values[:-1, 0], atol=1e-6)
    np.testing.assert_allclose(flow[:, 1], values[1:, 1], atol=1e-6)
    for frame in (frame for pair in network.seen for frame in pair):
        assert frame.shape == (1, 3, 136, 136)
        assert torch.equal(frame[..., :, 135], frame[..., :, 132])  # the border goes on


def test_frames_that_raft_cannot_see_are_refused():
    with pytest.raises(FramesError, match="at least 128 px on each side, got 133x127"):
        raft_flow(StandIn(), film(height=127))


def test_dense_inverse_search_is_told_of():
    assert load_estimator("dis").sentence == "dense inverse search (OpenCV)"


def test_raft_is_torchvisions_and_told_of(monkeypatch):
    asked, weights = [], "Raft_Large_Weights.C_T_SKHT_V2"
    models = SimpleNamespace(
        get_model_weights=lambda name: SimpleNamespace(DEFAULT=weights),
        get_model=lambda name, weights: asked.append((name, weights)) or StandIn(),
    )
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=models))
    raft = load_estimator("raft")
    assert asked == [("raft_large", weights)]
    assert raft.name == "raft"
    assert weights in raft.sentence
    assert raft.of(film()).shape == (2, 2, 130, 133)


def test_what_cannot_be_had_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(WeightsError, match="pip install torchvision"):
        load_estimator("raft")
    with pytest.raises(StreamError, match="Did you mean 'raft'"):
        load_estimator("rafd")


def test_measures_are_of_the_flow_that_was_asked_for():
    clip = make_stimulus("dead-leaves", frames=5, height=40, width=48, speed=2).clip
    still = DIS._replace(of=lambda footage: np.zeros_like(motion.optical_flow(footage)))
    values = {flow: evaluate(clip, {"a": clip}, flow=flow).values for flow in (DIS, still)}
    speeds = {flow: v.loc[v["measure"] == "speed", "value"].mean() for flow, v in values.items()}
    assert speeds[DIS] > 1
    assert speeds[still] == 0
    pd.testing.assert_frame_equal(stst.evaluate(clip, {"a": clip}).values, values[DIS])
