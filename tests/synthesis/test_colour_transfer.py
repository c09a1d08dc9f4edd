"""Colour transfer: distributions, constants, and a slow twin of the regraining."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.exposure import match_histograms
from skimage.measure import block_reduce
from skimage.transform import resize

from stst.synthesis.colour import REGRAIN_ITERATIONS, colour_transfer, restore_grain

BOTH = pytest.mark.parametrize("regrain", [False, True])


def smooth(seed, height=48, width=64, low=0.1, high=0.9):
    """Smooth noise in three channels, each within [low, high]."""
    dice = np.random.default_rng(seed)
    coarse = dice.uniform(low, high, (height // 8, width // 8, 3))
    image = resize(coarse, (height, width), order=1)
    return torch.from_numpy(np.moveaxis(image, -1, 0).copy()).float()


def quantile_gap(a, b):
    """Mean distance of the sorted values, over channels."""
    return (a.flatten(1).sort(1).values - b.flatten(1).sort(1).values).abs().mean().item()


@BOTH
@given(seed=st.integers(0, 99))
def test_brings_the_colours_near_the_references(seed, regrain):
    frame, natural = smooth(seed, low=0.1, high=0.5), smooth(seed + 100, low=0.4, high=0.9)
    found = colour_transfer(frame, natural, regrain=regrain)
    before = quantile_gap(frame, natural)
    assert quantile_gap(found, natural) < before / (1.5 if regrain else 20)
    assert 0 <= found.min() <= found.max() <= 1


@BOTH
def test_a_frame_keeps_its_own_colours(regrain):
    frame = smooth(1)
    gap = (colour_transfer(frame, frame, regrain=regrain) - frame).abs().mean()
    assert gap < (0.01 if regrain else 0.002)  # regraining stops after few iterations


def test_one_varying_channel_is_matched_as_skimage_does():
    frame, natural = torch.full((3, 48, 64), 0.5), torch.full((3, 48, 64), 0.5)
    frame[1], natural[1] = smooth(3)[1], smooth(4, low=0.3, high=0.5)[1]
    found = colour_transfer(frame, natural, regrain=False)
    oracle = match_histograms(frame[1].numpy(), natural[1].numpy())
    assert np.abs(found[1].numpy() - oracle).mean() < 0.01
    assert np.abs(frame[1].numpy() - oracle).mean() > 0.05


@BOTH
@pytest.mark.parametrize(("frame", "natural"), [(0.3, 0.8), (0.0, 1.0), (0.5, 0.5), (0.3, None)])
def test_constant_frames_stay_finite(frame, natural, regrain):
    constant = torch.full((3, 24, 24), frame)
    other = smooth(2) if natural is None else torch.full((3, 24, 24), natural)
    for found in (
        colour_transfer(constant, other, regrain=regrain),
        colour_transfer(other, constant, regrain=regrain),
    ):
        assert torch.isfinite(found).all()
        assert 0 <= found.min() <= found.max() <= 1


@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_takes_frames_of_any_size(height, width):
    dice = torch.Generator().manual_seed(height)
    found = colour_transfer(torch.rand(3, height, width, generator=dice), smooth(1))
    assert found.shape == (3, height, width)
    assert torch.isfinite(found).all()


def test_gives_back_the_type_and_passes_no_gradient():
    found = colour_transfer(smooth(1).requires_grad_(), smooth(2))
    assert found.dtype == torch.float32
    assert not found.requires_grad


def halve(x, planted):
    """(H, W, 3) of even sides -> (H/2, W/2, 3): means of 2 x 2, or the planted bug."""
    return x[::2, ::2] if planted else block_reduce(x, (2, 2, 1), np.mean)


def shifts(x):
    """The four neighbours of each sample, the edge its own neighbour."""
    edged = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return edged[2:, 1:-1], edged[1:-1, 2:], edged[:-2, 1:-1], edged[1:-1, :-2]


def twin(source, moved, level, levels, planted):
    """Regraining by recursion: solve at half size first, then refine."""
    start = source
    if level + 1 < levels:
        smaller = [halve(x, planted) for x in (source, moved)]
        start = resize(
            twin(*smaller, level + 1, levels, planted), source.shape, order=1, mode="edge"
        )
    down, right, up, left = shifts(source)
    steep = np.sqrt(((down - up) ** 2 + (right - left) ** 2).sum(-1, keepdims=True))
    keep = np.minimum(256 * steep / 5, 1)
    smoothness = 30 / 2**level / (1 + 10 * steep)
    result = start
    for _ in range(REGRAIN_ITERATIONS[level]):
        total, pull = keep, keep * moved
        parts = zip(shifts(smoothness), shifts(source), shifts(result), strict=True)
        for beside, source_there, result_there in parts:
            weight = (beside + smoothness) / 2
            total = total + weight
            pull = pull + weight * (source - source_there + result_there)
        result = 0.2 * result + 0.8 * pull / total
    return result


@pytest.mark.parametrize(("planted", "same"), [(False, True), (True, False)])
def test_regraining_is_its_twins(planted, same):
    side, levels = 96, 3  # 96, 48, 24; the next would be below the least side
    source = np.random.default_rng(1).uniform(0, 1, (side, side, 3))
    moved = source**2
    oracle = twin(source, moved, 0, levels, planted)
    found = restore_grain(*(torch.from_numpy(x).movedim(-1, 0) for x in (source, moved)))
    gap = np.abs(found.movedim(0, -1).numpy() - oracle).max()
    assert bool(gap < 1e-9) is same, gap
