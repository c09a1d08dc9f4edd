"""Looking into networks: what their layers put out, whole and piece by piece."""

import weakref
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from toy_networks import Small, moments, moving, noise, small

from stst.errors import FramesError, StreamError
from stst.metrics.layer_similarity import Feature, Responses
from stst.models.recognition import Network, looked_into


def test_a_layer_is_seen_before_what_follows_overwrites_it():
    network, frames = small(), noise().frames[:1]
    found, probabilities = looked_into(network, frames)
    wanted = network.module.first(frames)
    assert wanted.min() < 0  # it would be 0 after the ReLU, which works in place
    torch.testing.assert_close(found["first"], wanted)
    torch.testing.assert_close(probabilities, network.module(frames)[0].softmax(0))
    assert not any(part._forward_hooks for part in network.module.modules())


def test_hooks_go_when_the_network_fails():
    network = small()
    with pytest.raises(RuntimeError):
        looked_into(network, torch.rand(1, 4, 16, 16))
    assert not any(part._forward_hooks for part in network.module.modules())


@pytest.mark.usefixtures("globals_unchanged")
def test_networks_that_cannot_be_looked_into_are_refused():
    with pytest.raises(StreamError, match="Did you mean 'first'"):
        small().with_layers(["frist"])
    with pytest.raises(StreamError, match="at least one"):
        small().with_layers([])
    with pytest.raises(StreamError, match=r"Call its \.eval\(\)"):
        Network("small", Small().train(), ["first"], lambda frames: frames)
    with pytest.raises(StreamError, match="does not run unused"):
        looked_into(small().with_layers(["first", "unused"]), noise().frames[:1])
    told = nn.Sequential(nn.Identity()).eval()
    told[0].forward = lambda frames: {"a": frames}
    with pytest.raises(StreamError, match="returned dict"):
        looked_into(Network("told", told, ["0"], lambda frames: frames), noise().frames[:1])
    with pytest.raises(FramesError, match="needs at least 3 frames"):
        Responses(moving(), noise(frames=2))


def whole(network, clip):
    """Activations of all frames at once: feature -> (T, N)."""
    units = {}
    for frame in clip.frames:
        for layer, found in looked_into(network, frame[None])[0].items():
            maps = found[0].double().numpy()
            units.setdefault(Feature(layer, "places"), []).append(maps.ravel())
            means = maps.reshape(len(maps), -1).mean(1)
            units.setdefault(Feature(layer, "channels"), []).append(means)
    return {feature: np.stack(rows) for feature, rows in units.items()}


@pytest.mark.parametrize("tile", [1, 20_000, 10**9])  # a frame, a few, all
def test_piece_by_piece_is_the_same_as_whole(tile):
    clips = noise(0, frames=7), noise(1, frames=7)
    one, other = (Responses(small(), clip, tile) for clip in clips)
    assert len(one.tiles) == {1: 7, 20_000: 4, 10**9: 1}[tile]
    wanted, others = (whole(small(), clip) for clip in clips)
    cross = one.cross(other)
    for feature, units in wanted.items():
        found, truth = one.moments[feature], moments(units)
        np.testing.assert_allclose(found.gram, truth.gram, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.sums, truth.sums, rtol=1e-5, atol=1e-5)
        assert found.units == truth.units
        products = (units * others[feature]).sum(1)
        np.testing.assert_allclose(cross[feature], products, rtol=1e-5, atol=1e-6)
    assert one.probabilities.shape == (7, 5)
    np.testing.assert_allclose(one.probabilities.sum(1), 1, rtol=1e-6)


class Counting(Responses):
    """Responses that note the tiles they give, to see which are still held later."""

    given: ClassVar = []

    def tile(self, index):
        found = super().tile(index)
        Counting.given += [weakref.ref(units) for units in found.values()]
        return found


def held():
    """Bytes of all tiles that are held now."""
    alive = {id(units): units for one in Counting.given if (units := one()) is not None}
    return sum(4 * units.numel() for units in alive.values())


def test_memory_does_not_grow_with_frames(monkeypatch):
    most = []
    for frames in (9, 27):
        monkeypatch.setattr(Counting, "given", [])
        seen = []  # what is held while another tile is made
        network = replace(small(), preprocess=lambda x, seen=seen: seen.append(held()) or x)
        one, other = (Counting(network, noise(seed, frames=frames), 40_000) for seed in range(2))
        assert one.moments.keys() == other.moments.keys() == one.cross(other).keys()
        most.append(max(seen))
    assert 0 < most[0] <= 2 * 40_000  # one of either clip
    assert most[0] == most[1]


def test_windows_channels_last_tokens_and_tuples():
    found = Responses(moving(), noise(frames=8))
    assert list(found.starts) == [0, 2, 4]
    for layer in moving().layers:
        assert found.moments[Feature(layer, "channels")].units == 4
        assert found.moments[Feature(layer, "places")].units == 4 * 14 * 14
    sums = [found.moments[Feature(layer, "channels")].sums for layer in moving().layers]
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-5)
    assert found.probabilities is None
